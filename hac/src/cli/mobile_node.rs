//! The folder for a mobile node, as `hac subscriber add` and `rotate-psk` write it: `mn.toml`, `ca.pem` and `psk`.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use protocol::sa::{Secret, UserData};
use rand::Rng;
use service::config::Located;
use zeroize::Zeroizing;

use super::files::{Access, NewFiles, hex_line};
use super::{CliError, names};
use crate::config::Config;
use crate::store::SubscriberPolicy;

/// The HAC's TCP port where nothing names another.
const DEFAULT_PORT: u16 = 7872;

/// Octets of a pre-shared key.
const PSK_LEN: usize = 32;
const FILES: [&str; 3] = ["mn.toml", "ca.pem", "psk"];

/// Draws a pre-shared key and writes the files. They go when the result is dropped before [`NewFiles::keep`], so that what the store
/// refuses leaves none.
pub(super) fn write(
    folder: &Path,
    config: &Located<Config>,
    nai: &str,
    targets: &Targets,
    own: &SubscriberPolicy,
) -> Result<(NewFiles, Secret), CliError> {
    let mut files = NewFiles::new(folder, &FILES)?;
    let mut psk = Zeroizing::new(vec![0; PSK_LEN]);
    rand::rng().fill_bytes(psk.as_mut_slice());
    files.write("psk", &hex_line(&psk), Access::Secret)?;
    files.write("ca.pem", &config.read(&config.ca)?, Access::Public)?;
    files.write("mn.toml", &configuration(config, nai, targets, own), Access::Public)?;
    Ok((files, Secret::new(std::mem::take(&mut *psk))))
}

/// The files stay. Gives the path of `mn.toml`.
pub(super) fn keep(files: NewFiles) -> PathBuf {
    let written = files.path("mn.toml");
    files.keep();
    written
}

/// What is to be done with the files.
pub(super) fn print_next(written: &Path) {
    println!("written       {} with ca.pem and psk (secret) beside it", written.display());
    println!("\nNext: bring that folder to the mobile node over a safe channel, and there:\n  mn -c mn.toml up");
}

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
fn configuration(config: &Config, nai: &str, targets: &Targets, own: &SubscriberPolicy) -> String {
    let name = &config.name;
    let port = port(targets.port.or(config.listen.first().map(SocketAddr::port)).unwrap_or(DEFAULT_PORT), name);
    let addresses = targets.addresses();
    let policy = config.policy();
    let profile = policy.profile_of(own);
    let suites = names(own.suites.as_deref().unwrap_or(&policy.suites));
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
