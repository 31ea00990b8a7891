//! What the control socket answers: `hac status`.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use service::control::{ControlSocket, Request};

use crate::aaa::{AccountingClient, ServerStatus};
use crate::dynamic_authorization::Counts;
use crate::server::MobileNodes;
use crate::store::{Store, StoreError};

/// Whose state is shown.
#[derive(Clone)]
pub(super) struct Shown {
    pub(super) shared: Arc<MobileNodes>,
    pub(super) accounting: Option<Arc<AccountingClient>>,
    pub(super) dynamic_authorization: Option<Arc<Counts>>,
}

/// Answers until the future is dropped.
pub(super) async fn serve(control: ControlSocket, shown: Shown) {
    let since = Instant::now();
    let handler = move |request: Request| {
        let shown = shown.clone();
        async move {
            match request.request.as_str() {
                "status" => shown.status(since.elapsed()).await.map_err(|error| error.to_string()),
                other => Err(format!("unknown request \"{other}\": the HAC answers \"status\"")),
            }
        }
    };
    control.serve(handler).await;
}

impl Shown {
    async fn status(&self, uptime: Duration) -> Result<Value, StoreError> {
        let read = |store: &mut dyn Store| Ok::<_, StoreError>((store.counts(SystemTime::now())?, store.revision()?));
        let (counts, revision) = self.shared.store.run(read).await??;
        Ok(json!({
            "running": true,
            "uptime_seconds": uptime.as_secs(),
            "subscribers": counts.subscribers,
            "home_agents": counts.home_agents,
            "associations": counts.live_sas,
            "revision": revision.0,
            "connected": self.connected(),
            "sessions": self.shared.results.snapshot(),
            "aaa_servers": servers(self.shared.aaa.iter().flat_map(|client| client.status())),
            "accounting_servers": servers(self.accounting.iter().flat_map(|client| client.status())),
            "waiting_sessions": counts.waiting_sessions,
            "dynamic_authorization": self.dynamic_authorization.as_ref().map(|counts| counts.snapshot()),
        }))
    }

    fn connected(&self) -> Vec<Value> {
        let connected = self.shared.registry.connected().into_iter();
        connected.map(|connected| json!({ "name": connected.name, "acknowledged": connected.acknowledged.0 })).collect()
    }
}

fn servers(all: impl Iterator<Item = ServerStatus>) -> Vec<Value> {
    let one = |server: ServerStatus| {
        json!({
            "name": server.name,
            "transport": server.transport,
            "tls_version": server.tls_version,
            "alive": server.is_alive,
            "counts": server.counts,
        })
    };
    all.map(one).collect()
}
