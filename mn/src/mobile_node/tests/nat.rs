//! Behind a NAT: path check and keepalives (PROFILE's words: the new source is unproved, the mapping is kept alive).

use super::*;

const TOKEN: PathToken = PathToken(*b"12345678");
const NAT: NatDetection = NatDetection { refresh_seconds: 110 };
/// Less than what is believed to hold everywhere: nothing is tried.
const SHORT: NatDetection = NatDetection { refresh_seconds: 10 };

fn with_token(sequence: u16, token: PathToken) -> BindingAcknowledgement {
    BindingAcknowledgement { nat: Some(NAT), path_check: Some(token), ..acknowledgement(0, sequence) }
}

/// Moves, and gives the Binding Update's sequence number.
fn moves(story: &mut Story) -> u16 {
    story.sees(&[lte()]);
    story.opens_what_is_asked();
    story.last_update().sequence
}

#[test]
fn the_first_acknowledgement_binds_and_its_token_goes_back_from_where_it_came_before_any_route_is_set() {
    let mut story = Story::registered();
    let sequence = moves(&mut story);
    story.hears_answer(1, with_token(sequence, TOKEN));
    assert_eq!(story.node.phase(), Phase::Registered);
    let actions = story.actions();
    let [signal, Action::Registered(registered)] = &actions[..] else { panic!("{actions:?}") };
    assert!(registered.nat && registered.attachment == lte());
    let (path, update) = story.update(signal).unwrap();
    assert_eq!((path.socket, update.sequence, update.path_check), (SocketId(1), sequence + 1, Some(TOKEN)));
}

#[test]
fn a_token_goes_back_as_two_datagrams_and_once_the_path_is_proved_one_is_enough() {
    let mut story = Story::registered();
    let sequence = moves(&mut story);
    story.hears_answer(1, with_token(sequence, TOKEN));
    assert_eq!(story.copies(), [2], "the downlink has only its allowance until then");
    story.hears_last();
    story.passes(10);
    story.hears_refresh_request(1);
    assert_eq!(story.copies(), [1]);
}

#[test]
fn the_token_is_repeated_until_an_acknowledgement_comes_without_one() {
    let mut story = Story::registered();
    let sequence = moves(&mut story);
    story.hears_answer(1, with_token(sequence, TOKEN));
    story.actions();
    story.now = story.node.poll_timeout().unwrap().0;
    story.node.handle_timeout(story.now);
    let repeated = story.last_update();
    assert_eq!((repeated.sequence, repeated.path_check), (sequence + 2, Some(TOKEN)), "a retransmission");
    let other = PathToken(*b"abcdefgh");
    story.passes(1);
    story.hears_answer(1, with_token(repeated.sequence, other));
    let again = story.last_update();
    assert_eq!(again.path_check, Some(other), "the newest counts");
    story.hears(1, 0, again.sequence);
    story.passes(10);
    story.hears_refresh_request(1);
    assert_eq!(story.last_update().path_check, None);
}

#[test]
fn a_token_is_forgotten_on_a_move_and_one_that_comes_late_on_the_old_socket_is_not_taken() {
    let mut story = Story::registered();
    let sequence = moves(&mut story);
    story.hears_answer(1, with_token(sequence, TOKEN));
    story.passes(10);
    story.sees(&[wifi()]);
    story.opens_what_is_asked();
    let update = story.last_update();
    assert_eq!(update.path_check, None);
    story.hears_on(SocketId(1), 1, MobilityMessage::BindingAcknowledgement(with_token(update.sequence, TOKEN)));
    assert!(story.updates().is_empty());
    story.hears_refresh_request(1);
    assert_eq!(story.last_update().path_check, None);
}

#[test]
fn a_home_agent_that_is_never_content_with_its_token_makes_no_loop() {
    let mut story = Story::registered();
    let mut sequence = moves(&mut story);
    let (mut updates, start) = (Vec::new(), story.now);
    while story.now - start < Duration::from_secs(60) {
        story.hears_answer(1, with_token(sequence, TOKEN));
        assert_eq!(story.node.phase(), Phase::Registered);
        let update = loop {
            if let Some((_, update)) = story.updates().pop() {
                break update;
            }
            story.now = story.node.poll_timeout().unwrap().0;
            story.node.handle_timeout(story.now);
        };
        sequence = update.sequence;
        updates.push((story.now - start).as_millis());
    }
    // Three to the second; then three in a row are over, and the intervals double.
    assert_eq!(updates, [0, 0, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000]);
}

#[test]
fn a_quiet_node_behind_a_nat_sends_dummies_and_expects_no_answer() {
    let mut story = Story::registered();
    story.hears_refresh_request(1);
    let sequence = story.last_update().sequence;
    story.hears_answer(1, BindingAcknowledgement { nat: Some(SHORT), ..acknowledgement(0, sequence) });
    story.actions();
    let mut keepalives = 0;
    for _ in 0..35 {
        for action in story.is_quiet_for(1) {
            let Action::Command(Command::Keepalive { spi, path }) = action else { panic!("{action:?}") };
            assert_eq!((spi, path.socket), (association(1).spi, SocketId(0)));
            keepalives += 1;
            story.sent += 1;
        }
    }
    assert_eq!((keepalives, story.node.keepalives()), (3, 3), "at about 10, 21 and 32 seconds");
}

#[test]
fn a_silence_that_is_tried_ends_with_a_binding_update_whose_answer_says_whether_it_was_too_long() {
    let answers = |is_new: bool| {
        let mut story = Story::registered();
        story.hears_refresh_request(1);
        let mut sequence = story.last_update().sequence;
        story.hears_answer(1, BindingAcknowledgement { nat: Some(NAT), ..acknowledgement(0, sequence) });
        story.actions();
        let before = story.node.keepalive_interval().unwrap();
        let actions = story.is_quiet_for(23);
        sequence = actions.iter().find_map(|action| story.update(action)).unwrap().1.sequence;
        let path_check = is_new.then_some(PathToken([7; 8]));
        story.hears_answer(1, BindingAcknowledgement { nat: Some(NAT), path_check, ..acknowledgement(0, sequence) });
        (before.as_secs(), story.node.keepalive_interval().unwrap().as_secs())
    };
    assert_eq!((answers(false), answers(true)), ((22, 34), (22, 19)));
}

#[test]
fn a_keepalive_puts_no_new_binding_update_in_the_place_of_one_that_nobody_answers() {
    for sa in [association, unnumbered] {
        let mut story = Story::registered_with(sa);
        story.hears_refresh_request(1);
        let sequence = story.last_update().sequence;
        story.hears_answer(1, BindingAcknowledgement { nat: Some(NAT), ..acknowledgement(0, sequence) });
        story.actions();
        story.node.send_binding_update(true, story.now);
        story.runs(1_000);
        assert_eq!(story.node.phase(), Phase::Registering);
        for _ in 0..120 {
            story.runs(500);
            story.node.handle_activity(story.sent, story.received, story.now);
            assert_eq!(story.node.phase(), Phase::Registering);
        }
        assert!(story.node.keepalives() > 0, "none was due");
    }
}

fn unnumbered(spi: u32) -> SecurityAssociation {
    SecurityAssociation {
        profile: protocol::profile::WireProfile::Draft04,
        user_data: protocol::sa::UserData::Clear,
        ..association(spi)
    }
}

#[test]
fn a_node_that_sends_or_moves_or_sees_no_nat_sends_no_keepalives() {
    let mut story = Story::registered();
    assert!(story.is_quiet_for(400).is_empty(), "no NAT");
    story.hears_refresh_request(1);
    let sequence = story.last_update().sequence;
    story.hears_answer(1, BindingAcknowledgement { nat: Some(NAT), ..acknowledgement(0, sequence) });
    story.actions();
    for _ in 0..30 {
        story.sent += 1;
        story.received += 1;
        assert!(story.is_quiet_for(15).is_empty());
    }
    moves(&mut story);
    assert!(story.is_quiet_for(400).iter().all(|action| !matches!(action, Action::Command(Command::Keepalive { .. }))));
}

#[test]
fn under_an_sa_that_is_not_numbered_the_keepalive_is_a_binding_update() {
    let mut story = Story::registered_with(unnumbered);
    story.hears_refresh_request(1);
    let sequence = story.last_update().sequence;
    story.hears_answer(1, BindingAcknowledgement { nat: Some(SHORT), ..acknowledgement(0, sequence) });
    story.actions();
    let actions = story.is_quiet_for(12);
    assert!(actions.iter().all(|action| !matches!(action, Action::Command(Command::Keepalive { .. }))));
    assert_eq!(actions.iter().filter_map(|action| story.update(action)).count(), 1);
}
