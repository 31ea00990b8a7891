//! The mobile node.
//!
//! Pure: [`mobile_node`] and the machines that it owns ([`bootstrap`], [`movement`], [`handover`], [`binding_update_list`]).

pub mod binding_update_list;
pub mod bootstrap;
pub mod granted;
pub mod handover;
pub mod mobile_node;
pub mod movement;
