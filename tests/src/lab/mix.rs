//! Of which family the access networks are, and whether they are behind translators.
//!
//! A lab that is told nothing has `wifi` with IPv4 and `lte` with IPv6, so that each move changes the family; a [`Mix`] has one family on
//! both, so that none does.

use std::fmt;
use std::net::IpAddr;

use anyhow::{Context, Result, ensure};

use super::{Lab, Nat, plan};

/// The one family that an access network carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4 alone.
    Ipv4,
    /// IPv6 alone.
    Ipv6,
}

impl Family {
    /// As `ip` has its option.
    pub(super) fn of_ip(self) -> &'static str {
        match self {
            Self::Ipv4 => "-4",
            Self::Ipv6 => "-6",
        }
    }

    /// As nftables call it.
    pub(super) fn of_nftables(self) -> &'static str {
        match self {
            Self::Ipv4 => "ip",
            Self::Ipv6 => "ip6",
        }
    }
}

/// What both access networks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mix {
    family: Family,
    translated: bool,
}

impl Mix {
    /// IPv4 with addresses that the home agent sees as they are.
    pub const fn ipv4() -> Self {
        Self { family: Family::Ipv4, translated: false }
    }

    /// IPv4, and each network behind an address of its own.
    pub const fn ipv4_behind_nat() -> Self {
        Self { family: Family::Ipv4, translated: true }
    }

    /// IPv6 with addresses that the home agent sees as they are.
    pub const fn ipv6() -> Self {
        Self { family: Family::Ipv6, translated: false }
    }

    /// IPv6, and each network behind an address of its own: ports are translated too, as nftables' masquerading does (NAT66).
    pub const fn ipv6_behind_nat() -> Self {
        Self { family: Family::Ipv6, translated: true }
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = if self.family == Family::Ipv4 { "IPv4" } else { "IPv6" };
        write!(to, "{family} {} a NAT", if self.translated { "behind" } else { "without" })
    }
}

impl Lab {
    /// Makes both access networks what `mix` says, once, before one is attached. Gives the translator that they have then.
    pub fn networks(&self, mix: Mix) -> Result<Option<Nat<'_>>> {
        ensure!(self.mix.set(mix).is_ok(), "the networks are what they are");
        for access in [plan::WIFI, plan::LTE] {
            if self.family(access) != usual(access) {
                let network = self.access(access)?;
                let address = format!("{}{}", network.router, network.length());
                self.ip_batch(plan::NET, &format!("address add {address} dev {access}"))?;
            }
        }
        mix.translated.then(|| self.translate_each(&[plan::WIFI, plan::LTE])).transpose()
    }

    /// The family of an access network.
    pub fn family(&self, access: &str) -> Family {
        self.mix.get().map_or(usual(access), |mix| mix.family)
    }

    /// What an access network has.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn access(&self, access: &str) -> Result<plan::Access> {
        plan::access(access, self.family(access)).with_context(|| format!("no access network {access}"))
    }

    /// The mobile node's care-of address on an access network.
    pub fn care_of(&self, access: &str) -> Result<IpAddr> {
        Ok(self.access(access)?.leases[0])
    }

    /// `ip -batch` lines of `mn` that give an access network this address, and its route. Two of one family have metrics, as a host gives
    /// them by kind of interface, since there would be but one route else.
    pub(super) fn lease(&self, access: &str, care_of: IpAddr) -> Result<String> {
        let mut lines = self.access(access)?.lease(access, care_of);
        if self.mix.get().is_some() {
            lines += if access == plan::WIFI { " metric 600" } else { " metric 700" };
        }
        Ok(lines)
    }

    /// Where the home agent sees a mobile node that is on this access network, as a mix has it.
    pub fn seen_at(&self, access: &str) -> Result<IpAddr> {
        let is_translated = self.mix.get().is_some_and(|mix| mix.translated);
        self.access(access).map(|network| if is_translated { network.outside } else { network.leases[0] })
    }
}

/// Of a lab that is told nothing.
fn usual(access: &str) -> Family {
    if access == plan::WIFI { Family::Ipv4 } else { Family::Ipv6 }
}
