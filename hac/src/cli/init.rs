//! `hac init`: everything that a HAC needs, in one folder.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::SystemTime;

use ipnet::{Ipv4Net, Ipv6Net};
use protocol::sa::CipherSuite;
use rand::Rng;
use zeroize::Zeroizing;

use super::CliError;
use super::certificates;
use super::files::{Access, NewFiles, hex_line};
use crate::config::{DEFAULT_CONTROL_SOCKET, check_name};
use crate::store::sealing::{KEY_LEN, KeyEncryptionKey};
use crate::store::sqlite::SqliteStore;

const FILES: [&str; 7] = ["hac.toml", "ca.pem", "ca-key.pem", "hac.pem", "hac-key.pem", "kek", "hac.db"];

/// Arguments of `hac init`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The folder to make.
    #[arg(long)]
    dir: PathBuf,
    /// The name that mobile nodes and home agents verify in the HAC's certificate.
    #[arg(long, default_value = "hac.example.org")]
    name: String,
    /// TCP address for mobile nodes; may be repeated.
    #[arg(long, default_value = "[::]:7872")]
    listen: Vec<SocketAddr>,
    /// TCP address for home agents.
    #[arg(long, default_value = "[::]:7873")]
    feed_listen: SocketAddr,
    /// IPv6 home addresses; with only --pool4 given there are none.
    #[arg(long)]
    pool6: Option<Ipv6Net>,
    /// IPv4 home addresses; with only --pool6 given there are none.
    #[arg(long)]
    pool4: Option<Ipv4Net>,
    /// DNS server behind the home agent; may be repeated.
    #[arg(long)]
    dns: Vec<IpAddr>,
    /// Where `hac status` asks the running HAC.
    #[arg(long, default_value = DEFAULT_CONTROL_SOCKET)]
    control_socket: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), CliError> {
    check_name(&arguments.name).map_err(|problem| CliError::Argument(format!("--name {}: {problem}", arguments.name)))?;
    let mut files = NewFiles::new(&arguments.dir, &FILES)?;
    write_certificates(&mut files, &arguments.name)?;
    println!("certificates  ca.pem (10 years), hac.pem for {} (825 days)", arguments.name);

    let kek = write_kek(&mut files)?;
    files.adopt("hac.db");
    drop(SqliteStore::create(&files.path("hac.db"), kek, &mut rand::rng())?);
    println!("database      hac.db, its secrets sealed under kek (back up both, apart from each other)");

    files.write("hac.toml", &configuration(arguments), Access::Public)?;
    let config = files.path("hac.toml");
    crate::config::load(&config)?;
    files.keep();
    println!("configuration {}", config.display());
    println!("\nNext: record a home agent and a subscriber, then start the controller:");
    let config = config.display();
    println!("  hac -c {config} ha add ha1 --address ADDRESS --out ha1");
    println!("  hac -c {config} subscriber add alice@example.org --connect ADDRESS --out alice");
    println!("  hac -c {config} serve");
    Ok(())
}

fn write_certificates(files: &mut NewFiles, name: &str) -> Result<(), CliError> {
    let failed = |source| CliError::Certificate { name: name.to_owned(), source };
    let now = SystemTime::now();
    let ca = certificates::authority(name, now).map_err(failed)?;
    let hac = certificates::leaf(&ca, name, now).map_err(failed)?;
    files.write("ca-key.pem", &ca.key, Access::Secret)?;
    files.write("ca.pem", &ca.certificate, Access::Public)?;
    files.write("hac-key.pem", &hac.key, Access::Secret)?;
    files.write("hac.pem", &hac.certificate, Access::Public)
}

fn write_kek(files: &mut NewFiles) -> Result<KeyEncryptionKey, CliError> {
    let mut octets = Zeroizing::new([0; KEY_LEN]);
    rand::rng().fill_bytes(octets.as_mut_slice());
    files.write("kek", &hex_line(octets.as_slice()), Access::Secret)?;
    Ok(KeyEncryptionKey::read(&files.path("kek"))?)
}

/// The default pools stand for whoever names none; who names one family has that family only.
fn pools(arguments: &Arguments) -> String {
    let (pool6, pool4) = match (arguments.pool6, arguments.pool4) {
        (None, None) => (Some("2001:db8:100::/64".to_owned()), Some("10.9.0.0/24".to_owned())),
        (pool6, pool4) => (pool6.map(|pool| pool.trunc().to_string()), pool4.map(|pool| pool.trunc().to_string())),
    };
    let line = |key: &str, pool: Option<String>| pool.map_or(String::new(), |pool| format!("{key} = \"{pool}\"\n"));
    line("pool6", pool6) + &line("pool4", pool4)
}

fn configuration(arguments: &Arguments) -> String {
    let quoted = |values: Vec<String>| values.iter().map(|value| format!("\"{value}\"")).collect::<Vec<_>>().join(", ");
    let listen = quoted(arguments.listen.iter().map(ToString::to_string).collect());
    let dns = quoted(arguments.dns.iter().map(ToString::to_string).collect());
    format!(
        r#"# Home Agent Controller. Relative paths are relative to this file's folder.
name = "{name}"               # mobile nodes and home agents verify it in the certificate
listen = [{listen}]           # mobile nodes, TCP
certificate = "hac.pem"
key = "hac-key.pem"
ca = "ca.pem"                 # signs home agents' certificates
ca-key = "ca-key.pem"         # needed by `hac ha add` only
database = "hac.db"
key-encryption-key = "kek"
control-socket = {control_socket:?}

[feed]
listen = "{feed_listen}"      # home agents, TCP

[home]                        # the first usable address of each pool is the home agent's own
{pools}dns = [{dns}]

[policy]
suites = {suites:?}   # in order of preference
sa-lifetime-seconds = 86400
"#,
        name = arguments.name,
        control_socket = arguments.control_socket.display().to_string(),
        feed_listen = arguments.feed_listen,
        suites = CipherSuite::DEFAULT.map(CipherSuite::name),
        pools = pools(arguments),
    )
}
