//! What `mn status` shows: written by the runtime after every step, read by the control socket.

mod handovers;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use protocol::tunnel::Counters;
use serde::{Deserialize, Serialize};

use crate::captive_portal::Portal;
use crate::leak_guard::Seen;
use crate::mobile_node::Phase;
pub use handovers::HandoverShown;

/// The schema of the JSON that is printed.
pub const SCHEMA: u32 = 1;

/// A mobile node's state.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Status {
    /// Version of this layout.
    pub schema: u32,
    /// `bootstrapping`, `detached`, `registering`, `registered`, `at-home` or `leaving`.
    pub state: String,
    /// The home addresses.
    pub home: Vec<IpAddr>,
    /// The care-of address in use.
    pub care_of: Option<IpAddr>,
    /// Its interface.
    pub interface: Option<String>,
    /// What carries the tunnel's datagrams: `udp`, or `tls` where the network blocks UDP.
    #[serde(default)]
    pub transport: String,
    /// The home agent's outer address in use.
    pub home_agent: Option<IpAddr>,
    /// The prefix of the NAT64 through which that is reached, where a network without IPv4 leads to a home agent with IPv4 alone.
    #[serde(default)]
    pub nat64: Option<String>,
    /// The SPI in use.
    pub spi: Option<u32>,
    /// The cipher suite in use.
    pub suite: Option<String>,
    /// The wire profile of the SA in use: `rfc6618` or `draft-04`.
    #[serde(default)]
    pub profile: Option<String>,
    /// How user data goes under it: `protected`, or `clear` (`mip6-sas` 0).
    #[serde(default)]
    pub user_data: Option<String>,
    /// How often the SA got a successor.
    #[serde(default)]
    pub renewals: u64,
    /// Whether the home agent sees a NAT on the way.
    #[serde(default)]
    pub nat: bool,
    /// How often something was sent for the NAT's sake alone.
    #[serde(default)]
    pub keepalives: u64,
    /// After how many seconds without a packet that is done; none where no NAT is.
    #[serde(default)]
    pub keepalive_seconds: Option<f64>,
    /// The longest inner packet that the tunnel device takes, in octets.
    #[serde(default)]
    pub mtu: u16,
    /// The longest outer packet, in octets, that is confirmed to come through in both directions on the path in use; none while nothing
    /// is, or where paths are not probed.
    #[serde(default)]
    pub path_mtu: Option<u16>,
    /// Whether the IPv4 home address is bound.
    pub ipv4_bound: bool,
    /// The networks behind this node whose packets the home agent forwards.
    #[serde(default)]
    pub mobile_network_prefixes: Vec<String>,
    /// How often the care-of address changed.
    pub moves: u64,
    /// How often the machine was found to have slept.
    #[serde(default)]
    pub resumes: u64,
    /// From the last Binding Update to its acknowledgement, in milliseconds.
    pub last_registration_ms: Option<f64>,
    /// From the start to the first registration, in milliseconds.
    pub set_up_ms: Option<f64>,
    /// Seconds until the security association ends.
    pub sa_seconds_left: Option<u64>,
    /// DNS servers behind the home agent.
    pub dns: Vec<IpAddr>,
    /// Through what the host is told to ask them: `systemd-resolved`, `resolvconf` or `/etc/resolv.conf`.
    #[serde(default)]
    pub dns_through: Option<String>,
    /// Why it is not, if it should be.
    #[serde(default)]
    pub dns_error: Option<String>,
    /// The login that the network wants before it lets anything through.
    #[serde(default)]
    pub captive_portal: Option<Portal>,
    /// What went wrong last, if it still matters.
    pub last_error: Option<String>,
    /// Threads that carry packets.
    #[serde(default)]
    pub workers: usize,
    /// What of the kernel's offloads is in use: `tso`, `uso`, `udp-segment`, `udp-gro`.
    #[serde(default)]
    pub offloads: Vec<String>,
    /// The latest moves, oldest first.
    #[serde(default)]
    pub handovers: Vec<HandoverShown>,
    /// The leak guard.
    #[serde(default)]
    pub guard: Seen,
    /// How often somebody else took away what the tunnel needs, and it was put back.
    #[serde(default)]
    pub reassertions: u64,
    /// Packets and octets through the tunnel, dropped packets by reason.
    pub counters: CounterValues,
}

/// The tunnel's counters at one moment.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CounterValues {
    /// Packets sealed.
    pub sent_packets: u64,
    /// Octets inside them.
    pub sent_octets: u64,
    /// Packets that were sent once more behind a break.
    #[serde(default)]
    pub sent_again_packets: u64,
    /// Authentic packets received.
    pub received_packets: u64,
    /// Octets inside them.
    pub received_octets: u64,
    /// Packets that were sent to this node and have not come.
    #[serde(default)]
    pub missing_packets: u64,
    /// Dropped packets by reason.
    pub dropped: std::collections::BTreeMap<String, u64>,
}

impl From<&Counters> for CounterValues {
    fn from(counters: &Counters) -> Self {
        let ((sent_packets, sent_octets), (received_packets, received_octets)) = (counters.sent(), counters.received());
        let dropped = counters.drops().map(|(reason, count)| (reason.label().to_owned(), count)).collect();
        let (missing_packets, sent_again_packets) = (counters.missing(), counters.sent_again());
        Self { sent_packets, sent_octets, sent_again_packets, received_packets, received_octets, missing_packets, dropped }
    }
}

/// The status that runtime and control socket share.
#[derive(Clone, Debug)]
pub struct SharedStatus {
    status: Arc<Mutex<Status>>,
    counters: Arc<Counters>,
    started: Instant,
}

impl SharedStatus {
    /// A node that has just started.
    pub fn new(counters: Arc<Counters>, started: Instant) -> Self {
        let status = Status { schema: SCHEMA, state: phase_name(Phase::Bootstrapping).to_owned(), ..Status::default() };
        Self { status: Arc::new(Mutex::new(status)), counters, started }
    }

    /// Changes it.
    pub fn update(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Notes the first registration's time.
    pub fn registered_first(&self, now: Instant) {
        let set_up = milliseconds(now - self.started);
        self.update(|status| {
            status.set_up_ms.get_or_insert(set_up);
        });
    }

    /// Notes that something was put back; gives how often that was.
    pub fn reasserted(&self) -> u64 {
        let mut count = 0;
        self.update(|status| {
            status.reassertions += 1;
            count = status.reassertions;
        });
        count
    }

    /// Whether the node was registered once.
    pub fn was_registered(&self) -> bool {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).set_up_ms.is_some()
    }

    /// The status with the counters as they are now.
    pub fn snapshot(&self) -> Status {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        status.counters = CounterValues::from(&*self.counters);
        status
    }
}

/// A phase's name in status.
pub fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Bootstrapping => "bootstrapping",
        Phase::Detached => "detached",
        Phase::Registering => "registering",
        Phase::Registered => "registered",
        Phase::AtHome => "at-home",
        Phase::Leaving => "leaving",
    }
}

/// Whether a node in this state has what it is there for: its tunnel, or no need of one.
pub fn is_served(state: &str) -> bool {
    [Phase::Registered, Phase::AtHome].map(phase_name).contains(&state)
}

/// A duration for people and plots.
pub fn milliseconds(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}
