//! The HAC's end of MHAuth: here with a pre-shared key (RFC 6618 section 5.8), in [`eap`] with EAP.
//!
//! ```text
//! AwaitingInit → InitReceived (choose the method, look the name up) → AwaitingDone → Authenticated (decide, commit) → grant
//! ```
//! Called by the HAC's session, one run a TLS connection. Every error is a [`Refusal`], whose octets are sent before TLS
//! is closed. A name that is unknown runs to the end under a pseudo-key and gets 401 there, like a wrong key.
//! What is keyed with "1" follows the HAC's default profile, whatever the name: anyone can compute it, and so would learn
//! from a subscriber's own profile that there is such a subscriber. From the first response on the subscriber's holds.

pub mod eap;

use std::time::SystemTime;

use super::authenticator::{Authenticator, ChannelBinding, Key, Sender};
use super::message::{self, Message, Nonces};
use super::{Grant, Method, NONCE_LEN, Nai, Psk, Rejection, Status};
use crate::eap::Msk;
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
    available: &'static [Method],
}

impl AwaitingInit {
    /// For one connection whose server certificate has this binding, at a HAC with this default profile.
    pub fn new(profile: WireProfile, binding: ChannelBinding) -> Self {
        Self { by: Authenticator { profile, binding }, available: &[Method::Psk] }
    }

    /// The same at a HAC that has these methods.
    pub fn with(mut self, available: &'static [Method]) -> Self {
        self.available = available;
        self
    }

    /// Takes the request MHAuth-Init.
    ///
    /// # Errors
    /// A refusal keyed with "1".
    pub fn handle(self, octets: &[u8]) -> Result<InitReceived, Refusal> {
        let identifier = container::identifier(octets);
        let Self { by, available } = self;
        match read_init(octets, available) {
            Ok((mn_id, mn_rand, offered)) => Ok(InitReceived { by, mn_id, mn_rand, offered }),
            Err(rejection) => Err(Refusing::under_one(identifier, &by).reject(rejection)),
        }
    }
}

fn read_init(octets: &[u8], available: &[Method]) -> Result<(Nai, [u8; NONCE_LEN], Vec<Method>), Rejection> {
    let request = Message::receive(octets)?;
    if request.identifier != INIT {
        return Err(Rejection::Identifier);
    }
    let mn_id = request.mn_id()?;
    let mn_rand = request.mn_rand()?;
    let offered = request.offered(available)?;
    Ok((mn_id, mn_rand, offered))
}

/// A mobile node has said who it is; nothing is proved.
pub struct InitReceived {
    by: Authenticator,
    mn_id: Nai,
    mn_rand: [u8; NONCE_LEN],
    offered: Vec<Method>,
}

impl InitReceived {
    /// The name that the mobile node says is its own.
    pub fn mn_id(&self) -> &str {
        self.mn_id.as_str()
    }

    /// Those of the HAC's methods that the mobile node offers; at least one.
    pub fn offered(&self) -> &[Method] {
        &self.offered
    }

    /// Begins EAP: gives the response MHAuth-Init with the EAP server's first `packet`, to be sent as it is.
    pub fn begin_eap(self, packet: &[u8]) -> (eap::AwaitingRequest, Vec<u8>) {
        eap::begin(self.by, packet)
    }

    /// Gives the response MHAuth-Init, to be sent as it is. `profile` is the subscriber's, of an unknown name always the HAC's
    /// default; `hac_rand` is fresh from the CSPRNG.
    pub fn respond(self, psk: Psk, known: Known, profile: WireProfile, hac_rand: [u8; NONCE_LEN]) -> (AwaitingDone, Vec<u8>) {
        let by = Authenticator { profile, binding: self.by.binding };
        let nonces = Nonces { mn_rand: self.mn_rand, hac_rand };
        let writer = message::init_response(&nonces);
        let response = message::seal(writer, INIT, Key::Psk(&psk), Sender::Controller, &by);
        let run = Run { by, key: SharedKey::Psk(psk), nonces: Some(nonces) };
        (AwaitingDone { run, known }, response)
    }

    /// Ends the exchange with a response keyed with "1", because no response has been keyed with a PSK yet.
    pub fn refuse(self, status: Status, retry_after: Option<SystemTime>) -> Refusal {
        let refusing = Refusing::under_one(INIT, &self.by);
        refusing.refuse(status, retry_after, None)
    }
}

/// What lasts from the first response to the end; with EAP from the end of EAP.
#[derive(Clone)]
struct Run {
    by: Authenticator,
    key: SharedKey,
    /// A run with EAP has none.
    nonces: Option<Nonces>,
}

/// What MHAuth-Done is keyed with.
#[derive(Clone)]
enum SharedKey {
    Psk(Psk),
    Msk(Msk),
    /// Of an EAP method that derives no key: "1".
    None,
}

impl SharedKey {
    fn as_key(&self) -> Key<'_> {
        match self {
            Self::Psk(psk) => Key::Psk(psk),
            Self::Msk(msk) => Key::Msk(msk),
            Self::None => Key::One,
        }
    }
}

impl Run {
    /// What MHAuth-Done proposes. `auth` is verified before the value of any other header is read.
    fn read_proposal(&self, done: &Message) -> Result<(UserData, Vec<CipherSuite>), Rejection> {
        if !done.is_keyed_with(self.key.as_key(), Sender::MobileNode, &self.by)? {
            return Err(Rejection::WrongAuth);
        }
        if let Some(nonces) = &self.nonces {
            done.check_nonces(nonces)?;
        }
        Ok((done.user_data()?, done.suites()?))
    }

    fn refusing(&self, identifier: u8) -> Refusing<'_> {
        Refusing { key: self.key.as_key(), nonces: self.nonces.as_ref(), ..Refusing::under_one(identifier, &self.by) }
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
            Ok((user_data, suites)) => Ok(Authenticated { run: self.run, identifier, user_data, suites, success: None }),
            Err(rejection) => Err(self.run.refusing(identifier).reject(rejection)),
        }
    }

    /// The name comes last of all: under the draft's formula anyone can send a message with a right `auth`, the HAC's own, and must
    /// be answered alike for every name.
    fn read_done(&self, octets: &[u8]) -> Result<(UserData, Vec<CipherSuite>), Rejection> {
        let request = Message::receive(octets)?;
        if request.identifier <= INIT {
            return Err(Rejection::Identifier);
        }
        request.check_is_done()?;
        let proposed = self.run.read_proposal(&request)?;
        if self.known == Known::No { Err(Rejection::UnknownName) } else { Ok(proposed) }
    }
}

/// The mobile node has the key, and so has this HAC; now the HAC decides.
pub struct Authenticated {
    run: Run,
    identifier: u8,
    user_data: UserData,
    suites: Vec<CipherSuite>,
    /// EAP-Success, where it goes with the final response.
    success: Option<Vec<u8>>,
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
        let Run { by, key, nonces } = self.run;
        let mut writer = Writer::new();
        grant.write(&mut writer);
        if let Some(nonces) = &nonces {
            message::write_nonces(&mut writer, nonces);
        }
        if let Some(success) = &self.success {
            writer.hex(Name::EapPayload, success);
        }
        writer.text(Name::StatusCode, Status::Ok.code());
        message::seal(writer, self.identifier, key.as_key(), Sender::Controller, &by)
    }

    /// Ends the exchange with a response keyed with the PSK or MSK: 501 where the policy has none of the suites, 503, 500.
    pub fn refuse(self, status: Status, retry_after: Option<SystemTime>) -> Refusal {
        self.run.refusing(self.identifier).refuse(status, retry_after, None)
    }
}

/// What a refusal is made of.
struct Refusing<'a> {
    identifier: u8,
    key: Key<'a>,
    nonces: Option<&'a Nonces>,
    /// EAP-Failure.
    failure: Option<&'a [u8]>,
    by: &'a Authenticator,
}

impl<'a> Refusing<'a> {
    fn under_one(identifier: u8, by: &'a Authenticator) -> Self {
        Self { identifier, key: Key::One, nonces: None, failure: None, by }
    }

    fn reject(self, rejection: Rejection) -> Refusal {
        self.refuse(rejection.status(), None, Some(rejection))
    }

    fn refuse(self, status: Status, retry_after: Option<SystemTime>, rejection: Option<Rejection>) -> Refusal {
        let writer = message::refusal(self.nonces, self.failure, status, retry_after);
        let octets = message::seal(writer, self.identifier, self.key, Sender::Controller, self.by);
        Refusal { status, octets, rejection }
    }
}
