//! The data path without system calls: batches of 64 packets through a mobile node's entry-point and a home agent's exit-point,
//! for each suite and two lengths. The throughput is that of the inner packets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use fixture::{HOME6, association};
use protocol::addr::HomeAddresses;
use protocol::sa::{CipherSuite, Role, Spi};
use protocol::tunnel::batch::MAX_PACKET;
use protocol::tunnel::{
    Command, Counters, Encapsulation, EntryPoint, ExitPoint, IcmpSources, PacketBatch, Path, Paths, Place, ReceiveBatch,
    SendBatch, SocketId, Verdict,
};
use rand::SeedableRng;
use rand::rngs::StdRng;

const BATCH: usize = 64;
const LENGTHS: [usize; 2] = [64, 1400];
const SOCKET: SocketId = SocketId(0);
const ARENA: usize = BATCH * 2_048;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for (name, measure) in [("seal", seal as fn(&mut Tunnel, u64) -> Duration), ("open", open)] {
        let mut group = criterion.benchmark_group(name);
        for suite in CipherSuite::ALL {
            for len in LENGTHS {
                group.throughput(Throughput::Bytes((BATCH * len) as u64));
                let mut tunnel = Tunnel::new(suite, len);
                group.bench_function(BenchmarkId::new(suite.name(), len), |bencher| {
                    bencher.iter_custom(|iterations| measure(&mut tunnel, iterations));
                });
            }
        }
        group.finish();
    }
    criterion.final_summary();
}

/// A mobile node's entry-point, its home agent's exit-point, and the batch that goes through them.
struct Tunnel {
    entry: EntryPoint,
    exit: ExitPoint,
    rng: StdRng,
    packets: PacketBatch,
    send: SendBatch,
    replies: PacketBatch,
    received: ReceiveBatch,
    now: Instant,
}

impl Tunnel {
    fn new(suite: CipherSuite, len: usize) -> Self {
        let (Some(spi), Some(home)) = (Spi::new(0x123_4567), HomeAddresses::new(Some(HOME6), None)) else {
            unreachable!("the constants are in range")
        };
        let paths = Paths::one(Path::proved(SOCKET, ([198, 51, 100, 7], 7872).into()));
        let install = Command::Install(Arc::new(fixture::install(association(spi, suite), Instant::now())));
        let bind = Command::Move { home, paths, encapsulation: Encapsulation::ProtectedUdp, sending: spi };
        let counters = Arc::new(Counters::default());
        let mut tunnel = Self {
            entry: EntryPoint::new(Role::MobileNode, counters.clone(), IcmpSources::default()),
            exit: ExitPoint::new(Role::HomeAgent, counters),
            rng: StdRng::seed_from_u64(1),
            packets: PacketBatch::new(BATCH, BATCH * len + MAX_PACKET),
            send: SendBatch::new(BATCH, ARENA),
            replies: PacketBatch::new(BATCH, ARENA),
            received: ReceiveBatch::new(BATCH, ARENA),
            now: Instant::now(),
        };
        for command in [install, bind] {
            tunnel.entry.apply(&command, &mut tunnel.rng, &mut tunnel.send);
            tunnel.exit.apply(&command);
        }
        while tunnel.packets.push(&packet(len)) {}
        assert_eq!(tunnel.packets.len(), BATCH);
        tunnel
    }

    fn seal_batch(&mut self) {
        self.send.clear();
        let rest = self.entry.handle_packets(
            &self.packets,
            Place::default(),
            self.now,
            &mut self.rng,
            &mut self.send,
            &mut self.replies,
        );
        assert_eq!(rest, None);
    }

    /// Puts what was sealed where a socket would have put it.
    fn receive_batch(&mut self) {
        self.received.clear();
        let peer = ([198, 51, 100, 7], 7872).into();
        self.send.iter().for_each(|(_, octets)| assert!(self.received.copy_in(octets, SOCKET, peer)));
    }
}

fn seal(tunnel: &mut Tunnel, iterations: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..iterations {
        tunnel.seal_batch();
    }
    let took = start.elapsed();
    assert_eq!(tunnel.send.len(), BATCH, "packets were dropped");
    took
}

/// Each batch is new, since an exit-point takes none twice; sealing it is not measured.
fn open(tunnel: &mut Tunnel, iterations: u64) -> Duration {
    let mut verdicts = Vec::with_capacity(BATCH);
    let mut took = Duration::ZERO;
    for _ in 0..iterations {
        tunnel.seal_batch();
        tunnel.receive_batch();
        let start = Instant::now();
        tunnel.exit.handle_datagrams(&mut tunnel.received, tunnel.now, &mut verdicts);
        took += start.elapsed();
    }
    assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Deliver(_))), "packets were dropped");
    took
}

/// A UDP packet of `len` octets from the home address to a correspondent node.
fn packet(len: usize) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0, 0, 0, 17, 64];
    packet[4..6].copy_from_slice(&((len - 40) as u16).to_be_bytes());
    packet.extend(HOME6.octets());
    packet.extend(std::net::Ipv6Addr::new(0x2001, 0xdb8, 9, 0, 0, 0, 0, 9).octets());
    packet.resize(len, 0x55);
    packet
}
