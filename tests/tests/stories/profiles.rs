//! The draft's wire profile, and user data in the clear.

use std::collections::BTreeSet;
use std::time::Duration;

use mn::mobile_node::Phase;
use protocol::profile::WireProfile;
use protocol::sa::{CipherSuite, UserData};
use tests::sim::{Access, Datagram, Options, World};

use super::{SECOND, assert_no_number_twice, down, numbers, registered_with, up};

/// Both NULL suites of the draft, as a subscriber's policy must allow them by name.
fn unnumbered() -> impl Iterator<Item = World> {
    let null = CipherSuite::ALL.into_iter().filter(|suite| !suite.encrypts());
    null.map(|suite| {
        let options = Options { profile: WireProfile::Draft04, user_data: UserData::Clear, ..Options::new(suite) };
        let mut world = registered_with(options);
        assert_eq!(world.logged("no replay protection"), 2, "the HAC says so, and the home agent");
        world
    })
}

#[test]
fn a_node_of_the_draft_with_a_suite_that_encrypts_talks_moves_and_comes_back_after_a_restart_of_its_home_agent() {
    for suite in CipherSuite::ALL.into_iter().filter(|suite| suite.encrypts()) {
        let mut world = registered_with(Options { profile: WireProfile::Draft04, ..Options::new(suite) });
        for (number, access) in [Access::Lte, Access::Wifi].into_iter().enumerate() {
            world.moves_to(access);
            world.runs_for(SECOND);
            let (sent, answer) = (up(&world, &[number as u8]), down(&world, &[number as u8]));
            world.mobile_node_sends(&sent);
            world.correspondent_sends(&answer);
            world.runs_for(SECOND);
            assert_eq!((world.correspondent_received(), world.mobile_node_received()), (vec![sent], vec![answer]), "{suite}");
        }
        world.home_agent_restarts();
        while world.bound_to().is_none() && world.elapsed() < SECOND * 30 {
            world.mobile_node_sends(&up(&world, b"after"));
            world.runs_for(Duration::from_millis(100));
        }
        world.runs_for(SECOND);
        assert!(world.bound_to().is_some(), "{suite}");
        assert_no_number_twice(&world);
    }
}

#[test]
fn a_node_of_the_draft_is_told_no_date_and_renews_its_sas_by_its_own_clock() {
    let mut world = registered_with(Options { profile: WireProfile::Draft04, ..Options::new(CipherSuite::Aes128CbcSha) });
    world.runs_for(SECOND * 3600 * 24 * 3);
    let spis: BTreeSet<_> = numbers(&world).into_iter().map(|(spi, ..)| spi).collect();
    assert!(spis.len() >= 4, "{} SAs in three days of 24 hours each", spis.len());
    assert_eq!(world.phase(), Some(Phase::Registered));
}

#[test]
fn a_null_suite_of_the_draft_carries_user_data_in_the_clear_and_moves() {
    for mut world in unnumbered() {
        for access in [Access::Wifi, Access::Lte, Access::Wifi] {
            world.moves_to(access);
            world.runs_for(SECOND);
            let (sent, answer) = (up(&world, b"read me"), down(&world, b"and me"));
            world.mobile_node_sends(&sent);
            world.correspondent_sends(&answer);
            world.runs_for(SECOND);
            assert_eq!((world.correspondent_received(), world.mobile_node_received()), (vec![sent], vec![answer]));
        }
        let numbered = numbers(&world).into_iter().filter(|(.., sequence)| *sequence != 0).count();
        assert_eq!(numbered, 0, "the draft numbers nothing under a NULL suite");
        assert!(world.network.record.iter().all(|datagram| [0, 8].contains(&datagram.ptype())));
    }
}

/// Without numbers there is no replay window; the Binding Update's own sequence number is what is left.
#[test]
fn a_binding_update_without_a_number_played_back_moves_nothing() {
    for mut world in unnumbered() {
        world.moves_to(Access::Lte);
        world.runs_for(SECOND);
        let (bound, recorded) = (world.bound_to(), world.network.record.clone());
        for datagram in recorded.iter().filter(|datagram| datagram.is_signalling() && datagram.is_up()) {
            world.attacker_sends(([198, 51, 100, 66], 6666).into(), datagram.to, &datagram.octets);
            world.attacker_sends(datagram.from, datagram.to, &datagram.octets);
        }
        world.runs_for(SECOND);
        assert_eq!(world.bound_to(), bound);
        assert_eq!(world.phase(), Some(Phase::Registered));
    }
}

#[test]
fn user_data_in_the_clear_is_protected_from_a_binding_update_to_its_answer_and_a_move_loses_nothing() {
    let options = Options { user_data: UserData::Clear, ..Options::new(CipherSuite::Aes128Gcm) };
    let mut world = registered_with(options);
    let before = world.network.record.len();
    let (mut sent, mut answers) = (Vec::new(), Vec::new());
    for number in 0_u32..300 {
        match number {
            100 => world.attaches_to(&[Access::Wifi, Access::Lte]),
            150 => world.fades_to(&[Access::Lte]),
            _ => {}
        }
        sent.push(up(&world, &number.to_be_bytes()));
        answers.push(down(&world, &number.to_be_bytes()));
        world.mobile_node_sends(&up(&world, &number.to_be_bytes()));
        world.correspondent_sends(&down(&world, &number.to_be_bytes()));
        world.runs_for(Duration::from_millis(1));
    }
    world.runs_for(SECOND);
    assert_eq!((world.correspondent_received(), world.mobile_node_received()), (sent, answers));
    let uplink: Vec<u8> = world.network.record[before..].iter().filter(|sent| sent.is_up()).map(Datagram::ptype).collect();
    let changes = uplink.chunk_by(|a, b| a == b).map(|run| (run[0], run.len())).collect::<Vec<_>>();
    let [(0, _), (8, _), (1, protected), (0, _)] = changes[..] else { panic!("PTypes of the uplink: {changes:?}") };
    assert!((39..=41).contains(&protected), "one round trip of 40 ms is protected, not {protected} packets");
    assert_eq!(numbers(&world).into_iter().map(|(spi, ..)| spi).collect::<BTreeSet<_>>().len(), 2, "SPI 0 and one other");
}
