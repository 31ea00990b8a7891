//! Heartbeat (RFC 5847 section 3.3), which asks whether the other end is there, and here also what its path carries.
//!
//! ```text
//! | Reserved, U, R (2) | Sequence Number (4) | options |
//! ```
//! Padded to any length that a Mobility Header can have, so that a request and its response, which is as long, prove that a
//! datagram of their size comes through in both directions.

use super::option::{self, Options};
use super::{COMMON, PathMtu};

const UNSOLICITED: u16 = 0x0002;
const RESPONSE: u16 = 0x0001;
/// Octets of a Mobility Header up to the options.
const FIXED: usize = COMMON + 6;

/// What a Heartbeat is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeartbeatKind {
    /// Wants a response.
    Request,
    /// The R bit: answers the request of this sequence number.
    Response,
    /// R and U: the other end says by itself that it is there again.
    UnsolicitedResponse,
}

/// Asks for a sign of life, or gives one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Request or response.
    pub kind: HeartbeatKind,
    /// A response has that of its request.
    pub sequence: u32,
    /// Of a mobile node's request: how long an inner packet may be on the path that it goes on.
    pub path_mtu: Option<PathMtu>,
    /// Octets of the whole Mobility Header. A message is padded up to so many, rounded down to a multiple of 8; what it says is
    /// never cut.
    pub len: usize,
}

impl Heartbeat {
    /// The longest Mobility Header: its length octet says no more (RFC 6275 section 6.1.1).
    pub const MAX_LEN: usize = 256 * 8;

    /// What answers this request: its sequence number in as many octets.
    #[must_use]
    pub fn response(&self) -> Self {
        Self { kind: HeartbeatKind::Response, path_mtu: None, ..*self }
    }

    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        let ([f0, f1, s0, s1, s2, s3], options) = data.split_first_chunk::<6>()?;
        let flags = u16::from_be_bytes([*f0, *f1]);
        let kind = match (flags & RESPONSE != 0, flags & UNSOLICITED != 0) {
            (false, _) => HeartbeatKind::Request,
            (true, false) => HeartbeatKind::Response,
            (true, true) => HeartbeatKind::UnsolicitedResponse,
        };
        let mut path_mtu = None;
        for option in Options::new(options) {
            if let (option::VENDOR_SPECIFIC, value) = option? {
                path_mtu = PathMtu::parse(value).or(path_mtu);
            }
        }
        Some(Self { kind, sequence: u32::from_be_bytes([*s0, *s1, *s2, *s3]), path_mtu, len: FIXED + options.len() })
    }

    pub(super) fn emit(self, header: &mut Vec<u8>) {
        let flags = match self.kind {
            HeartbeatKind::Request => 0,
            HeartbeatKind::Response => RESPONSE,
            HeartbeatKind::UnsolicitedResponse => RESPONSE | UNSOLICITED,
        };
        header.extend(flags.to_be_bytes());
        header.extend(self.sequence.to_be_bytes());
        if let Some(path_mtu) = self.path_mtu {
            path_mtu.emit(header);
        }
        option::pad_up_to(header, self.len.min(Self::MAX_LEN) / 8 * 8);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Ends, MobilityMessage};
    use super::*;
    use crate::tunnel::DropReason;

    const ENDS: Ends = Ends {
        source: std::net::Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x100),
        destination: std::net::Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1),
    };

    fn request(len: usize, path_mtu: Option<PathMtu>) -> Heartbeat {
        Heartbeat { kind: HeartbeatKind::Request, sequence: 0x0102_0304, path_mtu, len }
    }

    fn emit(heartbeat: Heartbeat) -> Vec<u8> {
        MobilityMessage::Heartbeat(heartbeat).emit(ENDS)
    }

    /// Without its checksum.
    #[test]
    fn a_request_and_a_response_are_the_octets_of_rfc_5847() {
        let octets = |kind| {
            let mut header = emit(Heartbeat { kind, ..request(16, None) });
            header[4..6].fill(0);
            hex::encode(header)
        };
        assert_eq!(octets(HeartbeatKind::Request), "3b010d00000000000102030401020000");
        assert_eq!(octets(HeartbeatKind::Response), "3b010d00000000010102030401020000");
        assert_eq!(octets(HeartbeatKind::UnsolicitedResponse), "3b010d00000000030102030401020000");
    }

    #[test]
    fn a_message_has_the_length_that_is_wanted_and_comes_back_as_it_was() {
        for path_mtu in [None, Some(PathMtu(1_418))] {
            for len in (24..=Heartbeat::MAX_LEN).step_by(8) {
                let message = request(len, path_mtu);
                let header = emit(message);
                assert_eq!(header.len(), len);
                assert_eq!(MobilityMessage::parse(&header, ENDS), Ok(MobilityMessage::Heartbeat(message)), "{len}");
            }
        }
    }

    #[test]
    fn a_length_that_cannot_be_is_the_nearest_that_can() {
        for (wanted, len) in [(0, 16), (23, 16), (31, 24), (usize::MAX, Heartbeat::MAX_LEN)] {
            assert_eq!(emit(request(wanted, None)).len(), len, "{wanted}");
        }
        assert_eq!(emit(request(0, Some(PathMtu(1_280)))).len(), 24);
    }

    #[test]
    fn a_response_is_as_long_as_its_request_and_says_nothing_else() {
        let asked = request(1_416, Some(PathMtu(1_280)));
        let response = asked.response();
        assert_eq!((response.kind, response.sequence, response.path_mtu), (HeartbeatKind::Response, asked.sequence, None));
        assert_eq!(emit(response).len(), emit(asked).len());
    }

    #[test]
    fn one_that_is_cut_or_whose_option_is_cut_is_refused() {
        for data in [&[0; 5][..], &[0, 0, 0, 0, 0, 1, option::VENDOR_SPECIFIC, 9, 0]] {
            assert_eq!(Heartbeat::parse(data), None);
        }
        let mut header = emit(request(24, None));
        header.truncate(8);
        header[1] = 0;
        assert!(matches!(MobilityMessage::parse(&header, ENDS), Err(DropReason::BadChecksum | DropReason::MalformedSignalling)));
    }
}
