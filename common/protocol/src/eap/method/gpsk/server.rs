//! The server's end of EAP-GPSK, in a HAC that is the EAP server itself. A name that does not exist gets the same answers as a wrong key:
//! the directory has a pseudo-key for it.

use super::message::{FailureCode, Gpsk1, Gpsk2, Gpsk3, Message, Signed, parse};
use super::{Keys, RAND_LEN, Seed, Suite};
use crate::eap::method::{Around, ServerMethod, ServerStep};
use crate::eap::{EapError, MAX_IDENTITY_LEN, MethodError, Type};

/// The server's end.
pub struct GpskServer {
    id_server: Vec<u8>,
    /// CSuite_List.
    suites: Vec<u8>,
    state: State,
}

enum State {
    AwaitingGpsk2 {
        rand_server: [u8; RAND_LEN],
    },
    AwaitingGpsk4 {
        identity: String,
        keys: Box<Keys>,
    },
    /// GPSK-Fail was sent. The peer repeats it (section 10), but whatever comes back changes nothing.
    AwaitingEcho,
    /// Not begun, or over.
    Over,
}

impl GpskServer {
    /// A server with this identity (ID_Server): the HAC's name.
    ///
    /// # Errors
    /// [`EapError::Identity`]: it is empty or longer than 253 octets.
    pub fn new(server_id: &str) -> Result<Self, EapError> {
        if server_id.is_empty() || server_id.len() > MAX_IDENTITY_LEN {
            return Err(EapError::Identity);
        }
        let suites = Suite::ALL.map(Suite::octets).concat();
        Ok(Self { id_server: server_id.into(), suites, state: State::Over })
    }

    fn answer_gpsk2(
        &mut self,
        rand_server: &[u8; RAND_LEN],
        received: &Gpsk2<'_>,
        signed: &Signed<'_>,
        around: &mut Around<'_>,
    ) -> Result<ServerStep, MethodError> {
        let suite = Suite::from_octets(received.suite).ok_or(MethodError::NoCommonSuite)?;
        let identity = str::from_utf8(received.id_peer).map_err(|_| MethodError::Malformed)?;
        let psk = around.directory.pre_shared_key(identity)?;
        let Gpsk2 { rand_peer, id_peer, .. } = *received;
        // The nonce and the name are ours, not those that came: with others no MAC is right.
        let seed = Seed { rand_peer, id_peer, rand_server, id_server: &self.id_server };
        let keys = Keys::derive(suite, &psk, &seed).ok().filter(|keys| keys.verify(signed));
        let Some(keys) = keys else {
            self.state = State::AwaitingEcho;
            return Ok(ServerStep::Request(FailureCode::AUTHENTICATION.write_fail()));
        };
        self.check_echo(rand_server, received)?;
        let answer = Gpsk3 { rand_peer, rand_server, id_server: &self.id_server, suite: received.suite }.write(&keys);
        self.state = State::AwaitingGpsk4 { identity: identity.into(), keys: Box::new(keys) };
        Ok(ServerStep::Request(answer))
    }

    /// What the peer repeats is what GPSK-1 had (RFC 5433 section 3): above all the list, from which an attacker may have taken suites.
    fn check_echo(&self, rand_server: &[u8; RAND_LEN], received: &Gpsk2<'_>) -> Result<(), MethodError> {
        let is_same =
            received.rand_server == rand_server && received.id_server == self.id_server && received.suites == self.suites;
        if is_same { Ok(()) } else { Err(MethodError::Mismatch) }
    }
}

impl ServerMethod for GpskServer {
    fn kind(&self) -> Type {
        Type::GPSK
    }

    fn start(&mut self, around: &mut Around<'_>) -> Vec<u8> {
        let mut rand_server = [0; RAND_LEN];
        around.rng.fill_bytes(&mut rand_server);
        self.state = State::AwaitingGpsk2 { rand_server };
        Gpsk1 { id_server: &self.id_server, rand_server: &rand_server, suites: &self.suites }.write()
    }

    fn handle(&mut self, data: &[u8], around: &mut Around<'_>) -> Result<ServerStep, MethodError> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::AwaitingGpsk2 { rand_server } => {
                let Message::Gpsk2(received, signed) = parse(data)? else { return Err(MethodError::OutOfPlace) };
                self.answer_gpsk2(&rand_server, &received, &signed, around)
            }
            State::AwaitingGpsk4 { identity, keys } => {
                let Message::Gpsk4(signed) = parse(data)? else { return Err(MethodError::OutOfPlace) };
                if !keys.verify(&signed) {
                    return Err(MethodError::WrongCredentials);
                }
                Ok(ServerStep::Authenticated { identity, msk: Some(keys.msk().clone()) })
            }
            State::AwaitingEcho => Err(MethodError::WrongCredentials),
            State::Over => Err(MethodError::OutOfPlace),
        }
    }
}
