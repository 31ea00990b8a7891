//! The node's time, which goes on while the machine sleeps: the lifetimes that HAC and home agent count do.

use std::time::{Duration, Instant};

/// Now, by CLOCK_BOOTTIME. Every deadline of the node is of this clock, and none of [`Instant::now`], which stands still meanwhile.
pub fn now() -> Instant {
    net::clock::now() + injected()
}

/// Until `due` of this clock; never, without one. Counts no sleep: whoever notices that the machine has slept asks anew.
pub async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep(due.saturating_duration_since(now())).await,
        None => std::future::pending().await,
    }
}

#[cfg(not(feature = "lab"))]
const fn injected() -> Duration {
    Duration::ZERO
}

/// The lab cannot suspend: the seconds in the file that this names count as slept.
#[cfg(feature = "lab")]
fn injected() -> Duration {
    let seconds = || std::fs::read_to_string(std::env::var_os("HALTSEC_LAB_SLEPT")?).ok()?.trim().parse().ok();
    Duration::from_secs(seconds().unwrap_or(0))
}
