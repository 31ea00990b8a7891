//! How long a packet may be on the path in use: what its search is told, and what follows from what it finds.

use std::time::Instant;

use protocol::features::Features;
use protocol::sa::Spi;
use protocol::tunnel::{Command, DropReason, Paths, SocketId};
use protocol::wire::mobility::PathMtu as Told;

use super::{Action, MobileNode};
use crate::binding_messages;
use crate::path_mtu::{Ask, PathMtu, SAFE_INNER, Sizes, Traffic};

/// Answers to the latest so many requests come late, or for a path that was left, and are nothing strange.
const LATE: u32 = 256;

/// The search on the path in use, where the home agent answers Heartbeats.
#[derive(Debug, Default)]
pub(super) struct Mtu {
    /// The operator has fixed the MTU.
    is_fixed: bool,
    on: Option<On>,
    /// What the last path carried on which something was confirmed.
    carried: Option<u16>,
    /// What the runtime was told last.
    said: Option<u16>,
    traffic: Traffic,
    /// Of the latest Heartbeat.
    sequence: u32,
}

/// On which path, under which SA.
#[derive(Debug)]
struct On {
    socket: SocketId,
    spi: Spi,
    sizes: Sizes,
    search: PathMtu,
}

impl Mtu {
    pub(super) fn due(&self) -> Option<Instant> {
        self.on.as_ref().map(|on| on.search.due())
    }

    /// The path is not used any more.
    pub(super) fn leave(&mut self) {
        let left = self.on.take().map(|on| on.search);
        if let Some(search) = left.filter(|search| search.confirmed().is_some()) {
            self.carried = Some(search.inner());
        }
    }

    /// Of the next Heartbeat.
    pub(super) fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    fn search(&mut self) -> Option<&mut PathMtu> {
        self.on.as_mut().map(|on| &mut on.search)
    }
}

impl MobileNode {
    /// Probes no path: the operator has fixed the tunnel's MTU.
    pub fn fix_mtu(&mut self) {
        self.mtu.is_fixed = true;
    }

    /// What is found out about the path in use; `None` where nothing is probed.
    pub fn path_mtu(&self) -> Option<&PathMtu> {
        self.mtu.on.as_ref().map(|on| &on.search)
    }

    /// The home agent has bound the path in use: it is searched, and the home agent told under each SA anew.
    pub(super) fn search_path_mtu(&mut self, now: Instant) {
        let (Some(install), Some(path)) = (&self.sa, self.path()) else { return };
        let sa = &install.sa;
        if self.mtu.is_fixed || !sa.features.has(Features::HEARTBEAT) || !sa.is_numbered() {
            return self.mtu.leave();
        }
        let (socket, spi, sizes) = (path.socket, sa.spi, Sizes::new(sa.suite, path.remote.is_ipv6()));
        match self.mtu.on.as_mut().filter(|on| (on.socket, on.sizes) == (socket, sizes)) {
            Some(on) if on.spi == spi => {}
            Some(on) => {
                on.spi = spi;
                on.search.forget_told(now);
            }
            None => {
                self.mtu.leave();
                let search = PathMtu::new(sizes, self.mtu.carried, now);
                self.mtu.on = Some(On { socket, spi, sizes, search });
            }
        }
        self.probe_path(now);
    }

    /// Sends what is due, and has packets be as long as is known by now.
    pub(super) fn probe_path(&mut self, now: Instant) {
        let Mtu { on: Some(on), sequence, .. } = &mut self.mtu else { return };
        let asks = on.search.handle_timeout(now, || {
            *sequence = sequence.wrapping_add(1);
            *sequence
        });
        asks.iter().for_each(|ask| self.ask(ask));
        self.follow_path_mtu();
    }

    /// An answer to a Heartbeat Request that has come on `socket`.
    pub(super) fn handle_heartbeat(
        &mut self,
        sequence: u32,
        len: usize,
        socket: SocketId,
        now: Instant,
    ) -> Result<(), DropReason> {
        let is_ours = self.mtu.sequence.wrapping_sub(sequence) < LATE;
        if is_ours && self.handover.current().is_some_and(|(current, _)| *current == socket) {
            self.reachability.confirm(now);
        }
        let on = self.mtu.on.as_mut().filter(|on| on.socket == socket);
        if !on.is_some_and(|on| on.search.handle_response(sequence, len, now)) {
            return if is_ours { Ok(()) } else { Err(DropReason::UnexpectedMobilityHeader) };
        }
        // A round that is over by this answer is followed by the next, or by word of what was found.
        self.probe_path(now);
        Ok(())
    }

    /// Looks whether long packets still come through.
    pub(super) fn watch_traffic(&mut self, now: Instant) {
        let is_in_doubt = self.mtu.traffic.observe(self.counters.sent(), self.counters.received(), now);
        if let Some(search) = self.mtu.search().filter(|_| is_in_doubt) {
            search.doubt(now);
            self.probe_path(now);
        }
    }

    fn ask(&mut self, ask: &Ask) {
        let (Some(install), Some(path)) = (&self.sa, self.path()) else { return };
        let spi = install.sa.spi;
        let (next_header, payload) = binding_messages::heartbeat(&install.sa, ask.sequence, ask.len, ask.told.map(Told));
        self.actions.push_back(Action::Command(match ask.outer {
            Some(_) => Command::Probe { spi, path, next_header, payload },
            None => Command::Signal { spi, paths: Paths::one(path), next_header, payload },
        }));
    }

    fn follow_path_mtu(&mut self) {
        let (Some(inner), Some(install)) = (self.path_mtu().map(PathMtu::inner), &self.sa) else { return };
        // The device begins with what is safe.
        if self.mtu.said.replace(inner).unwrap_or(SAFE_INNER) != inner {
            let home = install.sa.home;
            self.actions.push_back(Action::Command(Command::PathMtu { home, mtu: inner }));
            self.actions.push_back(Action::Mtu(inner));
        }
    }
}
