//! EAP packets (RFC 3748 section 4): Code, Identifier, Length, and in requests and responses a Type with its data.

use std::fmt;

use super::EapError;

/// Octets of the longest packet that is taken: a RADIUS packet (RFC 2865 section 3) carries no longer one.
pub const MAX_LEN: usize = 4096;
/// Code, Identifier, Length.
const HEADER_LEN: usize = 4;

const REQUEST: u8 = 1;
const RESPONSE: u8 = 2;
const SUCCESS: u8 = 3;
const FAILURE: u8 = 4;

/// What a request or response is about (RFC 3748 section 5): one of the first three, or a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Type(pub u8);

impl Type {
    /// The peer's identity (section 5.1).
    pub const IDENTITY: Self = Self(1);
    /// A text to be shown (section 5.2).
    pub const NOTIFICATION: Self = Self(2);
    /// The peer's answer to a method that it does not want, with those that it does (section 5.3.1).
    pub const NAK: Self = Self(3);
    /// EAP-MD5 (section 5.4).
    pub const MD5: Self = Self(4);
    /// EAP-TLS (RFC 5216, RFC 9190).
    pub const TLS: Self = Self(13);
    /// EAP-TTLS (RFC 5281).
    pub const TTLS: Self = Self(21);
    /// PEAP.
    pub const PEAP: Self = Self(25);
    /// MSCHAPv2 as it is deployed, inside PEAP and EAP-TTLS.
    pub const MSCHAPV2: Self = Self(26);
    /// EAP-TLV, PEAP's result indication.
    pub const TLV: Self = Self(33);
    /// EAP-GPSK (RFC 5433).
    pub const GPSK: Self = Self(51);

    /// Whether the identity that a peer gives before this method begins is not the one that the method authenticates: within TLS, or in a
    /// certificate, there is another. 43 is EAP-FAST, 55 TEAP.
    pub const fn hides_identity(self) -> bool {
        matches!(self, Self::TLS | Self::TTLS | Self::PEAP | Self(43 | 55))
    }

    const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::IDENTITY => "Identity",
            Self::NOTIFICATION => "Notification",
            Self::NAK => "Nak",
            Self::MD5 => "EAP-MD5",
            Self::TLS => "EAP-TLS",
            Self::TTLS => "EAP-TTLS",
            Self::PEAP => "PEAP",
            Self::MSCHAPV2 => "EAP-MSCHAPv2",
            Self::TLV => "EAP-TLV",
            Self::GPSK => "EAP-GPSK",
            _ => return None,
        })
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "EAP type {}", self.0),
        }
    }
}

/// One packet. `data` is what follows the Type.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Packet<'a> {
    /// From the authenticator.
    Request {
        /// Another in each new request.
        identifier: u8,
        /// What it is about.
        kind: Type,
        /// Type-Data.
        data: &'a [u8],
    },
    /// From the peer.
    Response {
        /// The request's.
        identifier: u8,
        /// The request's, or [`Type::NAK`].
        kind: Type,
        /// Type-Data.
        data: &'a [u8],
    },
    /// From the authenticator, the last packet of a run.
    Success {
        /// That of the response before.
        identifier: u8,
    },
    /// From the authenticator, the last packet of a run.
    Failure {
        /// That of the response before.
        identifier: u8,
    },
}

/// Type-Data may hold passwords and keys' material: only its length is shown.
impl fmt::Debug for Packet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request { identifier, kind, data } => write!(f, "Request({identifier}, {kind}, {} octets)", data.len()),
            Self::Response { identifier, kind, data } => write!(f, "Response({identifier}, {kind}, {} octets)", data.len()),
            Self::Success { identifier } => write!(f, "Success({identifier})"),
            Self::Failure { identifier } => write!(f, "Failure({identifier})"),
        }
    }
}

impl<'a> Packet<'a> {
    /// Reads a packet. Octets behind its Length are padding, and ignored (section 4).
    ///
    /// # Errors
    /// [`EapError::Malformed`]: shorter than its Length or longer than [`MAX_LEN`], an unknown Code, a request without a Type, a Success
    /// with data.
    pub fn parse(octets: &'a [u8]) -> Result<Self, EapError> {
        let (&[code, identifier, high, low], _) = octets.split_first_chunk::<HEADER_LEN>().ok_or(EapError::Malformed)?;
        let len = usize::from(u16::from_be_bytes([high, low]));
        let body = octets.get(HEADER_LEN..len).filter(|_| len <= MAX_LEN).ok_or(EapError::Malformed)?;
        match (code, body.split_first()) {
            (REQUEST, Some((kind, data))) => Ok(Self::Request { identifier, kind: Type(*kind), data }),
            (RESPONSE, Some((kind, data))) => Ok(Self::Response { identifier, kind: Type(*kind), data }),
            (SUCCESS, None) => Ok(Self::Success { identifier }),
            (FAILURE, None) => Ok(Self::Failure { identifier }),
            _ => Err(EapError::Malformed),
        }
    }

    /// The octets. Who makes Type-Data keeps it below [`MAX_LEN`]; what is longer would be cut off.
    pub fn write(&self) -> Vec<u8> {
        let (code, identifier, body) = match *self {
            Self::Request { identifier, kind, data } => (REQUEST, identifier, Some((kind, data))),
            Self::Response { identifier, kind, data } => (RESPONSE, identifier, Some((kind, data))),
            Self::Success { identifier } => (SUCCESS, identifier, None),
            Self::Failure { identifier } => (FAILURE, identifier, None),
        };
        let mut octets = vec![code, identifier, 0, 0];
        if let Some((kind, data)) = body {
            octets.push(kind.0);
            octets.extend_from_slice(data);
        }
        debug_assert!(octets.len() <= MAX_LEN, "a packet of ours is bounded by its method");
        octets.truncate(MAX_LEN);
        let len = u16::try_from(octets.len()).unwrap_or(u16::MAX).to_be_bytes();
        octets.splice(2..HEADER_LEN, len);
        octets
    }

    /// Another in each packet that follows from another.
    pub const fn identifier(&self) -> u8 {
        match *self {
            Self::Request { identifier, .. }
            | Self::Response { identifier, .. }
            | Self::Success { identifier }
            | Self::Failure { identifier } => identifier,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_written_as_rfc_3748_section_4_draws_them_and_read_back() {
        let rows: [(Packet<'_>, &str); 4] = [
            (Packet::Request { identifier: 1, kind: Type::IDENTITY, data: b"" }, "0101000501"),
            (Packet::Response { identifier: 1, kind: Type::IDENTITY, data: b"a@b" }, "0201000801614062"),
            (Packet::Success { identifier: 7 }, "03070004"),
            (Packet::Failure { identifier: 255 }, "04ff0004"),
        ];
        for (packet, octets) in rows {
            assert_eq!(hex::encode(packet.write()), octets);
            let octets = hex::decode(octets).unwrap();
            assert_eq!(Packet::parse(&octets), Ok(packet));
            assert_eq!(Packet::parse(&[octets.as_slice(), b"padding"].concat()), Ok(packet));
        }
    }

    #[test]
    fn what_is_no_packet_is_malformed() {
        for octets in [
            "",
            "010100",
            "01010006",
            "0101000601",
            "01010004",
            "0101000301",
            "0301000501",
            "0501000501",
            "0001000401",
            "0601000401",
        ] {
            assert_eq!(Packet::parse(&hex::decode(octets).unwrap()), Err(EapError::Malformed), "{octets}");
        }
        let longest = Packet::Request { identifier: 0, kind: Type::TLS, data: &[0; MAX_LEN - 5] }.write();
        assert!(longest.len() == MAX_LEN && Packet::parse(&longest).is_ok());
        let longer = [&[1, 0, 0x10, 1, 13][..], &[0; MAX_LEN]].concat();
        assert_eq!(Packet::parse(&longer), Err(EapError::Malformed));
    }

    #[test]
    fn the_identity_outside_is_not_the_one_inside_of_methods_over_tls() {
        let hiding: Vec<u8> = (0..=255).filter(|kind| Type(*kind).hides_identity()).collect();
        assert_eq!(hiding, [13, 21, 25, 43, 55]);
    }

    #[test]
    fn a_packet_is_printed_without_its_data() {
        let packet = Packet::Response { identifier: 9, kind: Type::GPSK, data: b"secret" };
        assert_eq!(format!("{packet:?}"), "Response(9, EAP-GPSK, 6 octets)");
        assert_eq!(Type(99).to_string(), "EAP type 99");
    }
}
