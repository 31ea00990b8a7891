//! `hac subscriber rotate-psk`.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::print_ended;
use crate::cli::mobile_node::{self, Targets};
use crate::cli::security_association::counted;
use crate::cli::{CliError, named, open};
use crate::store::Store;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Network Access Identifier.
    nai: String,
    /// Where the mobile node connects to; without it, it looks the HAC's name up. May be repeated.
    #[arg(long, value_name = "ADDRESS[:PORT]")]
    connect: Vec<String>,
    /// Ends the subscriber's associations too: for a mobile node that is in other hands.
    #[arg(long)]
    revoke: bool,
    /// The folder to write mn.toml, ca.pem and psk into.
    #[arg(long)]
    out: PathBuf,
}

pub(super) fn run(config: &Path, arguments: &Arguments) -> Result<(), CliError> {
    let targets = Targets::parse(&arguments.connect)?;
    let (config, mut store) = open(config)?;
    let subscriber = named::subscriber(&mut store, &arguments.nai)?;
    let nai = &subscriber.nai;
    let (files, psk) = mobile_node::write(&arguments.out, &config, nai, &targets, &subscriber.policy)?;
    let ended = store.set_psk(nai, &psk, arguments.revoke, SystemTime::now(), &mut rand::rng())?;
    let written = mobile_node::keep(files);
    println!("subscriber    {nai}: another key; the old one is refused from now on");
    if arguments.revoke {
        print_ended(&ended);
    } else if subscriber.live_sas > 0 {
        println!("still live    {}: until their end, or `hac sa revoke --subscriber {nai}`", counted(subscriber.live_sas.into()));
    }
    if !subscriber.enabled {
        println!("warning       he is disabled: `hac subscriber enable {nai}` lets him in");
    }
    mobile_node::print_next(&written);
    Ok(())
}
