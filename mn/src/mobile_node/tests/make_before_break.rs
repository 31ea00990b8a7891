//! Moving while both networks are up (RFC 5648): what the home agent is told, and over which of them packets go.

use protocol::features::Features;
use protocol::sa::UserData;
use protocol::tunnel::Paths;
use protocol::wire::mobility::{BindingId, BindingIdentifier, BindingIdentifiers};

use super::*;

fn several(spi: u32) -> SecurityAssociation {
    SecurityAssociation { features: Features::MCOA.or(Features::RESEND), ..association(spi) }
}

/// A better network than the one in use.
fn better() -> Attachment {
    Attachment { metric: 1, ..lte() }
}

/// The sockets over which packets go from now on, and whether they are protected.
pub(super) fn led(actions: &[Action]) -> Option<Vec<u8>> {
    actions.iter().rev().find_map(|action| {
        let Action::Command(Command::Move { paths, .. }) = action else { return None };
        Some(paths.iter().map(|path| path.socket.0).collect())
    })
}

/// Number and O flag of a Binding Update.
fn number(update: &BindingUpdate) -> Option<(u16, bool)> {
    let BindingIdentifiers::One(BindingIdentifier { id, .. }) = update.identifiers else { return None };
    Some((id.get(), update.overwrite))
}

fn answer(status: u8, update: &BindingUpdate) -> BindingAcknowledgement {
    let identifier = number(update).map(|(id, _)| BindingIdentifier::of(BindingId::new(id).unwrap()));
    BindingAcknowledgement { identifier, ..acknowledgement(status, update.sequence) }
}

impl Story {
    /// Registered over `wifi` at a home agent that takes several care-of addresses.
    fn registered_at_several() -> Self {
        let mut story = Self::with(several);
        story.actions();
        story.is_granted(1);
        story.sees(&[wifi()]);
        story.opens_what_is_asked();
        let update = story.last_update();
        assert_eq!(number(&update), Some((1, true)), "RFC 5648 section 5.9");
        story.hears_answer(1, answer(0, &update));
        story.actions();
        story.passes(10);
        story
    }

    /// A better network has come, and its socket is open: the Binding Update and where packets go.
    fn moves_to_better(&mut self) -> (BindingUpdate, Option<Vec<u8>>) {
        self.sees(&[wifi(), better()]);
        self.opens_what_is_asked();
        let actions = self.actions();
        let update = actions.iter().find_map(|action| self.update(action)).unwrap().1;
        (update, led(&actions))
    }

    /// Everything that is due within so many milliseconds.
    pub(super) fn runs(&mut self, milliseconds: u64) -> Vec<Action> {
        let end = self.now + Duration::from_millis(milliseconds);
        let mut actions = Vec::new();
        while let Some((due, _)) = self.node.poll_timeout().filter(|(due, _)| *due <= end) {
            self.now = self.now.max(due);
            self.node.handle_timeout(self.now);
            actions.extend(self.actions());
        }
        self.now = end;
        actions
    }

    fn numbers(&self, actions: &[Action]) -> Vec<Option<(u16, bool)>> {
        actions.iter().filter_map(|action| self.update(action)).map(|(_, update)| number(&update)).collect()
    }
}

#[test]
fn packets_go_over_both_until_the_new_network_has_been_acknowledged_for_a_quarter_of_a_second() {
    let mut story = Story::registered_at_several();
    story.node.counters.note_highest(association(1).spi, 41);
    let (update, paths) = story.moves_to_better();
    assert_eq!((number(&update), paths), (Some((2, false)), Some(vec![1, 0])));
    assert_eq!(update.received, None, "nothing is lost that would have to be sent again");
    assert_eq!(story.node.phase(), Phase::Registered, "the old binding stands");
    assert!(led(&story.runs(40)).is_none());
    story.hears_answer(1, answer(0, &update));
    assert!(story.actions().iter().any(|action| matches!(action, Action::Registered(of) if of.attachment == better())));
    assert!(led(&story.runs(249)).is_none(), "what is on its way over the old network still comes");
    let actions = story.runs(1);
    assert_eq!((led(&actions), story.numbers(&actions)), (Some(vec![1]), vec![Some((2, true))]), "all else ends");
}

#[test]
fn a_network_that_is_not_better_is_left_alone_and_a_plain_home_agents_node_stays_where_it_is() {
    let mut story = Story::registered_at_several();
    story.sees(&[wifi(), lte()]);
    assert!(story.actions().is_empty());
    let mut story = Story::registered();
    story.sees(&[wifi(), better()]);
    assert!(story.actions().is_empty());
}

#[test]
fn a_better_network_that_does_not_lead_to_the_home_agent_costs_nothing_and_is_left_alone_for_a_minute() {
    let mut story = Story::registered_at_several();
    story.moves_to_better();
    let actions = story.runs(1_000);
    assert_eq!(led(&actions), Some(vec![0]), "back over the old network alone");
    assert_eq!(story.numbers(&actions).last(), Some(&Some((1, true))));
    assert_eq!(bootstraps(&actions), 0);
    let sequence = story.node.registration.sequence();
    let id = BindingIdentifier::of(BindingId::new(1).unwrap());
    story.hears_answer(1, BindingAcknowledgement { identifier: Some(id), ..acknowledgement(0, sequence) });
    story.actions();
    assert_eq!(story.node.phase(), Phase::Registered);
    story.node.handle_activity(0, 0, story.now);
    assert!(story.actions().is_empty(), "not again at once");
    story.passes(60);
    story.node.handle_activity(0, 0, story.now);
    assert!(matches!(story.actions()[..], [Action::OpenPath { .. }]), "but after a minute");
}

#[test]
fn when_the_old_network_goes_during_the_move_the_home_agent_is_told_at_once() {
    let mut story = Story::registered_at_several();
    let (update, _) = story.moves_to_better();
    story.sees(&[better()]);
    let actions = story.actions();
    assert_eq!((led(&actions), story.numbers(&actions)), (Some(vec![1]), vec![Some((2, true))]));
    story.hears_answer(1, answer(0, &update));
    assert!(story.node.registration.unanswered() == 1, "that is not the last Binding Update any more");
}

#[test]
fn when_the_new_network_goes_during_the_move_the_node_goes_back() {
    let mut story = Story::registered_at_several();
    let (update, _) = story.moves_to_better();
    story.hears_answer(1, answer(0, &update));
    story.actions();
    story.sees(&[wifi()]);
    let actions = story.actions();
    assert_eq!((led(&actions), story.numbers(&actions)), (Some(vec![0]), vec![Some((1, true))]));
    assert!(story.runs(250).iter().all(|action| matches!(action, Action::ClosePath(_)) || story.update(action).is_some()));
}

#[test]
fn a_move_that_begins_during_another_keeps_what_the_home_agent_has_acknowledged() {
    let third = Attachment { interface: 9, metric: 0, ..wifi() };
    for is_acknowledged in [false, true] {
        let mut story = Story::registered_at_several();
        let (update, _) = story.moves_to_better();
        if is_acknowledged {
            story.hears_answer(1, answer(0, &update));
            story.actions();
        }
        story.sees(&[wifi(), better(), third.clone()]);
        story.opens_what_is_asked();
        assert_eq!(led(&story.actions()), Some(vec![2, u8::from(is_acknowledged)]));
    }
}

#[test]
fn where_a_token_is_awaited_the_old_network_is_used_until_it_has_been_given_back() {
    let mut story = Story::registered_at_several();
    let (update, _) = story.moves_to_better();
    story.hears_answer(1, BindingAcknowledgement { path_check: Some(PathToken([1; 8])), ..answer(0, &update) });
    let actions = story.actions();
    let (_, given_back) = actions.iter().find_map(|action| story.update(action)).unwrap();
    assert_eq!((number(&given_back), given_back.path_check), (Some((2, false)), Some(PathToken([1; 8]))));
    assert!(led(&story.runs(40)).is_none());
    story.hears_answer(1, answer(0, &given_back));
    assert_eq!(led(&story.runs(250)), Some(vec![1]));
}

#[test]
fn a_home_agent_that_says_nothing_of_the_number_or_refuses_it_is_spoken_to_without() {
    for status in [0, 164, 165, 166, 168] {
        let mut story = Story::registered_at_several();
        let (update, _) = story.moves_to_better();
        let said = if status == 0 { acknowledgement(0, update.sequence) } else { answer(status, &update) };
        story.hears_answer(1, said);
        let actions = story.actions();
        assert_eq!((led(&actions), story.numbers(&actions)), (Some(vec![1]), vec![None]), "{status}");
    }
}

#[test]
fn where_copies_cannot_be_told_there_are_none() {
    fn clear(spi: u32) -> SecurityAssociation {
        SecurityAssociation { user_data: UserData::Clear, ..several(spi) }
    }
    let mut story = Story::registered_with(clear);
    story.sees(&[wifi(), better()]);
    assert!(story.actions().is_empty());
}

#[test]
fn a_move_after_a_break_replaces_what_the_home_agent_has() {
    let mut story = Story::registered_at_several();
    story.sees(&[lte()]);
    story.opens_what_is_asked();
    let actions = story.actions();
    assert_eq!((led(&actions), story.numbers(&actions)), (Some(vec![1]), vec![Some((2, true))]));
}

#[test]
fn an_address_that_becomes_deprecated_is_left_over_both() {
    let mut story = Story::registered_at_several();
    let old = Attachment { deprecated: true, ..wifi() };
    let new = Attachment { care_of: protocol::addr::CareOfAddress([198, 51, 100, 99].into()), ..wifi() };
    story.sees(&[new, old]);
    story.opens_what_is_asked();
    assert_eq!(led(&story.actions()), Some(vec![1, 0]));
}

#[test]
fn where_a_network_does_not_answer_another_one_is_tried_after_three_binding_updates() {
    let mut story = Story::registered();
    story.sees(&[wifi(), lte()]);
    story.node.send_binding_update(true, story.now);
    story.actions();
    let mut opened = None;
    while opened.is_none() {
        let (due, _) = story.node.poll_timeout().unwrap();
        story.now = due;
        story.node.handle_timeout(due);
        opened = story.actions().into_iter().find_map(|action| {
            let Action::OpenPath { attachment, .. } = action else { return None };
            Some(attachment)
        });
    }
    assert_eq!((opened, story.node.registration.unanswered()), (Some(lte()), 3));
}

#[test]
fn who_leaves_ends_all_bindings() {
    let mut story = Story::registered_at_several();
    story.moves_to_better();
    story.node.handle_down(story.now);
    let update = story.last_update();
    assert_eq!((number(&update), update.lifetime), (None, Lifetime::ZERO));
}

#[test]
fn paths_that_are_used_are_two_and_no_more() {
    let mut story = Story::registered_at_several();
    story.moves_to_better();
    assert_eq!(story.node.paths().as_ref().map(Paths::are_several), Some(true));
}

/// An SA of a home agent that answers Heartbeats.
pub(super) fn answering(spi: u32) -> SecurityAssociation {
    SecurityAssociation { features: Features::HEARTBEAT, ..association(spi) }
}

/// At a home agent that answers Heartbeats, over a network on which nothing comes back.
fn asking() -> (Story, SocketId, u32) {
    let mut story = Story::registered_with(answering);
    story.sees(&[wifi(), lte()]);
    story.node.send_binding_update(true, story.now);
    story.actions();
    let actions = story.runs(1_000);
    let socket = actions.iter().find_map(|action| {
        let Action::OpenPath { socket, attachment } = action else { return None };
        (*attachment == lte()).then_some(*socket)
    });
    let socket = socket.expect("the other network is not asked after the first timeout");
    story.node.handle_path_opened(socket, true, story.now);
    let question = story.actions().into_iter().find_map(|action| {
        let Action::Command(Command::Signal { paths, payload, .. }) = action else { return None };
        Some((paths.iter().next()?.socket, payload))
    });
    let (asked_on, payload) = question.expect("it is not asked");
    let Ends { source, destination } = ends_at_mobile_node(&answering(1));
    match MobilityMessage::parse(&payload, Ends { source: destination, destination: source }) {
        Ok(MobilityMessage::Heartbeat(request)) => {
            assert_eq!(asked_on, socket);
            (story, socket, request.sequence)
        }
        other => panic!("{other:?} is no Heartbeat"),
    }
}

pub(super) fn response(sequence: u32) -> MobilityMessage {
    let kind = protocol::wire::mobility::HeartbeatKind::Response;
    MobilityMessage::Heartbeat(protocol::wire::mobility::Heartbeat { kind, sequence, path_mtu: None, len: 16 })
}

#[test]
fn while_a_network_is_silent_the_others_are_asked_and_the_first_that_answers_is_used() {
    let (mut story, socket, sequence) = asking();
    story.hears_on(socket, 1, response(sequence));
    assert_eq!(led(&story.actions()), Some(vec![socket.0]));
    let actions = story.runs(1_000);
    assert!(actions.iter().filter_map(|action| story.update(action)).any(|(path, _)| path.socket == socket));
}

#[test]
fn a_network_that_answers_after_all_is_kept_and_the_question_is_over() {
    let (mut story, socket, sequence) = asking();
    story.hears_last();
    story.hears_on(socket, 1, response(sequence));
    assert!(led(&story.actions()).is_none());
    assert!(story.runs(3_000).iter().any(|action| matches!(action, Action::ClosePath(closed) if *closed == socket)));
}

#[test]
fn each_move_is_recorded_with_how_it_was_made_and_what_became_of_it() {
    use crate::flight_recorder::{Kind, Outcome};
    let mut story = Story::registered_at_several();
    let (update, _) = story.moves_to_better();
    story.runs(40);
    story.hears_answer(1, answer(0, &update));
    story.node.handle_event(&Event::Heard(SocketId(1)), story.now);
    story.actions();
    story.runs(2_000);
    story.sees(&[lte()]);
    let records: Vec<_> = story.node.handovers().0.cloned().collect();
    assert_eq!(records.iter().map(|record| record.kind).collect::<Vec<_>>(), [Kind::Attach, Kind::MakeBeforeBreak]);
    let record = &records[1];
    let after = |at: Option<Instant>| at.map(|at| (at - record.noticed).as_millis());
    let times = [record.updated, record.acknowledged, record.heard, record.ended].map(after);
    assert_eq!((times, record.updates, record.outcome), ([0, 40, 40, 290].map(Some), 1, Outcome::Done));
}
