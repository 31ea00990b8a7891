//! What was on the wire once comes again: doubled on the way, late, recorded and played back.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use mn::mobile_node::Phase;
use protocol::sa::{CipherSuite, UserData};
use protocol::tunnel::DropReason;
use tests::sim::{Access, Datagram, Options, World};

use super::{SECOND, Traffic, down, registered, registered_with, up};

#[test]
fn doubled_and_reordered_datagrams_are_delivered_once_each() {
    for suite in CipherSuite::ALL {
        let mut world = registered(suite);
        world.network.doubles = Box::new(|number| number % 3 == 0);
        world.network.detains = Box::new(|number| Duration::from_micros(number * 7_919 % 30_000));
        let (mut sent, mut answers) = (BTreeSet::new(), BTreeSet::new());
        for number in 0_u32..100 {
            sent.insert(up(&world, &number.to_be_bytes()));
            world.mobile_node_sends(&up(&world, &number.to_be_bytes()));
            answers.insert(down(&world, &number.to_be_bytes()));
            world.correspondent_sends(&down(&world, &number.to_be_bytes()));
            world.runs_for(Duration::from_millis(1));
        }
        world.runs_for(SECOND);
        let (received, came) = (world.correspondent_received(), world.mobile_node_received());
        assert!(!received.is_sorted(), "{suite}: they arrived in order, so nothing is shown");
        assert_eq!((received.len(), came.len()), (100, 100), "{suite}");
        assert_eq!((BTreeSet::from_iter(received), BTreeSet::from_iter(came)), (sent, answers), "{suite}");
    }
}

/// What happens between a recording and its use.
type Then = (&'static str, fn(&mut World));

#[test]
fn whatever_was_recorded_played_back_at_any_time_from_anywhere_delivers_nothing_and_moves_nothing() {
    let then: [Then; 5] = [
        ("at once", |_| {}),
        ("after a refresh", |world| world.runs_for(SECOND * 490)),
        ("after a move", |world| world.moves_to(Access::Lte)),
        ("after a renewal", World::mobile_node_renews),
        ("two hours later", |world| world.runs_for(SECOND * 7200)),
    ];
    for suite in CipherSuite::ALL {
        for (when, happens) in then {
            let mut world = after_an_eventful_day(suite);
            let recorded = world.network.record.clone();
            happens(&mut world);
            world.runs_for(SECOND);
            play_back_in_every_way(&mut world, &recorded, &format!("{suite}, {when}"));
        }
    }
}

/// Nothing proves where a packet in the clear comes from but its source. What is protected stays so.
#[test]
fn what_went_in_the_clear_can_be_played_back_from_the_nodes_own_address_and_from_nowhere_else() {
    let mut world = registered_with(Options { user_data: UserData::Clear, ..Options::new(CipherSuite::Aes128Gcm) });
    let mut traffic = Traffic::new(&world, Duration::from_millis(10));
    traffic.flows_for(&mut world, SECOND);
    traffic.settles(&mut world);
    let (clear, sealed): (Vec<_>, Vec<_>) = world.network.record.clone().into_iter().partition(|sent| sent.ptype() == 0);
    play_back_in_every_way(&mut world, &sealed, "what is sealed");
    for datagram in &clear {
        world.attacker_sends(STRANGER.into(), datagram.to, &datagram.octets);
    }
    world.runs_for(SECOND);
    assert_eq!((world.correspondent_received().len(), world.mobile_node_received().len()), (0, 0));
    let bound = world.bound_to();
    for datagram in &clear {
        world.attacker_sends(datagram.from, datagram.to, &datagram.octets);
    }
    world.runs_for(SECOND);
    let delivered = world.correspondent_received().len() + world.mobile_node_received().len();
    assert_eq!((delivered, world.bound_to()), (clear.len(), bound), "that is what `mip6-sas` 0 means");
}

/// The window is 4,032 numbers long, and 2,048 are promised.
#[test]
fn a_packet_that_2047_newer_ones_have_overtaken_is_taken_once_and_one_behind_the_window_is_dropped() {
    for (newer, is_taken) in [(2_047, true), (4_100, false)] {
        let mut world = registered(CipherSuite::Aes128Gcm);
        let [late_up, late_down] = [up(&world, b"late"), down(&world, b"late")];
        // The registration's second datagram.
        let replayed = world.home_agent_dropped(DropReason::ReplayedSequence);
        world.network.detains = Box::new(|_| SECOND * 60);
        world.network.doubles = Box::new(|_| true);
        world.mobile_node_sends(&late_up);
        world.correspondent_sends(&late_down);
        world.network.detains = Box::new(|_| Duration::ZERO);
        world.network.doubles = Box::new(|_| false);
        for _ in 0..newer {
            world.mobile_node_sends(&up(&world, b"newer"));
            world.correspondent_sends(&down(&world, b"newer"));
        }
        world.runs_for(SECOND);
        assert_eq!((world.correspondent_received().len(), world.mobile_node_received().len()), (newer, newer));
        world.runs_for(SECOND * 60);
        let taken = usize::from(is_taken);
        assert_eq!(world.correspondent_received(), vec![late_up; taken], "behind {newer}");
        assert_eq!(world.mobile_node_received(), vec![late_down; taken], "behind {newer}");
        let (reason, times) = if is_taken { (DropReason::ReplayedSequence, 1) } else { (DropReason::OutsideWindow, 2) };
        let before = if is_taken { replayed } else { 0 };
        let dropped = (world.home_agent_dropped(reason) - before, world.mobile_node_dropped(reason));
        assert_eq!(dropped, (times, times), "behind {newer}");
    }
}

const STRANGER: ([u8; 4], u16) = ([198, 51, 100, 66], 6666);

/// Behind a NAT that forgets: Binding Updates with tokens, packets each way, keepalives, Binding Refresh Requests, a 176, a
/// renewal.
fn after_an_eventful_day(suite: CipherSuite) -> World {
    let mut world = World::new(suite).with_wifi_behind_a_nat();
    world.mobile_node_boots();
    world.runs_for(SECOND);
    let mut traffic = Traffic::new(&world, Duration::from_millis(100));
    for _ in 0..2 {
        traffic.flows_for(&mut world, SECOND);
        world.runs_for(SECOND * 300);
        world.nat_forgets_mappings();
        // Before anything is sent to the old mapping: what never arrived is no replay.
        world.mobile_node_sends(&up(&world, b"here"));
        world.runs_for(SECOND);
        traffic.flows_for(&mut world, SECOND);
        world.home_agent_asks_for_new_sas();
        traffic.flows_for(&mut world, SECOND);
    }
    traffic.settles(&mut world);
    assert_eq!((world.phase(), world.mhauth_runs()), (Some(Phase::Registered), 3));
    assert!(world.keepalives() > 2);
    world
}

/// To whom it was sent and from whom it came, from a stranger, reflected, and between the addresses that are in use now.
fn play_back_in_every_way(world: &mut World, recorded: &[Datagram], when: &str) {
    let state = |world: &World| (world.bound_to(), world.bound_under(), world.is_proved(), world.phase(), world.mhauth_runs());
    let (before, node) = (state(world), world.bound_to().unwrap());
    let home_agent = world.network.record.iter().rev().find(|sent| sent.to == node).unwrap().from;
    for Datagram { from, to, octets } in recorded {
        let present: (SocketAddr, SocketAddr) = if to.port() == 7872 { (node, home_agent) } else { (home_agent, node) };
        for (from, to) in [(*from, *to), (STRANGER.into(), *to), (*to, *from), present, (present.1, present.0)] {
            world.attacker_sends(from, to, octets);
        }
    }
    world.runs_for(SECOND);
    assert_eq!((world.correspondent_received().len(), world.mobile_node_received().len()), (0, 0), "{when}");
    assert_eq!(state(world), before, "{when}");
    let reasons = [DropReason::ReplayedSequence, DropReason::OutsideWindow, DropReason::WrongIcv, DropReason::UnknownSpi];
    let dropped: u64 =
        reasons.into_iter().map(|reason| world.home_agent_dropped(reason) + world.mobile_node_dropped(reason)).sum();
    assert!(dropped >= 3 * recorded.len() as u64, "{when}: only {dropped} came as far as an end");
}
