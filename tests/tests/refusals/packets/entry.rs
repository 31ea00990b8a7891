//! What an end is given to send, by a correspondent node or its own programs: inner packet -> drop reason, at the entry-point.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use fixture::{HOME4, HOME6, association, install};
use protocol::profile::WireProfile;
use protocol::sa::{SecurityAssociation, Spi};
use protocol::tunnel::{
    Allowance, Command, Counters, Encapsulation, EntryPoint, IcmpSources, PacketBatch, Path, Paths, Place, SendBatch, SocketId,
};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tests::sim::packet::{CORRESPONDENT4, CORRESPONDENT6, udp};

use super::*;
use Way::{Missing, Proved, Unproved};

/// Where packets go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Nowhere: no binding.
    Missing,
    /// To a place that has proved nothing, and has had all that goes there.
    Unproved,
    /// To the other end.
    Proved,
}

/// What is wrong, where, which way there is, the reason, and the inner packet.
pub(super) type SendRow = (&'static str, &'static [Role], Way, DropReason, fn(Role) -> Vec<u8>);

pub(super) const ROWS: &[SendRow] = &[
    ("no binding", BOTH, Missing, NoTunnel, |at| between(at, HOME6, CORRESPONDENT6)),
    ("no binding, IPv4", BOTH, Missing, NoTunnel, |at| between(at, HOME4, CORRESPONDENT4)),
    ("another's home address", BOTH, Proved, NoTunnel, |at| between(at, [0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 8], CORRESPONDENT6)),
    ("no proof, all used up", HA, Unproved, AllowanceUsedUp, |at| between(at, HOME6, CORRESPONDENT6)),
    ("link-local", BOTH, Proved, ForbiddenInnerAddress, |at| between(at, HOME6, [0xfe80, 0, 0, 0, 0, 0, 0, 1])),
    ("loopback", BOTH, Proved, ForbiddenInnerAddress, |at| between(at, HOME4, [127, 0, 0, 1])),
    ("IP version 5", BOTH, Proved, BadInnerPacket, |_| vec![0x50; 40]),
    ("longer than its octets", BOTH, Proved, BadInnerPacket, |at| cut(between(at, HOME6, CORRESPONDENT6), 1)),
];

/// In the direction in which this end sends.
fn between(at: Role, node: impl Into<IpAddr>, other: impl Into<IpAddr>) -> Vec<u8> {
    match at {
        Role::HomeAgent => udp(other.into(), node.into(), b"12345678"),
        Role::MobileNode => udp(node.into(), other.into(), b"12345678"),
    }
}

/// An entry-point with one association, and what it counts.
struct Entry {
    role: Role,
    entry: EntryPoint,
    counters: Arc<Counters>,
    sa: SecurityAssociation,
    rng: StdRng,
}

impl Entry {
    fn new(role: Role, sa: SecurityAssociation) -> Self {
        let counters = Arc::new(Counters::default());
        let entry = EntryPoint::new(role, counters.clone(), IcmpSources::default());
        let mut it = Self { role, entry, counters, sa, rng: StdRng::seed_from_u64(6618) };
        it.obeys(&Command::Install(Arc::new(install(it.sa.clone(), Instant::now()))));
        it
    }

    fn sends(&mut self, way: Way) {
        let allowance = if way == Proved { Allowance::Unlimited } else { Allowance::octets(0) };
        let paths = Paths::one(Path { allowance, ..Path::proved(SocketId(0), CARE_OF) });
        let (home, encapsulation, sending) = (self.sa.home, Encapsulation::ProtectedUdp, self.sa.spi);
        if way != Missing {
            self.obeys(&Command::Move { home, paths, encapsulation, sending });
        }
    }

    fn obeys(&mut self, command: &Command) {
        self.entry.apply(command, &mut self.rng, &mut SendBatch::new(1, 2048));
    }

    /// How many datagrams go out for `packet`.
    fn is_given(&mut self, packet: &[u8]) -> usize {
        let (mut packets, mut replies) = (PacketBatch::new(1, 2048), PacketBatch::new(1, 2048));
        assert!(packets.push(packet));
        let mut send = SendBatch::new(4, 8192);
        let rest = self.entry.handle_packets(&packets, Place::default(), Instant::now(), &mut self.rng, &mut send, &mut replies);
        assert_eq!(rest, None);
        send.iter().count()
    }

    /// One counter rises by one.
    fn assert_drops(&mut self, input: &str, reason: DropReason, packet: &[u8]) {
        let place = format!("{input}, at the {:?}, {}", self.role, self.sa.suite);
        assert_eq!(self.is_given(packet), 0, "{place}");
        assert_eq!(self.counters.drops().collect::<BTreeMap<_, _>>(), BTreeMap::from([(reason, 1)]), "{place}");
    }

    fn assert_works(mut self) {
        self.sends(Proved);
        assert_eq!(self.is_given(&between(self.role, HOME6, CORRESPONDENT6)), 1);
    }
}

fn sa(suite: CipherSuite) -> SecurityAssociation {
    association(Spi::new(0x123_4567).unwrap(), suite)
}

#[test]
fn what_cannot_be_sent_is_counted_under_its_reason_and_the_next_packet_goes_out() {
    for (input, roles, way, reason, packet) in ROWS {
        for (role, suite) in roles.iter().flat_map(|role| CipherSuite::ALL.map(|suite| (*role, suite))) {
            let mut entry = Entry::new(role, sa(suite));
            entry.sends(*way);
            entry.assert_drops(input, *reason, &packet(role));
            entry.assert_works();
        }
    }
}

/// Under profile draft-04 a NULL suite carries signalling alone.
#[test]
fn data_that_would_have_no_number_is_not_sent() {
    for (role, suite) in
        BOTH.iter().flat_map(|role| CipherSuite::ALL.map(|suite| (*role, suite))).filter(|(_, suite)| null(*suite))
    {
        let mut entry = Entry::new(role, SecurityAssociation { profile: WireProfile::Draft04, ..sa(suite) });
        entry.sends(Proved);
        entry.assert_drops("no numbers", UnnumberedData, &between(role, HOME6, CORRESPONDENT6));
    }
}
