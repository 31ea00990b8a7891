//! Through what the host is told: through what its `/etc/resolv.conf` is made by, since that is what programs ask.

use std::net::IpAddr;
use std::path::{Component, Path, PathBuf};

use zbus::Connection;

use super::file;
use super::{Way, network_manager, resolvconf, resolved};
use crate::config::DnsMode;
use crate::system_bus;

/// Where systemd-resolved and the resolvconf programs keep what `/etc/resolv.conf` may lead to.
const OF_RESOLVED: &str = "/run/systemd/resolve";
const OF_RESOLVCONF: &str = "/run/resolvconf";
/// The addresses that systemd-resolved answers at.
const STUBS: [IpAddr; 2] =
    [IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 53)), IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 54))];

/// What the choice depends on.
#[derive(Debug, Default)]
struct Facts {
    /// `/etc/resolv.conf`, or what the node has put its own in the place of.
    text: String,
    /// Where it leads, if it is a link.
    target: Option<PathBuf>,
    resolvconf_is_installed: bool,
    resolved_runs: bool,
    /// Programs ask it before the servers in the file (`nss-resolve(8)`).
    resolved_is_asked_first: bool,
}

/// The way of this mode; `None` where there is none that would be right.
pub(super) async fn way(mode: DnsMode, bus: Option<&Connection>) -> Option<Way> {
    match mode {
        DnsMode::Resolved => Some(Way::Resolved),
        DnsMode::Resolvconf => Some(Way::Resolvconf),
        DnsMode::File => Some(Way::File),
        DnsMode::Off => None,
        DnsMode::Auto => choose(&facts(bus).await),
    }
}

async fn facts(bus: Option<&Connection>) -> Facts {
    let resolved_runs = match bus {
        Some(bus) => system_bus::has_owner(bus, resolved::NAME).await,
        None => false,
    };
    let switch = std::fs::read_to_string("/etc/nsswitch.conf").unwrap_or_default();
    let path = file::without_node();
    Facts {
        text: std::fs::read_to_string(path).unwrap_or_default(),
        target: target(path),
        resolvconf_is_installed: resolvconf::is_installed(),
        resolved_runs,
        resolved_is_asked_first: is_asked_first(&switch),
    }
}

fn choose(facts: &Facts) -> Option<Way> {
    let leads_to = |folder: &str| facts.target.as_ref().is_some_and(|target| target.starts_with(folder));
    if leads_to(OF_RESOLVED) || is_stub(&facts.text) || facts.resolved_runs && facts.resolved_is_asked_first {
        return Some(Way::Resolved);
    }
    let is_of_resolvconf = leads_to(OF_RESOLVCONF) || head(&facts.text).contains("resolvconf");
    if facts.resolvconf_is_installed && is_of_resolvconf {
        return Some(Way::Resolvconf);
    }
    network_manager::has_made(&facts.text).then_some(Way::NetworkManager)
}

/// Whether the only name server of a `resolv.conf` is systemd-resolved.
pub(super) fn is_stub(resolv_conf: &str) -> bool {
    let servers: Vec<_> = resolv_conf.lines().filter_map(|line| line.trim().strip_prefix("nameserver")).collect();
    let is_stub = |server: &&str| server.trim().parse().is_ok_and(|ip: IpAddr| STUBS.contains(&ip));
    !servers.is_empty() && servers.iter().all(is_stub)
}

/// The comments before the first setting: who wrote it.
pub(super) fn head(resolv_conf: &str) -> String {
    resolv_conf.lines().take_while(|line| line.trim().is_empty() || line.starts_with(['#', ';'])).collect::<Vec<_>>().join("\n")
}

fn is_asked_first(switch: &str) -> bool {
    let hosts = switch.lines().find_map(|line| line.trim().strip_prefix("hosts:"));
    let services = hosts.into_iter().flat_map(str::split_whitespace);
    services.take_while(|service| *service != "dns").any(|service| service == "resolve")
}

/// Where a link in `/etc` leads; `None` where it is none.
pub(super) fn target(link: &str) -> Option<PathBuf> {
    std::fs::read_link(link).ok().map(|target| normal(Path::new("/etc").join(target)))
}

/// Without `..`, as resolved's link is written (`../run/systemd/resolve/stub-resolv.conf`).
fn normal(path: PathBuf) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        if component == Component::ParentDir {
            normal.pop();
        } else {
            normal.push(component);
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(text: &str, target: Option<&str>) -> Facts {
        Facts { text: text.to_owned(), target: target.map(PathBuf::from), ..Facts::default() }
    }

    #[test]
    fn systemd_resolved_is_told_where_programs_ask_it() {
        let stub = "# This is /run/systemd/resolve/stub-resolv.conf\nnameserver 127.0.0.53\noptions edns0\n";
        assert_eq!(choose(&facts(stub, None)), Some(Way::Resolved));
        let uplink = facts("nameserver 192.0.2.1\n", Some("/run/systemd/resolve/resolv.conf"));
        assert_eq!(choose(&uplink), Some(Way::Resolved));
        let by_switch = Facts { resolved_runs: true, resolved_is_asked_first: true, ..facts("nameserver 192.0.2.1\n", None) };
        assert_eq!(choose(&by_switch), Some(Way::Resolved));
        let unasked = Facts { resolved_runs: true, ..facts("nameserver 192.0.2.1\n", None) };
        assert_eq!(choose(&unasked), None, "it runs, and nobody asks it");
    }

    #[test]
    fn resolvconf_is_told_where_it_has_made_the_file() {
        let made = "# Generated by resolvconf\nnameserver 192.0.2.1\n";
        assert_eq!(choose(&Facts { resolvconf_is_installed: true, ..facts(made, None) }), Some(Way::Resolvconf));
        assert_eq!(choose(&facts(made, None)), None, "it is not installed any more");
        let linked = Facts { resolvconf_is_installed: true, ..facts("", Some("/run/resolvconf/resolv.conf")) };
        assert_eq!(choose(&linked), Some(Way::Resolvconf));
        let by_hand = facts("nameserver 192.0.2.1 # not resolvconf\n", None);
        assert_eq!(choose(&Facts { resolvconf_is_installed: true, ..by_hand }), None, "who wrote it himself keeps it");
    }

    #[test]
    fn what_networkmanager_has_written_itself_is_replaced_and_where_it_leads_to_a_resolver_that_is_told() {
        let made = "# Generated by NetworkManager\nsearch example.org\nnameserver 192.0.2.1\n";
        assert_eq!(choose(&facts(made, None)), Some(Way::NetworkManager));
        assert_eq!(choose(&facts(made, Some("/run/NetworkManager/resolv.conf"))), Some(Way::NetworkManager));
        let stub = "# Generated by NetworkManager\nnameserver 127.0.0.53\noptions edns0 trust-ad\n";
        assert_eq!(choose(&facts(stub, None)), Some(Way::Resolved));
        let of_its_dnsmasq = "# Generated by NetworkManager\nnameserver 127.0.0.1\n";
        assert_eq!(choose(&facts(of_its_dnsmasq, None)), Some(Way::NetworkManager));
    }

    #[test]
    fn resolved_is_asked_first_where_it_stands_before_dns_in_nsswitch_conf() {
        assert!(is_asked_first("passwd: files\nhosts:  files mymachines resolve [!UNAVAIL=return] dns\n"));
        assert!(!is_asked_first("hosts: files dns resolve\n") && !is_asked_first("hosts: files dns\n") && !is_asked_first(""));
    }

    #[test]
    fn a_link_is_followed_by_its_words() {
        let target = normal(Path::new("/etc").join("../run/systemd/resolve/stub-resolv.conf"));
        assert_eq!(target, Path::new("/run/systemd/resolve/stub-resolv.conf"));
    }
}
