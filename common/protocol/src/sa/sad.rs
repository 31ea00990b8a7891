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
pub struct Sad<H: Half> {
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
        if let State::Rest(rest) = &mut place.state {
            let half = H::wake(&place.install, self.role, std::mem::take(rest)).ok()?;
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

    /// [`Self::settle`], and folds what is idle: a few SAs are looked at, so many that each is seen once a minute.
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

fn find<H: Half>(blocks: &mut [Option<Box<Block<H>>>], spi: Spi) -> Option<&mut Place<H>> {
    let (block, page, place) = indexes(spi);
    let page = blocks.get_mut(block)?.as_deref_mut()?.get_mut(page)?.as_deref_mut()?;
    page.get_mut(place)?.as_mut()
}

fn awake<H: Half>(blocks: &mut [Option<Box<Block<H>>>], spi: Spi) -> Option<&mut Awake<H>> {
    match &mut find(blocks, spi)?.state {
        State::Awake(awake) => Some(awake),
        State::Rest(_) => None,
    }
}

/// The slot of `spi`, whose block and page are made if they are not there.
fn slot<H: Half>(blocks: &mut Vec<Option<Box<Block<H>>>>, spi: Spi) -> Option<&mut Option<Place<H>>> {
    let (block, page, place) = indexes(spi);
    if block >= blocks.len() {
        blocks.resize_with(block + 1, || None);
    }
    let pages = blocks.get_mut(block)?.get_or_insert_with(|| Box::new(std::array::from_fn(|_| None)));
    let places = pages.get_mut(page)?.get_or_insert_with(|| Box::new(std::array::from_fn(|_| None)));
    places.get_mut(place)
}

#[cfg(test)]
mod tests;
