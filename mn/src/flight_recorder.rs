//! The flight recorder: every move of the node is one record, from the kernel's event to the last packet of the old network.
//!
//! Pure: told by `MobileNode` what happens, and by whoever counts what has been lost.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use protocol::tunnel::SocketId;

use crate::movement::Attachment;

/// Records that are kept, the latest: more are nobody's to read one by one.
pub const KEPT: usize = 64;
/// What was sent before the move has come, or is lost, so long after its end.
const SETTLES: Duration = Duration::from_secs(1);

/// How a move was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The first attachment of all, or the first after a time without any.
    Attach,
    /// The old network was gone.
    BreakBeforeMake,
    /// Both were used for a while.
    MakeBeforeBreak,
    /// To the home link, where there is no tunnel.
    ReturnHome,
}

/// What became of a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is under way, or what it has lost is not known yet.
    UnderWay,
    /// The node is bound there.
    Done,
    /// The home agent did not answer there, or the network was gone before it did.
    Abandoned,
}

/// What the tunnel had counted at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Packets that were sent to the node and have not come.
    pub missing: u64,
    /// Packets that came a second time.
    pub duplicates: u64,
}

/// One move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// From 1.
    pub number: u64,
    /// How.
    pub kind: Kind,
    /// What became of it.
    pub outcome: Outcome,
    /// Where the node was.
    pub from: Option<Attachment>,
    /// Where it goes.
    pub to: Attachment,
    /// The socket that is bound there.
    pub socket: SocketId,
    /// When the kernel's event was read that it followed from.
    pub noticed: Instant,
    /// When the new address was known to be usable.
    pub usable: Instant,
    /// When packets went from there first, with the Binding Update.
    pub updated: Option<Instant>,
    /// When the home agent acknowledged it.
    pub acknowledged: Option<Instant>,
    /// When the first user data came there.
    pub heard: Option<Instant>,
    /// When the old network was let go, of a make before break.
    pub ended: Option<Instant>,
    /// Binding Updates that it took.
    pub updates: u32,
    /// Downlink packets that were lost in it.
    pub lost: u64,
    /// Downlink packets that came twice, of which the second was dropped.
    pub duplicates: u64,
}

/// The latest moves.
#[derive(Debug, Default)]
pub struct FlightRecorder {
    records: VecDeque<Record>,
    count: u64,
    changes: u64,
    before: Tally,
    settles: Option<Instant>,
}

impl FlightRecorder {
    /// A move begins; what was under way before is over.
    pub fn begin(&mut self, record: Record, tally: Tally) {
        self.settle(tally);
        self.count += 1;
        self.changes += 1;
        self.before = tally;
        if self.records.len() == KEPT {
            self.records.pop_front();
        }
        self.records.push_back(Record { number: self.count, ..record });
    }

    /// A Binding Update goes out.
    pub fn updating(&mut self, now: Instant) {
        self.change(|record| {
            if record.acknowledged.is_none() {
                record.updates += 1;
                record.updated.get_or_insert(now);
            }
        });
    }

    /// The home agent has acknowledged the binding, over this socket's attachment.
    pub fn acknowledged(&mut self, socket: SocketId, now: Instant) {
        let mut is_new = false;
        self.change(|record| {
            if record.socket == socket && record.acknowledged.is_none() {
                record.acknowledged = Some(now);
                is_new = true;
            }
        });
        if is_new {
            self.settles = Some(now + SETTLES);
        }
    }

    /// The move that is under way leads home.
    pub fn returned(&mut self) {
        self.change(|record| record.kind = Kind::ReturnHome);
    }

    /// User data has come in on this socket.
    pub fn heard(&mut self, socket: SocketId, now: Instant) {
        self.change(|record| {
            if record.socket == socket {
                record.heard.get_or_insert(now);
            }
        });
    }

    /// The old network is not used any more.
    pub fn ended(&mut self, now: Instant) {
        self.change(|record| _ = record.ended.get_or_insert(now));
        self.settles = self.settles.map(|_| now + SETTLES);
    }

    /// The move that is under way comes to nothing.
    pub fn abandoned(&mut self, tally: Tally) {
        self.settle(tally);
    }

    /// When [`Self::settle_if_due`] has something to do.
    pub fn due(&self) -> Option<Instant> {
        self.settles
    }

    /// What the last move has lost is known now; `true` when that is new.
    pub fn settle_if_due(&mut self, tally: Tally, now: Instant) -> bool {
        let is_due = self.settles.is_some_and(|due| due <= now);
        if is_due {
            self.settle(tally);
        }
        is_due
    }

    /// The latest records, oldest first.
    pub fn records(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.records.iter()
    }

    /// Rises with every change of a record.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    fn settle(&mut self, tally: Tally) {
        let before = self.before;
        self.settles = None;
        self.change(|record| {
            record.outcome = if record.acknowledged.is_some() { Outcome::Done } else { Outcome::Abandoned };
            record.lost = tally.missing.saturating_sub(before.missing);
            record.duplicates = tally.duplicates.saturating_sub(before.duplicates);
        });
    }

    /// Changes the record of the move that is under way.
    fn change(&mut self, change: impl FnOnce(&mut Record)) {
        if let Some(record) = self.records.back_mut().filter(|record| record.outcome == Outcome::UnderWay) {
            change(record);
            self.changes += 1;
        }
    }
}

impl Record {
    /// A move that begins.
    pub fn beginning(
        kind: Kind,
        from: Option<Attachment>,
        to: Attachment,
        socket: SocketId,
        noticed: Instant,
        usable: Instant,
    ) -> Self {
        Self {
            number: 0,
            kind,
            outcome: Outcome::UnderWay,
            from,
            to,
            socket,
            noticed,
            usable,
            updated: None,
            acknowledged: None,
            heard: None,
            ended: None,
            updates: 0,
            lost: 0,
            duplicates: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{lte, wifi};

    fn record(socket: u8, now: Instant) -> Record {
        Record::beginning(Kind::MakeBeforeBreak, Some(wifi()), lte(), SocketId(socket), now, now)
    }

    fn tally(missing: u64, duplicates: u64) -> Tally {
        Tally { missing, duplicates }
    }

    #[test]
    fn a_move_is_recorded_from_its_event_to_its_last_packet() {
        let (start, mut recorder) = (Instant::now(), FlightRecorder::default());
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        recorder.begin(record(1, start), tally(3, 10));
        recorder.updating(at(1));
        recorder.updating(at(200));
        recorder.acknowledged(SocketId(1), at(240));
        recorder.heard(SocketId(0), at(241));
        recorder.heard(SocketId(1), at(242));
        recorder.updating(at(490));
        recorder.ended(at(490));
        assert_eq!(recorder.due(), Some(at(1490)));
        assert!(!recorder.settle_if_due(tally(4, 60), at(1489)) && recorder.settle_if_due(tally(4, 70), at(1490)));
        let done = recorder.records().next().unwrap();
        assert_eq!((done.number, done.outcome, done.updates, done.lost, done.duplicates), (1, Outcome::Done, 2, 1, 60));
        let times = [done.updated, done.acknowledged, done.heard, done.ended];
        assert_eq!(times, [1, 240, 242, 490].map(|milliseconds| Some(at(milliseconds))));
    }

    #[test]
    fn a_move_that_another_overtakes_is_abandoned_and_only_the_latest_are_kept() {
        let (start, mut recorder) = (Instant::now(), FlightRecorder::default());
        for number in 0..KEPT as u64 + 5 {
            recorder.begin(record(1, start), tally(number, 0));
        }
        let first = recorder.records().next().unwrap();
        assert_eq!((recorder.records().count(), first.number, first.outcome, first.lost), (KEPT, 6, Outcome::Abandoned, 1));
        let before = recorder.changes();
        recorder.acknowledged(SocketId(7), start);
        assert_eq!(recorder.records().next_back().unwrap().acknowledged, None, "that is another attachment's");
        assert!(recorder.changes() > before && recorder.due().is_none());
    }
}
