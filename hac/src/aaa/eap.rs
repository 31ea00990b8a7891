//! The header of an EAP packet (RFC 3748 section 4): all that a pass-through looks at, and MUST, in what it passes on (RFC 3579
//! section 2.2). What the methods say is between the mobile node and the server.

/// Code of a request.
pub(super) const REQUEST: u8 = 1;
/// Code of a response.
pub(super) const RESPONSE: u8 = 2;
/// Code of a success.
pub(super) const SUCCESS: u8 = 3;
/// Code of a failure.
pub(super) const FAILURE: u8 = 4;

/// An EAP packet of a sound Length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EapPacket<'a> {
    code: u8,
    identifier: u8,
    octets: &'a [u8],
}

impl<'a> EapPacket<'a> {
    /// Reads Code (1), Identifier (1), Length (2, network order, the header included). Octets beyond Length are padding. `None`
    /// when there are fewer octets than Length says or it is shorter than what its Code needs: a Type in requests and responses.
    pub(super) fn parse(octets: &'a [u8]) -> Option<Self> {
        let (&[code, identifier, high, low], _) = octets.split_first_chunk::<4>()?;
        let least = if matches!(code, REQUEST | RESPONSE) { 5 } else { 4 };
        let octets = octets.get(..usize::from(u16::from_be_bytes([high, low])))?;
        (octets.len() >= least).then_some(Self { code, identifier, octets })
    }

    /// Code.
    pub(super) fn code(&self) -> u8 {
        self.code
    }

    /// Identifier: a response has that of its request.
    pub(super) fn identifier(&self) -> u8 {
        self.identifier
    }

    /// The packet without padding.
    pub(super) fn octets(&self) -> &'a [u8] {
        self.octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_cut_off() {
        let packet = EapPacket::parse(&[1, 7, 0, 5, 1, 0xff, 0xff]).unwrap();
        assert_eq!((packet.code(), packet.identifier(), packet.octets()), (REQUEST, 7, &[1, 7, 0, 5, 1][..]));
        assert_eq!(EapPacket::parse(&[3, 7, 0, 4]).unwrap().code(), SUCCESS);
    }

    #[test]
    fn a_length_that_does_not_hold_is_no_packet() {
        for octets in [&[][..], &[1, 0, 0], &[1, 7, 0, 4], &[2, 7, 0, 4], &[3, 7, 0, 3], &[1, 7, 0, 6, 1], &[4, 7, 0xff, 0xff]] {
            assert_eq!(EapPacket::parse(octets), None, "{octets:?}");
        }
    }
}
