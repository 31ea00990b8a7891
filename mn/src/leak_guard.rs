//! The leak guard: what is to go through the tunnel goes there or nowhere, and what is for a home address comes from there.
//!
//! One nftables table of the node's own, put up before anything else and taken away last. A node that is killed leaves it
//! standing, so that nothing leaves in the clear until the next `mn up` or `mn down` (`docs/why/leak-guard.md`). What it lets
//! through is in `rules`; every change is one transaction, so there is no moment without it.

mod answered;
mod nft;
mod reader;
mod rules;

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use protocol::prefixes::MobileNetworkPrefixes;

pub use nft::GuardError;
pub use reader::{Reader, Seen};
use rules::Rules;

use crate::config::{Guard, GuardMode, Tunnel};
use crate::local_networks::LocalNetwork;

/// Behind the last word of the home agent that the node is home: the node asks once a minute. One that was killed there may be carried
/// elsewhere, where somebody has the address of the home link's router.
const HOME_LINK_LASTS: Duration = Duration::from_secs(180);

/// The guard of one mobile node.
pub struct LeakGuard {
    rules: Rules,
    /// Whether the table is to stand: from `put_up` to `take_down`, whoever takes it away meanwhile.
    is_to_stand: bool,
    /// The table as the kernel showed it after our last change; `None` where it was gone already.
    shown: Option<String>,
}

impl LeakGuard {
    /// For this configuration; nothing is put up yet.
    pub fn new(guard: Guard, tunnel: Tunnel) -> Self {
        let rules = Rules {
            guard,
            tunnel,
            lan: None,
            homes: Vec::new(),
            networks: MobileNetworkPrefixes::default(),
            local: Vec::new(),
            answered: Vec::new(),
            home_link: None,
            home_link_lasts: HOME_LINK_LASTS,
        };
        Self { rules, is_to_stand: false, shown: None }
    }

    /// There is a network behind this host on the interface `lan`: what it sends goes through the tunnel or stays there.
    #[must_use]
    pub fn with_lan(mut self, lan: Option<String>) -> Self {
        self.rules.lan = lan;
        self
    }

    /// Puts the table up, in place of what an earlier run has left; gives whether there was something. With the mode "off" takes that
    /// away, and gives `false`.
    ///
    /// # Errors
    /// nftables is missing or refuses; the text says what to do.
    pub async fn put_up(&mut self) -> Result<bool, GuardError> {
        if self.is_off() {
            // Who has no nftables has no table of ours either.
            let _ = nft::delete(&self.rules.table()).await;
            return Ok(false);
        }
        let stood = self.is_standing().await?;
        self.write_whole().await?;
        Ok(stood)
    }

    /// Whether the kernel has the table now, whoever has put it up.
    ///
    /// # Errors
    /// As [`Self::put_up`].
    pub async fn is_standing(&self) -> Result<bool, GuardError> {
        Ok(nft::list(&self.rules.table()).await?.is_some())
    }

    /// Takes the table away; gives whether there was one.
    ///
    /// # Errors
    /// nftables refuses. That the command `nft` is missing is none: then there is no table.
    pub async fn take_down(&mut self) -> Result<bool, GuardError> {
        (self.is_to_stand, self.shown) = (false, None);
        match nft::delete(&self.rules.table()).await {
            Err(GuardError::NotInstalled) => Ok(false),
            // The table's owner is asked; who never had one may lack what it takes.
            Err(_) if self.is_off() => Ok(false),
            other => other,
        }
    }

    /// These are the home addresses: what comes for them past the tunnel is dropped.
    ///
    /// # Errors
    /// As [`Self::put_up`].
    pub async fn set_homes(&mut self, homes: Vec<IpAddr>) -> Result<(), GuardError> {
        if self.rules.homes == homes {
            return Ok(());
        }
        self.rules.homes = homes;
        self.change(self.rules.homes()).await
    }

    /// These are the networks behind this host: what comes for them past the tunnel is dropped, and what they send leaves through it alone.
    ///
    /// # Errors
    /// As [`Self::put_up`].
    pub async fn set_networks(&mut self, networks: MobileNetworkPrefixes) -> Result<(), GuardError> {
        if self.rules.networks == networks {
            return Ok(());
        }
        self.rules.networks = networks;
        let behind = if self.rules.guard.mode == GuardMode::On { self.rules.networks() } else { String::new() };
        self.change(self.rules.homes() + &behind).await
    }

    /// The node is on its home link, which is this interface, with these prefixes: what comes for its home addresses passes there, and
    /// what goes from an address in the prefixes; nowhere else, and for three minutes, if [`Self::renew_home_link`] is not called. `None`
    /// when it is away.
    ///
    /// # Errors
    /// As [`Self::put_up`].
    pub async fn set_home_link(&mut self, link: Option<(String, Vec<IpNet>)>) -> Result<(), GuardError> {
        if self.rules.home_link == link {
            return Ok(());
        }
        self.rules.home_link = link;
        let outgoing = if self.rules.guard.mode == GuardMode::On { self.rules.at_home() } else { String::new() };
        self.change(self.rules.home_link() + &self.rules.homes() + &outgoing).await
    }

    /// The node is on its home link still.
    ///
    /// # Errors
    /// As [`Self::put_up`].
    pub async fn renew_home_link(&mut self) -> Result<(), GuardError> {
        if self.rules.home_link.is_some() { self.change(self.rules.home_link()).await } else { Ok(()) }
    }

    /// These are the private networks that the host is attached to.
    ///
    /// # Errors
    /// As [`Self::put_up`].
    pub async fn set_local(&mut self, local: Vec<LocalNetwork>) -> Result<(), GuardError> {
        if self.rules.local == local {
            return Ok(());
        }
        self.rules.local = local;
        if self.rules.guard.mode == GuardMode::On { self.change(self.rules.local()).await } else { Ok(()) }
    }

    /// Puts the table up again if somebody else has taken it away or changed it; gives whether it had to.
    ///
    /// # Errors
    /// As [`Self::put_up`].
    pub async fn reassert(&mut self) -> Result<bool, GuardError> {
        if !self.is_to_stand {
            return Ok(false);
        }
        let found = nft::list(&self.rules.table()).await?;
        if found.is_some() && found == self.shown {
            return Ok(false);
        }
        self.write_whole().await?;
        Ok(true)
    }

    /// Whether the table is to stand: nobody but somebody else takes it away, and then it is put up again.
    pub fn is_up(&self) -> bool {
        self.is_to_stand
    }

    /// Whether private networks on the link are reached past the tunnel.
    pub fn allows_local(&self) -> bool {
        self.rules.guard.local_network
    }

    fn is_off(&self) -> bool {
        self.rules.guard.mode == GuardMode::Off
    }

    /// One transaction. Where somebody has taken the table away meanwhile, it is put up whole.
    async fn change(&mut self, script: String) -> Result<(), GuardError> {
        if !self.is_to_stand {
            return Ok(());
        }
        match nft::run(script).await {
            Ok(()) => self.remember().await,
            Err(_) => self.write_whole().await,
        }
    }

    async fn write_whole(&mut self) -> Result<(), GuardError> {
        self.rules.answered = answered::connections();
        nft::run(self.rules.whole()).await?;
        self.is_to_stand = true;
        self.remember().await
    }

    /// A flush by somebody else may have come before: then nothing is shown, and [`Self::reassert`] puts it up.
    async fn remember(&mut self) -> Result<(), GuardError> {
        self.shown = nft::list(&self.rules.table()).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
