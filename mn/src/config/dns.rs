//! `[dns]` of `mn.toml`: how the host is told of the name servers behind the home agent.

use serde::Deserialize;

/// The section `[dns]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Dns {
    /// Through what.
    pub mode: DnsMode,
}

/// Through what the host's resolver is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DnsMode {
    /// Through what the host's `/etc/resolv.conf` is made by; not at all where that is nothing we know.
    #[default]
    Auto,
    /// systemd-resolved, over D-Bus.
    Resolved,
    /// `resolvconf`: openresolv's or Debian's.
    Resolvconf,
    /// `/etc/resolv.conf` itself, of which a copy is put back.
    File,
    /// Not at all.
    Off,
}

impl DnsMode {
    /// As the configuration names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Resolved => "resolved",
            Self::Resolvconf => "resolvconf",
            Self::File => "file",
            Self::Off => "off",
        }
    }
}
