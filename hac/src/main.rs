//! The program `hac`. Everything is in the library; this ends with an error that a person can act on.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = hac::cli::Cli::parse();
    let json = cli.wants_json();
    match hac::cli::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(hac::cli::CliError::Told) => ExitCode::from(service::outcome::FAILED),
        Err(error) => service::outcome::failure("hac", &error, json),
    }
}
