//! A world in virtual time: HAC, home agent and mobile node in one process, no sockets, the clock moves when nothing else does.
//!
//! The real machines run: the HAC's session on an SQLite store, the home agent, the mobile node, both halves of the tunnel.
//! Only what the programs' shells do is done here by hand. Stories read like the product: see `tests/stories/`.

mod controller;
mod end;
mod nat;
mod network;
pub mod packet;
mod shells;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use ha::binding_cache::PathProof;
use ha::home_agent::{HomeAgent, HomeAgentConfig, Which};
use mn::mobile_node::{MobileNode, Phase};
use protocol::addr::HomeAddresses;
use protocol::sa::{CipherSuite, Role, Spi};
use protocol::tunnel::{DropReason, IcmpSources, SocketId};
use rand::SeedableRng;
use rand::rngs::StdRng;

use controller::Controller;
pub use controller::Options;
use end::End;
pub use nat::Nat;
pub use network::{ByNumber, Datagram, Network};

/// The home agent's outer addresses.
const HA4: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 1)), 7872);
const HA6: SocketAddr = SocketAddr::new(IpAddr::V6(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0xf, 0, 0, 0, 0, 1)), 7872);
/// The mobile node's address in the IPv4 network.
const WIFI: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 7));
/// The mobile node's address in the IPv6 network.
const LTE: IpAddr = IpAddr::V6(std::net::Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 7));
/// What stands outside for the IPv4 network where that is behind a translator.
pub const NAT_OUTER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
/// How long that translator keeps a mapping: the least that RFC 4787 section 4.3 allows.
const NAT_LIFETIME: Duration = Duration::from_secs(120);
/// One run of MHAuth takes so many round trips: TCP, TLS and two exchanges.
const MHAUTH_ROUND_TRIPS: u32 = 4;
/// How often the mobile node looks at its counters.
const ACTIVITY_INTERVAL: Duration = Duration::from_millis(500);

/// Where a mobile node can be attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// An IPv4 network.
    Wifi,
    /// An IPv6 network.
    Lte,
}

/// The world.
pub struct World {
    now: Instant,
    start: Instant,
    rng: StdRng,
    /// Between mobile node and home agent.
    pub network: Network,
    controller: Controller,
    ha: Option<HomeAgent>,
    ha_end: End,
    ha_instance: u8,
    mn: Option<MobileNode>,
    mn_end: End,
    mn_sockets: BTreeMap<SocketId, SocketAddr>,
    access: Vec<Access>,
    grant_due: Option<(Instant, Box<protocol::mhauth::Grant>)>,
    next_activity: Instant,
    next_port: u16,
}

impl World {
    /// A HAC with one subscriber, a home agent, a mobile node attached to the Wi-Fi and not yet started.
    pub fn new(suite: CipherSuite) -> Self {
        Self::with(Options::new(suite))
    }

    /// The same, otherwise.
    pub fn with(options: Options) -> Self {
        let now = Instant::now();
        let mut world = Self {
            now,
            start: now,
            rng: StdRng::seed_from_u64(7),
            network: Network::new(Duration::from_millis(20)),
            controller: Controller::new(options, HA4, HA6),
            ha: None,
            ha_end: End::new(Role::HomeAgent, IcmpSources::default()),
            ha_instance: 0,
            mn: None,
            mn_end: End::new(Role::MobileNode, IcmpSources::default()),
            mn_sockets: BTreeMap::new(),
            access: vec![Access::Wifi],
            grant_due: None,
            next_activity: now,
            next_port: 50_000,
        };
        world.home_agent_starts();
        world
    }

    /// From now on the Wi-Fi is behind a translator, which is at `network.nat`.
    #[must_use]
    pub fn with_wifi_behind_a_nat(mut self) -> Self {
        self.network.nat = Some(Nat::new(WIFI, NAT_OUTER, NAT_LIFETIME));
        self
    }

    /// The translator forgets all mappings.
    pub fn nat_forgets_mappings(&mut self) {
        if let Some(nat) = &mut self.network.nat {
            nat.forget_mappings();
        }
    }

    /// The mobile node starts, with nothing in memory.
    pub fn mobile_node_boots(&mut self) {
        self.mn_end = End::new(Role::MobileNode, IcmpSources::default());
        self.mn_sockets.clear();
        self.grant_due = None;
        self.mn = Some(MobileNode::new(self.mn_end.counters.clone(), self.now, &mut self.rng));
        self.drain();
    }

    /// The home agent's process is killed and started again: it knows nothing but what the HAC delivers anew.
    pub fn home_agent_restarts(&mut self) {
        self.ha_instance += 1;
        self.home_agent_starts();
    }

    /// The mobile node loses all other networks and gets this one.
    pub fn moves_to(&mut self, access: Access) {
        self.attaches_to(&[access]);
    }

    /// The mobile node has exactly these networks from now on.
    pub fn attaches_to(&mut self, access: &[Access]) {
        self.access = access.to_vec();
        let now = self.now;
        let usable = self.attachments();
        if let Some(mn) = &mut self.mn {
            mn.handle_attachments(usable, now);
        }
        self.drain();
    }

    /// The home agent's operator wants new keys for every node.
    pub fn home_agent_asks_for_new_sas(&mut self) {
        let now = self.now;
        if let Some(ha) = &mut self.ha {
            ha.ask_for_new_sa(Which::All, now);
        }
        self.drain();
    }

    /// The operator wants new keys for the mobile node.
    pub fn mobile_node_renews(&mut self) {
        let now = self.now;
        if let Some(mn) = &mut self.mn {
            mn.handle_renew(now);
        }
        self.drain();
    }

    /// The mobile node says goodbye.
    pub fn mobile_node_leaves(&mut self) {
        let now = self.now;
        if let Some(mn) = &mut self.mn {
            mn.handle_down(now);
        }
        self.drain();
    }

    /// An application on the mobile node sends to the correspondent node.
    pub fn mobile_node_sends(&mut self, packet: &[u8]) {
        let datagrams = self.mn_end.send(packet, self.now, &mut self.rng);
        self.send_from_mobile_node(datagrams);
    }

    /// The correspondent node sends to the mobile node's home address.
    pub fn correspondent_sends(&mut self, packet: &[u8]) {
        let datagrams = self.ha_end.send(packet, self.now, &mut self.rng);
        self.send_from_home_agent(datagrams);
    }

    /// Puts a datagram on the wire as an attacker would, with any source.
    pub fn attacker_sends(&mut self, from: SocketAddr, to: SocketAddr, octets: &[u8]) {
        self.network.carry(Datagram { from, to, octets: octets.to_vec() }, self.now);
    }

    /// Lets time pass, event by event.
    pub fn runs_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(next) = self.next_event().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.step();
        }
        self.now = end;
    }

    /// What the correspondent node received since it was asked last.
    pub fn correspondent_received(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.ha_end.delivered)
    }

    /// What the applications on the mobile node received since they were asked last.
    pub fn mobile_node_received(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.mn_end.delivered)
    }

    /// The mobile node's phase.
    pub fn phase(&self) -> Option<Phase> {
        self.mn.as_ref().map(MobileNode::phase)
    }

    /// The mobile node's home addresses, as the HAC gave them.
    pub fn home(&self) -> Option<HomeAddresses> {
        Some(self.mn.as_ref()?.security_association()?.sa.home)
    }

    /// The outer address that the home agent sends to.
    pub fn bound_to(&self) -> Option<SocketAddr> {
        self.ha.as_ref()?.bindings().next().map(|binding| binding.remote)
    }

    /// Whether the home agent knows that the mobile node receives there.
    pub fn is_proved(&self) -> bool {
        let binding = self.ha.as_ref().and_then(|ha| ha.bindings().next());
        binding.is_some_and(|binding| binding.proof == PathProof::Proved)
    }

    /// How often the mobile node sent something for a NAT's sake alone.
    pub fn keepalives(&self) -> u64 {
        self.mn.as_ref().map_or(0, MobileNode::keepalives)
    }

    /// The SA that the home agent's binding sends under.
    pub fn bound_under(&self) -> Option<Spi> {
        self.ha.as_ref()?.bindings().next().map(|binding| binding.spi)
    }

    /// Packets that the home agent dropped for `reason`.
    pub fn home_agent_dropped(&self, reason: DropReason) -> u64 {
        self.ha_end.counters.dropped(reason)
    }

    /// Since the world began.
    pub fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    fn home_agent_starts(&mut self) {
        self.ha_end = End::new(Role::HomeAgent, IcmpSources::default());
        let config = HomeAgentConfig { longest_binding: Duration::from_secs(600), own_addresses: vec![HA4.ip(), HA6.ip()] };
        let mut ha = HomeAgent::new(config, self.ha_end.counters.clone());
        for install in self.controller.deliver(self.ha_instance, self.now, self.wall()) {
            ha.handle_sa(Arc::new(install), self.now);
        }
        self.ha = Some(ha);
        self.drain();
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000) + (self.now - self.start)
    }
}
