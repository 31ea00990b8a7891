//! A AAA server that has the subscriber's key, and the way to it: what the RADIUS client of `hac` does in the program, by hand.
//!
//! A question is answered after a while, asked again each second while the server is silent, and given up when its time is over.
#![allow(clippy::expect_used, reason = "a world that cannot be set up has failed its story")]

use std::time::{Duration, Instant};

use hac::aaa::{AaaError, Accept, Answer};
use hac::session::Question;
use protocol::eap::authenticator::{Authenticator, Step};
use protocol::eap::method::gpsk::GpskServer;
use protocol::eap::method::{Around, Directory, ServerMethod};
use protocol::eap::{MethodError, Packet, Type};
use protocol::sa::Secret;
use rand::rngs::StdRng;

use super::controller::KEY;

/// How long a HAC waits for an answer, unless it is configured otherwise.
const LIMIT: Duration = Duration::from_secs(10);
/// How often it asks meanwhile.
const RETRANSMISSION: Duration = Duration::from_secs(1);

/// The AAA server, and how it behaves from now on.
pub struct Aaa {
    /// It says nothing.
    pub is_silent: bool,
    /// It lets nobody in.
    pub rejects: bool,
    /// From a question to its answer.
    pub delay: Duration,
    /// Session-Timeout of its Access-Accepts.
    pub session_timeout: Option<Duration>,
    answered: usize,
    run: Option<Authenticator>,
}

/// A question under way.
pub(super) struct Asked {
    question: Question,
    at: Instant,
}

impl Asked {
    pub(super) fn new(question: Question, at: Instant) -> Self {
        Self { question, at }
    }

    fn is_over(&self, now: Instant) -> bool {
        self.at + LIMIT <= now
    }
}

impl Default for Aaa {
    /// It answers after a millisecond, and says nothing of time.
    fn default() -> Self {
        let delay = Duration::from_millis(1);
        Self { is_silent: false, rejects: false, delay, session_timeout: None, answered: 0, run: None }
    }
}

impl Aaa {
    /// Questions that it has answered.
    pub fn answered(&self) -> usize {
        self.answered
    }

    /// When there is something to say about a question.
    pub(super) fn next_event(&self, asked: &Asked, now: Instant) -> Instant {
        let next = if self.is_silent { now + RETRANSMISSION } else { asked.at + self.delay };
        next.min(asked.at + LIMIT)
    }

    /// What the HAC has in the end; `None` where it waits on.
    pub(super) fn answer(&mut self, asked: &Asked, now: Instant, rng: &mut StdRng) -> Option<Result<Answer, AaaError>> {
        if asked.is_over(now) {
            return Some(Err(AaaError::Silent { server: "aaa1".to_owned(), over_tls: false, limit: LIMIT, dropped: 0 }));
        }
        if self.is_silent || now < asked.at + self.delay {
            return None;
        }
        self.answered += 1;
        Some(Ok(self.decide(&asked.question.eap, rng)))
    }

    fn decide(&mut self, eap: &[u8], rng: &mut StdRng) -> Answer {
        // A run begins with the identity, for which the HAC has asked.
        if let Ok(Packet::Response { identifier, kind: Type::IDENTITY, .. }) = Packet::parse(eap) {
            self.run = Some(Authenticator::new(identifier, gpsk()));
        }
        let Some(run) = &mut self.run else { return Answer::Reject { eap: None } };
        if self.rejects {
            return Answer::Reject { eap: Some(run.failure()) };
        }
        match run.handle(eap, &mut Around { rng, directory: &mut OneKey }) {
            Step::Request(eap) => Answer::Challenge { eap },
            Step::Failure { packet, .. } => Answer::Reject { eap: Some(packet) },
            Step::Success { packet, identity, msk } => Answer::Accept(Accept {
                eap: Some(packet),
                msk: msk.map(|msk| Secret::new(msk.expose().to_vec())),
                user_name: Some(identity),
                session_timeout: self.session_timeout,
                ..Accept::default()
            }),
        }
    }
}

/// The methods of an EAP server, be it this one or the HAC's own.
pub(super) fn gpsk() -> Vec<Box<dyn ServerMethod>> {
    vec![Box::new(GpskServer::new("server.example.org").expect("a short name"))]
}

/// The subscriber's, whoever asks.
struct OneKey;

impl Directory for OneKey {
    fn pre_shared_key(&mut self, _identity: &str) -> Result<Secret, MethodError> {
        Ok(Secret::new(KEY.to_vec()))
    }
}
