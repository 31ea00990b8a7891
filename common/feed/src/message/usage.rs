//! What a home agent says of sessions: who was where, for how long, and what was carried.

use std::net::SocketAddr;
use std::time::Duration;

use protocol::sa::Spi;
use protocol::tunnel::Traffic;

use super::MAX_LEFT;

/// The most reports in one [`FromHa::Usage`](super::FromHa::Usage): what the HAC writes to its disk in one transaction, some
/// milliseconds that mobile nodes wait for.
pub const USAGE_PART: usize = 256;
/// The longest that a session may have gone on: an SA's longest life, and a day for what it is held beyond that.
pub const MAX_AGE: Duration = Duration::from_secs(MAX_LEFT.as_secs() + 86_400);

/// How one session is. A session is one binding under one SA: it begins when a node registers under the SA and ends with that binding
/// or that SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionReport {
    /// The SA.
    pub spi: Spi,
    /// Which binding under this SA in this process of the home agent, from 1.
    pub number: u32,
    /// Where the node is: outer source of its latest Binding Update.
    pub care_of: SocketAddr,
    /// Since the binding began; sent in whole seconds, rounded down. At most [`MAX_AGE`].
    pub age: Duration,
    /// Inner packets and octets carried since then.
    pub traffic: Traffic,
    /// Why the session has ended; `None` while it goes on. What is said last of a session.
    pub ended: Option<SessionEnd>,
}

/// Why a session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionEnd {
    /// The node has de-registered (lifetime 0).
    Deregistered,
    /// The binding's lifetime has run out.
    BindingExpired,
    /// The node has registered under a newer SA.
    Superseded,
    /// The HAC has ended the SA.
    SaEnded,
    /// The SA's validity has ended.
    SaExpired,
}
