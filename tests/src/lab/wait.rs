//! Waiting for a condition with a limit and a sentence that says what did not come.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

const POLL: Duration = Duration::from_millis(10);

/// Asks `ready` every 10 ms until it gives a value; `what` ("mn to be registered") is named when `limit` passes first,
/// together with the last error that `ready` gave.
pub fn wait_for<T>(what: &str, limit: Duration, mut ready: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    loop {
        let answer = ready();
        if let Ok(Some(value)) = answer {
            return Ok(value);
        }
        if start.elapsed() >= limit {
            return match answer {
                Err(error) => Err(error).with_context(|| format!("waited {limit:?} for {what}")),
                Ok(_) => bail!("waited {limit:?} for {what}"),
            };
        }
        std::thread::sleep(POLL);
    }
}
