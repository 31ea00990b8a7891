//! A packet's way in memory, both ways: a batch as a TUN device gives it, through the entry-point of one end, a copy that stands for
//! the network, and the exit-point of the other end, to groups of packets as its TUN device takes them. A batch is 64 packets of one
//! length, or one TCP packet that the kernel left to be cut into 46.
//!
//! `walk --count SUITE WAY LENGTH BATCHES` walks so many batches once and measures nothing: `make callgrind` counts its instructions.

use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput};
use fixture::{HOME6, association};
use protocol::addr::HomeAddresses;
use protocol::offload::{Merger, Merging};
use protocol::sa::{CipherSuite, Role, Spi};
use protocol::tunnel::batch::MAX_PACKET;
use protocol::tunnel::{
    Command, Counters, Encapsulation, EntryPoint, ExitPoint, IcmpSources, PacketBatch, Path, Paths, Place, ReceiveBatch,
    SendBatch, SocketId, Verdict,
};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tests::super_packet::SuperPacket;

const BATCH: usize = 64;
const LENGTHS: [usize; 2] = [64, 1400];
/// Of the inner packets that a TCP packet of 64 KB is cut into.
const SEGMENT: usize = 1420;
const SOCKET: SocketId = SocketId(0);
const ARENA: usize = BATCH * 2_048;
const CORRESPONDENT: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 9, 0, 0, 0, 0, 9);
/// The end that packets start from, by the name of the way.
const WAYS: [(&str, Role); 2] = [("up", Role::MobileNode), ("down", Role::HomeAgent)];

fn main() {
    let arguments: Vec<_> = std::env::args().skip_while(|word| word != "--count").skip(1).collect();
    if let [suite, way, len, batches, ..] = &arguments[..] {
        return count(suite, way, len, batches);
    }
    let mut criterion = Criterion::default().configure_from_args();
    for (way, from) in WAYS {
        let mut group = criterion.benchmark_group(format!("walk-{way}"));
        for suite in CipherSuite::ALL {
            for len in LENGTHS.into_iter().chain([SEGMENT]) {
                let mut walk = Walk::new(suite, from, len);
                group.throughput(Throughput::Bytes((walk.batch_packets * len) as u64));
                group.bench_function(BenchmarkId::new(suite.name(), len), |bencher| bencher.iter(|| walk.batch()));
            }
        }
        group.finish();
    }
    criterion.final_summary();
}

/// Walks `batches` batches and nothing else.
fn count(suite: &str, way: &str, len: &str, batches: &str) {
    let suite = CipherSuite::ALL.into_iter().find(|each| each.name() == suite);
    let from = WAYS.iter().find(|(name, _)| *name == way).map(|(_, from)| *from);
    let (Some(suite), Some(from), Ok(len), Ok(batches)) = (suite, from, len.parse(), batches.parse::<u64>()) else {
        eprintln!("--count SUITE up|down LENGTH BATCHES");
        std::process::exit(2)
    };
    let mut walk = Walk::new(suite, from, len);
    for _ in 0..batches {
        walk.batch();
    }
}

/// One end's entry-point, the other end's exit-point, and the batches between them.
struct Walk {
    entry: EntryPoint,
    exit: ExitPoint,
    rng: StdRng,
    packets: PacketBatch,
    /// How many come out of it.
    batch_packets: usize,
    send: SendBatch,
    replies: PacketBatch,
    received: ReceiveBatch,
    verdicts: Vec<Verdict>,
    merger: Merger,
    peer: SocketAddr,
    now: Instant,
}

impl Walk {
    fn new(suite: CipherSuite, from: Role, len: usize) -> Self {
        let (Some(spi), Some(home)) = (Spi::new(0x123_4567), HomeAddresses::new(Some(HOME6), None)) else {
            unreachable!("the constants are in range")
        };
        let to = if from == Role::MobileNode { Role::HomeAgent } else { Role::MobileNode };
        let peer = ([198, 51, 100, 7], 7872).into();
        let install = Command::Install(Arc::new(fixture::install(association(spi, suite), Instant::now())));
        let paths = Paths::one(Path::proved(SOCKET, peer));
        let bind = Command::Move { home, paths, encapsulation: Encapsulation::ProtectedUdp, sending: spi };
        let counters = Arc::new(Counters::default());
        let mut walk = Self {
            entry: EntryPoint::new(from, counters.clone(), IcmpSources::default()),
            exit: ExitPoint::new(to, counters),
            rng: StdRng::seed_from_u64(1),
            packets: PacketBatch::new(BATCH, BATCH * len + MAX_PACKET),
            send: SendBatch::new(BATCH, ARENA),
            replies: PacketBatch::new(BATCH, ARENA),
            received: ReceiveBatch::new(BATCH, ARENA),
            verdicts: Vec::with_capacity(BATCH),
            merger: Merger::new(Merging { tcp: true, udp: true }),
            batch_packets: BATCH,
            peer,
            now: Instant::now(),
        };
        for command in [install, bind] {
            walk.entry.apply(&command, &mut walk.rng, &mut walk.send);
            walk.exit.apply(&command);
        }
        walk.fill(from, len);
        walk
    }

    fn fill(&mut self, from: Role, len: usize) {
        if len != SEGMENT {
            while self.packets.push(&packet(from, len)) {}
            assert_eq!(self.packets.len(), BATCH);
            return;
        }
        let (source, destination) = ends(from);
        let whole = SuperPacket::tcp(source.into(), destination.into());
        self.batch_packets = whole.cut().len();
        assert!(self.packets.push_with(whole.header, &whole.packet));
    }

    fn batch(&mut self) {
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
        self.carry();
        self.exit.handle_datagrams(&mut self.received, self.now, &mut self.verdicts);
        self.merger.clear();
        let mut delivered = 0;
        for verdict in &self.verdicts {
            if let Verdict::Deliver(range) = verdict {
                self.merger.push(self.received.arena(), range.clone());
                delivered += 1;
            }
        }
        self.merger.finish(self.received.arena());
        assert_eq!(delivered, self.batch_packets, "packets were dropped");
    }

    /// Puts what was sealed where the other end's socket would have put it.
    fn carry(&mut self) {
        self.received.clear();
        self.send.iter().for_each(|(_, octets)| assert!(self.received.copy_in(octets, SOCKET, self.peer)));
    }
}

/// A UDP packet of `len` octets that starts at `from`.
fn packet(from: Role, len: usize) -> Vec<u8> {
    let (source, destination) = ends(from);
    let mut packet = vec![0x60, 0, 0, 0, 0, 0, 17, 64];
    packet[4..6].copy_from_slice(&((len - 40) as u16).to_be_bytes());
    packet.extend(source.octets());
    packet.extend(destination.octets());
    packet.resize(len, 0x55);
    packet
}

/// Source and destination of what starts at `from`.
fn ends(from: Role) -> (Ipv6Addr, Ipv6Addr) {
    if from == Role::MobileNode { (HOME6, CORRESPONDENT) } else { (CORRESPONDENT, HOME6) }
}
