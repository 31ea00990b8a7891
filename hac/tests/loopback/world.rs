//! A HAC made by its own command line, and the ways to it: MHAuth over TLS, the feed of a home agent, the control socket.

use super::*;

pub(super) struct World {
    folder: tempfile::TempDir,
}

impl World {
    pub(super) fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap() };
        let (dir, socket) = (world.text("hac"), world.text("hac.sock"));
        let sockets = ["--listen", "127.0.0.1:0", "--feed-listen", "127.0.0.1:0", "--control-socket", &socket];
        let pools = ["--pool6", "2001:db8:100::/64", "--pool4", "10.9.0.0/16"];
        world.hac(&[&["init", "--dir", &dir][..], &pools, &sockets].concat());
        world.hac(&["ha", "add", "ha1", "--address", "198.51.100.1", "--out", &world.text("ha1")]);
        world.hac(&["subscriber", "add", NAI, "--out", &world.text("alice")]);
        world
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub(super) fn hac(&self, arguments: &[&str]) {
        let config = self.text("hac/hac.toml");
        let all = ["hac", "-c", &config].iter().chain(arguments).map(|argument| (*argument).to_owned()).collect::<Vec<_>>();
        hac::cli::run(hac::cli::Cli::try_parse_from(all).unwrap()).unwrap();
    }

    pub(super) fn kek(&self) -> KeyEncryptionKey {
        KeyEncryptionKey::read(&self.path("hac/kek")).unwrap()
    }

    pub(super) async fn start(&self) -> Result<Running, ServeError> {
        let kek = self.kek();
        let store = SqliteStore::open(&self.path("hac/hac.db"), kek).unwrap();
        hac::serve::start(&hac::config::load(&self.path("hac/hac.toml")).unwrap(), store).await
    }

    /// One process of `ha1`: connects and acknowledges its snapshot, which it gives back.
    pub(super) async fn home_agent(&self, at: SocketAddr, instance: u8) -> (FeedClient, Vec<feed::Provisioned>) {
        let (client, welcome) = self.subscribe("ha1", at, instance).await.unwrap();
        assert_eq!(welcome.group.get(), 0);
        assert_eq!(welcome.own_addresses, ["2001:db8:100::1", "10.9.0.1"].map(|ip| ip.parse::<std::net::IpAddr>().unwrap()));
        in_force(client).await
    }

    /// One process of the home agent whose name and folder are `name` connects.
    pub(super) async fn subscribe(&self, name: &str, at: SocketAddr, instance: u8) -> Result<(FeedClient, Welcome), FeedError> {
        let read = |file: &str| std::fs::read_to_string(self.path(name).join(file)).unwrap();
        let key = Secret::new(read("ha-key.pem").into_bytes());
        let files = TlsFiles { ca: read("ca.pem"), certificate: read("ha.pem"), key };
        let address = FeedAddress { address: at.to_string(), server_name: NAME.to_owned() };
        FeedClient::connect(
            &address,
            &files,
            Hello { instance: [instance; 16], known_revision: 0, features: protocol::features::Features::NONE },
        )
        .await
    }

    /// A connection whose certificate has been verified, and what the mobile node goes to the HAC with.
    pub(super) async fn reach(&self, at: SocketAddr) -> (TlsStream<TcpStream>, Offer, ChannelBinding) {
        self.reach_as(at, "alice", WireProfile::Rfc6618).await
    }

    /// The same for the subscriber whose folder and name are `user`.
    pub(super) async fn reach_as(
        &self,
        at: SocketAddr,
        user: &str,
        profile: WireProfile,
    ) -> (TlsStream<TcpStream>, Offer, ChannelBinding) {
        let stream = self.handshake(&self.believing_in(user), at).await;
        let (offer, binding) = self.offer(user, profile, &stream);
        (stream, offer, binding)
    }

    /// TLS that believes in the CA that the subscriber has, and remembers nothing yet.
    pub(super) fn believing_in(&self, user: &str) -> Clients {
        Clients::new(net::tls::load_authorities(&self.path(user).join("ca.pem")).unwrap())
    }

    pub(super) async fn handshake(&self, clients: &Clients, at: SocketAddr) -> TlsStream<TcpStream> {
        let tls = clients.client(NAME, at.ip()).unwrap();
        let stream = TcpStream::connect(at).await.unwrap();
        let stream = TlsConnector::from(tls.config.clone()).connect(tls.server_name.clone(), stream).await.unwrap();
        tls.confirm(stream.get_ref().1).unwrap();
        stream
    }

    pub(super) fn offer(&self, user: &str, profile: WireProfile, stream: &TlsStream<TcpStream>) -> (Offer, ChannelBinding) {
        let binding = net::tls::peer_channel_binding(stream.get_ref().1).unwrap();
        let psk = Psk::from_hex(&std::fs::read_to_string(self.path(user).join("psk")).unwrap()).unwrap();
        let suites = vec![CipherSuite::Aes128CbcSha, CipherSuite::Aes128Gcm];
        let (mn_id, user_data) = (format!("{user}@example.org").parse().unwrap(), UserData::Protected);
        (Offer { mn_id, psk, profile, suites, user_data }, binding)
    }

    pub(super) async fn provision(&self, at: SocketAddr) -> Result<Grant, Failure> {
        self.provision_as(at, "alice", WireProfile::Rfc6618).await
    }

    pub(super) async fn provision_as(&self, at: SocketAddr, user: &str, profile: WireProfile) -> Result<Grant, Failure> {
        let (stream, offer, binding) = self.reach_as(at, user, profile).await;
        exchange(stream, offer, binding).await
    }
}

/// MHAuth, to the end of the connection.
pub(super) async fn exchange(mut stream: TlsStream<TcpStream>, offer: Offer, binding: ChannelBinding) -> Result<Grant, Failure> {
    let (waiting, request) = initiator::start(offer, binding, &mut rand::rng());
    stream.write_all(&request).await.unwrap();
    let (waiting, request) = waiting.handle(&message(&mut stream).await)?;
    stream.write_all(&request).await.unwrap();
    let granted = waiting.handle(&message(&mut stream).await);
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0, "close_notify follows the final response");
    granted
}

pub(super) async fn message(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    whole_message(stream).await.unwrap()
}

/// The next message; an error where the connection breaks off before its last octet.
pub(super) async fn whole_message(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut message = vec![0; HEADER_LEN];
    stream.read_exact(&mut message).await?;
    message.resize(frame_len(message.first_chunk().unwrap()), 0);
    stream.read_exact(&mut message[HEADER_LEN..]).await?;
    Ok(message)
}

/// Takes the whole snapshot, acknowledges it and gives it back.
pub(super) async fn in_force(mut client: FeedClient) -> (FeedClient, Vec<feed::Provisioned>) {
    let mut all = Vec::new();
    loop {
        let FromHac::Snapshot { revision, associations, last } = client.next().await.unwrap() else { panic!("a snapshot") };
        all.extend(associations);
        if last {
            client.acknowledge(revision).await;
            return (client, all);
        }
    }
}

/// Waits until the home agent's place is taken.
pub(super) async fn connected(running: &Running) {
    are_connected(running, 1).await;
}

pub(super) async fn are_connected(running: &Running, home_agents: usize) {
    tokio::time::timeout(Duration::from_secs(5), async {
        while running.shared().registry.names().len() != home_agents {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
}

/// Asks the control socket until the answer is `right`.
pub(super) async fn until(world: &World, right: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
    let request = service::control::Request::new("status");
    for _ in 0..500 {
        let status = service::control::ask(&world.path("hac.sock"), &request, "hac serve").await.unwrap();
        if right(&status) {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the status did not become right within 5 seconds");
}

/// Acknowledges the next change and gives it back.
pub(super) async fn next_change(home_agent: &mut FeedClient) -> Change {
    let message = next_but_blocks(home_agent).await;
    let FromHac::Delta { revision, change } = message else { panic!("a delta, not {message:?}") };
    home_agent.acknowledge(revision).await;
    change
}

/// What is said next beside SPI blocks, which come when the HAC looks for new ones.
pub(super) async fn next_but_blocks(home_agent: &mut FeedClient) -> FromHac {
    loop {
        let message = home_agent.next().await.unwrap();
        if !matches!(message, FromHac::SpiBlocks(_)) {
            return message;
        }
    }
}

/// Looks an SPI up; nothing else is under way.
pub(super) async fn look_up(home_agent: &mut FeedClient, spi: Spi) -> Option<feed::Provisioned> {
    home_agent.look_up(spi).await;
    let message = next_but_blocks(home_agent).await;
    let FromHac::Answer(answer) = message else { panic!("an answer, not {message:?}") };
    assert_eq!(answer.spi(), spi);
    match answer {
        Answer::Found(found) => Some(*found),
        Answer::NotFound(_) => None,
    }
}

pub(super) async fn live_associations(running: &Running) -> u64 {
    let store = running.shared().store.clone();
    store.run(|store| store.counts(std::time::SystemTime::now())).await.unwrap().unwrap().live_sas
}

pub(super) fn installed(change: Change) -> feed::Provisioned {
    let Change::Install(provisioned) = change else { panic!("an installation") };
    *provisioned
}
