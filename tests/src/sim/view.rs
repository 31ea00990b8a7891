//! What is seen of a world: by its applications, by its operators, on the wire.

use std::net::SocketAddr;
use std::time::Duration;

use feed::SessionReport;
use ha::binding_cache::Binding;
use mn::flight_recorder::Record;
use mn::mobile_node::Phase;
use protocol::addr::HomeAddresses;
use protocol::sa::Spi;
use protocol::tunnel::DropReason;
use protocol::wire::mobility::Status;

use super::World;

impl World {
    /// What the correspondent node received since it was asked last.
    pub fn correspondent_received(&mut self) -> Vec<Vec<u8>> {
        self.gateway.as_mut().map(|gateway| std::mem::take(&mut gateway.end.delivered)).unwrap_or_default()
    }

    /// The ICMP errors that this process of the home agent gave the correspondent node since it was asked last.
    pub fn correspondent_was_refused(&mut self) -> Vec<Vec<u8>> {
        self.gateway.as_mut().map(|gateway| std::mem::take(&mut gateway.end.answered)).unwrap_or_default()
    }

    /// What the applications on the mobile node received since they were asked last.
    pub fn mobile_node_received(&mut self) -> Vec<Vec<u8>> {
        self.node.as_mut().map(|node| std::mem::take(&mut node.end.delivered)).unwrap_or_default()
    }

    /// The mobile node's phase.
    pub fn phase(&self) -> Option<Phase> {
        self.node.as_ref().map(|node| node.machine.phase())
    }

    /// The largest outer packet that the mobile node has found to come through on its path, and the longest inner packet that it sends.
    pub fn path_mtu(&self) -> Option<(Option<u16>, u16)> {
        let search = self.node.as_ref()?.machine.path_mtu()?;
        Some((search.confirmed(), search.inner()))
    }

    /// The mobile node's home addresses, as the HAC gave them.
    pub fn home(&self) -> Option<HomeAddresses> {
        Some(self.node.as_ref()?.machine.security_association()?.sa.home)
    }

    /// The outer address that the home agent sends to.
    pub fn bound_to(&self) -> Option<SocketAddr> {
        Some(self.binding()?.latest.remote)
    }

    /// Whether the home agent knows that the mobile node receives there.
    pub fn is_proved(&self) -> bool {
        self.binding().is_some_and(|binding| binding.latest.is_proved())
    }

    /// The SA that the home agent's binding sends under.
    pub fn bound_under(&self) -> Option<Spi> {
        Some(self.binding()?.spi)
    }

    /// How often the mobile node sent something for a NAT's sake alone.
    pub fn keepalives(&self) -> u64 {
        self.node.as_ref().map_or(0, |node| node.machine.keepalives())
    }

    /// After which silence it does so, if it knows of a NAT.
    pub fn keepalive_interval(&self) -> Option<Duration> {
        self.node.as_ref()?.machine.keepalive_interval()
    }

    /// Whether the translator leads to somebody from where the home agent sends.
    pub fn is_mapped_where_it_is_bound(&self) -> bool {
        let mapped = |remote: SocketAddr| self.network.nat.as_ref().is_some_and(|nat| nat.has(remote.port(), self.now));
        self.bound_to().is_some_and(mapped)
    }

    /// The mobile node's latest moves, oldest first, without the one that brought it up.
    pub fn handovers(&self) -> Vec<Record> {
        let records = self.node.as_ref().map(|node| node.machine.handovers().0.cloned().collect::<Vec<_>>());
        records.into_iter().flatten().filter(|record| record.number > 1).collect()
    }

    /// How often the mobile node has begun MHAuth.
    pub fn mhauth_attempts(&self) -> u32 {
        self.mhauth_attempts
    }

    /// How often MHAuth has given the mobile node an SA.
    pub fn mhauth_runs(&self) -> u32 {
        self.grants.len() as u32
    }

    /// How many SAs the node was granted under this SPI, one after the other.
    pub fn granted_under(&self, spi: u32) -> usize {
        self.grants.iter().filter(|(_, granted)| granted.get() == spi).count()
    }

    /// Binding Acknowledgements with `status` that this process of the home agent sent.
    pub fn acknowledgements(&self, status: Status) -> usize {
        let sent = self.gateway.as_ref().map(|gateway| gateway.acknowledged.iter());
        sent.into_iter().flatten().filter(|sent| **sent == status).count()
    }

    /// SAs that this process of the home agent holds.
    pub fn home_agent_holds(&self) -> usize {
        self.gateway.as_ref().map_or(0, |gateway| gateway.home_agent.security_associations().count())
    }

    /// What home agents have looked up at the HAC, and when.
    pub fn look_ups(&self) -> &[(Duration, Spi)] {
        &self.look_ups
    }

    /// What the HAC was told of sessions since it was asked last.
    pub fn session_reports(&mut self) -> Vec<SessionReport> {
        std::mem::take(&mut self.session_reports)
    }

    /// Whether the HAC has an SA on disk that has not ended. To be asked when a story is over: it commits a lease.
    pub fn hac_has(&mut self, spi: Spi) -> bool {
        let wall = self.wall();
        self.controller.has(spi, wall)
    }

    /// Packets that this process of the home agent dropped for `reason`.
    pub fn home_agent_dropped(&self, reason: DropReason) -> u64 {
        self.gateway.as_ref().map_or(0, |gateway| gateway.end.counters.dropped(reason))
    }

    /// Packets that this process of the mobile node dropped for `reason`.
    pub fn mobile_node_dropped(&self, reason: DropReason) -> u64 {
        self.node.as_ref().map_or(0, |node| node.end.counters.dropped(reason))
    }

    /// Lines at WARN or ERROR that contain `text`; they are expected now. Any other ends the story, when the world does.
    pub fn logged(&mut self, text: &str) -> usize {
        self.watch.take(text).len()
    }

    fn binding(&self) -> Option<&Binding> {
        self.gateway.as_ref()?.home_agent.bindings().next()
    }
}
