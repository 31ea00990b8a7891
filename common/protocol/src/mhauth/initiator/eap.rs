//! The mobile node's end of MHAuth-EAP (RFC 6618 section 5.9), and of a run that offers both methods.
//!
//! ```text
//! start → Init ⇒ AwaitingSelection → Mid ⇒ AwaitingMidResponse → … → Done ⇒ AwaitingDoneResponse → Grant
//! ```
//! Each message carries one EAP packet. Init and Mid are keyed with "1", so that they prove nothing; the response that may be the last goes
//! with Done, keyed with the MSK, which binds the method to the TLS channel. Where the HAC's EAP server is not content with it, Done is
//! answered like a Mid, and sent again later.

use rand_core::CryptoRng;

use super::{AwaitingInitResponse, Failure, Offer, check_user_data, receive, refused};
use crate::eap::peer::{Peer, Step as EapStep};
use crate::eap::{EapError, Msk, Packet};
use crate::mhauth::authenticator::{Authenticator, ChannelBinding, Key, Sender};
use crate::mhauth::message::{self, Message};
use crate::mhauth::{Grant, Method, NONCE_LEN, Nai, Psk, Rejection, Status};
use crate::profile::WireProfile;
use crate::sa::{CipherSuite, UserData};
use crate::wire::header::Name;

const INIT: u8 = 1;

/// What a mobile node goes to its HAC with when EAP is among its methods.
pub struct EapOffer {
    /// Its name, or the anonymous name of its realm: `mn-id`.
    pub mn_id: Nai,
    /// Its end of EAP.
    pub peer: Peer,
    /// Its key, where it takes that method too.
    pub psk: Option<Psk>,
    /// The HAC's default profile: under EAP a name has none of its own.
    pub profile: WireProfile,
    /// The suites that it takes, best first; an empty list is answered 400.
    pub suites: Vec<CipherSuite>,
    /// What it proposes as `mip6-sas`. Where it is `Protected`, a grant that says otherwise is refused.
    pub user_data: UserData,
}

/// Begins an exchange: gives the state and the request MHAuth-Init, to be sent as it is.
pub fn start(offer: EapOffer, binding: ChannelBinding, rng: &mut impl CryptoRng) -> (AwaitingSelection, Vec<u8>) {
    let mut mn_rand = [0; NONCE_LEN];
    rng.fill_bytes(&mut mn_rand);
    let offered: &'static [Method] = if offer.psk.is_some() { &[Method::Eap, Method::Psk] } else { &[Method::Eap] };
    let request = message::init_request(INIT, &offer.mn_id, &mn_rand, offered);
    let by = Authenticator { profile: offer.profile, binding };
    (AwaitingSelection { offer, by, mn_rand, offered }, request)
}

/// What follows from a response.
pub enum Step {
    /// Send this MHAuth-Mid.
    Mid(AwaitingMidResponse, Vec<u8>),
    /// Send this MHAuth-Done.
    Done(AwaitingDoneResponse, Vec<u8>),
    /// The HAC selected the pre-shared key: send this MHAuth-Done.
    Psk(super::AwaitingDoneResponse, Vec<u8>),
    /// The run is over.
    Granted(Box<Grant>),
}

/// MHAuth-Init was sent.
pub struct AwaitingSelection {
    offer: EapOffer,
    by: Authenticator,
    mn_rand: [u8; NONCE_LEN],
    offered: &'static [Method],
}

impl AwaitingSelection {
    /// Takes the response MHAuth-Init.
    ///
    /// # Errors
    /// See [`AwaitingMidResponse::handle`].
    pub fn handle(self, octets: &[u8], rng: &mut dyn CryptoRng) -> Result<Step, Failure> {
        let response = receive(octets, INIT)?;
        let method = if response.status()?.is_none() { response.selected(self.offered)? } else { Method::Eap };
        match method {
            Method::Eap => self.into_run().handle_response(&response, rng),
            Method::Psk => {
                let (waiting, request) = self.into_psk()?.handle(octets)?;
                Ok(Step::Psk(waiting, request))
            }
        }
    }

    fn into_run(self) -> Run {
        let EapOffer { peer, profile, suites, user_data, .. } = self.offer;
        Run { by: self.by, peer, profile, suites, user_data, identifier: INIT }
    }

    fn into_psk(self) -> Result<AwaitingInitResponse, Rejection> {
        let EapOffer { mn_id, psk, profile, suites, user_data, .. } = self.offer;
        let psk = psk.ok_or(Rejection::NoCommonMethod)?;
        let offer = Offer { mn_id, psk, profile, suites, user_data };
        Ok(AwaitingInitResponse { offer, by: self.by, mn_rand: self.mn_rand })
    }
}

/// What lasts from the selection to the end.
struct Run {
    by: Authenticator,
    peer: Peer,
    profile: WireProfile,
    suites: Vec<CipherSuite>,
    user_data: UserData,
    /// Of the request that was sent.
    identifier: u8,
}

/// MHAuth-Mid was sent.
pub struct AwaitingMidResponse(Run);

impl AwaitingMidResponse {
    /// Takes the response.
    ///
    /// # Errors
    /// [`Failure::Eap`] where EAP ended without success, [`Failure::Refused`] where the HAC ended the exchange for another reason,
    /// [`Failure::Rejected`] where its message is not taken.
    pub fn handle(self, octets: &[u8], rng: &mut dyn CryptoRng) -> Result<Step, Failure> {
        let response = receive(octets, self.0.identifier)?;
        self.0.handle_response(&response, rng)
    }
}

/// MHAuth-Done was sent.
pub struct AwaitingDoneResponse {
    run: Run,
    /// `None` of a method that derives no key.
    msk: Option<Msk>,
    /// Whether EAP-Success came before.
    is_complete: bool,
}

impl AwaitingDoneResponse {
    /// Takes the response: the final one, or that of another round. It may hold keys: the caller wipes `octets` afterwards.
    ///
    /// # Errors
    /// See [`AwaitingMidResponse::handle`].
    pub fn handle(mut self, octets: &[u8], rng: &mut dyn CryptoRng) -> Result<Step, Failure> {
        let response = receive(octets, self.run.identifier)?;
        match response.status()? {
            None if self.is_complete => Err(Rejection::Missing(Name::StatusCode).into()),
            None => self.run.handle_response(&response, rng),
            Some(Status::Ok) => {
                let key = self.msk.as_ref().map_or(Key::One, Key::Msk);
                check(&response, key, &self.run.by)?;
                self.take_success(&response, rng)?;
                let grant = Grant::read(&response, self.run.profile, &self.run.suites)?;
                check_user_data(&grant, self.run.user_data)?;
                Ok(Step::Granted(Box::new(grant)))
            }
            Some(status) => Err(self.run.ended(&response, status, self.msk.as_ref(), rng)),
        }
    }

    /// A grant comes with EAP-Success, or behind it.
    fn take_success(&mut self, response: &Message, rng: &mut dyn CryptoRng) -> Result<(), Failure> {
        if self.is_complete {
            return Ok(());
        }
        let packet = response.eap_payload()?.ok_or(Rejection::Missing(Name::EapPayload))?;
        match self.run.peer.handle(&packet, rng) {
            Ok(EapStep::Succeeded) => Ok(()),
            Ok(EapStep::Respond(_) | EapStep::RespondLast(_)) => Err(Rejection::EapAndStatusDisagree.into()),
            Err(error) => Err(Failure::Eap(error)),
        }
    }
}

impl Run {
    /// A response that carries another EAP packet, or ends the exchange.
    fn handle_response(mut self, response: &Message, rng: &mut dyn CryptoRng) -> Result<Step, Failure> {
        if let Some(status) = response.status()? {
            return Err(self.ended(response, status, None, rng));
        }
        check(response, Key::One, &self.by)?;
        let packet = response.eap_payload()?.ok_or(Rejection::Missing(Name::EapPayload))?;
        self.identifier = self.identifier.checked_add(1).ok_or(Rejection::Identifier)?;
        match self.peer.handle(&packet, rng).map_err(Failure::Eap)? {
            EapStep::Respond(packet) => {
                let request = message::seal(message::mid(&packet), self.identifier, Key::One, Sender::MobileNode, &self.by);
                Ok(Step::Mid(AwaitingMidResponse(self), request))
            }
            EapStep::RespondLast(packet) => Ok(self.send_done(Some(&packet))),
            EapStep::Succeeded => Ok(self.send_done(None)),
        }
    }

    fn send_done(self, packet: Option<&[u8]>) -> Step {
        let msk = self.peer.msk();
        let writer = message::done_request(None, packet, self.user_data, &self.suites);
        let key = msk.as_ref().map_or(Key::One, Key::Msk);
        let request = message::seal(writer, self.identifier, key, Sender::MobileNode, &self.by);
        Step::Done(AwaitingDoneResponse { run: self, msk, is_complete: packet.is_none() }, request)
    }

    /// A final response other than a grant. What EAP itself has found wrong says more than the status. No packet but EAP-Failure is looked
    /// at: the response may be anybody's, and another would be answered, or kept by the method for a success.
    fn ended(&mut self, response: &Message, status: Status, msk: Option<&Msk>, rng: &mut dyn CryptoRng) -> Failure {
        let failure = refused(response, status, msk.map(Key::Msk), &self.by, true);
        let is_failure = matches!(failure, Failure::Refused { status: Status::NotAuthenticated, .. });
        let packet = response.eap_payload().ok().flatten().filter(|packet| is_failure && is_eap_failure(packet));
        match packet.map(|packet| self.peer.handle(&packet, rng)) {
            Some(Err(error @ (EapError::Method(..) | EapError::Failure | EapError::NoCommonMethod))) => Failure::Eap(error),
            Some(_) | None => failure,
        }
    }
}

fn is_eap_failure(packet: &[u8]) -> bool {
    matches!(Packet::parse(packet), Ok(Packet::Failure { .. }))
}

fn check(response: &Message, key: Key<'_>, by: &Authenticator) -> Result<(), Rejection> {
    if response.is_keyed_with(key, Sender::Controller, by)? { Ok(()) } else { Err(Rejection::WrongAuth) }
}
