//! The real HAC on loopback: made by its own command line, reached over TLS by the mobile node's state machine and over the
//! feed by a home agent's client.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod look_up;
mod names;
mod process;
mod registration;
mod removal;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use feed::client::{FeedAddress, FeedError};
use feed::{Answer, Change, FeedClient, FromHac, Hello, TlsFiles, Welcome};
use hac::serve::{Running, ServeError};
use hac::store::sealing::KeyEncryptionKey;
use hac::store::sqlite::SqliteStore;
use net::tls::Clients;
use protocol::mhauth::initiator::{self, Failure, Offer};
use protocol::mhauth::{ChannelBinding, Grant, Psk, Status};
use protocol::profile::WireProfile;
use protocol::sa::{CipherSuite, Secret, Spi, UserData};
use protocol::wire::container::{HEADER_LEN, frame_len};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

mod resumption;
mod sigkill;
mod sources;
mod subscribers;

const NAI: &str = "alice@example.org";
const NAME: &str = "hac.example.org";

struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap() };
        let (dir, socket) = (world.text("hac"), world.text("hac.sock"));
        let sockets = ["--listen", "127.0.0.1:0", "--feed-listen", "127.0.0.1:0", "--control-socket", &socket];
        let pools = ["--pool6", "2001:db8:100::/64", "--pool4", "10.9.0.0/16"];
        world.hac(&[&["init", "--dir", &dir][..], &pools, &sockets].concat());
        world.hac(&["ha", "add", "ha1", "--address", "198.51.100.1", "--out", &world.text("ha1")]);
        world.hac(&["subscriber", "add", NAI, "--out", &world.text("alice")]);
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn hac(&self, arguments: &[&str]) {
        let config = self.text("hac/hac.toml");
        let all = ["hac", "-c", &config].iter().chain(arguments).map(|argument| (*argument).to_owned()).collect::<Vec<_>>();
        hac::cli::run(hac::cli::Cli::try_parse_from(all).unwrap()).unwrap();
    }

    fn kek(&self) -> KeyEncryptionKey {
        KeyEncryptionKey::read(&self.path("hac/kek")).unwrap()
    }

    async fn start(&self) -> Result<Running, ServeError> {
        let kek = self.kek();
        let store = SqliteStore::open(&self.path("hac/hac.db"), kek).unwrap();
        hac::serve::start(&hac::config::load(&self.path("hac/hac.toml")).unwrap(), store).await
    }

    /// One process of `ha1`: connects and acknowledges its snapshot, which it gives back.
    async fn home_agent(&self, at: SocketAddr, instance: u8) -> (FeedClient, Vec<feed::Provisioned>) {
        let (client, welcome) = self.subscribe("ha1", at, instance).await.unwrap();
        assert_eq!(welcome.group.get(), 0);
        assert_eq!(welcome.own_addresses, ["2001:db8:100::1", "10.9.0.1"].map(|ip| ip.parse::<std::net::IpAddr>().unwrap()));
        in_force(client).await
    }

    /// One process of the home agent whose name and folder are `name` connects.
    async fn subscribe(&self, name: &str, at: SocketAddr, instance: u8) -> Result<(FeedClient, Welcome), FeedError> {
        let read = |file: &str| std::fs::read_to_string(self.path(name).join(file)).unwrap();
        let key = Secret::new(read("ha-key.pem").into_bytes());
        let files = TlsFiles { ca: read("ca.pem"), certificate: read("ha.pem"), key };
        let address = FeedAddress { address: at.to_string(), server_name: NAME.to_owned() };
        FeedClient::connect(&address, &files, Hello { instance: [instance; 16], known_revision: 0 }).await
    }

    /// A connection whose certificate has been verified, and what the mobile node goes to the HAC with.
    async fn reach(&self, at: SocketAddr) -> (TlsStream<TcpStream>, Offer, ChannelBinding) {
        self.reach_as(at, "alice", WireProfile::Rfc6618).await
    }

    /// The same for the subscriber whose folder and name are `user`.
    async fn reach_as(&self, at: SocketAddr, user: &str, profile: WireProfile) -> (TlsStream<TcpStream>, Offer, ChannelBinding) {
        let stream = self.handshake(&self.believing_in(user), at).await;
        let (offer, binding) = self.offer(user, profile, &stream);
        (stream, offer, binding)
    }

    /// TLS that believes in the CA that the subscriber has, and remembers nothing yet.
    fn believing_in(&self, user: &str) -> Clients {
        Clients::new(net::tls::load_authorities(&self.path(user).join("ca.pem")).unwrap())
    }

    async fn handshake(&self, clients: &Clients, at: SocketAddr) -> TlsStream<TcpStream> {
        let tls = clients.client(NAME, at.ip()).unwrap();
        let stream = TcpStream::connect(at).await.unwrap();
        let stream = TlsConnector::from(tls.config.clone()).connect(tls.server_name.clone(), stream).await.unwrap();
        tls.confirm(stream.get_ref().1).unwrap();
        stream
    }

    fn offer(&self, user: &str, profile: WireProfile, stream: &TlsStream<TcpStream>) -> (Offer, ChannelBinding) {
        let binding = net::tls::peer_channel_binding(stream.get_ref().1).unwrap();
        let psk = Psk::from_hex(&std::fs::read_to_string(self.path(user).join("psk")).unwrap()).unwrap();
        let suites = vec![CipherSuite::Aes128CbcSha, CipherSuite::Aes128Gcm];
        let (mn_id, user_data) = (format!("{user}@example.org").parse().unwrap(), UserData::Protected);
        (Offer { mn_id, psk, profile, suites, user_data }, binding)
    }

    async fn provision(&self, at: SocketAddr) -> Result<Grant, Failure> {
        self.provision_as(at, "alice", WireProfile::Rfc6618).await
    }

    async fn provision_as(&self, at: SocketAddr, user: &str, profile: WireProfile) -> Result<Grant, Failure> {
        let (stream, offer, binding) = self.reach_as(at, user, profile).await;
        exchange(stream, offer, binding).await
    }
}

/// MHAuth, to the end of the connection.
async fn exchange(mut stream: TlsStream<TcpStream>, offer: Offer, binding: ChannelBinding) -> Result<Grant, Failure> {
    let (waiting, request) = initiator::start(offer, binding, &mut rand::rng());
    stream.write_all(&request).await.unwrap();
    let (waiting, request) = waiting.handle(&message(&mut stream).await)?;
    stream.write_all(&request).await.unwrap();
    let granted = waiting.handle(&message(&mut stream).await);
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0, "close_notify follows the final response");
    granted
}

async fn message(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    whole_message(stream).await.unwrap()
}

/// The next message; an error where the connection breaks off before its last octet.
async fn whole_message(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut message = vec![0; HEADER_LEN];
    stream.read_exact(&mut message).await?;
    message.resize(frame_len(message.first_chunk().unwrap()), 0);
    stream.read_exact(&mut message[HEADER_LEN..]).await?;
    Ok(message)
}

/// Takes the whole snapshot, acknowledges it and gives it back.
async fn in_force(mut client: FeedClient) -> (FeedClient, Vec<feed::Provisioned>) {
    let mut all = Vec::new();
    loop {
        let FromHac::Snapshot { revision, associations, last } = client.next().await.unwrap() else { panic!("a snapshot") };
        all.extend(associations);
        if last {
            client.acknowledge(revision).await.unwrap();
            return (client, all);
        }
    }
}

/// Waits until the home agent's place is taken.
async fn connected(running: &Running) {
    are_connected(running, 1).await;
}

async fn are_connected(running: &Running, home_agents: usize) {
    tokio::time::timeout(Duration::from_secs(5), async {
        while running.shared().registry.names().len() != home_agents {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
}

/// Asks the control socket until the answer is `right`.
async fn until(world: &World, right: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
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
async fn next_change(home_agent: &mut FeedClient) -> Change {
    let message = next_but_blocks(home_agent).await;
    let FromHac::Delta { revision, change } = message else { panic!("a delta, not {message:?}") };
    home_agent.acknowledge(revision).await.unwrap();
    change
}

/// What is said next beside SPI blocks, which come when the HAC looks for new ones.
async fn next_but_blocks(home_agent: &mut FeedClient) -> FromHac {
    loop {
        let message = home_agent.next().await.unwrap();
        if !matches!(message, FromHac::SpiBlocks(_)) {
            return message;
        }
    }
}

/// Looks an SPI up; nothing else is under way.
async fn look_up(home_agent: &mut FeedClient, spi: Spi) -> Option<feed::Provisioned> {
    home_agent.look_up(spi).await.unwrap();
    let message = next_but_blocks(home_agent).await;
    let FromHac::Answer(answer) = message else { panic!("an answer, not {message:?}") };
    assert_eq!(answer.spi(), spi);
    match answer {
        Answer::Found(found) => Some(*found),
        Answer::NotFound(_) => None,
    }
}

async fn live_associations(running: &Running) -> u64 {
    let store = running.shared().store.clone();
    store.run(|store| store.counts(std::time::SystemTime::now())).await.unwrap().unwrap().live_sas
}

fn installed(change: Change) -> feed::Provisioned {
    let Change::Install(provisioned) = change else { panic!("an installation") };
    *provisioned
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mobile_node_is_granted_what_its_home_agent_has_acknowledged() {
    let world = World::new();
    let running = world.start().await.unwrap();
    let (mut home_agent, snapshot) = world.home_agent(running.home_agents(), 1).await;
    assert!(snapshot.is_empty());
    connected(&running).await;
    let fed = tokio::spawn(async move { (installed(next_change(&mut home_agent).await), home_agent) });
    let grant = world.provision(running.mobile_nodes()[0]).await.unwrap();
    let (fed, _home_agent) = fed.await.unwrap();
    assert_eq!((grant.sa.spi, &grant.sa.mn_to_ha, &grant.sa.ha_to_mn), (fed.sa.spi, &fed.sa.mn_to_ha, &fed.sa.ha_to_mn));
    assert_eq!((grant.sa.home, grant.sa.home_agent, fed.lease), (fed.sa.home, fed.sa.home_agent, 0));
    assert_eq!(grant.sa.suite, CipherSuite::Aes128Gcm, "the HAC's first choice, not the mobile node's");
    assert!(fed.left > Duration::from_secs(86_390) && fed.left <= Duration::from_secs(86_400));
    running.until(std::future::ready(())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_of_the_draft_is_granted_an_association_that_the_home_agent_knows_as_such() {
    let world = World::new();
    let arguments = ["--profile", "draft-04", "--suite", "AES_128_CBC_SHA", "--out", &world.text("bob")];
    world.hac(&[&["subscriber", "add", "bob@example.org"][..], &arguments].concat());
    let running = world.start().await.unwrap();
    let (mut home_agent, _) = world.home_agent(running.home_agents(), 1).await;
    connected(&running).await;
    let fed = tokio::spawn(async move { (installed(next_change(&mut home_agent).await), home_agent) });
    let at = running.mobile_nodes()[0];
    let grant = world.provision_as(at, "bob", WireProfile::Draft04).await.unwrap();
    let (fed, _home_agent) = fed.await.unwrap();
    assert_eq!((grant.sa.spi, grant.sa.profile, fed.sa.profile), (fed.sa.spi, WireProfile::Draft04, WireProfile::Draft04));
    assert_eq!((grant.sa.suite, grant.sa.home_agent, grant.date), (CipherSuite::Aes128CbcSha, fed.sa.home_agent, None));
    let wrong = world.provision_as(at, "bob", WireProfile::Rfc6618).await.unwrap_err();
    assert!(matches!(wrong, Failure::Rejected(_)), "{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mobile_node_whose_home_agent_is_late_is_granted_what_the_home_agent_can_look_up() {
    let world = World::new();
    let running = world.start().await.unwrap();
    let (mut home_agent, _) = world.home_agent(running.home_agents(), 1).await;
    connected(&running).await;
    let begun = std::time::Instant::now();
    let grant = world.provision(running.mobile_nodes()[0]).await.unwrap();
    assert!(begun.elapsed() >= hac::registry::ACKNOWLEDGEMENT, "it was waited for");
    let FromHac::Delta { change, .. } = next_but_blocks(&mut home_agent).await else { panic!("pushed all the same") };
    assert_eq!(installed(change).sa.spi, grant.sa.spi);
    let found = look_up(&mut home_agent, grant.sa.spi).await.unwrap();
    assert_eq!((&found.sa.mn_to_ha, &found.sa.ha_to_mn, found.lease), (&grant.sa.mn_to_ha, &grant.sa.ha_to_mn, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_agent_that_goes_before_it_has_acknowledged_costs_the_mobile_node_a_503_and_nothing_is_kept() {
    let world = World::new();
    let running = world.start().await.unwrap();
    let (mut home_agent, _) = world.home_agent(running.home_agents(), 1).await;
    connected(&running).await;
    let goes = tokio::spawn(async move {
        let FromHac::Delta { change: Change::Install(_), .. } = next_but_blocks(&mut home_agent).await else { panic!("pushed") };
    });
    let Err(Failure::Refused { status, retry_after, authenticated }) = world.provision(running.mobile_nodes()[0]).await else {
        panic!("nobody could look it up");
    };
    goes.await.unwrap();
    assert_eq!((status, authenticated, retry_after.is_some()), (Status::Unavailable, true, true));
    assert_eq!(live_associations(&running).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mobile_node_is_told_503_also_where_the_database_does_not_take_the_association_back() {
    let world = World::new();
    let running = world.start().await.unwrap();
    let (mut home_agent, _) = world.home_agent(running.home_agents(), 1).await;
    connected(&running).await;
    let database = rusqlite::Connection::open(world.path("hac/hac.db")).unwrap();
    let full = "CREATE TRIGGER full BEFORE UPDATE OF ended ON security_association BEGIN SELECT RAISE(ABORT, 'full'); END";
    database.execute_batch(full).unwrap();
    let goes = tokio::spawn(async move {
        let FromHac::Delta { change: Change::Install(_), .. } = next_but_blocks(&mut home_agent).await else { panic!("pushed") };
    });
    let refused = world.provision(running.mobile_nodes()[0]).await.unwrap_err();
    goes.await.unwrap();
    assert!(matches!(refused, Failure::Refused { status: Status::Unavailable, authenticated: true, .. }), "{refused}");
    let status = until(&world, |status| status["sessions"]["open"] == 0).await;
    assert_eq!((&status["sessions"]["503"], &status["sessions"]["broken"]), (&1.into(), &0.into()), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_home_agent_the_mobile_node_is_sent_away_with_503() {
    let world = World::new();
    let running = world.start().await.unwrap();
    let refused = world.provision(running.mobile_nodes()[0]).await.unwrap_err();
    assert!(matches!(refused, Failure::Refused { status: Status::Unavailable, authenticated: true, .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_done_from_another_connection_is_401_and_counted() {
    let world = World::new();
    let running = world.start().await.unwrap();
    let (_home_agent, _) = world.home_agent(running.home_agents(), 1).await;
    connected(&running).await;
    let at = running.mobile_nodes()[0];
    let (mut first, offer, binding) = world.reach(at).await;
    let (mut second, other_offer, other_binding) = world.reach(at).await;
    let (waiting, request) = initiator::start(offer, binding, &mut rand::rng());
    first.write_all(&request).await.unwrap();
    let (_, done) = waiting.handle(&message(&mut first).await).unwrap();
    let (_, request) = initiator::start(other_offer, other_binding, &mut rand::rng());
    second.write_all(&request).await.unwrap();
    message(&mut second).await;
    second.write_all(&done).await.unwrap();
    let answer = String::from_utf8_lossy(&message(&mut second).await).into_owned();
    assert!(answer.contains("status-code:401") && !answer.contains("mip6-spi"), "{answer}");
    drop((first, second));
    let status = until(&world, |status| status["sessions"]["open"] == 0).await;
    let sessions = &status["sessions"];
    assert_eq!((&sessions["401"], &sessions["broken"], &status["associations"]), (&1.into(), &1.into(), &0.into()));
}

/// What a HAC is sent over real TLS as a first message, and the status of its one answer.
const MALFORMED: &[(&str, &[u8], u16)] = &[
    ("Length 0", b"\x00\x01\x00\x00", 400),
    ("version 1", b"\x20\x01\x00\x08a:b\r\n\r\n\r", 501),
    ("Identifier 0", b"\x00\x00\x00\x05a:b\r\n", 400),
    ("Identifier 2", b"\x00\x02\x00\x05a:b\r\n", 400),
    ("no header lines", b"\x00\x01\x00\x05hello", 400),
    ("a bare line feed", b"\x00\x01\x00\x06a:b\nc:", 400),
    ("no mn-id", b"\x00\x01\x00\x11auth-method:psk\r\n", 400),
    ("octets that are no text", b"\x00\x01\x00\x04\xff\xfe\x00\x01", 400),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_message_is_answered_with_its_status_and_costs_nobody_anything() {
    let world = World::new();
    let running = world.start().await.unwrap();
    let (_home_agent, _) = world.home_agent(running.home_agents(), 1).await;
    connected(&running).await;
    let at = running.mobile_nodes()[0];
    for (what, octets, status) in MALFORMED {
        let (mut stream, ..) = world.reach(at).await;
        stream.write_all(octets).await.unwrap();
        let answer = String::from_utf8_lossy(&message(&mut stream).await).into_owned();
        assert!(answer.contains(&format!("status-code:{status}")) && answer.contains("auth:"), "{what}: {answer}");
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0, "{what}: close_notify follows");
    }
    assert!(!running.shared().registry.names().is_empty(), "the home agent is still there");
    assert_eq!(live_associations(&running).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_says_nothing_is_closed_after_ten_seconds() {
    let world = World::new();
    let running = world.start().await.unwrap();
    let mut silent = TcpStream::connect(running.mobile_nodes()[0]).await.unwrap();
    let start = std::time::Instant::now();
    let read = tokio::time::timeout(Duration::from_secs(15), silent.read(&mut [0; 1])).await.unwrap();
    assert_eq!(read.unwrap_or(0), 0);
    assert!(start.elapsed() >= hac::server::HANDSHAKE - Duration::from_millis(100), "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_home_agent_gets_the_next_lease_and_a_reconnected_one_keeps_its_own() {
    let world = World::new();
    let running = world.start().await.unwrap();
    let (mut first, _) = world.home_agent(running.home_agents(), 1).await;
    connected(&running).await;
    let fed = tokio::spawn(async move { (installed(next_change(&mut first).await), first) });
    let grant = world.provision(running.mobile_nodes()[0]).await.unwrap();
    drop(fed.await.unwrap().1);
    for (instance, lease) in [(1, 0), (2, 1), (1, 0), (3, 2)] {
        let (_client, snapshot) = world.home_agent(running.home_agents(), instance).await;
        assert_eq!(snapshot.len(), 1);
        assert_eq!((snapshot[0].sa.spi, snapshot[0].lease), (grant.sa.spi, lease), "instance {instance}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_on_the_command_line_reaches_the_home_agent_within_a_second() {
    let world = World::new();
    let running = world.start().await.unwrap();
    let (mut home_agent, _) = world.home_agent(running.home_agents(), 1).await;
    connected(&running).await;
    let feeding = tokio::spawn(async move { (installed(next_change(&mut home_agent).await), home_agent) });
    let grant = world.provision(running.mobile_nodes()[0]).await.unwrap();
    let (_, mut home_agent) = feeding.await.unwrap();
    world.hac(&["subscriber", "disable", NAI]);
    let change = tokio::time::timeout(Duration::from_secs(1), next_change(&mut home_agent)).await.unwrap();
    assert!(matches!(change, Change::End(spi) if spi == grant.sa.spi));
    let refused = world.provision(running.mobile_nodes()[0]).await.unwrap_err();
    assert!(matches!(refused, Failure::Rejected(_)), "a disabled name gets the pseudo-PSK: {refused}");
}

/// Other processes write to the database all the time; each waits for the other's transaction, and none for long.
#[tokio::test(flavor = "multi_thread")]
async fn commands_beside_a_running_hac_do_their_work_and_keep_no_mobile_node_out() {
    let world = World::new();
    let running = world.start().await.unwrap();
    let (mut home_agent, _) = world.home_agent(running.home_agents(), 1).await;
    connected(&running).await;
    let fed = tokio::spawn(async move {
        loop {
            next_change(&mut home_agent).await;
        }
    });
    let operators = [1, 2].map(|operator| {
        let (config, folder) = (world.text("hac/hac.toml"), world.path(&format!("operator{operator}")));
        tokio::task::spawn_blocking(move || (0..4).for_each(|round| operate(&config, &folder.join(round.to_string()))))
    });
    let mut granted = 0;
    while granted < 8 || !operators.iter().all(tokio::task::JoinHandle::is_finished) {
        world.provision(running.mobile_nodes()[0]).await.unwrap();
        granted += 1;
    }
    for operator in operators {
        operator.await.unwrap();
    }
    let counts = running.shared().store.run(|store| store.counts(std::time::SystemTime::now())).await.unwrap().unwrap();
    assert_eq!((counts.subscribers, counts.home_agents, counts.live_sas), (1, 1, 4), "alice has the most that she may have");
    fed.abort();
}

/// A subscriber's and a home agent's whole life, each step a process of its own; `folder` gives them their names.
fn operate(config: &str, folder: &Path) {
    let hac = |words: &str| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_hac")).args(["-c", config]).args(words.split(' ')).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let (out, unique) = (folder.to_str().unwrap(), folder.to_str().unwrap().replace(['/', '.'], ""));
    let (nai, ha) = (format!("{unique}@example.org"), format!("ha{}", &unique[unique.len() - 10..].to_lowercase()));
    hac(&format!("subscriber add {nai} --out {out}/add"));
    hac(&format!("subscriber rotate-psk {nai} --revoke --out {out}/rotate"));
    hac(&format!("subscriber set {nai} --profile draft-04"));
    hac(&format!("subscriber disable {nai}"));
    hac(&format!("subscriber show {nai}"));
    hac(&format!("sa revoke --subscriber {nai}"));
    hac(&format!("ha add {ha} --address 198.51.100.9 --out {out}/ha"));
    hac(&format!("ha remove {ha}"));
    hac("sa list --all");
    hac(&format!("subscriber remove {nai}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_process_of_a_home_agent_takes_the_place_of_the_older() {
    let world = World::new();
    let running = world.start().await.unwrap();
    let (mut older, _) = world.home_agent(running.home_agents(), 1).await;
    connected(&running).await;
    let (_newer, _) = world.home_agent(running.home_agents(), 2).await;
    let ended = tokio::time::timeout(Duration::from_secs(5), older.next()).await.unwrap().unwrap_err();
    assert!(ended.to_string().contains("newer subscription"), "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_agent_of_the_right_ca_that_is_not_recorded_is_turned_away() {
    let world = World::new();
    let running = world.start().await.unwrap();
    let read = |name: &str| std::fs::read_to_string(world.path("hac").join(name)).unwrap();
    let ca_key = rcgen::KeyPair::from_pem(&read("ca-key.pem")).unwrap();
    let issuer = rcgen::Issuer::from_ca_cert_pem(&read("ca.pem"), ca_key).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(["ha9".to_owned()]).unwrap();
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.signed_by(&key, &issuer).unwrap().pem();
    let files = TlsFiles { ca: read("ca.pem"), certificate, key: Secret::new(key.serialize_pem().into_bytes()) };
    let address = FeedAddress { address: running.home_agents().to_string(), server_name: NAME.to_owned() };
    let refused = FeedClient::connect(&address, &files, Hello { instance: [9; 16], known_revision: 0 }).await.unwrap_err();
    assert!(matches!(&refused, FeedError::Dismissed(why) if why.contains("hac ha add ha9")), "{refused}");
    assert!(running.shared().registry.names().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_socket_tells_what_runs() {
    let world = World::new();
    let running = world.start().await.unwrap();
    let (_home_agent, _) = world.home_agent(running.home_agents(), 1).await;
    connected(&running).await;
    let status = until(&world, |_| true).await;
    assert_eq!((&status["running"], &status["subscribers"], &status["home_agents"]), (&true.into(), &1.into(), &1.into()));
    assert_eq!(status["connected"][0]["name"], "ha1");
    drop(running);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaf_signed_with_ed25519_is_refused_at_start_with_the_reason() {
    let world = World::new();
    sign_leaf_with_ed25519(&world.path("hac"));
    let Err(error) = world.start().await else { panic!("such a certificate has no tls-server-end-point") };
    let text = error.to_string();
    assert!(text.contains("Ed25519") && text.contains("tls-server-end-point"), "{text}");
}

fn sign_leaf_with_ed25519(dir: &Path) {
    let issuer_key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let issuer = rcgen::Issuer::new(rcgen::CertificateParams::default(), issuer_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new([NAME.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    std::fs::write(dir.join("hac.pem"), leaf.pem()).unwrap();
    std::fs::write(dir.join("hac-key.pem"), key.serialize_pem()).unwrap();
}
