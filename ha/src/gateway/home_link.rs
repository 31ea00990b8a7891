//! The gateway between the home agent and its home link, where that is real.

use std::net::IpAddr;
use std::time::Instant;

use feed::Welcome;
use ipnet::IpNet;
use protocol::tunnel::Command;

use super::{Gateway, GatewayError};
use crate::home_link::{HomeLink, HomeLinkError, Verdict};

/// The home link as the gateway has it; without one there is nothing to do.
#[derive(Default)]
pub(super) struct GatewayHomeLink(Option<HomeLink>);

impl GatewayHomeLink {
    /// The next verdict; for ever none where there is no home link. Safe to cancel.
    pub(super) async fn verdict(&mut self) -> Option<Verdict> {
        match &mut self.0 {
            Some(link) => link.verdict().await,
            None => None,
        }
    }

    /// See [`HomeLink::follow`].
    pub(super) async fn follow(&mut self, command: &Command) {
        if let Some(link) = &mut self.0 {
            link.follow(command).await;
        }
    }

    /// Whether a pool is there.
    pub(super) fn covers(&self, pool: &IpNet) -> bool {
        self.0.as_ref().is_some_and(|link| link.covers(pool))
    }

    /// The link itself.
    pub(super) fn link(&self) -> Option<&HomeLink> {
        self.0.as_ref()
    }

    /// Releases everything.
    pub(super) async fn close(self) {
        if let Some(link) = self.0 {
            link.close().await;
        }
    }
}

/// Begins to keep the home link that the configuration names.
pub(super) async fn open(gateway: &mut Gateway) -> Result<(), HomeLinkError> {
    let Some(name) = &gateway.config.home_link else { return Ok(()) };
    let link = HomeLink::open(name, &gateway.tun, gateway.config.routes.protocol).await?;
    tracing::info!(interface = link.interface(), "this home link is answered on for nodes that are away");
    gateway.home_link = GatewayHomeLink(Some(link));
    Ok(())
}

impl Gateway {
    /// The pools are known now: the home agent hears which of them are on the link.
    pub(super) fn note_home_link(&mut self, welcome: &Welcome) -> Result<(), GatewayError> {
        if let Some(link) = self.home_link.link() {
            self.home_agent.set_home_link(link.pools_on_it(&welcome.pools)?);
            self.home_agent.set_on_link(link.prefixes().to_vec());
        }
        Ok(())
    }

    pub(super) fn handle_verdict(&mut self, (detection, duplicates): Verdict) {
        self.home_agent.handle_detected(&detection, &duplicates, Instant::now(), &mut rand::rng());
    }

    /// Passes on what the home agent wants to be looked for. An address of this host's own nobody else can have, and nobody would answer
    /// for it.
    pub(super) async fn detect(&mut self) {
        while let Some(detection) = self.home_agent.poll_detection() {
            let own = self.own_among(&detection.addresses);
            match self.home_link.link() {
                Some(link) if own.is_empty() => link.detect(detection).await,
                _ => self.handle_verdict((detection, own)),
            }
        }
    }

    fn own_among(&self, addresses: &[IpAddr]) -> Vec<IpAddr> {
        let own = self.own_addresses.borrow();
        addresses.iter().copied().filter(|address| own.iter().any(|prefix| prefix.addr() == *address)).collect()
    }
}
