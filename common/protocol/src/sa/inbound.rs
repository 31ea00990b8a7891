//! The receiving half of a security association: window check, ICV, window mark, decryption, padding, in this order
//! (RFC 4303 section 3.4).

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cipher::{KeyError, LANES, Transform, layout};
use super::replay::ReplayWindow;
use super::rest::Half;
use super::wear::{Wear, Worn};
use super::{Direction, Role};
use crate::addr::HomeAddresses;
use crate::tunnel::batch::disjoint;
use crate::tunnel::rate_limit::RateLimit;
use crate::tunnel::{DropReason, Install, TrafficCounters, Volume};
use crate::wire::envelope::PType;

/// Key schedules and replay window of one direction, owned by an exit-point: the awake form of an inbound SA.
pub struct InboundSa {
    transform: Transform,
    /// `None` where packets are not numbered.
    window: Option<ReplayWindow>,
    wear: Wear,
    home: HomeAddresses,
    closes: Instant,
    lease: u32,
    sightings: RateLimit,
    signalling: RateLimit,
    direction: Direction,
    traffic: Arc<TrafficCounters>,
    was_used: bool,
    /// By how much the count of missing numbers has changed, not counted yet.
    missing: i64,
}

/// How long an SA still opens packets after its validity has ended.
const GRACE: Duration = Duration::from_secs(60);
/// At most so often control hears that a node's packets come from somewhere else.
const SIGHTING_INTERVAL: Duration = Duration::from_millis(100);
/// So many signalling messages at once, and then one each interval: twice what a node needs that asks about several paths and moves
/// meanwhile. Control's queue is one for all nodes.
const SIGNALLING_BURST: u32 = 64;
const SIGNALLING_INTERVAL: Duration = Duration::from_millis(10);

/// A datagram to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Its envelope's PType.
    pub ptype: PType,
    /// Its envelope's sequence number.
    pub sequence: u32,
    /// Where it lies in its arena.
    pub range: Range<usize>,
}

/// What an opened datagram holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Where the payload stands in the datagram.
    pub payload: Range<usize>,
    /// The trailer's Next Header.
    pub next_header: u8,
    /// Whether a new SA is wanted; said once.
    pub is_wearing_out: bool,
}

/// What a receiving half has to remember at rest.
#[derive(Default)]
pub struct InboundRest {
    /// One above the highest number that was received: from there on numbers are taken, below none.
    next: u64,
    wear: Worn,
}

impl Half for InboundSa {
    type Rest = InboundRest;

    fn wake(install: &Arc<Install>, role: Role, rest: InboundRest) -> Result<Self, KeyError> {
        let (sa, direction) = (&install.sa, role.receives());
        Ok(Self {
            transform: Transform::new(sa.suite, sa.keys(direction))?,
            window: sa.is_numbered().then(|| ReplayWindow::from(rest.next)),
            wear: rest.wear.into(),
            home: sa.home,
            closes: install.valid_until + GRACE,
            lease: install.lease,
            sightings: RateLimit::new(1, SIGHTING_INTERVAL),
            signalling: RateLimit::new(SIGNALLING_BURST, SIGNALLING_INTERVAL),
            direction,
            traffic: install.traffic.clone(),
            was_used: false,
            missing: 0,
        })
    }

    fn rest(&mut self) -> InboundRest {
        InboundRest { next: self.window.as_ref().map_or(0, ReplayWindow::next), wear: (&self.wear).into() }
    }

    fn was_used(&mut self) -> bool {
        std::mem::take(&mut self.was_used)
    }
}

impl InboundSa {
    /// The receiving half of `install` at the end `role`, before its first packet.
    ///
    /// # Errors
    /// When the keys do not fit the suite.
    pub fn new(install: &Arc<Install>, role: Role) -> Result<Self, KeyError> {
        Self::wake(install, role, InboundRest::default())
    }

    /// Authenticates and decrypts one datagram in place, as [`Self::open_many`] does.
    ///
    /// # Errors
    /// The reason to drop the datagram.
    pub fn open(&mut self, ptype: PType, sequence: u32, datagram: &mut [u8], now: Instant) -> Result<Opened, DropReason> {
        let mut opened = [Err(DropReason::Truncated)];
        self.open_many(&[Sealed { ptype, sequence, range: 0..datagram.len() }], datagram, now, &mut opened);
        let [opened] = opened;
        opened
    }

    /// Authenticates and decrypts in place the datagrams of `group`, at most [`LANES`], that lie in `arena` one behind the other:
    /// `opened[i]` of `group[i]`. It comes out as if each had been opened before the next was looked at: the window moves in order,
    /// and only where the ICV is right, so that the second of two with one number is a replay.
    pub fn open_many(&mut self, group: &[Sealed], arena: &mut [u8], now: Instant, opened: &mut [Result<Opened, DropReason>]) {
        // What is on the stack is as large as it has to be: a datagram that comes alone waits for no arrays.
        match group.len() {
            0 | 1 => self.open_up_to::<1>(group, arena, now, opened),
            2..=8 => self.open_up_to::<8>(group, arena, now, opened),
            _ => self.open_up_to::<LANES>(group, arena, now, opened),
        }
    }

    fn open_up_to<const MOST: usize>(
        &mut self,
        group: &[Sealed],
        arena: &mut [u8],
        now: Instant,
        opened: &mut [Result<Opened, DropReason>],
    ) {
        let mut results = [Err(DropReason::Truncated); MOST];
        results.iter_mut().zip(group).for_each(|(result, sealed)| *result = self.check(sealed, now));
        self.verify(group, arena, &mut results);
        for (sealed, result) in group.iter().zip(&mut results) {
            *result = self.check(sealed, now).and(*result).and_then(|()| self.mark(sealed.sequence));
        }
        self.decrypt(group, arena, &results);
        for ((sealed, result), opened) in group.iter().zip(results).zip(opened) {
            *opened = result.and_then(|()| self.unwrap(sealed, arena));
        }
    }

    /// The ICVs of those that are right so far.
    fn verify<const MOST: usize>(&self, group: &[Sealed], arena: &mut [u8], results: &mut [Result<(), DropReason>; MOST]) {
        let (mut datagrams, count) = disjoint::<MOST>(arena, right(group, results));
        let mut verified = [Err(DropReason::Truncated); MOST];
        self.transform.verify_many(datagrams.get_mut(..count).unwrap_or_default(), &mut verified);
        let those = results.iter_mut().filter(|result| result.is_ok());
        those.zip(verified).for_each(|(result, verified)| *result = verified);
    }

    fn decrypt<const MOST: usize>(&self, group: &[Sealed], arena: &mut [u8], results: &[Result<(), DropReason>; MOST]) {
        let (mut datagrams, count) = disjoint::<MOST>(arena, right(group, results));
        self.transform.decrypt_many(datagrams.get_mut(..count).unwrap_or_default());
    }

    /// Takes the padding off a decrypted datagram.
    fn unwrap(&mut self, sealed: &Sealed, arena: &[u8]) -> Result<Opened, DropReason> {
        let datagram = arena.get(sealed.range.clone()).unwrap_or_default();
        let (payload, next_header) = layout::payload(self.transform.suite(), datagram)?;
        let is_wearing_out = self.wear.count(self.transform.suite(), datagram.len(), sealed.sequence.into());
        Ok(Opened { payload, next_header, is_wearing_out })
    }

    /// All that is known before the ICV is computed.
    fn check(&self, sealed: &Sealed, now: Instant) -> Result<(), DropReason> {
        self.check_usable(sealed.ptype, now)?;
        self.window.as_ref().map_or(Ok(()), |window| window.check(sealed.sequence))
    }

    /// Of a datagram whose ICV is right.
    fn mark(&mut self, sequence: u32) -> Result<(), DropReason> {
        self.was_used = true;
        if let Some(window) = &mut self.window {
            self.missing += window.mark(sequence)?;
        }
        Ok(())
    }

    /// What keeps every packet of this kind out, whatever it holds.
    fn check_usable(&self, ptype: PType, now: Instant) -> Result<(), DropReason> {
        if now >= self.closes {
            return Err(DropReason::SaExpired);
        }
        if ptype == PType::MobilityHeader {
            return Ok(());
        }
        // The replay window was lost with the process that had it: no user data, and control answers 176 alone.
        if self.lease > 0 {
            return Err(DropReason::ReplayStateLost);
        }
        if self.window.is_none() { Err(DropReason::UnnumberedData) } else { Ok(()) }
    }

    /// The home addresses that inner packets must name.
    pub fn home(&self) -> &HomeAddresses {
        &self.home
    }

    /// The lease under which the SA was delivered.
    pub fn lease(&self) -> u32 {
        self.lease
    }

    /// Packets come over two paths from now on, and on one of them later than on the other.
    pub fn widen(&mut self) {
        self.window.iter_mut().for_each(ReplayWindow::widen);
    }

    /// By how much the count of numbers that have not come has changed since this was asked last.
    pub(crate) fn take_missing(&mut self) -> i64 {
        std::mem::take(&mut self.missing)
    }

    /// The highest number that has come.
    pub(crate) fn highest(&self) -> Option<u32> {
        let highest = self.window.as_ref()?.next().checked_sub(1)?;
        u32::try_from(highest).ok()
    }

    /// Counts inner packets that are delivered.
    pub fn count_user_data(&self, delivered: Volume) {
        self.traffic.count(self.direction, delivered);
    }

    /// Whether control may be told now that a packet came from elsewhere.
    pub fn may_report_sighting(&mut self, now: Instant) -> bool {
        self.sightings.allow(now)
    }

    /// Whether control may be told now of one more signalling message.
    pub fn may_signal(&mut self, now: Instant) -> bool {
        self.signalling.allow(now)
    }
}

/// Where those lie of which nothing wrong is known.
fn right(group: &[Sealed], results: &[Result<(), DropReason>]) -> impl Iterator<Item = Range<usize>> {
    group.iter().zip(results).filter(|(_, result)| result.is_ok()).map(|(sealed, _)| sealed.range.clone())
}
