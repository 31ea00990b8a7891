//! What a mobile node wants done.

use std::net::IpAddr;
use std::time::Duration;

use protocol::addr::HomeAddress;
use protocol::prefixes::MobileNetworkPrefixes;
use protocol::tunnel::{Command, SocketId};
use protocol::wire::mobility::Status;

use super::HomeStep;
use crate::binding_messages::Ipv4Refusal;
use crate::bootstrap::Run;
use crate::fallback_policy::Attempt;
use crate::movement::Attachment;

/// What the runtime has to do.
#[derive(Clone, Debug)]
pub enum Action {
    /// Run MHAuth; say with `handle_bootstrap_address` from where it goes, and answer with `handle_grant` or
    /// `handle_bootstrap_failure`.
    Bootstrap(Run),
    /// End this run, whose network is gone: its answer is not wanted any more.
    AbandonBootstrap(Run),
    /// Open a socket bound to the attachment's address; answer with `handle_path_opened`.
    OpenPath {
        /// Its number for the workers.
        socket: SocketId,
        /// What to bind it to.
        attachment: Attachment,
    },
    /// Close a socket.
    ClosePath(SocketId),
    /// Connect over TLS; answer with `handle_fallback_opened` or `handle_fallback_closed`.
    OpenFallback {
        /// Its number, and that of its tunnel's socket.
        attempt: Attempt,
        /// From where.
        attachment: Attachment,
        /// The home agent's address.
        home_agent: IpAddr,
    },
    /// End that connection, and close its tunnel's socket.
    CloseFallback(Attempt),
    /// For both halves of the tunnel.
    Command(Command),
    /// The binding stands: packets may be routed into the tunnel.
    Registered(Registered),
    /// The path carries inner packets of so many octets in one piece: for the device, and for TCP connections through it.
    Mtu(u16),
    /// The home agent refused the binding; it is tried again.
    Refused(Status),
    /// On the home link; answer with `handle_home_refused` where that cannot be done.
    Home(HomeStep),
    /// De-registered, or given up: the node may stop.
    Finished,
}

/// A registration that the home agent has acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// With which attachment.
    pub attachment: Attachment,
    /// For how long.
    pub lifetime: Duration,
    /// From the Binding Update to its acknowledgement.
    pub took: Duration,
    /// The home addresses that are bound.
    pub bound: Vec<HomeAddress>,
    /// Why the IPv4 home address is not among them, if there is one.
    pub ipv4_refused: Option<Ipv4Refusal>,
    /// Whether the home agent sees a NAT on the way.
    pub nat: bool,
    /// The networks behind the node whose packets the home agent forwards.
    pub prefixes: MobileNetworkPrefixes,
}
