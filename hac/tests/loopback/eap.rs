//! MHAuth-EAP at the real HAC on loopback: EAP-TLS with its own server, what a run costs, and what runs that are abandoned leave.

use std::sync::Arc;

use fixture::Authority;
use net::tls::in_memory::{ClientSettings, EapTlsClient, Identity};
use protocol::eap::method::PeerMethod;
use protocol::eap::method::gpsk::GpskPeer;
use protocol::eap::method::tls::eap_tls;
use protocol::eap::peer::Peer;
use protocol::mhauth::EapOffer;
use protocol::mhauth::initiator::eap::{self, Step};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, SanType};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::task::JoinHandle;

use super::process::Process;
use super::*;

/// A HAC with an EAP-TLS server, and a subscriber's certificate for it.
struct EapWorld {
    world: World,
    hac: Process,
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    /// Acknowledges everything.
    feeding: JoinHandle<()>,
}

impl EapWorld {
    async fn new() -> Self {
        let world = World::new();
        let authority = Authority::new();
        std::fs::write(world.path("hac/clients.pem"), &authority.pem).unwrap();
        let config = std::fs::read_to_string(world.path("hac/hac.toml")).unwrap();
        std::fs::write(world.path("hac/hac.toml"), config + "\n[eap]\nmethods = [\"tls\"]\nclient-ca = \"clients.pem\"\n")
            .unwrap();
        let mut parameters = CertificateParams::default();
        parameters.subject_alt_names = vec![SanType::Rfc822Name(NAI.try_into().unwrap())];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certified = authority.certify_as(&parameters);
        let hac = Process::start(&world);
        let (mut client, _) = world.home_agent(hac.home_agents, 1).await;
        until(&world, |status| status["connected"][0]["name"] == "ha1").await;
        let feeding = tokio::spawn(async move {
            while let Ok(message) = client.next().await {
                if let FromHac::Delta { revision, .. } = message {
                    client.acknowledge(revision).await;
                }
            }
        });
        let certificate = CertificateDer::from_pem_slice(certified.certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(certified.key.as_bytes()).unwrap();
        Self { world, hac, certificate, key, feeding }
    }

    /// Remembers no session: each run with another is a whole one.
    fn client(&self) -> EapTlsClient {
        let identity = Identity { chain: vec![self.certificate.clone()], key: self.key.clone_key() };
        let roots = net::tls::load_authorities(&self.world.path("alice/ca.pem")).unwrap();
        let (server_name, versions) = (NAME.to_owned(), rustls::ALL_VERSIONS);
        EapTlsClient::new(ClientSettings { roots, server_name, identity: Some(identity), versions }).unwrap()
    }

    /// A run up to and including so many requests; `None` where it is not over then.
    async fn run(&self, requests: usize) -> Option<Grant> {
        let method = eap_tls::peer(self.client().connection().unwrap());
        run(&self.world, self.hac.mobile_nodes, Box::new(method), requests).await
    }

    async fn psk(&self) -> Grant {
        self.world.provision(self.hac.mobile_nodes).await.unwrap()
    }
}

/// A run up to and including so many requests; `None` where it is not over then.
async fn run(world: &World, at: SocketAddr, method: Box<dyn PeerMethod>, requests: usize) -> Option<Grant> {
    let (mut stream, Offer { mn_id, profile, suites, user_data, .. }, binding) = world.reach(at).await;
    let peer = Peer::new(NAI, vec![method]).unwrap();
    let offer = EapOffer { mn_id, peer, psk: None, profile, suites, user_data };
    let (waiting, mut request) = eap::start(offer, binding, &mut rand::rng());
    let mut waiting = Some(waiting);
    let mut step = None;
    for _ in 0..requests {
        stream.write_all(&request).await.unwrap();
        let response = message(&mut stream).await;
        let rng = &mut rand::rng();
        let next = match (waiting.take(), step.take()) {
            (Some(init), _) => init.handle(&response, rng).unwrap(),
            (None, Some(Step::Mid(mid, _))) => mid.handle(&response, rng).unwrap(),
            (None, Some(Step::Done(done, _))) => done.handle(&response, rng).unwrap(),
            (None, _) => panic!("nothing more was to be sent"),
        };
        match &next {
            Step::Mid(_, octets) | Step::Done(_, octets) | Step::Psk(_, octets) => request.clone_from(octets),
            Step::Granted(_) => {}
        }
        if let Step::Granted(grant) = next {
            return Some(*grant);
        }
        step = Some(next);
    }
    None
}

/// More than a run takes.
const WHOLE: usize = 50;

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_with_a_certificate_is_granted_an_association_by_the_hacs_own_eap_server() {
    let world = EapWorld::new().await;
    let grant = world.run(WHOLE).await.unwrap();
    assert_eq!(grant.sa.home, world.psk().await.sa.home, "the same subscriber, whichever way he came");
    assert!(world.run(3).await.is_none(), "a run takes more than three requests");
    let status = until(&world.world, |status| status["sessions"]["open"] == 0).await;
    assert_eq!((&status["sessions"]["200"], &status["sessions"]["broken"]), (&2.into(), &1.into()), "{status}");
    world.feeding.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_store_is_busy_runs_of_eap_go_on_up_to_where_they_need_it() {
    let world = World::new();
    let config = std::fs::read_to_string(world.path("hac/hac.toml")).unwrap();
    std::fs::write(world.path("hac/hac.toml"), config + "\n[eap]\nmethods = [\"gpsk\"]\n").unwrap();
    let running = world.start().await.unwrap();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (held, is_held) = tokio::sync::oneshot::channel();
    let store = running.shared().store.clone();
    let holding = tokio::spawn(async move { store.run(move |_| held.send(()).and(Ok(released.recv()))).await });
    is_held.await.unwrap();
    let method = GpskPeer::new(NAI, Secret::new(vec![7; 32])).unwrap();
    let identity_and_first_round = run(&world, running.mobile_nodes()[0], Box::new(method), 2);
    assert!(tokio::time::timeout(Duration::from_secs(20), identity_and_first_round).await.unwrap().is_none());
    assert!(!holding.is_finished(), "the store was held all the while");
    release.send(()).unwrap();
    holding.await.unwrap().unwrap().unwrap().unwrap();
}

/// Rounds of each method, in turn.
const ROUNDS: usize = 5;
const RUNS: usize = 200;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: `make bench`"]
async fn what_a_run_of_eap_tls_costs_the_hac_beside_one_with_a_pre_shared_key() {
    let world = Arc::new(EapWorld::new().await);
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let psk = world
            .hac
            .cpu_of(async {
                for _ in 0..RUNS {
                    drop(world.psk().await)
                }
            })
            .await;
        let eap = world
            .hac
            .cpu_of(async {
                for _ in 0..RUNS {
                    drop(world.run(WHOLE).await.unwrap())
                }
            })
            .await;
        eprintln!("ms of CPU a run: PSK {:.2}, EAP-TLS {:.2}", psk * 1e3 / RUNS as f64, eap * 1e3 / RUNS as f64);
        ratios.push(psk / eap);
    }
    ratios.sort_by(f64::total_cmp);
    eprintln!(
        "EAP-TLS runs a CPU-second of the HAC: {:.2} of those with a pre-shared key (median of {ROUNDS})",
        ratios[ROUNDS / 2]
    );
    assert!(ratios[ROUNDS / 2] >= 0.4, "{ratios:?}");
}

/// With EAP every tenth is abandoned in the middle of its method.
const MANY: usize = 10_000;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "twenty thousand runs: `make bench`"]
async fn ten_thousand_runs_of_eap_leave_no_more_in_the_hacs_memory_than_as_many_with_a_pre_shared_key() {
    let world = EapWorld::new().await;
    let psk = world.growth("PSK", async |_| drop(world.psk().await)).await;
    let world = EapWorld::new().await;
    let eap = world
        .growth("EAP-TLS", async |number| {
            let is_abandoned = number % 10 == 9;
            assert_eq!(world.run(if is_abandoned { 4 } else { WHOLE }).await.is_none(), is_abandoned);
        })
        .await;
    // What both leave are associations, in the database's page cache and at its home agent's feed.
    assert!(eap < psk + psk / 2, "{eap} KiB beside {psk}");
}

impl EapWorld {
    /// KiB by which the HAC grows from the first thousand runs to the last.
    async fn growth(&self, method: &str, run: impl AsyncFn(usize)) -> u64 {
        let mut resident = Vec::new();
        for number in 0..MANY {
            run(number).await;
            if number % 1000 == 999 {
                resident.push(self.hac.resident_kib());
            }
        }
        eprintln!("{method}: KiB resident after each thousand runs: {resident:?}");
        resident[resident.len() - 1].saturating_sub(resident[0])
    }
}
