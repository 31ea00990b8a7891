//! `ha`: see the library's [`ha::cli`].

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    service::logging::init();
    let arguments = ha::cli::Arguments::parse();
    let json = arguments.wants_json();
    ha::cli::run(arguments).await.unwrap_or_else(|error| service::outcome::failure("ha", error.as_ref(), json))
}
