//! A world in virtual time: HAC, home agent and mobile node in one process, no sockets, the clock moves when nothing else does.
//!
//! The real machines run: the HAC's sessions on an SQLite store, the feed's messages, the home agent, the mobile node, both halves
//! of the tunnel. Only what the programs' shells do is done here by hand: `controller` is the HAC's, `gateway` the home agent's,
//! `node` the mobile node's, `aaa` a AAA server. `network` carries datagrams, `exchange` MHAuth, `feed` security associations. All that is random
//! follows from one seed. Whatever is logged at WARN or ERROR has to be expected ([`World::logged`]), and no level may show a key.
//!
//! Stories read like the product: see `tests/stories/`.

mod aaa;
mod controller;
pub mod crowd;
mod end;
mod exchange;
mod feed;
mod gateway;
mod initiator;
mod nat;
mod network;
mod node;
pub mod packet;
mod run;
mod sleep;
mod view;
pub mod walk;
mod watch;

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::{Duration, Instant, SystemTime};

use ::feed::{FromHac, SessionReport};
use ::hac::store::InstanceId;
use ha::home_agent::Which;
use mn::config::MobileRouter;
use protocol::sa::{CipherSuite, Spi};
use rand::SeedableRng;
use rand::rngs::StdRng;

pub use aaa::Aaa;
use controller::Controller;
pub use controller::Options;
use exchange::Exchange;
use feed::{Feed, Message};
use gateway::Gateway;
pub use nat::Nat;
pub use network::{ByNumber, Datagram, Network};
use node::Node;
use sleep::Asleep;
use watch::Watch;

/// The mobile node's address in the IPv4 network.
const WIFI: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 7));
/// The mobile node's address in the IPv6 network.
/// The mobile node's address on a network that has the home prefixes.
pub const GUEST: IpAddr = IpAddr::V6(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 0xabcd));
const LTE: IpAddr = IpAddr::V6(std::net::Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 7));
/// What stands outside for the IPv4 network where that is behind a translator.
pub const NAT_OUTER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
/// How long that translator keeps a mapping: the least that RFC 4787 section 4.3 allows.
const NAT_LIFETIME: Duration = Duration::from_secs(120);
/// One way over either link.
const DELAY: Duration = Duration::from_millis(20);

/// Where a mobile node can be attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// An IPv4 network.
    Wifi,
    /// An IPv6 network.
    Lte,
    /// One that has the home prefixes: the home link, or a network that says so.
    Home,
}

/// The world.
pub struct World {
    now: Instant,
    start: Instant,
    rng: StdRng,
    /// Between mobile node and home agent.
    pub network: Network,
    /// Where the HAC asks, if it asks anybody ([`Options::eap_server`]).
    pub aaa: Aaa,
    controller: Controller,
    feed: Feed,
    gateway: Option<Gateway>,
    gateways_so_far: u8,
    node: Option<Node>,
    /// The mobile node, while its machine sleeps.
    asleep: Option<Asleep>,
    newest_port: u16,
    access: Vec<Access>,
    /// The one with the best route.
    preferred: Option<Access>,
    /// Not usable any more, but what is on its way there still arrives.
    fading: Vec<Access>,
    exchange: Option<Exchange>,
    mhauth_attempts: u32,
    /// What the mobile node was granted, and when.
    grants: Vec<(Duration, Spi)>,
    /// What home agents have looked up, and when.
    look_ups: Vec<(Duration, Spi)>,
    /// What the HAC was told of sessions and the story has not asked about yet.
    session_reports: Vec<SessionReport>,
    watch: Watch,
}

impl World {
    /// A HAC with one subscriber, a home agent, a mobile node attached to the Wi-Fi and not yet started.
    pub fn new(suite: CipherSuite) -> Self {
        Self::with(Options::new(suite))
    }

    /// The same, otherwise. Returns when the home agent is connected to the HAC.
    pub fn with(options: Options) -> Self {
        let (now, mut watch) = (Instant::now(), Watch::start());
        watch.keep_to_debug(controller::NAI);
        watch.keep_secret("the mobile node's pre-shared key", &options.key);
        watch.keep_secret("the subscriber's pre-shared key", &controller::KEY);
        watch.keep_secret("the key-encryption key", &controller::KEK);
        let mut rng = StdRng::seed_from_u64(options.seed);
        let controller = Controller::new(options, wall(Duration::ZERO), &mut rng);
        let mut world = Self {
            now,
            start: now,
            rng,
            network: Network::new(DELAY),
            aaa: Aaa::default(),
            controller,
            feed: Feed::default(),
            gateway: None,
            gateways_so_far: 0,
            node: None,
            asleep: None,
            newest_port: 50_000,
            access: vec![Access::Wifi],
            preferred: None,
            fading: Vec::new(),
            exchange: None,
            mhauth_attempts: 0,
            grants: Vec::new(),
            look_ups: Vec::new(),
            session_reports: Vec::new(),
            watch,
        };
        world.home_agent_starts();
        world.runs_for(Duration::from_millis(10));
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

    /// The mobile node starts, with nothing in memory; the process before it, if any, was killed.
    pub fn mobile_node_boots(&mut self) {
        self.mobile_node_dies();
        let mut node = Node::new(self.now, &mut self.rng);
        if self.controller.has_networks() {
            node.machine.be_router(MobileRouter { lan: "lan".to_owned() });
        }
        node.machine.note_links(self.on_links());
        node.machine.handle_attachments(self.attachments(), self.now);
        self.node = Some(node);
        self.drain();
    }

    /// The mobile node's process is killed.
    pub fn mobile_node_dies(&mut self) {
        self.node = None;
        self.exchange = None;
    }

    /// The home agent's process is killed and started again: it knows nothing but what the HAC delivers anew.
    pub fn home_agent_restarts(&mut self) {
        self.home_agent_dies();
        self.home_agent_starts();
    }

    /// The home agent's process is killed.
    pub fn home_agent_dies(&mut self) {
        self.gateway = None;
        self.feed.cut();
        self.controller.lose_home_agent();
        self.lose_acknowledgement();
    }

    /// The home agent's process starts, and subscribes to the feed.
    pub fn home_agent_starts(&mut self) {
        self.gateways_so_far += 1;
        let mut gateway = Gateway::new(InstanceId([self.gateways_so_far; 16]));
        if self.controller.has_home_link() {
            gateway.home_agent.set_home_link(home_prefixes());
            gateway.home_agent.set_on_link(home_prefixes());
        }
        self.feed.send(Message::Subscribe(gateway.instance), self.now);
        self.gateway = Some(gateway);
    }

    /// The HAC's process is killed; what it has committed is on disk.
    pub fn hac_dies(&mut self) {
        self.controller.die();
        self.feed.cut();
        self.reset_exchange();
        if let Some(gateway) = &mut self.gateway {
            gateway.loses_feed();
            self.feed.subscribe_later(gateway.instance, self.now);
        }
    }

    /// The HAC's process starts.
    pub fn hac_starts(&mut self) {
        self.controller.start();
    }

    /// The HAC's feed falls behind: home agents hear of nothing new, though they can look SPIs up; or it catches up.
    pub fn hac_withholds_changes(&mut self, withholds: bool) {
        self.controller.withholds_changes = withholds;
        self.feed_changes();
    }

    /// The operator disables the subscriber, which ends his associations, or enables him again.
    pub fn operator_enables_the_subscriber(&mut self, enabled: bool) {
        self.controller.set_enabled(enabled, self.wall());
        self.feed_changes();
    }

    /// The mobile node loses all other networks and gets this one.
    pub fn moves_to(&mut self, access: Access) {
        self.attaches_to(&[access]);
    }

    /// The mobile node has exactly these networks from now on. What is on its way to another is lost.
    pub fn attaches_to(&mut self, access: &[Access]) {
        self.access.clear();
        self.fades_to(access);
    }

    /// The mobile node gets another network beside the one that it has, and the route there is the better one.
    pub fn gets_better(&mut self, access: Access) {
        self.preferred = Some(access);
        self.access.retain(|other| *other != access);
        let both: Vec<Access> = self.access.iter().copied().chain([access]).collect();
        self.fades_to(&both);
    }

    /// The mobile node may use exactly these networks from now on. What is on its way to one that it had still arrives.
    pub fn fades_to(&mut self, access: &[Access]) {
        self.fading = std::mem::replace(&mut self.access, access.to_vec());
        let (usable, on_links) = (self.attachments(), self.on_links());
        if let Some(node) = &mut self.node {
            node.machine.note_links(on_links);
            node.machine.handle_attachments(usable, self.now);
        }
        self.drain();
    }

    /// The home agent's operator wants new keys for every node.
    pub fn home_agent_asks_for_new_sas(&mut self) {
        if let Some(gateway) = &mut self.gateway {
            gateway.home_agent.ask_for_new_sa(Which::All, self.now);
        }
        self.drain();
    }

    /// The HAC wants a new SA in the place of the one that the node is bound under.
    pub fn hac_asks_for_a_new_sa(&mut self) {
        if let (Some(gateway), Some(spi)) = (&self.gateway, self.bound_under()) {
            self.feed.send(Message::FromHac(gateway.instance, FromHac::Renew(spi)), self.now);
        }
    }

    /// The operator wants new keys for the mobile node.
    pub fn mobile_node_renews(&mut self) {
        if let Some(node) = &mut self.node {
            node.machine.handle_renew(self.now);
        }
        self.drain();
    }

    /// The mobile node says goodbye.
    pub fn mobile_node_leaves(&mut self) {
        if let Some(node) = &mut self.node {
            node.machine.handle_down(self.now);
        }
        self.drain();
    }

    /// An application on the mobile node sends to the correspondent node.
    pub fn mobile_node_sends(&mut self, packet: &[u8]) {
        if let Some(node) = &mut self.node {
            let datagrams = node.end.send(packet, self.now, &mut self.rng);
            self.send_from_mobile_node(datagrams);
        }
    }

    /// The correspondent node sends to the mobile node's home address.
    pub fn correspondent_sends(&mut self, packet: &[u8]) {
        if let Some(gateway) = &mut self.gateway {
            let datagrams = gateway.end.send(packet, self.now, &mut self.rng);
            self.send_from_home_agent(datagrams);
        }
    }

    /// Puts a datagram on the wire as an attacker would, with any source. It arrives before what others send now.
    pub fn attacker_sends(&mut self, from: SocketAddr, to: SocketAddr, octets: &[u8]) {
        self.network.inject(Datagram { from, to, octets: octets.to_vec() }, self.now);
    }

    /// Since the world began.
    pub fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    fn wall(&self) -> SystemTime {
        wall(self.elapsed())
    }
}

/// On the home link, where there is one: the pools of the HAC.
fn home_prefixes<Prefix: FromStr>() -> Vec<Prefix> {
    ["2001:db8:100::/64", "10.9.0.0/24"].iter().filter_map(|prefix| prefix.parse().ok()).collect()
}

fn wall(elapsed: Duration) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000) + elapsed
}
