//! Binding Updates under SPIs that the home agent does not know.

use std::time::Duration;

use mn::mobile_node::Phase;
use protocol::sa::{CipherSuite, Spi};
use protocol::tunnel::DropReason;
use protocol::tunnel::look_up::{MOST_A_SECOND, REMEMBERED};
use protocol::wire::envelope::{Envelope, PType};
use protocol::wire::mobility::Status;
use tests::sim::World;

use super::{SECOND, Traffic, assert_no_number_twice, registered};

const MILLISECOND: Duration = Duration::from_millis(1);

#[test]
fn a_home_agent_that_was_not_told_of_an_sa_takes_the_nodes_repeated_binding_update_after_a_look_up() {
    for suite in CipherSuite::ALL {
        let mut world = World::new(suite);
        world.hac_withholds_changes(true);
        world.mobile_node_boots();
        world.runs_for(SECOND * 4);
        assert_eq!(world.phase(), Some(Phase::Registered), "{suite}");
        assert_eq!(
            (world.logged("told of an association all the same"), world.mhauth_runs()),
            (1, 1),
            "{suite}: late is not gone"
        );
        let spi = world.bound_under().unwrap();
        assert!(world.home_agent_dropped(DropReason::UnknownSpi) > 0, "{suite}");
        assert_eq!(world.look_ups().iter().map(|(_, spi)| *spi).collect::<Vec<_>>(), [spi], "{suite}");

        // The delta comes late and brings nothing new.
        let mut traffic = Traffic::new(&world, MILLISECOND * 20);
        traffic.flows_for(&mut world, SECOND);
        world.hac_withholds_changes(false);
        traffic.flows_for(&mut world, SECOND);
        traffic.settles(&mut world);
        traffic.assert_each_once();
        assert_eq!((world.home_agent_holds(), world.acknowledgements(Status::REINIT_SA_WITH_HAC)), (1, 0), "{suite}");
        assert_no_number_twice(&world);
    }
}

#[test]
fn an_sa_that_was_looked_up_ends_when_it_is_revoked_and_is_not_looked_up_again() {
    let mut world = World::new(CipherSuite::Aes128Gcm);
    world.hac_withholds_changes(true);
    world.mobile_node_boots();
    world.runs_for(SECOND * 4);
    world.hac_withholds_changes(false);
    assert_eq!((world.home_agent_holds(), world.logged("told of an association all the same")), (1, 1));
    world.operator_enables_the_subscriber(false);
    world.runs_for(MILLISECOND * 10);
    assert_eq!((world.home_agent_holds(), world.bound_to()), (0, None));
    let seen = world.network.record.iter().rev().find(|sent| sent.is_up() && sent.is_signalling()).unwrap().clone();
    for _ in 0..3 {
        world.attacker_sends(seen.from, seen.to, &seen.octets);
        world.runs_for(REMEMBERED);
    }
    assert_eq!(world.look_ups().len(), 1);
    super::complaints(&mut world);
}

/// What may be a Binding Update under that SPI, from nowhere.
fn forged(spi: Spi) -> Vec<u8> {
    let mut octets = Envelope::emit(PType::MobilityHeader, spi, 0).to_vec();
    octets.resize(120, 0x5a);
    octets
}

fn attacker_sends(world: &mut World, spi: Spi) {
    world.attacker_sends(([198, 51, 100, 66], 6666).into(), ([203, 0, 113, 1], 7872).into(), &forged(spi));
}

#[test]
fn a_flood_of_forged_spis_gets_a_hundred_look_ups_a_second_and_nobody_else_notices() {
    let mut world = registered(CipherSuite::Aes128Gcm);
    let mut traffic = Traffic::new(&world, MILLISECOND * 20);
    let block = world.bound_under().unwrap().block();
    let mut spis = (0..).filter_map(|number| block.spi(number % 4096));
    for second in 0..12 {
        if second == 5 {
            world.mobile_node_renews();
        }
        for _ in 0..50 {
            spis.by_ref().take(20).for_each(|spi| attacker_sends(&mut world, spi));
            traffic.flows_for(&mut world, MILLISECOND * 20);
        }
    }
    traffic.settles(&mut world);
    traffic.assert_each_once();
    assert_eq!(
        (world.mhauth_runs(), world.home_agent_dropped(DropReason::EventQueueFull)),
        (2, 0),
        "a renewal in the midst of it"
    );
    let asked = world.look_ups();
    assert!(asked.windows(MOST_A_SECOND + 1).all(|these| these[MOST_A_SECOND].0 - these[0].0 >= SECOND), "101 within a second");
    assert!((1_100..=1_200).contains(&asked.len()), "{}", asked.len());
    for (index, (at, spi)) in asked.iter().enumerate() {
        let again = asked[index + 1..].iter().find(|(_, other)| other == spi);
        assert!(again.is_none_or(|(later, _)| *later - *at >= REMEMBERED), "{spi} was looked up again too soon");
    }
    assert_eq!(world.home_agent_holds(), 2, "the node's own, the old one for a minute yet");
}

#[test]
fn a_miss_is_looked_up_once_in_ten_seconds() {
    let mut world = registered(CipherSuite::Aes128Gcm);
    let known = world.bound_under().unwrap();
    let unknown = known.block().spi(known.number() ^ 1).unwrap();
    for _ in 0..250 {
        attacker_sends(&mut world, unknown);
        world.runs_for(MILLISECOND * 100);
    }
    assert_eq!(world.look_ups().len(), 3, "in 25 seconds");
    assert_eq!(world.home_agent_dropped(DropReason::UnknownSpi), 250);
}

#[test]
fn without_its_hac_a_home_agent_looks_nothing_up() {
    let mut world = registered(CipherSuite::Aes128Gcm);
    let known = world.bound_under().unwrap();
    world.hac_dies();
    attacker_sends(&mut world, known.block().spi(known.number() ^ 1).unwrap());
    world.runs_for(SECOND);
    world.hac_starts();
    world.runs_for(SECOND * 2);
    assert_eq!(world.look_ups(), []);
    attacker_sends(&mut world, known.block().spi(known.number() ^ 2).unwrap());
    world.runs_for(SECOND);
    assert_eq!(world.look_ups().len(), 1, "with it, it does");
}
