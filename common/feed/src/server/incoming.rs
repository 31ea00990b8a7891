//! From TCP to connections of home agents: TLS handshake, then the name in the certificate. Handshakes and connections are
//! bounded; what fails is logged and closed, and never reaches gRPC.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

use crate::peer;

/// Connections at a time, those in their handshake included: 64 groups of 8 home agents.
const MAX_CONNECTIONS: usize = 512;
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The name of the home agent at the other end of a connection.
#[derive(Clone, Debug)]
pub(super) struct HomeAgent(pub(super) Arc<str>);

/// A connection of an authenticated home agent.
pub(super) struct Connection {
    stream: TlsStream<TcpStream>,
    home_agent: HomeAgent,
    _place: OwnedSemaphorePermit,
}

/// Accepts on `listener` for as long as the stream is held; the task ends then, and the port is free once it has.
pub(super) fn accept(listener: TcpListener, config: ServerConfig) -> (ReceiverStream<io::Result<Connection>>, JoinHandle<()>) {
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (ready, connections) = mpsc::channel(1);
    let task = tokio::spawn(async move {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        while let Ok(place) = places.clone().acquire_owned().await {
            let accepted = tokio::select! {
                () = ready.closed() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, from)) => {
                    let (acceptor, ready) = (acceptor.clone(), ready.clone());
                    tokio::spawn(async move {
                        match greet(acceptor, stream, place).await {
                            Ok(connection) => drop(ready.send(Ok(connection)).await),
                            Err(error) => tracing::warn!(%from, %error, "a connection to the feed was refused"),
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the feed cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    });
    (ReceiverStream::new(connections), task)
}

async fn greet(acceptor: TlsAcceptor, stream: TcpStream, place: OwnedSemaphorePermit) -> io::Result<Connection> {
    stream.set_nodelay(true)?;
    let stream = timeout(HANDSHAKE, acceptor.accept(stream)).await??;
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let leaf = chain.first().ok_or_else(|| io::Error::other("no certificate"))?;
    let name = peer::ha_name(leaf).map_err(io::Error::other)?;
    Ok(Connection { stream, home_agent: HomeAgent(name.into()), _place: place })
}

impl Connected for Connection {
    type ConnectInfo = HomeAgent;

    fn connect_info(&self) -> HomeAgent {
        self.home_agent.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
