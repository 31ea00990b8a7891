//! Coming home and leaving again (RFC 6275 section 11.5.5), and links that only say that they are home.

use protocol::features::Features;
use protocol::wire::mobility::CareOf;

use super::*;
use crate::home_link::OnLink;

const TOKEN: PathToken = PathToken(*b"athome!!");

fn with_home_link(spi: u32) -> SecurityAssociation {
    SecurityAssociation { features: Features::HOME_LINK, ..association(spi) }
}

fn at_home() -> Attachment {
    Attachment { interface: 3, name: "if3".to_owned(), care_of: protocol::addr::CareOfAddress(ON_LINK.parse().unwrap()), ..lte() }
}

const ON_LINK: &str = "2001:db8:100::abcd";

fn home_link() -> Vec<OnLink> {
    let prefixes = ["2001:db8:100::/64", "10.9.0.0/24"].map(|prefix| prefix.parse().unwrap()).to_vec();
    vec![OnLink { interface: 3, prefixes, gateways: vec!["fe80::1".parse().unwrap()] }]
}

fn steps(actions: &[Action]) -> Vec<&HomeStep> {
    actions.iter().filter_map(|action| if let Action::Home(step) = action { Some(step) } else { None }).collect()
}

fn says_home(update: &BindingUpdate) -> bool {
    let home = with_home_link(1).home.ip6().unwrap();
    (update.lifetime, update.care_of) == (Lifetime::ZERO, Some(CareOf::Ip6(home)))
}

impl Story {
    /// Registered on `wifi`; then a link with the home prefixes comes.
    fn meets_home_link() -> (Self, BindingUpdate) {
        let mut story = Self::registered_with(with_home_link);
        story.node.note_links(home_link());
        story.sees(&[wifi(), at_home()]);
        story.opens_what_is_asked();
        let update = story.last_update();
        (story, update)
    }

    fn is_challenged(&mut self, sequence: u16) {
        self.hears_answer(1, BindingAcknowledgement { path_check: Some(TOKEN), ..acknowledgement(128, sequence) });
    }

    fn comes_home() -> Self {
        let (mut story, update) = Self::meets_home_link();
        story.is_challenged(update.sequence);
        let update = story.last_update();
        story.hears(1, 0, update.sequence);
        assert_eq!(story.node.phase(), Phase::AtHome);
        story
    }
}

#[test]
fn a_node_is_home_when_the_home_agent_has_let_its_binding_go() {
    let (mut story, update) = Story::meets_home_link();
    assert!(says_home(&update) && update.path_check.is_none(), "{update:?}");
    assert_ne!(story.node.phase(), Phase::AtHome, "nobody but the home agent can say so");
    story.is_challenged(update.sequence);
    let actions = story.actions();
    assert!(matches!(steps(&actions)[..], [HomeStep::Arrive(_)]), "the address answers before the home agent lets go of it");
    let update = actions.iter().find_map(|action| story.update(action)).unwrap().1;
    assert!(says_home(&update) && update.path_check == Some(TOKEN));
    story.hears(1, 0, update.sequence);
    let actions = story.actions();
    let [HomeStep::Enter(link, Detect::No)] = steps(&actions)[..] else { panic!("{actions:?}") };
    assert_eq!((&link.attachment, link.home), (&at_home(), with_home_link(1).home));
    assert!(actions.iter().any(|action| matches!(action, Action::Command(Command::Remove(_)))), "there is no tunnel");
    assert_eq!((story.node.phase(), story.node.registered()), (Phase::AtHome, None));
    let (records, _) = story.node.handovers();
    assert_eq!(records.last().map(|record| record.kind), Some(crate::flight_recorder::Kind::ReturnHome));
}

#[test]
fn without_a_binding_the_home_agents_133_says_home_and_the_address_is_looked_for_first() {
    let (mut story, update) = Story::meets_home_link();
    story.hears(1, 133, update.sequence);
    let actions = story.actions();
    assert!(matches!(steps(&actions)[..], [HomeStep::Enter(_, Detect::First)]), "{actions:?}");
    assert_eq!(story.node.phase(), Phase::AtHome);
}

#[test]
fn a_link_that_lies_is_found_out_and_the_node_stays_behind_its_tunnel() {
    let (mut story, update) = Story::meets_home_link();
    story.hears(1, 129, update.sequence);
    let actions = story.actions();
    assert!(matches!(steps(&actions)[..], [HomeStep::Leave]), "{actions:?}");
    story.opens_what_is_asked();
    assert!(!story.node.is_at_home());
    story.passes(1);
    story.node.handle_activity(0, 0, story.now);
    assert!(story.updates().iter().all(|(_, update)| !says_home(update)), "it is not asked again at once");
}

#[test]
fn where_nobody_answers_the_node_registers_as_anywhere_else() {
    let mut story = Story::with(with_home_link);
    story.actions();
    story.is_granted(1);
    story.node.note_links(home_link());
    story.sees(&[at_home()]);
    story.opens_what_is_asked();
    story.runs_for(5);
    assert!(!story.node.is_at_home());
    let sequence = story.node.registration.sequence();
    story.hears(1, 0, sequence);
    let registered = story.node.registered().expect("the network leads to the home agent after all");
    assert_eq!((&registered.attachment, story.node.phase()), (&at_home(), Phase::Registered));
}

/// A Neighbor Solicitation for the home agent may be lost, and is repeated after a second.
#[test]
fn an_answer_that_comes_after_a_second_is_not_too_late_to_be_home() {
    let (mut story, update) = Story::meets_home_link();
    for _ in 0..11 {
        story.now += Duration::from_millis(100);
        story.node.handle_timeout(story.now);
    }
    let last = story.updates().pop().map_or(update.sequence, |(_, update)| update.sequence);
    story.hears(1, 133, last);
    assert!(story.node.is_at_home());
}

#[test]
fn who_never_takes_the_token_back_is_not_believed() {
    let (mut story, mut update) = Story::meets_home_link();
    for _ in 0..=MOST_ANSWERS {
        story.passes(1);
        story.is_challenged(update.sequence);
        match story.updates().pop() {
            Some((_, next)) if says_home(&next) => update = next,
            _ => break,
        }
    }
    assert!(!says_home(&update) || story.updates().is_empty());
    assert!(!story.node.is_at_home() && story.node.home_in_sight().is_none());
}

const MOST_ANSWERS: usize = 8;

#[test]
fn at_home_the_node_asks_again_and_silence_ends_it() {
    let mut story = Story::comes_home();
    story.actions();
    story.runs_for(59);
    assert!(story.updates().is_empty());
    story.passes(1);
    story.node.handle_timeout(story.now);
    let update = story.last_update();
    assert!(says_home(&update));
    story.hears(1, 133, update.sequence);
    let actions = story.actions();
    assert!(matches!(steps(&actions)[..], [HomeStep::Stay]) && story.node.is_at_home(), "{actions:?}");

    let mut left = None;
    for second in 0..70 {
        story.passes(1);
        story.node.handle_timeout(story.now);
        let actions = story.actions();
        if steps(&actions).contains(&&HomeStep::Leave) {
            left = Some(second);
            break;
        }
    }
    assert!(left.is_some_and(|second| (60..66).contains(&second)), "{left:?}");
    assert!(!story.node.is_at_home());
}

#[test]
fn a_node_that_leaves_home_registers_elsewhere() {
    let mut story = Story::comes_home();
    story.actions();
    story.node.note_links(Vec::new());
    story.sees(&[wifi()]);
    let actions = story.actions();
    assert!(matches!(steps(&actions)[..], [HomeStep::Leave]), "{actions:?}");
    let Some(Action::OpenPath { socket, .. }) = actions.iter().find(|action| matches!(action, Action::OpenPath { .. })) else {
        panic!("{actions:?}");
    };
    story.node.handle_path_opened(*socket, true, story.now);
    let actions = story.actions();
    assert!(told(&actions).is_some(), "packets go into the tunnel again");
    let update = actions.iter().find_map(|action| story.update(action)).unwrap().1;
    assert!(!says_home(&update) && update.lifetime != Lifetime::ZERO);
    story.hears(1, 0, update.sequence);
    assert_eq!(story.node.phase(), Phase::Registered);
}

#[test]
fn a_prefix_that_goes_ends_it_where_the_node_is() {
    let mut story = Story::comes_home();
    story.actions();
    story.passes(10);
    story.node.note_links(Vec::new());
    story.sees(&[at_home()]);
    let actions = story.actions();
    assert!(matches!(steps(&actions)[..], [HomeStep::Leave]), "{actions:?}");
    let updates: Vec<_> = actions.iter().filter_map(|action| story.update(action)).collect();
    assert!(!updates.is_empty() && updates.iter().all(|(_, update)| !says_home(update)));
}

#[test]
fn another_router_on_the_link_is_followed_and_after_sleep_everything_is_asked_anew() {
    let mut story = Story::comes_home();
    story.actions();
    let mut others = home_link();
    others[0].gateways = vec!["fe80::2".parse().unwrap()];
    story.node.note_links(others);
    story.sees(&[wifi(), at_home()]);
    assert!(matches!(steps(&story.actions())[..], [HomeStep::Follow(_)]));
    story.passes(10);
    story.node.handle_resume(Duration::from_secs(3600), vec![at_home()], story.now);
    let actions = story.actions();
    assert_eq!(steps(&actions).first(), Some(&&HomeStep::Leave));
    assert!(!story.node.is_at_home() && actions.iter().filter_map(|action| story.update(action)).any(|(_, one)| says_home(&one)));
}

#[test]
fn a_home_agent_without_a_home_link_and_a_router_are_not_for_going_home() {
    let mut story = Story::registered();
    story.node.note_links(home_link());
    story.sees(&[wifi(), at_home()]);
    assert!(story.actions().is_empty(), "the network in use works");
    let mut story = Story::with(with_home_link);
    story.node.be_router(crate::config::MobileRouter { lan: "lan".to_owned() });
    story.is_granted(1);
    story.node.note_links(home_link());
    story.sees(&[at_home()]);
    assert_eq!(story.node.home_in_sight(), None);
}

#[test]
fn a_node_that_is_stopped_at_home_has_nothing_to_take_leave_of() {
    let mut story = Story::comes_home();
    story.actions();
    story.node.handle_down(story.now);
    assert!(matches!(story.actions()[..], [Action::Finished]));
}

#[test]
fn an_sa_that_ends_ends_it_and_one_that_follows_does_not() {
    let mut story = Story::comes_home();
    story.actions();
    story.passes(10);
    story.is_granted(2);
    assert!(story.node.is_at_home() && steps(&story.actions()).is_empty());
    story.runs_for(86_500);
    assert!(!story.node.is_at_home());
}
