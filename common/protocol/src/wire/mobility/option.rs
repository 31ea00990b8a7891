//! Mobility options (RFC 6275 section 6.2, RFC 5555 section 3): a walk over what came, and padding to what is to be sent.

/// RFC 6275 section 6.2.5.
pub const ALTERNATE_CARE_OF: u8 = 3;
/// RFC 3963 section 4.3.
pub const MOBILE_NETWORK_PREFIX: u8 = 6;
/// RFC 5094.
pub const VENDOR_SPECIFIC: u8 = 19;
/// RFC 5555 section 3.1.1.
pub const IPV4_HOME_ADDRESS: u8 = 29;
/// RFC 5555 section 3.2.1.
pub const IPV4_ADDRESS_ACKNOWLEDGEMENT: u8 = 30;
/// RFC 5555 section 3.2.2.
pub const NAT_DETECTION: u8 = 31;
/// RFC 5555 section 3.1.2.
pub const IPV4_CARE_OF: u8 = 32;
/// RFC 5648 section 4.3.
pub const BINDING_IDENTIFIER: u8 = 35;
const PAD1: u8 = 0;
const PADN: u8 = 1;
/// Octets of the longest PadN.
const LONGEST_PADN: usize = 2 + u8::MAX as usize;

/// Walks the options of a message; gives each option's type and value, padding left out, and `None` for a malformed rest.
pub struct Options<'a>(&'a [u8]);

impl<'a> Options<'a> {
    /// All options of a message.
    pub fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = Option<(u8, &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (kind, rest) = self.0.split_first()?;
            if *kind == PAD1 {
                self.0 = rest;
                continue;
            }
            let option = rest.split_first().and_then(|(len, rest)| rest.split_at_checked(usize::from(*len)));
            let Some((value, rest)) = option else {
                self.0 = &[];
                return Some(None);
            };
            self.0 = rest;
            if *kind != PADN {
                return Some(Some((*kind, value)));
            }
        }
    }
}

/// Appends an option whose first octet stands at `multiple`·n + `offset` of the header.
pub fn push(header: &mut Vec<u8>, multiple: usize, offset: usize, kind: u8, value: &[u8]) {
    pad_to(header, multiple, offset);
    header.extend([kind, value.len() as u8]);
    header.extend(value);
}

/// Pads with Pad1 or PadN up to the next `multiple`·n + `offset`.
pub fn pad_to(header: &mut Vec<u8>, multiple: usize, offset: usize) {
    let room = (multiple + offset - header.len() % multiple) % multiple;
    pad_up_to(header, header.len() + room);
}

/// Pads with as many options as it takes up to `len` octets in all; a header that is as long is left alone.
pub fn pad_up_to(header: &mut Vec<u8>, len: usize) {
    while header.len() < len {
        pad(header, (len - header.len()).min(LONGEST_PADN));
    }
}

/// One padding option of `room` octets, from 1 to [`LONGEST_PADN`].
fn pad(header: &mut Vec<u8>, room: usize) {
    if room == 1 {
        header.push(PAD1);
    } else {
        header.extend([PADN, (room - 2) as u8]);
        header.resize(header.len() + room - 2, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_left_out_and_a_cut_option_is_said() {
        let octets = [0, 1, 2, 0, 0, 3, 1, 9, 0, 32, 6, 1];
        assert_eq!(Options::new(&octets).collect::<Vec<_>>(), [Some((3, &[9][..])), None]);
    }

    #[test]
    fn an_option_stands_where_its_alignment_wants_it() {
        for used in 0..16 {
            let mut header = vec![0; used];
            push(&mut header, 8, 6, ALTERNATE_CARE_OF, &[0; 16]);
            assert_eq!((header.len() - 18) % 8, 6, "{used}");
        }
    }
}
