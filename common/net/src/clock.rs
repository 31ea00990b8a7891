//! A clock that goes on while the machine sleeps, and a timer that goes by it.
//!
//! [`Instant::now`] is CLOCK_MONOTONIC, which stands still while a machine is suspended (`clock_gettime(2)`); lifetimes that others
//! count do not.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;

/// CLOCK_BOOTTIME as an [`Instant`]: where the process asks first, both clocks show the same, and from then on this one counts
/// sleep too.
pub fn now() -> Instant {
    static BEGINNING: OnceLock<(Instant, Duration)> = OnceLock::new();
    let (instant, boot) = BEGINNING.get_or_init(|| (Instant::now(), since_boot()));
    *instant + since_boot().saturating_sub(*boot)
}

fn since_boot() -> Duration {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::Boottime);
    let (seconds, nanoseconds) = (u64::try_from(tv_sec).unwrap_or(0), u32::try_from(tv_nsec).unwrap_or(0));
    Duration::new(seconds, nanoseconds)
}

/// Ticks by CLOCK_BOOTTIME: where one was due while the machine slept, it comes at once when the machine is awake.
pub struct BootTicks {
    timer: AsyncFd<OwnedFd>,
}

impl BootTicks {
    /// A tick `every` so long, which must not be zero, the first after that time. Needs a tokio runtime.
    ///
    /// # Errors
    /// The limit on open files is reached.
    pub fn new(every: Duration) -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        let interval = Timespec::try_from(every).map_err(|_| io::ErrorKind::InvalidInput)?;
        timerfd_settime(&timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: interval, it_value: interval })?;
        // SAFETY: an `OwnedFd` names one descriptor from its making to its end, closes it when it is dropped, and is dropped by none but
        // this `AsyncFd`.
        let timer = unsafe { AsyncFd::register(timer) }?;
        Ok(Self { timer })
    }

    /// The next tick; those that were missed come as one. Safe to cancel.
    ///
    /// # Errors
    /// The kernel refuses to say: nothing that is known.
    pub async fn tick(&self) -> io::Result<()> {
        loop {
            let mut ready = self.timer.readable().await?;
            let mut expirations = [0; 8];
            match ready.try_io(|timer| Ok(rustix::io::read(timer.get_ref(), &mut expirations)?)) {
                Ok(read) => return read.map(drop),
                Err(_would_block) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_nobody_sleeps_the_clock_goes_as_the_monotonic_one() {
        let (start, monotonic) = (now(), Instant::now());
        std::thread::sleep(Duration::from_millis(30));
        let (passed, expected) = (now() - start, monotonic.elapsed());
        assert!(passed >= Duration::from_millis(30) && passed.abs_diff(expected) < Duration::from_secs(1), "{passed:?}");
    }

    #[tokio::test]
    async fn a_tick_comes_each_interval_and_missed_ones_come_as_one() {
        let (start, ticks) = (Instant::now(), BootTicks::new(Duration::from_millis(20)).unwrap());
        ticks.tick().await.unwrap();
        assert!(start.elapsed() >= Duration::from_millis(20));
        std::thread::sleep(Duration::from_millis(400));
        let few = async {
            for _ in 0..10 {
                ticks.tick().await.unwrap();
            }
        };
        let after = Instant::now();
        few.await;
        assert!(after.elapsed() > Duration::from_millis(100), "those that were missed came one by one");
    }
}
