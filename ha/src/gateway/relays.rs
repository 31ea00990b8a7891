//! The gateway between the fallback's connections and the home agent: which relay is open, and who has registered by it.

use std::sync::Arc;

use service::config::{ConfigError, Located};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use super::{Gateway, GatewayError};
use crate::config::Config;
use crate::fallback::{self, FallbackCounters, OpenRelays, RelayEvent, Surroundings};

/// The fallback as the gateway has it; without one it says nothing.
#[derive(Default)]
pub(super) struct GatewayRelays {
    events: Option<mpsc::Receiver<RelayEvent>>,
    open: OpenRelays,
    pub(super) counters: Option<Arc<FallbackCounters>>,
}

impl GatewayRelays {
    /// The next word of a connection; for ever none where there is no fallback.
    pub(super) async fn next(&mut self) -> Option<RelayEvent> {
        match &mut self.events {
            Some(events) => events.recv().await,
            None => None,
        }
    }
}

/// Listens as the configuration says. Gives what serves the connections.
pub(super) async fn start(
    config: &Located<Config>,
    gateway: &mut Gateway,
) -> Result<Option<impl Future<Output = ()> + Send + use<>>, GatewayError> {
    let Some(section) = &config.fallback else { return Ok(None) };
    let acceptor = acceptor(config)?;
    let listeners = fallback::listen(&section.listen).await.map_err(GatewayError::Fallback)?;
    let (events, queue) = fallback::events();
    let counters = Arc::new(FallbackCounters::default());
    let udp = config.listen.clone().into();
    gateway.relays = GatewayRelays { events: Some(queue), open: OpenRelays::default(), counters: Some(counters.clone()) };
    let around = Surroundings { acceptor, udp, events, counters };
    tracing::info!(listen = ?section.listen, "mobile nodes whose network blocks UDP are served over TLS");
    Ok(Some(fallback::serve(listeners, section.connections.into(), around)))
}

/// With the certificate that the HAC knows the home agent by: its name is what mobile nodes verify.
fn acceptor(config: &Located<Config>) -> Result<TlsAcceptor, ConfigError> {
    let Config { certificate, key, .. } = &**config;
    let chain = net::tls::load_certificates(&config.resolve(certificate));
    let chain = chain.map_err(|error| config.refused_file(certificate, error))?;
    let loaded = net::tls::load_key(&config.resolve(key)).map_err(|error| config.refused_file(key, error))?;
    let server = net::tls::server(chain, loaded).map_err(|error| config.refused_file(certificate, error))?;
    Ok(TlsAcceptor::from(server.config))
}

impl Gateway {
    /// First the home agent knows what the relay's address means, and then it passes on.
    pub(super) fn handle_relay(&mut self, event: RelayEvent) {
        match event {
            RelayEvent::Opened { relay, remote, standing } => {
                self.home_agent.handle_relay_opened(relay, remote);
                self.relays.open.open(relay, standing);
            }
            RelayEvent::Closed { relay } => {
                self.relays.open.close(relay);
                self.home_agent.handle_relay_closed(relay);
            }
        }
    }

    /// Tells relays whose nodes have registered.
    pub(super) fn bind_relays(&mut self) {
        while let Some((relay, node)) = self.home_agent.poll_relay_bound() {
            self.relays.open.bind(relay, node);
        }
    }
}
