//! What a mobile node keeps of its sessions from one run of an EAP method to the next.
//!
//! That is the newest ticket of the last run, if it succeeded: older ones are for sessions that some servers have forgotten (hostapd 2.10
//! then fails the run). A resumed run that does not succeed leaves nothing; after a few such in a row nothing is resumed any more, since
//! there are servers that offer what they cannot do (hostapd 2.10 under TLS 1.3: it leaves out the success indication of EAP-TLS, and
//! loses records of PEAP).

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::time_provider::TimeProvider;

use crate::tls::sessions::Sessions;

/// Resumed runs in a row that may fail: one may be the network's fault, and each costs the person an attempt.
const MAX_FAILURES: u8 = 2;

/// What there is between runs.
#[derive(Debug)]
pub(super) struct Memory {
    sessions: Sessions,
    failures: AtomicU8,
}

impl Memory {
    /// Nothing yet.
    pub(super) fn new(time: Arc<dyn TimeProvider>) -> Self {
        Self { sessions: Sessions::new(time), failures: AtomicU8::new(0) }
    }
}

/// One run.
pub(super) struct Run {
    memory: Arc<Memory>,
    ticket: Mutex<Option<Tls13ClientSessionValue>>,
    is_resumed: AtomicBool,
    is_kept: AtomicBool,
}

impl Run {
    /// Begins with what the runs before have left.
    pub(super) fn new(memory: Arc<Memory>) -> Self {
        Self { memory, ticket: Mutex::default(), is_resumed: AtomicBool::new(false), is_kept: AtomicBool::new(false) }
    }

    /// The server has taken a session of before.
    pub(super) fn resume(&self) {
        self.is_resumed.store(true, Ordering::Relaxed);
    }

    /// The run has succeeded, with a server that has, or in a resumed session had, shown `chain`.
    pub(super) fn keep(&self, chain: &[CertificateDer<'_>], server_name: &ServerName<'static>) {
        self.is_kept.store(true, Ordering::Relaxed);
        if self.is_resumed.load(Ordering::Relaxed) {
            self.memory.failures.store(0, Ordering::Relaxed);
        } else {
            self.memory.sessions.confirm(chain);
        }
        while self.memory.sessions.take_tls13_ticket(server_name).is_some() {}
        if let Some(ticket) = self.ticket().take() {
            self.memory.sessions.insert_tls13_ticket(server_name.clone(), ticket);
        }
    }

    fn ticket(&self) -> MutexGuard<'_, Option<Tls13ClientSessionValue>> {
        self.ticket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if *self.is_resumed.get_mut() && !*self.is_kept.get_mut() {
            self.memory.sessions.forget();
            self.memory.failures.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Run").field("memory", &self.memory).finish_non_exhaustive()
    }
}

impl ClientSessionStore for Run {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        *self.ticket() = Some(ticket);
    }

    fn take_tls13_ticket(&self, server_name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        let may_resume = self.memory.failures.load(Ordering::Relaxed) < MAX_FAILURES;
        may_resume.then(|| self.memory.sessions.take_tls13_ticket(server_name)).flatten()
    }
}
