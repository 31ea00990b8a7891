//! What needs more than one role: the lab with real programs in network namespaces.

pub mod fuzz;
pub mod lab;
pub mod sim;
