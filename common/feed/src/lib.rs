//! The feed of security associations from Home Agent Controller to home agent: gRPC over mutual TLS, the home agent as the
//! client. No document defines it; `proto/feed.proto` does.
//!
//! - [`message`]: what is said, in the protocol's types; conversion from and to the generated code checks every length.
//! - [`client`]: the home agent's end.
//! - [`server`]: the HAC's end; hands each authenticated subscription to a [`server::SubscriptionHandler`].
//! - [`peer`]: a home agent's name from its certificate.
//!
//! Key octets are wiped when a message or a [`protocol::sa::SecurityAssociation`] is dropped; the buffers of HTTP/2 and TLS
//! below are not within reach and are not wiped (docs/why/feed.md).
#![forbid(unsafe_code)]

pub mod client;
mod convert;
pub mod message;
pub mod peer;
mod proto;
pub mod server;
mod tls;

pub use client::FeedClient;
pub use message::{
    Answer, Change, FromHa, FromHac, Hello, MessageError, Provisioned, REGISTERED_PART, SessionEnd, SessionReport, USAGE_PART,
    Welcome,
};
pub use server::{Refusal, Subscription, SubscriptionEnded, SubscriptionHandler};
pub use tls::{TlsFiles, TlsFilesError};
