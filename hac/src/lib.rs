//! The Home Agent Controller (RFC 6618): authenticates mobile nodes, provisions security associations, home agents and home
//! addresses to them, and feeds the same associations to the home agents.
//!
//! - [`session`]: one mobile node's run, without I/O; [`admission`] limits failures, [`provisioning`] decides what is given.
//! - [`store`]: what is kept, on disk and sealed.
//! - [`server`] drives sessions over TLS, as many as there are [`places`] for; [`feed`] sends associations to home agents; [`registry`] joins the two: a mobile
//!   node hears of an association only after its home agent has acknowledged it.
//! - [`authentication`] says how nodes of a realm authenticate; [`aaa`] asks RADIUS servers about those that are authenticated there;
//!   [`eap_server`] makes both from the configuration.
//! - [`accounting`] tells RADIUS servers of sessions; [`dynamic_authorization`] does what they ask for by themselves.
//! - [`serve`] starts all of it; [`config`] is `hac.toml`, [`check`] looks at what it leads to, [`cli`] is the command line.
#![forbid(unsafe_code)]

pub mod aaa;
pub mod aaa_servers;
pub mod accounting;
pub mod admission;
pub mod authentication;
pub mod check;
pub mod cli;
pub mod config;
pub mod dynamic_authorization;
pub mod eap_server;
pub mod feed;
pub mod places;
pub mod provisioning;
pub mod registry;
pub mod results;
pub mod serve;
pub mod server;
pub mod session;
pub mod store;
