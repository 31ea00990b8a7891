//! One mobile node's run with the HAC, without I/O: whole messages in, whole messages out (RFC 6618 section 5.3).
//!
//! `server` drives it over TLS, a simulated world without sockets. It joins the pure exchange (`protocol::mhauth::responder`)
//! with admission, store and provisioning. The mobile node is told an SPI only after the association is committed and its
//! home agent has acknowledged it or can look it up: between the two stands [`PendingGrant`], which the caller settles.

mod pending;

use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use protocol::mhauth::{ChannelBinding, Known, NONCE_LEN, Psk, Refusal, Status, responder};
use protocol::profile::WireProfile;
use rand::CryptoRng;

use crate::admission::Admission;
use crate::provisioning::{self, Committed, Policy, Refused, Request};
use crate::store::{Credentials, KeyId, Store, StoreError, SubscriberPolicy};

pub use pending::{PendingGrant, Settled};

/// `retry-after` when no home agent could take the association: the feed is back within seconds.
const RETRY_HOME_AGENT: Duration = Duration::from_secs(5);
/// `retry-after` when addresses or SPIs have run out, or no home agent is of use: somebody has to do something.
const RETRY_EXHAUSTED: Duration = Duration::from_secs(300);

/// What a session reaches for while it handles one request.
pub struct Surroundings<'a> {
    /// Subscribers and associations.
    pub store: &'a mut dyn Store,
    /// What is granted.
    pub policy: &'a Policy,
    /// Names of the home agents whose feed is up.
    pub connected: &'a [String],
    /// Counted failures.
    pub admission: &'a mut Admission,
    /// Monotonic time, for admission.
    pub now: Instant,
    /// The HAC's wall clock.
    pub wall: SystemTime,
    /// The CSPRNG.
    pub rng: &'a mut dyn CryptoRng,
}

/// What the caller does next.
pub enum Step {
    /// Send this and wait for the next request.
    Reply(Vec<u8>),
    /// Have the home agent acknowledge the association, then settle the grant; send what that gives and close.
    Deliver(Box<PendingGrant>),
    /// Send this final response, then close_notify and close.
    Close(Vec<u8>),
}

/// One run, from the first request to the final response.
#[derive(Clone)]
pub struct Session {
    state: State,
    source: IpAddr,
    ended: Option<Status>,
}

#[derive(Clone)]
enum State {
    AwaitingInit(ChannelBinding),
    AwaitingDone { exchange: Box<responder::AwaitingDone>, claimed: Claimed },
    Over,
}

/// Who the mobile node says it is, and what holds for that name.
#[derive(Clone)]
struct Claimed {
    name: String,
    key: KeyId,
    policy: SubscriberPolicy,
}

impl Session {
    /// For a connection from `source` on which the certificate with this binding was sent.
    pub fn new(binding: ChannelBinding, source: IpAddr) -> Self {
        Self { state: State::AwaitingInit(binding), source, ended: None }
    }

    /// How it ended, once [`Step::Close`] was returned.
    pub fn ended(&self) -> Option<Status> {
        self.ended
    }

    /// Takes one whole message. After [`Step::Deliver`] or [`Step::Close`] the run is over and nothing more is answered.
    pub fn handle_request(&mut self, octets: &[u8], around: &mut Surroundings<'_>) -> Step {
        match std::mem::replace(&mut self.state, State::Over) {
            State::AwaitingInit(binding) => self.handle_init(binding, octets, around),
            State::AwaitingDone { exchange, claimed } => self.handle_done(*exchange, claimed, octets, around),
            State::Over => Step::Close(Vec::new()),
        }
    }

    /// The end of a run whose request could not be handled: 500, or what is wrong with that request. `profile` is the HAC's default.
    pub fn fail(&mut self, octets: &[u8], profile: WireProfile) -> Step {
        let refusal = match std::mem::replace(&mut self.state, State::Over) {
            State::AwaitingInit(binding) => match responder::AwaitingInit::new(profile, binding).handle(octets) {
                Ok(init) => init.refuse(Status::ServerError, None),
                Err(refusal) => refusal,
            },
            State::AwaitingDone { exchange, .. } => match exchange.handle(octets) {
                Ok(authenticated) => authenticated.refuse(Status::ServerError, None),
                Err(refusal) => refusal,
            },
            State::Over => return Step::Close(Vec::new()),
        };
        self.close(refusal)
    }

    fn handle_init(&mut self, binding: ChannelBinding, octets: &[u8], around: &mut Surroundings<'_>) -> Step {
        let init = match responder::AwaitingInit::new(around.policy.profile, binding).handle(octets) {
            Ok(init) => init,
            Err(refusal) => {
                around.admission.failed(self.source, None, around.now);
                return self.close(refusal);
            }
        };
        let name = init.mn_id().to_owned();
        if let Some(wait) = around.admission.wait(self.source, &name, around.now) {
            return self.close(init.refuse(Status::Unavailable, Some(around.wall + wait)));
        }
        match look_up(around.store, &name) {
            Ok(Holder { psk, known, key, policy }) => {
                let mut hac_rand = [0; NONCE_LEN];
                around.rng.fill_bytes(&mut hac_rand);
                let (exchange, response) = init.respond(psk, known, around.policy.profile_of(&policy), hac_rand);
                self.state = State::AwaitingDone { exchange: Box::new(exchange), claimed: Claimed { name, key, policy } };
                Step::Reply(response)
            }
            Err(error) => {
                tracing::error!(%error, "a session ends with 500");
                self.close(init.refuse(Status::ServerError, None))
            }
        }
    }

    fn handle_done(
        &mut self,
        exchange: responder::AwaitingDone,
        Claimed { name, key, policy }: Claimed,
        octets: &[u8],
        around: &mut Surroundings<'_>,
    ) -> Step {
        let authenticated = match exchange.handle(octets) {
            Ok(authenticated) => authenticated,
            Err(refusal) => {
                let named = (refusal.status == Status::NotAuthenticated).then_some(name.as_str());
                around.admission.failed(self.source, named, around.now);
                return self.close(refusal);
            }
        };
        let (suites, user_data) = (authenticated.suites(), authenticated.user_data());
        let request = Request { nai: &name, key, own: &policy, suites, user_data };
        let made = provisioning::provision(around.store, around.policy, &request, around.connected, around.wall, around.rng);
        match made {
            Ok(Committed { provisioned, home_agent }) => Step::Deliver(Box::new(PendingGrant {
                grant: provisioning::grant(&provisioned, around.policy, around.wall),
                authenticated,
                home_agent,
                revision: provisioned.revision,
            })),
            Err(refused) => {
                let (status, retry) = answer_to(&refused);
                tracing::warn!(%refused, status = status.code(), "an authenticated mobile node was refused");
                self.close(authenticated.refuse(status, retry.map(|wait| around.wall + wait)))
            }
        }
    }

    fn close(&mut self, refusal: Refusal) -> Step {
        if let Some(rejection) = &refusal.rejection {
            tracing::debug!(source = %self.source, %rejection, status = refusal.status.code(), "a request was rejected");
        }
        self.ended = Some(refusal.status);
        Step::Close(refusal.octets)
    }
}

/// What stands behind a name.
struct Holder {
    psk: Psk,
    known: Known,
    key: KeyId,
    policy: SubscriberPolicy,
}

/// The subscriber's key and own policy; of a name that is unknown or disabled the pseudo-PSK, which is always computed, and no
/// policy.
fn look_up(store: &mut dyn Store, name: &str) -> Result<Holder, StoreError> {
    let pseudo = Psk::pseudo(&store.pseudo_psk_secret()?, name);
    match store.credentials(name)? {
        Some(Credentials { psk, key, policy }) => {
            let psk = Psk::from_octets(psk).map_err(|error| StoreError::Damaged(error.to_string()))?;
            Ok(Holder { psk, known: Known::Yes, key, policy })
        }
        None => Ok(Holder { psk: pseudo, known: Known::No, key: KeyId::default(), policy: SubscriberPolicy::default() }),
    }
}

fn answer_to(refused: &Refused) -> (Status, Option<Duration>) {
    match refused {
        Refused::NoCommonSuite => (Status::NotImplemented, None),
        Refused::NoHomeAgent | Refused::Store(StoreError::HomeAgentGone) => (Status::Unavailable, Some(RETRY_HOME_AGENT)),
        Refused::NoHomeAgentOnPort | Refused::Store(StoreError::PoolExhausted(_) | StoreError::SpisExhausted(_)) => {
            (Status::Unavailable, Some(RETRY_EXHAUSTED))
        }
        Refused::Store(StoreError::Superseded) => (Status::NotAuthenticated, None),
        Refused::Store(_) => (Status::ServerError, None),
    }
}

#[cfg(test)]
mod tests;
