//! Tracing to standard error. Called once, first, by each program.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// The environment variable with the filter, such as `debug` or `info,ha=debug`.
pub const FILTER_VARIABLE: &str = "HALTSEC_LOG";

/// Starts logging at the level that [`FILTER_VARIABLE`] names, INFO by default. A second call changes nothing.
pub fn init() {
    let filter =
        EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).with_env_var(FILTER_VARIABLE).from_env_lossy();
    let colours = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    let started = log.try_init();
    if started.is_err() {
        tracing::debug!("logging runs already");
    }
}
