//! The home agent's process: what its gateway does in the program, by hand.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use feed::{FromHac, SessionReport};
use ha::deliveries;
use ha::home_agent::{HomeAgent, HomeAgentConfig};
use ha::sa_store::SaStore;
use ha::unreported::Unreported;
use hac::store::{InstanceId, Revision};
use protocol::sa::{Role, Spi};
use protocol::tunnel::{Command, Event, IcmpSources, SocketId};
use protocol::wire::mobility::Status;
use protocol::wire::signalling::Signalling;
use rand::rngs::StdRng;

use super::end::{End, Outgoing};
use super::network::Datagram;

/// The home agent's outer addresses.
pub(super) const HA4: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)), 7872);
/// See [`HA4`].
pub(super) const HA6: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xf, 0, 0, 0, 0, 1)), 7872);
/// Its own addresses on the home link: the first of each pool.
const ON_HOME_LINK: IcmpSources =
    IcmpSources { ip6: Some(Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 1)), ip4: Some(Ipv4Addr::new(10, 9, 0, 1)) };
const LONGEST_BINDING: Duration = Duration::from_secs(600);

/// One life of the home agent.
pub(super) struct Gateway {
    pub(super) instance: InstanceId,
    pub(super) home_agent: HomeAgent,
    pub(super) end: End,
    store: SaStore,
    /// Whether a snapshot is in force and its subscription lives.
    is_subscribed: bool,
    /// SPIs to be looked up; taken by the world.
    pub(super) look_ups: Vec<Spi>,
    /// What the HAC is to be told; taken by the world.
    pub(super) unreported: Unreported,
    /// The status of each Binding Acknowledgement sent.
    pub(super) acknowledged: Vec<Status>,
}

impl Gateway {
    /// A process that knows nothing.
    pub(super) fn new(instance: InstanceId) -> Self {
        let end = End::new(Role::HomeAgent, ON_HOME_LINK);
        let config = HomeAgentConfig { longest_binding: LONGEST_BINDING, own_addresses: vec![HA4.ip(), HA6.ip()] };
        let home_agent = HomeAgent::new(config, end.counters.clone());
        let (store, is_subscribed, look_ups, unreported) = (SaStore::default(), false, Vec::new(), Unreported::default());
        Self { instance, home_agent, end, store, is_subscribed, look_ups, unreported, acknowledged: Vec::new() }
    }

    /// Its own datagrams leave from here.
    pub(super) fn address(socket: SocketId) -> SocketAddr {
        if socket == SocketId(0) { HA4 } else { HA6 }
    }

    /// Takes what arrives at one of its addresses.
    pub(super) fn receive(&mut self, datagram: &Datagram, now: Instant) {
        let socket = SocketId(u8::from(datagram.to == HA6));
        self.end.receive(socket, datagram, now);
    }

    /// A subscription begins.
    pub(super) fn handle_welcome(&mut self, usage_interval: Option<Duration>, now: Instant) {
        self.home_agent.sessions_mut().begin_subscription(usage_interval, now);
    }

    /// When the HAC is to be told of a session.
    pub(super) fn report_due(&self) -> Option<Instant> {
        self.home_agent.sessions().next_due().filter(|_| self.is_subscribed)
    }

    /// The next message with reports, if one is due.
    pub(super) fn take_reports(&mut self, now: Instant) -> Option<Vec<SessionReport>> {
        self.report_due().filter(|due| *due <= now).map(|_| self.home_agent.sessions_mut().take(now))
    }

    /// Does what is due.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.home_agent.handle_timeout(now);
        if self.is_subscribed {
            self.home_agent.sessions_mut().note_alive(now);
        }
    }

    /// Takes a message of the feed; gives what it acknowledges, if it does.
    pub(super) fn handle_feed(&mut self, message: FromHac, now: Instant) -> Option<Revision> {
        let acknowledged_as = message.acknowledged_as().map(Revision);
        if matches!(message, FromHac::Snapshot { last: true, .. }) {
            self.is_subscribed = true;
            self.unreported.begin(self.home_agent.bindings().map(|binding| binding.spi));
        }
        deliveries::take(message, &mut self.store, &mut self.home_agent, now);
        acknowledged_as
    }

    /// The HAC is gone.
    pub(super) fn loses_feed(&mut self) {
        self.is_subscribed = false;
    }

    /// Nobody else is on the home link.
    fn looks_for_nobody(&mut self, now: Instant, rng: &mut StdRng) {
        while let Some(detection) = self.home_agent.poll_detection() {
            self.home_agent.handle_detected(&detection, &[], now, rng);
        }
    }

    /// Tells the machine what its halves have to say, and the halves what it wants, until nothing more is said.
    pub(super) fn drain(&mut self, now: Instant, rng: &mut StdRng) -> Vec<Outgoing> {
        self.looks_for_nobody(now, rng);
        let mut sent = self.obey(rng);
        while let Some(event) = self.end.poll_event() {
            match event {
                Event::LookUp(spi) => self.look_ups.extend(Some(spi).filter(|_| self.is_subscribed && !self.store.knows(spi))),
                Event::Signalling(_) | Event::Sighted(_) | Event::WearingOut(_) | Event::Heard(_) => {
                    self.home_agent.handle_event(&event, now, rng)
                }
            }
            self.looks_for_nobody(now, rng);
            sent.extend(self.obey(rng));
        }
        sent
    }

    fn obey(&mut self, rng: &mut StdRng) -> Vec<Outgoing> {
        let mut sent = Vec::new();
        while let Some(command) = self.home_agent.poll_command() {
            if let Command::Uninstall(spi) = command {
                self.store.end(spi);
                self.unreported.remove(spi);
            }
            self.acknowledged.extend(status(&command));
            sent.extend(self.end.apply(&command, rng));
        }
        while let Some(spi) = self.home_agent.poll_registered() {
            if self.is_subscribed {
                self.unreported.add(spi);
            }
        }
        sent
    }
}

/// The status in a command that is a Binding Acknowledgement (RFC 6275 section 6.1.8): type 6, and then behind the checksum.
fn status(command: &Command) -> Option<Status> {
    let Command::Signal { next_header, payload, .. } = command else { return None };
    let header = Signalling::parse(*next_header, payload).ok()?.mobility_header;
    (header.get(2) == Some(&6)).then(|| header.get(6).copied().map(Status))?
}
