//! `[guard]`: what may leave this host beside the tunnel, and what may come in.

use std::str::FromStr;

use serde::Deserialize;

/// The leak guard.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Guard {
    /// What it does.
    #[serde(deserialize_with = "service::config::by_name")]
    pub mode: GuardMode,
    /// Whether connections that somebody else has opened to a care-of address are answered there.
    pub answers: bool,
    /// Whether networks that this host is attached to are reached beside the tunnel where their addresses are private.
    pub local_network: bool,
    /// Whether name servers in them may be asked.
    pub local_dns: bool,
}

impl Default for Guard {
    fn default() -> Self {
        Self { mode: GuardMode::On, answers: true, local_network: true, local_dns: false }
    }
}

/// What the guard does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuardMode {
    /// What is to go through the tunnel goes there or nowhere; what is for a home address comes from there.
    On,
    /// What is for a home address comes through the tunnel; what leaves is not looked at.
    Inbound,
    /// Nothing: nftables is not touched.
    Off,
}

impl GuardMode {
    const ALL: [Self; 3] = [Self::On, Self::Inbound, Self::Off];

    /// As in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Inbound => "inbound",
            Self::Off => "off",
        }
    }
}

impl FromStr for GuardMode {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|mode| mode.name() == name);
        known.ok_or("no mode of the guard: write \"on\", \"inbound\" or \"off\"")
    }
}
