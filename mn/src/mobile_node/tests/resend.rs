//! What a break has lost: sent again at the node, and asked for at the home agent.

use protocol::features::Features;
use protocol::wire::mobility::HighestReceived;

use super::*;

fn resending(spi: u32) -> SecurityAssociation {
    SecurityAssociation { features: Features::RESEND, ..association(spi) }
}

impl Story {
    /// Under this SA the tunnel has received this and nothing higher.
    fn has_heard(&self, spi: u32, sequence: u32) {
        let spi = association(spi).spi;
        self.node.counters.note_highest(spi, sequence);
    }

    /// The attachment in use goes, and this one is there.
    fn breaks_to(&mut self, attachment: Attachment) -> Vec<Action> {
        self.sees(&[attachment]);
        let asked = self.actions();
        let [Action::OpenPath { socket, .. }] = asked[..] else { panic!("{asked:?}") };
        self.node.handle_path_opened(socket, true, self.now);
        self.actions()
    }

    fn received(&self, actions: &[Action]) -> Option<HighestReceived> {
        actions.iter().find_map(|action| self.update(action)).expect("no Binding Update").1.received
    }
}

/// From when on the node sends again what it has sent.
fn resent_since(actions: &[Action]) -> Option<Instant> {
    actions.iter().find_map(|action| {
        let Action::Command(Command::Resend { since, above: None, .. }) = action else { return None };
        Some(*since)
    })
}

#[test]
fn behind_a_break_each_binding_update_says_how_far_the_home_agent_was_heard_before_until_one_is_acknowledged() {
    let mut story = Story::registered_with(resending);
    story.has_heard(1, 41);
    let actions = story.breaks_to(lte());
    assert_eq!(story.received(&actions), Some(HighestReceived(41)));
    story.has_heard(1, 90);
    let (due, _) = story.node.poll_timeout().unwrap();
    story.now = due;
    story.node.handle_timeout(due);
    assert_eq!(story.last_update().received, Some(HighestReceived(41)), "what comes meanwhile is of the new path");
    story.hears_last();
    story.passes(10);
    story.node.send_binding_update(true, story.now);
    assert_eq!(story.last_update().received, None);
}

#[test]
fn the_first_of_two_breaks_in_a_row_counts_and_an_sa_that_has_a_successor_does_not() {
    let mut story = Story::registered_with(resending);
    story.has_heard(1, 41);
    story.breaks_to(lte());
    story.has_heard(1, 50);
    let actions = story.breaks_to(wifi());
    assert_eq!(story.received(&actions), Some(HighestReceived(41)));
    story.hears_last();
    story.has_heard(2, 7);
    let actions = story.breaks_to(lte());
    assert_eq!(story.received(&actions), None, "nothing is known of the SA in use");
}

#[test]
fn a_plain_home_agent_sees_nothing_of_it() {
    let mut plain = Story::registered();
    plain.has_heard(1, 41);
    let actions = plain.breaks_to(lte());
    assert!(plain.received(&actions).is_none() && resent_since(&actions).is_some(), "its own the node sends again all the same");
}

#[test]
fn the_node_sends_again_what_it_sent_since_the_break_began_and_what_may_have_waited_then() {
    let ms = Duration::from_millis;
    let mut story = Story::registered_with(resending);
    let actions = story.breaks_to(lte());
    assert_eq!(resent_since(&actions), Some(story.now - ms(5)), "there was no hole");
    for (hole, since) in [(ms(200), ms(205)), (ms(2_000), ms(500))] {
        story.passes(10);
        story.sees(&[]);
        story.actions();
        story.now += hole;
        let actions = story.breaks_to(wifi());
        assert_eq!(resent_since(&actions), Some(story.now - since), "a hole of {hole:?}");
        story.hears_last();
    }
}

#[test]
fn who_is_mapped_anew_by_a_nat_asks_for_what_went_to_the_old_mapping() {
    let mut story = Story::registered_with(resending);
    story.has_heard(1, 41);
    let token = Some(PathToken([7; 8]));
    story.hears_on(SocketId(0), 1, MobilityMessage::BindingRefreshRequest(BindingRefreshRequest { path_check: token }));
    assert_eq!(story.last_update().received, Some(HighestReceived(41)));
}
