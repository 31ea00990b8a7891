//! New security associations in the place of old ones, whoever wants them and why.

use std::collections::BTreeSet;
use std::time::Duration;

use mn::mobile_node::Phase;
use protocol::sa::CipherSuite;
use tests::sim::World;

use super::{SECOND, assert_no_number_twice, down, numbers, registered, up};

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
