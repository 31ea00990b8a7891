//! The program `mn`.

use clap::Parser;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    service::logging::init();
    Ok(mn::cli::run(mn::cli::Arguments::parse()).await?)
}
