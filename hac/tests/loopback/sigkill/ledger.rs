//! Who was told of which association: the mobile nodes by their grants, the home agent by the feed, the database by its rows.
//! [`Ledger::audit`] holds the three against each other.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::net::IpAddr;
use std::time::SystemTime;

use hac::store::{InstanceId, Recipient, Selection, Store};
use protocol::sa::SecurityAssociation;
use protocol::sa::spi::HaGroup;

use super::*;

/// More than there are.
const ALL: usize = 10_000;

/// An association in the database.
pub(super) struct Recorded {
    nai: String,
    sa: SecurityAssociation,
    valid_until: SystemTime,
}

/// Everything that anybody was ever told, by SPI.
#[derive(Default)]
pub(super) struct Ledger {
    told: BTreeMap<Spi, (String, Grant)>,
    delivered: BTreeMap<Spi, SecurityAssociation>,
    recorded: BTreeMap<Spi, Recorded>,
}

/// Opens a copy of the database, as the HAC left it, and reads everything. The HAC that starts next recovers the original itself.
pub(super) fn read(world: &World, copy: &str) -> Vec<Recorded> {
    let folder = world.path(copy);
    std::fs::create_dir(&folder).unwrap();
    for file in std::fs::read_dir(world.path("hac")).unwrap().map(Result::unwrap) {
        if file.file_name().to_str().unwrap().starts_with("hac.db") {
            std::fs::copy(file.path(), folder.join(file.file_name())).unwrap();
        }
    }
    let database = folder.join("hac.db");
    let mut store = SqliteStore::open(&database, world.kek()).unwrap();
    let now = SystemTime::now();
    let names = store.associations(&Selection::default(), true, None, ALL, now).unwrap();
    let to = Recipient { home_agent: "ha1", group: HaGroup::new(0).unwrap(), instance: InstanceId([99; 16]) };
    let opened = store.snapshot_page(&to, None, ALL, now).unwrap().deliveries;
    assert_eq!(names.len(), opened.len(), "none has ended, and the keys of all can be opened");
    assert_intact(&database);
    let pairs = names.into_iter().zip(opened);
    pairs
        .map(|(name, opened)| {
            assert_eq!((name.spi, name.home), (opened.sa.spi, opened.sa.home));
            Recorded { nai: name.subscriber.unwrap(), sa: opened.sa, valid_until: opened.valid_until }
        })
        .collect()
}

fn assert_intact(database: &Path) {
    let connection = rusqlite::Connection::open(database).unwrap();
    let found: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(found, "ok");
    assert!(!connection.prepare("PRAGMA foreign_key_check").unwrap().exists([]).unwrap());
}

impl Ledger {
    /// A mobile node has its final response.
    pub(super) fn tell(&mut self, nai: &str, grant: Grant) {
        let spi = grant.sa.spi;
        let before = self.told.insert(spi, (nai.to_owned(), grant));
        assert!(before.is_none(), "{spi} was told to {nai} and to another before");
    }

    /// The home agent has an association; the same process may hear of it again.
    pub(super) fn take_delivery(&mut self, provisioned: feed::Provisioned) {
        let feed::Provisioned { sa, lease, .. } = provisioned;
        assert_eq!(lease, 0, "it goes to one process only");
        let before = self.delivered.entry(sa.spi).or_insert_with(|| sa.clone());
        assert_same(before, &sa);
    }

    /// What was delivered once is in every later snapshot: nothing has ended.
    pub(super) fn take_snapshot(&mut self, snapshot: Vec<feed::Provisioned>) {
        let named: BTreeSet<_> = snapshot.iter().map(|provisioned| provisioned.sa.spi).collect();
        let mut owed = self.delivered.keys().chain(self.told.keys());
        assert!(owed.all(|spi| named.contains(spi)), "the home agent would drop what a mobile node uses");
        snapshot.into_iter().for_each(|provisioned| self.take_delivery(provisioned));
    }

    /// Takes what is in the database now.
    pub(super) fn audit(&mut self, found: Vec<Recorded>) {
        let found: BTreeMap<_, _> = found.into_iter().map(|recorded| (recorded.sa.spi, recorded)).collect();
        for (spi, before) in &self.recorded {
            let now = found.get(spi).unwrap_or_else(|| panic!("{spi} was on disk and is gone"));
            assert_same(&before.sa, &now.sa);
            assert_eq!((&before.nai, before.valid_until), (&now.nai, now.valid_until), "{spi} was given twice");
        }
        self.recorded = found;
        self.check_told();
        for (spi, sa) in &self.delivered {
            assert_same(sa, &self.recorded(*spi).sa);
        }
        self.check_home_addresses();
        self.check_keys();
    }

    fn check_told(&self) {
        for (spi, (nai, grant)) in &self.told {
            let recorded = self.recorded(*spi);
            assert_same(&grant.sa, &recorded.sa);
            assert_eq!((nai, grant.validity_end), (&recorded.nai, recorded.valid_until), "{spi}");
            if let Some(delivered) = self.delivered.get(spi) {
                assert_same(&grant.sa, delivered);
            }
        }
    }

    /// One address of each family for a subscriber, the same each time, and nobody else's.
    fn check_home_addresses(&self) {
        let mut holders = BTreeMap::<IpAddr, &str>::new();
        let mut held = BTreeMap::<&str, _>::new();
        for Recorded { nai, sa, .. } in self.recorded.values() {
            let home = sa.home;
            assert_eq!(*held.entry(nai).or_insert(home), home, "{nai} has other home addresses than before");
            for address in [IpAddr::V6(home.ip6().unwrap()), IpAddr::V4(home.ip4().unwrap())] {
                let holder = *holders.entry(address).or_insert(nai);
                assert_eq!(holder, nai, "{address} was given twice");
            }
        }
        assert_eq!(holders.len(), 2 * held.len());
    }

    fn check_keys(&self) {
        let mut seen = HashSet::new();
        for sa in self.recorded.values().map(|recorded| &recorded.sa) {
            for keys in [&sa.mn_to_ha, &sa.ha_to_mn] {
                for key in [keys.integrity(), keys.encryption()].into_iter().filter(|key| !key.is_empty()) {
                    assert!(seen.insert(key), "a key of {} was given twice", sa.spi);
                }
            }
        }
    }

    pub(super) fn assert_all_told_was_delivered(&self) {
        assert!(self.told.keys().all(|spi| self.delivered.contains_key(spi)));
    }

    pub(super) fn subscribers_told(&self) -> usize {
        self.told.values().map(|(nai, _)| nai).collect::<BTreeSet<_>>().len()
    }

    /// Associations on disk that no mobile node has heard of.
    pub(super) fn untold(&self) -> usize {
        self.recorded.keys().filter(|spi| !self.told.contains_key(spi)).count()
    }

    fn recorded(&self, spi: Spi) -> &Recorded {
        self.recorded.get(&spi).unwrap_or_else(|| panic!("somebody was told of {spi}, which is not on disk"))
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let untold = self.untold();
        let undelivered = self.recorded.keys().filter(|spi| !self.delivered.contains_key(spi)).count();
        let (told, recorded) = (self.told.len(), self.recorded.len());
        write!(f, "{told} grants told, {recorded} associations on disk: {untold} told to no node, {undelivered} not to ha1")
    }
}

fn assert_same(one: &SecurityAssociation, other: &SecurityAssociation) {
    let parts = |sa: &SecurityAssociation| (sa.spi, sa.suite, sa.profile, sa.user_data, sa.home, sa.home_agent);
    assert_eq!(parts(one), parts(other));
    assert!(one.mn_to_ha == other.mn_to_ha && one.ha_to_mn == other.ha_to_mn, "{}: other keys", one.spi);
}
