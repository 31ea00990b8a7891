//! The HAC's end of MHAuth-PSK (RFC 6618 section 5.8).
//!
//! ```text
//! AwaitingInit → InitReceived (look the name up) → AwaitingDone → Authenticated (decide, commit) → grant
//! ```
//! Called by the HAC's session, one run a TLS connection. Every error is a [`Refusal`], whose octets are sent before TLS
//! is closed. A name that is unknown runs to the end under a pseudo-key and gets 401 there, like a wrong key.

use std::time::SystemTime;

use super::authenticator::{ChannelBinding, Key, Sender};
use super::message::{self, Message, Nonces};
use super::{Grant, NONCE_LEN, Nai, Psk, Rejection, Status};
use crate::sa::{CipherSuite, UserData};
use crate::wire::container;
use crate::wire::header::{Name, Writer};

const INIT: u8 = 1;

/// Whether a subscriber of that name exists and is enabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// The key is the subscriber's.
    Yes,
    /// The key is [`Psk::pseudo`]; the exchange can only end in 401.
    No,
}

/// The end of an exchange without a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What the mobile node is told.
    pub status: Status,
    /// The final response: sent as it is, then TLS is closed.
    pub octets: Vec<u8>,
    /// What was wrong with the request; `None` where the HAC refused by its own decision.
    pub rejection: Option<Rejection>,
}

/// Nothing has been received.
pub struct AwaitingInit {
    binding: ChannelBinding,
}

impl AwaitingInit {
    /// For one connection whose server certificate has this binding.
    pub fn new(binding: ChannelBinding) -> Self {
        Self { binding }
    }

    /// Takes the request MHAuth-Init.
    ///
    /// # Errors
    /// A refusal keyed with "1".
    pub fn handle(self, octets: &[u8]) -> Result<InitReceived, Refusal> {
        let identifier = container::identifier(octets);
        let Self { binding } = self;
        match read_init(octets) {
            Ok((mn_id, mn_rand)) => Ok(InitReceived { binding, mn_id, mn_rand }),
            Err(rejection) => Err(Refusing { identifier, key: Key::One, nonces: None, binding: &binding }.reject(rejection)),
        }
    }
}

fn read_init(octets: &[u8]) -> Result<(Nai, [u8; NONCE_LEN]), Rejection> {
    let request = Message::receive(octets)?;
    if request.identifier != INIT {
        return Err(Rejection::Identifier);
    }
    let mn_id = request.mn_id()?;
    let mn_rand = request.mn_rand()?;
    request.check_psk_is_offered()?;
    Ok((mn_id, mn_rand))
}

/// A mobile node has said who it is; nothing is proved.
pub struct InitReceived {
    binding: ChannelBinding,
    mn_id: Nai,
    mn_rand: [u8; NONCE_LEN],
}

impl InitReceived {
    /// The name that the mobile node says is its own.
    pub fn mn_id(&self) -> &str {
        self.mn_id.as_str()
    }

    /// Gives the response MHAuth-Init, to be sent as it is. `hac_rand` is fresh from the CSPRNG.
    pub fn respond(self, psk: Psk, known: Known, hac_rand: [u8; NONCE_LEN]) -> (AwaitingDone, Vec<u8>) {
        let Self { binding, mn_rand, .. } = self;
        let nonces = Nonces { mn_rand, hac_rand };
        let writer = message::init_response(&nonces);
        let response = message::seal(writer, INIT, Key::Psk(&psk), Sender::Controller, &binding);
        (AwaitingDone { run: Run { binding, psk, nonces }, known }, response)
    }

    /// Ends the exchange with a response keyed with "1", because no response has been keyed with a PSK yet.
    pub fn refuse(self, status: Status, retry_after: Option<SystemTime>) -> Refusal {
        let refusing = Refusing { identifier: INIT, key: Key::One, nonces: None, binding: &self.binding };
        refusing.refuse(status, retry_after, None)
    }
}

/// What lasts from the first response to the end.
struct Run {
    binding: ChannelBinding,
    psk: Psk,
    nonces: Nonces,
}

impl Run {
    fn refusing(&self, identifier: u8) -> Refusing<'_> {
        Refusing { identifier, key: Key::Psk(&self.psk), nonces: Some(&self.nonces), binding: &self.binding }
    }
}

/// The response MHAuth-Init was sent.
pub struct AwaitingDone {
    run: Run,
    known: Known,
}

impl AwaitingDone {
    /// Takes the request MHAuth-Done.
    ///
    /// # Errors
    /// A refusal keyed with the (pseudo-)PSK: 401 for a wrong `auth`, a wrong nonce and an unknown name.
    pub fn handle(self, octets: &[u8]) -> Result<Authenticated, Refusal> {
        let identifier = container::identifier(octets);
        match self.read_done(octets) {
            Ok((user_data, suites)) => Ok(Authenticated { run: self.run, identifier, user_data, suites }),
            Err(rejection) => Err(self.run.refusing(identifier).reject(rejection)),
        }
    }

    /// `auth` is verified before anything behind it is looked at; both outcomes of the name come after it.
    fn read_done(&self, octets: &[u8]) -> Result<(UserData, Vec<CipherSuite>), Rejection> {
        let request = Message::receive(octets)?;
        if request.identifier <= INIT {
            return Err(Rejection::Identifier);
        }
        if !request.is_keyed_with(Key::Psk(&self.run.psk), Sender::MobileNode, &self.run.binding)? {
            return Err(Rejection::WrongAuth);
        }
        if self.known == Known::No {
            return Err(Rejection::UnknownName);
        }
        request.check_nonces(&self.run.nonces)?;
        Ok((request.user_data()?, request.suites()?))
    }
}

/// The mobile node has the key, and so has this HAC; now the HAC decides.
pub struct Authenticated {
    run: Run,
    identifier: u8,
    user_data: UserData,
    suites: Vec<CipherSuite>,
}

impl Authenticated {
    /// What the mobile node proposes as `mip6-sas`; the HAC decides.
    pub fn user_data(&self) -> UserData {
        self.user_data
    }

    /// The suites of this build that the mobile node listed, in its order; at least one.
    pub fn suites(&self) -> &[CipherSuite] {
        &self.suites
    }

    /// Gives the final response. It holds keys: who sends it wipes it. The grant is committed before this is called, and its
    /// suite is one of [`Self::suites`]: the mobile node refuses another.
    pub fn grant(self, grant: &Grant) -> Vec<u8> {
        debug_assert!(self.suites.contains(&grant.sa.suite), "the suite must be one that the mobile node listed");
        let Run { binding, psk, nonces } = self.run;
        let mut writer = Writer::new();
        grant.write(&mut writer);
        message::write_nonces(&mut writer, &nonces);
        writer.text(Name::StatusCode, Status::Ok.code());
        message::seal(writer, self.identifier, Key::Psk(&psk), Sender::Controller, &binding)
    }

    /// Ends the exchange with a response keyed with the PSK: 501 where the policy has none of the suites, 503, 500.
    pub fn refuse(self, status: Status, retry_after: Option<SystemTime>) -> Refusal {
        self.run.refusing(self.identifier).refuse(status, retry_after, None)
    }
}

/// What a refusal is made of.
struct Refusing<'a> {
    identifier: u8,
    key: Key<'a>,
    nonces: Option<&'a Nonces>,
    binding: &'a ChannelBinding,
}

impl Refusing<'_> {
    fn reject(self, rejection: Rejection) -> Refusal {
        self.refuse(rejection.status(), None, Some(rejection))
    }

    fn refuse(self, status: Status, retry_after: Option<SystemTime>, rejection: Option<Rejection>) -> Refusal {
        let writer = message::refusal(self.nonces, status, retry_after);
        let octets = message::seal(writer, self.identifier, self.key, Sender::Controller, self.binding);
        Refusal { status, octets, rejection }
    }
}
