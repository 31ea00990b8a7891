//! `mn.toml`, as `hac subscriber add` writes it for the mobile node.

use std::net::{IpAddr, SocketAddr};

use protocol::sa::{CipherSuite, UserData};

use super::{CliError, names};
use crate::config::Config;
use crate::store::SubscriberPolicy;

/// The HAC's TCP port where nothing names another.
const DEFAULT_PORT: u16 = 7872;

/// Where the mobile node connects to: one port for all addresses.
pub(super) struct Targets {
    port: Option<u16>,
    addresses: Vec<IpAddr>,
}

impl Targets {
    /// Reads what `--connect` was given.
    pub(super) fn parse(connect: &[String]) -> Result<Self, CliError> {
        let parse = |text: &String| {
            let with_port = text.parse::<SocketAddr>().ok();
            let alone = || text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, DEFAULT_PORT));
            let problem = || CliError::Argument(format!("--connect {text}: write 198.51.100.10:7872 or [2001:db8::10]:7872"));
            with_port.or_else(alone).ok_or_else(problem)
        };
        let targets = connect.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        let port = targets.first().map(SocketAddr::port);
        if targets.iter().any(|target| Some(target.port()) != port) {
            return Err(CliError::Argument("--connect: all addresses must have the same port".to_owned()));
        }
        Ok(Self { port, addresses: targets.iter().map(SocketAddr::ip).collect() })
    }

    /// The line of the configuration.
    fn addresses(&self) -> String {
        let quoted: Vec<String> = self.addresses.iter().map(|ip| format!("\"{ip}\"")).collect();
        if quoted.is_empty() {
            "# addresses = [\"198.51.100.10\"]   # connect here instead of looking the name up".to_owned()
        } else {
            format!("addresses = [{}]", quoted.join(", "))
        }
    }
}

/// The whole file. It names the profile in any case, since it must be the one that the HAC has for this subscriber.
pub(super) fn configuration(config: &Config, nai: &str, targets: &Targets, own: &SubscriberPolicy) -> String {
    let name = &config.name;
    let port = port(targets.port.or(config.listen.first().map(SocketAddr::port)).unwrap_or(DEFAULT_PORT), name);
    let addresses = targets.addresses();
    let profile = config.policy().profile_of(own);
    let suites = names(own.suites.as_deref().unwrap_or(&CipherSuite::DEFAULT));
    let user_data = own.user_data.unwrap_or(UserData::Protected);
    let mut routes = Vec::new();
    routes.extend(config.home.pool6.map(|_| "\"::/0\""));
    routes.extend(config.home.pool4.map(|_| "\"0.0.0.0/0\""));
    let routes = routes.join(", ");
    format!(
        r#"# Mobile node of {nai}. Relative paths are relative to this file's folder.
control-socket = "/run/haltsec/mn.sock"

[hac]
name = "{name}"               # verified in the HAC's certificate
{port}
{addresses}
ca = "ca.pem"

[identity]
nai = "{nai}"
psk-file = "psk"

[policy]
profile = "{profile}"         # as the HAC has it for this node
suites = {suites:?}
user-data = "{user_data}"

[tunnel]
device = "mn0"
routes = [{routes}]
table = 7872                  # routing table and rule priority of the tunnel's routes
fwmark = 7872                 # of the tunnel's own outer packets and of the connection to the HAC
"#
    )
}

/// The line of the configuration. A node that is told a port asks DNS for none, so the usual one is not named.
fn port(port: u16, name: &str) -> String {
    if port == DEFAULT_PORT {
        format!("# port = {DEFAULT_PORT}   # without it what DNS says (SRV of _mipv6tls._tcp.{name}), else {DEFAULT_PORT}")
    } else {
        format!("port = {port}   # and DNS is not asked for another one (SRV of _mipv6tls._tcp.{name})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_port_is_left_for_dns_to_say_and_another_is_named() {
        let targets = |connect: &[&str]| Targets::parse(&connect.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        let line = |connect: &str| port(targets(&[connect]).unwrap().port.unwrap(), "hac.example.org");
        assert!(line("198.51.100.10").starts_with("# ") && line("[2001:db8::1]:7872").contains("_mipv6tls._tcp.hac.example.org"));
        assert!(line("198.51.100.10:443").starts_with("port = 443   #"));
        assert!(targets(&["198.51.100.10", "198.51.100.11:443"]).is_err());
    }
}
