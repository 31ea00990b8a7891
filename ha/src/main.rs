//! `ha`: see the library's [`ha::cli`].

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    service::logging::init();
    match ha::cli::run(ha::cli::Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ha: {error}");
            ExitCode::FAILURE
        }
    }
}
