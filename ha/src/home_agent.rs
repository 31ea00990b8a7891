//! The home agent, pure: security associations and authentic signalling in, commands for the tunnel's halves out.
//!
//! Called by the gateway, which drains [`HomeAgent::poll_command`] after every `handle_*` and comes back at
//! [`HomeAgent::poll_timeout`]. Does no I/O and reads no clock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::sa::Spi;
use protocol::time::{Lifetime, TimerName};
use protocol::tunnel::rate_limit::RateLimit;
use protocol::tunnel::{Command, Counters, DropReason, Encapsulation, Event, Install, Path, Paths, SignallingReceived};
use protocol::wire::mobility::{BindingAcknowledgement, BindingUpdate, Ends, MobilityMessage, Status};
use protocol::wire::signalling::{self, Signalling};
use rand::CryptoRng;

use crate::binding_cache::{Binding, BindingCache};
use crate::registration::{self, Circumstances, Decision};

/// What an operator decides about bindings.
#[derive(Clone, Debug)]
pub struct HomeAgentConfig {
    /// The longest lifetime that is granted to a binding.
    pub longest_binding: Duration,
    /// The home agent's own outer addresses: no care-of address may be one of them.
    pub own_addresses: Vec<IpAddr>,
}

/// An old SA opens packets this long after the node has registered under a new one, and any SA this long past its end.
const GRACE: Duration = Duration::from_secs(60);
/// A Binding Update under an SA whose replay state is lost is answered at most this often.
const REINIT_INTERVAL: Duration = Duration::from_secs(1);

/// Home agent: SAs, binding cache and what follows from Binding Updates.
pub struct HomeAgent {
    config: HomeAgentConfig,
    counters: Arc<Counters>,
    sas: BTreeMap<Spi, HeldSa>,
    cache: BindingCache,
    timers: BTreeSet<(Instant, Timer)>,
    commands: VecDeque<Command>,
}

struct HeldSa {
    install: Arc<Install>,
    /// The last Binding Update sequence number accepted: kept as long as the SA, beyond the binding.
    last_sequence: Option<u16>,
    reinit: RateLimit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    BindingEnds(Ipv6Addr),
    SaEnds(Spi),
}

impl HomeAgent {
    /// A home agent without SAs and bindings.
    pub fn new(config: HomeAgentConfig, counters: Arc<Counters>) -> Self {
        Self {
            config,
            counters,
            sas: BTreeMap::new(),
            cache: BindingCache::default(),
            timers: BTreeSet::new(),
            commands: VecDeque::new(),
        }
    }

    /// Takes an SA from the feed. One that is held already is kept, with its counters and window.
    pub fn handle_sa(&mut self, install: Arc<Install>) {
        let spi = install.sa.spi;
        if self.sas.contains_key(&spi) {
            return;
        }
        self.timers.insert((install.valid_until + GRACE, Timer::SaEnds(spi)));
        self.commands.push_back(Command::Install(install.clone()));
        self.sas.insert(spi, HeldSa { install, last_sequence: None, reinit: RateLimit::new(1, REINIT_INTERVAL) });
    }

    /// Ends an SA at once, and the binding that sends under it.
    pub fn handle_sa_end(&mut self, spi: Spi) {
        let Some(held) = self.sas.remove(&spi) else { return };
        self.timers.retain(|(_, timer)| *timer != Timer::SaEnds(spi));
        let home = held.install.sa.home.in_mobility_header();
        if self.cache.get(home).is_some_and(|binding| binding.spi == spi) {
            self.end_binding(home);
        }
        self.commands.push_back(Command::Uninstall(spi));
    }

    /// Takes what the tunnel's halves have to say. `rng` makes the tokens of path checks.
    pub fn handle_event(&mut self, event: &Event, now: Instant, _rng: &mut impl CryptoRng) {
        match event {
            Event::Signalling(received) => self.handle_signalling(received, now),
            Event::Sighted(_) | Event::WearingOut(_) => {}
        }
    }

    /// Takes an authentic PType 8 payload. What is not a good Binding Update is counted.
    fn handle_signalling(&mut self, received: &SignallingReceived, now: Instant) {
        if let Err(reason) = self.handle_mobility_header(received, now) {
            self.counters.count_drop(reason);
        }
    }

    /// Ends what is due. Firing late is legal, firing early does nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((due, timer)) = self.timers.first().copied().filter(|(due, _)| *due <= now) {
            self.timers.remove(&(due, timer));
            match timer {
                Timer::BindingEnds(home) => self.end_binding(home),
                Timer::SaEnds(spi) => self.handle_sa_end(spi),
            }
        }
    }

    /// The next command for both halves; drained until `None`.
    pub fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// When [`Self::handle_timeout`] has something to do, and what.
    pub fn poll_timeout(&self) -> Option<(Instant, TimerName)> {
        self.timers.first().map(|(due, timer)| match timer {
            Timer::BindingEnds(_) => (*due, TimerName("binding ends")),
            Timer::SaEnds(_) => (*due, TimerName("security association ends")),
        })
    }

    /// Each binding.
    pub fn bindings(&self) -> impl Iterator<Item = &Binding> {
        self.cache.iter()
    }

    /// Each SA that is held.
    pub fn security_associations(&self) -> impl Iterator<Item = &Arc<Install>> {
        self.sas.values().map(|held| &held.install)
    }

    fn handle_mobility_header(&mut self, received: &SignallingReceived, now: Instant) -> Result<(), DropReason> {
        let held = self.sas.get(&received.spi).ok_or(DropReason::UnknownSpi)?;
        let sa = &held.install.sa;
        let home = sa.home.in_mobility_header();
        let parsed = Signalling::parse(received.next_header, &received.payload)?;
        if parsed.routing_header.is_some() {
            return Err(DropReason::MalformedSignalling);
        }
        // RFC 6275 section 10.3.1: the SA identifies the home address. A bare header means the SA's own.
        if parsed.home_address_option.is_some_and(|address| address != home) {
            return Err(DropReason::SpoofedHomeAddress);
        }
        let ends = Ends { source: home, destination: sa.home_agent.in_mobility_header() };
        match MobilityMessage::parse(parsed.mobility_header, ends)? {
            MobilityMessage::BindingUpdate(update) => self.handle_binding_update(&update, received, now),
            MobilityMessage::BindingRefreshRequest(_)
            | MobilityMessage::BindingAcknowledgement(_)
            | MobilityMessage::BindingError(_) => Err(DropReason::UnexpectedMobilityHeader),
        }
    }

    fn handle_binding_update(
        &mut self,
        update: &BindingUpdate,
        received: &SignallingReceived,
        now: Instant,
    ) -> Result<(), DropReason> {
        let held = self.sas.get_mut(&received.spi).ok_or(DropReason::UnknownSpi)?;
        let install = held.install.clone();
        // A counter is known or the SA is not used: with the replay state lost, 176 is all that is said.
        if received.lease > 0 {
            if !held.reinit.allow(now) {
                return Err(DropReason::ReplayStateLost);
            }
            self.acknowledge(received, &install, Status::REINIT_SA_WITH_HAC, update.sequence, Lifetime::ZERO);
            return Ok(());
        }
        let given = Circumstances {
            install: &install,
            last_sequence: held.last_sequence,
            is_bound: self.cache.get(install.sa.home.in_mobility_header()).is_some(),
            from: received.from,
            longest: self.config.longest_binding,
            own: &self.config.own_addresses,
        };
        let decision = registration::judge(update, &given, now)?;
        if !matches!(decision, Decision::Refuse(..)) {
            held.last_sequence = Some(update.sequence);
        }
        self.carry_out(decision, update.sequence, received, &install, now);
        Ok(())
    }

    fn carry_out(&mut self, decision: Decision, sequence: u16, received: &SignallingReceived, install: &Install, now: Instant) {
        match decision {
            Decision::Register { home, care_of, lifetime } => {
                let binding = Binding {
                    home,
                    care_of,
                    socket: received.socket,
                    remote: received.from,
                    spi: received.spi,
                    lifetime: lifetime.duration(),
                    expires: now + lifetime.duration(),
                    moves: 0,
                };
                self.bind(install.sa.home.in_mobility_header(), binding, now);
                let ipv4 = home.ip4().map(|address| (0, address));
                self.answer(
                    received,
                    install,
                    BindingAcknowledgement {
                        ipv4_address: ipv4,
                        ..BindingAcknowledgement::new(Status::ACCEPTED, sequence, lifetime)
                    },
                );
            }
            Decision::Deregister => {
                self.end_binding(install.sa.home.in_mobility_header());
                self.acknowledge(received, install, Status::ACCEPTED, sequence, Lifetime::ZERO);
            }
            Decision::Refuse(status, sequence) => self.acknowledge(received, install, status, sequence, Lifetime::ZERO),
        }
    }

    /// Writes the binding and moves the downlink: the only place that does.
    fn bind(&mut self, home: Ipv6Addr, mut binding: Binding, now: Instant) {
        let paths = Paths::one(Path::proved(binding.socket, binding.remote));
        let encapsulation = Encapsulation::ProtectedUdp;
        self.commands.push_back(Command::Move { home: binding.home, paths, encapsulation, sending: binding.spi });
        self.timers.insert((binding.expires, Timer::BindingEnds(home)));
        if let Some(before) = self.cache.get(home) {
            binding.moves = before.moves + u64::from(before.remote != binding.remote);
            if before.expires != binding.expires {
                self.timers.remove(&(before.expires, Timer::BindingEnds(home)));
            }
            if before.spi != binding.spi {
                self.retire(before.spi, now);
            }
        }
        self.cache.insert(home, binding);
    }

    /// The node has registered under a newer SA: this one opens packets for a while yet, then ends.
    fn retire(&mut self, spi: Spi, now: Instant) {
        let Some(held) = self.sas.get(&spi) else { return };
        let ends = held.install.valid_until + GRACE;
        self.timers.remove(&(ends, Timer::SaEnds(spi)));
        self.timers.insert((ends.min(now + GRACE), Timer::SaEnds(spi)));
    }

    fn end_binding(&mut self, home: Ipv6Addr) {
        if let Some(binding) = self.cache.remove(home) {
            self.timers.remove(&(binding.expires, Timer::BindingEnds(home)));
            self.commands.push_back(Command::Remove(binding.home));
        }
    }

    fn acknowledge(
        &mut self,
        received: &SignallingReceived,
        install: &Install,
        status: Status,
        sequence: u16,
        lifetime: Lifetime,
    ) {
        self.answer(received, install, BindingAcknowledgement::new(status, sequence, lifetime));
    }

    /// Sends a Binding Acknowledgement to where the Binding Update came from.
    fn answer(&mut self, received: &SignallingReceived, install: &Install, message: BindingAcknowledgement) {
        let home = install.sa.home.in_mobility_header();
        let ends = Ends { source: install.sa.home_agent.in_mobility_header(), destination: home };
        let header = MobilityMessage::BindingAcknowledgement(message).emit(ends);
        self.commands.push_back(Command::Signal {
            spi: received.spi,
            path: Path::proved(received.socket, received.from),
            next_header: signalling::ROUTING,
            payload: signalling::behind_routing_header(home, &header),
        });
    }
}

#[cfg(test)]
mod tests;
