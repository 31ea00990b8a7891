//! The signals that end a program in order: SIGINT and SIGTERM. SIGHUP does nothing.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// A future that ends at the first SIGINT or SIGTERM after this call. From now on SIGHUP is ignored: a program outlives
/// the terminal that it was started from. Must be called within a tokio runtime.
pub fn requested() -> io::Result<impl Future<Output = &'static str> + Send + 'static> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        let _ignored = hangup;
        tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use std::time::Duration;

    fn signal_this_process(name: &str) {
        let status = Command::new("kill").args([name, &std::process::id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    #[tokio::test]
    async fn sigterm_ends_the_wait_and_sighup_does_not() {
        let shutdown = requested().unwrap();
        tokio::pin!(shutdown);
        signal_this_process("-HUP");
        assert!(tokio::time::timeout(Duration::from_millis(200), &mut shutdown).await.is_err());
        signal_this_process("-TERM");
        assert_eq!(tokio::time::timeout(Duration::from_secs(5), shutdown).await.unwrap(), "SIGTERM");
    }
}
