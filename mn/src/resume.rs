//! Notices that the machine has slept, or that this process was stopped.
//!
//! By the clocks: CLOCK_BOOTTIME ran ahead of CLOCK_MONOTONIC, or a tick came much too late. And by logind, where there is one,
//! which says so at once (`logind`). Whoever is first is heard, and the others not about the same sleep.

use std::fmt;
use std::time::{Duration, Instant};

use net::clock::BootTicks;
use tokio::sync::mpsc;

use crate::clock;

mod logind;

/// How often the clocks are compared.
const INTERVAL: Duration = Duration::from_millis(500);
/// So far the clocks come apart in no other way than by sleep.
const SLEPT: Duration = Duration::from_secs(1);
/// A tick that is so late found the process stopped; a machine that is only busy wakes it sooner.
const STOPPED: Duration = Duration::from_secs(3);
/// Resumptions that may wait: they say the same.
const QUEUE: usize = 2;

/// The machine is awake again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// For about so long it was not.
    pub slept: Duration,
    /// Who says so.
    pub noticed_by: NoticedBy,
}

/// How a sleep was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticedBy {
    /// CLOCK_BOOTTIME ran ahead of CLOCK_MONOTONIC.
    Clocks,
    /// A tick came much too late.
    LateTick,
    /// logind's signal.
    Logind,
}

impl fmt::Display for NoticedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clocks => "clocks",
            Self::LateTick => "late tick",
            Self::Logind => "logind",
        })
    }
}

/// Starts to watch on the current tokio runtime, as long as there is a receiver.
pub fn watch() -> mpsc::Receiver<Resumed> {
    let (resumed, receiver) = mpsc::channel(QUEUE);
    tokio::spawn(run(resumed));
    receiver
}

async fn run(resumed: mpsc::Sender<Resumed>) {
    let ticks = match BootTicks::new(INTERVAL) {
        Ok(ticks) => ticks,
        Err(error) => {
            tracing::warn!(%error, "that the machine was suspended will be noticed late: there is no timer");
            return;
        }
    };
    let (said, mut signals) = mpsc::channel(QUEUE);
    let listener = tokio::spawn(logind::listen(said));
    let mut sleep = Sleep::new(Instant::now(), clock::now());
    loop {
        let noticed = tokio::select! {
            tick = ticks.tick() => tick.ok().and_then(|()| sleep.look(Instant::now(), clock::now())),
            Some(signal) = signals.recv() => sleep.hear(signal, Instant::now(), clock::now()),
            () = resumed.closed() => break,
        };
        if let Some(noticed) = noticed {
            // Of a full queue the receiver does all that there is to do.
            let _full = resumed.try_send(noticed);
        }
    }
    listener.abort();
}

/// What logind says (`org.freedesktop.login1(5)`, `PrepareForSleep`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signal {
    /// The machine is about to sleep.
    GoingToSleep,
    /// It is awake again.
    Awake,
}

/// Compares the clocks. Pure.
#[derive(Debug)]
struct Sleep {
    monotonic: Instant,
    boot: Instant,
    /// When logind said that the machine is about to sleep, and nothing came of it yet.
    going: Option<Instant>,
}

impl Sleep {
    /// `monotonic` stands still during sleep, `boot` does not.
    fn new(monotonic: Instant, boot: Instant) -> Self {
        Self { monotonic, boot, going: None }
    }

    /// A tick, which comes each [`INTERVAL`].
    fn look(&mut self, monotonic: Instant, boot: Instant) -> Option<Resumed> {
        let ran = monotonic.saturating_duration_since(std::mem::replace(&mut self.monotonic, monotonic));
        let passed = boot.saturating_duration_since(std::mem::replace(&mut self.boot, boot));
        let slept = passed.saturating_sub(ran);
        let noticed = if slept >= SLEPT {
            Resumed { slept, noticed_by: NoticedBy::Clocks }
        } else if passed >= INTERVAL + STOPPED {
            Resumed { slept: passed, noticed_by: NoticedBy::LateTick }
        } else {
            return None;
        };
        self.going = None;
        Some(noticed)
    }

    /// A signal of logind. That it is awake is no news when the clocks have said so.
    fn hear(&mut self, signal: Signal, monotonic: Instant, boot: Instant) -> Option<Resumed> {
        match signal {
            Signal::GoingToSleep => {
                self.going = Some(boot);
                None
            }
            Signal::Awake => {
                let going = self.going.take()?;
                (self.monotonic, self.boot) = (monotonic, boot);
                Some(Resumed { slept: boot.saturating_duration_since(going), noticed_by: NoticedBy::Logind })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// The clocks `ran` and `slept` later.
    fn later((monotonic, boot): (Instant, Instant), ran: Duration, slept: Duration) -> (Instant, Instant) {
        (monotonic + ran, boot + ran + slept)
    }

    fn start() -> ((Instant, Instant), Sleep) {
        let now = Instant::now();
        ((now, now), Sleep::new(now, now))
    }

    #[test]
    fn a_machine_that_is_awake_and_busy_has_not_slept() {
        let (mut clocks, mut sleep) = start();
        for ran in [INTERVAL, INTERVAL * 2, SECOND * 2, SECOND * 3] {
            clocks = later(clocks, ran, Duration::from_millis(20));
            assert_eq!(sleep.look(clocks.0, clocks.1), None, "{ran:?}");
        }
    }

    #[test]
    fn clocks_that_come_apart_tell_how_long_the_machine_slept_once() {
        let (clocks, mut sleep) = start();
        let clocks = later(clocks, INTERVAL, SECOND * 28_800);
        let slept = Resumed { slept: SECOND * 28_800, noticed_by: NoticedBy::Clocks };
        assert_eq!(sleep.look(clocks.0, clocks.1), Some(slept));
        let clocks = later(clocks, INTERVAL, Duration::ZERO);
        assert_eq!(sleep.look(clocks.0, clocks.1), None);
    }

    #[test]
    fn a_process_that_was_stopped_finds_its_tick_late() {
        let (clocks, mut sleep) = start();
        let clocks = later(clocks, SECOND * 4, Duration::ZERO);
        let stopped = Resumed { slept: SECOND * 4, noticed_by: NoticedBy::LateTick };
        assert_eq!(sleep.look(clocks.0, clocks.1), Some(stopped));
    }

    #[test]
    fn of_one_sleep_is_told_once_whoever_notices_first() {
        let (begun, mut sleep) = start();
        assert_eq!(sleep.hear(Signal::GoingToSleep, begun.0, begun.1), None);
        let clocks = later(begun, SECOND, SECOND * 60);
        let slept = Resumed { slept: SECOND * 61, noticed_by: NoticedBy::Logind };
        assert_eq!(sleep.hear(Signal::Awake, clocks.0, clocks.1), Some(slept));
        let clocks = later(clocks, INTERVAL, Duration::ZERO);
        assert_eq!(sleep.look(clocks.0, clocks.1), None, "the clocks say it after logind");

        assert_eq!(sleep.hear(Signal::GoingToSleep, clocks.0, clocks.1), None);
        let clocks = later(clocks, INTERVAL, SECOND * 60);
        assert!(sleep.look(clocks.0, clocks.1).is_some());
        assert_eq!(sleep.hear(Signal::Awake, clocks.0, clocks.1), None, "logind says it after the clocks");
        assert_eq!(sleep.hear(Signal::Awake, clocks.0, clocks.1), None, "nobody was about to sleep");
    }
}
