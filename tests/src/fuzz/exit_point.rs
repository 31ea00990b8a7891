//! The exit-point with bound security associations of every suite, given datagrams as they are or sealed under the right keys,
//! so that a fuzzer gets behind the ICV.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::addr::{HomeAddresses, HomeAgentAddresses};
use protocol::features::Features;
use protocol::prefixes::MobileNetworkPrefixes;
use protocol::profile::WireProfile;
use protocol::sa::cipher::Transform;
use protocol::sa::spi::SpiBlock;
use protocol::sa::{CipherSuite, DirectionKeys, Role, Secret, SecurityAssociation, Spi, UserData};
use protocol::tunnel::{
    Command, Counters, Encapsulation, Event, ExitPoint, Guard, Install, Path, Paths, ReceiveBatch, SignallingReceived, SocketId,
    Verdict,
};
use protocol::wire::envelope::{self, Envelope, PType};
use protocol::wire::ip::InnerPacket;

use super::pieces;

/// The first octet's bit that says that each datagram is plain text, to be sealed under the suite's keys.
pub const SEALED: u8 = 0x40;
/// The first octet's bit that says that the exit-point is a mobile node's.
pub const MOBILE_NODE: u8 = 0x80;
/// The most datagrams of one input.
const MOST: usize = 16;
const SOCKET: SocketId = SocketId(0);

/// The first octet: [`number`] of the suite (modulo their count), [`SEALED`], [`MOBILE_NODE`]. Then datagrams, each behind its
/// length in two octets. The same batch is given twice.
pub fn exit_point(data: &[u8]) {
    verdicts(data);
}

/// As [`exit_point`]: what became of each datagram when it was given first.
pub fn verdicts(data: &[u8]) -> Vec<Verdict> {
    let Some((first, rest)) = data.split_first() else { return Vec::new() };
    let suite = numbered(first & 0x3f);
    let role = if first & MOBILE_NODE == 0 { Role::HomeAgent } else { Role::MobileNode };
    let datagrams = pieces::split(rest, MOST).map(|datagram| match first & SEALED {
        0 => datagram.to_vec(),
        _ => sealed(suite, role, datagram),
    });
    let datagrams: Vec<_> = datagrams.collect();
    let counters = Arc::new(Counters::default());
    let mut exit = bound_exit_point(role, counters.clone());
    let verdicts = handle(&mut exit, role, &datagrams);
    let again = handle(&mut exit, role, &datagrams);
    assert!(again.iter().all(is_drop), "a datagram was taken a second time");
    let counted: u64 = counters.drops().map(|(_, count)| count).sum();
    let dropped = verdicts.iter().chain(&again).filter(|verdict| is_drop(verdict)).count();
    assert_eq!(counted, dropped as u64, "a drop was not counted");
    verdicts
}

fn is_drop(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Drop(_))
}

/// Hands a batch to the exit-point and checks every verdict.
fn handle(exit: &mut ExitPoint, role: Role, datagrams: &[Vec<u8>]) -> Vec<Verdict> {
    let (mut batch, ranges) = receive_batch(datagrams);
    let mut verdicts = Vec::new();
    exit.handle_datagrams(&mut batch, now(), &mut verdicts);
    let (mut signalling, mut look_ups) = (Vec::new(), BTreeSet::new());
    for event in std::iter::from_fn(|| exit.poll_event()) {
        match event {
            Event::Signalling(received) => signalling.push(received),
            Event::LookUp(spi) => assert!(look_ups.insert(spi), "an SPI is looked up twice"),
            Event::Heard(_) => assert_eq!(role, Role::MobileNode, "a home agent heard itself"),
            Event::Sighted(_) | Event::WearingOut(_) => {}
        }
    }
    look_ups.into_iter().for_each(|spi| check_look_up(spi, role, datagrams));
    assert_eq!(verdicts.len(), datagrams.len(), "not one verdict a datagram");
    let mut taken = BTreeSet::new();
    for ((datagram, within), verdict) in datagrams.iter().zip(ranges).zip(&verdicts) {
        if is_drop(verdict) {
            continue;
        }
        let Some(envelope) = Envelope::parse(datagram) else { panic!("a datagram without an envelope was taken") };
        assert!(taken.insert((envelope.spi, envelope.sequence)), "a sequence number was taken twice");
        if let Verdict::Deliver(range) = verdict {
            check_delivered(&batch, within, range.clone(), envelope, role);
        }
    }
    let consumed = verdicts.iter().filter(|verdict| **verdict == Verdict::Consumed).count();
    assert!(signalling.len() <= consumed, "signalling was handed out of a datagram that was not consumed");
    signalling.iter().for_each(|received| check_signalling(received, datagrams));
    verdicts
}

/// That what is delivered lies inside its datagram, is a whole packet and names a home address of its own SA.
fn check_delivered(batch: &ReceiveBatch, within: Range<usize>, range: Range<usize>, envelope: Envelope, role: Role) {
    assert!(within.start + envelope::LEN <= range.start && range.end <= within.end, "{range:?} is not inside {within:?}");
    assert_eq!(envelope.ptype, Some(PType::Protected), "another PType's content was delivered");
    let packet = batch.octets(range);
    let Ok(inner) = InnerPacket::parse(packet) else { panic!("what was delivered is no packet") };
    assert_eq!(inner.len, packet.len(), "octets behind the packet's own length were delivered");
    assert!(inner.may_cross(), "an address crossed that must not");
    assert!(guard().allows(&inner, packet), "a packet to the home agent itself was delivered");
    let Some(suite) = CipherSuite::ALL.into_iter().find(|suite| spi(*suite).get() == envelope.spi) else {
        panic!("delivered under no SA")
    };
    let own = if role == Role::HomeAgent { inner.source } else { inner.destination };
    assert!(home(suite).contains(own), "the packet of a foreign home address was delivered");
}

fn check_signalling(received: &SignallingReceived, datagrams: &[Vec<u8>]) {
    let from_one =
        datagrams.iter().filter_map(|datagram| Some((Envelope::parse(datagram)?, datagram.len()))).any(|(envelope, len)| {
            let mobility = envelope.ptype == Some(PType::MobilityHeader);
            mobility && envelope.spi == received.spi.get() && received.payload.len() <= len - envelope::LEN
        });
    assert!(from_one && received.socket == SOCKET && received.lease == 0, "signalling from nowhere");
}

/// That what is looked up is unknown here, may be known elsewhere, and was named by signalling to a home agent.
fn check_look_up(spi: Spi, role: Role, datagrams: &[Vec<u8>]) {
    let named = |datagram: &Vec<u8>| {
        let envelope = Envelope::parse(datagram)?;
        (envelope.ptype == Some(PType::MobilityHeader) && envelope.spi == spi.get()).then_some(())
    };
    assert!(role == Role::HomeAgent && datagrams.iter().any(|datagram| named(datagram).is_some()), "a look-up out of nothing");
    let is_known = CipherSuite::ALL.into_iter().any(|suite| self::spi(suite) == spi);
    assert!(spi.block() == block() && !is_known, "a look-up of what cannot be found, or is here");
}

fn receive_batch(datagrams: &[Vec<u8>]) -> (ReceiveBatch, Vec<Range<usize>>) {
    let mut batch = ReceiveBatch::new(datagrams.len(), datagrams.iter().map(Vec::len).sum());
    let mut ranges = Vec::new();
    let mut start = 0;
    for datagram in datagrams {
        let range = start..start + datagram.len();
        batch.arena()[range.clone()].copy_from_slice(datagram);
        batch.push(range.clone(), SOCKET, ([198, 51, 100, 7], 5000).into());
        start = range.end;
        ranges.push(range);
    }
    (batch, ranges)
}

/// `plain` sealed: PType and sequence number from its first eight octets; behind them payload, padding, Pad Length and Next Header
/// as they stand, cut to whole blocks.
pub fn sealed(suite: CipherSuite, role: Role, plain: &[u8]) -> Vec<u8> {
    let Some((head, plain)) = plain.split_first_chunk::<{ envelope::LEN }>() else { return plain.to_vec() };
    let [ptype, _, _, _, sequence @ ..] = *head;
    let head = (u32::from(ptype >> 4) << 28 | spi(suite).get()).to_be_bytes();
    let iv = if suite.is_aead() { [[0; 4], sequence].concat() } else { vec![0x1f; suite.iv_len()] };
    let whole_blocks = plain.len() / suite.block_len() * suite.block_len();
    let mut datagram = [&head, &sequence, &iv[..], &plain[..whole_blocks]].concat();
    datagram.resize(datagram.len() + suite.icv_len(), 0);
    match Transform::new(suite, association(suite).keys(role.receives())) {
        Ok(transform) => transform.seal(&mut datagram),
        Err(error) => unreachable!("{error}"),
    }
    datagram
}

/// An exit-point with a bound SA of each suite.
fn bound_exit_point(role: Role, counters: Arc<Counters>) -> ExitPoint {
    let mut exit = ExitPoint::new(role, counters).guarded(guard());
    exit.apply(&Command::LookUpIn([block()].into_iter().collect()));
    for suite in CipherSuite::ALL {
        let valid_until = now() + Duration::from_secs(86_400);
        exit.apply(&Command::Install(Arc::new(Install::new(association(suite), valid_until, 0))));
        let paths = Paths::one(Path::proved(SOCKET, ([198, 51, 100, 7], 5000).into()));
        let (home, encapsulation, sending) = (home(suite), Encapsulation::ProtectedUdp, spi(suite));
        exit.apply(&Command::Move { home, paths, encapsulation, sending });
    }
    exit
}

pub(super) fn association(suite: CipherSuite) -> SecurityAssociation {
    // Not the same octet throughout: that is no 3DES key.
    let key = |len: usize, first: u8| Secret::new((first..).take(len).collect());
    let keys =
        |first: u8| DirectionKeys::new(&key(suite.integrity_key_len(), first), &key(suite.encryption_key_len(), first + 1));
    let Some(home_agent) = HomeAgentAddresses::new("2001:db8:f::1".parse().ok(), None, 7872) else {
        unreachable!("an address and a port")
    };
    let (mn_to_ha, ha_to_mn) = (keys(0x10), keys(0x20));
    SecurityAssociation {
        spi: spi(suite),
        suite,
        profile: WireProfile::Rfc6618,
        user_data: UserData::Protected,
        mn_to_ha,
        ha_to_mn,
        home: home(suite),
        home_agent,
        features: Features::NONE,
        prefixes: MobileNetworkPrefixes::default(),
    }
}

/// The suite's number in an input, which never changes, so that old inputs keep their meaning: a new suite takes the next one.
pub fn number(suite: CipherSuite) -> u8 {
    match suite {
        CipherSuite::Aes128Gcm => 0,
        CipherSuite::Aes128CbcSha => 1,
        CipherSuite::NullSha => 2,
        CipherSuite::Aes128CbcSha256 => 3,
        CipherSuite::ChaCha20Poly1305 => 4,
        CipherSuite::TripleDesEdeCbcSha => 5,
        CipherSuite::NullSha256 => 6,
    }
}

fn numbered(number: u8) -> CipherSuite {
    let number = number % CipherSuite::ALL.len() as u8;
    match CipherSuite::ALL.into_iter().find(|suite| self::number(*suite) == number) {
        Some(suite) => suite,
        None => unreachable!("numbers go from 0 to the last without a gap"),
    }
}

/// The last octet of the suite's home addresses and of its SPI.
fn last_octet(suite: CipherSuite) -> u8 {
    number(suite) + 2
}

/// The SPI of the suite's SA.
pub fn spi(suite: CipherSuite) -> Spi {
    match Spi::new(0x123_4500 + u32::from(last_octet(suite))) {
        Some(spi) => spi,
        None => unreachable!("28 bits, not 0"),
    }
}

/// The block of all of them.
fn block() -> SpiBlock {
    spi(CipherSuite::Aes128Gcm).block()
}

/// The home addresses of the suite's SA.
pub fn home(suite: CipherSuite) -> HomeAddresses {
    let ip6 = [0x2001, 0xdb8, 0x100, 0, 0, 0, 0, u16::from(last_octet(suite))].into();
    match HomeAddresses::new(Some(ip6), Some([10, 9, 0, last_octet(suite)].into())) {
        Some(home) => home,
        None => unreachable!("two addresses"),
    }
}

/// The home agent's own inner address.
pub(super) fn guard() -> Guard {
    Guard::new([IpAddr::from([10, 9, 0, 1])])
}

/// Some instant, the same throughout.
pub(super) fn now() -> Instant {
    static NOW: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *NOW.get_or_init(Instant::now)
}
