//! The HAC's end of the feed: accepts home agents over mutual TLS and hands each subscription to a handler.
//!
//! The handler (the HAC) decides who may subscribe, what is sent and what an acknowledgement means. This module never sees
//! the store. A connection whose certificate the CA did not sign, or that names no home agent, gets no further than TLS.

mod incoming;

use std::sync::Arc;
use std::time::Duration;

use protocol::sa::Spi;
use protocol::sa::spi::SpiBlocks;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::client::KEEPALIVE;
use crate::convert;
use crate::message::{Answer, Change, FromHa, FromHac, Hello, Provisioned, SNAPSHOT_PART, USAGE_PART, Welcome};
use crate::proto::security_association_feed_server::{SecurityAssociationFeed, SecurityAssociationFeedServer};
use crate::proto::{HaMessage, HacMessage};
use crate::tls::{TlsFiles, TlsFilesError};
use incoming::HomeAgent;

/// How long a home agent may take for its Hello, and to make room for a message.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest message taken from a home agent.
const MAX_MESSAGE: usize = 32 << 10;
/// The largest is a `Usage`, with some octets around its reports.
const _: () = assert!(USAGE_PART * convert::REPORT_OCTETS + 16 <= MAX_MESSAGE);
/// Messages on their way to one home agent; a snapshot's part is the largest, 150 KiB.
const QUEUE: usize = 8;
/// Streams of one connection: a home agent uses one.
const MAX_STREAMS: u32 = 4;

/// What the HAC does with a subscription.
pub trait SubscriptionHandler: Send + Sync + 'static {
    /// Serves one subscription to its end: welcome, snapshot, deltas; reads what the home agent says meanwhile.
    ///
    /// Runs in a task of its own. It ends when a method of `subscription` says [`SubscriptionEnded`]: the home agent has
    /// gone or the server stops; so it should always wait in [`Subscription::next`] among others. One home agent
    /// may open a second subscription before the first has noticed its end.
    fn serve(&self, subscription: Subscription) -> impl Future<Output = Result<(), Refusal>> + Send;
}

/// Why a home agent is not served; it is told the text.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no record of it: it forgets at once all that it was delivered.
    #[error("{0}")]
    Unknown(String),
    /// Anything else: what it was delivered stays in force, and it comes again.
    #[error("{0}")]
    Ended(String),
}

impl From<SubscriptionEnded> for Refusal {
    fn from(ended: SubscriptionEnded) -> Self {
        Self::Ended(ended.to_string())
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown(reason) => Self::not_found(reason),
            Refusal::Ended(reason) => Self::permission_denied(reason),
        }
    }
}

/// The home agent has gone, is stuck, or the server stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the subscription has ended")]
pub struct SubscriptionEnded;

/// A home agent that has authenticated itself and said hello.
#[derive(Debug)]
pub struct Subscription {
    home_agent: Arc<str>,
    hello: Hello,
    to_ha: mpsc::Sender<Result<HacMessage, Status>>,
    from_ha: Streaming<HaMessage>,
    stop: watch::Receiver<bool>,
}

impl Subscription {
    /// The home agent's name: the dNSName of its certificate, in lower case.
    pub fn home_agent(&self) -> &str {
        &self.home_agent
    }

    /// What it said first.
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Sends the welcome; must come first.
    pub async fn welcome(&self, welcome: &Welcome) -> Result<(), SubscriptionEnded> {
        self.send(convert::welcome_to_proto(welcome)).await
    }

    /// Sends all SAs that hold at `revision`, in parts of [`SNAPSHOT_PART`]; none makes one empty part.
    pub async fn snapshot(&self, revision: u64, associations: &[Provisioned]) -> Result<(), SubscriptionEnded> {
        let mut parts = associations.chunks(SNAPSHOT_PART).peekable();
        if parts.peek().is_none() {
            return self.send(convert::snapshot_to_proto(revision, &[], true)).await;
        }
        while let Some(part) = parts.next() {
            self.send(convert::snapshot_to_proto(revision, part, parts.peek().is_none())).await?;
        }
        Ok(())
    }

    /// Sends what changed with `revision`.
    pub async fn delta(&self, revision: u64, change: Change) -> Result<(), SubscriptionEnded> {
        self.send(convert::to_proto(&FromHac::Delta { revision, change })).await
    }

    /// Sends all blocks of the home agent's group, since there is another.
    pub async fn spi_blocks(&self, blocks: &SpiBlocks) -> Result<(), SubscriptionEnded> {
        self.send(convert::to_proto(&FromHac::SpiBlocks(blocks.clone()))).await
    }

    /// Answers a look-up.
    pub async fn answer(&self, answer: Answer) -> Result<(), SubscriptionEnded> {
        self.send(convert::to_proto(&FromHac::Answer(answer))).await
    }

    /// Has the home agent ask this SA's node for a new one. An SA that it does not hold is no mistake.
    pub async fn renew(&self, spi: Spi) -> Result<(), SubscriptionEnded> {
        self.send(convert::to_proto(&FromHac::Renew(spi))).await
    }

    /// What the home agent says next. May be dropped and called again without losing anything.
    pub async fn next(&mut self) -> Result<FromHa, SubscriptionEnded> {
        let message = tokio::select! {
            _ = self.stop.wait_for(|stop| *stop) => return Err(SubscriptionEnded),
            message = self.from_ha.message() => message,
        };
        let message = message.ok().flatten().ok_or(SubscriptionEnded)?;
        convert::from_ha_from_proto(message).map_err(|error| {
            tracing::warn!(home_agent = %self.home_agent, %error, "a home agent's message on the feed cannot be used");
            SubscriptionEnded
        })
    }

    async fn send(&self, message: HacMessage) -> Result<(), SubscriptionEnded> {
        if *self.stop.borrow() {
            return Err(SubscriptionEnded);
        }
        let sent = timeout(PATIENCE, self.to_ha.send(Ok(message))).await;
        sent.map_err(|_| SubscriptionEnded)?.map_err(|_| SubscriptionEnded)
    }
}

/// Why the feed cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The PEM files cannot be used.
    #[error(transparent)]
    Files(#[from] TlsFilesError),
    /// The server failed.
    #[error("the feed's server failed: {0}; start the HAC again")]
    Transport(#[from] tonic::transport::Error),
}

/// Serves home agents on `listener` until `shutdown` ends; then ends every subscription and waits for their connections. When it
/// returns the port is free.
pub async fn serve<H: SubscriptionHandler>(
    listener: TcpListener,
    files: &TlsFiles,
    handler: Arc<H>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let (connections, accepting) = incoming::accept(listener, files.server_config()?);
    let (stop, stopped) = watch::channel(false);
    let service = SecurityAssociationFeedServer::new(Service { handler, stopped }).max_decoding_message_size(MAX_MESSAGE);
    let stopping = async {
        shutdown.await;
        stop.send_replace(true);
    };
    tonic::transport::Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .max_concurrent_streams(MAX_STREAMS)
        .serve_with_incoming_shutdown(service, connections, stopping)
        .await?;
    // A task that has panicked holds no port either.
    let _ended = accepting.await;
    Ok(())
}

struct Service<H> {
    handler: Arc<H>,
    stopped: watch::Receiver<bool>,
}

#[tonic::async_trait]
impl<H: SubscriptionHandler> SecurityAssociationFeed for Service<H> {
    type SubscribeStream = ReceiverStream<Result<HacMessage, Status>>;

    async fn subscribe(&self, request: Request<Streaming<HaMessage>>) -> Result<Response<Self::SubscribeStream>, Status> {
        let Some(HomeAgent(home_agent)) = request.extensions().get::<HomeAgent>().cloned() else {
            return Err(Status::unauthenticated("no home agent is known on this connection"));
        };
        let mut from_ha = request.into_inner();
        let first = timeout(PATIENCE, from_ha.message()).await;
        let first = first.map_err(|_| Status::deadline_exceeded("no Hello in 10 seconds"))??;
        let hello = first.ok_or_else(|| Status::invalid_argument("no Hello"))?;
        let hello = convert::hello_from_proto(hello).map_err(|error| Status::invalid_argument(error.to_string()))?;
        let (to_ha, outgoing) = mpsc::channel(QUEUE);
        let subscription = Subscription { home_agent, hello, to_ha, from_ha, stop: self.stopped.clone() };
        tokio::spawn(serve_one(self.handler.clone(), subscription));
        Ok(Response::new(ReceiverStream::new(outgoing)))
    }
}

async fn serve_one<H: SubscriptionHandler>(handler: Arc<H>, subscription: Subscription) {
    let home_agent = subscription.home_agent.clone();
    let to_ha = subscription.to_ha.clone();
    match handler.serve(subscription).await {
        Ok(()) => tracing::debug!(%home_agent, "subscription ended"),
        Err(_) if to_ha.is_closed() => tracing::debug!(%home_agent, "the home agent has gone"),
        Err(refusal) => {
            tracing::info!(%home_agent, reason = %refusal, "subscription ended");
            let told = timeout(PATIENCE, to_ha.send(Err(refusal.into()))).await;
            tracing::trace!(%home_agent, ?told, "reason sent");
        }
    }
}
