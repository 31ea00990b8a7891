//! Asks an idle connection whether it still leads to the server, with Status-Server (RFC 6613 section 2.4, RFC 5997), so that no
//! mobile node has to wait to find out: a firewall may have forgotten the connection, or the server's host be another one since.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::{Link, Port};
use crate::aaa::request::Content;

/// A connection is idle after so many times as long as an answer may take (RFC 3539 section 3.4.1: 30 s).
const IDLE: u32 = 3;

/// Until the connection ends or its port has gone. `patience`: how long the answer may take.
pub(in crate::aaa) async fn watch(port: Weak<Port>, content: Content, patience: Duration) {
    let mut heard = 0;
    loop {
        sleep(patience * IDLE).await;
        let Some(port) = port.upgrade().filter(|port| !port.is_over()) else { return };
        let now_heard = port.shared.heard();
        let is_idle = std::mem::replace(&mut heard, now_heard) == now_heard;
        // One that has heard nothing yet is being connected, or its requests find out.
        if is_idle && now_heard > 0 && port.is_idle() {
            ask(&port, &content, patience).await;
            heard = port.shared.heard();
        }
    }
}

async fn ask(port: &Arc<Port>, content: &Content, patience: Duration) {
    let Some(mut exchange) = port.begin(content) else { return };
    let peer = &port.shared.peer;
    peer.counts.probe();
    if timeout(patience, exchange.run_once()).await.is_err() {
        tracing::debug!(server = peer.config.name, "an idle connection to the AAA server does not answer, and is closed");
        port.retire();
        if let Link::Tls(connection) = &port.link {
            connection.close();
        }
    }
}
