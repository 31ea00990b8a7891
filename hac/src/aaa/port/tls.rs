//! A TLS connection to a AAA server (RFC 6614). A task of its own connects, sends what is queued and receives, until the server ends
//! it, something is wrong with it, or its port has gone.

use std::io::ErrorKind;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use net::tls::explain_aaa;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, timeout};
use tokio_rustls::client::TlsStream;

use super::shared::Shared;
use super::{Broken, connect};
use crate::aaa::frames::{Frames, WrongLength};
use crate::aaa::packet::MAX_LEN;
use crate::aaa::reply::Dropped;
use crate::aaa::transport::TlsServer;
use crate::aaa::waiting::IDENTIFIERS;

/// For the last words of either end.
const GOODBYE: Duration = Duration::from_secs(1);

/// See the module.
pub(super) struct Connection {
    /// Each identifier is in it once at most.
    queue: mpsc::Sender<Vec<u8>>,
    version: Arc<OnceLock<&'static str>>,
    close: Arc<Notify>,
}

/// How it came to an end.
enum End {
    /// Its port has no use for it any more.
    Unwanted,
    /// It broke, or the server closed it.
    Closed(String),
    /// The server is at fault.
    Fault(String),
}

impl Connection {
    /// A half of `limit`, which a request may take, is for connecting: so what is wrong is known before the request is given up.
    pub(super) fn open(server: &TlsServer, shared: &Arc<Shared>, limit: Duration) -> Self {
        let (queue, requests) = mpsc::channel(IDENTIFIERS);
        let (version, close) = (Arc::<OnceLock<_>>::default(), Arc::<Notify>::default());
        let task = Task {
            server: server.clone(),
            shared: Arc::clone(shared),
            version: Arc::clone(&version),
            close: Arc::clone(&close),
            patience: limit / 2,
        };
        tokio::spawn(task.run(requests));
        Self { queue, version, close }
    }

    /// Queues a request; it is sent as soon as the connection stands.
    pub(super) fn send(&self, octets: &[u8]) -> Result<(), Broken> {
        self.queue.try_send(octets.to_vec()).map_err(|_| Broken)
    }

    /// `1.2` or `1.3`, once it stands.
    pub(super) fn version(&self) -> Option<&'static str> {
        self.version.get().copied()
    }

    /// Ends it.
    pub(super) fn close(&self) {
        self.close.notify_one();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.close();
    }
}

struct Task {
    server: TlsServer,
    shared: Arc<Shared>,
    version: Arc<OnceLock<&'static str>>,
    close: Arc<Notify>,
    patience: Duration,
}

impl Task {
    async fn run(self, requests: mpsc::Receiver<Vec<u8>>) {
        let connected = tokio::select! {
            connected = connect::connect(&self.server, self.patience) => connected,
            () = self.close.notified() => return self.end(End::Unwanted),
        };
        let mut stream = match connected {
            Ok(stream) => stream,
            Err(reason) => return self.end(End::Closed(reason)),
        };
        let end = self.serve(&mut stream, requests).await;
        self.end(end);
        // To a server that has gone nothing can be said.
        let _said = timeout(GOODBYE, stream.shutdown()).await;
    }

    async fn serve(&self, stream: &mut TlsStream<TcpStream>, requests: mpsc::Receiver<Vec<u8>>) -> End {
        let version = connect::version(stream);
        tracing::debug!(server = self.shared.peer.config.name, version, "TLS with the AAA server stands");
        let _first = self.version.set(version);
        let (reader, writer) = tokio::io::split(stream);
        tokio::select! {
            end = receive(reader, &self.shared) => end,
            end = send(writer, requests) => end,
            () = self.close.notified() => End::Unwanted,
        }
    }

    /// Why comes before those that wait are woken, so that they wait for the next try.
    fn end(&self, end: End) {
        let server = self.shared.peer.config.name.as_str();
        let is_failure = self.shared.heard() == 0 && self.shared.waiting().waiters() > 0;
        match end {
            End::Unwanted => {}
            End::Closed(reason) if !is_failure => tracing::debug!(server, reason, "a connection to the AAA server has ended"),
            End::Closed(reason) | End::Fault(reason) => self.shared.peer.not_reached(reason, self.patience),
        }
        let waited = self.shared.end();
        if waited > 0 {
            tracing::debug!(server, waited, "what waited on the connection begins anew on another");
        }
    }
}

async fn send(mut writer: impl AsyncWrite + Unpin, mut requests: mpsc::Receiver<Vec<u8>>) -> End {
    while let Some(octets) = requests.recv().await {
        let sent = match writer.write_all(&octets).await {
            Ok(()) => writer.flush().await,
            Err(error) => Err(error),
        };
        if let Err(error) = sent {
            // What the server said before it stopped listening says more, and is read meanwhile.
            sleep(GOODBYE).await;
            return End::Closed(explain_aaa(&error));
        }
    }
    End::Unwanted
}

async fn receive(mut reader: impl AsyncRead + Unpin, shared: &Shared) -> End {
    let (mut frames, mut buffer) = (Frames::default(), vec![0; MAX_LEN]);
    loop {
        let len = match reader.read(&mut buffer).await {
            Ok(len) => len,
            Err(error) if [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset].contains(&error.kind()) => 0,
            Err(error) => return End::Closed(explain_aaa(&error)),
        };
        if len == 0 {
            let reason =
                "it closed the connection before it answered: does it know this HAC as a client, and take its certificate?";
            return End::Closed(reason.to_owned());
        }
        frames.push(buffer.get(..len).unwrap_or_default());
        if let Err(reason) = hand_over(&mut frames, shared) {
            return End::Fault(reason);
        }
    }
}

/// RFC 6613 section 2.6.4 says after what a connection MUST be closed.
fn hand_over(frames: &mut Frames, shared: &Shared) -> Result<(), String> {
    let wrong_length = |error: WrongLength| {
        shared.peer.note(Err(Dropped::Malformed));
        error.to_string()
    };
    while let Some(packet) = frames.take().map_err(wrong_length)? {
        match shared.receive(&packet) {
            Ok(()) | Err(Dropped::Unexpected | Dropped::Code | Dropped::NoMessageAuthenticator) => {}
            Err(Dropped::Malformed) => return Err("it sent a packet whose attributes do not fill it".to_owned()),
            Err(Dropped::MessageAuthenticator | Dropped::ResponseAuthenticator) => {
                return Err(
                    "it sent a reply with a wrong authenticator: set its secret for this client to \"radsec\", as over TLS \
                            every one is (RFC 6614 section 2.3)"
                        .to_owned(),
                );
            }
        }
    }
    Ok(())
}
