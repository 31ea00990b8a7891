//! Who may try to authenticate: failures are counted by source address and by name, in tables of fixed size.
//!
//! Called by `session` when a mobile node has said its name. Names are counted whether they exist or not, and success forgets
//! nothing, so that a limit tells nothing about them.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use service::source::Source;

/// Failures are forgotten this long after the first of a series.
pub const WINDOW: Duration = Duration::from_secs(60);
/// Failures in a window before a source has to wait: several mobile nodes may stand behind one NAT.
pub const SOURCE_LIMIT: u32 = 30;
/// Failures in a window before a name has to wait.
pub const NAME_LIMIT: u32 = 10;

/// Entries of one table: 1,024 sets of 4, about 128 KiB.
const SETS: usize = 1024;
const WAYS: usize = 4;

/// The counts. Each table is locked while it is looked at.
pub struct Admission {
    hasher: RandomState,
    sources: Mutex<Table>,
    names: Mutex<Table>,
}

impl Default for Admission {
    fn default() -> Self {
        let [sources, names] = [SOURCE_LIMIT, NAME_LIMIT].map(|limit| Mutex::new(Table::new(limit)));
        Self { hasher: RandomState::new(), sources, names }
    }
}

impl Admission {
    /// How long this source or name has to wait; `None` when it may try.
    pub fn wait(&self, source: IpAddr, name: &str, now: Instant) -> Option<Duration> {
        let of_source = lock(&self.sources).wait(self.source_key(source), now);
        of_source.max(lock(&self.names).wait(self.name_key(name), now))
    }

    /// Counts a failure; `name` where the mobile node got as far as to say one that did not hold.
    pub fn failed(&self, source: IpAddr, name: Option<&str>, now: Instant) {
        lock(&self.sources).count(self.source_key(source), now);
        if let Some(name) = name {
            lock(&self.names).count(self.name_key(name), now);
        }
    }

    fn source_key(&self, source: IpAddr) -> u64 {
        self.hasher.hash_one(Source::of(source))
    }

    fn name_key(&self, name: &str) -> u64 {
        self.hasher.hash_one(crate::store::canonical_nai(name))
    }
}

fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Clone, Copy)]
struct Entry {
    key: u64,
    since: Instant,
    failures: u32,
}

impl Entry {
    fn is_current(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < WINDOW
    }
}

/// A set-associative table: a new key takes an empty or outdated place of its set, else that of the fewest failures.
struct Table {
    limit: u32,
    sets: Vec<[Option<Entry>; WAYS]>,
}

impl Table {
    fn new(limit: u32) -> Self {
        Self { limit, sets: vec![[None; WAYS]; SETS] }
    }

    fn wait(&self, key: u64, now: Instant) -> Option<Duration> {
        let entry = self.sets.get(set_of(key))?.iter().flatten().find(|entry| entry.key == key)?;
        let over = entry.failures >= self.limit && entry.is_current(now);
        over.then(|| WINDOW.saturating_sub(now.saturating_duration_since(entry.since)).max(Duration::from_secs(1)))
    }

    fn count(&mut self, key: u64, now: Instant) {
        let Some(set) = self.sets.get_mut(set_of(key)) else { return };
        if let Some(entry) = set.iter_mut().flatten().find(|entry| entry.key == key && entry.is_current(now)) {
            entry.failures = entry.failures.saturating_add(1);
            return;
        }
        let worth = |place: &Option<Entry>| match place {
            Some(entry) if entry.key == key => 0,
            Some(entry) if entry.is_current(now) => 1 + entry.failures,
            Some(_) | None => 1,
        };
        if let Some(place) = set.iter_mut().min_by_key(|place| worth(place)) {
            *place = Some(Entry { key, since: now, failures: 1 });
        }
    }
}

fn set_of(key: u64) -> usize {
    usize::try_from(key % SETS as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    const NAME: &str = "alice@example.org";

    fn source(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn a_name_waits_after_ten_failures_from_anywhere_and_only_for_the_window() {
        let (admission, start) = (Admission::default(), Instant::now());
        for number in 0..10 {
            assert_eq!(admission.wait(source(200), NAME, start), None, "failure {number}");
            admission.failed(source(number), Some(NAME), start);
        }
        assert_eq!(admission.wait(source(200), "Alice@example.org", start), None, "another name");
        assert_eq!(admission.wait(source(200), "alice@EXAMPLE.org", start), Some(WINDOW));
        assert_eq!(admission.wait(source(200), NAME, start + WINDOW), None);
    }

    #[test]
    fn a_source_waits_after_thirty_failures_under_any_name() {
        let (admission, now) = (Admission::default(), Instant::now());
        for number in 0..SOURCE_LIMIT {
            admission.failed(source(1), Some(&format!("mn{number}@example.org")), now);
        }
        assert!(admission.wait(source(1), NAME, now).is_some());
        assert_eq!(admission.wait(source(2), NAME, now), None);
    }

    #[test]
    fn addresses_of_one_ip6_link_are_one_source() {
        let (admission, now) = (Admission::default(), Instant::now());
        for host in 0..u128::from(SOURCE_LIMIT) {
            let ip = Ipv6Addr::from(u128::from("2001:db8::".parse::<Ipv6Addr>().unwrap()) | host);
            admission.failed(ip.into(), None, now);
        }
        assert!(admission.wait("2001:db8::ffff:1".parse().unwrap(), NAME, now).is_some());
        assert_eq!(admission.wait("2001:db8:0:1::1".parse().unwrap(), NAME, now), None);
    }

    #[test]
    fn a_flood_of_names_does_not_wash_out_a_name_that_waits() {
        let (admission, now) = (Admission::default(), Instant::now());
        for _ in 0..NAME_LIMIT {
            admission.failed(source(1), Some(NAME), now);
        }
        for number in 0..50_000 {
            admission.failed(source(2), Some(&format!("mn{number}@example.org")), now);
        }
        assert!(admission.wait(source(3), NAME, now).is_some());
    }
}
