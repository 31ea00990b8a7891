//! Datagrams over TLS: what a stranger sends -> how its connection ends. The fallback is real; the home agent behind it is made here,
//! and says which Binding Update it accepts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ha::fallback::{self, FallbackCounters, OpenRelays, RelayEvent, Surroundings};
use net::relay::frame::{LEAST, MOST, prefix};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const NAME: &str = "ha1.example.org";
/// What is sent over a connection that was not refused.
const SOON: Duration = Duration::from_secs(10);

/// When a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closed {
    /// While it is read.
    AtOnce,
    /// Two seconds after the handshake.
    WithoutBindingUpdate,
}
use Closed::{AtOnce, WithoutBindingUpdate};

/// What is wrong, the octets behind the handshake, when that ends, and how many datagrams are let in and not let in.
type Row = (&'static str, Vec<u8>, Closed, (u64, u64));

fn framed(datagrams: &[&[u8]]) -> Vec<u8> {
    datagrams.iter().flat_map(|datagram| [&prefix(datagram.len()).unwrap()[..], datagram].concat()).collect()
}

fn rows() -> Vec<Row> {
    let signalling = |number: u8| [0x80, 0, 0x10, 1, 0, 0, 0, number];
    let many: Vec<_> = (0..12).map(signalling).collect();
    let many: Vec<&[u8]> = many.iter().map(|datagram| &datagram[..]).collect();
    let long = |len: usize| u16::try_from(len).unwrap().to_be_bytes().to_vec();
    vec![
        ("nothing", vec![], WithoutBindingUpdate, (0, 0)),
        ("half a length", vec![0], WithoutBindingUpdate, (0, 0)),
        ("half a datagram", framed(&[&[0x80; 100]])[..50].to_vec(), WithoutBindingUpdate, (0, 0)),
        ("another protocol", b"GET / HTTP/1.1\r\n\r\n".to_vec(), AtOnce, (0, 0)),
        ("a length of 0", long(0), AtOnce, (0, 0)),
        ("a datagram that is too short", long(LEAST - 1), AtOnce, (0, 0)),
        ("a datagram that is too long", long(MOST + 1), AtOnce, (0, 0)),
        ("user data", framed(&[&[0x10; 100]]), WithoutBindingUpdate, (0, 1)),
        ("user data in the clear", framed(&[&[0; 100]]), WithoutBindingUpdate, (0, 1)),
        ("a PType that is not assigned", framed(&[&[0x90; 100], &[0x70; 100]]), WithoutBindingUpdate, (0, 2)),
        ("signalling that nobody accepts", framed(&[&signalling(0)]), WithoutBindingUpdate, (1, 0)),
        ("more signalling than one needs", framed(&many), WithoutBindingUpdate, (8, 4)),
    ]
}

/// The fallback with what it needs, and a home agent that knows each relay and accepts what begins with [`World::accepts`].
struct World {
    address: SocketAddr,
    connector: TlsConnector,
    counters: Arc<FallbackCounters>,
    _tasks: JoinSet<()>,
}

/// The datagram whose relay is bound.
const ACCEPTED: [u8; 20] = [0x8a; 20];

impl World {
    async fn new() -> Self {
        let authority = fixture::Authority::new();
        let certified = authority.certify(NAME);
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
            folder.path().join(name)
        };
        let chain = net::tls::load_certificates(&file("ha.pem", &certified.certificate)).unwrap();
        let key = net::tls::load_key(&file("ha-key.pem", &certified.key)).unwrap();
        let roots = net::tls::load_authorities(&file("ca.pem", &authority.pem)).unwrap();
        let client = net::tls::Clients::new(roots).client(NAME, LOCAL.ip()).unwrap();
        let (listener, udp) = (TcpListener::bind(LOCAL).await.unwrap(), UdpSocket::bind(LOCAL).await.unwrap());
        let (events, heard) = fallback::events();
        let counters = Arc::new(FallbackCounters::default());
        let acceptor = TlsAcceptor::from(net::tls::server(chain, key).unwrap().config);
        let udp_address = [udp.local_addr().unwrap()].into();
        let around = Surroundings { acceptor, udp: udp_address, events, counters: Arc::clone(&counters) };
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(fallback::serve(vec![listener], 100, around));
        tasks.spawn(home_agent(udp, heard));
        Self { address, connector: TlsConnector::from(client.config.clone()), counters, _tasks: tasks }
    }

    async fn connect(&self) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        self.connector.connect(NAME.to_owned().try_into().unwrap(), stream).await.unwrap()
    }

    /// Let in and not let in.
    fn counted(&self) -> (u64, u64) {
        (self.counters.relays.from_stream(), self.counters.relays.refused())
    }

    /// Waits until so many connections are left.
    async fn has_open(&self, count: u64) {
        let is_so = async {
            while self.counters.open() != count {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(SOON, is_so).await.unwrap_or_else(|_| panic!("not {count} are open: {:?}", self.counters));
    }

    /// A right node is served: its datagrams cross both ways, also behind those two seconds.
    async fn serves_the_right_node(&self) -> TlsStream<TcpStream> {
        let mut node = self.connect().await;
        echoes(&mut node, &ACCEPTED).await;
        tokio::time::sleep(fallback::FIRST_BINDING_UPDATE + Duration::from_millis(200)).await;
        echoes(&mut node, &[0x10; 1400]).await;
        node
    }
}

/// Gives every datagram back to the relay that it came from.
async fn home_agent(udp: UdpSocket, mut heard: tokio::sync::mpsc::Receiver<RelayEvent>) {
    let (mut relays, mut datagram) = (OpenRelays::default(), [0; 2000]);
    loop {
        tokio::select! {
            Some(event) = heard.recv() => match event {
                RelayEvent::Opened { relay, standing, .. } => relays.open(relay, standing),
                RelayEvent::Closed { relay } => relays.close(relay),
            },
            Ok((octets, from)) = udp.recv_from(&mut datagram) => {
                if datagram[..octets] == ACCEPTED {
                    relays.bind(from, Ipv6Addr::LOCALHOST);
                }
                udp.send_to(&datagram[..octets], from).await.unwrap();
            }
        }
    }
}

async fn echoes(node: &mut TlsStream<TcpStream>, datagram: &[u8]) {
    let sent = framed(&[datagram]);
    node.write_all(&sent).await.unwrap();
    node.flush().await.unwrap();
    let mut back = vec![0; sent.len()];
    timeout(SOON, node.read_exact(&mut back)).await.unwrap().unwrap();
    assert_eq!(back, sent);
}

/// How long it is until the fallback ends this connection.
async fn ends(node: &mut TlsStream<TcpStream>) -> Duration {
    let (start, mut rest) = (Instant::now(), Vec::new());
    let _reset_or_closed = timeout(SOON, node.read_to_end(&mut rest)).await.expect("it was not ended");
    start.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stranger_sends_over_tls_ends_its_connection_and_no_other() {
    let world = World::new().await;
    let mut right = world.serves_the_right_node().await;
    for (input, octets, closed, (let_in, not_let_in)) in rows() {
        let (before, unbound) = (world.counted(), world.counters.unbound());
        let mut stranger = world.connect().await;
        stranger.write_all(&octets).await.unwrap();
        stranger.flush().await.unwrap();
        let took = ends(&mut stranger).await;
        let limits = fallback::FIRST_BINDING_UPDATE.mul_f64(0.9)..fallback::FIRST_BINDING_UPDATE.mul_f64(1.9);
        match closed {
            AtOnce => assert!(took < Duration::from_secs(1), "{input}: {took:?}"),
            WithoutBindingUpdate => assert!(limits.contains(&took), "{input}: {took:?}"),
        }
        assert_eq!(world.counted(), (before.0 + let_in, before.1 + not_let_in), "{input}");
        world.has_open(1).await;
        assert_eq!(world.counters.unbound(), unbound + 1, "{input}");
        echoes(&mut right, &[0x11; 700]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_connection_of_a_node_ends_the_older() {
    let world = World::new().await;
    let mut older = world.serves_the_right_node().await;
    let mut newer = world.connect().await;
    echoes(&mut newer, &ACCEPTED).await;
    assert!(ends(&mut older).await < Duration::from_secs(1));
    echoes(&mut newer, &[0x10; 100]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_one_source_no_more_than_its_share_is_taken_before_nodes_are_known() {
    let world = World::new().await;
    let mut strangers = Vec::new();
    for _ in 0..fallback::MAX_PENDING_OF_SOURCE {
        strangers.push(world.connect().await);
    }
    // The reset may come before the kernel has told of the connection, or after.
    let refused = async { TcpStream::connect(world.address).await?.read(&mut [0; 1]).await };
    let ended = timeout(SOON, refused).await.unwrap();
    assert_eq!(ended.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(world.counters.refused(), 1);
    drop(strangers);
    world.has_open(0).await;
    world.serves_the_right_node().await;
}
