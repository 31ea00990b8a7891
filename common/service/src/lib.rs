//! What `hac`, `ha` and `mn` share at their edge, and nothing of the protocol.
//!
//! - [`config`]: a TOML file into a type, with errors for the person who edits the file.
//! - [`logging`]: tracing to standard error.
//! - [`control`]: the Unix-domain socket between a program's command line and its running instance.
//! - [`shutdown`]: the signals that end a program.
#![forbid(unsafe_code)]

pub mod config;
pub mod control;
pub mod logging;
pub mod shutdown;
