//! What `ha status` and `ha bindings` are told: the gateway's state as JSON, schema 1.

use std::time::{Duration, Instant, SystemTime};

use serde_json::{Map, Value, json};
use service::control::{ControlSocket, Request};
use tokio::sync::{mpsc, oneshot};

use crate::binding_cache::Binding;
use crate::gateway::Gateway;
use crate::workers::Workers;

/// The most bindings in one answer: at 250 octets each they fit in what the command line takes.
const MAX_BINDINGS: usize = 100_000;

/// A question on its way to the gateway.
#[derive(Debug)]
pub(crate) struct Question {
    kind: Kind,
    answer: oneshot::Sender<Value>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Status,
    Bindings,
}

impl Question {
    /// Answers from the gateway's state.
    pub(crate) fn answer(self, gateway: &Gateway) {
        let answer = match self.kind {
            Kind::Status => status(gateway),
            Kind::Bindings => bindings(gateway),
        };
        // Whoever asked may have gone.
        let _ = self.answer.send(answer);
    }
}

/// Serves the control socket with the gateway's answers.
pub(crate) async fn serve(socket: ControlSocket, questions: mpsc::Sender<Question>) {
    socket.serve(move |request| ask_gateway(questions.clone(), request)).await;
}

async fn ask_gateway(questions: mpsc::Sender<Question>, request: Request) -> Result<Value, String> {
    let kind = match request.request.as_str() {
        "status" => Kind::Status,
        "bindings" => Kind::Bindings,
        other => return Err(format!("unknown request \"{other}\": this home agent knows status and bindings")),
    };
    let (answer, answered) = oneshot::channel();
    let stopping = || "the home agent is stopping".to_owned();
    questions.send(Question { kind, answer }).await.map_err(|_| stopping())?;
    answered.await.map_err(|_| stopping())
}

fn status(gateway: &Gateway) -> Value {
    let feed = gateway.feed_state.borrow().clone();
    let (associations, reinit_only) = gateway.store.count();
    let (unsent, unwritten, receive_errors) = gateway.workers.as_ref().map(Workers::io).unwrap_or_default();
    let (sent, received) = (gateway.counters.sent(), gateway.counters.received());
    let drops: Map<String, Value> =
        gateway.counters.drops().map(|(reason, count)| (reason.label().to_owned(), json!(count))).collect();
    json!({
        "name": gateway.config.name,
        "uptime_seconds": gateway.started.elapsed().as_secs(),
        "listen": gateway.config.listen,
        "device": gateway.config.tunnel.device,
        "group": gateway.welcome.as_ref().map(|welcome| welcome.group.get()),
        "pools": gateway.welcome.as_ref().map(|welcome| welcome.pools.clone()).unwrap_or_default(),
        "feed": {
            "address": gateway.config.feed.address,
            "connected": feed.connected,
            "for_seconds": SystemTime::now().duration_since(feed.since).unwrap_or_default().as_secs(),
            "revision": feed.revision,
            "last_error": feed.last_error,
        },
        "security_associations": { "held": associations, "reinit_only": reinit_only },
        "bindings": gateway.home_agent.bindings().count(),
        "sent": { "packets": sent.0, "octets": sent.1 },
        "received": { "packets": received.0, "octets": received.1 },
        "drops": drops,
        "io": { "unsent": unsent, "unwritten": unwritten, "receive_errors": receive_errors },
    })
}

fn bindings(gateway: &Gateway) -> Value {
    let now = Instant::now();
    let listed: Vec<Value> = gateway.home_agent.bindings().take(MAX_BINDINGS).map(|binding| describe(binding, now)).collect();
    let count = gateway.home_agent.bindings().count();
    json!({ "count": count, "bindings": listed })
}

fn describe(binding: &Binding, now: Instant) -> Value {
    let left: Duration = binding.expires.saturating_duration_since(now);
    json!({
        "home": binding.home.iter().map(|home| home.0.to_string()).collect::<Vec<_>>(),
        "care_of": binding.care_of.0,
        "remote": binding.remote,
        "spi": binding.spi.to_string(),
        "lifetime_seconds": binding.lifetime.as_secs(),
        "seconds_left": left.as_secs(),
        "moves": binding.moves,
    })
}
