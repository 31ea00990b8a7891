//! What a home agent reports of its sessions.

use std::net::SocketAddr;
use std::time::Duration;

use protocol::sa::Spi;

/// One session as its home agent reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionReport {
    /// The association that the node has registered under.
    pub spi: Spi,
    /// Which binding under it in this process of the home agent, from 1.
    pub number: u32,
    /// Where the node is: the outer source of its latest Binding Update.
    pub care_of: SocketAddr,
    /// Since the binding began; whole seconds.
    pub age: Duration,
    /// What was carried since then.
    pub traffic: Traffic,
    /// Why it has ended; `None` while it goes on. What is said last of a session.
    pub ended: Option<SessionEnd>,
}

/// Inner packets that were carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Uplink.
    pub from_node: Volume,
    /// Downlink.
    pub to_node: Volume,
}

/// How much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// Inner packets.
    pub packets: u64,
    /// Their octets.
    pub octets: u64,
}

/// Why a session has ended, as far as the home agent knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionEnd {
    /// The node de-registered (lifetime 0).
    Deregistered,
    /// The binding's lifetime ran out.
    BindingExpired,
    /// The node has registered under a newer SA.
    Superseded,
    /// The SA was ended by the HAC.
    SaEnded,
    /// The SA's validity ended.
    SaExpired,
}
