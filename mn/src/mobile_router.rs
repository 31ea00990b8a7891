//! A network behind this host: what the host's own settings have to be for it, and what is said of it.

use std::path::Path;

use protocol::prefixes::MobileNetworkPrefixes;
use protocol::sa::SecurityAssociation;

use crate::config::MobileRouter;

/// Settings of the kernel, what they have to be, and how that is said to `sysctl`.
const FORWARDING: (&str, &str) = ("net/ipv6/conf/all/forwarding", "net.ipv6.conf.all.forwarding=1");

/// The networks of `sa` that this node asks its home agent to forward: none without a section `[mobile-router]`, and none where the
/// node has no IPv6 home address to route them by.
pub fn networks_of(router: Option<&MobileRouter>, sa: &SecurityAssociation) -> MobileNetworkPrefixes {
    let can_be_routed = router.is_some() && sa.home.ip6().is_some();
    if can_be_routed { sa.prefixes.clone() } else { MobileNetworkPrefixes::default() }
}

/// Says what of the host's settings keeps packets from going through it. Nothing is changed: a host that forwards follows router
/// advertisements on its uplinks only where `accept_ra` is 2, and turning forwarding on drops the routes that it has by them.
pub fn warn_of_settings(router: &MobileRouter) {
    let (file, setting) = FORWARDING;
    let value = std::fs::read_to_string(Path::new("/proc/sys").join(file)).unwrap_or_default();
    if value.trim() == "0" {
        tracing::warn!(
            lan = router.lan,
            "this host does not forward IPv6, so nothing of the network behind it passes: `sysctl -w {setting}`, and \
             `sysctl -w net.ipv6.conf.all.accept_ra=2` where it learns its own routes from router advertisements"
        );
    }
}

/// What is wrong with the network behind a registered node, for `mn status`; `None` for a host, and where its packets are forwarded.
pub fn problem(router: Option<&MobileRouter>, sa: &SecurityAssociation, forwarded: &MobileNetworkPrefixes) -> Option<String> {
    router?;
    if sa.prefixes.is_empty() {
        Some("the HAC knows no network behind this node: `hac subscriber prefix add` there, then `mn renew`".to_owned())
    } else if sa.home.ip6().is_none() {
        Some("this node has no IPv6 home address, without which no network behind it is routed".to_owned())
    } else if forwarded.is_empty() {
        Some(
            "the home agent forwards nothing to the network behind this node: it refused, or is no home agent for networks"
                .to_owned(),
        )
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use protocol::addr::HomeAddresses;

    use super::*;
    use crate::fixture::association;

    fn router(lan: &str) -> MobileRouter {
        MobileRouter { lan: lan.to_owned() }
    }

    #[test]
    fn networks_are_a_mobile_routers_with_an_ipv6_home_address_and_nobody_elses() {
        let mut sa = association(1);
        sa.prefixes = "2001:db8:7::/48".parse().unwrap();
        assert_eq!(networks_of(Some(&router("eth1")), &sa), sa.prefixes);
        assert!(networks_of(None, &sa).is_empty());
        assert_eq!(problem(Some(&router("eth1")), &sa, &sa.prefixes), None);
        assert_eq!(problem(None, &sa, &MobileNetworkPrefixes::default()), None);
        let said = |sa: &SecurityAssociation| problem(Some(&router("eth1")), sa, &MobileNetworkPrefixes::default()).unwrap();
        assert!(said(&sa).contains("forwards nothing"));
        let only_ip4 = SecurityAssociation { home: HomeAddresses::new(None, Some([10, 9, 0, 7].into())).unwrap(), ..sa };
        assert!(networks_of(Some(&router("eth1")), &only_ip4).is_empty());
        assert!(said(&only_ip4).contains("no IPv6 home address") && said(&association(1)).contains("prefix add"));
    }
}
