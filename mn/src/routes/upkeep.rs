//! Puts back what somebody else took away: NetworkManager, systemd-networkd, a person with `ip rule flush`.

use net::netlink::{NetlinkError, Route, RouteFilter, RouteKind, Rule, Selector};

use super::{Configured, Routes};

impl Routes {
    /// Compares the kernel's lists with what was set and puts back what is missing; gives names for it. A device that is gone
    /// is not made again.
    ///
    /// # Errors
    /// The kernel refused.
    pub async fn reassert(&self) -> Result<Vec<String>, NetlinkError> {
        let Some(configured) = &self.configured else { return Ok(Vec::new()) };
        let links = self.netlink.links().await?;
        let Some(link) = links.iter().find(|link| link.index == configured.interface) else { return Ok(Vec::new()) };
        let mut gone = Vec::new();
        if !link.up {
            gone.push(format!("device {} (down)", link.name));
            self.netlink.set_link_up(link.index, Some(configured.mtu)).await?;
        }
        self.reassert_addresses(configured, &mut gone).await?;
        if let Some((interface, homes)) = &self.standing {
            let mut routes = Vec::new();
            let mut rules = Vec::new();
            for home in homes {
                routes.extend(self.routes(home.0, *interface));
                rules.extend(self.rules(home.0));
            }
            self.reassert_routes(&routes, &mut gone).await?;
            self.reassert_rules(&rules, &mut gone).await?;
        }
        self.reassert_home(&mut gone).await?;
        Ok(gone)
    }

    async fn reassert_addresses(&self, configured: &Configured, gone: &mut Vec<String>) -> Result<(), NetlinkError> {
        let found = self.netlink.addresses().await?;
        let has = |address| found.iter().any(|one| one.interface == configured.interface && one.address.addr() == address);
        for home in configured.home.iter().filter(|home| !has(home.0)) {
            gone.push(format!("address {}", home.0));
            self.add_address(configured.interface, home.0).await?;
        }
        Ok(())
    }

    pub(super) async fn reassert_routes(&self, expected: &[Route], gone: &mut Vec<String>) -> Result<(), NetlinkError> {
        let found = self.netlink.routes(RouteFilter { table: Some(self.tunnel.table), protocol: None }).await?;
        for route in expected.iter().filter(|route| !found.iter().any(|other| says_the_same(route, other))) {
            gone.push(format!("route to {}", route.destination));
            self.netlink.replace_route(route).await?;
        }
        Ok(())
    }

    /// Rules of one priority are asked in the order in which they were added: where one is missing or out of order, all are added anew.
    async fn reassert_rules(&self, expected: &[Rule], gone: &mut Vec<String>) -> Result<(), NetlinkError> {
        let mut found = self.netlink.rules(Some(self.tunnel.table)).await?;
        found.extend(self.netlink.rules(Some(self.tunnel.table + 1)).await?);
        for family in net::netlink::Family::BOTH {
            let of_family = |rules: &[Rule]| rules.iter().filter(|rule| rule.family == family).copied().collect::<Vec<_>>();
            let expected = of_family(expected);
            let mut standing = of_family(&found);
            standing.retain(|rule| expected.contains(rule));
            // The rule to go to is of another priority, and so listed last.
            let in_order: Vec<Rule> = expected.iter().skip(1).chain(expected.first()).copied().collect();
            if is_in_order(&standing, &in_order) {
                continue;
            }
            gone.push(format!("{} of {} rules ({family:?})", expected.len().saturating_sub(standing.len()), expected.len()));
            for rule in standing.iter().rev() {
                self.netlink.delete_rule(rule).await?;
            }
            for rule in &expected {
                self.netlink.add_rule(rule).await?;
            }
        }
        Ok(())
    }
}

/// Of rules all of which are expected. Those of home addresses may stand anywhere behind the first: one of a new address stands last.
fn is_in_order(standing: &[Rule], expected: &[Rule]) -> bool {
    let of_a_home = |rule: &&Rule| matches!(rule.packets, Selector::From(_) | Selector::FromOrUnset(_));
    let others = |rules: &[Rule]| rules.iter().filter(|rule| !of_a_home(rule)).copied().collect::<Vec<_>>();
    standing.len() == expected.len() && standing.first() == expected.first() && others(standing) == others(expected)
}

/// Of a route that throws the kernel says more than it was told.
fn says_the_same(expected: &Route, found: &Route) -> bool {
    let same = expected.destination.trunc() == found.destination && expected.kind == found.kind;
    same && (expected.kind == RouteKind::Throw || (expected.interface, expected.source) == (found.interface, found.source))
}
