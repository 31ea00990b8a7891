//! Another address family, or another network, when the home agent does not answer (RFC 5555 section 4.4.1), and back again.

use protocol::features::Features;
use protocol::wire::mobility::{BindingId, BindingIdentifier, BindingIdentifiers};

use super::make_before_break::{led, response};
use super::*;

/// An SA of a home agent that answers Heartbeats and takes several care-of addresses.
fn able(spi: u32) -> SecurityAssociation {
    SecurityAssociation { features: Features::MCOA.or(Features::HEARTBEAT), ..association(spi) }
}

fn ipv6() -> Attachment {
    lte()
}

/// On the same interface, at a better metric.
fn ipv4() -> Attachment {
    Attachment { interface: lte().interface, metric: 1, ..wifi() }
}

impl Story {
    /// The home agent acknowledges the last Binding Update, its number included if it has one.
    fn is_acknowledged(&mut self) {
        let update = self.last_update();
        let identifier = match update.identifiers {
            BindingIdentifiers::One(one) => Some(BindingIdentifier::of(BindingId::new(one.id.get()).unwrap())),
            BindingIdentifiers::None | BindingIdentifiers::Several | BindingIdentifiers::Malformed => None,
        };
        self.hears_answer(1, BindingAcknowledgement { identifier, ..acknowledgement(0, update.sequence) });
        self.actions();
    }

    fn attached(&self) -> Option<&Attachment> {
        self.node.handover.current().map(|(_, attachment)| attachment)
    }

    /// The sockets that are to be opened are; gives those of `attachment`.
    fn opens(&mut self, actions: &[Action], attachment: &Attachment) -> Option<SocketId> {
        let mut of_it = None;
        for action in actions {
            let Action::OpenPath { socket, attachment: wanted } = action else { continue };
            self.node.handle_path_opened(*socket, true, self.now);
            of_it = of_it.or((wanted == attachment).then_some(*socket));
        }
        of_it
    }

    fn answers_question_on(&mut self, socket: SocketId) {
        self.hears_on(socket, 1, response(0x8000_0000 | u32::from(socket.0)));
    }

    /// A look each half second, as the runtime does, until this is to be asked about: after how many seconds, and on which socket. Less
    /// than the binding lasts.
    fn waits_for_question(&mut self, about: &Attachment) -> (u64, SocketId) {
        for half in 1..=600 {
            let _probes_of_the_paths_mtu = self.runs(500);
            self.node.handle_activity(0, 0, self.now);
            let actions = self.actions();
            if let Some(socket) = self.opens(&actions, about) {
                assert!(matches!(self.actions()[..], [Action::Command(Command::Signal { .. })]), "the question");
                return (half / 2, socket);
            }
        }
        panic!("it is not asked about");
    }
}

/// With IPv4 and IPv6 on one interface, and nothing that comes back over IPv6: registered over IPv4.
fn fallen_back(sa: fn(u32) -> SecurityAssociation) -> Story {
    let mut story = Story::with(sa);
    story.actions();
    story.is_granted(1);
    story.sees(&[ipv4(), ipv6()]);
    let actions = story.actions();
    assert!(story.opens(&actions, &ipv6()).is_some(), "IPv6 is not tried first");
    story.actions();
    let start = story.now;
    let actions = story.runs(1_000);
    let socket = story.opens(&actions, &ipv4()).expect("IPv4 is not asked after the first timeout");
    story.actions();
    story.answers_question_on(socket);
    assert_eq!((story.attached(), story.now - start), (Some(&ipv4()), Duration::from_secs(1)));
    story.is_acknowledged();
    assert_eq!(story.node.phase(), Phase::Registered);
    story
}

#[test]
fn where_nothing_comes_back_over_ipv6_the_node_registers_over_ipv4_and_stays_there() {
    let mut story = fallen_back(able);
    for _ in 0..100 {
        story.runs(500);
        story.node.handle_activity(0, 0, story.now);
        let actions = story.actions();
        assert!(led(&actions).is_none() && story.opens(&actions, &ipv6()).is_none());
    }
}

#[test]
fn ipv6_is_asked_about_after_a_minute_and_used_again_over_both_when_it_answers() {
    let mut story = fallen_back(able);
    let (after, socket) = story.waits_for_question(&ipv6());
    assert_eq!((after, story.attached()), (60, Some(&ipv4())));
    let over_ipv4 = story.node.handover.current().unwrap().0;
    story.answers_question_on(socket);
    assert_eq!(led(&story.actions()), Some(vec![socket.0, over_ipv4.0]), "nothing is lost by it");
    assert_eq!(story.attached(), Some(&ipv6()));
}

#[test]
fn ipv6_that_goes_on_giving_no_answer_is_asked_about_ever_more_seldom() {
    let mut story = fallen_back(able);
    let asked: Vec<_> = (0..3).map(|_| story.waits_for_question(&ipv6()).0).collect();
    assert_eq!(asked, [60, 122, 242]);
    assert_eq!(story.attached(), Some(&ipv4()));
}

#[test]
fn at_a_home_agent_that_takes_one_care_of_address_the_node_stays_where_it_works() {
    fn answering(spi: u32) -> SecurityAssociation {
        SecurityAssociation { features: Features::HEARTBEAT, ..association(spi) }
    }
    let mut story = fallen_back(answering);
    let (_, socket) = story.waits_for_question(&ipv6());
    story.answers_question_on(socket);
    assert!(led(&story.actions()).is_none());
    assert!(story.node.avoided.attachments().is_empty(), "the next network that goes may be left for it");
}

/// Over which the home agent is asked when nothing comes back from the first of these, in their order.
fn asked_of(usable: &[Attachment]) -> Vec<Attachment> {
    let mut story = Story::with(able);
    story.actions();
    story.is_granted(1);
    story.sees(&usable[..1]);
    story.opens_what_is_asked();
    story.is_acknowledged();
    story.passes(10);
    story.sees(usable);
    assert!(story.actions().is_empty());
    story.node.send_binding_update(true, story.now);
    story.actions();
    let actions = story.runs(100);
    let asked = |action: &Action| {
        let Action::OpenPath { attachment, .. } = action else { return None };
        Some(attachment.clone())
    };
    actions.iter().filter_map(asked).collect()
}

fn on(interface: u32, ip: &str) -> Attachment {
    Attachment {
        interface,
        name: format!("if{interface}"),
        care_of: protocol::addr::CareOfAddress(ip.parse().unwrap()),
        ..wifi()
    }
}

#[test]
fn other_networks_and_families_are_asked_before_a_second_address_of_one_is() {
    let deprecated = Attachment { deprecated: true, ..on(2, "2001:db8:2::5") };
    let usable = [
        on(1, "2001:db8:1::7"),
        on(1, "fd00:1::7"),
        on(1, "2001:db8:1::8"),
        on(1, "198.51.100.7"),
        deprecated.clone(),
        on(2, "2001:db8:2::7"),
        on(2, "192.0.2.7"),
    ];
    assert_eq!(asked_of(&usable), [usable[5].clone(), usable[6].clone(), usable[3].clone()]);
    let alone = [&usable[..3], &[deprecated]].concat();
    assert_eq!(asked_of(&alone), [alone[3].clone(), alone[1].clone(), alone[2].clone()], "what there is");
}

#[test]
fn a_network_that_has_gone_is_asked_no_more_and_leaves_its_turn_to_another() {
    let gone = [on(1, "2001:db8:1::7"), on(2, "192.0.2.7"), on(3, "192.0.2.8"), on(4, "192.0.2.9")];
    let mut story = Story::with(able);
    story.actions();
    story.is_granted(1);
    story.sees(&gone);
    story.opens_what_is_asked();
    let actions = story.runs(1_000);
    assert!(story.opens(&actions, &gone[3]).is_some(), "{actions:?}");
    let later = on(5, "192.0.2.10");
    story.sees(&[gone[0].clone(), later.clone()]);
    let actions = story.runs(2_500);
    assert!(story.opens(&actions, &later).is_some(), "{actions:?}");
}

#[test]
fn a_silent_network_is_asked_again_with_each_binding_update_and_what_had_been_silent_before_as_well() {
    let mut story = fallen_back(able);
    story.node.send_binding_update(true, story.now);
    story.actions();
    let actions = story.runs(1_000);
    let socket = story.opens(&actions, &ipv6()).expect("what was avoided is not asked");
    let asks = |actions: &[Action]| {
        let on = |action: &&Action| {
            let Action::Command(Command::Signal { paths, .. }) = action else { return false };
            paths.iter().next().is_some_and(|path| path.socket == socket)
        };
        actions.iter().filter(on).count()
    };
    let mut questions = asks(&story.actions());
    for _ in 0..10 {
        questions += asks(&story.runs(1_000));
    }
    assert!((3..=8).contains(&questions), "{questions}");
    story.answers_question_on(socket);
    assert_eq!(story.attached(), Some(&ipv6()));
}
