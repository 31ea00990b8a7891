//! What AAA servers ask of the HAC by themselves (RFC 5176): to end sessions, or to have what they granted decided anew.
//!
//! [`Server`] is started by `serve` where `[radius] dynamic-authorization` names an address. One datagram at a time, in order:
//! 1. `clients` looks for who sent it: an address of a configured server, whose secret must prove the request (`request`); what came
//!    before is answered as before (`answered`). All else is dropped and counted.
//! 2. `order` reads which sessions are meant and what is to be done, or refuses it with an Error-Cause.
//! 3. `execution` does it: the store first, then home agents hear of it.
//! 4. `answer` writes ACK or NAK, and `answered` keeps it.
//!
//! What is asked for is done before the next datagram is looked at, so nobody can have more than one thing done at a time.

mod answer;
mod answered;
mod clients;
mod counts;
mod execution;
mod order;
mod request;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::net::UdpSocket;
use tokio::time::sleep;

use crate::aaa::packet::MAX_LEN;

pub use answer::{Verdict, write};
pub use answered::{KEPT, MAX_ANSWERED};
pub use clients::{Clients, Question, Taken};
pub use counts::Counts;
pub use execution::{Executor, MAX_SESSIONS, REAUTHORISATION, end_due};
pub use order::{Action, ErrorCause, LEAST_SECONDS, Order, Sessions, read};
pub use request::{Code, Dropped, Request, WINDOW, verify};

/// After an error of the socket, which ICMP brings: without, a host that refuses answers would keep a core busy.
const ERROR_PAUSE: Duration = Duration::from_millis(10);

/// See the module. RFC 5176 calls it the Dynamic Authorization Server.
pub struct Server {
    socket: UdpSocket,
    clients: Clients,
    executor: Executor,
    counts: Arc<Counts>,
}

impl Server {
    /// Listens. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The address is taken or not ours.
    pub async fn bind(address: SocketAddr, clients: Clients, executor: Executor) -> io::Result<Self> {
        Ok(Self { socket: UdpSocket::bind(address).await?, clients, executor, counts: Arc::default() })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// What came and what became of it, for `hac status`.
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// Answers until the future is dropped.
    pub async fn serve(mut self) {
        // Longer datagrams are cut: what is beyond the longest packet is padding, or a Length that is malformed.
        let mut buffer = vec![0; MAX_LEN];
        loop {
            match self.socket.recv_from(&mut buffer).await {
                Ok((len, from)) => self.handle(buffer.get(..len).unwrap_or_default(), from).await,
                Err(error) => {
                    tracing::trace!(%error, "the socket for dynamic authorization has an error");
                    sleep(ERROR_PAUSE).await;
                }
            }
        }
    }

    async fn handle(&mut self, datagram: &[u8], from: SocketAddr) {
        let answer = match self.clients.take(datagram, from.ip(), SystemTime::now()) {
            Ok(Taken::Again(answer)) => {
                self.counts.duplicate();
                Some(answer)
            }
            Ok(Taken::Refused(question, cause)) => self.settle(question, Verdict::Refused(cause), from.ip()),
            Ok(Taken::Order(question, order)) => {
                let verdict = self.executor.carry_out(order, SystemTime::now()).await;
                self.settle(question, verdict, from.ip())
            }
            Err(reason) => {
                self.counts.dropped(reason);
                tracing::trace!(source = %from, ?reason, "a datagram for dynamic authorization is dropped");
                None
            }
        };
        if let Some(answer) = answer
            && let Err(error) = self.socket.send_to(&answer, from).await
        {
            tracing::debug!(%error, "an answer to a AAA server could not be sent, and counts as lost");
        }
    }

    fn settle(&mut self, question: Question, verdict: Verdict, from: IpAddr) -> Option<Vec<u8>> {
        let code = question.request().code();
        self.counts.settled(code, verdict);
        match verdict {
            Verdict::Done => tracing::info!(source = %from, request = ?code, "what a AAA server asks for is done"),
            Verdict::Refused(cause) => {
                tracing::info!(source = %from, request = ?code, ?cause, "a AAA server is answered with a NAK")
            }
        }
        self.clients.settle(question, verdict, SystemTime::now())
    }
}
