//! Who ends a run whose handling has broken off.

use std::net::IpAddr;

use protocol::mhauth::{ChannelBinding, Method, Refusal, Status, responder};
use protocol::profile::WireProfile;

use super::{Session, State, Step};

/// As much of a session as its last response takes.
pub struct Understudy {
    part: Part,
    source: IpAddr,
}

enum Part {
    Init(ChannelBinding),
    Done(Box<responder::AwaitingDone>),
    Eap(responder::eap::AwaitingRequest),
    Asking(responder::eap::Understudy),
    Told(responder::eap::AwaitingDone),
    None,
}

impl Understudy {
    pub(super) fn of(state: &State, source: IpAddr) -> Self {
        let part = match state {
            State::AwaitingInit(binding) => Part::Init(binding.clone()),
            State::AwaitingDone { exchange, .. } => Part::Done(exchange.clone()),
            State::Eap(run) => Part::Eap(run.understudy()),
            State::Asking(asking) => Part::Asking(asking.understudy()),
            State::Told(told) => Part::Told(told.exchange.clone()),
            State::Over => Part::None,
        };
        Self { part, source }
    }

    /// The end of a run whose input could not be handled: 500, or what is wrong with that request. `profile` is the HAC's default.
    pub fn fail(self, octets: &[u8], profile: WireProfile) -> (Session, Step) {
        let mut session = Session { state: State::Over, source: self.source, ended: None };
        let step = match self.part.refusal(octets, profile) {
            Some(refusal) => session.close(refusal),
            None => Step::Close(Vec::new()),
        };
        (session, step)
    }
}

impl Part {
    fn refusal(self, octets: &[u8], profile: WireProfile) -> Option<Refusal> {
        const WHY: Status = Status::ServerError;
        let refused = match self {
            Self::Init(binding) => {
                let init = responder::AwaitingInit::new(profile, binding).with(&Method::ALL);
                init.handle(octets).map(|init| init.refuse(WHY, None))
            }
            Self::Done(exchange) => exchange.handle(octets).map(|authenticated| authenticated.refuse(WHY, None)),
            Self::Eap(exchange) => exchange.handle(octets).map(|received| received.refuse(WHY, None, None)),
            Self::Asking(understudy) => Ok(understudy.refuse(WHY, None, None)),
            Self::Told(exchange) => exchange.handle(octets).map(|authenticated| authenticated.refuse(WHY, None)),
            Self::None => return None,
        };
        Some(refused.unwrap_or_else(|refusal| refusal))
    }
}
