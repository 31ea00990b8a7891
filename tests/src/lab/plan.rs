//! Names and addresses of the lab, all from the documentation prefixes (RFC 5737, RFC 3849).
//!
//! ```text
//!        wifi: 198.51.100.0/24 (IPv4 only)               203.0.113.0/28, 2001:db8:f::/64      192.0.2.0/24, 2001:db8:2::/64
//!   mn ------------------------------------- net ---------------------------------------- ha ------------------------- cn
//!        lte:  2001:db8:1::/64 (IPv6 only)    |          203.0.113.16/28, 2001:db8:c::/64
//!                                             +------------------------------------------ hac
//! ```
//! In a [`Mix`](super::Mix) both access networks are of one family: `wifi` has 2001:db8:a::/64 then, or `lte` 203.0.113.64/26.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::mix::Family;

/// The mobile node's namespace.
pub const MN: &str = "mn";
/// The home agent's namespace.
pub const HA: &str = "ha";
/// The Home Agent Controller's namespace.
pub const HAC: &str = "hac";
/// The correspondent node's namespace.
pub const CN: &str = "cn";
/// The router between the access networks, the home agent and the HAC.
pub const NET: &str = "net";
/// Every namespace.
pub const NAMESPACES: [&str; 5] = [MN, HA, HAC, CN, NET];

/// An access network, IPv4-only unless the lab is told otherwise, and the interface of both its ends.
pub const WIFI: &str = "wifi";
/// An access network, IPv6-only unless the lab is told otherwise, and the interface of both its ends.
pub const LTE: &str = "lte";
/// The interface of the home agent and of the HAC towards the router.
pub const OUTER: &str = "outer";
/// The interface of both ends of the home link.
pub const HOME: &str = "home";

/// The home agent's outer IPv4 address.
pub const HA_OUTER4: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);
/// The home agent's outer IPv6 address.
pub const HA_OUTER6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xf, 0, 0, 0, 0, 2);
/// The HAC's IPv4 address.
pub const HAC4: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 18);
/// The HAC's IPv6 address.
pub const HAC6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xc, 0, 0, 0, 0, 2);
/// The correspondent node's IPv4 address.
pub const CN4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
/// The correspondent node's IPv6 address.
pub const CN6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 2));
/// The router's address towards the home agent: what stands outside for `wifi` when that is behind a [`Nat`](super::Nat).
pub const NAT_OUTER4: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
/// The router's address on `wifi`.
pub const ROUTER4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
/// The mobile node's care-of address on `wifi`.
pub const WIFI_CARE_OF: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 2));
/// The mobile node's care-of address on `lte`.
pub const LTE_CARE_OF: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 2));

/// IPv6 home addresses are given from here; network + 1 is the home agent's own.
pub const POOL6: &str = "2001:db8:100::/64";
/// IPv4 home addresses are given from here; network + 1 is the home agent's own.
pub const POOL4: &str = "10.9.0.0/24";
/// A home address that is never bound.
pub const UNBOUND6: &str = "2001:db8:100::dead";
/// A home address that is never bound.
pub const UNBOUND4: &str = "10.9.0.250";

/// UDP port of the home agent and TCP port of the HAC.
pub const PORT: u16 = 7872;

/// Namespace and sysctl, `/proc/sys/net/` in front. `default` counts for devices made later, `all` for those that are there.
pub const SYSCTLS: &[(&str, &str)] = &[
    ("ipv6/conf/all/accept_dad", "0"),
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/conf/all/router_solicitations", "0"),
    ("ipv6/conf/default/router_solicitations", "0"),
    ("ipv6/conf/default/accept_ra", "0"),
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
];

/// What forwards besides.
pub const FORWARDING: &[(&str, &str)] = &[("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1")];

/// `ip -batch` lines of the root namespace of the lab: the links.
pub const LINKS: &str = "
link add wifi netns mn type veth peer name wifi netns net
link add lte netns mn type veth peer name lte netns net
link add outer netns ha type veth peer name ha netns net
link add outer netns hac type veth peer name hac netns net
link add home netns ha type veth peer name home netns cn
";

/// Both ends of the links that are up as long as the lab is; the router's are named for the other end.
pub const STEADY: [(&str, &str); 6] = [(NET, HA), (HA, OUTER), (NET, HAC), (HAC, OUTER), (HA, HOME), (CN, HOME)];

/// `ip -batch` lines of each namespace: addresses and routes. The access networks start detached.
pub const ADDRESSES: &[(&str, &str)] = &[
    (MN, "link set lo up"),
    (
        NET,
        "link set lo up
link set wifi up
address add 198.51.100.1/24 dev wifi
link set lte up
address add 2001:db8:1::1/64 dev lte nodad
link set ha up
address add 203.0.113.1/28 dev ha
address add 2001:db8:f::1/64 dev ha nodad
link set hac up
address add 203.0.113.17/28 dev hac
address add 2001:db8:c::1/64 dev hac nodad",
    ),
    (
        HA,
        "link set lo up
link set outer up
address add 203.0.113.2/28 dev outer
address add 2001:db8:f::2/64 dev outer nodad
route add default via 203.0.113.1
route add default via 2001:db8:f::1
link set home up
address add 192.0.2.1/24 dev home
address add 2001:db8:2::1/64 dev home nodad",
    ),
    (
        HAC,
        "link set lo up
link set outer up
address add 203.0.113.18/28 dev outer
address add 2001:db8:c::2/64 dev outer nodad
route add default via 203.0.113.17
route add default via 2001:db8:c::1",
    ),
    (
        CN,
        "link set lo up
link set home up
address add 192.0.2.2/24 dev home
address add 2001:db8:2::2/64 dev home nodad
route add default via 192.0.2.1
route add default via 2001:db8:2::1",
    ),
];

/// What an access network has in one family: one family alone is there at a time.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// The addresses of its link.
    pub prefix: &'static str,
    /// The router's address there.
    pub router: &'static str,
    /// What leases give the mobile node in turn; the first is its care-of address as long as none changes.
    pub leases: [IpAddr; 2],
    /// What stands outside for it when it is behind a [`Nat`](super::Nat): an address of the router on the home agent's link.
    pub outside: IpAddr,
}

const WIFI4: Access = Access {
    prefix: "198.51.100.0/24",
    router: "198.51.100.1",
    leases: [WIFI_CARE_OF, IpAddr::V4(Ipv4Addr::new(198, 51, 100, 77))],
    outside: IpAddr::V4(NAT_OUTER4),
};
const WIFI6: Access = Access {
    prefix: "2001:db8:a::/64",
    router: "2001:db8:a::1",
    leases: [
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0, 0, 0, 2)),
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0, 0, 0, 0x77)),
    ],
    outside: IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xf, 0, 0, 0, 0, 1)),
};
const LTE4: Access = Access {
    prefix: "203.0.113.64/26",
    router: "203.0.113.65",
    leases: [IpAddr::V4(Ipv4Addr::new(203, 0, 113, 66)), IpAddr::V4(Ipv4Addr::new(203, 0, 113, 99))],
    outside: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 3)),
};
const LTE6: Access = Access {
    prefix: "2001:db8:1::/64",
    router: "2001:db8:1::1",
    leases: [LTE_CARE_OF, IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x77))],
    outside: IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xf, 0, 0, 0, 0, 3)),
};

/// What `access` has where it is of this family; `None` for an unknown name.
pub fn access(access: &str, family: Family) -> Option<Access> {
    match (access, family) {
        (WIFI, Family::Ipv4) => Some(WIFI4),
        (WIFI, Family::Ipv6) => Some(WIFI6),
        (LTE, Family::Ipv4) => Some(LTE4),
        (LTE, Family::Ipv6) => Some(LTE6),
        _ => None,
    }
}

impl Access {
    /// The number of bits in the prefix, in front of them a slash.
    pub fn length(&self) -> &'static str {
        self.prefix.find('/').map_or("", |slash| &self.prefix[slash..])
    }

    /// `ip -batch` lines of `mn` that give the network's interface, whose link is up, this address and its route. No `nodad`: with it the
    /// address is seen a moment before the kernel takes packets for it, and the answer to the first question for a neighbour is lost.
    /// Duplicate address detection is off by [`SYSCTLS`].
    pub fn lease(&self, interface: &str, care_of: IpAddr) -> String {
        let (length, router) = (self.length(), self.router);
        format!("address add {care_of}{length} dev {interface}\nroute replace default via {router} dev {interface}")
    }
}
