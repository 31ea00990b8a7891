//! `hac subscriber add | list | enable | disable`.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Subcommand;
use protocol::mhauth::Nai;
use protocol::sa::{CipherSuite, Secret};
use rand::Rng;
use service::config::Located;
use zeroize::Zeroizing;

use super::files::{Access, NewFiles, hex_line};
use super::{CliError, open, print_json};
use crate::config::Config;
use crate::store::{Store, canonical_nai};

const DEFAULT_PORT: u16 = 7872;
const PSK_LEN: usize = 32;
const FILES: [&str; 3] = ["mn.toml", "ca.pem", "psk"];

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Adds a subscriber and writes his mobile node's configuration with a fresh pre-shared key.
    Add {
        /// Network Access Identifier, such as alice@example.org.
        nai: String,
        /// Where the mobile node connects to; without it, it looks the HAC's name up. May be repeated.
        #[arg(long, value_name = "ADDRESS[:PORT]")]
        connect: Vec<String>,
        /// The folder to write mn.toml, ca.pem and psk into.
        #[arg(long)]
        out: PathBuf,
    },
    /// Lists subscribers.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Lets a disabled subscriber in again.
    Enable {
        /// Network Access Identifier.
        nai: String,
    },
    /// Ends a subscriber's associations and answers him as if he were unknown.
    Disable {
        /// Network Access Identifier.
        nai: String,
    },
}

pub(super) fn run(config: &Path, command: &Command) -> Result<(), CliError> {
    match command {
        Command::Add { nai, connect, out } => add(config, nai, connect, out),
        Command::List { json } => list(config, *json),
        Command::Enable { nai } => set_enabled(config, nai, true),
        Command::Disable { nai } => set_enabled(config, nai, false),
    }
}

fn add(config: &Path, nai: &str, connect: &[String], out: &Path) -> Result<(), CliError> {
    let checked: Nai = nai.parse().map_err(|problem| CliError::Argument(format!("\"{nai}\": {problem}")))?;
    let nai = canonical_nai(checked.as_str());
    let (port, addresses) = targets(connect)?;
    let (config, mut store) = open(config)?;
    let mut files = NewFiles::new(out, &FILES)?;
    let mut psk = Zeroizing::new(vec![0; PSK_LEN]);
    rand::rng().fill_bytes(psk.as_mut_slice());
    files.write("psk", &hex_line(&psk), Access::Secret)?;
    files.write("ca.pem", &config.read(&config.ca)?, Access::Public)?;
    let port = port.or(config.listen.first().map(SocketAddr::port)).unwrap_or(DEFAULT_PORT);
    files.write("mn.toml", &configuration(&config, &nai, port, &addresses), Access::Public)?;
    store.add_subscriber(&nai, &Secret::new(std::mem::take(&mut *psk)), SystemTime::now(), &mut rand::rng())?;
    let written = files.path("mn.toml");
    files.keep();
    println!("subscriber    {nai}");
    println!("written       {} with ca.pem and psk (secret) beside it", written.display());
    println!("\nNext: bring that folder to the mobile node over a safe channel, and there:\n  mn -c mn.toml up");
    Ok(())
}

/// One port for all, and the addresses.
fn targets(connect: &[String]) -> Result<(Option<u16>, Vec<IpAddr>), CliError> {
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
    Ok((port, targets.iter().map(SocketAddr::ip).collect()))
}

fn configuration(config: &Located<Config>, nai: &str, port: u16, addresses: &[IpAddr]) -> String {
    let quoted: Vec<String> = addresses.iter().map(|ip| format!("\"{ip}\"")).collect();
    let addresses = if quoted.is_empty() {
        "# addresses = [\"198.51.100.10\"]   # connect here instead of looking the name up".to_owned()
    } else {
        format!("addresses = [{}]", quoted.join(", "))
    };
    let name = &config.name;
    let mut routes = Vec::new();
    routes.extend(config.home.pool6.map(|_| "\"::/0\""));
    routes.extend(config.home.pool4.map(|_| "\"0.0.0.0/0\""));
    let routes = routes.join(", ");
    let suites = CipherSuite::DEFAULT.map(CipherSuite::name);
    format!(
        r#"# Mobile node of {nai}. Relative paths are relative to this file's folder.
control-socket = "/run/haltsec/mn.sock"

[hac]
name = "{name}"               # verified in the HAC's certificate
port = {port}
{addresses}
ca = "ca.pem"

[identity]
nai = "{nai}"
psk-file = "psk"

[policy]
suites = {suites:?}

[tunnel]
device = "mn0"
routes = [{routes}]
table = 7872                  # routing table and rule priority of the tunnel's routes
fwmark = 7872                 # of the tunnel's own outer packets and of the connection to the HAC
"#
    )
}

fn list(config: &Path, json: bool) -> Result<(), CliError> {
    let (_, mut store) = open(config)?;
    let subscribers = store.subscribers(SystemTime::now())?;
    if json {
        let rows: Vec<_> = subscribers
            .iter()
            .map(|row| {
                serde_json::json!({
                    "nai": row.nai,
                    "enabled": row.enabled,
                    "created": crate::store::unix_seconds(row.created),
                    "home": row.home,
                    "associations": row.live_sas,
                })
            })
            .collect();
        print_json(serde_json::json!({ "subscribers": rows }));
        return Ok(());
    }
    if subscribers.is_empty() {
        println!("no subscribers; add one with `hac subscriber add NAI --out DIR`");
    }
    for row in subscribers {
        let home: Vec<String> = row.home.iter().map(ToString::to_string).collect();
        let home = if home.is_empty() { "no home address yet".to_owned() } else { home.join(" ") };
        let state = if row.enabled { "enabled" } else { "disabled" };
        println!("{:<32} {state:<8} {:>2} SAs  {home}  (since {})", row.nai, row.live_sas, httpdate::fmt_http_date(row.created));
    }
    Ok(())
}

fn set_enabled(config: &Path, nai: &str, enabled: bool) -> Result<(), CliError> {
    let (_, mut store) = open(config)?;
    store.set_enabled(nai, enabled)?;
    if enabled {
        println!("{nai} may authenticate again");
    } else {
        println!("{nai} is disabled; connected home agents drop its associations within a second");
    }
    Ok(())
}
