//! `hac subscriber add | list | show | set | prefix | enable | disable | rotate-psk | remove`, and what they share.

mod access;
mod add;
mod list;
pub(super) mod policy;
mod prefix;
mod rotate_psk;
mod set;
mod show;

use std::path::Path;

use clap::Subcommand;
use protocol::sa::Spi;

use super::CliError;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Adds a subscriber and writes his mobile node's configuration with a fresh pre-shared key.
    Add(add::Arguments),
    /// Lists subscribers.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Shows everything about one subscriber but his keys.
    Show(show::Arguments),
    /// Changes a subscriber's own policy.
    Set(set::Arguments),
    /// The networks behind a subscriber's node, a mobile router (RFC 3963).
    #[command(subcommand)]
    Prefix(prefix::Command),
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
    /// Gives a subscriber another pre-shared key and writes his mobile node's configuration with it. The old key is refused from
    /// then on.
    RotatePsk(rotate_psk::Arguments),
    /// Ends a subscriber's associations and forgets him: key, policy and name.
    Remove {
        /// Network Access Identifier.
        nai: String,
    },
}

impl Command {
    pub(super) fn wants_json(&self) -> bool {
        match self {
            Self::List { json } => *json,
            Self::Show(arguments) => arguments.json,
            Self::Add(_)
            | Self::Set(_)
            | Self::Prefix(_)
            | Self::Enable { .. }
            | Self::Disable { .. }
            | Self::RotatePsk(_)
            | Self::Remove { .. } => false,
        }
    }
}

pub(super) fn run(config: &Path, command: &Command) -> Result<(), CliError> {
    match command {
        Command::Add(arguments) => add::run(config, arguments),
        Command::List { json } => list::run(config, *json),
        Command::Show(arguments) => show::run(config, arguments),
        Command::Set(arguments) => set::run(config, arguments),
        Command::Prefix(command) => prefix::run(config, command),
        Command::Enable { nai } => access::enable(config, nai),
        Command::Disable { nai } => access::disable(config, nai),
        Command::RotatePsk(arguments) => rotate_psk::run(config, arguments),
        Command::Remove { nai } => access::remove(config, nai),
    }
}

/// What ended, for the person who ended it.
fn print_ended(ended: &[Spi]) {
    let spis: Vec<String> = ended.iter().map(ToString::to_string).collect();
    match ended.len() {
        0 => println!("ended         no association: none was live"),
        count => println!("ended         {count} ({}): connected home agents drop them within a second", spis.join(", ")),
    }
}
