//! The HAC's end of MHAuth-PSK (RFC 6618 section 5.8).
//!
//! ```text
//! AwaitingInit → InitReceived (look the name up) → AwaitingDone → Authenticated (decide, commit) → grant
//! ```
//! Called by the HAC's session, one run a TLS connection. Every error is a [`Refusal`], whose octets are sent before TLS
//! is closed. A name that is unknown runs to the end under a pseudo-key and gets 401 there, like a wrong key.
//! What is keyed with "1" follows the HAC's default profile, whatever the name: anyone can compute it, and so would learn
//! from a subscriber's own profile that there is such a subscriber. From the first response on the subscriber's holds.

use std::time::SystemTime;

use super::authenticator::{Authenticator, ChannelBinding, Key, Sender};
use super::message::{self, Message, Nonces};
use super::{Grant, NONCE_LEN, Nai, Psk, Rejection, Status};
use crate::profile::WireProfile;
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
    by: Authenticator,
}

impl AwaitingInit {
    /// For one connection whose server certificate has this binding, at a HAC with this default profile.
    pub fn new(profile: WireProfile, binding: ChannelBinding) -> Self {
        Self { by: Authenticator { profile, binding } }
    }

    /// Takes the request MHAuth-Init.
    ///
    /// # Errors
    /// A refusal keyed with "1".
    pub fn handle(self, octets: &[u8]) -> Result<InitReceived, Refusal> {
        let identifier = container::identifier(octets);
        let Self { by } = self;
        match read_init(octets) {
            Ok((mn_id, mn_rand)) => Ok(InitReceived { by, mn_id, mn_rand }),
            Err(rejection) => Err(Refusing { identifier, key: Key::One, nonces: None, by: &by }.reject(rejection)),
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
    by: Authenticator,
    mn_id: Nai,
    mn_rand: [u8; NONCE_LEN],
}

impl InitReceived {
    /// The name that the mobile node says is its own.
    pub fn mn_id(&self) -> &str {
        self.mn_id.as_str()
    }

    /// Gives the response MHAuth-Init, to be sent as it is. `profile` is the subscriber's, of an unknown name always the HAC's
    /// default; `hac_rand` is fresh from the CSPRNG.
    pub fn respond(self, psk: Psk, known: Known, profile: WireProfile, hac_rand: [u8; NONCE_LEN]) -> (AwaitingDone, Vec<u8>) {
        let by = Authenticator { profile, binding: self.by.binding };
        let nonces = Nonces { mn_rand: self.mn_rand, hac_rand };
        let writer = message::init_response(&nonces);
        let response = message::seal(writer, INIT, Key::Psk(&psk), Sender::Controller, &by);
        (AwaitingDone { run: Run { by, psk, nonces }, known }, response)
    }

    /// Ends the exchange with a response keyed with "1", because no response has been keyed with a PSK yet.
    pub fn refuse(self, status: Status, retry_after: Option<SystemTime>) -> Refusal {
        let refusing = Refusing { identifier: INIT, key: Key::One, nonces: None, by: &self.by };
        refusing.refuse(status, retry_after, None)
    }
}

/// What lasts from the first response to the end.
#[derive(Clone)]
struct Run {
    by: Authenticator,
    psk: Psk,
    nonces: Nonces,
}

impl Run {
    fn refusing(&self, identifier: u8) -> Refusing<'_> {
        Refusing { identifier, key: Key::Psk(&self.psk), nonces: Some(&self.nonces), by: &self.by }
    }
}

/// The response MHAuth-Init was sent. A copy is for a caller whose handling of the next request may break off.
#[derive(Clone)]
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

    /// `auth` is verified before the value of any header is read. The name comes last of all: under the draft's formula anyone
    /// can send a message with a right `auth`, the HAC's own, and must be answered alike for every name.
    fn read_done(&self, octets: &[u8]) -> Result<(UserData, Vec<CipherSuite>), Rejection> {
        let request = Message::receive(octets)?;
        if request.identifier <= INIT {
            return Err(Rejection::Identifier);
        }
        request.check_is_done()?;
        if !request.is_keyed_with(Key::Psk(&self.run.psk), Sender::MobileNode, &self.run.by)? {
            return Err(Rejection::WrongAuth);
        }
        request.check_nonces(&self.run.nonces)?;
        let proposed = (request.user_data()?, request.suites()?);
        if self.known == Known::No { Err(Rejection::UnknownName) } else { Ok(proposed) }
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
    /// suite is one of [`Self::suites`]: the mobile node refuses another. Its profile is the exchange's.
    pub fn grant(self, grant: &Grant) -> Vec<u8> {
        debug_assert!(self.suites.contains(&grant.sa.suite), "the suite must be one that the mobile node listed");
        debug_assert_eq!(grant.sa.profile, self.run.by.profile, "an association follows the profile of its exchange");
        let Run { by, psk, nonces } = self.run;
        let mut writer = Writer::new();
        grant.write(&mut writer);
        message::write_nonces(&mut writer, &nonces);
        writer.text(Name::StatusCode, Status::Ok.code());
        message::seal(writer, self.identifier, Key::Psk(&psk), Sender::Controller, &by)
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
    by: &'a Authenticator,
}

impl Refusing<'_> {
    fn reject(self, rejection: Rejection) -> Refusal {
        self.refuse(rejection.status(), None, Some(rejection))
    }

    fn refuse(self, status: Status, retry_after: Option<SystemTime>, rejection: Option<Rejection>) -> Refusal {
        let writer = message::refusal(self.nonces, status, retry_after);
        let octets = message::seal(writer, self.identifier, self.key, Sender::Controller, self.by);
        Refusal { status, octets, rejection }
    }
}
