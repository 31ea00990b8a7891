//! What `hac`, `ha` and `mn` share at their edge, and nothing of the protocol.
//!
//! - [`config`]: a TOML file into a type, with errors for the person who edits the file.
//! - [`check`]: what `check-config` prints.
//! - [`outcome`]: exit codes, and errors for people and for scripts.
//! - [`logging`]: tracing to standard error.
//! - [`control`]: the Unix-domain socket between a program's command line and its running instance.
//! - [`shutdown`]: the signals that end a program.
//! - [`source`]: who connects, as far as an address tells.
#![forbid(unsafe_code)]

pub mod check;
pub mod config;
pub mod control;
pub mod logging;
pub mod outcome;
pub mod shutdown;
pub mod source;
