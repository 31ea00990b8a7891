//! A AAA server over TLS that does with its connections what no real one does.

use std::net::SocketAddr;
use std::sync::Arc;

use fixture::{Authority, Certified};
use hac::aaa::{ServerConfig, TlsServer};
use net::tls::MutualClient;
use net::tls::in_memory::Identity;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::server::{PATIENCE, Request, hidden_key_under, reply_under};

/// Of every server over TLS (RFC 6614 section 2.3).
pub(crate) const SECRET: &[u8] = b"radsec";
/// Where every server listens, and what its certificate is for.
pub(crate) const HOST: &str = "127.0.0.1";

pub(crate) type Versions = &'static [&'static SupportedProtocolVersion];
pub(crate) static TLS_12: Versions = &[&rustls::version::TLS12];
pub(crate) static TLS_13: Versions = &[&rustls::version::TLS13];

/// Who is certified by whom.
pub(crate) struct Trust<'a> {
    /// What the server shows.
    pub(crate) server: Certified,
    /// Whom it believes.
    pub(crate) clients: &'a Authority,
    /// What the HAC shows.
    pub(crate) client: Certified,
    /// Whom it believes.
    pub(crate) servers: &'a Authority,
    pub(crate) versions: Versions,
}

impl<'a> Trust<'a> {
    /// Everything right.
    pub(crate) fn by(authority: &'a Authority) -> Self {
        Self {
            server: authority.certify(HOST),
            clients: authority,
            client: authority.certify("hac.example.org"),
            servers: authority,
            versions: rustls::ALL_VERSIONS,
        }
    }
}

pub(crate) struct Server {
    listener: Option<TcpListener>,
    address: SocketAddr,
    acceptor: TlsAcceptor,
    servers: Arc<RootCertStore>,
    client: Certified,
}

impl Server {
    pub(crate) async fn start(trust: Trust<'_>) -> Self {
        let listener = TcpListener::bind((HOST, 0)).await.unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(roots(trust.clients), net::tls::provider()).build().unwrap();
        let builder = rustls::ServerConfig::builder_with_provider(net::tls::provider());
        let builder = builder.with_protocol_versions(trust.versions).unwrap().with_client_cert_verifier(verifier);
        let Identity { chain, key } = identity(&trust.server);
        let acceptor = TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key).unwrap()));
        let (address, servers, client) = (listener.local_addr().unwrap(), roots(trust.servers), trust.client);
        Self { address, listener: Some(listener), acceptor, servers, client }
    }

    pub(crate) fn config(&self) -> ServerConfig {
        self.config_as(HOST)
    }

    /// Under another name.
    pub(crate) fn config_as(&self, host: &str) -> ServerConfig {
        let client = MutualClient::new(self.servers.clone(), host, identity(&self.client)).unwrap();
        let server = TlsServer { host: host.to_owned(), port: self.address.port(), client };
        ServerConfig::over_tls(format!("{host}:{}", self.address.port()), server, false)
    }

    /// Refuses connections until [`Self::listen`].
    pub(crate) fn stop(&mut self) {
        self.listener = None;
    }

    pub(crate) async fn listen(&mut self) {
        self.listener = Some(TcpListener::bind(self.address).await.unwrap());
    }

    /// The next connection, whose handshake fails or not.
    pub(crate) async fn try_accept(&self) -> std::io::Result<Connection> {
        let listener = self.listener.as_ref().unwrap();
        let (stream, from) = timeout(PATIENCE, listener.accept()).await.expect("a connection comes").unwrap();
        let stream = timeout(PATIENCE, self.acceptor.accept(stream)).await.expect("a handshake ends")?;
        Ok(Connection { stream, from })
    }

    pub(crate) async fn accept(&self) -> Connection {
        self.try_accept().await.unwrap()
    }
}

pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    from: SocketAddr,
}

impl Connection {
    /// The next request.
    pub(crate) async fn request(&mut self) -> Request {
        self.next().await.expect("a request comes before the end")
    }

    /// The next request, `None` when the client has closed the connection.
    pub(crate) async fn next(&mut self) -> Option<Request> {
        let mut head = [0; 4];
        if timeout(PATIENCE, self.stream.read_exact(&mut head)).await.expect("something comes").is_err() {
            return None;
        }
        let mut octets = vec![0; u16::from_be_bytes([head[2], head[3]]).into()];
        octets[..4].copy_from_slice(&head);
        self.stream.read_exact(&mut octets[4..]).await.unwrap();
        Some(Request::read(octets, self.from, SECRET))
    }

    pub(crate) async fn send(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Answers as a server should.
    pub(crate) async fn answer(&mut self, request: &Request, code: u8, attributes: &[(u8, &[u8])]) {
        self.send(&reply_under(SECRET, request, code, attributes)).await;
    }

    /// Says goodbye, as servers do with idle connections.
    pub(crate) async fn close(mut self) {
        self.stream.shutdown().await.unwrap();
    }
}

/// MS-MPPE keys, hidden as over UDP.
pub(crate) fn hidden_key(request: &Request, kind: u8, salt: [u8; 2], key: &[u8; 32]) -> Vec<u8> {
    hidden_key_under(SECRET, request, kind, salt, key)
}

fn identity(certified: &Certified) -> Identity {
    let chain = CertificateDer::pem_slice_iter(certified.certificate.as_bytes()).collect::<Result<_, _>>().unwrap();
    Identity { chain, key: PrivateKeyDer::from_pem_slice(certified.key.as_bytes()).unwrap() }
}

fn roots(authority: &Authority) -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
    Arc::new(roots)
}
