//! `hac ha add | list | remove`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Subcommand;
use protocol::addr::HomeAgentAddresses;
use protocol::mhauth::{DEFAULT_PORT, FallbackServer};
use protocol::sa::spi::HaGroup;
use service::config::Located;
use zeroize::Zeroizing;

use super::certificates::{self, Pem};
use super::files::{Access, NewFiles};
use super::{CliError, named, open, print_json, security_association};
use crate::config::{Config, check_name};
use crate::provisioning::can_be_told;
use crate::store::{HomeAgent, Selection, Store};

const FILES: [&str; 4] = ["ha.toml", "ca.pem", "ha.pem", "ha-key.pem"];

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Records a home agent, issues its certificate and writes its configuration.
    Add(Add),
    /// Lists home agents.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Ends a home agent's associations and forgets it; its certificate gets it nothing any more.
    Remove {
        /// Its name.
        name: String,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// Its name: the dNSName in its certificate.
    name: String,
    /// The address that mobile nodes send to; one of each family at most.
    #[arg(long, required = true)]
    address: Vec<IpAddr>,
    /// The UDP port that mobile nodes send to.
    #[arg(long, default_value_t = DEFAULT_PORT)]
    port: u16,
    /// The TCP port at which mobile nodes whose network blocks UDP find it over TLS; 443 where only the option stands. Without it they
    /// are told of none.
    #[arg(long, value_name = "PORT", num_args = 0..=1, default_missing_value = "443")]
    fallback_port: Option<NonZeroU16>,
    /// Whose SPIs it serves: 0 to 63.
    #[arg(long, default_value_t = 0)]
    group: u8,
    /// Where it finds the HAC's feed; without it, at the HAC's name and feed port.
    #[arg(long, value_name = "HOST:PORT")]
    feed: Option<String>,
    /// The folder to write ha.toml, ca.pem, ha.pem and ha-key.pem into.
    #[arg(long)]
    out: PathBuf,
}

impl Command {
    pub(super) fn wants_json(&self) -> bool {
        match self {
            Self::List { json } => *json,
            Self::Add(_) | Self::Remove { .. } => false,
        }
    }
}

pub(super) fn run(config: &Path, command: &Command) -> Result<(), CliError> {
    match command {
        Command::Add(arguments) => add(config, arguments),
        Command::List { json } => list(config, *json),
        Command::Remove { name } => remove(config, name),
    }
}

fn add(config: &Path, arguments: &Add) -> Result<(), CliError> {
    let home_agent = described(arguments)?;
    let (config, mut store) = open(config)?;
    let ca = authority(&config)?;
    let mut files = NewFiles::new(&arguments.out, &FILES)?;
    let leaf = certificates::leaf(&ca, &home_agent.name, SystemTime::now())
        .map_err(|source| CliError::Certificate { name: home_agent.name.clone(), source })?;
    files.write("ha-key.pem", &leaf.key, Access::Secret)?;
    files.write("ha.pem", &leaf.certificate, Access::Public)?;
    files.write("ca.pem", &ca.certificate, Access::Public)?;
    files.write("ha.toml", &configuration(&config, &home_agent, arguments.feed.as_deref()), Access::Public)?;
    store.add_home_agent(&home_agent)?;
    let written = files.path("ha.toml");
    files.keep();
    println!("home agent    {} (group {})", home_agent.name, home_agent.group.get());
    println!("written       {} with ca.pem, ha.pem and ha-key.pem (secret) beside it", written.display());
    if !can_be_told(&home_agent, config.policy.profile) {
        println!(
            "warning       subscribers of the profile draft-04, which is the default here, are not given it: its UDP port is not {DEFAULT_PORT}"
        );
    }
    println!("\nNext: bring that folder to the home agent over a safe channel, and there:\n  ha -c ha.toml serve");
    Ok(())
}

fn described(arguments: &Add) -> Result<HomeAgent, CliError> {
    let refused = |what: String| CliError::Argument(what);
    let name = &arguments.name;
    check_name(name).map_err(|problem| refused(format!("home agent name \"{name}\": {problem}")))?;
    if name.parse::<IpAddr>().is_ok() {
        return Err(refused(format!("home agent name \"{name}\": write a DNS name, its certificate is known by it")));
    }
    let group =
        HaGroup::new(arguments.group).ok_or_else(|| refused(format!("--group {}: a group is 0 to 63", arguments.group)))?;
    let (mut ip6, mut ip4) = (None::<Ipv6Addr>, None::<Ipv4Addr>);
    for address in &arguments.address {
        let taken = match address {
            ip if ip.is_unspecified() || ip.is_multicast() => {
                return Err(refused(format!("--address {ip}: write an address that mobile nodes can send to")));
            }
            IpAddr::V6(ip) => ip6.replace(*ip).is_some(),
            IpAddr::V4(ip) => ip4.replace(*ip).is_some(),
        };
        if taken {
            return Err(refused(format!("--address {address}: one address of each family at most")));
        }
    }
    let addresses = HomeAgentAddresses::new(ip6, ip4, arguments.port)
        .ok_or_else(|| refused("--port 0: write the UDP port that the home agent listens on".to_owned()))?;
    let fallback_port = arguments.fallback_port;
    if fallback_port.is_some_and(|port| FallbackServer::new(name, port).is_none()) {
        return Err(refused(format!(
            "home agent name \"{name}\": with --fallback-port mobile nodes are told it; write a DNS name"
        )));
    }
    Ok(HomeAgent { name: name.clone(), group, addresses, fallback_port })
}

fn authority(config: &Located<Config>) -> Result<Pem, CliError> {
    let missing =
        || CliError::Argument("hac.toml names no ca-key: `hac ha add` signs the home agent's certificate with it".to_owned());
    let key = config.ca_key.as_ref().ok_or_else(missing)?;
    Ok(Pem { certificate: config.read(&config.ca)?, key: Zeroizing::new(config.read(key)?) })
}

fn configuration(config: &Located<Config>, home_agent: &HomeAgent, feed: Option<&str>) -> String {
    let HomeAgent { name, addresses, .. } = home_agent;
    let ips = addresses.ip4().map(IpAddr::V4).into_iter().chain(addresses.ip6().map(IpAddr::V6));
    let listen: Vec<String> = ips.map(|ip| format!("\"{}\"", SocketAddr::new(ip, addresses.port()))).collect();
    let listen = listen.join(", ");
    let server_name = &config.name;
    let feed = feed.map_or_else(|| format!("{server_name}:{}", config.feed.listen.port()), ToOwned::to_owned);
    let fallback = home_agent.fallback_port.map(fallback_section).unwrap_or_default();
    format!(
        r#"# Home agent {name}. Relative paths are relative to this file's folder.
name = "{name}"
listen = [{listen}]           # mobile nodes, UDP
certificate = "ha.pem"
key = "ha-key.pem"
ca = "ca.pem"
control-socket = "/run/haltsec/ha.sock"

[feed]
address = "{feed}"            # the HAC's feed
server-name = "{server_name}" # verified in the HAC's certificate

[tunnel]
device = "ha0"
mtu = 1400
host-services = false           # true: mobile nodes reach everything that this host serves

[routes]
protocol = 78
per-binding = false
{fallback}"#
    )
}

/// One socket takes both families.
fn fallback_section(port: NonZeroU16) -> String {
    format!(
        r#"
[fallback]
listen = ["[::]:{port}"]          # mobile nodes whose network blocks UDP, TLS
"#
    )
}

fn list(config: &Path, json: bool) -> Result<(), CliError> {
    let (_, mut store) = open(config)?;
    let home_agents = store.home_agents(SystemTime::now())?;
    let addresses = |home_agent: &HomeAgent| -> Vec<String> {
        let addresses = &home_agent.addresses;
        let ips = addresses.ip4().map(IpAddr::V4).into_iter().chain(addresses.ip6().map(IpAddr::V6));
        ips.map(|ip| ip.to_string()).collect()
    };
    if json {
        let rows: Vec<_> = home_agents
            .iter()
            .map(|(home_agent, associations)| {
                serde_json::json!({
                    "name": home_agent.name,
                    "group": home_agent.group.get(),
                    "addresses": addresses(home_agent),
                    "port": home_agent.addresses.port(),
                    "fallback_port": home_agent.fallback_port,
                    "associations": associations,
                })
            })
            .collect();
        print_json(serde_json::json!({ "home_agents": rows }));
        return Ok(());
    }
    if home_agents.is_empty() {
        println!("no home agents; add one with `hac ha add NAME --address ADDRESS --out DIR`");
    }
    for (home_agent, associations) in home_agents {
        let (group, port) = (home_agent.group.get(), home_agent.addresses.port());
        let fallback = home_agent.fallback_port.map(|port| format!("  TLS {port}")).unwrap_or_default();
        println!(
            "{:<24} group {group:<2}  {associations:>6} SAs  UDP {port}{fallback}  {}",
            home_agent.name,
            addresses(&home_agent).join(" ")
        );
    }
    Ok(())
}

/// A page at a time first: what is left for the one transaction that forgets it keeps nobody waiting.
fn remove(config: &Path, name: &str) -> Result<(), CliError> {
    let (_, mut store) = open(config)?;
    let name = named::home_agent(&mut store, name)?.name;
    let of = Selection { home_agent: Some(&name), ..Selection::default() };
    let ended = security_association::end_all(&mut store, &of)? + store.remove_home_agent(&name, SystemTime::now())?;
    println!("removed       {name}: its certificate gets it nothing any more");
    println!("ended         {}: if it is connected it drops all within a second", security_association::counted(ended));
    if store.home_agents(SystemTime::now())?.is_empty() {
        println!("warning       no home agent is left: mobile nodes are told to come again later");
    }
    Ok(())
}
