//! What a home agent has to remember of an association while nothing moves under it.

use std::time::{Duration, Instant};

use allocation_counter::measure;
use fixture::association;
use protocol::addr::HomeAddresses;
use protocol::sa::spi::{HaGroup, SpiBlock};
use protocol::sa::{CipherSuite, Role, SecurityAssociation, Spi};
use protocol::tunnel::{Encapsulation, PacketBatch};
use tests::sim::packet::{CORRESPONDENT6, udp};

use super::ends::{BATCH, CARE_OF, End, HOME_AGENT, Wire};

const COUNT: usize = 10_000;
/// The most octets of heap for both halves of an SA, its keys and its share of the index.
const MOST: f64 = 336.0;

/// SPIs after the plan: a group's blocks filled one after the other.
fn spis() -> impl Iterator<Item = Spi> {
    let blocks = HaGroup::new(1).into_iter().flat_map(HaGroup::blocks);
    blocks.flat_map(|block| (0..SpiBlock::LEN).filter_map(move |number| block.spi(number))).take(COUNT)
}

fn sa(spi: Spi, suite: CipherSuite) -> SecurityAssociation {
    let [_, high, middle, low] = spi.get().to_be_bytes();
    let ip6 = [0x2001, 0xdb8, 0x100, 0, 0, 0, high.into(), u16::from_be_bytes([middle, low])];
    let home = HomeAddresses::new(Some(ip6.into()), Some([10, high, middle, low].into())).unwrap();
    SecurityAssociation { home, ..association(spi, suite) }
}

/// A home agent with [`COUNT`] associations, and the octets that each costs.
fn installed(suite: CipherSuite, now: Instant, wire: &mut Wire) -> (End, f64) {
    let mut ha = End::new(Role::HomeAgent);
    let cost = measure(|| spis().for_each(|spi| ha.installs(sa(spi, suite), now, wire)));
    (ha, cost.bytes_current as f64 / COUNT as f64)
}

#[test]
fn an_association_at_rest_costs_at_most_336_octets_under_any_suite() {
    let (now, mut wire) = (Instant::now(), Wire::new());
    for suite in CipherSuite::ALL {
        let (mut ha, cost) = installed(suite, now, &mut wire);
        let bindings = measure(|| {
            let sas = spis().map(|spi| sa(spi, suite));
            sas.for_each(|sa| ha.binds(&sa, Encapsulation::ProtectedUdp, CARE_OF, &mut wire));
        });
        let binding = bindings.bytes_current as f64 / COUNT as f64;
        println!("{suite}: {cost:.1} octets at rest, and {binding:.1} for a binding");
        assert!(cost <= MOST, "{suite}: {cost:.1} octets");
    }
}

#[test]
fn an_association_that_was_idle_costs_what_it_did_before_its_first_packet() {
    let (start, mut wire) = (Instant::now(), Wire::new());
    for suite in CipherSuite::ALL {
        let (mut ha, at_rest) = installed(suite, start, &mut wire);
        let sas: Vec<_> = spis().map(|spi| sa(spi, suite)).collect();
        sas.iter().for_each(|sa| ha.binds(sa, Encapsulation::ProtectedUdp, CARE_OF, &mut wire));
        let mut mn = End::new(Role::MobileNode);
        sas.iter().for_each(|sa| mn.installs(sa.clone(), start, &mut wire));
        sas.iter().for_each(|sa| mn.binds(sa, Encapsulation::ProtectedUdp, HOME_AGENT, &mut wire));
        let mut batches = [(); 2].map(|()| PacketBatch::new(BATCH, BATCH * 64));
        let awake = measure(|| carry_one_each(&sas, &mut batches, &mut mn, &mut ha, start, &mut wire));
        let awake = awake.bytes_current as f64 / COUNT as f64 / 2.0;
        println!("{suite}: {at_rest:.1} octets at rest, {awake:.1} more while awake");
        assert!(awake > 500.0, "{suite}: a window and schedules that were not counted");
        // One of them stays in use, and with its batches the others are folded.
        let folded = measure(|| {
            for tenth in 1..=5_000 {
                let now = start + Duration::from_millis(100) * tenth;
                carry_one_each(&sas[..1], &mut batches, &mut mn, &mut ha, now, &mut wire);
            }
        });
        let left = awake + folded.bytes_current as f64 / COUNT as f64 / 2.0;
        assert!(left < 10.0, "{suite}: {left:.1} octets more than before the first packet");
    }
}

/// A packet up and one down under each association.
fn carry_one_each(
    sas: &[SecurityAssociation],
    batches: &mut [PacketBatch; 2],
    mn: &mut End,
    ha: &mut End,
    now: Instant,
    wire: &mut Wire,
) {
    let [up, down] = batches;
    for some in sas.chunks(BATCH) {
        up.clear();
        down.clear();
        for sa in some {
            let home = sa.home.ip6().unwrap();
            assert!(up.push(&udp(home.into(), CORRESPONDENT6.into(), b"")));
            assert!(down.push(&udp(CORRESPONDENT6.into(), home.into(), b"")));
        }
        assert_eq!(wire.carry(up, mn, ha, CARE_OF, now), some.len());
        assert_eq!(wire.carry(down, ha, mn, HOME_AGENT, now), some.len());
    }
}
