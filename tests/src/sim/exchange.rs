//! A run of MHAuth between mobile node and HAC, message by message, over a TCP connection that takes its time; and what the HAC waits
//! for meanwhile.

use std::io;
use std::time::{Duration, Instant};

use hac::aaa::Answer;
use hac::registry::ACKNOWLEDGEMENT;
use hac::session::{PendingGrant, Session, Step};
use mn::bootstrap::Run;
use mn::hac_client::HacError;
use mn::mobile_node::Phase;
use protocol::mhauth::Grant;
use protocol::sa::Direction;

use super::aaa::Asked;
use super::controller::Controller;
use super::gateway::HA4;
use super::initiator::{Next, Waiting};
use super::run::address;
use super::{Access, World};

/// The mobile node's patience with the handshake, and then with each answer.
const HANDSHAKE: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(30);
/// Round trips until the first request may go: TCP, then TLS 1.3.
const HANDSHAKE_ROUND_TRIPS: u32 = 2;
/// TCP tries again so often while its network is gone.
const STALLED: Duration = Duration::from_millis(200);

/// A connection.
pub(super) struct Exchange {
    /// Which of the mobile node's runs it is.
    pub(super) run: Run,
    /// The network that it was begun on, and lives and dies with.
    access: Access,
    session: Session,
    leg: Leg,
    /// When what is on its way arrives.
    due: Instant,
    /// When the mobile node gives up.
    deadline: Instant,
}

/// What is on its way.
enum Leg {
    /// TCP's and TLS's messages.
    Handshake,
    /// To the HAC.
    Request(Waiting, Vec<u8>),
    /// At the HAC, until the AAA server answers or its time is up.
    Asking(Waiting, Asked),
    /// At the HAC, until the home agent acknowledges or its time is up.
    Settling(Waiting, Box<PendingGrant>),
    /// To the mobile node.
    Response(Waiting, Vec<u8>),
    /// To the mobile node: the HAC's process is gone.
    Reset,
}

impl Exchange {
    /// When something happens on it.
    pub(super) fn next_event(&self) -> Instant {
        self.due.min(self.deadline)
    }
}

impl World {
    /// The mobile node connects, if any network lets it.
    pub(super) fn begin_exchange(&mut self, run: Run) {
        self.mhauth_attempts += 1;
        let Some(access) = self.access.first().copied() else {
            let source = io::Error::from(io::ErrorKind::NetworkUnreachable);
            return self.mhauth_failed(run, HacError::Connect { address: HA4, source });
        };
        let link = *self.network.link(access);
        let transit: Duration = (0..2 * HANDSHAKE_ROUND_TRIPS).map(|_| link.reliable_transit(&mut self.rng)).sum();
        self.exchange = Some(Exchange {
            run,
            access,
            session: Controller::accept(),
            leg: Leg::Handshake,
            due: self.now + transit,
            deadline: self.now + HANDSHAKE,
        });
    }

    /// What is on its way arrives, if it is time.
    pub(super) fn step_exchange(&mut self) {
        let Some(mut exchange) = self.exchange.take_if(|exchange| exchange.next_event() <= self.now) else { return };
        if exchange.deadline <= self.now {
            let patience = if matches!(exchange.leg, Leg::Handshake) { HANDSHAKE } else { ANSWER };
            return self.mhauth_failed(exchange.run, HacError::TimedOut(patience));
        }
        let is_at_hac = matches!(exchange.leg, Leg::Asking(..) | Leg::Settling(..));
        if !is_at_hac && !self.access.contains(&exchange.access) {
            exchange.due = self.now + STALLED;
            self.exchange = Some(exchange);
            return;
        }
        match std::mem::replace(&mut exchange.leg, Leg::Reset) {
            Leg::Handshake => self.ask_init(exchange),
            Leg::Request(waiting, octets) => {
                let (now, wall) = (self.now, self.wall());
                let step = self.controller.handle(&mut exchange.session, &octets, now, wall, &mut self.rng);
                self.answer(exchange, waiting, step);
            }
            Leg::Asking(waiting, asked) => self.ask_aaa(exchange, waiting, asked),
            Leg::Settling(waiting, pending) => {
                let response = self.controller.settle(*pending, self.wall());
                self.feed_changes();
                self.send_on(exchange, Leg::Response(waiting, response));
            }
            Leg::Response(waiting, octets) => self.take_response(exchange, waiting, &octets),
            Leg::Reset => self.mhauth_failed(exchange.run, HacError::Broken(io::Error::from(io::ErrorKind::ConnectionReset))),
        }
    }

    /// The home agent has acknowledged: a session that has waited for it goes on.
    pub(super) fn settle(&mut self) {
        let controller = &mut self.controller;
        let is_settled = |exchange: &mut Exchange| match &exchange.leg {
            Leg::Settling(_, pending) => controller.is_acknowledged(pending.revision()),
            Leg::Handshake | Leg::Request(..) | Leg::Asking(..) | Leg::Response(..) | Leg::Reset => false,
        };
        let Some(mut exchange) = self.exchange.take_if(is_settled) else { return };
        if let Leg::Settling(waiting, pending) = std::mem::replace(&mut exchange.leg, Leg::Reset) {
            let response = self.controller.settle(*pending, self.wall());
            self.send_on(exchange, Leg::Response(waiting, response));
        }
    }

    /// The home agent is gone: a session that has waited for it waits no longer.
    pub(super) fn lose_acknowledgement(&mut self) {
        let now = self.now;
        if let Some(exchange) = self.exchange.as_mut().filter(|exchange| matches!(exchange.leg, Leg::Settling(..))) {
            exchange.due = now;
        }
    }

    /// The HAC's process has died under the connection.
    pub(super) fn reset_exchange(&mut self) {
        if let Some(exchange) = self.exchange.take() {
            self.send_on(exchange, Leg::Reset);
        }
    }

    fn ask_init(&mut self, mut exchange: Exchange) {
        if !self.controller.is_up() {
            let source = io::Error::from(io::ErrorKind::ConnectionRefused);
            return self.mhauth_failed(exchange.run, HacError::Connect { address: HA4, source });
        }
        if let Some(node) = &mut self.node {
            node.machine.handle_bootstrap_address(exchange.run, Some(address(exchange.access)));
        }
        let (waiting, request) = self.controller.offer(&mut self.rng);
        exchange.deadline = self.now + ANSWER;
        self.send_on(exchange, Leg::Request(waiting, request));
    }

    /// The HAC has taken a request, or what the AAA server has said to it.
    fn answer(&mut self, mut exchange: Exchange, waiting: Waiting, step: Step) {
        match step {
            Step::Deliver(pending) => {
                exchange.leg = Leg::Settling(waiting, pending);
                exchange.due = self.now + ACKNOWLEDGEMENT;
                self.exchange = Some(exchange);
                self.feed_changes();
            }
            Step::Ask(question) => self.ask_aaa(exchange, waiting, Asked::new(question, self.now)),
            Step::Reply(octets) | Step::Close(octets) => self.send_on(exchange, Leg::Response(waiting, octets)),
        }
    }

    /// Takes the AAA server's answer, if there is one yet.
    fn ask_aaa(&mut self, mut exchange: Exchange, waiting: Waiting, asked: Asked) {
        let (now, wall) = (self.now, self.wall());
        let Some(answer) = self.aaa.answer(&asked, now, &mut self.rng) else {
            exchange.due = self.aaa.next_event(&asked, now);
            exchange.leg = Leg::Asking(waiting, asked);
            self.exchange = Some(exchange);
            return;
        };
        if let Ok(Answer::Accept(accept)) = &answer {
            accept.msk.iter().for_each(|msk| self.watch.keep_secret("an MSK", msk.expose()));
        }
        let step = self.controller.handle_answer(&mut exchange.session, answer, now, wall, &mut self.rng);
        self.answer(exchange, waiting, step);
    }

    fn take_response(&mut self, mut exchange: Exchange, waiting: Waiting, octets: &[u8]) {
        match waiting.handle(octets, &mut self.rng) {
            Ok(Next::Request(waiting, request)) => {
                exchange.deadline = self.now + ANSWER;
                self.send_on(exchange, Leg::Request(waiting, request));
            }
            Ok(Next::Granted(grant)) => self.granted(exchange.run, &grant),
            Err(failure) => self.mhauth_failed(exchange.run, failure.into()),
        }
    }

    fn send_on(&mut self, mut exchange: Exchange, leg: Leg) {
        let link = *self.network.link(exchange.access);
        exchange.due = self.now + link.reliable_transit(&mut self.rng);
        exchange.leg = leg;
        self.exchange = Some(exchange);
    }

    fn granted(&mut self, run: Run, grant: &Grant) {
        let (now, wall, usable) = (self.now, self.wall(), self.attachments());
        self.grants.push((self.elapsed(), grant.sa.spi));
        for direction in [Direction::MnToHa, Direction::HaToMn] {
            let keys = grant.sa.keys(direction);
            self.watch.keep_secret("an integrity key", keys.integrity());
            self.watch.keep_secret("an encryption key", keys.encryption());
        }
        if let Some(node) = &mut self.node {
            node.handle_grant(run, grant, usable, now, wall, &mut self.rng);
        }
    }

    fn mhauth_failed(&mut self, run: Run, error: HacError) {
        let (now, wall) = (self.now, self.wall());
        let Some(node) = &mut self.node else { return };
        if error.is_final() && node.machine.phase() == Phase::Bootstrapping {
            tracing::error!(%error, "the mobile node gives up");
            self.node = None;
        } else {
            node.machine.handle_bootstrap_failure(run, &error, error.retry_after(wall), now, &mut self.rng);
        }
    }
}
