//! `ha`: see the library's [`ha::cli`].

use clap::Parser;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    service::logging::init();
    ha::cli::run(ha::cli::Arguments::parse()).await.map_err(|error| anyhow::anyhow!(error))
}
