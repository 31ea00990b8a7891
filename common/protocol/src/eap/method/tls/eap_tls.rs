//! EAP-TLS (RFC 5216; with TLS 1.3 RFC 9190): both ends have certificates, and the handshake is all there is. [`peer`] is the mobile
//! node's end, [`server`] that of a HAC which authenticates subscribers by their certificates itself.

use rand_core::CryptoRng;

use super::connection::{PeerTlsConnection, ServerTlsConnection, TlsVersion};
use super::fragment::{Fragment, SERVER_FRAGMENT_LEN};
use super::keys;
use super::peer::{Inner, TlsPeer};
use super::transport::{Incoming, Transport};
use crate::eap::method::{Around, PeerMethod, Progress, ServerMethod, ServerStep};
use crate::eap::{MethodError, TlsFailure, Type};
use crate::sa::Secret;

/// Under TLS 1.3 the server's protected success indication, the only application data there is (RFC 9190 section 2.5).
const SUCCESS_INDICATION: &[u8] = &[0];

/// The peer's end of one run over this connection, which has this end's certificate. It is done when the handshake is; under TLS 1.3
/// when the server has then said, within TLS, that it is content.
pub fn peer(tls: Box<dyn PeerTlsConnection>) -> impl PeerMethod {
    TlsPeer::new(Type::TLS, tls, Certificates)
}

struct Certificates;

impl Inner for Certificates {
    fn finish(&mut self, tls: &dyn PeerTlsConnection) -> Progress {
        match tls.version() {
            Some(TlsVersion::V12) => Progress::Done,
            Some(TlsVersion::V13) | None => Progress::Continue,
        }
    }

    fn handle(
        &mut self,
        _: u8,
        plaintext: &Secret,
        tls: &mut dyn PeerTlsConnection,
        _: &mut dyn CryptoRng,
    ) -> Result<Progress, MethodError> {
        match (tls.version(), plaintext.expose()) {
            (Some(TlsVersion::V12), []) | (Some(TlsVersion::V13), SUCCESS_INDICATION) => Ok(Progress::Done),
            // Session tickets.
            (Some(TlsVersion::V13), []) => Ok(Progress::Continue),
            _ => Err(MethodError::OutOfPlace),
        }
    }
}

/// The server's end of one run over this connection, which asks for the peer's certificate. The subscriber is whom that names.
pub fn server(tls: Box<dyn ServerTlsConnection>) -> impl ServerMethod {
    TlsServer { transport: Transport::new(tls, SERVER_FRAGMENT_LEN), state: State::Handshake }
}

struct TlsServer {
    transport: Transport<dyn ServerTlsConnection>,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    Handshake,
    /// The server's last message has gone: an empty response is expected.
    Finished,
    /// An alert has gone: whatever comes, the run has failed (RFC 5216 section 2.1.3).
    Alerted(TlsFailure),
}

impl TlsServer {
    fn handshake(&mut self, message: &[u8]) -> Result<ServerStep, MethodError> {
        let received = self.transport.receive(message);
        let mut output = self.transport.tls.take_output();
        let is_handshaking = self.transport.tls.is_handshaking();
        match received {
            Ok(plaintext) if !plaintext.is_empty() || is_handshaking && output.is_empty() => return Err(MethodError::OutOfPlace),
            Ok(_) if is_handshaking => {}
            Ok(_) => {
                output.extend(self.indicate_success()?);
                // TLS 1.2, resumed: the peer's Finished is the last message.
                if output.is_empty() {
                    return self.authenticated();
                }
                self.state = State::Finished;
            }
            Err(failure) if output.is_empty() => return Err(MethodError::Tls(failure)),
            Err(failure) => self.state = State::Alerted(failure),
        }
        Ok(ServerStep::Request(self.transport.send(output)))
    }

    /// The handshake is complete. If the peer is somebody, it is told so under TLS 1.3.
    fn indicate_success(&mut self) -> Result<Vec<u8>, MethodError> {
        let tls = &mut self.transport.tls;
        tls.peer_identity().ok_or(MethodError::UnknownIdentity)?;
        if tls.version() == Some(TlsVersion::V13) {
            tls.write(SUCCESS_INDICATION).map_err(MethodError::Tls)?;
        }
        Ok(tls.take_output())
    }

    /// What follows the last message: nothing, or an alert.
    fn end(&mut self, message: &[u8]) -> Result<ServerStep, MethodError> {
        self.transport.receive(message).map_err(MethodError::Tls)?;
        if message.is_empty() { self.authenticated() } else { Err(MethodError::OutOfPlace) }
    }

    fn authenticated(&self) -> Result<ServerStep, MethodError> {
        let tls = &*self.transport.tls;
        let identity = tls.peer_identity().ok_or(MethodError::UnknownIdentity)?;
        Ok(ServerStep::Authenticated { identity, msk: Some(keys::msk(tls, Type::TLS)?) })
    }
}

impl ServerMethod for TlsServer {
    fn kind(&self) -> Type {
        Type::TLS
    }

    fn start(&mut self, _: &mut Around<'_>) -> Vec<u8> {
        Fragment::START.write()
    }

    fn handle(&mut self, data: &[u8], _: &mut Around<'_>) -> Result<ServerStep, MethodError> {
        if let State::Alerted(failure) = self.state {
            return Err(MethodError::Tls(failure));
        }
        match (self.transport.take(&Fragment::parse(data)?)?, self.state) {
            (Incoming::Answer(data), _) => Ok(ServerStep::Request(data)),
            (Incoming::Message(message), State::Finished) => self.end(&message),
            (Incoming::Message(message), State::Handshake | State::Alerted(_)) => self.handshake(&message),
        }
    }
}
