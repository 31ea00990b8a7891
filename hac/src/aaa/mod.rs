//! Asks AAA servers over RADIUS: what a HAC needs as the authenticator that EAP runs pass through (RFC 2865, RFC 3579), and tells others of
//! sessions (RFC 2866). `session` begins a [`Conversation`] for a mobile node of a realm that is authenticated elsewhere;
//! [`crate::accounting`] tells of an [`Account`]. What servers ask of the HAC is in [`crate::dynamic_authorization`].
//!
//! One run, in order:
//! 1. [`Client::begin`] numbers the run, [`Conversation::ask`] takes the mobile node's EAP response: `eap` reads its header,
//!    `request` writes it with who asks into attributes (`attribute`, `packet`).
//! 2. `server` begins the request in its `pool`, on a `port` with a free identifier (`waiting`): there it gets 16 random octets
//!    as Request Authenticator, Message-Authenticator as its first attribute, and is sent. Over UDP (`port/udp`) again after 2 s,
//!    4 s … (`retransmission`); over TLS (`port/tls`) anew on another connection where one breaks, with growing waits (`attempts`).
//! 3. A packet from the server, over TLS cut out of what comes (`frames`), is given to whom its identifier is for, and verified
//!    (`reply`, `digest`): Message-Authenticator once and right in every reply, then Response Authenticator. All else is dropped
//!    and counted (`counts`), and the request waits on.
//! 4. `answer` reads the authentic reply: the next EAP request, whose State goes back with the next round to the same server;
//!    access, with the MSK that `mppe` unhides; or none.
//! 5. A server that says nothing to anybody for 10 s is dead (`health`): first rounds go to the next one, and Status-Server (RFC
//!    5997) asks whether it is back.
//!
//! Accounting goes the same way from step 2 (`accounting`, `servers`): its requests and replies are proved by MD5 over all of them, and a
//! reply says nothing but that it is one.
//!
//! RADIUS over UDP hides keys under MD5 and the secret alone, and hides no names: between the HAC and its servers belongs TLS (RFC
//! 6614), a network of their own, or IPsec.

mod accounting;
mod answer;
mod attempts;
pub(crate) mod attribute;
mod client;
mod conversation;
mod counts;
pub(crate) mod digest;
mod eap;
mod error;
mod frames;
mod health;
mod mppe;
pub(crate) mod packet;
mod peer;
mod pool;
mod port;
mod reply;
mod request;
mod retransmission;
mod server;
mod servers;
mod transport;
mod waiting;

pub use accounting::{Account, AccountStatus, AccountingClient, TerminateCause};
pub(crate) use answer::prefix;
pub use answer::{Accept, Answer, MAX_CLASSES, SHORTEST_INTERIM};
pub use attribute::Kind;
pub use client::{Client, ClientConfig, MAX_LIMIT, MAX_SERVERS, SERVERS_PER_RUN, ServerStatus, Timings};
pub use conversation::Conversation;
pub use error::{AaaError, ConfigError, Unusable};
pub use frames::{Frames, WrongLength};
pub use packet::{Attributes, Authenticator, Malformed, TooLong};
pub use peer::ServerConfig;
pub use pool::{MAX_IN_FLIGHT, MAX_SOCKETS};
pub use reply::{Awaited, Decision, Dropped, Reply, Service, verify};
pub use transport::{TlsServer, Transport};
