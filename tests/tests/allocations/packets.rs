//! In steady state a packet allocates nothing, in either half, in either direction, under any suite.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use allocation_counter::measure;
use fixture::{HOME4, HOME6, association};
use protocol::sa::{CipherSuite, Role, SecurityAssociation, Spi, UserData};
use protocol::tunnel::{Encapsulation, PacketBatch};
use tests::sim::packet::{CORRESPONDENT4, CORRESPONDENT6, udp};

use super::ends::{BATCH, CARE_OF, End, HOME_AGENT, Wire};

/// Packets in each direction.
const PACKETS: usize = 10_000;
/// Batches before them: SAs wake, and 3DES says, once, that it wants a successor (8 MiB).
const WARM_UP: usize = 100;

/// A node with its tunnel.
struct Tunnel {
    mn: End,
    ha: End,
    wire: Wire,
    now: Instant,
    up: PacketBatch,
    down: PacketBatch,
}

impl Tunnel {
    fn new(suite: CipherSuite, encapsulation: Encapsulation) -> Self {
        let user_data = if encapsulation == Encapsulation::ClearUdp { UserData::Clear } else { UserData::Protected };
        let sa = SecurityAssociation { user_data, ..association(Spi::new(0x123_4567).unwrap(), suite) };
        let (up, down) = (batch(|node, other| (node, other)), batch(|node, other| (other, node)));
        let (mn, ha, wire) = (End::new(Role::MobileNode), End::new(Role::HomeAgent), Wire::new());
        let mut it = Self { mn, ha, wire, now: Instant::now(), up, down };
        for (end, remote) in [(&mut it.mn, HOME_AGENT), (&mut it.ha, CARE_OF)] {
            end.installs(sa.clone(), it.now, &mut it.wire);
            end.binds(&sa, encapsulation, remote, &mut it.wire);
        }
        it
    }

    /// A batch each way, some time after the one before.
    fn carries(&mut self) {
        self.now += Duration::from_millis(100);
        let Self { mn, ha, wire, now, .. } = self;
        assert_eq!(wire.carry(&self.up, mn, ha, CARE_OF, *now), BATCH);
        assert_eq!(wire.carry(&self.down, ha, mn, HOME_AGENT, *now), BATCH);
    }
}

/// Packets of both families, of several lengths, in runs.
fn batch(ends: fn(IpAddr, IpAddr) -> (IpAddr, IpAddr)) -> PacketBatch {
    let mut packets = PacketBatch::new(BATCH, BATCH * 2_048);
    for number in 0..BATCH {
        let payload = vec![0x5a; [1_352, 1_352, 1_352, 700, 12][number / 7 % 5]];
        let is_ipv6 = number / 40 % 2 == 0;
        let (node, other) = if is_ipv6 { (HOME6.into(), CORRESPONDENT6.into()) } else { (HOME4.into(), CORRESPONDENT4.into()) };
        let (source, destination) = ends(node, other);
        assert!(packets.push(&udp(source, destination, &payload)));
    }
    packets
}

fn assert_nothing_is_allocated(suite: CipherSuite, encapsulation: Encapsulation) {
    let mut tunnel = Tunnel::new(suite, encapsulation);
    let warmed_up = measure(|| (0..WARM_UP).for_each(|_| tunnel.carries()));
    assert!(warmed_up.count_total > 0, "an SA that wakes allocates, or nothing was counted");
    let steady = measure(|| (0..PACKETS / BATCH).for_each(|_| tunnel.carries()));
    assert_eq!(steady.count_total, 0, "{suite}, {encapsulation:?}");
    let carried = (PACKETS + WARM_UP * BATCH) as u64;
    assert_eq!((tunnel.mn.counters.received().0, tunnel.ha.counters.received().0), (carried, carried));
}

#[test]
fn a_packet_allocates_nothing_under_any_suite() {
    for suite in CipherSuite::ALL {
        assert_nothing_is_allocated(suite, Encapsulation::ProtectedUdp);
    }
}

#[test]
fn a_packet_in_the_clear_allocates_nothing() {
    assert_nothing_is_allocated(CipherSuite::Aes128Gcm, Encapsulation::ClearUdp);
}
