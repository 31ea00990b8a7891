//! Finding the inbound security association of an SPI, as the exit-point does for each datagram: among one and among 100,000,
//! asked for in an order that no cache foresees.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput};
use fixture::{association, install};
use protocol::sa::inbound::InboundSa;
use protocol::sa::sad::Sad;
use protocol::sa::spi::{HaGroup, SpiBlock};
use protocol::sa::{CipherSuite, Role, Spi};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
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
    criterion.final_summary();
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
