//! The Binding Identifier mobility option (RFC 5648 section 4.3): which of a node's bindings a message is about.
//!
//! ```text
//! | BID (2) | Status (1) | H, Reserved (1) | care-of address (0, 4 or 16) |
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::option;
use super::{CareOf, Status};

const HOME: u8 = 0x80;
/// Octets before the care-of address.
const FIXED: usize = 4;

/// The number of one of a node's bindings. Never 0, which is reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BindingId(std::num::NonZeroU16);

impl BindingId {
    /// `None` for 0.
    pub fn new(number: u16) -> Option<Self> {
        std::num::NonZeroU16::new(number).map(Self)
    }

    /// The number.
    pub fn get(self) -> u16 {
        self.0.get()
    }
}

/// One option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BindingIdentifier {
    /// Whose status or care-of address it is.
    pub id: BindingId,
    /// In a Binding Acknowledgement: 0, or what holds for this binding instead of the message's status.
    pub status: Status,
    /// The H flag: a binding at home, beside others that are not.
    pub home: bool,
    /// In a Binding Update: where packets are to go. May be left out of a binding that the receiver knows.
    pub care_of: Option<CareOf>,
}

/// What of these options a Binding Update has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BindingIdentifiers {
    /// None: the Binding Update is that of RFC 6275.
    #[default]
    None,
    /// One.
    One(BindingIdentifier),
    /// More than one: a bulk registration (section 5.3).
    Several,
    /// One at least whose length or numbers are wrong; it is answered with [`Status::MCOA_MALFORMED`].
    Malformed,
}

impl BindingIdentifier {
    /// Of a binding, without a care-of address, as acknowledgements have it.
    pub fn of(id: BindingId) -> Self {
        Self { id, status: Status::ACCEPTED, home: false, care_of: None }
    }

    /// Of a binding to `care_of`.
    pub fn to(id: BindingId, care_of: CareOf) -> Self {
        Self { care_of: Some(care_of), ..Self::of(id) }
    }

    /// Reads the option's value; `None` where its length is none of the three or its number is reserved.
    pub(super) fn parse(value: &[u8]) -> Option<Self> {
        let ([b0, b1, status, flags], address) = value.split_first_chunk::<FIXED>()?;
        let care_of = match address.len() {
            0 => None,
            4 => Some(CareOf::Ip4(Ipv4Addr::from(<[u8; 4]>::try_from(address).ok()?))),
            16 => Some(CareOf::Ip6(Ipv6Addr::from(<[u8; 16]>::try_from(address).ok()?))),
            _ => return None,
        };
        let id = BindingId::new(u16::from_be_bytes([*b0, *b1]))?;
        Some(Self { id, status: Status(*status), home: flags & HOME != 0, care_of })
    }

    /// Section 4.3: at 2n without a care-of address, else at 8n+2.
    pub(super) fn emit(&self, header: &mut Vec<u8>) {
        let mut value = Vec::with_capacity(FIXED + 16);
        value.extend(self.id.get().to_be_bytes());
        value.extend([self.status.0, if self.home { HOME } else { 0 }]);
        match self.care_of.map(IpAddr::from) {
            None => return option::push(header, 2, 0, option::BINDING_IDENTIFIER, &value),
            Some(IpAddr::V4(ip)) => value.extend(ip.octets()),
            Some(IpAddr::V6(ip)) => value.extend(ip.octets()),
        }
        option::push(header, 8, 2, option::BINDING_IDENTIFIER, &value);
    }
}

impl BindingIdentifiers {
    /// Takes the value of one more option.
    pub(super) fn take(&mut self, value: &[u8]) {
        *self = match (*self, BindingIdentifier::parse(value)) {
            (Self::Malformed, _) | (_, None) => Self::Malformed,
            (Self::None, Some(one)) => Self::One(one),
            (Self::One(_) | Self::Several, Some(_)) => Self::Several,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u16) -> BindingId {
        BindingId::new(number).unwrap()
    }

    #[test]
    fn an_option_stands_where_its_alignment_wants_it_and_comes_back_as_it_was() {
        let care_ofs = [None, Some(CareOf::Ip4([198, 51, 100, 7].into())), Some(CareOf::Ip6("2001:db8:2::7".parse().unwrap()))];
        for (care_of, (len, multiple, offset)) in care_ofs.into_iter().zip([(4, 2, 0), (8, 8, 2), (20, 8, 2)]) {
            for (used, home) in (0..16).zip([false, true].into_iter().cycle()) {
                let identifier = BindingIdentifier { status: Status(167), home, care_of, ..BindingIdentifier::of(id(0x102)) };
                let mut header = vec![0; used];
                identifier.emit(&mut header);
                let start = header.len() - 2 - len;
                assert_eq!((start % multiple, &header[start..start + 4]), (offset, &[35, len as u8, 1, 2][..]));
                assert_eq!(BindingIdentifier::parse(&header[start + 2..]), Some(identifier));
            }
        }
    }

    #[test]
    fn a_length_that_is_none_of_the_three_and_the_reserved_number_are_malformed() {
        for len in (0..24).filter(|len| ![4, 8, 20].contains(len)) {
            assert_eq!(BindingIdentifier::parse(&vec![1; len]), None, "{len}");
        }
        assert_eq!(BindingIdentifier::parse(&[0, 0, 0, 0]), None);
    }

    #[test]
    fn several_options_are_a_bulk_registration_and_one_that_is_malformed_spoils_them_all() {
        let said = |values: &[&[u8]]| {
            let mut identifiers = BindingIdentifiers::default();
            values.iter().for_each(|value| identifiers.take(value));
            identifiers
        };
        let good: &[u8] = &[0, 1, 0, 0];
        assert_eq!(said(&[]), BindingIdentifiers::None);
        assert_eq!(said(&[good]), BindingIdentifiers::One(BindingIdentifier::of(id(1))));
        assert_eq!((said(&[good, good]), said(&[good, good, good])), (BindingIdentifiers::Several, BindingIdentifiers::Several));
        assert_eq!((said(&[good, &[1]]), said(&[&[1], good])), (BindingIdentifiers::Malformed, BindingIdentifiers::Malformed));
    }
}
