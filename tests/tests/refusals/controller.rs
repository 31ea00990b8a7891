//! A real HAC in this process, on loopback: TLS, sessions and store, with a home agent that acknowledges whatever it is fed.
//!
//! What is refused there is compared with [`Books`] kept before and after, and then the right node must be granted.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, SystemTime};

use clap::Parser;
use feed::client::FeedAddress;
use feed::{FeedClient, FromHac, Hello, TlsFiles};
use hac::serve::Running;
use hac::store::sealing::KeyEncryptionKey;
use hac::store::sqlite::SqliteStore;
use net::tls::Clients;
use protocol::features::Features;
use protocol::mhauth::initiator::{self, Offer};
use protocol::mhauth::{ChannelBinding, Psk};
use protocol::profile::WireProfile;
use protocol::sa::{CipherSuite, Secret, Spi, UserData};
use protocol::wire::container::{HEADER_LEN, frame_len};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The HAC's name.
pub(super) const NAME: &str = "hac.example.org";
/// The subscriber whose node is the right one.
pub(super) const ALICE: &str = "alice@example.org";
/// For what the HAC does after its peer has gone.
const SOON: Duration = Duration::from_secs(10);

/// See the module.
pub(super) struct Hac {
    folder: tempfile::TempDir,
    running: Running,
    home_agent: tokio::task::JoinHandle<()>,
    /// Its certificate's.
    pub(super) binding: ChannelBinding,
    sources: AtomicU16,
}

/// What a HAC has counted and recorded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Books {
    /// How sessions ended.
    pub(super) sessions: BTreeMap<String, u64>,
    associations: u64,
    revision: u64,
}

impl Books {
    /// The same with one more session that ended as `how`: a status code, or `broken`.
    pub(super) fn with_one_more(mut self, how: &str) -> Self {
        *self.sessions.get_mut(how).unwrap() += 1;
        self
    }
}

impl Drop for Hac {
    fn drop(&mut self) {
        self.home_agent.abort();
    }
}

impl Hac {
    /// Serves, with the subscriber [`ALICE`] and one home agent connected.
    pub(super) async fn start() -> Self {
        Self::start_with("").await
    }

    /// The same with more in its configuration.
    pub(super) async fn start_with(sections: &str) -> Self {
        Self::start_as(&[], sections).await
    }

    /// The same with these options of `hac init`.
    pub(super) async fn start_as(init: &[&str], sections: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let sockets = ["--listen", "127.0.0.1:0", "--feed-listen", "127.0.0.1:0", "--control-socket", &path("hac.sock")];
        command(folder.path(), &[&["init", "--dir", &path("hac")][..], &sockets, init].concat());
        let written = std::fs::read_to_string(path("hac/hac.toml")).unwrap();
        std::fs::write(path("hac/hac.toml"), written + sections).unwrap();
        command(folder.path(), &["ha", "add", "ha1", "--address", "198.51.100.1", "--out", &path("ha1")]);
        command(folder.path(), &["subscriber", "add", ALICE, "--out", &path("alice")]);
        let store =
            SqliteStore::open(path("hac/hac.db").as_ref(), KeyEncryptionKey::read(path("hac/kek").as_ref()).unwrap()).unwrap();
        let running = hac::serve::start(&hac::config::load(path("hac/hac.toml").as_ref()).unwrap(), store).await.unwrap();
        let home_agent = tokio::spawn(acknowledge_everything(subscribe(&folder.path().join("ha1"), &running).await));
        let certificates = net::tls::load_certificates(path("hac/hac.pem").as_ref()).unwrap();
        let binding = net::tls::channel_binding(&certificates[0]).unwrap();
        let hac = Self { folder, running, home_agent, binding, sources: AtomicU16::new(0) };
        until("the home agent is connected", || !hac.running.shared().registry.names().is_empty()).await;
        hac
    }

    /// The home agent goes, and the HAC has seen it.
    pub(super) async fn loses_its_home_agent(&self) {
        self.home_agent.abort();
        until("the home agent is gone", || self.running.shared().registry.names().is_empty()).await;
    }

    /// Runs `hac` with these words.
    pub(super) fn command(&self, words: &[&str]) {
        command(self.folder.path(), words);
    }

    /// A file or folder beside those of the HAC.
    pub(super) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Where mobile nodes connect.
    pub(super) fn address(&self) -> SocketAddr {
        self.running.mobile_nodes()[0]
    }

    /// The key that `hac subscriber add` wrote for the folder `user`.
    pub(super) fn psk(&self, user: &str) -> Vec<u8> {
        hex::decode(std::fs::read_to_string(self.path(user) + "/psk").unwrap().trim()).unwrap()
    }

    /// The secret from which names that are none have their keys.
    pub(super) async fn pseudo_psk_secret(&self) -> Secret {
        self.running.shared().store.run(|store| store.pseudo_psk_secret()).await.unwrap().unwrap()
    }

    /// What is counted and recorded, once no session is open.
    pub(super) async fn books(&self) -> Books {
        let shared = self.running.shared();
        until("no session is open", || shared.results.snapshot()["open"] == 0).await;
        let recorded = shared.store.run(|store| (store.counts(SystemTime::now()).unwrap(), store.revision().unwrap()));
        let (counts, revision) = recorded.await.unwrap();
        Books { sessions: shared.results.snapshot(), associations: counts.live_sas, revision: revision.0 }
    }

    /// TLS as a mobile node has it, from an address that nobody came from before: failures are counted by source.
    pub(super) async fn handshake(&self) -> TlsStream<TcpStream> {
        let [high, low] = (self.sources.fetch_add(1, Ordering::Relaxed) + 1).to_be_bytes();
        self.handshake_from(Ipv4Addr::new(127, 1, high, low)).await
    }

    /// TLS as a mobile node has it, from `source`; the certificate is verified.
    pub(super) async fn handshake_from(&self, source: Ipv4Addr) -> TlsStream<TcpStream> {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((source, 0).into()).unwrap();
        let stream = socket.connect(self.address()).await.unwrap();
        let clients = Clients::new(net::tls::load_authorities(self.path("alice/ca.pem").as_ref()).unwrap());
        let tls = clients.client(NAME, self.address().ip()).unwrap();
        let stream = TlsConnector::from(tls.config.clone()).connect(tls.server_name.clone(), stream).await.unwrap();
        tls.confirm(stream.get_ref().1).unwrap();
        stream
    }

    /// Nothing was lost: the right node is granted an association. It is ended, so that the store is as before for the next row.
    pub(super) async fn grants_the_right_node(&self) {
        let mut stream = self.handshake().await;
        let psk = Psk::from_octets(Secret::new(self.psk("alice"))).unwrap();
        let (suites, user_data) = (vec![CipherSuite::Aes128Gcm], UserData::Protected);
        let offer = Offer { mn_id: ALICE.parse().unwrap(), psk, profile: WireProfile::Rfc6618, suites, user_data };
        let (waiting, request) = initiator::start(offer, self.binding.clone(), &mut rand::rng());
        stream.write_all(&request).await.unwrap();
        let (waiting, request) = waiting.handle(&message(&mut stream).await).unwrap();
        stream.write_all(&request).await.unwrap();
        self.ends(waiting.handle(&message(&mut stream).await).unwrap().sa.spi).await;
    }

    /// Ends an association, so that the store is as before.
    pub(super) async fn ends(&self, spi: Spi) {
        let ended = self.running.shared().store.run(move |store| store.end(spi)).await.unwrap();
        assert!(ended.unwrap().is_some(), "the association was there");
    }
}

/// One whole message.
pub(super) async fn message(stream: &mut TlsStream<TcpStream>) -> Vec<u8> {
    let mut message = vec![0; HEADER_LEN];
    stream.read_exact(&mut message).await.unwrap();
    message.resize(frame_len(message.first_chunk().unwrap()), 0);
    stream.read_exact(&mut message[HEADER_LEN..]).await.unwrap();
    message
}

fn command(folder: &Path, words: &[&str]) {
    let config = folder.join("hac/hac.toml");
    let all = ["hac", "-c", config.to_str().unwrap()].into_iter().chain(words.iter().copied());
    hac::cli::run(hac::cli::Cli::try_parse_from(all).unwrap()).unwrap();
}

async fn subscribe(folder: &Path, running: &Running) -> FeedClient {
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap();
    let files = TlsFiles { ca: read("ca.pem"), certificate: read("ha.pem"), key: Secret::new(read("ha-key.pem").into_bytes()) };
    let address = FeedAddress { address: running.home_agents().to_string(), server_name: NAME.to_owned() };
    FeedClient::connect(&address, &files, Hello { instance: [1; 16], known_revision: 0, features: Features::NONE })
        .await
        .unwrap()
        .0
}

async fn acknowledge_everything(mut client: FeedClient) {
    while let Ok(message) = client.next().await {
        if let FromHac::Delta { revision, .. } | FromHac::Snapshot { revision, last: true, .. } = message {
            client.acknowledge(revision).await;
        }
    }
}

async fn until(what: &str, right: impl Fn() -> bool) {
    let waiting = async {
        while !right() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(SOON, waiting).await.unwrap_or_else(|_| panic!("not within {SOON:?}: {what}"));
}
