//! Links, addresses, routes and policy rules of the kernel, over rtnetlink (RFC 3549; `rtnetlink(7)`).
//!
//! The mobile node and the home agent ask and change through [`Netlink`], and hear of changes by others from a [`Monitor`].
//! Requests go through without asking what the state is for: which route belongs where is decided by the callers. What is
//! added twice or deleted twice is no error: [`Change`] says which it was.

use std::io;
use std::time::Duration;

use futures_util::StreamExt;
use rtnetlink::packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::sys::AsyncSocket;

mod address;
mod datagram;
mod home_address;
mod link;
mod lists;
mod monitor;
mod neighbour;
mod proxy;
mod route;
mod rule;
mod ruleset;
mod user_option;

pub use address::{Address, Scope};
pub use home_address::HomeAddressHere;
pub use link::Link;
pub use lists::ListReader;
pub use monitor::{Changed, Event, Monitor};
pub use neighbour::{Answers, Neighbour};
pub use route::{LOCAL_TABLE, MAIN_TABLE, NextHop, Route, RouteFilter, RouteKind};
pub use rule::{CleanUp, DeviceName, Rule, RuleAction, Selector};
pub use ruleset::RulesetMonitor;
pub use user_option::{AdvertisedPref64, Pref64Monitor, advertised};

/// How long the kernel may take for one answer. It answers from memory; a dump of a million routes takes about a second.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection to the kernel; copies share it. Ends with the last of them.
#[derive(Clone, Debug)]
pub struct Netlink {
    handle: rtnetlink::Handle,
}

/// Whether a request changed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It did.
    Made,
    /// It was so already.
    AlreadySo,
}

/// A family of addresses, where a request needs one and no address shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both of them.
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    fn known(family: AddressFamily) -> Option<Self> {
        Self::BOTH.into_iter().find(|known| AddressFamily::from(*known) == family)
    }
}

impl From<Family> for AddressFamily {
    fn from(family: Family) -> Self {
        match family {
            Family::V4 => Self::Inet,
            Family::V6 => Self::Inet6,
        }
    }
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// An address was added but is not taken into use.
    #[error("the kernel does not take the address {address} into use: is its interface up, and IPv6 not disabled there?")]
    NotInUse {
        /// The address.
        address: std::net::IpAddr,
    },
    /// No socket.
    #[error("cannot open a netlink socket: {0}; is the process confined (seccomp, RestrictAddressFamilies=)?")]
    Open(#[source] io::Error),
    /// The kernel said no.
    #[error("cannot {what}: {source}{}", remedy(source))]
    Refused {
        /// What was asked for.
        what: String,
        /// The kernel's error.
        source: io::Error,
    },
    /// The kernel said nothing, or the connection's task has ended with its runtime.
    #[error("cannot {what}: the kernel did not answer in {} s; it is overloaded, or the program is ending: start it again", ANSWER_TIMEOUT.as_secs())]
    NoAnswer {
        /// What was asked for.
        what: String,
    },
    /// A clean-up that would take the host's own routing away.
    #[error(
        "routing table {table} and rule priority {priority} are the system's own: set a number from 256 to 32765 for the tunnel"
    )]
    Reserved {
        /// The table asked for.
        table: u32,
        /// The priority asked for.
        priority: u32,
    },
}

impl NetlinkError {
    /// The kernel's error number, if it said one.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Refused { source, .. } => source.raw_os_error(),
            Self::Open(source) => source.raw_os_error(),
            Self::NoAnswer { .. } | Self::NotInUse { .. } | Self::Reserved { .. } => None,
        }
    }
}

fn remedy(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EPERM) => "; run as root or with CAP_NET_ADMIN",
        // The kernel says it of an address on an interface without IPv6, too.
        Some(libc::EACCES) => {
            "; run as root or with CAP_NET_ADMIN, and let IPv6 on: `sysctl -w net.ipv6.conf.all.disable_ipv6=0 \
             net.ipv6.conf.default.disable_ipv6=0`"
        }
        Some(libc::ENODEV) => "; the interface does not exist: see `ip link`",
        Some(libc::ENETUNREACH | libc::ENETDOWN) => "; the interface is down or has no address of this family",
        Some(libc::EOPNOTSUPP | libc::EAFNOSUPPORT) => "; this kernel is built or started without it (policy routing, IPv6)",
        _ => "; the kernel's log (`dmesg`) may say more",
    }
}

impl Netlink {
    /// Opens a socket and starts its task on the current tokio runtime.
    ///
    /// # Errors
    /// [`NetlinkError::Open`].
    pub fn connect() -> Result<Self, NetlinkError> {
        let (mut connection, handle, _) = rtnetlink::new_connection_with_strict_check().map_err(NetlinkError::Open)?;
        // Both tell an answer that is complete from a connection that has ended.
        connection.set_forward_ack(true);
        connection.set_forward_done(true);
        connection.socket_mut().socket_mut().set_ext_ack(true).map_err(NetlinkError::Open)?;
        tokio::spawn(connection);
        Ok(Self { handle })
    }

    /// Every object of a kind.
    async fn dump(&self, what: &str, request: RouteNetlinkMessage) -> Result<Vec<RouteNetlinkMessage>, NetlinkError> {
        self.exchange(what, request, NLM_F_DUMP).await
    }

    /// One request and its answer.
    async fn ask(&self, what: &str, request: RouteNetlinkMessage, flags: u16) -> Result<Vec<RouteNetlinkMessage>, NetlinkError> {
        self.exchange(what, request, NLM_F_ACK | flags).await
    }

    /// A request whose refusal with one of `harmless` says that it is so already.
    async fn change(
        &self,
        what: &str,
        request: RouteNetlinkMessage,
        flags: u16,
        harmless: &[i32],
    ) -> Result<Change, NetlinkError> {
        match self.ask(what, request, flags).await {
            Ok(_) => Ok(Change::Made),
            Err(error) if error.errno().is_some_and(|errno| harmless.contains(&errno)) => Ok(Change::AlreadySo),
            Err(error) => Err(error),
        }
    }

    async fn exchange(
        &self,
        what: &str,
        request: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<Vec<RouteNetlinkMessage>, NetlinkError> {
        let no_answer = || NetlinkError::NoAnswer { what: what.to_owned() };
        let mut message = NetlinkMessage::from(request);
        message.header.flags = NLM_F_REQUEST | flags;
        let mut answers = self.handle.clone().request(message).map_err(|_| no_answer())?;
        let collect = async {
            let mut objects = Vec::new();
            while let Some(answer) = answers.next().await {
                if let Some(end) = take(answer.payload, &mut objects) {
                    let refused = |source| NetlinkError::Refused { what: what.to_owned(), source };
                    return end.map(|()| objects).map_err(refused);
                }
            }
            Err(no_answer())
        };
        tokio::time::timeout(ANSWER_TIMEOUT, collect).await.unwrap_or_else(|_| Err(no_answer()))
    }
}

/// Takes a part of an answer; how the answer ends, when it does.
fn take(part: NetlinkPayload<RouteNetlinkMessage>, objects: &mut Vec<RouteNetlinkMessage>) -> Option<io::Result<()>> {
    let code = if let NetlinkPayload::InnerMessage(object) = part {
        objects.push(object);
        return None;
    } else if let NetlinkPayload::Error(error) = part {
        error.raw_code()
    } else if let NetlinkPayload::Done(done) = part {
        done.code
    } else {
        return None;
    };
    Some(if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code.abs())) })
}

#[cfg(test)]
mod tests;
