//! The mobile node: bootstraps at the HAC, binds at the home agent, roams.
//!
//! Pure: [`mobile_node`] and the machines that it owns ([`bootstrap`], [`movement`] by [`address_selection`], [`avoided`], [`handover`],
//! [`binding_update_list`] with its [`update_rate`], [`path_check`], [`keepalive`] with what it has learnt ([`mapping_lifetime`]),
//! [`flight_recorder`], [`uplink`], [`home_link`], [`silence`], [`superseded`], [`fallback_policy`]).
//! Around them: [`runtime`], the one bridge to the HAC ([`hac_client`]), the kernel ([`link_monitor`], [`next_hop`], [`routes`], [`clock`],
//! [`resume`], which notices sleep, [`local_networks`], [`leak_guard`], kept by [`upkeep`]), the host's resolver
//! ([`dns`]), what stands for IPv4 in networks without it ([`nat64`]) and the worker threads ([`tunnel_device`]), and to the home agent over TLS ([`fallback`]); and the command line
//! ([`cli`]).
#![forbid(unsafe_code)]

pub mod address_selection;
pub mod avoided;
pub mod binding_messages;
pub mod binding_update_list;
pub mod bootstrap;
pub mod captive_portal;
pub mod cli;
pub mod clock;
pub mod config;
pub mod credentials;
pub mod dns;
#[cfg(feature = "lab")]
mod esp_sa;
pub mod fallback;
pub mod fallback_policy;
#[cfg(test)]
mod fixture;
pub mod flight_recorder;
pub mod granted;
pub mod hac_client;
pub mod handover;
pub mod home_link;
pub mod keepalive;
pub mod leak_guard;
pub mod link_monitor;
pub mod local_networks;
pub mod mapping_lifetime;
pub mod mobile_node;
pub mod mobile_router;
pub mod movement;
pub mod nat64;
pub mod next_hop;
pub mod path_check;
pub mod path_mtu;
pub mod reachability;
pub mod resume;
pub mod routes;
pub mod runtime;
mod search_path;
pub mod silence;
pub mod status;
pub mod superseded;
mod system_bus;
pub mod tunnel_device;
pub mod update_rate;
pub mod upkeep;
pub mod uplink;
