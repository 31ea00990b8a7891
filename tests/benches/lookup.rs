//! What is looked up for each datagram, among one and among 100,000, asked for in an order that no cache foresees: the inbound
//! security association of an SPI, and the tunnel of a home address. The address also in runs, as the packets of one node come.

use std::hint::black_box;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput};
use fixture::{association, install};
use protocol::addr::{HomeAddress, HomeAddresses};
use protocol::prefixes::MobileNetworkPrefixes;
use protocol::sa::inbound::InboundSa;
use protocol::sa::sad::Sad;
use protocol::sa::spi::{HaGroup, SpiBlock};
use protocol::sa::{CipherSuite, Role, Spi};
use protocol::tunnel::table::Tunnel;
use protocol::tunnel::{Encapsulation, Path, Paths, SocketId, TunnelTable};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

/// Packets of one node behind one another.
const RUNS: [usize; 3] = [1, 4, 46];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    look_up_associations(&mut criterion);
    look_up_tunnels(&mut criterion);
    criterion.final_summary();
}

fn look_up_associations(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lookup");
    group.throughput(Throughput::Elements(1));
    for count in [1, 100_000] {
        let (mut sad, spis) = filled(count);
        let mut asked = spis.iter().cycle();
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| asked.next().and_then(|spi| sad.get_mut(black_box(*spi))).map(|sa| sa.lease()));
        });
    }
    group.finish();
}

fn look_up_tunnels(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lookup-tunnel");
    group.throughput(Throughput::Elements(1));
    for count in [1, 100_000] {
        let (table, homes) = bound(count);
        for run in RUNS {
            let mut asked = homes.iter().flat_map(|home| std::iter::repeat_n(*home, run)).cycle();
            group.bench_function(BenchmarkId::new(count.to_string(), run), |bencher| {
                bencher.iter(|| asked.next().and_then(|home| table.get(black_box(home))).map(|tunnel| tunnel.sending));
            });
        }
    }
    group.finish();
}

/// A database of `count` associations, all awake, whose SPIs follow the plan: a group's blocks filled one after the other.
fn filled(count: usize) -> (Sad<InboundSa>, Vec<Spi>) {
    let blocks = HaGroup::new(1).into_iter().flat_map(HaGroup::blocks);
    let spis = blocks.flat_map(|block| (0..SpiBlock::LEN).filter_map(move |number| block.spi(number)));
    let mut spis: Vec<_> = spis.take(count).collect();
    let mut rng = StdRng::seed_from_u64(1);
    spis.shuffle(&mut rng);
    let mut sad = Sad::new(Role::HomeAgent);
    for spi in &spis {
        assert!(sad.insert(&Arc::new(install(association(*spi, CipherSuite::Aes128CbcSha), Instant::now()))));
        assert!(sad.get_mut(*spi).is_some(), "it is awake");
    }
    spis.shuffle(&mut rng);
    (sad, spis)
}

/// A table of `count` tunnels, each of a mobile node with an IPv6 and an IPv4 address, and the IPv6 addresses.
fn bound(count: usize) -> (TunnelTable, Vec<HomeAddress>) {
    let mut rng = StdRng::seed_from_u64(1);
    let mut numbers: Vec<u32> = (1..=count as u32).collect();
    numbers.shuffle(&mut rng);
    let mut table = TunnelTable::default();
    let mut homes = Vec::with_capacity(count);
    for number in numbers {
        let ip6 = Ipv6Addr::from(0x2001_0db8_0100 << 80 | u128::from(number));
        let path = Path::proved(SocketId(0), ([198, 51, 100, 7], 7872).into());
        let ip4 = Ipv4Addr::from(10 << 24 | number);
        let (Some(home), Some(sending)) = (HomeAddresses::new(Some(ip6), Some(ip4)), Spi::new(number)) else {
            unreachable!("the constants are in range")
        };
        table.set(Tunnel {
            home,
            paths: Paths::one(path),
            encapsulation: Encapsulation::ProtectedUdp,
            sending,
            mtu: u16::MAX,
            prefixes: MobileNetworkPrefixes::default(),
        });
        homes.push(HomeAddress(ip6.into()));
    }
    homes.shuffle(&mut rng);
    (table, homes)
}
