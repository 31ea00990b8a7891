//! Our Vendor Specific Mobility options (RFC 5094 section 3).
//!
//! ```text
//! | Vendor ID 32473 (4) | Sub-Type (1) | data |
//! ```

use super::option;

/// The enterprise number for examples (RFC 5612), until there is one of our own.
const VENDOR: [u8; 4] = 32_473_u32.to_be_bytes();

/// The data in an option's value; `None` for another vendor's, another Sub-Type or another length.
pub(super) fn parse<const LEN: usize>(sub_type: u8, value: &[u8]) -> Option<[u8; LEN]> {
    value.strip_prefix(&VENDOR)?.strip_prefix(&[sub_type])?.try_into().ok()
}

/// Appends an option to a header, at 4n+2.
pub(super) fn push(header: &mut Vec<u8>, sub_type: u8, data: &[u8]) {
    let value = [&VENDOR[..], &[sub_type], data].concat();
    option::push(header, 4, 2, option::VENDOR_SPECIFIC, &value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_read_as_it_was_written_and_by_no_other() {
        let mut header = vec![0; 6];
        push(&mut header, 7, &[1, 2]);
        assert_eq!(header[6..], [option::VENDOR_SPECIFIC, 7, 0, 0, 0x7e, 0xd9, 7, 1, 2]);
        let value = &header[8..];
        assert_eq!(parse(7, value), Some([1, 2]));
        assert_eq!((parse::<2>(8, value), parse::<1>(7, value), parse::<3>(7, value)), (None, None, None));
        assert_eq!(parse::<2>(7, &[0, 0, 0x7e, 0xda, 7, 1, 2]), None, "another vendor");
    }
}
