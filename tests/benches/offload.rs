//! Cutting a packet that the kernel left whole into its segments, and finding again what belongs together, as both halves do around
//! sealing and opening: a TCP packet of 46 segments for each family, and UDP datagrams of 64 octets of payload.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use fixture::{HOME4, HOME6};
use protocol::offload::{Merger, Merging};
use tests::super_packet::SuperPacket;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let (home4, node4) = (HOME4.into(), [198, 51, 100, 9].into());
    let (home6, node6) = (HOME6.into(), [0x2001, 0xdb8, 9, 0, 0, 0, 0, 9].into());
    let loads = [
        ("TCP over IPv4", SuperPacket::tcp(home4, node4)),
        ("TCP over IPv6", SuperPacket::tcp(home6, node6)),
        ("UDP over IPv4", SuperPacket::udp(home4, node4)),
        ("UDP over IPv6", SuperPacket::udp(home6, node6)),
    ];
    for (group, measure) in [("split", split as fn(&SuperPacket, u64) -> Duration), ("merge", merge)] {
        let mut group = criterion.benchmark_group(group);
        for (name, load) in &loads {
            let segments = load.cut();
            group.throughput(Throughput::Bytes(segments.iter().map(|segment| segment.len() as u64).sum()));
            group.bench_function(BenchmarkId::new(*name, segments[0].len()), |bencher| {
                bencher.iter_custom(|iterations| measure(load, iterations));
            });
        }
        group.finish();
    }
    criterion.final_summary();
}

fn split(load: &SuperPacket, iterations: u64) -> Duration {
    let mut arena = vec![0; load.packet.len() * 2];
    let start = Instant::now();
    for _ in 0..iterations {
        let segments = load.segments();
        let mut at = 0;
        for index in 0..segments.count() {
            let end = at + segments.len(index);
            segments.write(index, &mut arena[at..end]);
            at = end;
        }
        black_box(&arena);
    }
    start.elapsed()
}

/// Merging changes the first packet of a group, so each iteration has the packets anew; putting them there is not measured.
fn merge(load: &SuperPacket, iterations: u64) -> Duration {
    let packets = load.cut();
    let fresh = packets.concat();
    let mut arena = fresh.clone();
    let mut merger = Merger::new(Merging { tcp: true, udp: true });
    let mut took = Duration::ZERO;
    for _ in 0..iterations {
        arena.copy_from_slice(&fresh);
        let start = Instant::now();
        merger.clear();
        let mut at = 0;
        for packet in &packets {
            merger.push(&arena, at..at + packet.len());
            at += packet.len();
        }
        merger.finish(&mut arena);
        black_box(merger.groups().count());
        took += start.elapsed();
    }
    assert_eq!(merger.groups().count(), 1, "one flow is one group");
    took
}
