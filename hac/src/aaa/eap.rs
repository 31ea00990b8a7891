//! The EAP packets that a pass-through carries, as octets: all that it looks at, and MUST, is the header (RFC 3579 section 2.2). What the
//! methods say is between the mobile node and the server.

use protocol::eap::Packet;

/// An EAP packet of a sound Length, with its octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EapPacket<'a> {
    packet: Packet<'a>,
    octets: &'a [u8],
}

impl<'a> EapPacket<'a> {
    /// `None` for what is no packet. Octets beyond its Length are padding.
    pub(super) fn parse(octets: &'a [u8]) -> Option<Self> {
        let packet = Packet::parse(octets).ok()?;
        let len = match packet {
            Packet::Request { data, .. } | Packet::Response { data, .. } => data.len() + 5,
            Packet::Success { .. } | Packet::Failure { .. } => 4,
        };
        Some(Self { packet, octets: octets.get(..len)? })
    }

    /// What it says.
    pub(super) fn packet(&self) -> Packet<'a> {
        self.packet
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
        assert!(matches!(packet.packet(), Packet::Request { identifier: 7, .. }));
        assert_eq!(packet.octets(), [1, 7, 0, 5, 1]);
        assert_eq!(EapPacket::parse(&[3, 7, 0, 4]).unwrap().packet(), Packet::Success { identifier: 7 });
    }

    #[test]
    fn a_length_that_does_not_hold_is_no_packet() {
        for octets in [&[][..], &[1, 0, 0], &[1, 7, 0, 4], &[2, 7, 0, 4], &[3, 7, 0, 3], &[1, 7, 0, 6, 1], &[4, 7, 0xff, 0xff]] {
            assert_eq!(EapPacket::parse(octets), None, "{octets:?}");
        }
    }
}
