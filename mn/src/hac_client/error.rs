//! Why a run of MHAuth gave no grant, said to the person who must act.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use net::tls::{self, TlsError};
use protocol::eap::{EapError, MethodError, TlsFailure};
use protocol::mhauth::initiator::Failure;
use protocol::mhauth::{Rejection, Status};

use super::discovery::DiscoveryError;

/// What a HAC may ask for with `retry-after` (profile section 1).
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// How many addresses a message names with the reason of each.
const NAMED: usize = 8;

/// Why a run gave no grant.
#[derive(Debug, thiserror::Error)]
pub enum HacError {
    /// No address was found.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// None of the addresses gave a grant.
    #[error(transparent)]
    Tried(#[from] Tried),
    /// No TCP connection.
    #[error("cannot reach the HAC at {address}: {}; is it running, and does the network let TCP through?", without(source, *address))]
    Connect {
        /// Where it was tried.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// TLS failed, or the certificate is not the HAC's.
    #[error("the HAC at {address} was not trusted: {}", tls::explain_handshake(source))]
    Tls {
        /// Who it was.
        address: SocketAddr,
        /// What is wrong with it.
        source: io::Error,
    },
    /// Neither a key nor EAP.
    #[error("this node has nothing to authenticate with: write `psk-file` in [identity], or a section [eap]")]
    NoCredentials,
    /// The certificate gives no channel binding.
    #[error("the HAC's certificate cannot be bound to: {0}")]
    Binding(#[from] tls::EndPointError),
    /// The trust anchors cannot be used.
    #[error(transparent)]
    Configuration(#[from] TlsError),
    /// The connection broke.
    #[error("the connection to the HAC broke: {0}")]
    Broken(#[from] io::Error),
    /// It did not answer in time.
    #[error("the HAC did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// Nothing is left of the grant by this node's clock, since so long.
    #[error("the granted association ended {} s ago by this node's clock: set the clock (the HAC does not tell its own)", .0.as_secs())]
    Ended(Duration),
    /// It was not asked, since it had asked for a pause of which so much is left.
    #[error("the HAC was busy (503) and asked to be left alone for another {} s", .0.as_secs().max(1))]
    Paused(Duration),
    /// MHAuth ended without a grant.
    #[error("{}", explain(.0))]
    Failure(#[from] Failure),
}

impl HacError {
    /// Whether trying again without a change of configuration is of no use. What whoever is on the way can make never is: a TLS
    /// that fails says nothing about the HAC.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Binding(_) | Self::Configuration(_) | Self::NoCredentials => true,
            Self::Failure(_) => self.is_verdict(),
            Self::Tried(tried) => tried.counted().count() > 0 && tried.counted().all(|failed| failed.error.is_final()),
            Self::Discovery(_)
            | Self::Connect { .. }
            | Self::Tls { .. }
            | Self::Broken(_)
            | Self::TimedOut(_)
            | Self::Ended(_)
            | Self::Paused(_) => false,
        }
    }

    /// When the HAC asked this node to come again: at least a second, at most an hour. Of several addresses the earliest time, if
    /// each of them has said so.
    pub fn retry_after(&self, wall: SystemTime) -> Option<Duration> {
        let pause = match self {
            Self::Failure(Failure::Refused { retry_after, .. }) => (*retry_after)?.duration_since(wall).unwrap_or_default(),
            Self::Paused(left) => *left,
            Self::Tried(tried) => {
                let pauses: Option<Vec<_>> = tried.counted().map(|failed| failed.error.retry_after(wall)).collect();
                pauses?.into_iter().min()?
            }
            Self::Discovery(_)
            | Self::Connect { .. }
            | Self::Tls { .. }
            | Self::Binding(_)
            | Self::Configuration(_)
            | Self::Broken(_)
            | Self::TimedOut(_)
            | Self::Ended(_)
            | Self::NoCredentials
            | Self::Failure(Failure::Rejected(_) | Failure::Eap(_)) => return None,
        };
        Some(pause.clamp(SHORTEST_PAUSE, LONGEST_PAUSE))
    }

    /// Whether a HAC that was trusted has decided, so that the others would say the same: who this node is and what it may have
    /// stands in one database. A refusal that is not authenticated is a hint and decides nothing (profile section 2).
    pub(super) fn is_verdict(&self) -> bool {
        match self {
            Self::Failure(Failure::Rejected(_)) => true,
            Self::Failure(Failure::Refused { status, authenticated, .. }) => {
                *authenticated && matches!(status, Status::Malformed | Status::NotAuthenticated | Status::NotImplemented)
            }
            Self::Ended(_) | Self::Configuration(_) | Self::NoCredentials => true,
            Self::Discovery(_)
            | Self::Failure(Failure::Eap(_))
            | Self::Tried(_)
            | Self::Connect { .. }
            | Self::Tls { .. }
            | Self::Binding(_)
            | Self::Broken(_)
            | Self::TimedOut(_)
            | Self::Paused(_) => false,
        }
    }

    /// Whether nothing was sent, since this host has no network of that family: it says nothing about the HAC.
    fn is_without_network(&self) -> bool {
        let kinds = [io::ErrorKind::NetworkUnreachable, io::ErrorKind::AddrNotAvailable];
        matches!(self, Self::Connect { source, .. } if kinds.contains(&source.kind()))
    }

    /// How much it says about what is wrong, beside the others of a run.
    fn weight(&self) -> u8 {
        match self {
            Self::Failure(_) | Self::Ended(_) | Self::Paused(_) => 4,
            Self::Tls { .. } | Self::Binding(_) | Self::Configuration(_) | Self::NoCredentials => 3,
            Self::Broken(_) | Self::TimedOut(_) => 2,
            Self::Connect { .. } if !self.is_without_network() => 1,
            Self::Connect { .. } | Self::Discovery(_) | Self::Tried(_) => 0,
        }
    }

    /// In brief, behind the address.
    fn brief(&self) -> String {
        match self {
            Self::Connect { address, source } => without(source, *address),
            Self::Tls { source, .. } => format!("not trusted: {}", tls::explain_handshake(source)),
            Self::TimedOut(limit) => format!("no answer within {} s", limit.as_secs()),
            Self::Discovery(_)
            | Self::Tried(_)
            | Self::Binding(_)
            | Self::Configuration(_)
            | Self::NoCredentials
            | Self::Broken(_)
            | Self::Ended(_)
            | Self::Paused(_)
            | Self::Failure(_) => self.to_string(),
        }
    }
}

/// What became of each address that a run tried.
#[derive(Debug, Default)]
pub struct Tried(Vec<Failed>);

#[derive(Debug)]
struct Failed {
    address: SocketAddr,
    error: HacError,
}

impl std::error::Error for Tried {}

impl Tried {
    /// `address` gave no grant.
    pub(super) fn push(&mut self, address: SocketAddr, error: HacError) {
        self.0.push(Failed { address, error });
    }

    /// Those that were asked: an address of a family that this host has no network of neither ends a run nor keeps it going.
    fn counted(&self) -> impl Iterator<Item = &Failed> {
        self.0.iter().filter(|failed| !failed.error.is_without_network())
    }
}

impl fmt::Display for Tried {
    /// First the one that says most, with its remedy; then the others in brief.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut failures: Vec<_> = self.0.iter().collect();
        failures.sort_by_key(|failed| std::cmp::Reverse(failed.error.weight()));
        match failures.as_slice() {
            [] => write!(f, "the HAC has no address"),
            [Failed { address, error }] => write_named(f, *address, error),
            [Failed { error: HacError::Connect { .. }, .. }, ..] => {
                write!(f, "cannot reach the HAC at any of its addresses: ")?;
                write_briefly(f, &failures)?;
                write!(f, "; is it running, and does the network let TCP through?")
            }
            [Failed { address, error }, others @ ..] => {
                write_named(f, *address, error)?;
                write!(f, "; its other addresses: ")?;
                write_briefly(f, others)
            }
        }
    }
}

fn write_named(f: &mut fmt::Formatter<'_>, address: SocketAddr, error: &HacError) -> fmt::Result {
    let text = error.to_string();
    if text.contains(&address.to_string()) { write!(f, "{text}") } else { write!(f, "{text} (it is at {address})") }
}

fn write_briefly(f: &mut fmt::Formatter<'_>, failures: &[&Failed]) -> fmt::Result {
    for (number, failed) in failures.iter().take(NAMED).enumerate() {
        let separator = if number == 0 { "" } else { ", " };
        write!(f, "{separator}{} ({})", failed.address, failed.error.brief())?;
    }
    match failures.len().saturating_sub(NAMED) {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}

/// The reason without the address, which stands before it.
fn without(source: &io::Error, address: SocketAddr) -> String {
    let text = source.to_string();
    text.strip_prefix(&format!("cannot connect to {address}: ")).map(ToOwned::to_owned).unwrap_or(text)
}

fn explain(failure: &Failure) -> String {
    match failure {
        Failure::Rejected(Rejection::WrongAuth) => "the HAC does not know this node by this key: check `nai` and the key file \
             in [identity], and `profile` in [policy], against what `hac subscriber add` wrote, and with the operator whether the \
             subscriber is enabled (or someone stands between the two ends of TLS)"
            .to_owned(),
        Failure::Refused { status: Status::NotAuthenticated, authenticated: true, .. } => {
            "the HAC refused this node (401): check `nai` and the key file in [identity], and with the operator whether the \
             subscriber is enabled"
                .to_owned()
        }
        Failure::Refused { status: Status::Unavailable, .. } => {
            "the HAC cannot serve this node now (503): no home agent is connected to it, its pools are used up, or too many attempts \
             under this name or from this address have failed within a minute"
                .to_owned()
        }
        Failure::Refused { status: Status::NotImplemented, .. } => format!(
            "{failure}; the HAC has nothing in common with this node: ask the operator how nodes of this realm authenticate and which \
             cipher suites there are, and check `methods` in [identity] and `suites` in [policy]"
        ),
        Failure::Refused { status: Status::GatewayTimeout, .. } => {
            "the AAA server did not answer the HAC (504): this node tries again by itself; if that lasts, ask the operator to look at \
             the log of the HAC"
                .to_owned()
        }
        Failure::Eap(error) => format!("EAP failed: {error}; {}", remedy(*error)),
        Failure::Rejected(_) | Failure::Refused { .. } => failure.to_string(),
    }
}

fn remedy(error: EapError) -> &'static str {
    match error {
        EapError::Method(_, MethodError::Tls(TlsFailure::OwnCertificate)) => {
            "ask the operator for a certificate that is valid, and check `certificate` and `key` in [eap]"
        }
        EapError::Method(_, MethodError::Tls(_)) => {
            "check `ca` and `server-name` in [eap] against the EAP server's certificate: nothing was told to it"
        }
        EapError::Failure | EapError::Method(_, MethodError::WrongCredentials | MethodError::Refused) => {
            "check `nai`, and the password, key or certificate in [eap], and with the operator whether the subscriber is enabled"
        }
        EapError::NoCommonMethod => "ask the operator which EAP methods there are, and name one in `methods` in [eap]",
        EapError::Malformed
        | EapError::Identifier
        | EapError::EarlySuccess
        | EapError::OutOfPlace(_)
        | EapError::TooManyRequests
        | EapError::Identity
        | EapError::Method(..) => "ask the operator to look at the log of the HAC and of its EAP server",
    }
}

#[cfg(test)]
mod tests;
