//! A mobile node with a home agent of few words: what it does, action by action.

use protocol::addr::{CareOfAddress, HomeAddresses, HomeAgentAddresses};
use protocol::profile::WireProfile;
use protocol::sa::{CipherSuite, DirectionKeys, Secret, SecurityAssociation, UserData};
use rand::SeedableRng;
use rand::rngs::StdRng;

use protocol::sa::Spi;
use protocol::wire::mobility::{BindingUpdate, Ends, MobilityMessage};
use protocol::wire::signalling::{self, Signalling};

use super::*;

struct Story {
    node: MobileNode,
    now: Instant,
    rng: StdRng,
}

impl Story {
    fn new() -> Self {
        let (now, mut rng) = (Instant::now(), StdRng::seed_from_u64(1));
        Self { node: MobileNode::new(Arc::new(Counters::default()), now, &mut rng), now, rng }
    }

    fn registered() -> Self {
        let mut story = Self::new();
        story.actions();
        story.is_granted(1);
        story.sees(&[wifi()]);
        story.opens_what_is_asked();
        let update = story.last_update();
        story.hears(1, 0, update.sequence);
        story.actions();
        story
    }

    fn is_granted(&mut self, spi: u32) {
        let install = Install { sa: association(spi), valid_until: self.now + Duration::from_secs(86_400), lease: 0 };
        self.node.handle_grant(Arc::new(install), self.now, &mut self.rng);
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

    fn hears(&mut self, spi: u32, status: u8, sequence: u16) {
        let sa = association(spi);
        let home = sa.home.in_mobility_header();
        let message = BindingAcknowledgement {
            ipv4_address: Some((0, [10, 9, 0, 7].into())),
            ..BindingAcknowledgement::new(Status(status), sequence, Lifetime::from_units(150))
        };
        let ends = Ends { source: sa.home_agent.in_mobility_header(), destination: home };
        let header = MobilityMessage::BindingAcknowledgement(message).emit(ends);
        self.node.handle_event(
            &Event::Signalling(SignallingReceived {
                spi: sa.spi,
                sequence: 0,
                socket: SocketId(0),
                from: ([203, 0, 113, 1], 7872).into(),
                next_header: signalling::ROUTING,
                payload: signalling::behind_routing_header(home, &header),
                lease: 0,
            }),
            self.now,
        );
    }

    fn actions(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.node.poll_action()).collect()
    }

    /// The last Binding Update among the pending actions.
    fn last_update(&mut self) -> BindingUpdate {
        self.updates().pop().expect("no Binding Update was sent").1
    }

    fn updates(&mut self) -> Vec<(Path, BindingUpdate)> {
        let sa = association(1);
        let home = sa.home.in_mobility_header();
        let ends = Ends { source: home, destination: sa.home_agent.in_mobility_header() };
        let mut updates = Vec::new();
        for action in self.actions() {
            if let Action::Command(Command::Signal { path, next_header, payload, .. }) = action {
                let parsed = Signalling::parse(next_header, &payload).unwrap();
                assert_eq!(parsed.home_address_option, Some(home));
                match MobilityMessage::parse(parsed.mobility_header, ends) {
                    Ok(MobilityMessage::BindingUpdate(update)) => updates.push((path, update)),
                    other => panic!("{other:?} is no Binding Update"),
                }
            }
        }
        updates
    }
}

fn association(spi: u32) -> SecurityAssociation {
    let keys = DirectionKeys { integrity: Secret::new(vec![7; 20]), encryption: Secret::empty() };
    SecurityAssociation {
        spi: Spi::new(0x1000 + spi).unwrap(),
        suite: CipherSuite::NullSha,
        profile: WireProfile::Rfc6618,
        user_data: UserData::Protected,
        mn_to_ha: keys.clone(),
        ha_to_mn: keys,
        home: HomeAddresses::new(Some("2001:db8:100::7".parse().unwrap()), Some([10, 9, 0, 7].into())).unwrap(),
        home_agent: HomeAgentAddresses::new(Some("2001:db8:f::1".parse().unwrap()), Some([203, 0, 113, 1].into()), 7872).unwrap(),
    }
}

fn wifi() -> Attachment {
    attachment(1, "198.51.100.7")
}

fn lte() -> Attachment {
    attachment(2, "2001:db8:2::7")
}

fn attachment(interface: u32, ip: &str) -> Attachment {
    Attachment { interface, name: format!("if{interface}"), care_of: CareOfAddress(ip.parse().unwrap()), metric: 100 }
}

#[test]
fn a_node_authenticates_first_and_then_binds_with_the_home_agents_address_of_its_own_family() {
    let mut story = Story::new();
    assert!(matches!(story.actions()[..], [Action::Bootstrap]));
    assert_eq!(story.node.phase(), Phase::Bootstrapping);
    story.is_granted(1);
    assert_eq!(story.node.phase(), Phase::Detached);
    story.sees(&[wifi()]);
    story.opens_what_is_asked();
    let (path, update) = story.updates().remove(0);
    assert_eq!(path.remote, ([203, 0, 113, 1], 7872).into());
    assert_eq!(update.care_of, Some(wifi().care_of.into()));
    assert!(update.acknowledge && update.home_registration && update.ipv4_home.is_some());
}

#[test]
fn an_acknowledged_binding_is_reported_and_refreshed_at_eighty_percent() {
    let mut story = Story::registered();
    assert_eq!(story.node.phase(), Phase::Registered);
    assert!(story.node.registered().unwrap().ipv4);
    assert_eq!(story.node.poll_timeout(), Some((story.now + Duration::from_secs(480), TimerName("Binding Update"))));
    story.now += Duration::from_secs(480);
    story.node.handle_timeout(story.now);
    assert_eq!(story.updates().len(), 1);
}

#[test]
fn when_the_attachment_goes_the_uplink_moves_before_the_home_agent_has_answered() {
    let mut story = Story::registered();
    story.sees(&[wifi(), lte()]);
    assert!(story.actions().is_empty(), "the attachment in use is still usable");
    story.sees(&[lte()]);
    let asked = story.actions();
    let [Action::OpenPath { socket, .. }] = asked[..] else { panic!("{asked:?}") };
    story.node.handle_path_opened(socket, true, story.now);
    let actions = story.actions();
    let [Action::Command(Command::Move { paths, .. }), Action::Command(Command::Signal { path, .. })] = &actions[..] else {
        panic!("{actions:?}")
    };
    assert_eq!(paths.iter().next(), Some(path));
    assert_eq!((path.socket, path.remote.is_ipv6()), (SocketId(1), true));
    story.node.handle_timeout(story.now + Duration::from_secs(3));
    assert!(story.actions().iter().any(|action| matches!(action, Action::ClosePath(SocketId(0)))));
}

#[test]
fn a_socket_that_cannot_be_opened_is_tried_again_without_any_event() {
    let mut story = Story::registered();
    story.sees(&[lte()]);
    let asked = story.actions();
    let [Action::OpenPath { socket, .. }] = asked[..] else { panic!("{asked:?}") };
    story.node.handle_path_opened(socket, false, story.now);
    assert!(story.actions().is_empty(), "not in a loop");
    story.node.handle_activity(0, 0, story.now);
    story.opens_what_is_asked();
    assert_eq!(story.last_update().care_of, Some(lte().care_of.into()));
    story.node.handle_activity(0, 0, story.now);
    assert!(story.actions().is_empty(), "what is in use is not opened again");
}

#[test]
fn a_node_without_any_attachment_waits_silently_and_binds_when_one_appears() {
    let mut story = Story::registered();
    story.sees(&[]);
    assert_eq!(story.node.phase(), Phase::Detached);
    story.node.handle_timeout(story.now + Duration::from_secs(600));
    assert!(story.updates().is_empty());
    story.sees(&[lte()]);
    story.opens_what_is_asked();
    assert_eq!(story.last_update().care_of, Some(lte().care_of.into()));
}

#[test]
fn status_176_starts_mhauth_and_the_new_sa_is_registered_while_the_old_one_still_opens() {
    let mut story = Story::registered();
    let sequence = {
        story.node.handle_activity(10, 0, story.now);
        story.now += Duration::from_secs(2);
        story.node.handle_activity(20, 0, story.now);
        story.last_update().sequence
    };
    story.hears(1, 176, sequence);
    assert!(matches!(story.actions()[..], [Action::Bootstrap]));
    story.hears(1, 176, sequence);
    assert!(story.actions().is_empty(), "one run at a time");
    story.is_granted(2);
    let actions = story.actions();
    let [
        Action::Command(Command::Install(_)),
        Action::Command(Command::Move { sending, .. }),
        Action::Command(Command::Signal { spi, .. }),
    ] = &actions[..]
    else {
        panic!("{actions:?}")
    };
    assert_eq!((sending, spi), (&association(2).spi, &association(2).spi));
    story.hears(2, 0, sequence + 1);
    story.actions();
    story.node.handle_timeout(story.now + Duration::from_secs(60));
    let old = association(1).spi;
    assert!(story.actions().iter().any(|action| matches!(action, Action::Command(Command::Uninstall(spi)) if *spi == old)));
}

#[test]
fn a_node_that_hears_what_it_sends_for_does_not_ask() {
    let mut story = Story::registered();
    for second in 0..10 {
        story.now += Duration::from_secs(1);
        story.node.handle_activity(second * 10 + 1, second + 1, story.now);
    }
    assert!(story.updates().is_empty());
}

#[test]
fn an_sa_without_sequence_numbers_left_is_replaced_at_once() {
    let mut story = Story::registered();
    story.node.handle_activity(1, 1, story.now);
    assert!(story.actions().is_empty());
    story.node.counters.count_drop(DropReason::SaExhausted);
    story.node.handle_activity(1, 1, story.now);
    assert!(matches!(story.actions()[..], [Action::Bootstrap]));
    story.node.handle_activity(1, 1, story.now);
    assert!(story.actions().is_empty(), "one run at a time");
}

#[test]
fn binding_updates_that_nobody_answers_lead_to_a_new_mhauth_run() {
    let mut story = Story::registered();
    story.now += Duration::from_secs(480);
    let mut bootstraps = 0;
    for _ in 0..6 {
        story.node.handle_timeout(story.now);
        bootstraps += story.actions().iter().filter(|action| matches!(action, Action::Bootstrap)).count();
        story.now = story.node.poll_timeout().unwrap().0;
    }
    assert_eq!(bootstraps, 1);
}

#[test]
fn a_node_that_leaves_de_registers_and_stops_with_or_without_an_answer() {
    let mut story = Story::registered();
    story.node.handle_down(story.now);
    let update = story.last_update();
    assert_eq!(update.lifetime, Lifetime::ZERO);
    story.hears(1, 0, update.sequence);
    assert!(matches!(story.actions()[..], [Action::Finished]));

    let mut story = Story::registered();
    story.node.handle_down(story.now);
    let mut finished = false;
    while let Some((due, _)) = story.node.poll_timeout().filter(|_| !finished) {
        story.now = due;
        story.node.handle_timeout(due);
        finished = story.actions().iter().any(|action| matches!(action, Action::Finished));
    }
    assert!(finished);
}
