//! What needs more than one role: the lab with real programs in network namespaces, the simulated world, the schema of `--json`,
//! what may not stand in a log.

pub mod figures;
pub mod fuzz;
pub mod lab;
pub mod link;
pub mod schema;
pub mod secrets;
pub mod sim;
pub mod super_packet;
