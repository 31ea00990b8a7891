//! The mobile node: bootstraps at the HAC, binds at the home agent, roams.
//!
//! Pure: [`mobile_node`] and the machines that it owns ([`bootstrap`], [`movement`], [`handover`],
//! [`binding_update_list`], [`silence`], [`superseded`]).
//! Around them: [`runtime`], the one bridge to the HAC ([`hac_client`]), the kernel ([`link_monitor`], [`routes`]) and the
//! worker threads ([`tunnel_device`]); and the command line ([`cli`]).
#![forbid(unsafe_code)]

pub mod binding_messages;
pub mod binding_update_list;
pub mod bootstrap;
pub mod cli;
pub mod config;
#[cfg(feature = "lab")]
mod esp_sa;
pub mod granted;
pub mod hac_client;
pub mod handover;
pub mod link_monitor;
pub mod mobile_node;
pub mod movement;
pub mod routes;
pub mod runtime;
pub mod silence;
pub mod status;
pub mod superseded;
pub mod tunnel_device;
