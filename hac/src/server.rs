//! Mobile nodes over TLS: accepts, frames messages, and drives one `session` for each connection.
//!
//! Every wait has an end: 10 s for the handshake, 30 s from the end of one message to the last octet of the next (octets that
//! trickle in extend nothing), 2 s for the home agent. Connections are bounded (`places`): those above wait in the kernel's queue,
//! and those above the share of their source are closed before TLS.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use protocol::mhauth::{ChannelBinding, Status};
use protocol::wire::container::{HEADER_LEN, frame_len};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use zeroize::Zeroizing;

use crate::aaa::{self, Conversation};
use crate::admission::Admission;
use crate::authentication::Authentication;
use crate::places::{Place, Places};
use crate::provisioning::Policy;
use crate::registry::Registry;
use crate::results::Results;
use crate::session::{PendingGrant, Session, Settled, Step, Surroundings};
use crate::store::{SharedStore, StoreAccess};

/// For the TLS handshake.
pub const HANDSHAKE: Duration = Duration::from_secs(10);
/// From the end of one message to the last octet of the next.
pub const MESSAGE: Duration = Duration::from_secs(30);
/// For the peer to close after the final response, so that a reset does not overtake it.
const LINGER: Duration = Duration::from_secs(2);

/// What all sessions share.
pub struct MobileNodes {
    /// Subscribers and associations.
    pub store: SharedStore,
    /// Connected home agents.
    pub registry: Arc<Registry>,
    /// What is granted.
    pub policy: Policy,
    /// How nodes authenticate.
    pub authentication: Authentication,
    /// The AAA servers, where a realm has its subscribers there.
    pub aaa: Option<Arc<aaa::Client>>,
    /// Counted failures.
    pub admission: Admission,
    /// How sessions ended.
    pub results: Results,
    /// TLS with the HAC's certificate.
    pub acceptor: TlsAcceptor,
    /// `tls-server-end-point` of that certificate.
    pub binding: ChannelBinding,
}

/// Accepts on `listener` until the future is dropped; running sessions go on.
pub async fn serve(listener: TcpListener, mobile_nodes: Arc<MobileNodes>, places: Places) {
    while let Some(free) = places.free().await {
        match listener.accept().await {
            Ok((stream, from)) => match places.take(free, from.ip()) {
                Some(place) => {
                    let mobile_nodes = Arc::clone(&mobile_nodes);
                    tokio::spawn(async move { mobile_nodes.serve_one(stream, from, place).await });
                }
                None => mobile_nodes.refuse(&stream),
            },
            Err(error) => {
                tracing::warn!(%error, "cannot accept a mobile node's connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// How a session ended before its final response.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the TLS handshake failed: {0}")]
    Handshake(io::Error),
    #[error("the realm's subscribers are at a AAA server, and none is configured")]
    NoAaa,
    #[error("nothing more came within the time")]
    Silent,
    #[error("the connection broke off: {0}")]
    Connection(#[from] io::Error),
}

impl MobileNodes {
    /// Reset instead of closed: what is refused shall not stay in TIME_WAIT.
    fn refuse(&self, stream: &TcpStream) {
        self.results.count_refused();
        if let Err(error) = stream.set_zero_linger() {
            tracing::debug!(%error, "a refused connection is closed in the ordinary way");
        }
    }

    async fn serve_one(self: &Arc<Self>, stream: TcpStream, from: SocketAddr, place: Place) {
        let _place = place;
        let _open = self.results.open();
        match self.run(stream, from.ip().to_canonical()).await {
            Ok(status) => {
                self.results.count(status);
                tracing::info!(source = %from, status = status.code(), "a session ended");
            }
            Err(broken) => {
                self.results.count_broken();
                tracing::debug!(source = %from, %broken, "a session broke off");
            }
        }
    }

    async fn run(self: &Arc<Self>, stream: TcpStream, source: IpAddr) -> Result<Status, Broken> {
        stream.set_nodelay(true)?;
        let accepted = timeout(HANDSHAKE, self.acceptor.accept(stream)).await;
        let mut stream = accepted.map_err(|_| Broken::Silent)?.map_err(Broken::Handshake)?;
        let ended = self.exchange(&mut stream, source).await;
        if ended.is_err() {
            // Who has said nothing more may hear nothing more.
            let _closed = timeout(LINGER, stream.shutdown()).await;
        }
        ended
    }

    async fn exchange(self: &Arc<Self>, stream: &mut TlsStream<TcpStream>, source: IpAddr) -> Result<Status, Broken> {
        let mut session = Session::new(self.binding.clone(), source);
        let mut conversation = None;
        loop {
            let request = next_request(stream).await?;
            let step;
            (session, step) = self.answer(session, request.into(), source, &mut conversation).await;
            let (status, response) = match step {
                Step::Reply(response) => {
                    timeout(MESSAGE, send(stream, &response)).await.map_err(|_| Broken::Silent)??;
                    continue;
                }
                Step::Close(response) => (session.ended().unwrap_or(Status::ServerError), Zeroizing::new(response)),
                Step::Deliver(pending) => self.settle(*pending).await,
                // One question a request, and this was the answer to it.
                Step::Ask(_) => return Err(Broken::NoAaa),
            };
            timeout(MESSAGE, send_last(stream, &response)).await.map_err(|_| Broken::Silent)??;
            return Ok(status);
        }
    }

    /// One request; where the AAA servers are to be asked, with their answer, all in one conversation.
    async fn answer(
        self: &Arc<Self>,
        session: Session,
        request: Arc<[u8]>,
        source: IpAddr,
        conversation: &mut Option<Conversation>,
    ) -> (Session, Step) {
        let again = Arc::clone(&request);
        let (session, step) =
            self.handle(session, Arc::clone(&request), move |session, around| session.handle_request(&again, around)).await;
        let (Step::Ask(question), Some(aaa)) = (&step, &self.aaa) else { return (session, step) };
        let answer = conversation.get_or_insert_with(|| aaa.begin(source)).ask(&question.user_name, &question.eap).await;
        self.handle(session, request, move |session, around| session.handle_answer(answer, around)).await
    }

    /// One input, on a blocking thread, since it may compute for a while and wait for the store. Where that breaks off it is our fault, and the mobile node is told.
    async fn handle(
        self: &Arc<Self>,
        mut session: Session,
        request: Arc<[u8]>,
        input: impl FnOnce(&mut Session, &mut Surroundings<'_>) -> Step + Send + 'static,
    ) -> (Session, Step) {
        let (shared, connected, features) = (Arc::clone(self), self.registry.names(), self.registry.features());
        let understudy = session.understudy();
        let handled = tokio::task::spawn_blocking(move || {
            let mut around = Surroundings {
                store: StoreAccess::Shared(&shared.store),
                policy: &shared.policy,
                authentication: &shared.authentication,
                connected: &connected,
                features: &features,
                admission: &shared.admission,
                now: Instant::now(),
                wall: SystemTime::now(),
                rng: &mut rand::rng(),
            };
            let step = input(&mut session, &mut around);
            (session, step)
        });
        handled.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a session ends with 500");
            understudy.fail(&request, self.policy.profile)
        })
    }

    /// Waits for the home agent; when it has gone the association ends and the mobile node is sent away.
    async fn settle(&self, pending: PendingGrant) -> (Status, Zeroizing<Vec<u8>>) {
        let delivered = self.registry.deliver(pending.home_agent(), pending.revision()).await;
        match pending.settle(delivered, SystemTime::now()) {
            Settled::Granted(response) => (Status::Ok, response),
            Settled::TakenBack(spi, response) => {
                match self.store.run(move |store| store.end(spi)).await.flatten() {
                    Ok(revision) => revision.into_iter().for_each(|revision| self.registry.announce(revision)),
                    Err(error) => tracing::error!(%error, %spi, "an association that nobody uses stays: `hac sa revoke` ends it"),
                }
                (Status::Unavailable, Zeroizing::new(response))
            }
        }
    }
}

/// The next message, whole within [`MESSAGE`].
async fn next_request(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Result<Vec<u8>, Broken> {
    Ok(timeout(MESSAGE, read_message(&mut Prompt(stream))).await.map_err(|_| Broken::Silent)??)
}

/// Reads from TLS. What rustls has to say to what it read, such as the alert that refuses a renegotiation (RFC 6618 section 5.8), goes
/// out at once: tokio-rustls would keep it for the next answer.
struct Prompt<'a, S>(&'a mut S);

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Prompt<'_, S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut *self.0).poll_read(context, buffer);
        if read.is_pending()
            && let Poll::Ready(Err(error)) = Pin::new(&mut *self.0).poll_flush(context)
        {
            return Poll::Ready(Err(error));
        }
        read
    }
}

/// One whole message, its length known from its first four octets.
async fn read_message(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut message = vec![0; HEADER_LEN];
    stream.read_exact(&mut message).await?;
    let header = message.first_chunk::<HEADER_LEN>().copied().unwrap_or_default();
    message.resize(frame_len(&header), 0);
    stream.read_exact(message.get_mut(HEADER_LEN..).unwrap_or_default()).await?;
    Ok(message)
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), response: &[u8]) -> io::Result<()> {
    stream.write_all(response).await?;
    stream.flush().await
}

/// The final response, close_notify, and then whatever the peer still says until it closes too.
async fn send_last(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), response: &[u8]) -> io::Result<()> {
    send(stream, response).await?;
    stream.shutdown().await?;
    // The answer is out: how the peer closes, or that it does not, changes nothing any more.
    let _closed = timeout(LINGER, tokio::io::copy(&mut stream.take(1 << 16), &mut tokio::io::sink())).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn octets_that_trickle_in_extend_nothing() {
        let (mut mobile_node, mut hac) = tokio::io::duplex(1024);
        let trickle = tokio::spawn(async move {
            mobile_node.write_all(&[0, 1, 0, 200]).await.unwrap();
            while mobile_node.write_all(b"a").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        let start = Instant::now();
        assert!(matches!(next_request(&mut hac).await, Err(Broken::Silent)));
        assert_eq!(start.elapsed(), MESSAGE);
        drop(hac);
        trickle.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_to_say_goes_out_while_the_next_message_is_awaited() {
        let (mut mobile_node, hac) = tokio::io::duplex(1024);
        let mut hac = tokio::io::BufWriter::new(hac);
        hac.write_all(b"alert").await.unwrap();
        let waiting = tokio::spawn(async move { next_request(&mut hac).await });
        mobile_node.read_exact(&mut [0; 5]).await.unwrap();
        drop(mobile_node);
        assert!(matches!(waiting.await.unwrap(), Err(Broken::Connection(_))));
    }

    #[tokio::test]
    async fn a_message_is_framed_by_its_length_and_leaves_the_next_one_alone() {
        let (mut mobile_node, mut hac) = tokio::io::duplex(1024);
        mobile_node.write_all(b"\x00\x01\x00\x03abc\x00\x02\x00\x01d").await.unwrap();
        assert_eq!(next_request(&mut hac).await.unwrap(), b"\x00\x01\x00\x03abc");
        assert_eq!(next_request(&mut hac).await.unwrap(), b"\x00\x02\x00\x01d");
        drop(mobile_node);
        assert!(matches!(next_request(&mut hac).await, Err(Broken::Connection(_))));
    }
}
