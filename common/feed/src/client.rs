//! The home agent's end of the feed: one subscription over one connection.
//!
//! Reconnecting, backing off and what to do with the messages are the caller's: this never retries by itself.

use std::time::Duration;

use protocol::sa::Spi;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Streaming};

use crate::convert;
use crate::message::{FromHa, FromHac, Hello, MessageError, SessionReport, Welcome};
use crate::proto::security_association_feed_client::SecurityAssociationFeedClient;
use crate::proto::{HaMessage, HacMessage};
use crate::tls::{TlsFiles, TlsFilesError};

/// HTTP/2 PING goes out after this long without a frame, and the connection ends after as long without its answer.
pub(crate) const KEEPALIVE: Duration = Duration::from_secs(5);
/// How long TCP, TLS and the HAC's Welcome may take, each.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest message taken: a snapshot's part of 512 SAs with 300 octets each is 150 KiB.
const MAX_MESSAGE: usize = 1 << 20;
/// Acknowledgements, look-ups, registrations and reports on their way out.
const QUEUE: usize = 16;

/// Where the HAC is and how it is known.
#[derive(Clone, Debug)]
pub struct FeedAddress {
    /// `host:port`, an IPv6 address in brackets.
    pub address: String,
    /// The name that the HAC's certificate must have.
    pub server_name: String,
}

/// Why the feed cannot be used or has ended.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The address is not `host:port`.
    #[error("feed address \"{0}\" is not host:port (an IPv6 address stands in brackets): correct [feed] address")]
    Address(String),
    /// The PEM files cannot be used.
    #[error(transparent)]
    Files(#[from] TlsFilesError),
    /// No connection.
    #[error("cannot connect to the HAC's feed at {address}: {reason}; does `hac serve` run there, and is it {server_name}?")]
    Connect {
        /// `host:port`.
        address: String,
        /// The name that was asked for.
        server_name: String,
        /// The whole chain of causes.
        reason: String,
    },
    /// The HAC has no record of this home agent, or none any more: everything that was delivered has ended.
    #[error("the HAC does not serve this home agent: {0}")]
    Dismissed(String),
    /// The HAC ended the subscription with a reason.
    #[error("the HAC ended the subscription: {0}")]
    Refused(String),
    /// The stream has ended without a reason.
    #[error("the HAC closed the subscription: it was stopped, or its log says why")]
    Ended,
    /// No Welcome in time.
    #[error("the HAC did not welcome the subscription in 10 seconds: see its log, and whether another program answers there")]
    NoWelcome,
    /// The HAC said something that cannot be used.
    #[error("the HAC sent what cannot be used: {0} (run the same version of `hac` and `ha`)")]
    Malformed(#[from] MessageError),
}

/// An open subscription. Dropping it closes the connection.
#[derive(Debug)]
pub struct FeedClient {
    to_hac: mpsc::Sender<HaMessage>,
    messages: Streaming<HacMessage>,
}

impl FeedClient {
    /// Connects, says hello and waits for the HAC's welcome.
    pub async fn connect(at: &FeedAddress, files: &TlsFiles, hello: Hello) -> Result<(Self, Welcome), FeedError> {
        let channel = channel(at, files).await?;
        let (to_hac, outgoing) = mpsc::channel(QUEUE);
        let mut service = SecurityAssociationFeedClient::new(channel).max_decoding_message_size(MAX_MESSAGE);
        to_hac.send(convert::hello_to_proto(&hello)).await.map_err(|_| FeedError::Ended)?;
        let subscribed = timeout(PATIENCE, service.subscribe(ReceiverStream::new(outgoing))).await;
        let messages = subscribed.map_err(|_| FeedError::NoWelcome)?.map_err(|status| refused(&status))?.into_inner();
        let mut client = Self { to_hac, messages };
        let first = timeout(PATIENCE, client.next_message()).await.map_err(|_| FeedError::NoWelcome)??;
        Ok((client, convert::welcome_from_proto(first)?))
    }

    /// What the HAC says next. May be dropped and called again without losing a message.
    pub async fn next(&mut self) -> Result<FromHac, FeedError> {
        Ok(convert::from_proto(self.next_message().await?)?)
    }

    /// Tells the HAC that everything up to `revision` is in force here.
    pub async fn acknowledge(&self, revision: u64) {
        self.say(FromHa::Acknowledge(revision)).await;
    }

    /// Asks for the SA with this SPI; the answer comes among the other messages.
    pub async fn look_up(&self, spi: Spi) {
        self.say(FromHa::LookUp(spi)).await;
    }

    /// Tells the HAC that nodes have registered under these SAs, at most [`REGISTERED_PART`](crate::REGISTERED_PART).
    pub async fn registered(&self, spis: Vec<Spi>) {
        self.say(FromHa::Registered(spis)).await;
    }

    /// Tells the HAC how sessions are, at most [`USAGE_PART`](crate::USAGE_PART).
    pub async fn usage(&self, reports: Vec<SessionReport>) {
        self.say(FromHa::Usage(reports)).await;
    }

    /// Where the HAC has ended the subscription nobody hears it; [`Self::next`] alone knows the reason.
    async fn say(&self, message: FromHa) {
        let _heard = self.to_hac.send(convert::from_ha_to_proto(message)).await;
    }

    async fn next_message(&mut self) -> Result<HacMessage, FeedError> {
        self.messages.message().await.map_err(|status| refused(&status))?.ok_or(FeedError::Ended)
    }
}

async fn channel(at: &FeedAddress, files: &TlsFiles) -> Result<Channel, FeedError> {
    files.check()?;
    let connect = |error: tonic::transport::Error| FeedError::Connect {
        address: at.address.clone(),
        server_name: at.server_name.clone(),
        reason: chain(&error),
    };
    let tls = ClientTlsConfig::new()
        .domain_name(&at.server_name)
        .ca_certificate(Certificate::from_pem(&files.ca))
        .identity(Identity::from_pem(&files.certificate, files.key.expose()))
        .timeout(PATIENCE);
    let endpoint = Endpoint::from_shared(format!("https://{}", at.address));
    let endpoint = endpoint
        .map_err(|_| FeedError::Address(at.address.clone()))?
        .tls_config(tls)
        .map_err(connect)?
        .connect_timeout(PATIENCE)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE)
        .keep_alive_while_idle(true);
    endpoint.connect().await.map_err(connect)
}

fn refused(status: &tonic::Status) -> FeedError {
    if status.code() == Code::NotFound {
        return FeedError::Dismissed(status.message().to_owned());
    }
    let cause = std::error::Error::source(status).map(chain);
    match (status.message(), cause) {
        ("", None) => FeedError::Refused(status.code().description().to_owned()),
        (message, None) => FeedError::Refused(message.to_owned()),
        (message, Some(cause)) => FeedError::Refused(format!("{message} ({cause})")),
    }
}

/// An error with all its causes in one line: tonic's own text is only "transport error".
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}
