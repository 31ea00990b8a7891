//! The HAC's session tickets (RFC 8446 section 4.6.1): a mobile node that was here before need not be shown the certificate again.
//!
//! The keys are drawn with the server, live nowhere else and are drawn anew every six hours. So a ticket is of use to this process
//! and under this certificate alone, and what it was issued under is what MHAuth is bound to. Whatever is wrong with a ticket costs
//! a full handshake and nothing else. TLS 1.2 has no tickets here, since its resumption exchanges no keys (`docs/why/tickets.md`).

use std::sync::Arc;
use std::time::Duration;

use rustls::ProtocolVersion;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ProducesTickets;
use rustls::time_provider::TimeProvider;
use zeroize::Zeroizing;

use super::{TlsError, end_point};

/// A ticket holds at most so long (RFC 8446 section 4.6.1 allows seven days).
const LIFETIME: Duration = Duration::from_secs(12 * 3600);
/// Tickets for each connection: one for the next. A second one would cost more octets than a full handshake now and then.
pub(super) const PER_CONNECTION: usize = 1;

/// When a ticket was issued, before what rustls keeps in it.
const DATE_LEN: usize = size_of::<u64>();

/// Issues and opens the tickets of one server.
#[derive(Debug)]
pub(super) struct Tickets {
    sealing: Arc<dyn ProducesTickets>,
    not_after: UnixTime,
    time: Arc<dyn TimeProvider>,
}

impl Tickets {
    /// For a server that shows `chain`: no ticket outlives a certificate of it.
    ///
    /// # Errors
    /// A certificate cannot be read; no keys can be drawn.
    pub(super) fn new(chain: &[CertificateDer<'_>], time: Arc<dyn TimeProvider>) -> Result<Self, TlsError> {
        Ok(Self { sealing: Ticketer::new().map_err(TlsError::Setup)?, not_after: end_point::end(chain)?, time })
    }

    /// How long a ticket issued now would hold, in seconds; `None` where it would not.
    fn left(&self, now: UnixTime) -> Option<u64> {
        let left = self.not_after.as_secs().saturating_sub(now.as_secs()).min(LIFETIME.as_secs());
        (left > 0).then_some(left)
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    /// Asked after [`Self::encrypt`] has issued one. Never 0, which means "at once" to some and "ever" to others.
    fn lifetime(&self) -> u32 {
        let left = self.time.current_time().and_then(|now| self.left(now));
        left.and_then(|left| u32::try_from(left).ok()).unwrap_or(1)
    }

    fn encrypt(&self, session: &[u8]) -> Option<Vec<u8>> {
        let now = self.time.current_time()?;
        self.left(now)?;
        if version_of(session)? != ProtocolVersion::TLSv1_3 {
            return None;
        }
        let mut dated = Zeroizing::new(Vec::with_capacity(DATE_LEN + session.len()));
        dated.extend(now.as_secs().to_be_bytes());
        dated.extend(session);
        self.sealing.encrypt(&dated)
    }

    /// The age is looked at here, since keys that nobody asks for are not drawn anew in time.
    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let now = self.time.current_time()?;
        self.left(now)?;
        let dated = Zeroizing::new(self.sealing.decrypt(ticket)?);
        let (issued, session) = dated.split_first_chunk::<DATE_LEN>()?;
        let age = now.as_secs().checked_sub(u64::from_be_bytes(*issued))?;
        (age < LIFETIME.as_secs()).then(|| session.to_vec())
    }
}

/// The version of a session as rustls writes it: whether there is a server name, its length and octets, then the version.
fn version_of(session: &[u8]) -> Option<ProtocolVersion> {
    let (named, rest) = session.split_first()?;
    let rest = match named {
        0 => rest,
        _ => rest.split_first().and_then(|(len, rest)| rest.get(usize::from(*len)..))?,
    };
    rest.first_chunk().map(|version| ProtocolVersion::from(u16::from_be_bytes(*version)))
}
