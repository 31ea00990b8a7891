//! EAP within PEAP version 0: requests come without Code, Identifier and Length, which are those of the packet around them. Results have
//! them all the same, and some servers put them before the request for the identity too.

use crate::eap::{MethodError, Type};

const REQUEST: u8 = 1;
/// Code, Identifier, Length, Type.
const HEADER_LEN: usize = 5;

/// A request within TLS.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InnerPacket<'a> {
    pub(super) identifier: u8,
    pub(super) kind: Type,
    pub(super) data: &'a [u8],
}

impl<'a> InnerPacket<'a> {
    /// `identifier` is that of the packet around it.
    ///
    /// # Errors
    /// [`MethodError::Malformed`]: not even a Type.
    pub(super) fn parse(octets: &'a [u8], identifier: u8) -> Result<Self, MethodError> {
        if let Some(packet) = Self::with_header(octets) {
            return Ok(packet);
        }
        let (kind, data) = octets.split_first().ok_or(MethodError::Malformed)?;
        Ok(Self { identifier, kind: Type(*kind), data })
    }

    /// A whole packet, of one of the two kinds that come so. As a packet without header, all these octets would be a request for the
    /// identity with a text of control characters.
    fn with_header(octets: &'a [u8]) -> Option<Self> {
        let (&[code, identifier, high, low, kind], data) = octets.split_first_chunk::<HEADER_LEN>()?;
        let is_whole = code == REQUEST && usize::from(u16::from_be_bytes([high, low])) == octets.len();
        let kind = Type(kind);
        let is_known = kind == Type::TLV || kind == Type::IDENTITY && data.is_empty();
        (is_whole && is_known).then_some(Self { identifier, kind, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_left_out_but_for_results_and_some_requests_for_the_identity() {
        for (octets, identifier, kind, data) in [
            ("01", 9, Type::IDENTITY, ""),
            ("0107000501", 7, Type::IDENTITY, ""),
            ("1a0107", 9, Type::MSCHAPV2, "0107"),
            ("0108000b21800300020001", 8, Type::TLV, "800300020001"),
            ("0107000601", 9, Type::IDENTITY, "07000601"),
            ("21800300020001", 9, Type::TLV, "800300020001"),
        ] {
            let (octets, data) = (hex::decode(octets).unwrap(), hex::decode(data).unwrap());
            assert_eq!(InnerPacket::parse(&octets, 9), Ok(InnerPacket { identifier, kind, data: &data }), "{octets:x?}");
        }
        assert_eq!(InnerPacket::parse(&[], 9), Err(MethodError::Malformed));
    }
}
