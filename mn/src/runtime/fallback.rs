//! What the runtime hears of the connection over TLS.

use super::{Runtime, RuntimeError};
use crate::clock;
use crate::fallback::FallbackEvent;

impl Runtime {
    /// The tunnel's socket is there before the node uses it.
    pub(super) fn hear_of_fallback(&mut self, event: FallbackEvent) -> Result<(), RuntimeError> {
        let now = clock::now();
        match event {
            FallbackEvent::Opened { attempt, relay, tunnel } => {
                if let Some(local) = self.device.open_relayed_path(attempt, relay)?
                    && tunnel.send(local).is_ok()
                {
                    self.node.handle_fallback_opened(attempt, relay, now);
                }
            }
            FallbackEvent::Closed(attempt) => self.node.handle_fallback_closed(attempt, now),
        }
        Ok(())
    }
}
