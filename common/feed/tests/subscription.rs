//! The feed's two ends on loopback, with certificates of a CA of their own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use feed::client::{FeedAddress, FeedError};
use feed::{
    Answer, Change, FeedClient, FromHa, FromHac, Hello, Provisioned, REGISTERED_PART, Refusal, SessionEnd, SessionReport,
    Subscription, SubscriptionHandler, TlsFiles, USAGE_PART, Welcome,
};
use fixture::{Authority, Certified};
use protocol::features::Features;
use protocol::sa::spi::{HaGroup, SpiBlocks};
use protocol::sa::{CipherSuite, Secret, Spi};
use protocol::tunnel::{Traffic, Volume};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

fn files(ca: &Authority, name: &str) -> TlsFiles {
    let Certified { certificate, key } = ca.certify(name);
    TlsFiles { ca: ca.pem.clone(), certificate, key: Secret::new(key.into_bytes()) }
}

fn provisioned(number: u16) -> Provisioned {
    let spi = HaGroup::new(3).unwrap().blocks().next().unwrap().spi(number).unwrap();
    Provisioned { sa: fixture::association(spi, CipherSuite::Aes128Gcm), left: Duration::from_secs(600), lease: 0 }
}

fn welcome() -> Welcome {
    Welcome {
        group: HaGroup::new(3).unwrap(),
        pools: vec!["2001:db8:100::/64".parse().unwrap(), "10.9.0.0/24".parse().unwrap()],
        own_addresses: vec!["2001:db8:100::1".parse().unwrap(), "10.9.0.1".parse().unwrap()],
        spi_blocks: blocks(1),
        usage_interval: Some(Duration::from_secs(600)),
    }
}

fn blocks(count: usize) -> SpiBlocks {
    HaGroup::new(3).unwrap().blocks().take(count).collect()
}

/// Serves `ha1` a snapshot of 600 SAs and two deltas, wants a new SA in the place of the first that a message reports, and looks up SAs above number 700, of which it has the odd ones; dismisses it
/// when it acknowledges revision 99. Reports who came and each acknowledgement.
struct Hac {
    seen: mpsc::Sender<String>,
}

impl SubscriptionHandler for Hac {
    async fn serve(&self, mut subscription: Subscription) -> Result<(), Refusal> {
        if subscription.home_agent() != "ha1" {
            return Err(Refusal::Unknown(format!("home agent {} is not known: `hac ha add` it", subscription.home_agent())));
        }
        let hello = *subscription.hello();
        self.seen.send(format!("{} {} {}", subscription.home_agent(), hello.instance[0], hello.known_revision)).await.unwrap();
        subscription.welcome(&welcome()).await?;
        let associations: Vec<_> = (0..600).map(provisioned).collect();
        subscription.snapshot(41, &associations).await?;
        loop {
            let said = subscription.next().await;
            self.seen.send(format!("{said:?}")).await.unwrap();
            match said? {
                FromHa::Acknowledge(41) => {
                    subscription.delta(42, Change::End(associations[0].sa.spi)).await?;
                    subscription.delta(43, Change::Install(Box::new(provisioned(700)))).await?;
                }
                FromHa::Acknowledge(99) => return Err(Refusal::Unknown("ha1 was removed".to_owned())),
                FromHa::Acknowledge(_) | FromHa::Registered(_) => {}
                FromHa::Usage(reports) => subscription.renew(reports[0].spi).await?,
                FromHa::LookUp(spi) if spi.number() % 2 == 1 => {
                    subscription.spi_blocks(&blocks(2)).await?;
                    subscription.answer(Answer::Found(Box::new(provisioned(spi.number())))).await?;
                }
                FromHa::LookUp(spi) => subscription.answer(Answer::NotFound(spi)).await?,
            }
        }
    }
}

struct World {
    ca: Authority,
    address: SocketAddr,
    seen: mpsc::Receiver<String>,
    shutdown: oneshot::Sender<()>,
    server: tokio::task::JoinHandle<()>,
}

impl World {
    async fn new() -> Self {
        let ca = Authority::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, seen) = mpsc::channel(16);
        let (shutdown, stop) = oneshot::channel();
        let files = files(&ca, "hac.example.org");
        let server = tokio::spawn(async move {
            let stop = async { drop(stop.await) };
            feed::server::serve(listener, &files, Arc::new(Hac { seen: sender }), stop).await.unwrap();
        });
        Self { ca, address, seen, shutdown, server }
    }

    async fn subscribe(&self, files: &TlsFiles) -> Result<(FeedClient, Welcome), FeedError> {
        let at = FeedAddress { address: self.address.to_string(), server_name: "hac.example.org".to_owned() };
        FeedClient::connect(&at, files, Hello { instance: [7; 16], known_revision: 5, features: Features::NONE }).await
    }

    async fn nobody_was_served(&mut self) {
        assert!(self.seen.try_recv().is_err());
    }
}

async fn whole_snapshot(client: &mut FeedClient) -> Vec<Spi> {
    let mut spis = Vec::new();
    loop {
        let FromHac::Snapshot { revision: 41, associations, last } = client.next().await.unwrap() else { panic!("no snapshot") };
        spis.extend(associations.iter().map(|association| association.sa.spi));
        if last {
            return spis;
        }
    }
}

#[tokio::test]
async fn a_home_agent_gets_snapshot_and_deltas_and_acknowledges_them() {
    let mut world = World::new().await;
    let (mut client, greeting) = world.subscribe(&files(&world.ca, "ha1")).await.unwrap();
    assert_eq!(greeting, welcome());
    assert_eq!(whole_snapshot(&mut client).await, (0..600).map(|n| provisioned(n).sa.spi).collect::<Vec<_>>());
    client.acknowledge(41).await;
    let FromHac::Delta { revision: 42, change: Change::End(ended) } = client.next().await.unwrap() else { panic!("no end") };
    assert_eq!(ended, provisioned(0).sa.spi);
    let FromHac::Delta { revision: 43, change: Change::Install(new) } = client.next().await.unwrap() else { panic!("no SA") };
    assert_eq!(new.sa.ha_to_mn, provisioned(700).sa.ha_to_mn);
    client.acknowledge(43).await;
    for expected in ["ha1 7 5", "Ok(Acknowledge(41))", "Ok(Acknowledge(43))"] {
        assert_eq!(world.seen.recv().await.unwrap(), expected);
    }
    drop(client);
    assert_eq!(world.seen.recv().await.unwrap(), "Err(SubscriptionEnded)", "the handler hears that the home agent has gone");
}

#[tokio::test]
async fn a_home_agent_that_the_hac_does_not_know_is_told_why_it_is_refused() {
    let mut world = World::new().await;
    let error = world.subscribe(&files(&world.ca, "ha2")).await.unwrap_err();
    assert!(matches!(&error, FeedError::Dismissed(why) if why == "home agent ha2 is not known: `hac ha add` it"), "{error}");
    world.nobody_was_served().await;
}

#[tokio::test]
async fn a_home_agent_looks_up_spis_and_hears_of_new_blocks_in_the_order_in_which_the_hac_says_it() {
    let world = World::new().await;
    let (mut client, _) = world.subscribe(&files(&world.ca, "ha1")).await.unwrap();
    whole_snapshot(&mut client).await;
    let (unknown, known) = (provisioned(702).sa.spi, provisioned(703).sa.spi);
    client.look_up(unknown).await;
    client.look_up(known).await;
    assert!(matches!(client.next().await.unwrap(), FromHac::Answer(Answer::NotFound(spi)) if spi == unknown));
    let FromHac::SpiBlocks(now) = client.next().await.unwrap() else { panic!("no blocks") };
    assert_eq!(now, blocks(2));
    let FromHac::Answer(Answer::Found(found)) = client.next().await.unwrap() else { panic!("nothing found") };
    assert_eq!((found.sa.spi, &found.sa.mn_to_ha), (known, &provisioned(703).sa.mn_to_ha));
}

#[tokio::test]
async fn what_nodes_have_registered_under_reaches_the_hac_in_the_order_in_which_it_is_said() {
    let mut world = World::new().await;
    let (mut client, _) = world.subscribe(&files(&world.ca, "ha1")).await.unwrap();
    whole_snapshot(&mut client).await;
    let most: Vec<Spi> = (0..REGISTERED_PART as u16).map(|number| provisioned(number).sa.spi).collect();
    client.registered(most.clone()).await;
    client.acknowledge(40).await;
    world.seen.recv().await.unwrap();
    assert_eq!(world.seen.recv().await.unwrap(), format!("Ok({:?})", FromHa::Registered(most)));
    assert_eq!(world.seen.recv().await.unwrap(), "Ok(Acknowledge(40))");
}

#[tokio::test]
async fn as_many_reports_as_a_message_takes_reach_the_hac_and_its_wish_for_a_new_sa_the_home_agent() {
    let mut world = World::new().await;
    let (mut client, _) = world.subscribe(&files(&world.ca, "ha1")).await.unwrap();
    whole_snapshot(&mut client).await;
    let most = Volume { packets: u64::MAX, octets: u64::MAX };
    let report = |number| SessionReport {
        spi: provisioned(number).sa.spi,
        number: u32::MAX,
        care_of: "[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535".parse().unwrap(),
        age: Duration::from_secs(367 * 86_400),
        traffic: Traffic { from_node: most, to_node: most },
        ended: Some(SessionEnd::SaExpired),
    };
    let reports: Vec<_> = (0..USAGE_PART as u16).map(report).collect();
    client.usage(reports.clone()).await;
    world.seen.recv().await.unwrap();
    assert_eq!(world.seen.recv().await.unwrap(), format!("Ok({:?})", FromHa::Usage(reports)));
    assert!(matches!(client.next().await.unwrap(), FromHac::Renew(spi) if spi == provisioned(0).sa.spi));
}

#[tokio::test]
async fn a_home_agent_that_was_removed_can_tell_it_from_every_other_end() {
    let world = World::new().await;
    let (mut client, _) = world.subscribe(&files(&world.ca, "ha1")).await.unwrap();
    whole_snapshot(&mut client).await;
    client.acknowledge(99).await;
    assert!(matches!(client.next().await, Err(FeedError::Dismissed(why)) if why == "ha1 was removed"));
    let (mut client, _) = world.subscribe(&files(&world.ca, "ha1")).await.unwrap();
    whole_snapshot(&mut client).await;
    world.shutdown.send(()).unwrap();
    let ended = client.next().await.unwrap_err();
    assert!(matches!(ended, FeedError::Refused(_) | FeedError::Ended), "{ended}");
}

#[tokio::test]
async fn what_is_said_behind_the_end_does_not_hide_its_reason() {
    let world = World::new().await;
    let (mut client, _) = world.subscribe(&files(&world.ca, "ha1")).await.unwrap();
    whole_snapshot(&mut client).await;
    client.acknowledge(99).await;
    for number in 0..200 {
        client.look_up(provisioned(number).sa.spi).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(matches!(client.next().await, Err(FeedError::Dismissed(why)) if why == "ha1 was removed"));
}

#[tokio::test]
async fn a_certificate_of_an_unknown_ca_is_refused_by_both_ends() {
    let mut world = World::new().await;
    let stranger = Authority::new();
    let error = world.subscribe(&files(&stranger, "ha1")).await.unwrap_err().to_string();
    assert!(error.contains("UnknownIssuer") || error.contains("BadSignature"), "{error}");
    let own_ca_but_foreign_certificate = TlsFiles { ca: world.ca.pem.clone(), ..files(&stranger, "ha1") };
    let error = world.subscribe(&own_ca_but_foreign_certificate).await.unwrap_err().to_string();
    assert!(error.contains("UnknownCA") || error.contains("DecryptError"), "{error}");
    world.nobody_was_served().await;
}

#[tokio::test]
async fn a_hac_of_another_name_is_refused() {
    let mut world = World::new().await;
    let at = FeedAddress { address: world.address.to_string(), server_name: "hac.example.com".to_owned() };
    let refused = FeedClient::connect(
        &at,
        &files(&world.ca, "ha1"),
        Hello { instance: [7; 16], known_revision: 0, features: Features::NONE },
    )
    .await;
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("NotValidForName") || error.contains("not valid for name"), "{error}");
    world.nobody_was_served().await;
}

#[tokio::test]
async fn a_client_without_a_certificate_is_refused() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut world = World::new().await;
    let mut roots = rustls::RootCertStore::empty();
    let ca = rustls::pki_types::pem::PemObject::from_pem_slice(world.ca.pem.as_bytes()).unwrap();
    roots.add(ca).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let tcp = tokio::net::TcpStream::connect(world.address).await.unwrap();
    let name = "hac.example.org".try_into().unwrap();
    let mut stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    let error = stream.read(&mut [0; 64]).await.unwrap_err().to_string();
    assert!(error.contains("CertificateRequired"), "{error}");
    world.nobody_was_served().await;
}

#[tokio::test]
async fn a_certificate_that_names_no_home_agent_is_refused() {
    let mut world = World::new().await;
    assert!(world.subscribe(&files(&world.ca, "192.0.2.1")).await.is_err());
    world.nobody_was_served().await;
}

#[tokio::test]
async fn when_the_server_stops_its_subscriptions_end_it_returns_and_its_port_is_free() {
    let world = World::new().await;
    let (mut client, _) = world.subscribe(&files(&world.ca, "ha1")).await.unwrap();
    whole_snapshot(&mut client).await;
    world.shutdown.send(()).unwrap();
    assert!(matches!(client.next().await, Err(FeedError::Refused(_) | FeedError::Ended)));
    drop(client);
    tokio::time::timeout(Duration::from_secs(5), world.server).await.unwrap().unwrap();
    TcpListener::bind(world.address).await.unwrap();
}
