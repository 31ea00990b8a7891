//! The program `hac`. Everything is in the library; this ends with an error that a person can act on.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match hac::cli::run(hac::cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(hac::cli::CliError::Told) => ExitCode::from(service::outcome::FAILED),
        Err(error) => service::outcome::failure("hac", &error, false),
    }
}
