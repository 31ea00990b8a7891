//! `[mobile-router]`: the network behind this host, which moves with it (RFC 3963).

use net::tun::is_device_name;
use protocol::profile::WireProfile;
use serde::Deserialize;
use service::config::{Finding, Located};

use super::Config;

/// A network behind this host.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MobileRouter {
    /// The interface that it is on.
    pub lan: String,
}

/// What TOML cannot know to be wrong.
pub(super) fn check(config: &Located<Config>, router: &MobileRouter) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !is_device_name(&router.lan) || router.lan == config.tunnel.device {
        let remedy = "write the interface that the network behind this host is on, such as \"eth1\"";
        findings.push(config.refused("mobile-router.lan", remedy));
    }
    // RFC 3963 section 5.5: all of the network's packets go through the tunnel.
    if !config.tunnel.routes.iter().any(|route| route.addr().is_ipv6() && route.prefix_len() == 0) {
        let remedy = "\"::/0\" has to be among them: all packets of the network behind this host go through the tunnel";
        findings.push(config.refused("tunnel.routes", remedy));
    }
    if config.policy.profile == WireProfile::Draft04 {
        findings
            .push(config.refused("mobile-router", "the profile draft-04 has no networks behind a node: take the section out"));
    }
    findings
}
