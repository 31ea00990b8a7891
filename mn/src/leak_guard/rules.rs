//! The guard's rules, as `nft -f` reads them.
//!
//! ```text
//!  input ──> inbound ── for a home address, not from the tunnel? ──> drop
//!  output ─┬─ loopback, tunnel, the node's own mark; from the home network on the home link, when at home ──> accept
//!  forward ┴─> networks ── to the network behind this host, from it to elsewhere? ──> accept, refuse
//!          └─> guarded ── excepted, neighbour discovery, DHCP, an answer, local? ──> accept
//!                      └─ in `routes`? ──> refuse ── counted, TCP reset or ICMP error
//! ```

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use protocol::prefixes::MobileNetworkPrefixes;

use crate::config::{Guard, GuardMode, Tunnel};
use crate::local_networks::{self, LocalNetwork};

/// Counts what was to leave beside the tunnel.
pub(super) const REJECTED: &str = "rejected";
/// Of that, queries to name servers, also over TLS, DTLS or QUIC (RFC 7858, RFC 8094, RFC 9250).
pub(super) const REJECTED_DNS: &str = "rejected-dns";
/// Counts what came for a home address past the tunnel.
pub(super) const INJECTED: &str = "injected";

/// What it takes to be on a link at all: router and neighbour discovery (RFC 4861, which comes from the link alone), group
/// membership (RFC 2710, RFC 3810, IGMP), and addresses (DHCP, as client and as server of guests).
const ON_THE_LINK: &str = "
        icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, nd-redirect } \
        ip6 hoplimit 255 accept
        icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report } ip6 hoplimit 1 accept
        ip protocol igmp ip daddr 224.0.0.0/4 accept
        udp sport 68 udp dport 67 accept
        udp sport 67 udp dport 68 accept
        ip6 daddr { fe80::/10, ff02::/16 } udp sport { 546, 547 } udp dport { 546, 547 } accept";

/// A TCP connection whose first segment came in has this label, as nobody else has it (bit 118 of 128; the bits have no owner):
/// connection tracking alone may have taken it up in its midst.
const BEGUN: &str = "
    chain begun {
        type filter hook prerouting priority mangle; policy accept;
        ct state new tcp flags & (fin | syn | rst | ack) == syn ct label set 118
    }";

/// Answers. Who begins a TCP connection does not answer, whatever was sent before to make it look so.
const ANSWERS: &str = "
        ct direction reply meta l4proto != tcp accept
        ct direction reply ct label 118 tcp flags & (syn | ack) != syn accept
        ip saddr . tcp sport . ip daddr . tcp dport @answered4 tcp flags & (syn | ack) != syn accept
        ip6 saddr . tcp sport . ip6 daddr . tcp dport @answered6 tcp flags & (syn | ack) != syn accept";

/// Who is refused learns it at once: TCP by a reset (an ICMPv6 error that comes while the socket is in use waits for the next
/// SYN, a second later), everything else by an ICMP error.
const REFUSE: &str = "
    chain refuse {
        meta l4proto { tcp, udp } th dport { 53, 853 } counter name \"rejected-dns\"
        counter name \"rejected\"
        meta l4proto tcp reject with tcp reset
        reject with icmpx admin-prohibited
    }";

/// Destinations on the link itself that are everywhere the same.
const LINK_GROUPS4: &str = "224.0.0.0/24, 255.255.255.255";
const LINK_GROUPS6: &str = "ff02::/16";

/// What the table follows from.
pub(super) struct Rules {
    pub(super) guard: Guard,
    pub(super) tunnel: Tunnel,
    /// The interface of the network behind this host.
    pub(super) lan: Option<String>,
    pub(super) homes: Vec<IpAddr>,
    /// The networks there.
    pub(super) networks: MobileNetworkPrefixes,
    pub(super) local: Vec<LocalNetwork>,
    /// Own end and other end of connections that others opened before the table stood.
    pub(super) answered: Vec<(SocketAddr, SocketAddr)>,
    /// The interface and the prefixes of the home link, while the node is there.
    pub(super) home_link: Option<(String, Vec<IpNet>)>,
    /// For how long what it opens stays open when nobody renews it.
    pub(super) home_link_lasts: Duration,
}

/// The table's name: one for each node of a host, as its routing table is.
pub(super) fn table_name(routing_table: u32) -> String {
    format!("haltsec-{routing_table}")
}

impl Rules {
    /// The table's name.
    pub(super) fn table(&self) -> String {
        table_name(self.tunnel.table)
    }

    /// The whole table, in place of what is there.
    pub(super) fn whole(&self) -> String {
        let (table, device) = (self.table(), &self.tunnel.device);
        let outgoing = if self.guard.mode == GuardMode::On { self.outgoing() } else { String::new() };
        let chains =
            if self.guard.mode == GuardMode::On { self.local() + &self.networks() + &self.at_home() } else { String::new() };
        let lasts = self.home_link_lasts.as_secs();
        // Before connection tracking: what is dropped there is no connection.
        format!(
            "add table inet {table}
delete table inet {table}
table inet {table} {{
    counter {INJECTED} {{ }}
    set home-link {{ type ifname; timeout {lasts}s; }}
    chain homes {{ }}
    chain inbound {{
        type filter hook prerouting priority raw; policy accept;
        iifname != {{ \"lo\", \"{device}\" }} jump homes
    }}{outgoing}
}}
{}{}{chains}",
            self.home_link(),
            self.homes()
        )
    }

    /// The chain of home addresses and of networks behind this host, anew.
    pub(super) fn homes(&self) -> String {
        let table = self.table();
        let mut script = format!("flush chain inet {table} homes\n");
        if self.home_link.is_some() {
            let _ = writeln!(script, "add rule inet {table} homes iifname @home-link return");
        }
        for home in &self.homes {
            let _ =
                writeln!(script, "add rule inet {table} homes {} daddr {home} counter name \"{INJECTED}\" drop", family(*home));
        }
        for network in self.networks.iter() {
            let lan = self.lan.as_ref().map(|lan| format!("iifname != \"{lan}\" ")).unwrap_or_default();
            let _ = writeln!(script, "add rule inet {table} homes {lan}ip6 daddr {network} counter name \"{INJECTED}\" drop");
        }
        script
    }

    /// The chain of networks behind this host, anew: they are reached on their own interface, and leave by the tunnel alone.
    pub(super) fn networks(&self) -> String {
        let table = self.table();
        let mut script = format!("flush chain inet {table} networks\n");
        let Some(lan) = &self.lan else { return script };
        let [_, link6] = local_networks::of_every_link();
        let there: Vec<String> = self.networks.iter().map(|network| format!(", {network}")).collect();
        let there = format!("{{ {LINK_GROUPS6}, {link6}{} }}", there.concat());
        let _ = writeln!(script, "add rule inet {table} networks oifname \"{lan}\" ip6 daddr {there} accept");
        for network in self.networks.iter() {
            let _ = writeln!(script, "add rule inet {table} networks ip6 saddr {network} goto refuse");
        }
        let _ = writeln!(script, "add rule inet {table} networks iifname \"{lan}\" meta nfproto ipv6 goto refuse");
        script
    }

    /// The chains of the home link, anew: there the host needs no tunnel, nor do guests of this host, who get one of them when
    /// they leave.
    pub(super) fn at_home(&self) -> String {
        let table = self.table();
        let mut script = format!("flush chain inet {table} at-home\nflush chain inet {table} guests-at-home\n");
        let Some((_, prefixes)) = &self.home_link else { return script };
        let _ = writeln!(script, "add rule inet {table} guests-at-home iifname @home-link accept");
        let _ = writeln!(script, "add rule inet {table} guests-at-home oifname @home-link accept");
        for prefix in prefixes {
            let family = family(prefix.addr());
            let _ = writeln!(script, "add rule inet {table} at-home oifname @home-link {family} saddr {prefix} accept");
        }
        script
    }

    /// The set with the home link's interface, anew and for its whole time: an element that is there would keep the rest of its own.
    pub(super) fn home_link(&self) -> String {
        let table = self.table();
        let mut script = format!("flush set inet {table} home-link\n");
        if let Some((link, _)) = &self.home_link {
            let _ = writeln!(script, "add element inet {table} home-link {{ \"{link}\" }}");
        }
        script
    }

    /// The chain of local networks, anew.
    pub(super) fn local(&self) -> String {
        let table = self.table();
        let mut script = format!("flush chain inet {table} local\n");
        if !self.guard.local_network {
            return script;
        }
        let mut accept = |packets: String| {
            let _ = writeln!(script, "add rule inet {table} local {packets} accept");
        };
        let [link4, link6] = local_networks::of_every_link();
        accept(format!("ip daddr {{ {LINK_GROUPS4}, {link4} }}"));
        accept(format!("ip6 daddr {{ {LINK_GROUPS6}, {link6} }}"));
        for LocalNetwork { prefix, interface } in &self.local {
            accept(format!("oifname \"{interface}\" {} daddr {prefix}", family(prefix.addr())));
        }
        script
    }

    fn outgoing(&self) -> String {
        let Tunnel { device, fwmark, routes, except, .. } = &self.tunnel;
        let (all, named): (Vec<IpNet>, Vec<IpNet>) = routes.iter().partition(|route| route.prefix_len() == 0);
        let is_all = |ip4: bool| all.iter().any(|route| route.addr().is_ipv4() == ip4);
        let mut text = format!("\n    counter {REJECTED} {{ }}\n    counter {REJECTED_DNS} {{ }}");
        for (name, prefixes) in [("named", &named), ("except", except)] {
            text += &set(&format!("{name}4"), "ipv4_addr", prefixes.iter().filter(|prefix| prefix.addr().is_ipv4()));
            text += &set(&format!("{name}6"), "ipv6_addr", prefixes.iter().filter(|prefix| prefix.addr().is_ipv6()));
        }
        let answers = if self.guard.answers { ANSWERS } else { "" };
        if self.guard.answers {
            text += &self.answered(true);
            text += &self.answered(false);
            text += BEGUN;
        }
        let everything = [("ipv4", is_all(true)), ("ipv6", is_all(false))].map(|(protocol, all)| self.everything(protocol, all));
        let [(dns4, all4), (dns6, all6)] = everything;
        let _ = write!(
            text,
            "{REFUSE}
    chain local {{ }}
    chain at-home {{ }}
    chain guests-at-home {{ }}
    chain networks {{ }}
    chain guarded {{
        ip daddr @except4 accept
        ip6 daddr @except6 accept{ON_THE_LINK}{answers}
        ip daddr @named4 goto refuse
        ip6 daddr @named6 goto refuse{dns4}{dns6}
        jump local{all4}{all6}
    }}
    chain output {{
        type filter hook output priority filter; policy accept;
        oifname {{ \"lo\", \"{device}\" }} accept
        meta mark {fwmark} accept
        jump at-home
        jump networks
        goto guarded
    }}
    chain forward {{
        type filter hook forward priority filter; policy accept;
        iifname \"{device}\" accept
        oifname \"{device}\" accept
        jump guests-at-home
        jump networks
        goto guarded
    }}"
        );
        text
    }

    fn answered(&self, ip4: bool) -> String {
        let (name, kind) = if ip4 { ("answered4", "ipv4_addr") } else { ("answered6", "ipv6_addr") };
        let of_family = self.answered.iter().filter(|(own, _)| own.is_ipv4() == ip4);
        let elements = of_family.map(|(own, other)| format!("{} . {} . {} . {}", own.ip(), own.port(), other.ip(), other.port()));
        format!("\n    set {name} {{ type {kind} . inet_service . {kind} . inet_service;{} }}", elements_of(elements.collect()))
    }

    /// Where all of a family is to go through the tunnel: name servers are refused before local networks are let through, all
    /// else after. What is within a named route is never local.
    fn everything(&self, protocol: &str, all: bool) -> (String, String) {
        if !all {
            return (String::new(), String::new());
        }
        let dns = format!("\n        meta nfproto {protocol} meta l4proto {{ tcp, udp }} th dport {{ 53, 853 }} goto refuse");
        let dns = if self.guard.local_dns { String::new() } else { dns };
        (dns, format!("\n        meta nfproto {protocol} goto refuse"))
    }
}

fn family(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "ip" } else { "ip6" }
}

fn set<'a>(name: &str, kind: &str, prefixes: impl Iterator<Item = &'a IpNet>) -> String {
    let elements = elements_of(prefixes.map(|prefix| prefix.trunc().to_string()).collect());
    format!("\n    set {name} {{ type {kind}; flags interval; auto-merge;{elements} }}")
}

/// A set without an element says nothing of elements.
fn elements_of(elements: Vec<String>) -> String {
    if elements.is_empty() { String::new() } else { format!(" elements = {{ {} }};", elements.join(", ")) }
}
