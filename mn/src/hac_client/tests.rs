//! Runs of MHAuth against several HACs: real TCP, TLS and MHAuth in a namespace whose loopback has the addresses.

use std::sync::atomic::{AtomicUsize, Ordering};

use fixture::{Authority, block_on, enter_new_network_namespace, shell};
use protocol::mhauth::Status;
use protocol::mhauth::responder::{AwaitingInit, Known};
use protocol::nat64::Nat64Prefix;
use protocol::profile::WireProfile;
use protocol::sa::{CipherSuite, Secret, Spi};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::nat64::Prefixes;

const NAME: &str = "hac.example.org";
/// Where nobody is and nothing answers: behind a cable whose other end takes what is sent for a stranger's.
const SILENT: &str = "198.51.100.9";
/// Of a family that the namespace has no route for.
const NO_NETWORK: &str = "2001:db8::1";

/// What a HAC does with who comes.
#[derive(Clone, Copy, Debug)]
enum Does {
    Grant,
    /// Answers the first message with a status, keyed with "1", and wants to be left alone for so many seconds.
    Refuse(Status, Option<u64>),
    /// Answers the second message with a status, keyed with the pre-shared key.
    RefuseKnown(Status),
    /// Has another key for the node, and hears how that ends.
    KnowAnotherKey,
    /// Takes the connection and closes it.
    Hang,
}

/// The HACs of a test.
struct World {
    authority: Authority,
}

/// One HAC, which counts who comes and keeps how it ended with each.
struct Hac {
    does: Arc<Mutex<Does>>,
    asked: Arc<AtomicUsize>,
    ended: mpsc::UnboundedReceiver<std::io::Result<()>>,
}

impl World {
    fn client(&self, addresses: &[&str]) -> HacClient {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.pem.as_bytes()).unwrap()).unwrap();
        let addresses = addresses.iter().map(|ip| ip.parse().unwrap()).collect();
        HacClient {
            whereabouts: Whereabouts { name: NAME.to_owned(), port: None, addresses },
            tls: Arc::new(tls::Clients::new(Arc::new(roots))),
            fwmark: 7872,
            name_servers: NameServers::beside("mn0"),
            nai: "alice@example.org".parse().unwrap(),
            credentials: Credentials::psk(psk()),
            policy: Policy::default(),
            nat64: Watch::default(),
            memory: Arc::default(),
        }
    }

    /// A HAC at `ip` whose certificate the client believes.
    async fn hac(&self, ip: &str, does: Does) -> Hac {
        self.certified(ip, does, &self.authority, NAME).await
    }

    async fn certified(&self, ip: &str, does: Does, authority: &Authority, name: &str) -> Hac {
        let certified = authority.certify(name);
        let chain = vec![CertificateDer::from_pem_slice(certified.certificate.as_bytes()).unwrap()];
        let server = tls::server(chain, PrivateKeyDer::from_pem_slice(certified.key.as_bytes()).unwrap()).unwrap();
        let listener = TcpListener::bind((ip, DEFAULT_PORT)).await.unwrap();
        let (ends, ended) = mpsc::unbounded_channel();
        let hac = Hac { does: Arc::new(Mutex::new(does)), asked: Arc::default(), ended };
        let (does, asked) = (hac.does.clone(), hac.asked.clone());
        tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                asked.fetch_add(1, Ordering::Relaxed);
                let (does, server, ends) = (*does.lock().unwrap(), server.clone(), ends.clone());
                // Few tests look at how it ended.
                tokio::spawn(async move { ends.send(serve(tcp, server, does).await) });
            }
        });
        hac
    }
}

impl Hac {
    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    fn does(&self, does: Does) {
        *self.does.lock().unwrap() = does;
    }
}

fn psk() -> Psk {
    Psk::from_octets(Secret::new((0..32).collect())).unwrap()
}

fn other_psk() -> Psk {
    Psk::from_octets(Secret::new(vec![0x77; 32])).unwrap()
}

/// The HAC's end of MHAuth without what stands behind it.
async fn serve(tcp: TcpStream, server: tls::Server, does: Does) -> std::io::Result<()> {
    let mut stream = TlsAcceptor::from(server.config).accept(tcp).await?;
    let init = receive(&mut stream).await?;
    let received = AwaitingInit::new(WireProfile::Rfc6618, server.binding).handle(&init).unwrap();
    let key = if matches!(does, Does::KnowAnotherKey) { other_psk() } else { psk() };
    let (waiting, response) = match does {
        Does::Hang => return Ok(()),
        Does::Refuse(status, seconds) => {
            let at = seconds.map(|seconds| SystemTime::now() + Duration::from_secs(seconds));
            stream.write_all(&received.refuse(status, at).octets).await?;
            return until_closed(&mut stream).await;
        }
        Does::Grant | Does::RefuseKnown(_) | Does::KnowAnotherKey => {
            received.respond(key, Known::Yes, WireProfile::Rfc6618, [7; 32])
        }
    };
    stream.write_all(&response).await?;
    if matches!(does, Does::KnowAnotherKey) {
        return until_closed(&mut stream).await;
    }
    let done = receive(&mut stream).await?;
    let authenticated = waiting.handle(&done).unwrap();
    let response = match does {
        Does::RefuseKnown(status) => authenticated.refuse(status, None).octets,
        Does::Grant | Does::Refuse(..) | Does::KnowAnotherKey | Does::Hang => authenticated.grant(&grant()),
    };
    stream.write_all(&response).await?;
    stream.shutdown().await?;
    until_closed(&mut stream).await
}

/// An error where the connection breaks off without close_notify.
async fn until_closed(stream: &mut (impl AsyncReadExt + Unpin)) -> std::io::Result<()> {
    assert_eq!(stream.read(&mut [0; 1]).await?, 0, "nothing follows");
    Ok(())
}

async fn receive(stream: &mut (impl AsyncReadExt + Unpin)) -> std::io::Result<Vec<u8>> {
    let mut message = vec![0; container::HEADER_LEN];
    stream.read_exact(&mut message).await?;
    let header: [u8; container::HEADER_LEN] = message[..].try_into().unwrap();
    message.resize(container::frame_len(&header), 0);
    stream.read_exact(&mut message[container::HEADER_LEN..]).await?;
    Ok(message)
}

fn grant() -> Grant {
    let now = SystemTime::now();
    Grant {
        sa: fixture::association(Spi::new(9).unwrap(), CipherSuite::Aes128Gcm),
        validity_end: now + Duration::from_secs(86_400),
        date: Some(now),
        home_prefix6: None,
        home_prefix4: None,
        dns: Vec::new(),
        fallback: None,
    }
}

/// Runs a test among HACs; `body` is a closure that is written in the test itself.
#[track_caller]
fn among_hacs<F: FnOnce(World) -> A, A: Future<Output = ()>>(body: F) {
    if enter_new_network_namespace::<F>() {
        shell("ip link set lo up && for last in 1 2 3; do ip address add 192.0.2.$last/32 dev lo; done");
        shell("ip link add silent type veth peer name void && ip link set void up && ip link set silent up");
        shell("ip address add 198.51.100.1/24 dev silent");
        shell(&format!("ip neighbour add {SILENT} lladdr 02:00:00:00:00:09 dev silent nud permanent"));
        block_on(body(World { authority: Authority::new() }));
    }
}

async fn run(client: &HacClient) -> Result<Grant, HacError> {
    client.authenticate(|_| ()).await
}

#[test]
fn the_first_address_that_gives_a_grant_is_the_only_one_that_is_asked() {
    among_hacs(|world| async move {
        let (first, second) = (world.hac("192.0.2.1", Does::Grant).await, world.hac("192.0.2.2", Does::Grant).await);
        run(&world.client(&["192.0.2.1", "192.0.2.2"])).await.unwrap();
        assert_eq!((first.asked(), second.asked()), (1, 0));
    });
}

#[test]
fn an_address_that_swallows_everything_costs_a_quarter_of_a_second_and_a_missing_network_nothing() {
    among_hacs(|world| async move {
        let _hac = world.hac("192.0.2.1", Does::Grant).await;
        let reached = Mutex::new(Duration::ZERO);
        for (other, at_least, below) in [(NO_NETWORK, 0, 250), (SILENT, 250, 1_000)] {
            let begun = Instant::now();
            let goes_from = |from: Option<IpAddr>| {
                assert_eq!(from, "192.0.2.1".parse().ok());
                *reached.lock().unwrap() = begun.elapsed();
            };
            world.client(&[other, "192.0.2.1"]).authenticate(goes_from).await.unwrap();
            let took = reached.lock().unwrap().as_millis();
            assert!((at_least..below).contains(&took), "{other}: {took} ms");
        }
    });
}

#[test]
fn behind_a_winner_that_is_not_trusted_the_others_are_tried_and_from_where_is_unknown_meanwhile() {
    among_hacs(|world| async move {
        let other = Authority::new();
        let impostor = world.certified("192.0.2.1", Does::Grant, &other, NAME).await;
        let stranger = world.certified("192.0.2.2", Does::Grant, &world.authority, "other.example.org").await;
        let right = world.hac("192.0.2.3", Does::Grant).await;
        let heard = Mutex::new(Vec::new());
        let client = world.client(&["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
        client.authenticate(|from| heard.lock().unwrap().push(from)).await.unwrap();
        let own: [Option<IpAddr>; 3] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|ip| ip.parse().ok());
        assert_eq!(*heard.lock().unwrap(), [own[0], None, own[1], None, own[2]]);
        assert_eq!((impostor.asked(), stranger.asked(), right.asked()), (1, 1, 1));
    });
}

#[test]
fn a_hac_that_is_not_trusted_is_named_with_the_reason_and_ends_nothing() {
    among_hacs(|world| async move {
        let _impostor = world.certified("192.0.2.1", Does::Grant, &Authority::new(), NAME).await;
        let error = run(&world.client(&["192.0.2.1", NO_NETWORK])).await.unwrap_err();
        assert!(!error.is_final() && error.to_string().starts_with("the HAC at 192.0.2.1:7872 was not trusted"), "{error}");
        let error = run(&world.client(&["192.0.2.2", "192.0.2.1"])).await.unwrap_err();
        assert!(!error.is_final() && error.to_string().contains("192.0.2.2:7872 (Connection refused"), "{error}");
    });
}

#[test]
fn one_that_asks_to_be_left_alone_is_not_asked_again_while_the_others_are_in_the_same_run() {
    among_hacs(|world| async move {
        let busy = Does::Refuse(Status::Unavailable, Some(100));
        let (first, second) = (world.hac("192.0.2.1", busy).await, world.hac("192.0.2.2", Does::Grant).await);
        let client = world.client(&["192.0.2.1", "192.0.2.2"]);
        run(&client).await.unwrap();
        assert_eq!((first.asked(), second.asked()), (1, 1));
        second.does(Does::Refuse(Status::Unavailable, Some(50)));
        let error = run(&client).await.unwrap_err();
        assert_eq!((first.asked(), second.asked()), (1, 2));
        let pause = error.retry_after(SystemTime::now()).unwrap().as_secs();
        assert!((45..=50).contains(&pause) && !error.is_final(), "{pause}: {error}");
        let error = run(&client).await.unwrap_err();
        assert!(error.to_string().contains("left alone"), "{error}");
        assert_eq!((first.asked(), second.asked()), (1, 2), "both were asked to be left alone");
        client.forget_pauses();
        run(&client).await.unwrap_err();
        assert_eq!((first.asked(), second.asked()), (2, 3), "the operator waits for no pause");
    });
}

#[test]
fn while_one_wants_a_pause_and_another_is_down_the_run_is_repeated_without_it() {
    among_hacs(|world| async move {
        let busy = world.hac("192.0.2.1", Does::Refuse(Status::Unavailable, Some(100))).await;
        let client = world.client(&["192.0.2.1", "192.0.2.2"]);
        let error = run(&client).await.unwrap_err();
        assert_eq!(error.retry_after(SystemTime::now()), None, "{error}");
        let back = world.hac("192.0.2.2", Does::Grant).await;
        run(&client).await.unwrap();
        assert_eq!((busy.asked(), back.asked()), (1, 1));
    });
}

#[test]
fn the_verdict_of_a_hac_that_was_trusted_ends_the_run_and_a_broken_connection_does_not() {
    among_hacs(|world| async move {
        let first = world.hac("192.0.2.1", Does::RefuseKnown(Status::NotAuthenticated)).await;
        let second = world.hac("192.0.2.2", Does::Grant).await;
        let client = world.client(&["192.0.2.1", "192.0.2.2"]);
        let error = run(&client).await.unwrap_err();
        assert!(error.is_final() && second.asked() == 0, "{error}");
        first.does(Does::Hang);
        run(&client).await.unwrap();
        assert_eq!((first.asked(), second.asked()), (2, 1));
    });
}

#[test]
fn the_address_that_gave_the_last_grant_is_asked_first_the_next_time() {
    among_hacs(|world| async move {
        let second = world.hac("192.0.2.2", Does::Grant).await;
        let client = world.client(&["192.0.2.1", "192.0.2.2"]);
        run(&client).await.unwrap();
        let first = world.hac("192.0.2.1", Does::Grant).await;
        run(&client).await.unwrap();
        assert_eq!((first.asked(), second.asked()), (0, 2));
    });
}

#[test]
fn a_refusal_that_is_not_authenticated_is_a_hint_the_others_are_asked_and_its_reason_is_told() {
    among_hacs(|world| async move {
        let hint = world.hac("192.0.2.1", Does::Grant).await;
        let right = world.hac("192.0.2.2", Does::Grant).await;
        for (status, asked) in [(Status::Malformed, 1), (Status::NotAuthenticated, 2), (Status::NotImplemented, 3)] {
            hint.does(Does::Refuse(status, None));
            run(&world.client(&["192.0.2.1", "192.0.2.2"])).await.unwrap();
            assert_eq!((hint.asked(), right.asked()), (2 * asked - 1, asked), "{status}");
            let error = run(&world.client(&["192.0.2.1"])).await.unwrap_err();
            let said = error.to_string();
            assert!(!error.is_final() && said.contains(&status.to_string()) && said.contains("hint"), "{said}");
        }
    });
}

#[test]
fn whatever_ends_a_run_the_hac_gets_a_close_notify() {
    among_hacs(|world| async move {
        let mut hac = world.hac("192.0.2.1", Does::Grant).await;
        for does in [
            Does::Grant,
            Does::Refuse(Status::Unavailable, None),
            Does::RefuseKnown(Status::NotImplemented),
            Does::KnowAnotherKey,
        ] {
            hac.does(does);
            let granted = run(&world.client(&["192.0.2.1"])).await.is_ok();
            let closed = hac.ended.recv().await.unwrap();
            assert!(granted == matches!(does, Does::Grant) && closed.is_ok(), "{does:?}: {closed:?}");
        }
    });
}

/// Who is reached and then says nothing, or an octet a second.
async fn trickle(mut to: impl AsyncWriteExt + Unpin, begin: &[u8], trickles: bool) {
    to.write_all(begin).await.unwrap();
    while trickles && to.write_all(&[0]).await.is_ok() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    std::future::pending::<()>().await;
}

/// 192.0.2.33 has no route here, and what stands for it is somebody's.
#[test]
fn through_a_nat64_the_certificate_must_be_for_the_hacs_own_address_and_not_for_the_one_connected_to() {
    const STANDS_FOR_IT: &str = "2001:db8:64::c000:221";
    among_hacs(|world| async move {
        shell(&format!("ip address add {STANDS_FOR_IT}/128 dev lo nodad"));
        let prefix = Nat64Prefix::new("2001:db8:64::".parse().unwrap(), 96).unwrap();
        let nat64 = Watch::of(Prefixes::new([(1, prefix)]));
        let client = |nat64| {
            let whereabouts = Whereabouts { name: "192.0.2.33".to_owned(), port: None, addresses: Vec::new() };
            HacClient { whereabouts, nat64, ..world.client(&[]) }
        };
        assert!(run(&client(Watch::default())).await.is_err(), "without a prefix it is not reached");
        let own = world.certified(STANDS_FOR_IT, Does::Grant, &world.authority, "192.0.2.33").await;
        run(&client(nat64.clone())).await.unwrap();
        assert_eq!(own.asked(), 1);
        own.does(Does::Hang);
        let client = client(nat64);
        let address = SocketAddr::new(STANDS_FOR_IT.parse().unwrap(), DEFAULT_PORT);
        let tcp = TcpStream::connect(address).await.unwrap();
        let refused = client.connect(address, address.ip(), tcp).await;
        assert!(matches!(refused, Err(HacError::Tls { .. })), "it is not for the address that stands for it");
    });
}

#[tokio::test(start_paused = true)]
async fn a_response_has_thirty_seconds_to_its_last_octet_whatever_trickles_in() {
    for trickles in [false, true] {
        let (mut node, hac) = tokio::io::duplex(1024);
        let hac = tokio::spawn(trickle(hac, &[0, 1, 1, 0], trickles));
        let begun = tokio::time::Instant::now();
        let error = ask(&mut node, b"a request").await.unwrap_err();
        assert!(matches!(error, HacError::TimedOut(RESPONSE_TIMEOUT)), "{error}");
        assert_eq!(begun.elapsed(), RESPONSE_TIMEOUT);
        hac.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_handshake_has_ten_seconds_whatever_trickles_in() {
    let client = World { authority: Authority::new() }.client(&["127.0.0.1"]);
    // The header of a handshake record of 16,384 octets (RFC 8446 section 5.1).
    for (begin, trickles) in [(&[][..], false), (&[22, 3, 3, 0x40, 0], true)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let tcp = TcpStream::connect(address).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        let hac = tokio::spawn(trickle(accepted, begin, trickles));
        let begun = tokio::time::Instant::now();
        let error = client.connect(address, address.ip(), tcp).await.unwrap_err();
        assert!(matches!(error, HacError::TimedOut(HANDSHAKE_TIMEOUT)), "{error}");
        assert_eq!(begun.elapsed(), HANDSHAKE_TIMEOUT);
        hac.abort();
    }
}
