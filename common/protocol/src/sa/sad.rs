//! The SA database of one half: SPI -> state, by three array indexes and no hashing (RFC 4301 section 4.4.2).
//!
//! An SA wakes when it is asked for, and is folded when it has not been used for [`IDLE`]. That needs no timer: whoever has a
//! batch or a command looks at a few SAs in passing, so a half that gets nothing wakes for nothing, and folds later.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::rest::{Awake, Half, Place, State};
use super::spi::SpiBlock;
use super::{Role, Spi};
use crate::tunnel::Install;

/// An SA that was not used for so long is folded.
pub const IDLE: Duration = Duration::from_secs(300);
/// In so long each SA that is awake is looked at once, as long as batches come.
const ROUND: Duration = Duration::from_secs(60);
/// The most SAs that are looked at with one batch.
const LOOKS: usize = 64;
/// The most SAs that stay awake behind a batch. Each is below 2 KiB, so all are below 256 MiB, whoever sends to how many nodes.
pub const MOST_AWAKE: usize = 1 << 17;

/// Blocks that hold at least one SA, in pages that hold at least one.
pub struct Sad<H> {
    role: Role,
    blocks: Vec<Option<Box<Block<H>>>>,
    len: usize,
    awake: AwakeSas,
    most_awake: usize,
}

/// The pages of the 4,096 places of a block.
type Block<H> = [Option<Box<Page<H>>>; PAGES];
type Page<H> = [Option<Place<H>>; PLACES];

const PLACES: usize = 64;
const PAGES: usize = SpiBlock::LEN as usize / PLACES;

/// Those that are not at rest, in no order. One that was removed meanwhile leaves when it is looked at.
#[derive(Default)]
struct AwakeSas {
    spis: Vec<Spi>,
    /// How many of them, from the first, have been used. Those behind have been woken since and may have been woken by anyone.
    proved: usize,
    /// The next to be looked at.
    cursor: usize,
    /// How many there were when the round began.
    round: usize,
    next_looks: Option<Instant>,
}

impl<H: Half> Sad<H> {
    /// Without any SA, at the end `role`.
    pub fn new(role: Role) -> Self {
        Self { role, blocks: Vec::new(), len: 0, awake: AwakeSas::default(), most_awake: MOST_AWAKE }
    }

    /// Installs an SA, at rest. `false` for one that is already there, which is kept, and for keys that do not fit.
    pub fn insert(&mut self, install: &Arc<Install>) -> bool {
        let spi = install.sa.spi;
        if self.get(spi).is_some() {
            return false;
        }
        let (Ok(place), Some(slot)) = (Place::new(install, self.role), slot(&mut self.blocks, spi)) else { return false };
        *slot = Some(place);
        self.len += 1;
        true
    }

    /// What was installed under `spi`.
    pub fn get(&self, spi: Spi) -> Option<&Install> {
        let (block, page, place) = indexes(spi);
        let page = self.blocks.get(block)?.as_deref()?.get(page)?.as_deref()?;
        Some(&page.get(place)?.as_ref()?.install)
    }

    /// The state of `spi`, which is awake now. It stays so, from the next [`Self::settle`] on, if something comes of it.
    pub fn get_mut(&mut self, spi: Spi) -> Option<&mut H> {
        let place = find(&mut self.blocks, spi)?;
        if let State::Rest(rest) = place.state {
            let half = H::wake(&place.install, self.role, rest).ok()?;
            place.state = State::Awake(Box::new(Awake { half, seen: None }));
            self.awake.spis.push(spi);
        }
        match &mut place.state {
            State::Awake(awake) => Some(&mut awake.half),
            State::Rest(_) => None,
        }
    }

    /// Forgets an SA; its schedules are wiped now, and its keys if nobody else has them.
    pub fn remove(&mut self, spi: Spi) -> bool {
        let (block, page, place) = indexes(spi);
        let page =
            self.blocks.get_mut(block).and_then(Option::as_deref_mut).and_then(|block| block.get_mut(page)?.as_deref_mut());
        let removed = page.and_then(|page| page.get_mut(place)?.take());
        self.len -= usize::from(removed.is_some());
        removed.is_some()
    }

    /// Behind a batch or a command: folds SAs that woke for nothing, so that whoever cannot seal wakes none, and what is beyond
    /// [`MOST_AWAKE`].
    pub fn settle(&mut self) {
        while let Some(spi) = self.awake.spis.get(self.awake.proved) {
            if awake(&mut self.blocks, *spi).is_some_and(Awake::was_used) {
                self.awake.proved += 1;
            } else {
                self.fold(self.awake.proved);
            }
        }
        while self.awake.spis.len() > self.most_awake {
            self.make_room();
        }
    }

    /// [`Self::settle`], and folds what is idle: a few SAs are looked at, so many that a [`ROUND`] sees each.
    pub fn sweep(&mut self, now: Instant) {
        self.settle();
        if self.awake.next_looks.is_some_and(|at| now < at) {
            return;
        }
        for _ in 0..self.awake.spis.len().min(LOOKS) {
            self.look(now);
        }
        let count = self.awake.round.max(self.awake.spis.len()).max(LOOKS);
        self.awake.next_looks = Some(now + ROUND.mul_f64(LOOKS as f64 / count as f64));
    }

    /// Looks at one SA and folds it if it is idle.
    fn look(&mut self, now: Instant) {
        let Some(spi) = self.awake.under_cursor() else { return };
        let is_idle = awake(&mut self.blocks, spi).is_none_or(|awake| {
            awake.was_used();
            now.saturating_duration_since(*awake.seen.get_or_insert(now)) >= IDLE
        });
        self.fold_or_pass(is_idle);
    }

    /// Folds one SA, if there is one among the next few that was not used since it was looked at, such a one.
    fn make_room(&mut self) {
        for left in (0..LOOKS).rev() {
            let Some(spi) = self.awake.under_cursor() else { return };
            let was_used = awake(&mut self.blocks, spi).is_some_and(Awake::was_used);
            self.fold_or_pass(!was_used || left == 0);
            if !was_used {
                return;
            }
        }
    }

    fn fold_or_pass(&mut self, is_folded: bool) {
        if is_folded { self.fold(self.awake.cursor) } else { self.awake.cursor += 1 }
    }

    /// Folds the SA at an index of those that are awake.
    fn fold(&mut self, index: usize) {
        if index >= self.awake.spis.len() {
            return;
        }
        let spi = self.awake.swap_remove(index);
        if let Some(place) = find(&mut self.blocks, spi) {
            place.fold();
        }
    }

    /// How many SAs.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many SAs are not at rest.
    pub fn awake(&self) -> usize {
        self.awake.spis.len()
    }
}

impl AwakeSas {
    /// What is at `index`, which is below their number; the last one takes its place. Room that was needed once is given back.
    fn swap_remove(&mut self, index: usize) -> Spi {
        let spi = self.spis.swap_remove(index);
        let (len, room) = (self.spis.len(), self.spis.capacity());
        self.proved = self.proved.min(len);
        if room > 2 * LOOKS && len < room / 4 {
            self.spis.shrink_to(room / 2);
        }
        spi
    }

    fn under_cursor(&mut self) -> Option<Spi> {
        if self.cursor >= self.spis.len() {
            (self.cursor, self.round) = (0, self.spis.len());
        }
        self.spis.get(self.cursor).copied()
    }
}

fn indexes(spi: Spi) -> (usize, usize, usize) {
    let number = usize::from(spi.number());
    (spi.block().index(), number / PLACES, number % PLACES)
}

fn find<H>(blocks: &mut [Option<Box<Block<H>>>], spi: Spi) -> Option<&mut Place<H>> {
    let (block, page, place) = indexes(spi);
    let page = blocks.get_mut(block)?.as_deref_mut()?.get_mut(page)?.as_deref_mut()?;
    page.get_mut(place)?.as_mut()
}

fn awake<H>(blocks: &mut [Option<Box<Block<H>>>], spi: Spi) -> Option<&mut Awake<H>> {
    match &mut find(blocks, spi)?.state {
        State::Awake(awake) => Some(awake),
        State::Rest(_) => None,
    }
}

/// The slot of `spi`, whose block and page are made if they are not there.
fn slot<H>(blocks: &mut Vec<Option<Box<Block<H>>>>, spi: Spi) -> Option<&mut Option<Place<H>>> {
    let (block, page, place) = indexes(spi);
    if block >= blocks.len() {
        blocks.resize_with(block + 1, || None);
    }
    let pages = blocks.get_mut(block)?.get_or_insert_with(|| Box::new(std::array::from_fn(|_| None)));
    let places = pages.get_mut(page)?.get_or_insert_with(|| Box::new(std::array::from_fn(|_| None)));
    places.get_mut(place)
}

#[cfg(test)]
mod tests {
    use std::mem::size_of;

    use super::super::inbound::InboundSa;
    use super::super::outbound::OutboundSa;
    use super::super::rest::Rest;
    use super::super::{CipherSuite, DirectionKeys, SecurityAssociation, UserData};
    use super::*;
    use crate::addr::{HomeAddresses, HomeAgentAddresses};
    use crate::profile::WireProfile;
    use crate::sa::cipher::KeyError;

    /// A half that counts what it was used for.
    struct Counter(u64, bool);

    impl Counter {
        fn work(&mut self) {
            *self = Self(self.0 + 1, true);
        }
    }

    impl Half for Counter {
        fn first(_: &Install) -> Rest {
            Rest::default()
        }

        fn wake(_: &Install, _: Role, rest: Rest) -> Result<Self, KeyError> {
            Ok(Self(rest.next, false))
        }

        fn rest(&self) -> Rest {
            Rest { next: self.0, ..Rest::default() }
        }

        fn was_used(&mut self) -> bool {
            std::mem::take(&mut self.1)
        }
    }

    fn start() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
        Instant::now()
    }

    fn install(spi: Spi, suite: CipherSuite) -> Arc<Install> {
        let sa = SecurityAssociation {
            spi,
            suite,
            profile: WireProfile::Rfc6618,
            user_data: UserData::Protected,
            mn_to_ha: DirectionKeys::counting_from(1, CipherSuite::Aes128Gcm),
            ha_to_mn: DirectionKeys::counting_from(0x80, CipherSuite::Aes128Gcm),
            home: HomeAddresses::new(None, Some([10, 9, 0, 7].into())).unwrap(),
            home_agent: HomeAgentAddresses::new(None, Some([203, 0, 113, 1].into()), 7872).unwrap(),
        };
        Arc::new(Install { sa, valid_until: start(), lease: 0, traffic: Arc::default() })
    }

    fn spis(count: u32) -> impl Iterator<Item = Spi> {
        (0..count).map(|number| Spi::new(0x0c0_0000 + number).unwrap())
    }

    /// So many, each used once.
    fn used(count: u32) -> Sad<Counter> {
        let mut sad = Sad::<Counter>::new(Role::HomeAgent);
        for spi in spis(count) {
            assert!(sad.insert(&install(spi, CipherSuite::Aes128Gcm)));
            sad.get_mut(spi).unwrap().work();
        }
        sad.settle();
        sad
    }

    #[test]
    fn an_sa_that_is_installed_again_keeps_its_state_and_one_that_was_removed_has_none() {
        let mut sad = used(1);
        let spi = spis(1).next().unwrap();
        assert!(!sad.insert(&install(spi, CipherSuite::Aes128Gcm)));
        assert_eq!(sad.get_mut(spi).map(|counter| counter.0), Some(1));
        assert_eq!((sad.remove(spi), sad.remove(spi), sad.len()), (true, false, 0));
        assert!(sad.get_mut(spi).is_none() && sad.get(spi).is_none());
        assert!(sad.insert(&install(spi, CipherSuite::Aes128Gcm)));
        assert_eq!(sad.get_mut(spi).map(|counter| counter.0), Some(0));
    }

    #[test]
    fn every_spi_of_the_plan_has_a_place_of_its_own() {
        let mut sad = Sad::<Counter>::new(Role::HomeAgent);
        let spis = [4096, 4097, 4160, 0x40_0000, 0xfff_ffff].map(|value| Spi::new(value).unwrap());
        for spi in spis {
            assert!(sad.insert(&install(spi, CipherSuite::Aes128Gcm)));
        }
        assert!(spis.iter().all(|spi| sad.get(*spi).is_some_and(|install| install.sa.spi == *spi)));
        assert_eq!(sad.len(), 5);
    }

    #[test]
    fn keys_that_do_not_fit_their_suite_are_not_installed() {
        let spi = spis(1).next().unwrap();
        assert!(!Sad::<InboundSa>::new(Role::HomeAgent).insert(&install(spi, CipherSuite::Aes128CbcSha)));
        assert!(!Sad::<OutboundSa>::new(Role::HomeAgent).insert(&install(spi, CipherSuite::Aes128CbcSha)));
        assert!(Sad::<InboundSa>::new(Role::HomeAgent).insert(&install(spi, CipherSuite::Aes128Gcm)));
    }

    /// What a home agent with a million nodes multiplies by a million.
    #[test]
    fn a_place_has_24_octets_and_what_is_awake_less_than_2_kibibytes() {
        assert_eq!((size_of::<Option<Place<InboundSa>>>(), size_of::<Option<Place<OutboundSa>>>()), (24, 24));
        assert!(size_of::<Awake<InboundSa>>() < 1_024 && size_of::<Awake<OutboundSa>>() < 1_024, "and what they point to");
    }

    #[test]
    fn an_sa_that_woke_for_nothing_is_at_rest_behind_the_batch() {
        let mut sad = Sad::<Counter>::new(Role::HomeAgent);
        for spi in spis(100) {
            sad.insert(&install(spi, CipherSuite::Aes128Gcm));
            let counter = sad.get_mut(spi).unwrap();
            if spi.number() == 7 {
                counter.work();
            }
        }
        assert_eq!(sad.awake(), 100);
        sad.settle();
        assert_eq!(sad.awake(), 1);
        sad.settle();
        assert_eq!(sad.awake(), 1, "it has been proved");
    }

    #[test]
    fn an_sa_is_folded_when_it_was_idle_for_five_minutes_and_keeps_its_numbers() {
        let mut sad = used(3);
        let (start, all) = (start(), spis(3).collect::<Vec<_>>());
        for seconds in 0..=299 {
            if seconds % 100 == 0 {
                sad.get_mut(all[1]).unwrap().work();
            }
            sad.sweep(start + Duration::from_secs(seconds));
            assert_eq!(sad.awake(), 3, "after {seconds} s");
        }
        for seconds in 300..=360 {
            sad.sweep(start + Duration::from_secs(seconds));
        }
        assert_eq!(sad.awake(), 1, "those that were idle are folded within a round");
        assert_eq!(all.iter().map(|spi| sad.get_mut(*spi).unwrap().0).collect::<Vec<_>>(), [1, 4, 1]);
    }

    #[test]
    fn few_sas_are_looked_at_with_one_batch_and_all_within_a_round() {
        let count = 10_000;
        let mut sad = used(count);
        let start = start();
        let mut at = start;
        while at < start + ROUND {
            sad.sweep(at);
            at += Duration::from_millis(1);
        }
        let idle_at = start + ROUND + IDLE;
        sad.sweep(idle_at);
        assert_eq!(sad.awake(), count as usize - LOOKS, "one batch folds so many");
        sad.sweep(idle_at);
        assert_eq!(sad.awake(), count as usize - LOOKS, "and the next is not due yet");
        let mut at = idle_at;
        while at < idle_at + ROUND {
            sad.sweep(at);
            at += Duration::from_millis(10);
        }
        assert!(sad.awake() < 3 * LOOKS, "{} are left", sad.awake());
    }

    #[test]
    fn no_more_stay_awake_than_there_is_room_for_and_none_loses_its_numbers() {
        let mut sad = used(0);
        sad.most_awake = 50;
        for round in 1..=3 {
            for spi in spis(200) {
                sad.insert(&install(spi, CipherSuite::Aes128Gcm));
                let counter = sad.get_mut(spi).unwrap();
                counter.work();
                assert_eq!(counter.0, round);
                sad.settle();
                assert!(sad.awake() <= 50);
            }
        }
    }

    #[test]
    fn what_is_in_use_stays_awake_when_others_need_room() {
        let mut sad = used(0);
        sad.most_awake = 50;
        let busy = spis(1).next().unwrap();
        sad.insert(&install(busy, CipherSuite::Aes128Gcm));
        let mut folded = 0;
        for spi in spis(2_000).skip(1) {
            folded += usize::from(matches!(find(&mut sad.blocks, busy).unwrap().state, State::Rest(_)));
            sad.get_mut(busy).unwrap().work();
            sad.insert(&install(spi, CipherSuite::Aes128Gcm));
            sad.get_mut(spi).unwrap().work();
            sad.settle();
        }
        assert!(folded < 50, "folded {folded} times");
    }

    #[test]
    fn an_sa_that_is_removed_while_awake_leaves_nothing_that_is_looked_at_for_ever() {
        let mut sad = used(10);
        spis(10).for_each(|spi| _ = sad.remove(spi));
        let start = start();
        (0..=60).for_each(|seconds| sad.sweep(start + Duration::from_secs(seconds)));
        assert_eq!(sad.awake(), 0);
    }
}
