//! What needs more than one role: the lab with real programs in network namespaces, the simulated world, the schema of `--json`.

pub mod fuzz;
pub mod lab;
pub mod schema;
pub mod sim;
