//! Both ends of a tunnel in one namespace: real devices, real sockets, real threads.
//!
//! Each end's inner address is local in the namespace, so packets for it would never leave the kernel; sockets bound to
//! their device (SO_BINDTODEVICE) take the routes by that device alone, which lead through the tunnel.

use std::net::{Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use fixture::{HOME6, association, block_on, enter_new_network_namespace, in_new_network_namespace, install, shell};
use protocol::addr::HomeAddresses;
use protocol::sa::{CipherSuite, Role, SecurityAssociation, Spi};
use protocol::tunnel::{Counters, DropReason, Encapsulation, EntryPoint, Event, ExitPoint, IcmpSources, Path, Paths};

use super::*;
use crate::netlink::{MAIN_TABLE, Netlink, Route};
use crate::offloads::Offloads;
use crate::tun::{Tun, TunQueues};
use crate::udp::SocketOptions;

mod forwarding;
mod several;
mod stalled;

const CORRESPONDENT: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 9, 0, 0, 0, 0, 9);
const SOCKET: SocketId = SocketId(3);
const WAIT: Duration = Duration::from_secs(10);

struct End {
    tun: TunQueues,
    sockets: Vec<Arc<UdpSocket>>,
    counters: Arc<Counters>,
    events: tokio::sync::mpsc::Receiver<Event>,
    workers: Workers,
}

impl End {
    fn new(role: Role, device: &str, offloads: Offloads, count: NonZeroU8) -> Self {
        Self::on(role, Tun::create_queues(device, 1400, offloads, count).unwrap(), offloads)
    }

    fn on(role: Role, tun: TunQueues, offloads: Offloads) -> Self {
        let options = SocketOptions { offloads, ..SocketOptions::default() };
        let count = NonZeroU8::new(tun.each.len() as u8).unwrap();
        let sockets = UdpSocket::bind_shares("127.0.0.1:0".parse().unwrap(), &options, count).unwrap();
        let counters = Arc::new(Counters::default());
        let (sender, events) = tokio::sync::mpsc::channel(4);
        let halves = || {
            let entry = EntryPoint::new(role, counters.clone(), IcmpSources { ip6: Some(CORRESPONDENT), ip4: None });
            (entry, ExitPoint::new(role, counters.clone()))
        };
        let workers = Workers::start(&tun, halves, &counters, &sender).unwrap();
        let end = Self { tun, sockets: sockets.into_iter().map(Arc::new).collect(), counters, events, workers };
        end.workers.add_sockets(SOCKET, &end.sockets).unwrap();
        end
    }

    fn address(&self) -> SocketAddr {
        self.sockets[0].local_addr()
    }

    fn apply(&self, command: Command) {
        self.workers.apply(&command).unwrap();
    }

    fn bind_to(&self, remote: SocketAddr, home: HomeAddresses, sending: Spi) {
        let paths = Paths::one(Path::proved(SOCKET, remote));
        self.apply(Command::Move { home, paths, encapsulation: Encapsulation::ProtectedUdp, sending });
        self.settle();
    }

    /// Waits until all workers have carried out everything so far.
    fn settle(&self) {
        self.workers.barrier().unwrap().wait().unwrap();
    }

    /// What did not go through, neither here nor in the kernel; of what the kernel says of itself on a link (multicast from ::)
    /// nothing.
    fn lost(&self) -> Vec<(DropReason, u64)> {
        let io = self.workers.io();
        assert_eq!((io.unsent(), io.unwritten(), io.receive_errors()), (0, 0, 0));
        self.counters.drops().filter(|(reason, _)| *reason != DropReason::ForbiddenInnerAddress).collect()
    }
}

const ONE: NonZeroU8 = NonZeroU8::MIN;
const TWO: NonZeroU8 = NonZeroU8::new(2).unwrap();
const FOUR: NonZeroU8 = NonZeroU8::new(4).unwrap();

fn spi() -> Spi {
    Spi::new(0x0123_4567).unwrap()
}

fn home() -> HomeAddresses {
    HomeAddresses::new(Some(HOME6), None).unwrap()
}

/// A socket of an application at one end.
fn application(address: Ipv6Addr, device: &str) -> std::net::UdpSocket {
    application_at(address, device, 4000)
}

fn application_at(address: Ipv6Addr, device: &str, port: u16) -> std::net::UdpSocket {
    let socket = socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::DGRAM, None).unwrap();
    socket.bind_device(Some(device.as_bytes())).unwrap();
    socket.bind(&SocketAddr::new(address.into(), port).into()).unwrap();
    socket.set_read_timeout(Some(WAIT)).unwrap();
    socket.into()
}

fn set_up_addresses(mn: &End, ha: &End) {
    block_on(async {
        let netlink = Netlink::connect().unwrap();
        netlink.set_link_up(netlink.link_index("lo").await.unwrap(), None).await.unwrap();
        for (end, own, other) in [(mn, HOME6, CORRESPONDENT), (ha, CORRESPONDENT, HOME6)] {
            netlink.set_link_up(end.tun.index, None).await.unwrap();
            netlink.add_address(end.tun.index, own_net(own)).await.unwrap();
            netlink.await_address(own.into()).await.unwrap();
            netlink.add_route(&Route::unicast(own_net(other), end.tun.index, MAIN_TABLE, 78)).await.unwrap();
        }
    });
}

fn own_net(address: Ipv6Addr) -> ipnet::IpNet {
    std::net::IpAddr::V6(address).into()
}

fn in_a_tunnel<S: FnOnce(End, End)>(suite: CipherSuite, offloads: Offloads, workers: NonZeroU8, story: S) {
    if !enter_new_network_namespace::<S>() {
        return;
    }
    shell("ip link set lo up");
    let mn = End::new(Role::MobileNode, "mn0", offloads, workers);
    let ha = End::new(Role::HomeAgent, "ha0", offloads, workers);
    set_up_addresses(&mn, &ha);
    connect(&mn, &ha, suite, home());
    story(mn, ha);
}

fn connect(mn: &End, ha: &End, suite: CipherSuite, home: HomeAddresses) {
    renew(mn, ha, spi(), suite, home);
}

/// A new SA at both ends, under which they send from now on.
fn renew(mn: &End, ha: &End, spi: Spi, suite: CipherSuite, home: HomeAddresses) {
    for end in [mn, ha] {
        let sa = SecurityAssociation { home, ..association(spi, suite) };
        end.apply(Command::Install(Arc::new(install(sa, Instant::now()))));
    }
    mn.settle();
    ha.settle();
    mn.bind_to(ha.address(), home, spi);
    ha.bind_to(mn.address(), home, spi);
}

fn carries_packets_both_ways(mn: &End, ha: &End) {
    let (here, there) = (application(HOME6, "mn0"), application(CORRESPONDENT, "ha0"));
    let mut octets = [0; 2_000];
    for length in (1..=1_300).step_by(13) {
        here.send_to(&vec![length as u8; length], (CORRESPONDENT, 4000)).unwrap();
        let (received, from) = there.recv_from(&mut octets).unwrap();
        assert_eq!((&octets[..received], from.ip()), (&*vec![length as u8; length], HOME6.into()));
        there.send_to(&octets[..received], from).unwrap();
        let (received, from) = here.recv_from(&mut octets).unwrap();
        assert_eq!((&octets[..received], from.ip()), (&*vec![length as u8; length], CORRESPONDENT.into()));
    }
    // Many at once: batches rather than single packets, as many as the application's socket keeps.
    for _ in 0..10 {
        for number in 0..64u8 {
            here.send_to(&[number; 1_000], (CORRESPONDENT, 4000)).unwrap();
        }
        for number in 0..64u8 {
            let received = there.recv(&mut octets).unwrap();
            assert!(octets[..received] == [number; 1_000], "packet {number} in order, not {}", octets[0]);
        }
    }
    for end in [mn, ha] {
        assert_eq!(end.lost(), []);
        assert!(end.counters.sent().0 >= 100 && end.counters.received().0 >= 100);
    }
}

#[test]
fn the_tunnel_carries_packets_both_ways_under_aes_gcm() {
    in_a_tunnel(CipherSuite::Aes128Gcm, Offloads::ALL, ONE, |mn, ha| carries_packets_both_ways(&mn, &ha));
}

#[test]
fn the_tunnel_carries_packets_both_ways_under_aes_cbc() {
    in_a_tunnel(CipherSuite::Aes128CbcSha, Offloads::ALL, ONE, |mn, ha| carries_packets_both_ways(&mn, &ha));
}

#[test]
fn the_tunnel_carries_packets_both_ways_without_offloads() {
    in_a_tunnel(CipherSuite::Aes128Gcm, Offloads::NONE, ONE, |mn, ha| carries_packets_both_ways(&mn, &ha));
}

#[test]
fn signalling_reaches_control_and_is_dropped_and_counted_when_control_is_behind() {
    in_a_tunnel(CipherSuite::Aes128Gcm, Offloads::ALL, ONE, |mn, mut ha| {
        let to_ha = Path::proved(SOCKET, ha.address());
        let payload = vec![59, 0, 5, 0, 0, 0, 0, 0];
        for _ in 0..6 {
            mn.apply(Command::Signal {
                spi: spi(),
                paths: Paths::one(to_ha.clone()),
                next_header: 135,
                payload: payload.clone(),
            });
        }
        wait_for(|| ha.counters.dropped(DropReason::EventQueueFull) == 2);
        for _ in 0..4 {
            let Ok(Event::Signalling(message)) = ha.events.try_recv() else { panic!("no signalling") };
            assert_eq!((message.spi, message.socket, message.next_header, &message.payload), (spi(), SOCKET, 135, &payload));
            assert_eq!(message.from, mn.address());
        }
        assert!(ha.events.try_recv().is_err());
    });
}

#[test]
fn a_removed_socket_receives_and_sends_no_more() {
    in_a_tunnel(CipherSuite::Aes128Gcm, Offloads::ALL, ONE, |mn, ha| {
        let (here, there) = (application(HOME6, "mn0"), application(CORRESPONDENT, "ha0"));
        mn.workers.remove_socket(SOCKET).unwrap();
        mn.settle();
        here.send_to(b"from no socket", (CORRESPONDENT, 4000)).unwrap();
        wait_for(|| mn.workers.io().unsent() == 1);
        let received = mn.counters.received();
        there.send_to(b"to no socket", (HOME6, 4000)).unwrap();
        wait_for(|| ha.counters.sent().0 >= 1);
        mn.settle();
        assert_eq!(mn.counters.received(), received);
        mn.workers.add_sockets(SOCKET, &mn.sockets).unwrap();
        let mut octets = [0; 64];
        let length = here.recv(&mut octets).unwrap();
        assert_eq!(&octets[..length], b"to no socket", "it waited in the socket");
    });
}

#[test]
fn workers_end_with_their_owner_and_with_their_device() {
    in_new_network_namespace(|| {
        shell("ip link set lo up");
        let End { workers, counters, .. } = End::new(Role::MobileNode, "mn0", Offloads::ALL, FOUR);
        assert!(workers.are_running() && Arc::strong_count(&counters) > 1);
        drop(workers);
        assert_eq!(Arc::strong_count(&counters), 1, "no thread has it any more");
        let End { workers, .. } = End::new(Role::MobileNode, "mn1", Offloads::ALL, TWO);
        shell("ip link delete mn1");
        wait_for(|| !workers.are_running());
        wait_for(|| workers.remove_socket(SOCKET) == Err(WorkerGone));
    });
}

fn wait_for(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + WAIT;
    while !condition() {
        assert!(Instant::now() < deadline, "it does not happen");
        std::thread::sleep(Duration::from_millis(2));
    }
}
