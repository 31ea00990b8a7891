//! Which threads go first where the processors are busy: what answers signalling, before what carries packets. A node that moves is
//! answered no later because others send much.

use std::sync::OnceLock;

use rustix::process::{getpriority_process, setpriority_process};

/// By how much: a thread of so many nice levels less is given ten times the time of one that carries packets, and uses next to none of it.
const LEVELS: i32 = 10;

/// Of the threads that carry packets, once others go before them.
static OF_PACKETS: OnceLock<i32> = OnceLock::new();

/// The calling thread goes before the workers from now on, and so do threads that it starts. Without CAP_SYS_NICE nothing changes.
pub fn answer_first() {
    let set = getpriority_process(None).and_then(|nice| {
        setpriority_process(None, nice - LEVELS)?;
        Ok(OF_PACKETS.get_or_init(|| nice))
    });
    match set {
        Ok(nice) => tracing::debug!(nice = nice - LEVELS, "signalling goes before packets"),
        Err(error) => tracing::debug!(%error, "signalling waits its turn behind packets: CAP_SYS_NICE would change that"),
    }
}

/// The calling thread carries packets.
pub(crate) fn carry_packets() {
    if let Some(nice) = OF_PACKETS.get() {
        // Being nicer needs no right.
        let _ = setpriority_process(None, *nice);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nice() -> i32 {
        getpriority_process(None).unwrap()
    }

    #[test]
    fn a_thread_that_answers_goes_before_a_worker_that_it_starts() {
        let own = nice();
        std::thread::spawn(move || {
            answer_first();
            assert_eq!(nice(), own - LEVELS, "this test needs CAP_SYS_NICE, as it needs to be root for others");
            let worker = std::thread::spawn(|| {
                carry_packets();
                nice()
            });
            assert_eq!(worker.join().unwrap(), own);
        })
        .join()
        .unwrap();
        assert_eq!(nice(), own, "other threads keep what they had");
    }
}
