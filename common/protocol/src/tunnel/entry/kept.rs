//! What was sealed in the last moments, to be sent again on another path when the one that it went on turns out to have been broken: the
//! same datagrams, of which the other end's replay window takes each once.
//!
//! A ring of fixed size for all tunnels together: what is new takes the place of what is oldest.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::{Duration, Instant};

use crate::sa::Spi;
use crate::tunnel::batch::Fragmentation;
use crate::tunnel::{Paths, SendBatch};
use crate::wire::envelope::Envelope;

/// Nothing older is sent again: by then whoever waited for it has asked for it himself, or does not want it any more.
pub const KEPT_FOR: Duration = Duration::from_millis(500);
/// The longest packet from the TUN device that is kept, in octets. One that stands for more is of a connection at hundreds of megabits a
/// second: to copy all of it would cost more than to have it sent again by its sender once a move.
pub(super) const LONGEST: usize = 16 << 10;
const OCTETS: usize = 4 << 20;
const DATAGRAMS: usize = 16 << 10;

/// Sealed datagrams, oldest first.
pub(super) struct Kept {
    octets: Vec<u8>,
    datagrams: VecDeque<Datagram>,
    /// Where the next one goes.
    at: usize,
}

struct Datagram {
    spi: Spi,
    sequence: u32,
    range: Range<usize>,
    sealed_at: Instant,
    form: Form,
    is_sent_again: bool,
}

/// How a datagram was sent, beside where to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) traffic_class: u8,
    pub(super) fragmentation: Fragmentation,
}

impl Default for Kept {
    fn default() -> Self {
        Self::new(OCTETS, DATAGRAMS)
    }
}

impl Kept {
    /// Room for so many octets and datagrams, of which none is touched before it is used.
    fn new(octets: usize, datagrams: usize) -> Self {
        Self { octets: vec![0; octets], datagrams: VecDeque::with_capacity(datagrams), at: 0 }
    }

    /// Keeps a copy of what was sealed at `now`.
    pub(super) fn keep(&mut self, spi: Spi, sealed: &[u8], form: Form, now: Instant) {
        let Some(sequence) = Envelope::parse(sealed).map(|envelope| envelope.sequence) else { return };
        let Some(range) = self.make_room(sealed.len()) else { return };
        let Some(to) = self.octets.get_mut(range.clone()) else { return };
        to.copy_from_slice(sealed);
        self.at = range.end;
        self.datagrams.push_back(Datagram { spi, sequence, range, sealed_at: now, form, is_sent_again: false });
    }

    /// Forgets what stands where `len` octets are to go, and what is one too many.
    fn make_room(&mut self, len: usize) -> Option<Range<usize>> {
        if len > self.octets.len() {
            return None;
        }
        if self.at + len > self.octets.len() {
            // What stands behind is older than what stands in front.
            self.forget_while(|oldest, at| oldest.range.start >= at);
            self.at = 0;
        }
        let end = self.at + len;
        self.forget_while(|oldest, at| oldest.range.start < end && oldest.range.end > at);
        if self.datagrams.len() == self.datagrams.capacity() {
            self.datagrams.pop_front();
        }
        Some(self.at..end)
    }

    fn forget_while(&mut self, is_in_the_way: impl Fn(&Datagram, usize) -> bool) {
        while self.datagrams.front().is_some_and(|oldest| is_in_the_way(oldest, self.at)) {
            self.datagrams.pop_front();
        }
    }

    /// Puts into `send`, in order, what was sealed under `spi` since `since` with a number above `above`, as far as there is room and the
    /// paths' allowance goes, of which `spared` octets stay. What is sent again once is not a second time.
    pub(super) fn send_again(
        &mut self,
        spi: Spi,
        above: Option<u32>,
        since: Instant,
        (paths, spared): (&Paths, u64),
        send: &mut SendBatch,
    ) -> SentAgain {
        let first = self.datagrams.partition_point(|kept| kept.sealed_at < since);
        let is_wanted = |kept: &&mut Datagram| kept.spi == spi && above.is_none_or(|above| kept.sequence > above);
        let spared = usize::try_from(spared).unwrap_or(usize::MAX);
        let mut datagrams = 0;
        for kept in self.datagrams.range_mut(first..).filter(is_wanted).filter(|kept| !kept.is_sent_again) {
            let Some(octets) = self.octets.get(kept.range.clone()) else { break };
            let usable = paths.iter().filter(|path| path.allowance.has(octets.len().saturating_add(spared))).count();
            if usable == 0 {
                break;
            }
            let Some(range) = send.reserve(octets.len(), usable) else { return SentAgain { datagrams, is_full: true } };
            send.slot(range.clone()).copy_from_slice(octets);
            kept.form.send_on_each(paths, range, send);
            kept.is_sent_again = true;
            datagrams += 1;
        }
        SentAgain { datagrams, is_full: false }
    }
}

/// What was sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SentAgain {
    /// How many datagrams.
    pub(super) datagrams: u64,
    /// There are more, and no room for them.
    pub(super) is_full: bool,
}

impl Form {
    fn send_on_each(self, paths: &Paths, range: Range<usize>, send: &mut SendBatch) {
        for index in 0..Paths::MAX {
            if let Some(path) = paths.spend(index, range.len()) {
                send.push_as(self.fragmentation, range.clone(), path, self.traffic_class);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tunnel::{Allowance, Path, SocketId};
    use crate::wire::envelope::PType;

    const ORDINARY: Form = Form { traffic_class: 0, fragmentation: Fragmentation::OnTheWay };
    const MS: Duration = Duration::from_millis(1);

    #[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
    fn some_instant() -> Instant {
        Instant::now()
    }

    fn spi(number: u32) -> Spi {
        Spi::new(0x1000 + number).unwrap()
    }

    fn sealed(of: Spi, sequence: u32, len: usize) -> Vec<u8> {
        let mut octets = Envelope::emit(PType::Protected, of, sequence).to_vec();
        octets.resize(len, sequence as u8);
        octets
    }

    fn paths() -> Paths {
        Paths::one(Path::proved(SocketId(1), ([203, 0, 113, 1], 7872).into()))
    }

    /// The numbers that are sent again.
    fn again(kept: &mut Kept, of: Spi, above: Option<u32>, since: Instant, paths: &Paths) -> Vec<u32> {
        again_sparing(kept, of, above, since, (paths, 0))
    }

    fn again_sparing(kept: &mut Kept, of: Spi, above: Option<u32>, since: Instant, paths: (&Paths, u64)) -> Vec<u32> {
        let mut send = SendBatch::new(64, 1 << 16);
        let sent = kept.send_again(of, above, since, paths, &mut send);
        let numbers: Vec<u32> = send.iter().map(|(_, octets)| Envelope::parse(octets).unwrap().sequence).collect();
        assert_eq!(sent, SentAgain { datagrams: numbers.len() as u64, is_full: false });
        for (_, octets) in send.iter() {
            let number = Envelope::parse(octets).unwrap().sequence;
            assert_eq!(octets, sealed(of, number, octets.len()), "as it was sealed");
        }
        numbers
    }

    #[test]
    fn what_one_sa_sealed_since_a_moment_with_higher_numbers_goes_again_once_and_in_order() {
        let (mut kept, now) = (Kept::default(), some_instant());
        for number in 0..10 {
            kept.keep(spi(1), &sealed(spi(1), number, 100 + number as usize), ORDINARY, now + MS * number);
            kept.keep(spi(2), &sealed(spi(2), number, 100), ORDINARY, now + MS * number);
        }
        assert_eq!(again(&mut kept, spi(1), Some(6), now, &paths()), [7, 8, 9]);
        assert_eq!(again(&mut kept, spi(1), None, now + MS * 4, &paths()), [4, 5, 6], "the others went already");
        assert_eq!(again(&mut kept, spi(1), None, now + MS * 10, &paths()), [0; 0]);
        assert_eq!(again(&mut kept, spi(2), Some(7), now, &paths()), [8, 9]);
    }

    #[test]
    fn what_is_new_takes_the_place_of_what_is_oldest() {
        let now = some_instant();
        for len in [30, 33, 50, 100] {
            let mut kept = Kept::new(100, 8);
            for number in 0..1000 {
                kept.keep(spi(1), &sealed(spi(1), number, len), ORDINARY, now);
                let all: Vec<_> = kept.datagrams.iter().map(|kept| (kept.sequence, kept.range.len())).collect();
                let count = (100 / len).min(1 + number as usize);
                let expected: Vec<_> = (number + 1 - count as u32..=number).map(|number| (number, len)).collect();
                assert_eq!(all, expected, "{len}");
            }
            let newest = 1000 - 100 / len as u32..1000;
            assert_eq!(again(&mut kept, spi(1), None, now, &paths()), newest.collect::<Vec<_>>());
        }
    }

    #[test]
    fn lengths_of_all_kinds_overwrite_nothing_that_is_still_known() {
        let (mut kept, now) = (Kept::new(1000, 16), some_instant());
        for number in 0..5000_u32 {
            let len = 8 + (number.wrapping_mul(2_654_435_761) >> 20) as usize % 400;
            kept.keep(spi(1), &sealed(spi(1), number, len), ORDINARY, now);
            for one in &kept.datagrams {
                assert_eq!(kept.octets[one.range.clone()], sealed(spi(1), one.sequence, one.range.len()));
            }
            assert!(kept.datagrams.len() <= 16 && kept.datagrams.back().unwrap().sequence == number);
        }
        kept.keep(spi(1), &sealed(spi(1), 5000, 1001), ORDINARY, now);
        assert_eq!(kept.datagrams.back().unwrap().sequence, 4999, "what has no room at all takes nobody's");
    }

    #[test]
    fn no_more_datagrams_are_known_than_there_is_room_for_and_none_without_an_envelope() {
        let (mut kept, now) = (Kept::new(1 << 16, 4), some_instant());
        let room = kept.datagrams.capacity();
        for number in 0..100 {
            kept.keep(spi(1), &sealed(spi(1), number, 20), ORDINARY, now);
        }
        assert_eq!((kept.datagrams.len(), kept.datagrams.capacity()), (room, room), "nothing is allocated");
        kept.keep(spi(1), &[0; 7], ORDINARY, now);
        assert_eq!(kept.datagrams.back().unwrap().sequence, 99);
    }

    /// What several entry-points have kept, and what is asked for again, leaves the same to what is new.
    #[test]
    fn a_place_that_is_not_proved_gets_what_is_not_spared_from_all_together_and_the_rest_when_it_is_proved() {
        let now = some_instant();
        let mut all: [Kept; 3] = std::array::from_fn(|_| Kept::default());
        for kept in &mut all {
            (0..10).for_each(|number| kept.keep(spi(1), &sealed(spi(1), number, 100), ORDINARY, now));
        }
        let allowance = Allowance::octets(8 * 148);
        let unproved = Paths::one(Path { allowance: allowance.clone(), ..paths().iter().next().unwrap().clone() });
        let mut again = |index: usize, paths: &Paths| again_sparing(&mut all[index], spi(1), None, now, (paths, 4 * 148));
        assert_eq!(again(0, &unproved), [0, 1, 2, 3]);
        assert_eq!(again(1, &unproved), [0; 0], "another entry-point");
        assert_eq!(again(0, &unproved), [0; 0], "another Binding Update");
        assert_eq!(allowance.left(), Some(4 * 148));
        assert_eq!(again(0, &paths()), (4..10).collect::<Vec<_>>());
        assert_eq!(again(2, &paths()), (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn what_has_no_room_stays_and_what_goes_has_its_form() {
        let (mut kept, now) = (Kept::default(), some_instant());
        let form = Form { traffic_class: 0xb8, fragmentation: Fragmentation::OnItsOwn };
        (0..3).for_each(|number| kept.keep(spi(1), &sealed(spi(1), number, 100), form, now));
        let mut send = SendBatch::new(2, 1 << 16);
        let sent = kept.send_again(spi(1), None, now, (&paths(), 0), &mut send);
        assert_eq!(sent, SentAgain { datagrams: 2, is_full: true });
        assert!(send.runs().all(|(run, _)| (run.traffic_class, run.fragmentation) == (0xb8, Fragmentation::OnItsOwn)));
        assert_eq!(again(&mut kept, spi(1), None, now, &paths()), [2]);
    }
}
