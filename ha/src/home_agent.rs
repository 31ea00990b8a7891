//! The home agent, pure: security associations and what the tunnel's halves say in, commands for the halves out, and for the HAC what
//! nodes have registered under and how their sessions are.
//!
//! Called by the gateway, which drains [`HomeAgent::poll_command`], [`HomeAgent::poll_registered`] and [`HomeAgent::poll_detection`]
//! after every `handle_*` and comes back at [`HomeAgent::poll_timeout`]; [`Sessions`] says itself when it has something to tell. Does no I/O and reads no clock.

mod detection;
mod heartbeat;
mod held_sa;
mod relays;
mod requests;
mod resend;
mod returning;
mod signalling;
mod timers;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use feed::SessionEnd;
use ipnet::IpNet;
use protocol::features::Features;
use protocol::prefixes::MobileNetworkPrefixes;
use protocol::sa::Spi;
use protocol::sa::spi::SpiBlocks;
use protocol::time::{Lifetime, TimerName};
use protocol::tunnel::{Command, Counters, Event, Install};
use protocol::wire::mobility::BindingId;
use rand::CryptoRng;

use crate::binding_cache::{Binding, BindingCache, CareOfBinding};
use crate::path_check;
use crate::registration::nowhere::Nowhere;
use crate::sessions::Sessions;
pub use detection::Detection;
use detection::Detections;
use held_sa::HeldSa;
pub use held_sa::SaSummary;
use relays::Relays;
pub use requests::{Asked, Which};
use timers::{Timer, Timers};

/// What an operator decides about bindings.
#[derive(Clone, Debug)]
pub struct HomeAgentConfig {
    /// The longest lifetime that is granted to a binding.
    pub longest_binding: Duration,
    /// The home agent's own outer addresses: no care-of address may be one of them.
    pub own_addresses: Vec<IpAddr>,
}

/// What a home agent without a home link can do beyond RFC 6618, as the HAC is told of it.
pub const FEATURES: Features = Features::MCOA.or(Features::HEARTBEAT).or(Features::RESEND);

/// An old SA opens packets this long after the node has registered under a new one, and any SA this long past its end.
const GRACE: Duration = Duration::from_secs(60);

/// Home agent: SAs, binding cache and what follows from Binding Updates.
pub struct HomeAgent {
    config: HomeAgentConfig,
    counters: Arc<Counters>,
    sas: BTreeMap<Spi, HeldSa>,
    cache: BindingCache,
    timers: Timers,
    commands: VecDeque<Command>,
    registered: VecDeque<Spi>,
    sessions: Sessions,
    relays: Relays,
    detections: Detections,
    /// The prefixes of the home link; none where it is virtual.
    on_link: Vec<IpNet>,
    /// The pools whose every address leads into a tunnel or nowhere.
    tunnelled: Vec<IpNet>,
}

impl HomeAgent {
    /// A home agent without SAs and bindings.
    pub fn new(config: HomeAgentConfig, counters: Arc<Counters>) -> Self {
        Self {
            config,
            counters,
            sas: BTreeMap::new(),
            cache: BindingCache::default(),
            timers: Timers::default(),
            commands: VecDeque::new(),
            registered: VecDeque::new(),
            sessions: Sessions::default(),
            relays: Relays::default(),
            detections: Detections::default(),
            on_link: Vec::new(),
            tunnelled: Vec::new(),
        }
    }

    /// The pools that are routed into the tunnels, from now on: no node is in one of them but through its tunnel. Those on a real home
    /// link are not among them.
    pub fn set_tunnelled(&mut self, pools: Vec<IpNet>) {
        self.tunnelled = pools;
    }

    /// Takes an SA from the feed. One that is held already is kept, with its counters and window.
    pub fn handle_sa(&mut self, install: Arc<Install>, now: Instant) {
        let spi = install.sa.spi;
        if self.sas.contains_key(&spi) {
            return;
        }
        if !install.sa.is_numbered() {
            let suite = install.sa.suite;
            tracing::warn!(
                %spi,
                %suite,
                "packets under this SA have no replay protection (profile draft-04): the subscriber's policy at the HAC names its suite"
            );
        }
        self.timers.set(Timer::SaEnds(spi), install.valid_until + GRACE);
        self.commands.push_back(Command::Install(install.clone()));
        self.sas.insert(spi, HeldSa::new(install, now));
    }

    /// The HAC has ended an SA: it ends at once, and the binding that sends under it.
    pub fn handle_sa_end(&mut self, spi: Spi, now: Instant) {
        self.end_sa(spi, SessionEnd::SaEnded, now);
    }

    fn end_sa(&mut self, spi: Spi, why: SessionEnd, now: Instant) {
        let Some(held) = self.sas.remove(&spi) else { return };
        self.timers.cancel(Timer::SaEnds(spi));
        self.timers.cancel(Timer::AskForNewSa(spi));
        let home = held.home();
        if self.cache.get(home).is_some_and(|binding| binding.spi == spi) {
            self.end_binding(home, why, now);
        }
        self.sessions.forget(spi);
        self.commands.push_back(Command::Uninstall(spi));
    }

    /// Takes the SPI blocks of the group: under an unknown SPI in one of them a node may be worth a look-up.
    pub fn handle_spi_blocks(&mut self, blocks: SpiBlocks) {
        self.commands.push_back(Command::LookUpIn(blocks));
    }

    /// Takes what the tunnel's halves have to say. `rng` makes the tokens of path checks.
    pub fn handle_event(&mut self, event: &Event, now: Instant, rng: &mut impl CryptoRng) {
        match event {
            Event::Signalling(received) => self.handle_signalling(received, now, rng),
            Event::Sighted(sighting) => self.handle_sighting(sighting, now, rng),
            Event::WearingOut(spi) => self.handle_wear(*spi, now),
            // For the feed: the gateway hands it on.
            Event::LookUp(_) => {}
            // A mobile node's.
            Event::Heard(_) => {}
        }
    }

    /// Does what is due. Firing late is legal, firing early does nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.take_due(now) {
            match timer {
                Timer::BindingEnds(home) => {
                    let why = self.why_it_runs_out(home, now);
                    self.end_care_ofs(home, why, now, |care_of| care_of.expires <= now);
                }
                Timer::SaEnds(spi) => self.end_sa(spi, SessionEnd::SaExpired, now),
                Timer::AskForNewSa(spi) => self.ask(spi, now),
            }
        }
    }

    /// The next command for both halves; drained until `None`.
    pub fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// The next SA that a node has registered under and had no binding under before; drained until `None`.
    pub fn poll_registered(&mut self) -> Option<Spi> {
        self.registered.pop_front()
    }

    /// When [`Self::handle_timeout`] has something to do, and what.
    pub fn poll_timeout(&self) -> Option<(Instant, TimerName)> {
        self.timers.next().map(|(due, timer)| (due, timer.name()))
    }

    /// Each binding.
    pub fn bindings(&self) -> impl Iterator<Item = &Binding> {
        self.cache.iter()
    }

    /// Each SA that is held.
    pub fn security_associations(&self) -> impl Iterator<Item = SaSummary> {
        self.sas.values().map(|held| SaSummary {
            install: held.install.clone(),
            is_bound: self.bound_under(held).is_some(),
            is_renewal_wanted: held.renewal.is_wanted(),
            is_superseded: held.is_superseded,
        })
    }

    /// Sessions of nodes, for lists.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// The same, to take their reports out.
    pub fn sessions_mut(&mut self) -> &mut Sessions {
        &mut self.sessions
    }

    /// Writes the binding and moves the downlink.
    fn bind(&mut self, home: Ipv6Addr, mut binding: Binding, overwrites: bool, now: Instant) {
        self.end_other_bindings(home, &binding, now);
        let mut old = None;
        let mut networks = MobileNetworkPrefixes::default();
        if let Some(before) = self.cache.get(home) {
            binding.moves = before.moves + u64::from(before.latest.remote != binding.latest.remote);
            binding.keep_others_of(before, overwrites);
            // Another node may have been bound there since.
            binding.forget_paths(|remote| self.cache.leads_to_a_node(self.relays.seen_from(remote).ip()));
            old = Some(before.spi);
            networks = before.prefixes.clone();
        }
        if old != Some(binding.spi) {
            old.into_iter().for_each(|old| self.supersede(old, now));
            self.registered.push_back(binding.spi);
        }
        self.note_session(&binding, old, now);
        self.timers.set(Timer::BindingEnds(home), binding.next_end());
        self.cache.insert(home, binding);
        self.move_downlink(home);
        self.tell_of_networks(home, &networks);
    }

    fn nowhere(&self) -> Nowhere<'_> {
        Nowhere { own: &self.config.own_addresses, tunnelled: &self.tunnelled, cache: &self.cache }
    }

    /// Whether the node of this SA can be where a datagram came from.
    fn may_be_at(&self, spi: Spi, from: SocketAddr) -> bool {
        let seen_from = self.relays.seen_from(from).ip();
        self.sas.get(&spi).is_some_and(|held| !self.nowhere().covers(seen_from, held.sa()))
    }

    /// Ends the binding with this number (RFC 5648 section 5.4), or all.
    fn deregister(&mut self, home: Ipv6Addr, id: Option<BindingId>, now: Instant) {
        self.end_care_ofs(home, SessionEnd::Deregistered, now, |care_of| id.is_none_or(|id| care_of.id == Some(id)));
    }

    /// Ends a part of what a node is bound to. Where nothing is left, its binding ends.
    fn end_care_ofs(&mut self, home: Ipv6Addr, why: SessionEnd, now: Instant, ends: impl Fn(&CareOfBinding) -> bool) {
        let Some(binding) = self.cache.get_mut(home) else { return };
        if binding.retain(ends) {
            self.timers.set(Timer::BindingEnds(home), binding.next_end());
            self.move_downlink(home);
        } else {
            self.end_binding(home, why, now);
        }
    }

    /// A node that its new SA has given another IPv6 home address beside the same IPv4 one, or the same networks, is bound twice. The
    /// older binding goes first: its end would take the newer one's tunnel with it.
    fn end_other_bindings(&mut self, home: Ipv6Addr, binding: &Binding, now: Instant) {
        while let Some(other) = self.cache.other_with(home, &binding.home, &binding.prefixes) {
            let spi = self.cache.get(other).map(|binding| binding.spi);
            self.end_binding(other, SessionEnd::Superseded, now);
            spi.into_iter().for_each(|spi| self.supersede(spi, now));
        }
    }

    /// Tells the halves of the networks behind a node, where they are others than before.
    fn tell_of_networks(&mut self, home: Ipv6Addr, before: &MobileNetworkPrefixes) {
        let Some(binding) = self.cache.get(home).filter(|binding| binding.prefixes != *before) else { return };
        self.commands.push_back(Command::Prefixes { home: binding.home, prefixes: binding.prefixes.clone() });
    }

    /// The session goes on where the node is, or another begins.
    fn note_session(&mut self, binding: &Binding, before: Option<Spi>, now: Instant) {
        if before == Some(binding.spi) {
            return self.sessions.note_care_of(binding.spi, binding.latest.seen_from());
        }
        if let Some(old) = before {
            self.sessions.end(old, SessionEnd::Superseded, now);
        }
        if let Some(held) = self.sas.get(&binding.spi) {
            self.sessions.begin(binding.spi, &held.install.traffic, binding.latest.seen_from(), now);
        }
    }

    /// Tells the halves where a binding's packets go: the only place that does.
    fn move_downlink(&mut self, home: Ipv6Addr) {
        let Some(binding) = self.cache.get(home) else { return };
        let Some(held) = self.sas.get(&binding.spi) else { return };
        self.commands.push_back(Command::Move {
            home: binding.home,
            paths: path_check::paths(binding, &held.unproved, held.seen_at),
            encapsulation: held.encapsulation(),
            sending: binding.spi,
        });
    }

    /// The node has registered under a newer SA: this one opens packets for a while yet, then ends.
    fn supersede(&mut self, spi: Spi, now: Instant) {
        let Some(held) = self.sas.get_mut(&spi) else { return };
        held.is_superseded = true;
        let ends = held.install.valid_until.min(now) + GRACE;
        self.timers.set(Timer::SaEnds(spi), ends);
    }

    fn end_binding(&mut self, home: Ipv6Addr, why: SessionEnd, now: Instant) {
        if let Some(binding) = self.cache.remove(home) {
            self.timers.cancel(Timer::BindingEnds(home));
            self.commands.push_back(Command::Remove(binding.home));
            self.sessions.end(binding.spi, why, now);
        }
    }

    /// A binding never outlives its SA: one that has lasted for as long as it could has ended with it.
    fn why_it_runs_out(&self, home: Ipv6Addr, now: Instant) -> SessionEnd {
        let held = self.cache.get(home).and_then(|binding| self.sas.get(&binding.spi));
        let left = held.map(|held| held.install.valid_until.saturating_duration_since(now));
        let has_lasted = left.is_some_and(|left| Lifetime::at_most(left) == Lifetime::ZERO);
        if has_lasted { SessionEnd::SaExpired } else { SessionEnd::BindingExpired }
    }

    /// The binding that sends under this SA.
    fn bound_under(&self, held: &HeldSa) -> Option<&Binding> {
        self.cache.get(held.home()).filter(|binding| binding.spi == held.sa().spi)
    }
}

#[cfg(test)]
mod tests;
