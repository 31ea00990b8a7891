//! The sessions under one SA: at most one goes on, and at most one has ended whose figures are not read yet.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use feed::{SessionEnd, SessionReport};
use protocol::sa::Spi;
use protocol::tunnel::{Traffic, TrafficCounters};

use super::SETTLING;

#[derive(Debug)]
pub(super) struct OfSa {
    spi: Spi,
    counters: Arc<TrafficCounters>,
    /// Of the latest session.
    number: u32,
    /// What sessions before the latest have been told to have carried. What comes under an SA before its first session, since it has
    /// overtaken the Binding Update, belongs to that one: each packet is told of once.
    told: Traffic,
    pub(super) current: Option<Current>,
    /// Has ended; its report lacks the figures.
    settling: Option<Settling>,
    pub(super) is_held: bool,
}

/// The session that goes on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Current {
    began: Instant,
    care_of: SocketAddr,
    /// When it is to be told of next, where it is.
    pub(super) due: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Settling {
    ended_at: Instant,
    report: SessionReport,
}

impl OfSa {
    pub(super) fn new(spi: Spi, counters: Arc<TrafficCounters>) -> Self {
        let (number, told) = (0, Traffic::default());
        Self { spi, counters, number, told, current: None, settling: None, is_held: true }
    }

    /// Another session begins; the figures of the one before have been read.
    pub(super) fn begin(&mut self, care_of: SocketAddr, now: Instant) {
        self.number = self.number.saturating_add(1);
        self.current = Some(Current { began: now, care_of: canonical(care_of), due: now });
    }

    pub(super) fn note_care_of(&mut self, care_of: SocketAddr) {
        if let Some(current) = &mut self.current {
            current.care_of = canonical(care_of);
        }
    }

    /// Ends the session that goes on; gives when it would have been told of next.
    pub(super) fn end(&mut self, why: SessionEnd, now: Instant) -> Option<Instant> {
        let report = SessionReport { ended: Some(why), ..self.report(now)? };
        self.settling = Some(Settling { ended_at: now, report });
        self.current.take().map(|current| current.due)
    }

    /// How the session that goes on is.
    pub(super) fn report(&self, now: Instant) -> Option<SessionReport> {
        let Current { began, care_of, .. } = self.current?;
        let age = now.saturating_duration_since(began);
        Some(SessionReport { spi: self.spi, number: self.number, care_of, age, traffic: self.carried(), ended: None })
    }

    /// What the latest session has carried.
    pub(super) fn carried(&self) -> Traffic {
        self.counters.read().since(self.told)
    }

    /// The report of the session that has ended, with its figures; once.
    pub(super) fn read(&mut self) -> Option<SessionReport> {
        let Settling { report, .. } = self.settling.take()?;
        let traffic = self.carried();
        self.told = self.counters.read();
        Some(SessionReport { traffic, ..report })
    }

    /// The same, if it has ended long enough ago: another may have ended since that one's time was set.
    pub(super) fn read_by(&mut self, now: Instant) -> Option<SessionReport> {
        self.settling.filter(|settling| settling.ended_at + SETTLING <= now)?;
        self.read()
    }

    /// Whether nothing is to be known of it any more.
    pub(super) fn is_done(&self) -> bool {
        !self.is_held && self.current.is_none() && self.settling.is_none()
    }
}

/// One form for each address: a socket of both families gives those of IPv4 as IPv6, and with a scope.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
