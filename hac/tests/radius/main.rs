//! The RADIUS clients over loopback, against a server that misbehaves at will.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

mod accounting;
mod bounds;
mod dynamic_authorization;
mod failover;
mod forgery;
mod runs;
mod server;
mod tls;
mod told;
mod world;

use std::sync::Arc;
use std::time::Duration;

use hac::aaa::{AaaError, Answer, Client, ClientConfig, Conversation, Timings};

use server::{Request, Server};

const NAME: &[u8] = b"alice@example.org";
const IDENTITY: &[u8] = b"\x02\x01\x00\x16\x01alice@example.org";
/// An EAP request and the response to it.
const EAP_REQUEST: &[u8] = &[1, 9, 0, 6, 4, 0];
const EAP_RESPONSE: &[u8] = &[2, 9, 0, 6, 4, 1];
const EAP_SUCCESS: &[u8] = &[3, 9, 0, 4];
const EAP_FAILURE: &[u8] = &[4, 9, 0, 4];

/// Short, but for the limit: what must come shall come on a busy machine too.
const TIMINGS: Timings = Timings {
    timeout: Duration::from_secs(2),
    limit: Duration::from_secs(14),
    dead_time: Duration::from_secs(60),
    probe: Duration::from_millis(200),
};
/// For servers that are to be found silent.
const IMPATIENT: Timings = Timings { timeout: Duration::from_millis(400), limit: Duration::from_secs(1), ..TIMINGS };

fn client(servers: &[&Server], timings: Timings) -> Arc<Client> {
    let servers = servers.iter().map(|server| server.config()).collect();
    Client::new(ClientConfig { servers, nas_identifier: "hac.example.org".to_owned(), timings }).unwrap()
}

fn begin(client: &Arc<Client>) -> Conversation {
    client.begin("2001:db8::5".parse().unwrap())
}

/// A first round, whose request the server treats as `serve` does.
async fn first_round<S: Future<Output = ()>>(
    client: &Arc<Client>,
    server: &Server,
    serve: impl FnOnce(Request) -> S,
) -> Result<Answer, AaaError> {
    let mut run = begin(client);
    let (answer, ()) = tokio::join!(run.ask(NAME, IDENTITY), async { serve(server.request().await).await });
    answer
}

/// A count of the first server.
fn count(client: &Client, name: &str) -> u64 {
    client.status()[0].counts[name]
}

fn challenge() -> Answer {
    Answer::Challenge { eap: EAP_REQUEST.to_vec() }
}

fn reject() -> Answer {
    Answer::Reject { eap: Some(EAP_FAILURE.to_vec()) }
}
