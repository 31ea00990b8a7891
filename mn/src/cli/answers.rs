//! What the running node answers at its control socket.

use std::sync::Arc;

use serde_json::{Value, json};
use service::control::Request;
use tokio::sync::Notify;

use super::portal;
use crate::captive_portal::Window;
use crate::leak_guard::Reader;
use crate::status::{SharedStatus, Status};

/// What it was asked for that the runtime does.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) down: Notify,
    pub(super) renew: Notify,
}

/// What the answers come from.
pub(super) struct Answers {
    pub(super) status: SharedStatus,
    pub(super) asked: Arc<Asked>,
    pub(super) guard: Reader,
    pub(super) window: Arc<Window>,
}

impl Answers {
    /// The answer to one request.
    ///
    /// # Errors
    /// What was asked for cannot be done; the text says what can.
    pub(super) async fn answer(self: Arc<Self>, request: Request) -> Result<Value, String> {
        match request.request.as_str() {
            "status" => as_json(Status { guard: self.guard.read().await, ..self.status.snapshot() }),
            "renew" => {
                // What is so before: who asked sees by it what has changed.
                let before = as_json(self.status.snapshot());
                self.asked.renew.notify_one();
                before
            }
            "portal" => portal::answer(&self.status.snapshot(), &self.window).await,
            "down" => {
                self.asked.down.notify_one();
                Ok(json!({}))
            }
            other => Err(format!("unknown request {other:?}: ask for \"status\", \"renew\", \"portal\" or \"down\"")),
        }
    }
}

fn as_json(status: Status) -> Result<Value, String> {
    serde_json::to_value(status).map_err(|error| error.to_string())
}
