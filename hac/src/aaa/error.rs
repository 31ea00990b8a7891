//! Why a run with a AAA server has no answer.

use std::io;
use std::time::Duration;

use super::attribute::Kind;
use super::packet::TooLong;
use super::pool::MAX_IN_FLIGHT;

/// Why [`Conversation::ask`](super::Conversation::ask) has no answer. The run cannot go on, save after the mobile node's own
/// mistakes.
#[derive(Debug, thiserror::Error)]
pub enum AaaError {
    /// No authentic answer within the limit: 504.
    #[error(
        "the AAA server {server} did not answer in {limit:?}; {dropped} of its replies were dropped meanwhile{}",
        advice(*.over_tls, *.dropped)
    )]
    Silent {
        /// Its name.
        server: String,
        /// Whether a connection stands.
        over_tls: bool,
        /// How long it had.
        limit: Duration,
        /// Replies from it that were dropped in this time, whichever request they were for.
        dropped: u64,
    },
    /// No connection to it within the limit, or none that it has answered on: 504.
    #[error("no connection to the AAA server {server} was of use in {limit:?}: {reason}")]
    Unreachable {
        /// Its name.
        server: String,
        /// How long there was.
        limit: Duration,
        /// Why the last one was not, and what to do.
        reason: String,
    },
    /// As many requests as there may be wait for the server's answers: 503.
    #[error("{MAX_IN_FLIGHT} requests wait for answers of the AAA server {server}: try again")]
    Busy {
        /// Its name.
        server: String,
    },
    /// The system gives no socket: 503.
    #[error("cannot open a socket to the AAA server {server}: {source}; are there file descriptors and a route left?")]
    Socket {
        /// Its name.
        server: String,
        /// What the system says.
        source: io::Error,
    },
    /// An authentic reply that leads nowhere: 500. The same would come again.
    #[error("the AAA server {server} answered what the RFCs do not allow: {unusable}; look into its configuration")]
    Unusable {
        /// Its name.
        server: String,
        /// What.
        unusable: Unusable,
    },
    /// The mobile node's EAP packet is no response to the last request: 400. The run can go on.
    #[error("the EAP packet is no response with the identifier of the last request")]
    NotAResponse,
    /// The mobile node's EAP identity cannot be a User-Name: 400. The run can go on.
    #[error("the EAP identity has {0} octets, a User-Name has 1 to 253")]
    Identity(usize),
    /// The mobile node's EAP packet does not fit into a request: 400. The run can go on.
    #[error("the EAP packet does not fit into a RADIUS packet of 4,096 octets: smaller fragments do")]
    TooLong(#[from] TooLong),
}

/// A server drops a request without a word where the secret is another (RFC 3579 section 3.2).
fn advice(over_tls: bool, dropped: u64) -> &'static str {
    if over_tls {
        ": the connection to it stands; does it know this HAC as a client, and do those answer whom it asks in turn?"
    } else if dropped == 0 {
        ": is it running, does it know this HAC as a client, with the same secret?"
    } else {
        ": does it have the same secret, and does it send Message-Authenticator with every reply?"
    }
}

/// What is wrong with a reply that is authentic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It answers accounting.
    #[error("an Accounting-Response, which decides nothing about access")]
    NoDecision,
    /// RFC 3579 section 3.1.
    #[error("EAP-Messages with another attribute between them")]
    EapApart,
    /// An Access-Challenge without an EAP request (RFC 3579 section 2.6.3), or with one of a wrong length: nothing to pass on,
    /// and no decision.
    #[error("an Access-Challenge without a sound EAP request")]
    NoRequest,
    /// Which of several holds is anybody's guess.
    #[error("attribute {} several times", .0.0)]
    Repeated(Kind),
    /// A packet with such an attribute MUST be treated as an Access-Reject or be discarded (RFC 2865 section 5).
    #[error("attribute {} with a wrong length or value", .0.0)]
    Value(Kind),
}

/// Why there is no client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// None, or more than there may be.
    #[error("{given} AAA servers are configured: from 1 to {most} can be")]
    Servers {
        /// How many.
        given: usize,
        /// How many there may be.
        most: usize,
    },
    /// A secret of no octets (RFC 2865 section 3).
    #[error("the secret of the AAA server {0} is empty: give the one that its list of clients has for this HAC")]
    EmptySecret(String),
    /// RFC 3579 section 3 wants it, RFC 2865 section 5 bounds it.
    #[error("the NAS-Identifier has {0} octets: 1 to 253 are allowed")]
    NasIdentifier(usize),
    /// A time that does not work.
    #[error("the time {name} is {given:?}: it must be above zero{}", upper_bound(*.most))]
    Time {
        /// Which.
        name: &'static str,
        /// As given.
        given: Duration,
        /// The most, where there is one.
        most: Option<Duration>,
    },
}

fn upper_bound(most: Option<Duration>) -> String {
    most.map_or_else(String::new, |most| format!(" and at most {most:?}"))
}
