//! MHAuth over TLS connections that are resumed (RFC 8446 section 2.2).

use rustls::{HandshakeKind, NamedGroup};

use super::*;

/// A HAC with a home agent that acknowledges everything.
struct Serving {
    running: Running,
    _home_agent: tokio::task::JoinHandle<()>,
}

impl Serving {
    async fn start(world: &World) -> Self {
        let running = world.start().await.unwrap();
        let (mut home_agent, _) = world.home_agent(running.home_agents(), 1).await;
        connected(&running).await;
        let acknowledging = tokio::spawn(async move {
            while let Ok(FromHac::Delta { revision, .. }) = home_agent.next().await {
                home_agent.acknowledge(revision).await;
            }
        });
        Self { running, _home_agent: acknowledging }
    }

    /// A run of MHAuth of a mobile node that remembers its sessions; how its connection came about, and what it was bound to.
    async fn provision(&self, world: &World, clients: &Clients) -> Run {
        let stream = world.handshake(clients, self.running.mobile_nodes()[0]).await;
        let tls = stream.get_ref().1;
        assert_eq!(tls.negotiated_key_exchange_group().unwrap().name(), NamedGroup::X25519MLKEM768);
        let kind = tls.handshake_kind().unwrap();
        let (offer, binding) = world.offer("alice", WireProfile::Rfc6618, &stream);
        exchange(stream, offer, binding.clone()).await.unwrap();
        Run { kind, binding }
    }
}

struct Run {
    kind: HandshakeKind,
    binding: ChannelBinding,
}

#[tokio::test(flavor = "multi_thread")]
async fn mhauth_runs_over_a_resumed_connection_until_the_hac_is_started_anew() {
    let world = World::new();
    let mobile_node = world.believing_in("alice");
    let binding = net::tls::channel_binding(&net::tls::load_certificates(&world.path("hac/hac.pem")).unwrap()[0]).unwrap();
    for process in 1..=2 {
        let serving = Serving::start(&world).await;
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed] {
            let run = serving.provision(&world, &mobile_node).await;
            assert_eq!((run.kind, &run.binding), (kind, &binding), "process {process}");
        }
        serving.running.until(std::future::ready(())).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hac_with_another_certificate_takes_no_ticket_of_the_old_one_and_is_bound_to_its_own() {
    let world = World::new();
    let mobile_node = world.believing_in("alice");
    let serving = Serving::start(&world).await;
    let before = serving.provision(&world, &mobile_node).await;
    assert_eq!(serving.provision(&world, &mobile_node).await.kind, HandshakeKind::Resumed);
    serving.running.until(std::future::ready(())).await.unwrap();

    certify_anew(&world.path("hac"));
    let serving = Serving::start(&world).await;
    let after = serving.provision(&world, &mobile_node).await;
    assert_eq!(after.kind, HandshakeKind::Full);
    assert_ne!(after.binding, before.binding);
    let resumed = serving.provision(&world, &mobile_node).await;
    assert_eq!((resumed.kind, resumed.binding), (HandshakeKind::Resumed, after.binding));
}

/// Another certificate of the same CA and name.
fn certify_anew(dir: &Path) {
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    let issuer =
        rcgen::Issuer::from_ca_cert_pem(&read("ca.pem"), rcgen::KeyPair::from_pem(&read("ca-key.pem")).unwrap()).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new([NAME.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    std::fs::write(dir.join("hac.pem"), leaf.pem()).unwrap();
    std::fs::write(dir.join("hac-key.pem"), key.serialize_pem()).unwrap();
}
