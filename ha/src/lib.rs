//! Home agent (RFC 6618 section 6; RFC 6275 section 10).
//!
//! - [`home_agent`], [`registration`], [`path_check`], [`renewal`], [`binding_cache`], [`sa_store`], [`deliveries`], [`unreported`], [`sessions`],
//!   [`bound_addresses`]: pure; what is decided is decided here.
//! - [`feed_client`]: the subscription to the HAC, from which security associations come.
//! - [`routes`]: what the kernel routes into the tunnels; [`own_addresses`]: what it delivers to this host.
//! - [`home_link`]: a real home link, where this host answers for nodes that are away.
//! - [`fallback`]: nodes whose network lets no UDP through, over TLS.
//! - [`gateway`]: the process around them: device, sockets, threads and the bridge between threads and tokio.
//! - [`cli`]: the command line; `control` is what it asks, `report` what it is told.
#![forbid(unsafe_code)]

pub mod binding_cache;
pub mod bound_addresses;
pub mod cli;
pub mod config;
mod control;
pub mod deliveries;
pub mod fallback;
pub mod feed_client;
pub mod gateway;
pub mod home_agent;
pub mod home_link;
pub mod own_addresses;
pub mod path_check;
pub mod registration;
pub mod renewal;
mod report;
pub mod routes;
pub mod sa_store;
pub mod sessions;
pub mod unproved;
pub mod unreported;
