//! Many mobile nodes behind one translator, and their home agent: the same machines as in a [`World`](super::World), with security
//! associations from nowhere, since only what happens between nodes and home agent is looked at.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hac::store::InstanceId;
use mn::mobile_node::Phase;
use mn::movement::Attachment;
use protocol::addr::{CareOfAddress, HomeAddresses};
use protocol::sa::{CipherSuite, SecurityAssociation, Spi};
use protocol::tunnel::DropReason;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::end::Outgoing;
use super::gateway::{Gateway, HA4};
use super::node::Node;
use super::packet::{CORRESPONDENT6, udp};
use super::{DELAY, Datagram, NAT_LIFETIME, NAT_OUTER, Nat};

/// Every node's port inside.
const PORT: u16 = 5_000;
const FIRST_SPI: u32 = 0x1000;
/// Home addresses from here on, in the prefix that the home agent has.
const HOMES: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 2);

/// The nodes, numbered from 0.
pub struct Crowd {
    now: Instant,
    rng: StdRng,
    nodes: Vec<Node>,
    gateway: Gateway,
    nat: Nat,
    under_way: BTreeMap<(Instant, u64), Datagram>,
    so_far: u64,
}

impl Crowd {
    /// So many nodes, at most 200, that attach now.
    pub fn new(count: u8) -> Self {
        let now = Instant::now();
        let nat = Nat::of_many(inner(0)..=inner(count), NAT_OUTER, NAT_LIFETIME);
        let (rng, gateway) = (StdRng::seed_from_u64(1), Gateway::new(InstanceId([1; 16])));
        let mut crowd = Self { now, rng, nodes: Vec::new(), gateway, nat, under_way: BTreeMap::new(), so_far: 0 };
        for number in 0..count {
            crowd.attach(number);
        }
        crowd.drain();
        crowd
    }

    fn attach(&mut self, number: u8) {
        let mut node = Node::new(self.now, &mut self.rng);
        let Some(run) = node.drain(&mut { PORT }, self.now, &mut self.rng).begins else {
            unreachable!("a node begins with MHAuth")
        };
        let installs = [(); 2].map(|()| Arc::new(fixture::install(association(number), self.now)));
        let [at_node, at_home_agent] = installs;
        node.machine.handle_grant(run, at_node, self.now, &mut self.rng);
        let care_of = CareOfAddress(inner(number));
        node.machine.handle_attachments(
            vec![Attachment { interface: 1, name: "wifi".to_owned(), care_of, metric: 0, deprecated: false }],
            self.now,
        );
        self.gateway.home_agent.handle_sa(at_home_agent, self.now);
        self.nodes.push(node);
    }

    /// Lets time pass, event by event.
    pub fn runs_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(next) = self.next_event().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            let later = self.under_way.split_off(&(self.now + Duration::from_nanos(1), 0));
            for datagram in std::mem::replace(&mut self.under_way, later).into_values() {
                self.arrives(datagram);
            }
            self.nodes.iter_mut().for_each(|node| node.handle_timeout(self.now));
            self.gateway.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    /// The translator forgets all mappings.
    pub fn nat_forgets_mappings(&mut self) {
        self.nat.forget_mappings();
    }

    /// The same, and it gives ports from the first one on again: most nodes get one that another had.
    pub fn nat_forgets_mappings_and_counts_ports_anew(&mut self) {
        self.nat.restart();
    }

    /// An application on a node sends to the correspondent node.
    pub fn node_sends(&mut self, number: u8, payload: &[u8]) {
        let packet = udp(home(number), CORRESPONDENT6.into(), payload);
        let sent = self.nodes[usize::from(number)].end.send(&packet, self.now, &mut self.rng);
        self.carry_up(number, sent);
    }

    /// The correspondent node sends to a node.
    pub fn correspondent_sends(&mut self, number: u8, payload: &[u8]) {
        let packet = udp(CORRESPONDENT6.into(), home(number), payload);
        let sent = self.gateway.end.send(&packet, self.now, &mut self.rng);
        self.carry_down(sent);
    }

    /// The payloads that a node's applications received since they were asked last.
    pub fn node_received(&mut self, number: u8) -> Vec<Vec<u8>> {
        let delivered = std::mem::take(&mut self.nodes[usize::from(number)].end.delivered);
        delivered.into_iter().map(|packet| packet[48..].to_vec()).collect()
    }

    /// The payloads that the correspondent node received since it was asked last.
    pub fn correspondent_received(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.gateway.end.delivered).into_iter().map(|packet| packet[48..].to_vec()).collect()
    }

    /// Where the home agent sends, for each binding whose path is proved.
    pub fn bound(&self) -> Vec<SocketAddr> {
        let proved = self.gateway.home_agent.bindings().filter(|binding| binding.latest.is_proved());
        proved.map(|binding| binding.latest.remote).collect()
    }

    /// Nodes that are registered.
    pub fn registered(&self) -> usize {
        self.nodes.iter().filter(|node| node.machine.phase() == Phase::Registered).count()
    }

    /// Packets that an end dropped, save the second copies of Binding Updates.
    pub fn dropped(&self) -> u64 {
        let ends = self.nodes.iter().map(|node| &node.end).chain([&self.gateway.end]);
        let drops = ends.flat_map(|end| end.counters.drops()).filter(|(reason, _)| *reason != DropReason::ReplayedSequence);
        drops.map(|(_, count)| count).sum()
    }

    fn next_event(&self) -> Option<Instant> {
        let arrival = self.under_way.keys().next().map(|(due, _)| *due);
        let home_agent = self.gateway.home_agent.poll_timeout().map(|(due, _)| due);
        self.nodes.iter().map(Node::next_event).chain(arrival).chain(home_agent).min()
    }

    fn arrives(&mut self, datagram: Datagram) {
        if datagram.to == HA4 {
            self.gateway.receive(&datagram, self.now);
        } else if let Some(to) = self.nat.translate_inward(datagram.to, self.now) {
            let datagram = Datagram { to, ..datagram };
            self.nodes.iter_mut().for_each(|node| node.receive(&datagram, self.now));
        }
    }

    fn drain(&mut self) {
        for number in 0..self.nodes.len() as u8 {
            let acted = self.nodes[usize::from(number)].drain(&mut { PORT - 1 }, self.now, &mut self.rng);
            self.carry_up(number, acted.sent);
        }
        let sent = self.gateway.drain(self.now, &mut self.rng);
        self.carry_down(sent);
    }

    fn carry_up(&mut self, number: u8, sent: Vec<Outgoing>) {
        for (socket, to, octets) in sent {
            if let Some(from) = self.nodes[usize::from(number)].sockets.get(&socket).copied() {
                let from = self.nat.translate_outward(from, self.now);
                self.carry(Datagram { from, to, octets });
            }
        }
    }

    fn carry_down(&mut self, sent: Vec<Outgoing>) {
        for (socket, to, octets) in sent {
            self.carry(Datagram { from: Gateway::address(socket), to, octets });
        }
    }

    fn carry(&mut self, datagram: Datagram) {
        self.so_far += 1;
        self.under_way.insert((self.now + DELAY, self.so_far), datagram);
    }
}

/// A node's address in the network behind the translator.
fn inner(number: u8) -> IpAddr {
    Ipv4Addr::new(192, 168, 1, number + 2).into()
}

fn home(number: u8) -> IpAddr {
    Ipv6Addr::from_bits(HOMES.to_bits() + u128::from(number)).into()
}

fn association(number: u8) -> SecurityAssociation {
    let home = HomeAddresses::new(Some(Ipv6Addr::from_bits(HOMES.to_bits() + u128::from(number))), None);
    let (Some(spi), Some(home)) = (Spi::new(FIRST_SPI + u32::from(number)), home) else { unreachable!("both are within bounds") };
    SecurityAssociation { home, ..fixture::association(spi, CipherSuite::Aes128Gcm) }
}
