//! Stories in the simulated world: one behaviour each, a file for each topic. Here: what they share.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up has failed")]

mod bootstrap;
mod break_before_make;
mod crowd;
mod deregistration;
mod eap;
mod expiry;
mod handover;
mod handover_times;
mod home;
mod keepalive;
mod look_up;
mod make_before_break;
mod mobile_network;
mod nat;
mod path_mtu;
mod profiles;
mod registration;
mod renewal;
mod replay;
mod restarts;
mod resume;
mod sessions;
mod walks;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use mn::mobile_node::Phase;
use protocol::sa::CipherSuite;
use tests::sim::packet::{CORRESPONDENT6, udp};
use tests::sim::{Datagram, Options, World};

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
    world.network.record.iter().map(Datagram::number).collect()
}

/// Two copies of one datagram are one packet: the same octets under the same number. An SPI that is given anew has keys of its own.
fn assert_no_number_twice(world: &World) {
    let packets: BTreeSet<_> = world.network.record.iter().map(|datagram| (datagram.number(), &datagram.octets)).collect();
    let mut uses = BTreeMap::<_, usize>::new();
    packets.into_iter().for_each(|(number, _)| *uses.entry(number).or_default() += 1);
    for (number, count) in uses {
        assert!(count <= world.granted_under(number.0).max(1), "{number:x?}: a (key, sequence number) pair was used twice");
    }
}

/// Registered, within that time; gives how long it took.
fn comes_up(world: &mut World, within: Duration) -> Duration {
    let start = world.elapsed();
    while world.phase() != Some(Phase::Registered) {
        world.runs_for(Duration::from_millis(10));
        assert!(world.elapsed() - start <= within, "not up within {within:?}: {:?}", world.phase());
    }
    world.elapsed() - start
}

/// What a node says while its HAC or its home agent is away; expected from here on.
fn complaints(world: &mut World) -> usize {
    ["MHAuth failed", "does not answer", "refused the binding"].map(|text| world.logged(text)).iter().sum()
}

/// Packets each way, each different from all others, and what became of them.
struct Traffic {
    home: IpAddr,
    every: Duration,
    number: u32,
    sent: [BTreeSet<Vec<u8>>; 2],
    received: [Vec<Vec<u8>>; 2],
}

impl Traffic {
    /// One packet each way `every` so long, when it flows.
    fn new(world: &World, every: Duration) -> Self {
        Self { home: home6(world), every, number: 0, sent: Default::default(), received: Default::default() }
    }

    fn flows_for(&mut self, world: &mut World, duration: Duration) {
        let end = world.elapsed() + duration;
        while world.elapsed() < end {
            self.number += 1;
            let (home, payload) = (self.home, self.number.to_be_bytes());
            let [up, down] = [udp(home, CORRESPONDENT6.into(), &payload), udp(CORRESPONDENT6.into(), home, &payload)];
            world.mobile_node_sends(&up);
            world.correspondent_sends(&down);
            world.runs_for(self.every);
            [up, down].into_iter().zip(&mut self.sent).for_each(|(packet, sent)| _ = sent.insert(packet));
            self.collects(world);
        }
    }

    /// What is on its way arrives.
    fn settles(&mut self, world: &mut World) {
        world.runs_for(SECOND);
        self.collects(world);
    }

    fn collects(&mut self, world: &mut World) {
        let arrived = [world.correspondent_received(), world.mobile_node_received()];
        arrived.into_iter().zip(&mut self.received).for_each(|(arrived, received)| received.extend(arrived));
    }

    /// Flows until a packet that was sent from now on has crossed each way; gives how long that took, at most `within`.
    fn is_back(&mut self, world: &mut World, within: Duration) -> Duration {
        let (start, before) = (world.elapsed(), self.number);
        let is_new = |packet: &Vec<u8>| u32::from_be_bytes(*packet.last_chunk().unwrap()) > before;
        while !self.received.iter().all(|received| received.iter().any(is_new)) {
            self.flows_for(world, self.every);
            let (took, phase) = (world.elapsed() - start, world.phase());
            assert!(
                took <= within,
                "no packets each way within {within:?}: {phase:?}, {:?}",
                self.received.each_ref().map(Vec::len)
            );
        }
        world.elapsed() - start
    }

    /// Nothing arrived twice, and nothing that was not sent.
    fn assert_each_at_most_once(&self) {
        for (sent, received) in self.sent.iter().zip(&self.received) {
            let different: BTreeSet<_> = received.iter().cloned().collect();
            assert_eq!(different.len(), received.len(), "a packet was delivered twice");
            assert!(different.is_subset(sent), "a packet was delivered that nobody sent");
        }
    }

    /// All arrived, each once.
    fn assert_each_once(&self) {
        self.assert_each_at_most_once();
        assert_eq!(self.received.each_ref().map(Vec::len), self.sent.each_ref().map(BTreeSet::len), "packets were lost");
    }
}
