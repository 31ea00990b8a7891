//! Verifies what came to the port of dynamic authorization: a [`Request`] exists only after that, and nothing is read from anything else
//! (RFC 5176 sections 2.3 and 3.4).
//!
//! `clients` calls this with the secrets of who sent it. What does not hold is dropped silently and counted.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use protocol::sa::Secret;
use subtle::ConstantTimeEq;

use crate::aaa::attribute::Kind;
use crate::aaa::digest;
use crate::aaa::packet::{Attributes, Authenticator, Packet};

/// How far Event-Timestamp may be from this host's clock, to either side (RFC 5176 section 6.3).
pub const WINDOW: Duration = Duration::from_secs(300);

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Disconnect-Request.
    Disconnect,
    /// CoA-Request.
    Change,
}

impl Code {
    fn of(code: u8) -> Option<Self> {
        match code {
            40 => Some(Self::Disconnect),
            43 => Some(Self::Change),
            _ => None,
        }
    }

    /// The code of its ACK; that of its NAK follows.
    pub(super) fn acknowledgement(self) -> u8 {
        match self {
            Self::Disconnect => 41,
            Self::Change => 44,
        }
    }
}

/// A request that its sender's secret has proved.
#[derive(Clone, Debug)]
pub struct Request {
    pub(super) code: Code,
    pub(super) identifier: u8,
    pub(super) authenticator: Authenticator,
    /// Whether it has Message-Authenticator; its answer has one then.
    pub(super) is_signed: bool,
    attributes: Vec<u8>,
}

/// Why a datagram is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// From an address that is no server's.
    Source,
    /// A length is out of its bounds.
    Malformed,
    /// It is no Disconnect-Request and no CoA-Request.
    Code,
    /// Request Authenticator is wrong: forged, or of a server with another secret.
    Authenticator,
    /// Message-Authenticator is wrong, or there are several.
    MessageAuthenticator,
    /// Event-Timestamp is not within [`WINDOW`], or before this process began.
    Stale,
}

impl Dropped {
    /// Every reason.
    pub const ALL: [Self; 6] =
        [Self::Source, Self::Malformed, Self::Code, Self::Authenticator, Self::MessageAuthenticator, Self::Stale];

    /// Its name in `hac status`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Source => "dropped-source",
            Self::Malformed => "dropped-malformed",
            Self::Code => "dropped-code",
            Self::Authenticator => "dropped-authenticator",
            Self::MessageAuthenticator => "dropped-message-authenticator",
            Self::Stale => "dropped-stale",
        }
    }
}

/// Verifies a datagram that came from whom shares `secret`.
///
/// # Errors
/// The first that does not hold, in this order: lengths, Code, Request Authenticator, Message-Authenticator.
pub fn verify(datagram: &[u8], secret: &Secret) -> Result<Request, Dropped> {
    let packet = Packet::parse(datagram).map_err(|_| Dropped::Malformed)?;
    let code = Code::of(packet.code()).ok_or(Dropped::Code)?;
    let expected = digest::request_authenticator(secret, &packet.head(), packet.attributes().octets());
    if !bool::from(packet.authenticator().ct_eq(&expected)) {
        return Err(Dropped::Authenticator);
    }
    Ok(Request {
        code,
        identifier: packet.identifier(),
        authenticator: expected,
        is_signed: check_message_authenticator(&packet, secret)?,
        attributes: packet.attributes().octets().to_vec(),
    })
}

/// RFC 5176 section 3.4: over the packet with zeros for both authenticators. `false` where there is none.
fn check_message_authenticator(packet: &Packet<'_>, secret: &Secret) -> Result<bool, Dropped> {
    if packet.attributes().first(Kind::MESSAGE_AUTHENTICATOR).is_none() {
        return Ok(false);
    }
    let parts = packet.attributes().around_only(Kind::MESSAGE_AUTHENTICATOR);
    let [before, value, behind] = parts.ok_or(Dropped::MessageAuthenticator)?;
    let zeros = [0; size_of::<Authenticator>()];
    let expected = digest::hmac(secret, &[&packet.head(), &zeros, before, &zeros, behind]);
    // Another length than 16 is unequal.
    if bool::from(value.ct_eq(&expected)) { Ok(true) } else { Err(Dropped::MessageAuthenticator) }
}

impl Request {
    /// What it asks for.
    pub fn code(&self) -> Code {
        self.code
    }

    /// Its attributes.
    pub fn attributes(&self) -> Attributes<'_> {
        // Read before; none of them would be the safe reading of what cannot be.
        Attributes::parse(&self.attributes).unwrap_or_default()
    }

    /// Event-Timestamp must be current where there is one (RFC 5176 section 6.3), and not from before `since`: what was answered
    /// then is forgotten, and could be done again.
    pub(super) fn check_time(&self, since: SystemTime, now: SystemTime) -> Result<(), Dropped> {
        let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let is_current = |stamp: &[u8]| {
            let stamp = <[u8; 4]>::try_from(stamp).map(|octets| u64::from(u32::from_be_bytes(octets)));
            stamp.is_ok_and(|stamp| stamp >= seconds(since) && stamp.abs_diff(seconds(now)) <= WINDOW.as_secs())
        };
        if self.attributes().all(Kind::EVENT_TIMESTAMP).all(is_current) { Ok(()) } else { Err(Dropped::Stale) }
    }
}

#[cfg(test)]
pub(super) mod tests;
