//! Stories in the simulated world: one behaviour each, a file for each topic. Here: what they share.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up has failed")]

mod bootstrap;
mod deregistration;
mod expiry;
mod handover;
mod nat;
mod profiles;
mod registration;
mod renewal;
mod replay;
mod restarts;
mod world;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use mn::mobile_node::Phase;
use protocol::sa::CipherSuite;
use tests::sim::packet::{CORRESPONDENT6, udp};
use tests::sim::{Options, World};

const SECOND: Duration = Duration::from_secs(1);

fn registered(suite: CipherSuite) -> World {
    registered_with(Options::new(suite))
}

fn registered_with(options: Options) -> World {
    let mut world = World::with(options);
    world.mobile_node_boots();
    world.runs_for(SECOND);
    assert_eq!(world.phase(), Some(Phase::Registered));
    world
}

fn home6(world: &World) -> IpAddr {
    world.home().unwrap().ip6().unwrap().into()
}

fn up(world: &World, payload: &[u8]) -> Vec<u8> {
    udp(home6(world), CORRESPONDENT6.into(), payload)
}

fn down(world: &World, payload: &[u8]) -> Vec<u8> {
    udp(CORRESPONDENT6.into(), home6(world), payload)
}

/// (SPI, direction, sequence number) of every datagram on the wire.
fn numbers(world: &World) -> Vec<(u32, bool, u32)> {
    let word = |octets: &[u8]| u32::from_be_bytes(octets.try_into().unwrap());
    let number = |datagram: &tests::sim::Datagram| {
        (word(&datagram.octets[..4]) & 0x0fff_ffff, datagram.to.port() == 7872, word(&datagram.octets[4..8]))
    };
    world.network.record.iter().map(number).collect()
}

fn assert_no_number_twice(world: &World) {
    let numbers = numbers(world);
    assert_eq!(numbers.iter().collect::<BTreeSet<_>>().len(), numbers.len(), "a (key, sequence number) pair was used twice");
}
