//! Both ends of a tunnel in one namespace: real devices, real sockets, four threads.
//!
//! Each end's inner address is local in the namespace, so packets for it would never leave the kernel; sockets bound to
//! their device (SO_BINDTODEVICE) take the routes by that device alone, which lead through the tunnel.

use std::net::{Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use fixture::{HOME6, association, block_on, enter_new_network_namespace, in_new_network_namespace, install, shell};
use protocol::addr::HomeAddresses;
use protocol::sa::{CipherSuite, Role, Spi};
use protocol::tunnel::{DropReason, Encapsulation, IcmpSources, Path, Paths};

use super::*;
use crate::netlink::{MAIN_TABLE, Netlink, Route};
use crate::offloads::Offloads;
use crate::udp::SocketOptions;

mod forwarding;

const CORRESPONDENT: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 9, 0, 0, 0, 0, 9);
const SOCKET: SocketId = SocketId(3);
const WAIT: Duration = Duration::from_secs(10);

struct End {
    tun: Arc<Tun>,
    socket: Arc<UdpSocket>,
    counters: Arc<Counters>,
    events: tokio::sync::mpsc::Receiver<Event>,
    workers: [(WorkerHandle, JoinHandle<()>); 2],
}

impl End {
    fn new(role: Role, device: &str, outer: &str, offloads: Offloads) -> Self {
        Self::on(role, Tun::create(device, 1400, offloads).unwrap(), outer, offloads)
    }

    fn on(role: Role, tun: Tun, outer: &str, offloads: Offloads) -> Self {
        let tun = Arc::new(tun);
        let options = SocketOptions { offloads, ..SocketOptions::default() };
        let socket = Arc::new(UdpSocket::bind(outer.parse().unwrap(), &options).unwrap());
        let counters = Arc::new(Counters::default());
        let (sender, events) = tokio::sync::mpsc::channel(4);
        let entry = EntryPoint::new(role, counters.clone(), IcmpSources { ip6: Some(CORRESPONDENT), ip4: None });
        let exit = ExitPoint::new(role, counters.clone());
        let workers = [
            spawn_entry(tun.clone(), entry, counters.clone(), sender.clone()).unwrap(),
            spawn_exit(tun.clone(), exit, counters.clone(), sender).unwrap(),
        ];
        let end = Self { tun, socket, counters, events, workers };
        end.tell(|| WorkerCommand::AddSocket(SOCKET, end.socket.clone()));
        end
    }

    fn tell(&self, command: impl Fn() -> WorkerCommand) {
        for (handle, _) in &self.workers {
            handle.send(command()).unwrap();
        }
    }

    fn apply(&self, command: Command) {
        self.tell(|| WorkerCommand::Tunnel(command.clone()));
    }

    fn bind_to(&self, remote: SocketAddr, home: HomeAddresses) {
        let paths = Paths::one(Path::proved(SOCKET, remote));
        self.apply(Command::Move { home, paths, encapsulation: Encapsulation::ProtectedUdp, sending: spi() });
        self.settle();
    }

    /// Waits until both workers have carried out everything so far.
    fn settle(&self) {
        for (handle, _) in &self.workers {
            let (reached, barrier) = mpsc::sync_channel(1);
            handle.send(WorkerCommand::Barrier(reached)).unwrap();
            barrier.recv_timeout(WAIT).unwrap();
        }
    }

    fn stop(self) {
        for (handle, thread) in self.workers {
            handle.send(WorkerCommand::Stop).unwrap();
            thread.join().unwrap();
            assert_eq!(handle.send(WorkerCommand::Stop), Err(WorkerGone));
        }
    }
}

fn spi() -> Spi {
    Spi::new(0x0123_4567).unwrap()
}

fn home() -> HomeAddresses {
    HomeAddresses::new(Some(HOME6), None).unwrap()
}

/// A socket of an application at one end.
fn application(address: Ipv6Addr, device: &str) -> std::net::UdpSocket {
    let socket = socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::DGRAM, None).unwrap();
    socket.bind_device(Some(device.as_bytes())).unwrap();
    socket.bind(&SocketAddr::new(address.into(), 4000).into()).unwrap();
    socket.set_read_timeout(Some(WAIT)).unwrap();
    socket.into()
}

fn set_up_addresses(mn: &End, ha: &End) {
    block_on(async {
        let netlink = Netlink::connect().unwrap();
        netlink.set_link_up(netlink.link_index("lo").await.unwrap(), None).await.unwrap();
        for (end, own, other) in [(mn, HOME6, CORRESPONDENT), (ha, CORRESPONDENT, HOME6)] {
            netlink.set_link_up(end.tun.index(), None).await.unwrap();
            netlink.add_address(end.tun.index(), own_net(own)).await.unwrap();
            netlink.await_address(own.into()).await.unwrap();
            netlink.add_route(&Route::unicast(own_net(other), end.tun.index(), MAIN_TABLE, 78)).await.unwrap();
        }
    });
}

fn own_net(address: Ipv6Addr) -> ipnet::IpNet {
    std::net::IpAddr::V6(address).into()
}

fn in_a_tunnel<S: FnOnce(End, End)>(suite: CipherSuite, offloads: Offloads, story: S) {
    if !enter_new_network_namespace::<S>() {
        return;
    }
    let mn = End::new(Role::MobileNode, "mn0", "0.0.0.0:0", offloads);
    let ha = End::new(Role::HomeAgent, "ha0", "0.0.0.0:0", offloads);
    set_up_addresses(&mn, &ha);
    connect(&mn, &ha, suite, home());
    story(mn, ha);
}

fn connect(mn: &End, ha: &End, suite: CipherSuite, home: HomeAddresses) {
    for end in [mn, ha] {
        end.apply(Command::Install(Arc::new(install(association(spi(), suite), Instant::now()))));
    }
    mn.bind_to(([127, 0, 0, 1], ha.socket.local_addr().port()).into(), home);
    ha.bind_to(([127, 0, 0, 1], mn.socket.local_addr().port()).into(), home);
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
    let unexpected = [DropReason::WrongIcv, DropReason::ReplayedSequence, DropReason::UnknownSpi, DropReason::BatchFull];
    for end in [mn, ha] {
        assert_eq!(unexpected.map(|reason| end.counters.dropped(reason)), [0; 4]);
        assert!(end.counters.sent().0 >= 100 && end.counters.received().0 >= 100);
        assert_eq!(end.workers.each_ref().map(|(handle, _)| handle.io().unsent() + handle.io().unwritten()), [0, 0]);
    }
}

#[test]
fn the_tunnel_carries_packets_both_ways_under_aes_gcm() {
    in_a_tunnel(CipherSuite::Aes128Gcm, Offloads::ALL, |mn, ha| {
        carries_packets_both_ways(&mn, &ha);
        mn.stop();
        ha.stop();
    });
}

#[test]
fn the_tunnel_carries_packets_both_ways_under_aes_cbc() {
    in_a_tunnel(CipherSuite::Aes128CbcSha, Offloads::ALL, |mn, ha| {
        carries_packets_both_ways(&mn, &ha);
    });
}

#[test]
fn the_tunnel_carries_packets_both_ways_without_offloads() {
    in_a_tunnel(CipherSuite::Aes128Gcm, Offloads::NONE, |mn, ha| carries_packets_both_ways(&mn, &ha));
}

#[test]
fn signalling_reaches_control_and_is_dropped_and_counted_when_control_is_behind() {
    in_a_tunnel(CipherSuite::Aes128Gcm, Offloads::ALL, |mn, mut ha| {
        let to_ha = Path::proved(SOCKET, ([127, 0, 0, 1], ha.socket.local_addr().port()).into());
        let payload = vec![59, 0, 5, 0, 0, 0, 0, 0];
        for _ in 0..6 {
            mn.apply(Command::Signal { spi: spi(), paths: Paths::one(to_ha), next_header: 135, payload: payload.clone() });
        }
        wait_for(|| ha.counters.dropped(DropReason::EventQueueFull) == 2);
        for _ in 0..4 {
            let Ok(Event::Signalling(message)) = ha.events.try_recv() else { panic!("no signalling") };
            assert_eq!((message.spi, message.socket, message.next_header, &message.payload), (spi(), SOCKET, 135, &payload));
            assert_eq!(message.from, ([127, 0, 0, 1], mn.socket.local_addr().port()).into());
        }
        assert!(ha.events.try_recv().is_err());
    });
}

#[test]
fn a_removed_socket_receives_and_sends_no_more() {
    in_a_tunnel(CipherSuite::Aes128Gcm, Offloads::ALL, |mn, ha| {
        let (here, there) = (application(HOME6, "mn0"), application(CORRESPONDENT, "ha0"));
        mn.tell(|| WorkerCommand::RemoveSocket(SOCKET));
        mn.settle();
        here.send_to(b"from no socket", (CORRESPONDENT, 4000)).unwrap();
        wait_for(|| mn.workers[0].0.io().unsent() == 1);
        let received = mn.counters.received();
        there.send_to(b"to no socket", (HOME6, 4000)).unwrap();
        wait_for(|| ha.counters.sent().0 >= 1);
        mn.settle();
        assert_eq!(mn.counters.received(), received);
        mn.tell(|| WorkerCommand::AddSocket(SOCKET, mn.socket.clone()));
        let mut octets = [0; 64];
        let length = here.recv(&mut octets).unwrap();
        assert_eq!(&octets[..length], b"to no socket", "it waited in the socket");
    });
}

#[test]
fn workers_end_with_their_last_handle_and_with_their_device() {
    in_new_network_namespace(|| {
        let End { workers, .. } = End::new(Role::MobileNode, "mn0", "0.0.0.0:0", Offloads::ALL);
        for (handle, thread) in workers {
            let second = handle.clone();
            drop(handle);
            assert_eq!(second.send(WorkerCommand::RemoveSocket(SOCKET)), Ok(()));
            drop(second);
            thread.join().unwrap();
        }
        let End { workers: [(entry, thread), _exit], .. } = End::new(Role::MobileNode, "mn1", "0.0.0.0:0", Offloads::ALL);
        shell("ip link delete mn1");
        thread.join().unwrap();
        assert_eq!(entry.send(WorkerCommand::RemoveSocket(SOCKET)), Err(WorkerGone));
    });
}

fn wait_for(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + WAIT;
    while !condition() {
        assert!(Instant::now() < deadline, "it does not happen");
        std::thread::sleep(Duration::from_millis(2));
    }
}
