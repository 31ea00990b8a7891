//! The mobile node's end of MHAuth, whichever method it runs: what waits for the HAC's next response.
#![allow(clippy::expect_used, reason = "a world that cannot be set up has failed its story")]

use protocol::eap::method::gpsk::GpskPeer;
use protocol::eap::peer::Peer;
use protocol::mhauth::initiator::{self, Failure, Offer, eap};
use protocol::mhauth::{ChannelBinding, EapOffer, Grant, Psk};
use protocol::sa::Secret;
use rand::rngs::StdRng;

use super::controller::{NAI, Options};

/// A request was sent.
pub(super) enum Waiting {
    PskInit(Box<initiator::AwaitingInitResponse>),
    PskDone(initiator::AwaitingDoneResponse),
    EapInit(Box<eap::AwaitingSelection>),
    EapMid(Box<eap::AwaitingMidResponse>),
    EapDone(Box<eap::AwaitingDoneResponse>),
}

/// What follows from a response.
pub(super) enum Next {
    /// Another request.
    Request(Waiting, Vec<u8>),
    Granted(Box<Grant>),
}

impl Waiting {
    /// Begins a run; gives the first request with it.
    pub(super) fn begin(options: &Options, binding: ChannelBinding, rng: &mut StdRng) -> (Self, Vec<u8>) {
        let key = Secret::new(options.key.to_vec());
        let mn_id = NAI.parse().expect("a name and a realm");
        let &Options { profile, suite, user_data, .. } = options;
        let suites = vec![suite];
        if options.eap_server.is_some() {
            let method = GpskPeer::new(NAI, key).expect("32 octets are a key");
            let peer = Peer::new(NAI, vec![Box::new(method)]).expect("a name and a method");
            let offer = EapOffer { mn_id, peer, psk: None, profile, suites, user_data };
            let (waiting, request) = eap::start(offer, binding, rng);
            (Self::EapInit(Box::new(waiting)), request)
        } else {
            let psk = Psk::from_octets(key).expect("32 octets are a key");
            let (waiting, request) = initiator::start(Offer { mn_id, psk, profile, suites, user_data }, binding, rng);
            (Self::PskInit(Box::new(waiting)), request)
        }
    }

    /// Takes a response.
    pub(super) fn handle(self, octets: &[u8], rng: &mut StdRng) -> Result<Next, Failure> {
        let step = match self {
            Self::PskInit(waiting) => {
                let (waiting, request) = waiting.handle(octets)?;
                return Ok(Next::Request(Self::PskDone(waiting), request));
            }
            Self::PskDone(waiting) => return Ok(Next::Granted(Box::new(waiting.handle(octets)?))),
            Self::EapInit(waiting) => waiting.handle(octets, rng)?,
            Self::EapMid(waiting) => waiting.handle(octets, rng)?,
            Self::EapDone(waiting) => waiting.handle(octets, rng)?,
        };
        Ok(match step {
            eap::Step::Mid(waiting, request) => Next::Request(Self::EapMid(Box::new(waiting)), request),
            eap::Step::Done(waiting, request) => Next::Request(Self::EapDone(Box::new(waiting)), request),
            eap::Step::Psk(waiting, request) => Next::Request(Self::PskDone(waiting), request),
            eap::Step::Granted(grant) => Next::Granted(grant),
        })
    }
}
