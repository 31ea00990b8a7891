//! A RADIUS packet as octets: its header, its attributes and their bounds (RFC 2865 section 3).
//!
//! `reply` and `dynamic_authorization` read with it what has come, before and after it is verified; `request` and they write
//! attributes with it. It judges lengths
//! alone: nothing here is trusted for having been read.

use super::attribute::Kind;

/// Code, Identifier, Length (2), Authenticator (16): the attributes follow.
pub(crate) const HEADER_LEN: usize = 20;
/// The longest packet, and so the longest that is received.
pub(crate) const MAX_LEN: usize = 4096;
/// The longest value of one attribute: its Length is one octet and counts Type and Length too.
pub(crate) const MAX_VALUE: usize = 253;
/// Type and Length of an attribute.
const ATTRIBUTE_HEADER: usize = 2;

/// The Authenticator field: 16 random octets in a request, an MD5 hash in a reply.
pub type Authenticator = [u8; 16];

/// What is not a RADIUS packet, by its lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a length in a RADIUS packet is out of its bounds")]
pub struct Malformed;

/// A packet of sound lengths.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet<'a> {
    head: [u8; 4],
    authenticator: Authenticator,
    attributes: Attributes<'a>,
}

impl<'a> Packet<'a> {
    /// Reads a datagram. Octets beyond Length are padding and ignored (RFC 2865 section 3).
    ///
    /// # Errors
    /// Length is below 20, above 4096 or beyond the datagram, or an attribute is malformed.
    pub(crate) fn parse(datagram: &'a [u8]) -> Result<Self, Malformed> {
        let (head, _) = datagram.split_first_chunk::<4>().ok_or(Malformed)?;
        let [_, _, high, low] = *head;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let packet = datagram.get(..length).filter(|packet| packet.len() <= MAX_LEN).ok_or(Malformed)?;
        let (authenticator, attributes) = packet.get(4..).and_then(<[u8]>::split_first_chunk::<16>).ok_or(Malformed)?;
        Ok(Self { head: *head, authenticator: *authenticator, attributes: Attributes::parse(attributes)? })
    }

    /// Code, Identifier and Length as they came.
    pub(crate) fn head(&self) -> [u8; 4] {
        self.head
    }

    /// Code.
    pub(crate) fn code(&self) -> u8 {
        self.head[0]
    }

    /// Identifier.
    pub(crate) fn identifier(&self) -> u8 {
        self.head[1]
    }

    /// Authenticator.
    pub(crate) fn authenticator(&self) -> &Authenticator {
        &self.authenticator
    }

    /// All attributes.
    pub(crate) fn attributes(&self) -> Attributes<'a> {
        self.attributes
    }
}

/// One attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Type.
    pub kind: Kind,
    /// Value: 0 to 253 octets.
    pub value: &'a [u8],
}

impl Attribute<'_> {
    /// Its octets, Type and Length included.
    fn len(self) -> usize {
        ATTRIBUTE_HEADER + self.value.len()
    }
}

/// Attributes of sound lengths, in the order of the packet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attributes<'a>(&'a [u8]);

impl<'a> Attributes<'a> {
    /// Reads what follows the header.
    ///
    /// # Errors
    /// A Length is below 2 or beyond the end (RFC 2865 section 5).
    pub fn parse(octets: &'a [u8]) -> Result<Self, Malformed> {
        let mut rest = octets;
        while !rest.is_empty() {
            (_, rest) = split(rest).ok_or(Malformed)?;
        }
        Ok(Self(octets))
    }

    /// The octets of all attributes.
    pub fn octets(self) -> &'a [u8] {
        self.0
    }

    /// The value of the first attribute of this type.
    pub fn first(self, kind: Kind) -> Option<&'a [u8]> {
        self.all(kind).next()
    }

    /// The only attribute of this type: the octets before its value, its value, the octets behind. `None` without any and with
    /// several.
    pub fn around_only(self, kind: Kind) -> Option<[&'a [u8]; 3]> {
        let before: usize = self.into_iter().take_while(|attribute| attribute.kind != kind).map(Attribute::len).sum();
        let (before, rest) = self.0.split_at_checked(before + ATTRIBUTE_HEADER)?;
        let (value, behind) = rest.split_at_checked(self.first(kind)?.len())?;
        (self.all(kind).count() == 1).then_some([before, value, behind])
    }

    /// The values of all attributes of this type.
    pub fn all(self, kind: Kind) -> impl Iterator<Item = &'a [u8]> {
        self.into_iter().filter(move |attribute| attribute.kind == kind).map(|attribute| attribute.value)
    }
}

impl<'a> IntoIterator for Attributes<'a> {
    type Item = Attribute<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        Iter(self.0)
    }
}

/// Goes through [`Attributes`].
#[derive(Clone, Debug)]
pub struct Iter<'a>(&'a [u8]);

impl<'a> Iterator for Iter<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let (attribute, rest) = split(self.0)?;
        self.0 = rest;
        Some(attribute)
    }
}

/// The first attribute and what follows it.
fn split(octets: &[u8]) -> Option<(Attribute<'_>, &[u8])> {
    let (&[kind, length], behind) = octets.split_first_chunk::<ATTRIBUTE_HEADER>()?;
    let (value, rest) = behind.split_at_checked(usize::from(length).checked_sub(ATTRIBUTE_HEADER)?)?;
    Some((Attribute { kind: Kind(kind), value }, rest))
}

/// What does not fit into a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request would be longer than 4,096 octets, or one of its attributes than 253")]
pub struct TooLong;

/// Attributes that are being written.
#[derive(Clone, Debug, Default)]
pub(crate) struct AttributeList(Vec<u8>);

impl AttributeList {
    /// Octets that all attributes of a request may have together: what the header and Message-Authenticator leave.
    pub(crate) const MAX_LEN: usize = MAX_LEN - HEADER_LEN - ATTRIBUTE_HEADER - size_of::<Authenticator>();

    /// Appends an attribute.
    ///
    /// # Errors
    /// The value is longer than [`MAX_VALUE`], or all together than [`Self::MAX_LEN`].
    pub(crate) fn push(&mut self, kind: Kind, value: &[u8]) -> Result<(), TooLong> {
        let length = u8::try_from(value.len() + ATTRIBUTE_HEADER).map_err(|_| TooLong)?;
        if self.0.len() + usize::from(length) > Self::MAX_LEN {
            return Err(TooLong);
        }
        self.0.extend([kind.0, length]);
        self.0.extend(value);
        Ok(())
    }

    /// The octets written.
    pub(crate) fn octets(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(length: u16, rest: &[u8]) -> Vec<u8> {
        let mut octets = vec![2, 7];
        octets.extend(length.to_be_bytes());
        octets.extend([0xaa; 16]);
        octets.extend(rest);
        octets
    }

    #[test]
    fn the_fields_are_where_the_figure_has_them() {
        let octets = packet(29, &[1, 5, b'b', b'o', b'b', 25, 2, 24, 2]);
        let packet = Packet::parse(&octets).unwrap();
        assert_eq!((packet.code(), packet.identifier(), packet.authenticator()), (2, 7, &[0xaa; 16]));
        let attributes: Vec<_> = packet.attributes().into_iter().map(|attribute| (attribute.kind.0, attribute.value)).collect();
        assert_eq!(attributes, [(1, &b"bob"[..]), (25, b""), (24, b"")]);
    }

    #[test]
    fn octets_beyond_length_are_padding() {
        let octets = packet(25, b"\x01\x05bob\x01\x00garbage");
        assert_eq!(Packet::parse(&octets).unwrap().attributes().octets(), b"\x01\x05bob");
    }

    #[test]
    fn a_length_out_of_bounds_is_malformed() {
        for (length, rest) in [(19, 0), (0, 0), (21, 0), (4097, 4077), (u16::MAX, 4076), (24, 3)] {
            assert_eq!(Packet::parse(&packet(length, &vec![1; rest])).unwrap_err(), Malformed, "{length}");
        }
        let whole = packet(20, &[]);
        assert!(Packet::parse(&whole).is_ok());
        for cut in 0..whole.len() {
            assert!(Packet::parse(&whole[..cut]).is_err(), "{cut} octets");
        }
    }

    #[test]
    fn a_packet_of_4096_octets_is_read() {
        let filled: Vec<u8> = [&[26, 254][..], &[0; 252]].concat().into_iter().cycle().take(16 * 254).collect();
        let rest = [filled, vec![1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
        assert_eq!(Packet::parse(&packet(4096, &rest)).unwrap().attributes().into_iter().count(), 17);
    }

    #[test]
    fn an_attribute_shorter_than_its_header_or_beyond_the_end_is_malformed() {
        for octets in [&[1][..], &[1, 0], &[1, 1], &[1, 3], &[1, 3, b'a', 24], &[1, 3, b'a', 24, 9, 0]] {
            assert_eq!(Attributes::parse(octets).unwrap_err(), Malformed, "{octets:?}");
        }
    }

    #[test]
    fn the_only_attribute_of_a_type_splits_the_others() {
        let octets = [24, 3, 0, 80, 4, 1, 2, 25, 3, 9];
        let split = Attributes::parse(&octets).unwrap().around_only(Kind::MESSAGE_AUTHENTICATOR);
        assert_eq!(split, Some([&octets[..5], &octets[5..7], &octets[7..]]));
        for others in [&[][..], &[24, 3, 0], &[80, 2, 80, 2]] {
            assert_eq!(Attributes::parse(others).unwrap().around_only(Kind::MESSAGE_AUTHENTICATOR), None);
        }
    }

    #[test]
    fn what_is_written_is_read_and_never_too_long() {
        let mut list = AttributeList::default();
        assert_eq!(list.push(Kind::STATE, &[0; MAX_VALUE + 1]), Err(TooLong));
        while list.push(Kind::STATE, &[3; MAX_VALUE]).is_ok() {}
        assert!(list.octets().len() <= AttributeList::MAX_LEN);
        let read = Attributes::parse(list.octets()).unwrap();
        assert!(read.all(Kind::STATE).all(|value| value == [3; MAX_VALUE]));
        assert_eq!(read.all(Kind::STATE).count(), AttributeList::MAX_LEN / 255);
    }
}
