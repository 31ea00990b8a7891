//! PEAP version 0 (draft-kamath-pppext-peapv0), the peer's end: TLS to a server whose certificate is verified, and within it EAP once
//! more, ended by a result that both ends say.
//!
//! A server that offers version 1 is answered with 0. The Cryptobinding TLV of a result is neither required nor answered: many servers
//! send none. It guards against somebody who relays this end's inner method into a tunnel of their own, for which this end would have to
//! run that method outside of tunnels, or in one to a server whose certificate it has not verified; it does neither.

mod packet;
mod result;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use self::packet::InnerPacket;
use self::result::Status;
use super::connection::PeerTlsConnection;
use super::peer::{Inner, TlsPeer};
use crate::eap::method::{PeerMethod, Progress, Reply};
use crate::eap::{MethodError, Type};
use crate::sa::Secret;

/// One run over this connection: within TLS it gives `identity`, and takes the method `inner` alone.
pub fn peer(tls: Box<dyn PeerTlsConnection>, identity: String, inner: Box<dyn PeerMethod>) -> impl PeerMethod {
    TlsPeer::new(Type::PEAP, tls, Peap { identity, inner, state: State::Idle })
}

struct Peap {
    identity: String,
    inner: Box<dyn PeerMethod>,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    /// The inner method has not begun.
    Idle,
    /// It has.
    Running(Progress),
}

impl Inner for Peap {
    fn finish(&mut self, _: &dyn PeerTlsConnection) -> Progress {
        Progress::Continue
    }

    fn handle(
        &mut self,
        identifier: u8,
        plaintext: &Secret,
        tls: &mut dyn PeerTlsConnection,
        rng: &mut dyn CryptoRng,
    ) -> Result<Progress, MethodError> {
        // The end of the handshake, or tickets: the inner identity is asked for next.
        if plaintext.is_empty() {
            return Ok(Progress::Continue);
        }
        let packet = InnerPacket::parse(plaintext.expose(), identifier)?;
        match (packet.kind, self.state) {
            (Type::TLV, _) => self.end(&packet, tls),
            (Type::NOTIFICATION, _) => respond(tls, packet.kind, &[]),
            (Type::IDENTITY, State::Idle) => respond(tls, packet.kind, self.identity.as_bytes()),
            (kind, State::Idle) if kind != self.inner.kind() => respond(tls, Type::NAK, &[self.inner.kind().0]),
            (kind, State::Idle | State::Running(Progress::Continue | Progress::MayEnd)) if kind == self.inner.kind() => {
                self.run(&packet, tls, rng)
            }
            (_, State::Idle | State::Running(_)) => Err(MethodError::OutOfPlace),
        }
    }
}

impl Peap {
    fn run(
        &mut self,
        packet: &InnerPacket<'_>,
        tls: &mut dyn PeerTlsConnection,
        rng: &mut dyn CryptoRng,
    ) -> Result<Progress, MethodError> {
        let Reply { data, progress } = self.inner.handle(packet.identifier, packet.data, rng)?;
        self.state = State::Running(progress);
        respond(tls, packet.kind, &data)
    }

    /// The server's result, which is said again; a success only if this end has the same (or had it when the session began).
    fn end(&self, packet: &InnerPacket<'_>, tls: &mut dyn PeerTlsConnection) -> Result<Progress, MethodError> {
        let is_authenticated = match self.state {
            State::Idle => tls.is_resumed(),
            State::Running(progress) => matches!(progress, Progress::MayEnd | Progress::Done),
        };
        let (status, progress) = match result::parse(packet.data)? {
            Status::Success if is_authenticated => (Status::Success, Progress::Done),
            Status::Success => (Status::Failure, Progress::Failed(MethodError::OutOfPlace)),
            Status::Failure => (Status::Failure, Progress::Failed(self.reason())),
        };
        tls.write(&result::response(packet.identifier, status)).map_err(MethodError::Tls)?;
        Ok(progress)
    }

    /// What the inner method has found says more than the server's result.
    fn reason(&self) -> MethodError {
        match self.state {
            State::Running(Progress::Failed(error)) => error,
            State::Running(_) | State::Idle => MethodError::Refused,
        }
    }
}

/// A response within TLS: the Type and its data, without the four octets before (`InnerPacket` says more).
fn respond(tls: &mut dyn PeerTlsConnection, kind: Type, data: &[u8]) -> Result<Progress, MethodError> {
    let mut octets = Zeroizing::new(Vec::with_capacity(1 + data.len()));
    octets.push(kind.0);
    octets.extend_from_slice(data);
    tls.write(&octets).map_err(MethodError::Tls)?;
    Ok(Progress::Continue)
}
