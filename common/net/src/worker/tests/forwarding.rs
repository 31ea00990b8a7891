//! A home agent that forwards: mobile node, home agent and correspondent node are three hosts, and packets that stand for many reach
//! the home agent's TUN device from a link, with a header of that link's making.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, TcpListener, TcpStream, UdpSocket as StdSocket};
use std::os::fd::{AsFd, OwnedFd};

use fixture::HOME4;
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};

use super::*;
use crate::tun::TunSegments;

pub(super) const CORRESPONDENT4: Ipv4Addr = Ipv4Addr::new(10, 8, 0, 9);
pub(super) const PAIRS: [(IpAddr, IpAddr); 2] =
    [(IpAddr::V6(HOME6), IpAddr::V6(CORRESPONDENT)), (IpAddr::V4(HOME4), IpAddr::V4(CORRESPONDENT4))];

/// Octets of a transfer: enough for TCP to fill its packets.
const TRANSFER: usize = 8 << 20;

/// A host's network, apart from that of the test.
pub(super) struct Host(OwnedFd);

impl Host {
    fn new() -> Self {
        let network = std::thread::spawn(|| {
            // SAFETY: the thread is new and keeps its descriptors; it changes its network only.
            unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.unwrap();
            std::fs::File::open("/proc/thread-self/ns/net").unwrap().into()
        });
        Self(network.join().unwrap())
    }

    /// What is made or asked inside; sockets and devices stay there.
    pub(super) fn inside<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let entered = scope.spawn(|| {
                move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                body()
            });
            entered.join().unwrap()
        })
    }
}

pub(super) struct World {
    pub(super) node: Host,
    pub(super) correspondent: Host,
    pub(super) mn: End,
    pub(super) ha: End,
}

impl World {
    pub(super) fn carries_all_and_drops_nothing(&self) {
        for (node, correspondent) in PAIRS {
            exchanges_over_tcp(self, node, correspondent);
            exchanges_over_udp(self, node, correspondent);
        }
        for end in [&self.mn, &self.ha] {
            assert_eq!(end.lost(), []);
        }
    }
}

/// Both hosts and the home agent between them; the test's own network is the home agent's.
pub(super) fn in_a_world<S: FnOnce(&World)>(suite: CipherSuite, offloads: Offloads, workers: NonZeroU8, story: S) {
    if !enter_new_network_namespace::<S>() {
        return;
    }
    let (node, correspondent) = (Host::new(), Host::new());
    shell("ip link set lo up && echo 1 > /proc/sys/net/ipv4/ip_forward && echo 1 > /proc/sys/net/ipv6/conf/all/forwarding");
    let home_agent = std::process::id();
    correspondent.inside(|| {
        shell(&format!(
            "ip link add c0 type veth peer name h0 netns {home_agent} && ip link set lo up && ip link set c0 up && \
             ip address add {CORRESPONDENT4}/24 dev c0 && ip address add {CORRESPONDENT}/64 dev c0 nodad"
        ))
    });
    shell("ip link set h0 up && ip address add 10.8.0.1/24 dev h0 && ip address add 2001:db8:9::1/64 dev h0 nodad");
    correspondent.inside(|| shell("ip route add default via 10.8.0.1 && ip route add default via 2001:db8:9::1"));
    let mn_tun = node.inside(|| {
        let tun = Tun::create_queues("mn0", 1400, offloads, workers).unwrap();
        shell(&format!(
            "ip link set lo up && ip link set mn0 up && ip address add {HOME4}/32 dev mn0 && ip address add {HOME6}/128 dev mn0 && \
             ip route add default dev mn0 && ip -6 route add default dev mn0"
        ));
        tun
    });
    let ha_tun = Tun::create_queues("ha0", 1400, offloads, workers).unwrap();
    shell(&format!("ip link set ha0 up && ip route add {HOME4}/32 dev ha0 && ip route add {HOME6}/128 dev ha0"));
    let mn = End::on(Role::MobileNode, mn_tun, offloads);
    let ha = End::on(Role::HomeAgent, ha_tun, offloads);
    let home = HomeAddresses::new(Some(HOME6), Some(HOME4)).unwrap();
    connect(&mn, &ha, suite, home);
    story(&World { node, correspondent, mn, ha });
}

/// Both directions of one connection at the same time, each with octets of its own.
fn exchanges_over_tcp(world: &World, node: IpAddr, correspondent: IpAddr) {
    let listener = world.correspondent.inside(|| TcpListener::bind((correspondent, 0)).unwrap());
    let to = listener.local_addr().unwrap();
    let here = world.node.inside(|| TcpStream::connect_timeout(&to, WAIT).unwrap());
    let (there, from) = listener.accept().unwrap();
    assert_eq!(from.ip(), node);
    let octets = |seed: u32| -> Vec<u8> {
        let numbers = std::iter::successors(Some(seed), |last| Some(last.wrapping_mul(1_664_525).wrapping_add(1_013_904_223)));
        numbers.map(|number| (number >> 24) as u8).take(TRANSFER).collect()
    };
    let (up, down) = (octets(1), octets(2));
    std::thread::scope(|scope| {
        for (stream, sent, expected) in [(&here, &up, &down), (&there, &down, &up)] {
            stream.set_read_timeout(Some(WAIT)).unwrap();
            stream.set_write_timeout(Some(WAIT)).unwrap();
            let (mut writer, mut reader) = (stream.try_clone().unwrap(), stream.try_clone().unwrap());
            scope.spawn(move || {
                writer.write_all(sent).unwrap();
                writer.shutdown(Shutdown::Write).unwrap();
            });
            scope.spawn(move || {
                let mut received = Vec::new();
                reader.read_to_end(&mut received).unwrap();
                assert!(received == *expected, "{} octets of {}", received.len(), expected.len());
            });
        }
    });
}

/// Messages that the application leaves to the kernel to cut; those of one are fewer than a socket keeps.
fn exchanges_over_udp(world: &World, node: IpAddr, correspondent: IpAddr) {
    let open = |host: &Host, address: IpAddr| {
        let socket = host.inside(|| StdSocket::bind((address, 4000)).unwrap());
        socket.set_read_timeout(Some(WAIT)).unwrap();
        crate::udp::cut_what_it_sends(&socket, 1_000);
        socket
    };
    let (here, there) = (open(&world.node, node), open(&world.correspondent, correspondent));
    let mut octets = [0; 2_000];
    for round in 0..20u8 {
        for (sending, receiving) in [(&here, &there), (&there, &here)] {
            let message: Vec<u8> = (0..40_500u32).map(|at| (at / 1_000) as u8 ^ round).collect();
            sending.send_to(&message, receiving.local_addr().unwrap()).unwrap();
            for datagram in message.chunks(1_000) {
                let (len, from) = receiving.recv_from(&mut octets).unwrap();
                assert!(octets[..len] == *datagram && from == sending.local_addr().unwrap(), "{len} octets from {from}");
            }
        }
    }
}

/// Packets that the kernel has handed to the device and taken from it.
fn packets_of(device: &str) -> [u64; 2] {
    let counters = shell(&format!("awk '/{device}:/ {{print $11, $3}}' /proc/net/dev"));
    let counters: Vec<u64> = counters.split_whitespace().map(|count| count.parse().unwrap()).collect();
    counters.try_into().unwrap()
}

#[test]
fn a_home_agent_forwards_what_stands_for_many_and_both_devices_see_few_packets() {
    in_a_world(CipherSuite::Aes128Gcm, Offloads::ALL, ONE, |world| {
        world.carries_all_and_drops_nothing();
        assert_eq!(world.mn.tun.segments, world.ha.tun.segments);
        assert!(world.mn.tun.segments >= TunSegments::Tcp);
        let devices = [(world.node.inside(|| packets_of("mn0")), &world.mn), (packets_of("ha0"), &world.ha)];
        for ([from_kernel, to_kernel], end) in devices {
            let (sent, received) = (end.counters.sent().0, end.counters.received().0);
            assert!(from_kernel * 3 < sent, "{from_kernel} packets read became {sent}");
            assert!(to_kernel * 2 < received, "{received} packets received became {to_kernel} writes");
        }
    });
}

#[test]
fn a_home_agent_forwards_under_aes_cbc() {
    in_a_world(CipherSuite::Aes128CbcSha, Offloads::ALL, ONE, |world| world.carries_all_and_drops_nothing());
}

#[test]
fn a_home_agent_forwards_without_offloads() {
    in_a_world(CipherSuite::Aes128Gcm, Offloads::NONE, ONE, |world| world.carries_all_and_drops_nothing());
}

#[test]
fn a_home_agent_forwards_with_segments_from_the_device_alone() {
    let offloads = Offloads { tun_segments: true, ..Offloads::NONE };
    in_a_world(CipherSuite::Aes128Gcm, offloads, ONE, |world| world.carries_all_and_drops_nothing());
}

#[test]
fn a_home_agent_forwards_with_runs_of_datagrams_alone() {
    let offloads = Offloads { tun_segments: false, ..Offloads::ALL };
    in_a_world(CipherSuite::Aes128Gcm, offloads, ONE, |world| world.carries_all_and_drops_nothing());
}
