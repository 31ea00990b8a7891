//! The program `mn`. Everything is in the library; this ends with an error that a person can act on.

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    service::logging::init();
    match mn::cli::run(mn::cli::Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mn: {error}");
            ExitCode::FAILURE
        }
    }
}
