//! Why a home agent cannot run.

use std::io;

use net::netlink::NetlinkError;
use net::worker::WorkerGone;
use service::config::ConfigError;
use service::control::ControlError;

use crate::home_link::HomeLinkError;

/// Why the home agent cannot run, or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// A value of the configuration, or a file that it names, cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The control socket.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The TUN device.
    #[error("cannot make the tunnel's device: {0}")]
    Tun(#[source] io::Error),
    /// A UDP socket.
    #[error(transparent)]
    Socket(io::Error),
    /// The fallback's TCP socket.
    #[error("mobile nodes whose network blocks UDP cannot be served ([fallback] listen): {0}")]
    Fallback(#[source] io::Error),
    /// Addresses and routes of the device.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// The home link.
    #[error("home-link: {0}")]
    HomeLink(#[from] HomeLinkError),
    /// The worker threads cannot start.
    #[error(
        "cannot start the worker threads: {0}; raise the limits on threads and open files (`ulimit -u`, `ulimit -n`, TasksMax=)"
    )]
    Workers(#[source] io::Error),
    /// A worker thread has ended or is stuck; without both halves no tunnel works.
    #[error("a worker thread has ended (its error stands above): start the home agent again")]
    WorkerGone,
}

impl From<WorkerGone> for GatewayError {
    fn from(_: WorkerGone) -> Self {
        Self::WorkerGone
    }
}
