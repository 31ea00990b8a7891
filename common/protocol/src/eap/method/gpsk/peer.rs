//! The peer's end of EAP-GPSK: answers GPSK-1 with GPSK-2, and GPSK-3 with GPSK-4.

use rand_core::CryptoRng;

use super::message::{Gpsk1, Gpsk2, Gpsk3, Message, Signed, parse, write_gpsk4};
use super::{Keys, MIN_PSK_LEN, RAND_LEN, Seed, Suite};
use crate::eap::method::{PeerMethod, Progress, Reply};
use crate::eap::{EapError, MAX_IDENTITY_LEN, MethodError, Msk, Type};
use crate::sa::Secret;

/// The peer's end.
pub struct GpskPeer {
    identity: Vec<u8>,
    psk: Secret,
    state: State,
}

enum State {
    AwaitingGpsk1,
    AwaitingGpsk3(Box<Sent>),
    Over(Option<Msk>),
}

/// What GPSK-2 had, and GPSK-3 must have.
struct Sent {
    rand_peer: [u8; RAND_LEN],
    rand_server: [u8; RAND_LEN],
    id_server: Vec<u8>,
    keys: Keys,
}

impl GpskPeer {
    /// A peer with this identity (ID_Peer) and key.
    ///
    /// # Errors
    /// [`EapError::Identity`]: the identity is empty or longer than 253 octets. [`MethodError::ShortKey`]: the key has fewer than 16 octets.
    pub fn new(identity: &str, psk: Secret) -> Result<Self, EapError> {
        if identity.is_empty() || identity.len() > MAX_IDENTITY_LEN {
            return Err(EapError::Identity);
        }
        if psk.len() < MIN_PSK_LEN {
            return Err(EapError::Method(Type::GPSK, MethodError::ShortKey));
        }
        Ok(Self { identity: identity.into(), psk, state: State::AwaitingGpsk1 })
    }

    /// The first of ours that the server has and the key is long enough for.
    fn choose(&self, listed: &[u8]) -> Option<Suite> {
        let (listed, _) = listed.as_chunks::<{ Suite::LEN }>();
        Suite::ALL.into_iter().find(|suite| self.psk.len() >= suite.key_len() && listed.contains(&suite.octets()))
    }

    /// GPSK-1 has no MAC: whoever sent it, it is answered once (RFC 5433 section 10).
    fn answer_gpsk1(&mut self, received: &Gpsk1<'_>, rng: &mut dyn CryptoRng) -> Result<Reply, MethodError> {
        let suite = self.choose(received.suites).ok_or(MethodError::NoCommonSuite)?;
        let mut rand_peer = [0; RAND_LEN];
        rng.fill_bytes(&mut rand_peer);
        let Gpsk1 { id_server, rand_server, suites } = *received;
        let seed = Seed { rand_peer: &rand_peer, id_peer: &self.identity, rand_server, id_server };
        let keys = Keys::derive(suite, &self.psk, &seed)?;
        let id_peer = &self.identity;
        let answer = Gpsk2 { id_peer, id_server, rand_peer: &rand_peer, rand_server, suites, suite: suite.octets() };
        let data = answer.write(&keys);
        let sent = Sent { rand_peer, rand_server: *rand_server, id_server: id_server.to_vec(), keys };
        self.state = State::AwaitingGpsk3(Box::new(sent));
        Ok(Reply { data, progress: Progress::Continue })
    }

    /// From here on the server is known to have the key.
    fn answer_gpsk3(&mut self, received: &Gpsk3<'_>, signed: &Signed<'_>) -> Result<Reply, MethodError> {
        let sent = self.sent()?;
        sent.verify(signed)?;
        if *received != sent.expected() {
            return Err(MethodError::Mismatch);
        }
        let (data, msk) = (write_gpsk4(&sent.keys), sent.keys.msk().clone());
        self.state = State::Over(Some(msk));
        Ok(Reply { data, progress: Progress::Done })
    }

    /// The server's word, sent back as it came (RFC 5433 section 10). Anybody can say so where there is no MAC; that ends this run, no more.
    fn answer_failure(&mut self, data: &[u8], signed: Option<&Signed<'_>>) -> Result<Reply, MethodError> {
        let sent = self.sent()?;
        if let Some(signed) = signed {
            sent.verify(signed)?;
        }
        self.state = State::Over(None);
        Ok(Reply { data: data.to_vec(), progress: Progress::Failed(MethodError::Refused) })
    }

    fn sent(&self) -> Result<&Sent, MethodError> {
        match &self.state {
            State::AwaitingGpsk3(sent) => Ok(sent),
            State::AwaitingGpsk1 | State::Over(_) => Err(MethodError::OutOfPlace),
        }
    }
}

impl Sent {
    fn verify(&self, signed: &Signed<'_>) -> Result<(), MethodError> {
        if self.keys.verify(signed) { Ok(()) } else { Err(MethodError::WrongCredentials) }
    }

    fn expected(&self) -> Gpsk3<'_> {
        let Self { rand_peer, rand_server, id_server, keys } = self;
        Gpsk3 { rand_peer, rand_server, id_server, suite: keys.suite().octets() }
    }
}

impl PeerMethod for GpskPeer {
    fn kind(&self) -> Type {
        Type::GPSK
    }

    fn handle(&mut self, _identifier: u8, data: &[u8], rng: &mut dyn CryptoRng) -> Result<Reply, MethodError> {
        match (parse(data)?, &self.state) {
            (Message::Gpsk1(received), State::AwaitingGpsk1) => self.answer_gpsk1(&received, rng),
            (Message::Gpsk3(received, signed), _) => self.answer_gpsk3(&received, &signed),
            (Message::Fail(_), _) => self.answer_failure(data, None),
            (Message::ProtectedFail(_, signed), _) => self.answer_failure(data, Some(&signed)),
            (Message::Gpsk1(_) | Message::Gpsk2(..) | Message::Gpsk4(_), _) => Err(MethodError::OutOfPlace),
        }
    }

    fn msk(&self) -> Option<Msk> {
        match &self.state {
            State::Over(msk) => msk.clone(),
            State::AwaitingGpsk1 | State::AwaitingGpsk3(_) => None,
        }
    }
}
