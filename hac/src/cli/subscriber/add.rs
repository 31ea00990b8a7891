//! `hac subscriber add`.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use protocol::mhauth::Nai;
use protocol::profile::WireProfile;
use protocol::sa::{CipherSuite, UserData};

use super::policy::{check, warn};
use crate::cli::mobile_node::{self, Targets};
use crate::cli::{CliError, open};
use crate::store::{NewSubscriber, Store, SubscriberPolicy, canonical_nai};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Network Access Identifier, such as alice@example.org.
    nai: String,
    /// Where the mobile node connects to; without it, it looks the HAC's name up. May be repeated.
    #[arg(long, value_name = "ADDRESS[:PORT]")]
    connect: Vec<String>,
    /// Wire profile, rfc6618 or draft-04; without it, the HAC's.
    #[arg(long)]
    profile: Option<WireProfile>,
    /// A cipher suite that the subscriber is granted, such as NULL_SHA; may be repeated, in order of preference. Without it, the
    /// HAC's.
    #[arg(long, value_name = "NAME")]
    suite: Vec<CipherSuite>,
    /// Whether user data may go in the clear: protected or clear; without it, as the HAC's configuration says.
    #[arg(long, value_name = "HOW")]
    user_data: Option<UserData>,
    /// The folder to write mn.toml, ca.pem and psk into.
    #[arg(long)]
    out: PathBuf,
}

pub(super) fn run(config: &Path, arguments: &Arguments) -> Result<(), CliError> {
    let nai = &arguments.nai;
    let checked: Nai = nai.parse().map_err(|problem| CliError::Argument(format!("\"{nai}\": {problem}")))?;
    let nai = canonical_nai(checked.as_str());
    let targets = Targets::parse(&arguments.connect)?;
    let (config, mut store) = open(config)?;
    let policy = arguments.policy();
    check(&config.policy(), &policy)?;
    let (files, psk) = mobile_node::write(&arguments.out, &config, &nai, &targets, &policy)?;
    let new = NewSubscriber { nai: &nai, psk: &psk, policy };
    store.add_subscriber(&new, SystemTime::now(), &mut rand::rng())?;
    let written = mobile_node::keep(files);
    println!("subscriber    {nai}");
    warn(&mut store, config.policy().profile_of(&new.policy), &new.policy)?;
    mobile_node::print_next(&written);
    Ok(())
}

impl Arguments {
    fn policy(&self) -> SubscriberPolicy {
        let suites = (!self.suite.is_empty()).then(|| self.suite.clone());
        SubscriberPolicy { profile: self.profile, suites, user_data: self.user_data }
    }
}
