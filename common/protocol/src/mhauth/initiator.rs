//! The mobile node's end of MHAuth: here with a pre-shared key (RFC 6618 section 5.8), in [`eap`] with EAP.
//!
//! ```text
//! start → Init ⇒ AwaitingInitResponse → Done ⇒ AwaitingDoneResponse → Grant
//! ```
//! Called by the mobile node's session once the HAC's certificate is verified. Any failure ends the exchange: close TLS.

pub mod eap;

use std::time::SystemTime;

use rand_core::CryptoRng;

use super::authenticator::{Authenticator, ChannelBinding, Key, Sender};
use super::message::{self, Message, Nonces};
use super::{Grant, Method, NONCE_LEN, Nai, Psk, Rejection, Status};
use crate::eap::EapError;
use crate::profile::WireProfile;
use crate::sa::{CipherSuite, UserData};
use crate::wire::header::Name;

pub use eap::EapOffer;

const INIT: u8 = 1;
const DONE: u8 = 2;

/// What a mobile node goes to its HAC with.
pub struct Offer {
    /// Its name: `mn-id`.
    pub mn_id: Nai,
    /// Its key.
    pub psk: Psk,
    /// The profile that the HAC has for this name: under another every `auth` is wrong.
    pub profile: WireProfile,
    /// The suites that it takes, best first; an empty list is answered 400.
    pub suites: Vec<CipherSuite>,
    /// What it proposes as `mip6-sas`. Where it is `Protected`, a grant that says otherwise is refused.
    pub user_data: UserData,
}

/// Begins an exchange: gives the state and the request MHAuth-Init, to be sent as it is.
pub fn start(offer: Offer, binding: ChannelBinding, rng: &mut impl CryptoRng) -> (AwaitingInitResponse, Vec<u8>) {
    let mut mn_rand = [0; NONCE_LEN];
    rng.fill_bytes(&mut mn_rand);
    let request = message::init_request(INIT, &offer.mn_id, &mn_rand, &[Method::Psk]);
    let by = Authenticator { profile: offer.profile, binding };
    (AwaitingInitResponse { offer, by, mn_rand }, request)
}

/// MHAuth-Init was sent.
pub struct AwaitingInitResponse {
    offer: Offer,
    by: Authenticator,
    mn_rand: [u8; NONCE_LEN],
}

impl AwaitingInitResponse {
    /// Takes the response MHAuth-Init and gives the request MHAuth-Done, to be sent as it is.
    ///
    /// # Errors
    /// [`Failure::Refused`] where the HAC ended the exchange, [`Failure::Rejected`] where its message is not taken: a wrong
    /// `auth` (other key, other certificate) before all.
    pub fn handle(self, octets: &[u8]) -> Result<(AwaitingDoneResponse, Vec<u8>), Failure> {
        let response = receive(octets, INIT)?;
        if let Some(status) = response.status()? {
            let fresh = response.mn_rand() == Ok(self.mn_rand);
            return Err(refused(&response, status, Some(Key::Psk(&self.offer.psk)), &self.by, fresh));
        }
        check_auth(&response, &self.offer.psk, &self.by)?;
        response.selected(&[Method::Psk])?;
        let nonces = Nonces { mn_rand: self.mn_rand, hac_rand: response.hac_rand()? };
        response.check_nonces(&nonces)?;
        Ok(self.send_done(nonces))
    }

    fn send_done(self, nonces: Nonces) -> (AwaitingDoneResponse, Vec<u8>) {
        let Self { offer, by, .. } = self;
        let writer = message::done_request(Some(&nonces), None, offer.user_data, &offer.suites);
        let request = message::seal(writer, DONE, Key::Psk(&offer.psk), Sender::MobileNode, &by);
        (AwaitingDoneResponse { offer, by, nonces }, request)
    }
}

/// MHAuth-Done was sent.
pub struct AwaitingDoneResponse {
    offer: Offer,
    by: Authenticator,
    nonces: Nonces,
}

impl AwaitingDoneResponse {
    /// Takes the final response. It holds keys: the caller wipes `octets` afterwards.
    ///
    /// # Errors
    /// [`Failure::Refused`] where the HAC says no, [`Failure::Rejected`] where its message is not taken.
    pub fn handle(self, octets: &[u8]) -> Result<Grant, Failure> {
        let response = receive(octets, DONE)?;
        let status = response.status()?.ok_or(Rejection::Missing(Name::StatusCode))?;
        if status != Status::Ok {
            let fresh = response.check_nonces(&self.nonces).is_ok();
            return Err(refused(&response, status, Some(Key::Psk(&self.offer.psk)), &self.by, fresh));
        }
        check_auth(&response, &self.offer.psk, &self.by)?;
        response.check_nonces(&self.nonces)?;
        let grant = Grant::read(&response, self.offer.profile, &self.offer.suites)?;
        check_user_data(&grant, self.offer.user_data)?;
        Ok(grant)
    }
}

/// Why a mobile node did not get its grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The HAC ended the exchange.
    #[error("the HAC refused: {status}{}", if *authenticated { "" } else { " (not authenticated: take it as a hint only)" })]
    Refused {
        /// What it said.
        status: Status,
        /// When to come again, as it said; the caller bounds it (1 s to 1 h).
        retry_after: Option<SystemTime>,
        /// Whether the message proved knowledge of the key and of this exchange's nonces. Otherwise it is
        /// a hint: anyone who ends the TLS connection can say as much.
        authenticated: bool,
    },
    /// EAP ended without success.
    #[error("{0}")]
    Eap(EapError),
    /// The HAC's message was not taken.
    #[error("the HAC's message was not taken: {0}")]
    Rejected(#[from] Rejection),
}

fn receive(octets: &[u8], identifier: u8) -> Result<Message, Rejection> {
    let response = Message::receive(octets)?;
    if response.identifier == identifier { Ok(response) } else { Err(Rejection::Identifier) }
}

fn check_auth(response: &Message, psk: &Psk, by: &Authenticator) -> Result<(), Rejection> {
    let right = response.is_keyed_with(Key::Psk(psk), Sender::Controller, by)?;
    if right { Ok(()) } else { Err(Rejection::WrongAuth) }
}

fn check_user_data(grant: &Grant, proposed: UserData) -> Result<(), Rejection> {
    match (grant.sa.user_data, proposed) {
        (UserData::Clear, UserData::Protected) => Err(Rejection::UserDataInTheClear),
        (UserData::Protected, _) if !grant.sa.is_numbered() => Err(Rejection::UnnumberedUserData),
        _ => Ok(()),
    }
}

/// What a final response other than a grant means: said with the key, said with "1", or nothing at all.
fn refused(response: &Message, status: Status, key: Option<Key<'_>>, by: &Authenticator, fresh: bool) -> Failure {
    if status == Status::Ok {
        return Rejection::PrematureSuccess.into();
    }
    let under_key = match key.map_or(Ok(false), |key| response.is_keyed_with(key, Sender::Controller, by)) {
        Ok(under_key) => under_key,
        Err(rejection) => return rejection.into(),
    };
    if !under_key && !is_hint(response, by) {
        return Rejection::WrongAuth.into();
    }
    Failure::Refused { status, retry_after: response.retry_after(), authenticated: under_key && fresh }
}

/// Whether a response is keyed with "1" in either profile: a HAC that does not look at the name yet follows its default
/// profile, which may be another than this node's. It proves nothing in the one and in the other.
fn is_hint(response: &Message, by: &Authenticator) -> bool {
    WireProfile::ALL.into_iter().any(|profile| {
        let by = Authenticator { profile, binding: by.binding.clone() };
        response.is_keyed_with(Key::One, Sender::Controller, &by) == Ok(true)
    })
}
