//! A mobile node with a home agent of few words: what it does, action by action.

mod asking;
mod bootstrap;
mod fallback;
mod home;
mod make_before_break;
mod movement;
mod nat;
mod nat64;
mod next_hop;
mod registration;
mod renewal;
mod report;
mod resend;
mod router;
mod stuck;
mod user_data;

use std::time::Duration;

use protocol::sa::SecurityAssociation;
use protocol::time::Lifetime;
use protocol::tunnel::{Encapsulation, Path, SignallingReceived, SocketId};
use protocol::wire::mobility::{
    BindingAcknowledgement, BindingRefreshRequest, BindingUpdate, Ends, Ipv4Status, MobilityMessage, NatDetection, PathToken,
    Status,
};
use protocol::wire::signalling::{self, Signalling};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::bootstrap::Run;
use crate::fixture::{association, ends_at_mobile_node, lte, wifi};

struct Story {
    node: MobileNode,
    now: Instant,
    rng: StdRng,
    /// What an SA is like, by its number.
    sa: fn(u32) -> SecurityAssociation,
    /// What the tunnel has counted.
    sent: u64,
    received: u64,
}

impl Story {
    fn new() -> Self {
        Self::with(association)
    }

    fn with(sa: fn(u32) -> SecurityAssociation) -> Self {
        let (now, mut rng) = (Instant::now(), StdRng::seed_from_u64(1));
        let node = MobileNode::new(Arc::new(Counters::default()), now, &mut rng);
        Self { node, now, rng, sa, sent: 0, received: 0 }
    }

    fn registered() -> Self {
        Self::registered_with(association)
    }

    fn registered_with(sa: fn(u32) -> SecurityAssociation) -> Self {
        let mut story = Self::with(sa);
        story.actions();
        story.is_granted(1);
        story.sees(&[wifi()]);
        story.opens_what_is_asked();
        let update = story.last_update();
        story.hears(1, 0, update.sequence);
        story.actions();
        story.passes(10);
        story
    }

    /// Time goes by, and with it the memory of how many Binding Updates there were.
    fn passes(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    fn is_granted(&mut self, spi: u32) {
        let install = Install::new((self.sa)(spi), self.now + Duration::from_secs(86_400), 0);
        let run = self.run();
        self.node.handle_grant(run, Arc::new(install), self.now, &mut self.rng);
    }

    /// The run of MHAuth in progress, or one that is begun for it.
    fn run(&mut self) -> Run {
        self.node.bootstrap.running().unwrap_or_else(|| {
            self.node.bootstrap.renew(self.now);
            self.node.bootstrap.start_if_due(self.now).unwrap()
        })
    }

    fn sees(&mut self, attachments: &[Attachment]) {
        self.node.handle_attachments(attachments.to_vec(), self.now);
    }

    fn opens_what_is_asked(&mut self) {
        for action in self.actions() {
            if let Action::OpenPath { socket, .. } = action {
                self.node.handle_path_opened(socket, true, self.now);
            }
        }
    }

    /// Everything that is due until `seconds` have passed; gives when each Binding Update went, counted from now.
    fn runs_for(&mut self, seconds: u64) -> Vec<Duration> {
        let (start, end) = (self.now, self.now + Duration::from_secs(seconds));
        let mut updates = Vec::new();
        while let Some((due, _)) = self.node.poll_timeout().filter(|(due, _)| *due <= end) {
            self.now = self.now.max(due);
            self.node.handle_timeout(self.now);
            updates.extend(self.updates().iter().map(|_| self.now - start));
        }
        self.now = end;
        updates
    }

    /// The counters are looked at once a second while nothing is sent or heard.
    fn is_quiet_for(&mut self, seconds: u64) -> Vec<Action> {
        let mut actions = Vec::new();
        for _ in 0..seconds {
            self.passes(1);
            self.node.handle_activity(self.sent, self.received, self.now);
            actions.extend(self.actions());
        }
        actions
    }

    /// A Binding Acknowledgement that binds both families, if they are asked for.
    fn hears(&mut self, spi: u32, status: u8, sequence: u16) {
        self.hears_answer(spi, acknowledgement(status, sequence));
    }

    /// The home agent acknowledges the last Binding Update.
    fn hears_last(&mut self) {
        let sequence = self.node.registration.sequence();
        self.hears(1, 0, sequence);
        self.actions();
    }

    fn hears_answer(&mut self, spi: u32, answer: BindingAcknowledgement) {
        let socket = self.node.handover.current().map_or(SocketId(0), |(socket, _)| *socket);
        self.hears_on(socket, spi, MobilityMessage::BindingAcknowledgement(answer));
    }

    fn hears_on(&mut self, socket: SocketId, spi: u32, message: MobilityMessage) {
        let sa = (self.sa)(spi);
        let header = message.emit(ends_at_mobile_node(&sa));
        self.node.handle_event(
            &Event::Signalling(SignallingReceived {
                spi: sa.spi,
                sequence: 0,
                socket,
                from: ([203, 0, 113, 1], 7872).into(),
                next_header: signalling::ROUTING,
                payload: signalling::behind_routing_header(sa.home.in_mobility_header(), &header),
                lease: 0,
            }),
            self.now,
        );
    }

    fn hears_refresh_request(&mut self, spi: u32) {
        self.hears_on(SocketId(0), spi, MobilityMessage::BindingRefreshRequest(BindingRefreshRequest::default()));
    }

    fn actions(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.node.poll_action()).collect()
    }

    /// The last Binding Update among the pending actions.
    fn last_update(&mut self) -> BindingUpdate {
        self.updates().pop().expect("no Binding Update was sent").1
    }

    fn updates(&mut self) -> Vec<(Path, BindingUpdate)> {
        let actions = self.actions();
        actions.iter().filter_map(|action| self.update(action)).collect()
    }

    /// As how many datagrams each pending Binding Update goes.
    fn copies(&mut self) -> Vec<usize> {
        let of = |action: &Action| {
            let Action::Command(Command::Signal { paths, .. }) = action else { return None };
            Some(paths.iter().count())
        };
        self.actions().iter().filter_map(of).collect()
    }

    fn update(&self, action: &Action) -> Option<(Path, BindingUpdate)> {
        let Action::Command(Command::Signal { paths, next_header, payload, .. }) = action else { return None };
        let path = paths.iter().next()?;
        let Ends { source: home_agent, destination: home } = ends_at_mobile_node(&(self.sa)(1));
        let parsed = Signalling::parse(*next_header, payload).unwrap();
        assert_eq!(parsed.home_address_option, Some(home));
        match MobilityMessage::parse(parsed.mobility_header, Ends { source: home, destination: home_agent }) {
            Ok(MobilityMessage::BindingUpdate(update)) => Some((path.clone(), update)),
            other => panic!("{other:?} is no Binding Update"),
        }
    }
}

fn acknowledgement(status: u8, sequence: u16) -> BindingAcknowledgement {
    BindingAcknowledgement {
        ipv4_address: Some((Ipv4Status::BOUND, [10, 9, 0, 7].into())),
        ..BindingAcknowledgement::new(Status(status), sequence, Lifetime::from_units(150))
    }
}

fn bootstraps(actions: &[Action]) -> usize {
    actions.iter().filter(|action| matches!(action, Action::Bootstrap(_))).count()
}

/// In which form packets go from now on, as the tunnel was told last.
fn told(actions: &[Action]) -> Option<Encapsulation> {
    actions.iter().rev().find_map(|action| {
        let Action::Command(Command::Move { encapsulation, .. }) = action else { return None };
        Some(*encapsulation)
    })
}
