//! What a path carries is found out by probes, whatever is lost, and both ends keep to it.

use ha::home_agent::FEATURES;
use protocol::sa::CipherSuite;
use protocol::tunnel::DropReason;
use tests::sim::{Access, Datagram, Options, World};

use super::{SECOND, complaints, down, registered_with, up};

/// The outer packet that a datagram goes in.
fn outer(datagram: &Datagram) -> usize {
    datagram.octets.len() + if datagram.to.is_ipv4() { 28 } else { 48 }
}

/// A world whose paths lose what is longer than `carried`, on links that lose a tenth.
fn over(seed: u64, carried: usize) -> World {
    let mut world = registered_with(Options { seed, features: FEATURES, ..Options::new(CipherSuite::Aes128Gcm) });
    world.network.change_links(|link| link.loss = 0.1);
    world.network.blocks = Box::new(move |datagram| outer(datagram) > carried);
    world
}

fn assert_found(world: &World, carried: usize) {
    let (confirmed, inner) = world.path_mtu().unwrap();
    let confirmed = usize::from(confirmed.unwrap());
    assert!(confirmed <= carried && confirmed + 24 > carried, "{confirmed} of {carried}");
    assert!(usize::from(inner) + 62 <= carried, "{inner} inside of {carried}");
}

#[test]
fn however_much_is_lost_each_path_is_found_to_carry_what_it_does_and_no_more() {
    for seed in 0..4 {
        for carried in [1_280, 1_400, 1_492] {
            let mut world = over(seed, carried);
            for access in [Access::Lte, Access::Wifi] {
                world.moves_to(access);
                world.runs_for(SECOND * 120);
                assert_found(&world, carried);
            }
            complaints(&mut world);
        }
    }
}

#[test]
fn a_correspondent_node_hears_of_what_is_too_big_for_the_path_and_what_fits_arrives() {
    let mut world = over(1, 1_400);
    world.moves_to(Access::Lte);
    world.runs_for(SECOND * 120);
    world.network.change_links(|link| link.loss = 0.0);
    let (_, inner) = world.path_mtu().unwrap();
    // Behind IPv6 and UDP.
    let [fits, too_big] = [inner - 48, inner - 47].map(|len| down(&world, &vec![7; usize::from(len)]));
    world.correspondent_sends(&fits);
    world.correspondent_sends(&too_big);
    world.runs_for(SECOND);
    assert_eq!(world.mobile_node_received(), [fits]);
    assert_eq!(world.home_agent_dropped(DropReason::TooBig), 1);
    let uplink = up(&world, &vec![7; usize::from(inner) - 48]);
    world.mobile_node_sends(&uplink);
    world.runs_for(SECOND);
    assert_eq!(world.correspondent_received(), [uplink]);
}
