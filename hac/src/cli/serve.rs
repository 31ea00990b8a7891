//! `hac serve`.

use std::path::Path;

use super::{CliError, open_store};
use crate::serve::{self, ServeError};

pub(super) fn run(config: &Path) -> Result<(), CliError> {
    service::logging::init();
    let config = crate::config::load(config)?;
    let store = open_store(&config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CliError::Runtime)?;
    runtime.block_on(async {
        let shutdown = service::shutdown::requested().map_err(ServeError::Signals)?;
        let running = serve::start(&config, store).await?;
        tracing::info!(
            name = config.name,
            mobile_nodes = ?running.mobile_nodes(),
            home_agents = %running.home_agents(),
            control = %config.resolve(&config.control_socket).display(),
            "the home agent controller serves"
        );
        let asked = async {
            let signal = shutdown.await;
            tracing::info!(signal, "the home agent controller stops");
        };
        Ok(running.until(asked).await?)
    })
}
