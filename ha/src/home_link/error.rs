//! Why an interface cannot be a home link.

use std::io;

use ipnet::IpNet;
use net::netlink::NetlinkError;

use super::Look;

/// Why an interface cannot be a home link, or be kept as one.
#[derive(Debug, thiserror::Error)]
pub enum HomeLinkError {
    /// There is none of this name.
    #[error("there is no interface {0:?} (see `ip link`): name the one that the home network is on, or take home-link out")]
    NoInterface(String),
    /// Neither Neighbor Discovery nor ARP is spoken there as here.
    #[error("{0} is no Ethernet link: a tunnel or the like needs no home-link, its prefix is routed to this host")]
    NotEthernet(String),
    /// No address, so no prefix.
    #[error(
        "{0} has no address with a prefix: give it one of the home network, such as `ip address add 2001:db8:100::1/64 dev {0}`"
    )]
    NoPrefix(String),
    /// An IPv6 prefix, and nothing to send from.
    #[error("{0} has no link-local IPv6 address: `sysctl -w net.ipv6.conf.{0}.addr_gen_mode=0`, and set it up again")]
    NoLinkLocal(String),
    /// Nothing of what the HAC has told is there.
    #[error(
        "no pool ({pools}) is within a prefix of {interface} ({prefixes}): give {interface} an address of the home network, with its \
         prefix length, or take home-link out"
    )]
    NoPool {
        /// The interface.
        interface: String,
        /// What is on it.
        prefixes: String,
        /// What the HAC gives addresses out of.
        pools: String,
    },
    /// A setting of the kernel's.
    #[error("cannot write {value} to {file}: {source}; run as root, or set it by sysctl")]
    Setting {
        /// Below /proc/sys.
        file: String,
        /// What it is to be.
        value: &'static str,
        /// The kernel's error.
        source: io::Error,
    },
    /// The link's socket.
    #[error(
        "cannot open a packet socket on the home link: {0}; it needs CAP_NET_RAW (AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW)"
    )]
    Socket(#[source] io::Error),
    /// Links, addresses, proxy entries.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
}

impl HomeLinkError {
    pub(super) fn no_pool(look: &Look, pools: &[IpNet]) -> Self {
        Self::NoPool { interface: look.name.clone(), prefixes: list(&look.prefixes), pools: list(pools) }
    }
}

fn list(prefixes: &[IpNet]) -> String {
    prefixes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
