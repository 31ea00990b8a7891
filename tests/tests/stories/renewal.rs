//! New security associations in the place of old ones, whoever wants them and why.

use std::collections::BTreeSet;
use std::time::Duration;

use mn::mobile_node::Phase;
use protocol::sa::CipherSuite;
use tests::sim::{Access, World};

use super::{SECOND, Traffic, assert_no_number_twice, complaints, down, numbers, registered, up};

/// For so long an SA is granted.
const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn sas_are_renewed_for_a_week_without_a_gap() {
    let mut world = registered(CipherSuite::Aes128Gcm);
    for hour in 0_u32..7 * 24 {
        world.runs_for(SECOND * 3600);
        let packet = down(&world, &hour.to_be_bytes());
        world.correspondent_sends(&packet);
        world.runs_for(SECOND);
        assert_eq!(world.mobile_node_received(), [packet], "hour {hour}");
    }
    let spis: BTreeSet<_> = numbers(&world).into_iter().map(|(spi, ..)| spi).collect();
    assert!(spis.len() >= 8, "{} SAs in a week of 24 hours each", spis.len());
    assert_no_number_twice(&world);
}

#[test]
fn whoever_wants_new_keys_every_packet_crosses_in_both_directions() {
    for ask in [World::mobile_node_renews, World::home_agent_asks_for_new_sas] {
        let mut world = registered(CipherSuite::Aes128Gcm);
        for _ in 0..4 {
            let before = world.bound_under();
            let (mut sent, mut answers) = (Vec::new(), Vec::new());
            ask(&mut world);
            for number in 0_u32..1000 {
                sent.push(up(&world, &number.to_be_bytes()));
                answers.push(down(&world, &number.to_be_bytes()));
                world.mobile_node_sends(&sent[sent.len() - 1]);
                world.correspondent_sends(&answers[answers.len() - 1]);
                world.runs_for(Duration::from_millis(1));
            }
            world.runs_for(SECOND * 30);
            assert_eq!((world.correspondent_received(), world.mobile_node_received()), (sent, answers));
            assert_ne!(world.bound_under(), before);
        }
        let spis: BTreeSet<_> = numbers(&world).into_iter().map(|(spi, ..)| spi).collect();
        assert_eq!(spis.len(), 5, "one new SA each time it was wanted");
        assert_no_number_twice(&world);
    }
}

#[test]
fn whatever_single_datagram_is_lost_a_renewal_comes_to_its_end() {
    for lost in 0..12 {
        let mut world = registered(CipherSuite::Aes128Gcm);
        let (before, sent) = (world.bound_under(), world.network.record.len() as u64);
        world.network.loses = Box::new(move |number| number == sent + lost);
        world.home_agent_asks_for_new_sas();
        // When it is the 176, the home agent says it again with the next refresh.
        world.runs_for(SECOND * 500);
        assert_ne!(world.bound_under(), before, "lost {lost}");
        assert_eq!(world.phase(), Some(Phase::Registered), "lost {lost}");
    }
}

/// A run that hung on the address that is gone would take 10 to 30 s to give up, with a warning.
#[test]
fn wherever_mhauth_stands_when_its_network_goes_it_is_run_anew_from_the_next_at_once() {
    for boots in [true, false] {
        for millisecond in (0..170).step_by(10) {
            let mut world = if boots { World::new(CipherSuite::Aes128Gcm) } else { registered(CipherSuite::Aes128Gcm) };
            let before = world.bound_under();
            if boots {
                world.mobile_node_boots()
            } else {
                world.mobile_node_renews()
            }
            world.runs_for(Duration::from_millis(millisecond));
            world.attaches_to(&[]);
            world.runs_for(SECOND * 40);
            world.attaches_to(&[Access::Lte]);
            world.runs_for(Duration::from_millis(250));
            let is_new = world.bound_to().is_some_and(|bound| bound.is_ipv6()) && world.bound_under() != before;
            assert!(is_new && world.phase() == Some(Phase::Registered), "{boots}, {millisecond} ms");
        }
    }
}

#[test]
fn triple_des_is_renewed_for_its_octets_at_most_once_a_minute_and_nothing_is_lost() {
    let mut world = registered(CipherSuite::TripleDesEdeCbcSha);
    let packet = down(&world, &[0x77; 1_400]);
    // A key is for 8 MiB; 9 MiB twice a minute would want two.
    let a_burst = (9 << 20) / packet.len();
    for minute in 1..=2 {
        for pause in [20, 40] {
            (0..a_burst).for_each(|_| world.correspondent_sends(&packet));
            world.runs_for(SECOND * pause);
            assert_eq!(world.mobile_node_received().len(), a_burst, "minute {minute}");
        }
        let spis: BTreeSet<_> = numbers(&world).into_iter().map(|(spi, ..)| spi).collect();
        assert_eq!(spis.len(), minute + 1, "minute {minute}");
    }
    assert_no_number_twice(&world);
}

#[test]
fn an_sa_is_renewed_at_four_fifths_of_its_life_and_nobody_notices() {
    let mut world = registered(CipherSuite::Aes128Gcm);
    let mut traffic = Traffic::new(&world, SECOND * 10);
    traffic.flows_for(&mut world, DAY * 3 / 4 - SECOND * 10);
    assert_eq!(world.mhauth_runs(), 1, "not before 75 %");
    traffic.flows_for(&mut world, DAY / 10 + SECOND * 20);
    assert_eq!(world.mhauth_runs(), 2, "not after 85 %");
    traffic.settles(&mut world);
    traffic.assert_each_once();
}

#[test]
fn a_hac_that_is_away_when_an_sa_is_to_be_renewed_costs_no_packet_if_it_is_back_before_the_end() {
    let mut world = registered(CipherSuite::Aes128Gcm);
    let (mut traffic, before) = (Traffic::new(&world, SECOND * 10), world.bound_under());
    world.hac_dies();
    traffic.flows_for(&mut world, DAY * 95 / 100);
    assert_eq!((world.mhauth_runs(), world.bound_under()), (1, before), "the old keys are good until their end");
    world.moves_to(Access::Lte);
    traffic.settles(&mut world);
    traffic.flows_for(&mut world, SECOND * 60);
    world.hac_starts();
    // The longest backoff is a minute, a fifth either way.
    traffic.flows_for(&mut world, SECOND * 73);
    assert_eq!((world.mhauth_runs(), world.bound_under() == before), (2, false));
    traffic.settles(&mut world);
    traffic.assert_each_once();
    assert!(complaints(&mut world) >= 5);
}

#[test]
fn a_node_whose_sa_has_ended_while_the_hac_was_away_is_back_soon_after_the_hac_with_its_address() {
    let mut world = registered(CipherSuite::Aes128Gcm);
    let (home, mut traffic) = (world.home(), Traffic::new(&world, SECOND / 10));
    world.hac_dies();
    world.runs_for(DAY * 2);
    assert_eq!(world.bound_to(), None);
    traffic.flows_for(&mut world, SECOND);
    assert_eq!(traffic.received.each_ref().map(Vec::len), [0, 0], "no keys, no packets");
    world.hac_starts();
    let took = traffic.is_back(&mut world, SECOND * 79);
    println!("back {took:?} after the HAC");
    assert_eq!((world.home(), world.mhauth_runs()), (home, 2));
    complaints(&mut world);
}

#[test]
fn a_node_that_authenticates_again_and_again_while_no_binding_update_arrives_keeps_its_packets() {
    for suite in CipherSuite::ALL {
        let mut world = registered(suite);
        let (before, mut traffic) = (world.bound_under(), Traffic::new(&world, SECOND / 10));
        world.network.blocks = Box::new(|sent| sent.is_up() && sent.is_signalling());
        world.mobile_node_renews();
        // Each time that it has told its home agent four times without an answer.
        while world.mhauth_runs() < 9 {
            traffic.flows_for(&mut world, SECOND);
        }
        assert_eq!((world.bound_under(), world.home_agent_holds()), (before, 4), "{suite}");
        world.network.blocks = Box::new(|_| false);
        traffic.flows_for(&mut world, SECOND * 20);
        traffic.settles(&mut world);
        traffic.assert_each_once();
        assert_eq!((world.phase(), world.bound_under() == before), (Some(Phase::Registered), false), "{suite}");
        assert_no_number_twice(&world);
        complaints(&mut world);
    }
}

/// The node's wish and its move fall together: either may be first, by up to two round trips more than MHAuth takes.
#[test]
fn a_renewal_and_a_move_at_the_same_moment_end_well_in_every_order() {
    let renews: fn(&mut World) = World::mobile_node_renews;
    let moves: fn(&mut World) = |world| world.moves_to(Access::Lte);
    for [first, second] in [[renews, moves], [moves, renews]] {
        for later in (0..=240).step_by(4) {
            let mut world = registered(CipherSuite::Aes128Gcm);
            let (before, mut traffic) = (world.bound_under(), Traffic::new(&world, Duration::from_millis(4)));
            first(&mut world);
            traffic.flows_for(&mut world, Duration::from_millis(later));
            second(&mut world);
            // A run of MHAuth whose network is gone may wait for 30 s before it is tried anew.
            world.runs_for(SECOND * 40);
            traffic.flows_for(&mut world, SECOND);
            traffic.settles(&mut world);
            traffic.assert_each_at_most_once();
            assert_eq!(traffic.received[0].len(), traffic.sent[0].len(), "{later} ms: the uplink misses nothing");
            assert!(
                traffic.received[1].len() + 12 >= traffic.sent[1].len(),
                "{later} ms: two ways of packets are lost, and no more"
            );
            assert!(world.bound_to().unwrap().is_ipv6() && world.bound_under() != before, "{later} ms");
            assert_eq!((world.phase(), world.mhauth_runs()), (Some(Phase::Registered), 2), "{later} ms");
            assert_no_number_twice(&world);
            complaints(&mut world);
        }
    }
}
