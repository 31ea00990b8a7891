//! One mobile node's run with the HAC, without I/O: whole messages in, whole messages out (RFC 6618 section 5.3).
//!
//! `server` drives it over TLS, a simulated world without sockets. It joins the pure exchange (`protocol::mhauth::responder`)
//! with admission, store and provisioning. The mobile node is told an SPI only after the association is committed and its
//! home agent has acknowledged it or can look it up: between the two stands [`PendingGrant`], which the caller settles.

mod eap;
mod pending;
mod understudy;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use protocol::features::Features;
use protocol::mhauth::{ChannelBinding, Known, Method, NONCE_LEN, Psk, Refusal, Status, responder};
use protocol::sa::spi::HaGroup;
use rand::CryptoRng;

use crate::aaa::{AaaError, Answer};
use crate::admission::Admission;
use crate::authentication::{Authentication, named};
use crate::provisioning::{self, Connected, Policy, Refused, Request};
use crate::store::{Access, Credentials, Framed, KeyId, Store, StoreAccess, StoreError, SubscriberPolicy};

pub use eap::Question;
pub use pending::{PendingGrant, Settled};
pub use understudy::Understudy;

/// `retry-after` when no home agent could take the association: the feed is back within seconds.
const RETRY_HOME_AGENT: Duration = Duration::from_secs(5);
/// `retry-after` when addresses or SPIs have run out, the address that a AAA server chose is somebody else's, or no home agent is of use: somebody has to do something.
const RETRY_EXHAUSTED: Duration = Duration::from_secs(300);

/// `retry-after` when too many requests wait for the AAA servers.
const RETRY_BUSY: Duration = Duration::from_secs(5);

/// What a session reaches for while it handles one request.
pub struct Surroundings<'a> {
    /// Subscribers and associations.
    pub store: StoreAccess<'a>,
    /// What is granted.
    pub policy: &'a Policy,
    /// How nodes authenticate.
    pub authentication: &'a Authentication,
    /// Names of the home agents whose feed is up.
    pub connected: &'a [String],
    /// What the home agents of each group can do.
    pub features: &'a BTreeMap<HaGroup, Features>,
    /// Counted failures.
    pub admission: &'a Admission,
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
    /// Ask the AAA servers, in one conversation a run, and hand in the answer.
    Ask(Question),
    /// Have the home agent acknowledge the association, then settle the grant; send what that gives and close.
    Deliver(Box<PendingGrant>),
    /// Send this final response, then close_notify and close.
    Close(Vec<u8>),
}

/// One run, from the first request to the final response.
pub struct Session {
    state: State,
    source: IpAddr,
    ended: Option<Status>,
}

enum State {
    AwaitingInit(ChannelBinding),
    AwaitingDone { exchange: Box<responder::AwaitingDone>, claimed: Authorised },
    Eap(Box<eap::Run>),
    Asking(Box<eap::Asking>),
    Told(Box<eap::Told>),
    Over,
}

/// Who the mobile node is, and what holds for that name: claimed with a pre-shared key, authenticated with EAP.
#[derive(Clone)]
struct Authorised {
    name: String,
    key: KeyId,
    policy: SubscriberPolicy,
    /// How long an association may live at most.
    limit: Option<Duration>,
    /// What a AAA server said that has authenticated him.
    access: Option<Access>,
    /// Home addresses that it chose.
    framed: Framed,
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

    /// Who steps in where handling the next input breaks off.
    pub fn understudy(&self) -> Understudy {
        Understudy::of(&self.state, self.source)
    }

    /// Takes one whole message. After [`Step::Deliver`] or [`Step::Close`] the run is over and nothing more is answered.
    pub fn handle_request(&mut self, octets: &[u8], around: &mut Surroundings<'_>) -> Step {
        match std::mem::replace(&mut self.state, State::Over) {
            State::AwaitingInit(binding) => self.handle_init(binding, octets, around),
            State::AwaitingDone { exchange, claimed } => {
                let handled = exchange.handle(octets);
                self.handle_done(handled, &claimed, Some(&claimed.name), around)
            }
            State::Eap(run) => self.handle_eap(*run, octets, around),
            State::Told(told) => {
                let eap::Told { exchange, mn_id, authorised } = *told;
                let handled = exchange.handle(octets);
                self.handle_done(handled, &authorised, named(&mn_id), around)
            }
            State::Asking(_) | State::Over => Step::Close(Vec::new()),
        }
    }

    /// Takes what the AAA servers said to the last [`Step::Ask`].
    pub fn handle_answer(&mut self, answer: Result<Answer, AaaError>, around: &mut Surroundings<'_>) -> Step {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Asking(asking) => self.handle_aaa_answer(*asking, answer, around),
            State::AwaitingInit(_) | State::AwaitingDone { .. } | State::Eap(_) | State::Told(_) | State::Over => {
                Step::Close(Vec::new())
            }
        }
    }

    fn handle_init(&mut self, binding: ChannelBinding, octets: &[u8], around: &mut Surroundings<'_>) -> Step {
        let available = around.authentication.available();
        let init = match responder::AwaitingInit::new(around.policy.profile, binding).with(available).handle(octets) {
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
        let realm = around.authentication.realm_of(&name);
        match realm.choose(init.offered()) {
            Some(Method::Psk) => self.begin_psk(init, name, around),
            Some(Method::Eap) => self.begin_eap(init, realm.eap_server, around),
            None => {
                around.admission.failed(self.source, None, around.now);
                self.close(init.refuse(Status::NotImplemented, None))
            }
        }
    }

    fn begin_psk(&mut self, init: responder::InitReceived, name: String, around: &mut Surroundings<'_>) -> Step {
        match around.store.with(|store| look_up(store, &name)) {
            Ok(Holder { psk, known, key, policy }) => {
                let mut hac_rand = [0; NONCE_LEN];
                around.rng.fill_bytes(&mut hac_rand);
                let (exchange, response) = init.respond(psk, known, around.policy.profile_of(&policy), hac_rand);
                let claimed = Authorised { name, key, policy, limit: None, access: None, framed: Framed::default() };
                self.state = State::AwaitingDone { exchange: Box::new(exchange), claimed };
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
        handled: Result<responder::Authenticated, Refusal>,
        who: &Authorised,
        claimed: Option<&str>,
        around: &mut Surroundings<'_>,
    ) -> Step {
        match handled {
            Ok(authenticated) => self.provision(authenticated, who, around),
            Err(refusal) => {
                let named = claimed.filter(|_| refusal.status == Status::NotAuthenticated);
                around.admission.failed(self.source, named, around.now);
                self.close(refusal)
            }
        }
    }

    fn provision(&mut self, authenticated: responder::Authenticated, who: &Authorised, around: &mut Surroundings<'_>) -> Step {
        let request = Request {
            nai: &who.name,
            key: who.key,
            own: &who.policy,
            suites: authenticated.suites(),
            user_data: authenticated.user_data(),
            limit: who.limit,
            access: who.access.as_ref(),
            framed: who.framed,
        };
        let connected = Connected { names: around.connected, features: around.features };
        let made = around
            .store
            .with(|store| provisioning::provision(store, around.policy, &request, &connected, around.wall, around.rng));
        match made {
            Ok(committed) => Step::Deliver(Box::new(PendingGrant {
                grant: provisioning::grant(&committed, around.policy, around.wall),
                authenticated,
                revision: committed.provisioned.revision,
                home_agent: committed.home_agent.name,
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
        Refused::NoHomeAgentOnPort
        | Refused::Store(StoreError::PoolExhausted(_) | StoreError::SpisExhausted(_) | StoreError::HomeAddressTaken { .. }) => {
            (Status::Unavailable, Some(RETRY_EXHAUSTED))
        }
        Refused::Store(StoreError::Superseded) => (Status::NotAuthenticated, None),
        Refused::Store(_) => (Status::ServerError, None),
    }
}

#[cfg(test)]
mod tests;
