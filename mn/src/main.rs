//! The program `mn`. Everything is in the library; this ends with an error that a person can act on.

use std::process::ExitCode;

use clap::Parser;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    service::logging::init();
    let arguments = mn::cli::Arguments::parse();
    let json = arguments.wants_json();
    mn::cli::run(arguments).await.unwrap_or_else(|error| service::outcome::failure("mn", &error, json))
}
