//! What a mobile node keeps of its TLS sessions with one HAC at one address: tickets, and until when they may be used.
//!
//! rustls asks for tickets here. It gets none before [`Sessions::confirm`] has seen a full handshake's chain, none after that has
//! ended, none for TLS 1.2, and no hint which key exchange the HAC took last: every connection offers the post-quantum one first.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::time_provider::TimeProvider;

use super::end_point;

/// Tickets kept: the HAC says how many come.
const MAX_TICKETS: usize = 2;
/// How long sessions may go on from one full handshake, in which the HAC proves that it has its certificate's key (RFC 8446
/// section 4.6.1 wants such a limit).
const MAX_AGE: Duration = Duration::from_secs(86_400);

/// Tickets of one HAC at one address.
pub(super) struct Sessions {
    time: Arc<dyn TimeProvider>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// Seconds since 1970: from the last full handshake on. By a clock that was set back it is yet to come, and its age unknown.
    usable: Range<u64>,
    tickets: VecDeque<Tls13ClientSessionValue>,
}

impl Sessions {
    pub(super) fn new(time: Arc<dyn TimeProvider>) -> Self {
        Self { time, kept: Mutex::default() }
    }

    /// A full handshake has shown `chain`. Its tickets may have come already.
    pub(super) fn confirm(&self, chain: &[CertificateDer<'_>]) {
        let now = self.now();
        let end = end_point::end(chain).map_or(0, |end| end.as_secs());
        self.kept().usable = now..end.min(now.saturating_add(MAX_AGE.as_secs()));
    }

    /// The next handshake is a full one.
    pub(super) fn forget(&self) {
        *self.kept() = Kept::default();
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Without a clock nothing is usable.
    fn now(&self) -> u64 {
        self.time.current_time().map_or(u64::MAX, |now| now.as_secs())
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sessions").field("tickets", &self.kept().tickets.len()).finish_non_exhaustive()
    }
}

impl ClientSessionStore for Sessions {
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
        let mut kept = self.kept();
        if kept.tickets.len() >= MAX_TICKETS {
            kept.tickets.pop_front();
        }
        kept.tickets.push_back(ticket);
    }

    /// The newest, each once (RFC 8446 appendix C.4: so that nobody sees by it who comes again).
    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        let now = self.now();
        let mut kept = self.kept();
        if !kept.usable.contains(&now) {
            *kept = Kept::default();
        }
        kept.tickets.pop_back()
    }
}
