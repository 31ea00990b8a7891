//! The real HAC on loopback: made by its own command line, reached over TLS by the mobile node's state machine and over the
//! feed by a home agent's client.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod eap;
mod look_up;
mod names;
mod process;
mod registration;
mod removal;
mod resumption;
mod sigkill;
mod sources;
mod subscribers;
mod world;

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
use protocol::features::Features;
use protocol::mhauth::initiator::{self, Failure, Offer};
use protocol::mhauth::{ChannelBinding, Grant, Psk, Status};
use protocol::profile::WireProfile;
use protocol::sa::{CipherSuite, Secret, Spi, UserData};
use protocol::wire::container::{HEADER_LEN, frame_len};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use world::*;

const NAI: &str = "alice@example.org";
const NAME: &str = "hac.example.org";

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
    let refused = FeedClient::connect(&address, &files, Hello { instance: [9; 16], known_revision: 0, features: Features::NONE })
        .await
        .unwrap_err();
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
