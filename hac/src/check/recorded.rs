//! What the database has recorded, against the configuration: whether everybody who is recorded can be served.

use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

use ipnet::IpNet;
use protocol::mhauth::DEFAULT_PORT;
use protocol::profile::WireProfile;
use service::config::{Finding, Located};

use crate::config::{self, Config};
use crate::provisioning::can_be_told;
use crate::store::{HomeAgent, Store, StoreError, Subscriber};

/// Names that a finding repeats.
const MAX_NAMED: usize = 5;

/// Everybody that the database knows.
pub struct Recorded {
    /// By name.
    pub subscribers: Vec<Subscriber>,
    /// By name.
    pub home_agents: Vec<HomeAgent>,
}

impl Recorded {
    /// Reads them.
    ///
    /// # Errors
    /// The database failed.
    pub fn read(store: &mut dyn Store, now: SystemTime) -> Result<Self, StoreError> {
        let home_agents = store.home_agents(now)?.into_iter().map(|(home_agent, _)| home_agent).collect();
        Ok(Self { subscribers: store.subscribers(now)?, home_agents })
    }

    /// Everything that keeps somebody from being served.
    pub fn check(&self, config: &Located<Config>) -> Vec<Finding> {
        let mut findings = check_addresses(config);
        findings.extend(self.check_profiles(config));
        findings.extend(self.home_agents.iter().flat_map(|home_agent| check_home_agent(config, home_agent)));
        findings.extend(self.check_doubles(config));
        findings.extend(self.check_networks(config));
        for (key, pool) in pools(config) {
            findings.extend(self.check_room(config, key, pool));
        }
        findings
    }

    /// A subscriber of the draft is only told of home agents on its port, so there must be one (profile section 1).
    fn check_profiles(&self, config: &Located<Config>) -> Option<Finding> {
        let by_default = config.policy.profile == WireProfile::Draft04;
        let is_of_draft = |subscriber: &&Subscriber| {
            subscriber.enabled && config.policy().profile_of(&subscriber.policy) == WireProfile::Draft04
        };
        let of_draft: Vec<&str> = self.subscribers.iter().filter(is_of_draft).map(|subscriber| subscriber.nai.as_str()).collect();
        if self.home_agents.iter().any(|home_agent| can_be_told(home_agent, WireProfile::Draft04)) {
            return None;
        }
        if of_draft.is_empty() && (self.home_agents.is_empty() || !by_default) {
            let remedy = "no home agent is recorded, so nobody can be served: `hac ha add NAME --address ADDRESS --out DIR`";
            return self.home_agents.is_empty().then(|| config.warned("database", remedy));
        }
        let whom = if of_draft.is_empty() { "subscribers of the profile draft-04".to_owned() } else { named(&of_draft) };
        let remedy = format!(
            "no home agent on UDP port {DEFAULT_PORT} is recorded, and the profile draft-04 can tell no other port, so {whom} cannot be \
             served: record one with `hac ha add NAME --port {DEFAULT_PORT}`, or give them the profile rfc6618"
        );
        Some(config.refused(if by_default { "policy.profile" } else { "database" }, remedy))
    }

    fn check_doubles(&self, config: &Located<Config>) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (index, one) in self.home_agents.iter().enumerate() {
            if one.name == config.name {
                let remedy = format!("the home agent {} has the HAC's own name: record it under another", one.name);
                findings.push(config.warned("name", remedy));
            }
            for other in self.home_agents.iter().skip(index + 1) {
                findings.extend(shared(one, other).map(|at| {
                    let remedy = format!(
                        "the home agents {} and {} are both at {at}, where one can be: record one anew",
                        one.name, other.name
                    );
                    config.warned("database", remedy)
                }));
            }
        }
        findings
    }

    /// Packets to a home address in a network behind a node would be somebody's of two.
    fn check_networks(&self, config: &Located<Config>) -> Option<Finding> {
        let pool = config.pools().ip6?;
        let overlap = |subscriber: &&Subscriber| subscriber.prefixes.iter().any(|net| pool.contains(&net) || net.contains(&pool));
        let whose: Vec<&str> = self.subscribers.iter().filter(overlap).map(|subscriber| subscriber.nai.as_str()).collect();
        let remedy = || {
            let whose = named(&whose);
            format!("it overlaps networks behind the nodes of {whose}: write another, or `hac subscriber prefix remove` them")
        };
        (!whose.is_empty()).then(|| config.refused("home.pool6", remedy()))
    }

    fn check_room(&self, config: &Located<Config>, key: &str, pool: IpNet) -> Option<Finding> {
        let held = |subscriber: &Subscriber| subscriber.home.iter().any(|home| pool.contains(home));
        let needed = self.subscribers.iter().filter(|subscriber| subscriber.enabled || held(subscriber)).count();
        let (room, needed) = (room(pool), u128::try_from(needed).unwrap_or(u128::MAX));
        if needed > room {
            let remedy = format!("it has room for {room} subscribers, and {needed} need an address: write a shorter prefix");
            return Some(config.refused(key, remedy));
        }
        let is_nearly_full = needed * 10 > room * 9;
        let full = || format!("{needed} subscribers need an address, and it has room for {room}: write a shorter prefix soon");
        if is_nearly_full { Some(config.warned(key, full())) } else { self.check_moved(config, key, pool) }
    }

    fn check_moved(&self, config: &Located<Config>, key: &str, pool: IpNet) -> Option<Finding> {
        let is_outside = |home: &IpAddr| home.is_ipv4() == pool.addr().is_ipv4() && !pool.contains(home);
        let moved: Vec<&str> = self
            .subscribers
            .iter()
            .filter(|subscriber| subscriber.home.iter().any(is_outside))
            .map(|subscriber| subscriber.nai.as_str())
            .collect();
        let remedy = || format!("{} had another address, and will get one of it: their connections end then", named(&moved));
        (!moved.is_empty()).then(|| config.warned(key, remedy()))
    }
}

/// What the configuration says of addresses, beyond their form.
fn check_addresses(config: &Located<Config>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (key, pool) in pools(config) {
        let (first, last) = (pool.network(), pool.broadcast());
        if [first, last].iter().any(is_of_no_use) {
            findings.push(config.refused(key, "no host has such an address: write a prefix of addresses that can be routed"));
        }
    }
    let own = config.listen.iter().enumerate().map(|(index, listen)| (format!("listen.{index}"), *listen));
    for (key, listen) in own.chain([("feed.listen".to_owned(), config.feed.listen)]) {
        findings.extend(in_pool(config, listen.ip()).map(|pool| {
            config.refused(
                &key,
                format!("it lies in {pool}, whose addresses are reached through the tunnels alone: listen on another"),
            )
        }));
    }
    for (index, server) in config.home.dns.iter().enumerate() {
        let is_reachable = pools(config).iter().any(|(_, pool)| pool.addr().is_ipv4() == server.is_ipv4());
        let remedy = "mobile nodes have no home address of its family, so that they may not reach it: write one of the other";
        findings.extend((!is_reachable).then(|| config.warned(&format!("home.dns.{index}"), remedy)));
    }
    findings
}

fn check_home_agent(config: &Located<Config>, home_agent: &HomeAgent) -> Vec<Finding> {
    let name = &home_agent.name;
    let again = format!("record it anew with `hac ha add {name}`");
    let mut findings = Vec::new();
    if let Err(problem) = config::check_name(name) {
        findings.push(config.refused("database", format!("the home agent {name:?} cannot have a certificate: {problem}")));
    }
    for address in addresses(home_agent) {
        findings.extend(in_pool(config, address.ip()).map(|pool| {
            let remedy = format!(
                "the home agent {name} is at {address}, which lies in {pool}: what nodes send there would go into their own tunnels; {again} \
                 under an address outside"
            );
            config.refused("database", remedy)
        }));
    }
    findings
}

fn pools(config: &Config) -> Vec<(&'static str, IpNet)> {
    let pools = config.pools();
    let ip6 = pools.ip6.map(|pool| ("home.pool6", pool.into()));
    ip6.into_iter().chain(pools.ip4.map(|pool| ("home.pool4", pool.into()))).collect()
}

fn in_pool(config: &Config, address: IpAddr) -> Option<IpNet> {
    pools(config).into_iter().map(|(_, pool)| pool).find(|pool| pool.contains(&address))
}

/// How many subscribers a pool has addresses for: network, the home agent's own and IPv4's broadcast address are not theirs.
fn room(pool: IpNet) -> u128 {
    let (bits, reserved) = match pool {
        IpNet::V4(pool) => (32 - pool.prefix_len(), 3),
        IpNet::V6(pool) => (128 - pool.prefix_len(), 2),
    };
    1_u128.checked_shl(bits.into()).unwrap_or(u128::MAX).saturating_sub(reserved)
}

/// Inner packets with such addresses are refused (profile section 3).
fn is_of_no_use(address: &IpAddr) -> bool {
    let is_link_local = match address {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    is_link_local || address.is_multicast() || address.is_loopback()
}

fn addresses(home_agent: &HomeAgent) -> impl Iterator<Item = SocketAddr> {
    let told = &home_agent.addresses;
    let ips = told.ip6().map(IpAddr::V6).into_iter().chain(told.ip4().map(IpAddr::V4));
    ips.map(|ip| SocketAddr::new(ip, told.port()))
}

fn shared(one: &HomeAgent, other: &HomeAgent) -> Option<SocketAddr> {
    addresses(one).find(|address| addresses(other).any(|second| second == *address))
}

/// The first few names, and how many more there are.
fn named(names: &[&str]) -> String {
    let shown = names.iter().take(MAX_NAMED).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MAX_NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests;
