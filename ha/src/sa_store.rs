//! Which security associations the feed has delivered to this process, pure.
//!
//! The feed delivers at least once: an SA comes again with every snapshot. What is held already is left alone, since its
//! counters and its replay window live in the tunnel's halves; what this process has ended is not taken a second time,
//! since its counters are gone and the same keys would meet the same sequence numbers again. Called by the gateway.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use feed::Provisioned;
use protocol::sa::Spi;
use protocol::tunnel::Install;

/// The most SAs known at a time, ended ones included: a quarter of a group's SPIs (2^22).
pub const MAX_ASSOCIATIONS: usize = 1 << 20;
/// An ended SA is remembered this long past its validity. The HAC gives its SPI to another no sooner than 10 minutes past
/// it; a minute less leaves room for clocks that differ.
const REMEMBERED: Duration = Duration::from_secs(9 * 60);
/// How often ended SAs are looked through.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// What became of a delivered SA.
#[derive(Debug)]
pub enum Delivery {
    /// It is new: to be installed.
    New(Arc<Install>),
    /// It is held; nothing is to be done.
    Held,
    /// This process has ended it before; it stays ended.
    Ended,
    /// Nothing is left of its validity.
    Expired,
    /// [`MAX_ASSOCIATIONS`] are known.
    Full,
}

/// The register of delivered SAs.
#[derive(Debug, Default)]
pub struct SaStore {
    known: BTreeMap<Spi, Known>,
    /// What the snapshot that is coming in has named so far.
    snapshot: Option<BTreeSet<Spi>>,
    swept: Option<Instant>,
}

#[derive(Debug)]
struct Known {
    valid_until: Instant,
    lease: u32,
    ended: bool,
}

impl SaStore {
    /// Takes an SA of a snapshot's part, of a delta, or of a look-up's answer.
    pub fn deliver(&mut self, provisioned: Provisioned, now: Instant) -> Delivery {
        let spi = provisioned.sa.spi;
        self.sweep(now);
        if let Some(known) = self.known.get(&spi) {
            return if known.ended { Delivery::Ended } else { Delivery::Held };
        }
        if provisioned.left.is_zero() {
            return Delivery::Expired;
        }
        if self.known.len() >= MAX_ASSOCIATIONS {
            return Delivery::Full;
        }
        let (valid_until, lease) = (now + provisioned.left, provisioned.lease);
        self.known.insert(spi, Known { valid_until, lease, ended: false });
        Delivery::New(Arc::new(Install::new(provisioned.sa, valid_until, lease)))
    }

    /// A subscription begins: half a snapshot of the one before says nothing.
    pub fn begin_subscription(&mut self) {
        self.snapshot = None;
    }

    /// Notes what a snapshot's part names.
    pub fn note_snapshot_part(&mut self, spis: impl Iterator<Item = Spi>) {
        self.snapshot.get_or_insert_default().extend(spis);
    }

    /// The snapshot is whole: gives the SAs that are held but that it does not name. They have ended.
    pub fn finish_snapshot(&mut self) -> Vec<Spi> {
        let named = self.snapshot.take().unwrap_or_default();
        self.held().filter(|spi| !named.contains(spi)).collect()
    }

    /// An SA has ended here, for whatever reason.
    pub fn end(&mut self, spi: Spi) {
        if let Some(known) = self.known.get_mut(&spi) {
            known.ended = true;
        }
    }

    /// The SAs that are held.
    pub fn held(&self) -> impl Iterator<Item = Spi> {
        self.known.iter().filter(|(_, known)| !known.ended).map(|(spi, _)| *spi)
    }

    /// Whether it was delivered to this process, and may not be taken again.
    pub fn knows(&self, spi: Spi) -> bool {
        self.known.contains_key(&spi)
    }

    /// How many are held, and how many of them only answer with "re-initialise" since an earlier process had them.
    pub fn count(&self) -> (usize, usize) {
        let held = || self.known.values().filter(|known| !known.ended);
        (held().count(), held().filter(|known| known.lease > 0).count())
    }

    fn sweep(&mut self, now: Instant) {
        if self.swept.is_some_and(|swept| now < swept + SWEEP_INTERVAL) {
            return;
        }
        self.swept = Some(now);
        self.known.retain(|_, known| !known.ended || now < known.valid_until + REMEMBERED);
    }
}

#[cfg(test)]
mod tests {
    use protocol::sa::CipherSuite;

    use super::*;

    const VALIDITY: Duration = Duration::from_secs(3600);

    fn provisioned(value: u32) -> Provisioned {
        Provisioned { sa: fixture::association(spi(value), CipherSuite::Aes128Gcm), left: VALIDITY, lease: 0 }
    }

    fn spi(value: u32) -> Spi {
        Spi::new(value).unwrap()
    }

    #[test]
    fn an_sa_is_taken_once_with_its_lease_and_the_time_left() {
        let (mut store, now) = (SaStore::default(), Instant::now());
        let Delivery::New(install) = store.deliver(Provisioned { lease: 3, ..provisioned(0x5000) }, now) else { panic!("new") };
        assert_eq!((install.sa.spi, install.valid_until, install.lease), (spi(0x5000), now + VALIDITY, 3));
        assert!(matches!(store.deliver(provisioned(0x5000), now), Delivery::Held));
        assert!(matches!(store.deliver(Provisioned { left: Duration::ZERO, ..provisioned(0x5001) }, now), Delivery::Expired));
        assert_eq!(store.count(), (1, 1));
    }

    #[test]
    fn an_sa_that_has_ended_here_is_not_taken_again_until_its_spi_may_be_anothers() {
        let (mut store, now) = (SaStore::default(), Instant::now());
        assert!(matches!(store.deliver(provisioned(0x5000), now), Delivery::New(_)));
        store.end(spi(0x5000));
        assert_eq!(store.count(), (0, 0));
        assert!(matches!(store.deliver(provisioned(0x5000), now), Delivery::Ended));
        assert!(store.knows(spi(0x5000)) && !store.knows(spi(0x5001)), "it is not looked up either");
        let almost = now + VALIDITY + REMEMBERED - Duration::from_secs(1);
        assert!(matches!(store.deliver(provisioned(0x5000), almost), Delivery::Ended));
        assert!(matches!(store.deliver(provisioned(0x5000), almost + SWEEP_INTERVAL), Delivery::New(_)));
    }

    #[test]
    fn a_whole_snapshot_ends_what_it_does_not_name_and_half_a_one_ends_nothing() {
        let (mut store, now) = (SaStore::default(), Instant::now());
        for value in [0x5000, 0x5001, 0x5002] {
            assert!(matches!(store.deliver(provisioned(value), now), Delivery::New(_)));
        }
        store.note_snapshot_part([spi(0x5000)].into_iter());
        store.begin_subscription();
        store.note_snapshot_part([spi(0x5002)].into_iter());
        store.note_snapshot_part([spi(0x5001)].into_iter());
        assert_eq!(store.finish_snapshot(), [spi(0x5000)]);
    }
}
