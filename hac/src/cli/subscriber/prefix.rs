//! `hac subscriber prefix add | remove`: the networks behind a subscriber's node (RFC 3963).

use std::net::IpAddr;
use std::path::Path;
use std::time::SystemTime;

use ipnet::{IpNet, Ipv6Net};
use protocol::prefixes::MobileNetworkPrefixes;
use protocol::profile::WireProfile;

use crate::cli::security_association::counted;
use crate::cli::{CliError, named, open};
use crate::config::Config;
use crate::store::{Store, Subscriber};

#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Command {
    /// Puts a network behind a subscriber's node: from his next association on it moves with the node.
    Add(Arguments),
    /// Takes it from there.
    Remove(Arguments),
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Network Access Identifier.
    nai: String,
    /// The network, such as 2001:db8:1::/64.
    prefix: Ipv6Net,
}

pub(super) fn run(config: &Path, command: &Command) -> Result<(), CliError> {
    let (config, mut store) = open(config)?;
    let (Command::Add(arguments) | Command::Remove(arguments)) = command;
    let subscriber = named::subscriber(&mut store, &arguments.nai)?;
    let (nai, prefix) = (&subscriber.nai, arguments.prefix.trunc());
    let now = match command {
        Command::Add(_) => {
            check(&config, &mut store, prefix)?;
            let now = store.add_prefix(nai, prefix, SystemTime::now())?;
            println!("added         {prefix} behind the node of {nai}");
            now
        }
        Command::Remove(_) => {
            let now = store.remove_prefix(nai, prefix)?;
            println!("removed       {prefix} from the node of {nai}");
            now
        }
    };
    print(&subscriber, &now);
    if config.policy().profile_of(&subscriber.policy) == WireProfile::Draft04 {
        println!(
            "warning       his profile draft-04 cannot tell his node of networks: `hac subscriber set {nai} --profile rfc6618`"
        );
    }
    Ok(())
}

fn print(subscriber: &Subscriber, now: &MobileNetworkPrefixes) {
    println!("networks      {}", words(now));
    if subscriber.live_sas > 0 {
        let count = counted(subscriber.live_sas.into());
        println!("still live    {count} as before: `mn renew` there, or `ha sa renew`, gives him one with what is new");
    }
}

/// For a person.
pub(super) fn words(prefixes: &MobileNetworkPrefixes) -> String {
    let words: Vec<String> = prefixes.iter().map(|prefix| prefix.to_string()).collect();
    if words.is_empty() { "none: the node is a host".to_owned() } else { words.join(" ") }
}

/// That it is apart from what the pools and the home agents are reached by.
fn check(config: &Config, store: &mut dyn Store, prefix: Ipv6Net) -> Result<(), CliError> {
    let refused = |what: String| Err(CliError::Argument(format!("{prefix} {what}: name a network that is nobody else's")));
    if let Some(pool) = config.pools().ip6.filter(|pool| pool.contains(&prefix) || prefix.contains(pool)) {
        return refused(format!("overlaps the pool {} of [home]", IpNet::V6(pool)));
    }
    for (home_agent, _) in store.home_agents(SystemTime::now())? {
        if let Some(address) = home_agent.addresses.ip6().filter(|address| prefix.contains(address)) {
            return refused(format!("has the address {} of the home agent {} in it", IpAddr::V6(address), home_agent.name));
        }
    }
    Ok(())
}
