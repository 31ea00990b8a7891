//! A batch of many datagrams comes out as many batches of one.

use proptest::prelude::*;

use super::*;
use crate::sa::cipher::{Transform, layout};
use crate::tunnel::batch::Received;
use crate::wire::envelope::{self, Envelope, PType};
use crate::wire::ip::{NEXT_HEADER_IPV6, NEXT_HEADER_NONE};

/// What a datagram holds, and what is wrong with it.
#[derive(Clone, Copy, Debug)]
enum Content {
    Packet { payload: usize },
    ForeignPacket,
    NoPacket,
    BadPadding,
    Signalling,
    Dummy,
}

#[derive(Clone, Debug)]
enum Datagram {
    Sealed { sa: usize, sequence: u32, content: Content, flipped: Option<u16> },
    UnderUnknownSpi { number: u32, octets: usize, ptype: PType },
    Clear { payload: usize },
    Unassigned,
    Short(usize),
}

/// A datagram as it comes.
#[derive(Clone, Debug)]
struct Arrival {
    datagram: Datagram,
    elsewhere: bool,
    traffic_class: u8,
}

fn content() -> impl Strategy<Value = Content> {
    prop_oneof![
        12 => (0..200_usize).prop_map(|payload| Content::Packet { payload }),
        1 => Just(Content::ForeignPacket),
        1 => Just(Content::NoPacket),
        1 => Just(Content::BadPadding),
        2 => Just(Content::Signalling),
        1 => Just(Content::Dummy),
    ]
}

/// Numbers that come again, that leave the window behind, and that want a new SA.
fn sequence() -> impl Strategy<Value = u32> {
    prop_oneof![20 => 0..60_u32, 2 => 4_000..4_120_u32, 1 => (3_u32 << 30)..(3_u32 << 30) + 3]
}

fn datagram() -> impl Strategy<Value = Datagram> {
    let flipped = prop_oneof![5 => Just(None), 1 => any::<u16>().prop_map(Some)];
    prop_oneof![
        16 => (0..4_usize, sequence(), content(), flipped)
            .prop_map(|(sa, sequence, content, flipped)| Datagram::Sealed { sa, sequence, content, flipped }),
        1 => (0..3_u32, 0..200_usize, prop_oneof![Just(PType::Protected), Just(PType::MobilityHeader)])
            .prop_map(|(number, octets, ptype)| Datagram::UnderUnknownSpi { number, octets, ptype }),
        1 => (0..50_usize).prop_map(|payload| Datagram::Clear { payload }),
        1 => Just(Datagram::Unassigned),
        1 => (0..12_usize).prop_map(Datagram::Short),
    ]
}

fn arrival() -> impl Strategy<Value = Arrival> {
    (datagram(), prop_oneof![6 => Just(false), 1 => Just(true)], prop_oneof![6 => Just(0_u8), 1 => 0..4_u8])
        .prop_map(|(datagram, elsewhere, traffic_class)| Arrival { datagram, elsewhere, traffic_class })
}

/// Runs of one SA, as they come from one node, and others between.
fn arrivals() -> impl Strategy<Value = Vec<Arrival>> {
    let run = (0..4_usize, 0..60_u32, 1..50_u32, any::<u16>()).prop_map(|(sa, first, count, odd)| {
        let sealed = |number| Datagram::Sealed {
            sa,
            sequence: first + number,
            content: Content::Packet { payload: if number % 7 == 6 { 31 } else { 100 } },
            flipped: (odd % 5 == 0 && number == u32::from(odd) % count).then_some(odd),
        };
        (0..count).map(sealed).map(|datagram| Arrival { datagram, elsewhere: false, traffic_class: 0 }).collect::<Vec<_>>()
    });
    proptest::collection::vec(prop_oneof![run, proptest::collection::vec(arrival(), 1..12)], 1..6).prop_map(|runs| runs.concat())
}

/// Of an SA: suite, whether user data may go in the clear, its node's number.
const SAS: [(CipherSuite, UserData); 4] = [
    (CipherSuite::Aes128CbcSha, UserData::Protected),
    (CipherSuite::Aes128Gcm, UserData::Clear),
    (CipherSuite::NullSha256, UserData::Protected),
    (CipherSuite::TripleDesEdeCbcSha, UserData::Protected),
];

fn home_of(sa: usize) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 1, sa as u16)
}

fn association_of(number: usize) -> SecurityAssociation {
    let (suite, user_data) = SAS[number];
    let home = HomeAddresses::new(Some(home_of(number)), None).unwrap();
    SecurityAssociation { spi: Spi::new(0x123_4000 + number as u32).unwrap(), user_data, home, ..association(suite) }
}

impl Datagram {
    fn octets(&self) -> Vec<u8> {
        match self {
            Self::Sealed { sa, sequence, content, flipped } => {
                let mut octets = sealed(*sa, *sequence, *content);
                if let Some(bit) = flipped {
                    // Behind the SPI: what else it could be is another kind of datagram.
                    let bit = 32 + usize::from(*bit) % (octets.len() * 8 - 32);
                    octets[bit / 8] ^= 1 << (bit % 8);
                }
                octets
            }
            Self::UnderUnknownSpi { number, octets, ptype } => {
                let head = Envelope::emit(*ptype, Spi::new(0x123_4800 + number).unwrap(), 7);
                [&head[..], &vec![0x5a; *octets]].concat()
            }
            Self::Clear { payload } => [&envelope::CLEAR[..], &ipv6(home_of(1), CORRESPONDENT, *payload)].concat(),
            Self::Unassigned => vec![0x25; 60],
            Self::Short(len) => {
                [&Envelope::emit(PType::Protected, association_of(0).spi, 3)[..], &[0; 4]].concat()[..*len].to_vec()
            }
        }
    }
}

fn sealed(number: usize, sequence: u32, content: Content) -> Vec<u8> {
    let sa = association_of(number);
    let (ptype, next_header, payload) = match content {
        Content::Packet { payload } => (PType::Protected, NEXT_HEADER_IPV6, ipv6(home_of(number), CORRESPONDENT, payload)),
        Content::BadPadding => (PType::Protected, NEXT_HEADER_IPV6, ipv6(home_of(number), CORRESPONDENT, 21)),
        Content::ForeignPacket => (PType::Protected, NEXT_HEADER_IPV6, ipv6(home_of(9), CORRESPONDENT, 20)),
        Content::NoPacket => (PType::Protected, NEXT_HEADER_IPV6, vec![0x60; 10]),
        Content::Signalling => (PType::MobilityHeader, signalling::MOBILITY, vec![1; 16]),
        Content::Dummy => (PType::Protected, NEXT_HEADER_NONE, vec![]),
    };
    let iv = if sa.suite.is_aead() { u64::from(sequence).to_be_bytes().to_vec() } else { vec![0x1f; sa.suite.iv_len()] };
    let mut datagram = vec![0; layout::sealed_len(sa.suite, payload.len())];
    layout::write_with_iv(sa.suite, Envelope::emit(ptype, sa.spi, sequence), &iv, next_header, &payload, &mut datagram);
    if matches!(content, Content::BadPadding) {
        let pad_len = datagram.len() - sa.suite.icv_len() - 2;
        datagram[pad_len] = 255;
    }
    Transform::new(sa.suite, &sa.mn_to_ha).unwrap().seal(&mut datagram);
    datagram
}

/// A home agent's exit-point with all associations; all but the last are bound.
struct Exit {
    exit: ExitPoint,
    counters: Arc<Counters>,
    traffic: Vec<Arc<TrafficCounters>>,
}

/// All that can be seen of an exit-point.
#[derive(Debug, PartialEq)]
struct Seen {
    came_out: Vec<Result<Option<Vec<u8>>, DropReason>>,
    events: Vec<Event>,
    drops: Vec<(DropReason, u64)>,
    received: (u64, u64),
    traffic: Vec<Traffic>,
}

impl Exit {
    fn new(now: Instant) -> Self {
        let counters = Arc::new(Counters::default());
        let mut it = Self { exit: ExitPoint::new(Role::HomeAgent, counters.clone()), counters, traffic: Vec::new() };
        it.exit.apply(&Command::LookUpIn([Spi::new(0x123_4800).unwrap().block()].into_iter().collect()));
        for number in 0..SAS.len() {
            let (sa, traffic) = (association_of(number), Arc::<TrafficCounters>::default());
            let (home, sending) = (sa.home, sa.spi);
            let install = Install { traffic: traffic.clone(), ..Install::new(sa, now + Duration::from_secs(100), 0) };
            it.traffic.push(traffic);
            it.exit.apply(&Command::Install(Arc::new(install)));
            if number + 1 < SAS.len() {
                let paths = Paths::one(Path::proved(SocketId(0), MOBILE_NODE.into()));
                let encapsulation = Encapsulation::ProtectedUdp;
                it.exit.apply(&Command::Move { home, paths, encapsulation, sending });
            }
        }
        it
    }

    /// Gives what came out of the batch.
    fn takes(&mut self, batch: &mut ReceiveBatch, now: Instant) -> Vec<Result<Option<Vec<u8>>, DropReason>> {
        let mut verdicts = Vec::new();
        self.exit.handle_datagrams(batch, now, &mut verdicts);
        assert_eq!(verdicts.len(), batch.len());
        let came_out = verdicts.into_iter().map(|verdict| match verdict {
            Verdict::Deliver(range) => Ok(Some(batch.octets(range).to_vec())),
            Verdict::Consumed => Ok(None),
            Verdict::Drop(reason) => Err(reason),
            Verdict::PassOn(share) => unreachable!("passed on to {share}"),
        });
        came_out.collect()
    }

    fn seen(mut self, came_out: Vec<Result<Option<Vec<u8>>, DropReason>>) -> Seen {
        Seen {
            came_out,
            events: std::iter::from_fn(|| self.exit.poll_event()).collect(),
            drops: self.counters.drops().collect(),
            received: self.counters.received(),
            traffic: self.traffic.iter().map(|traffic| traffic.read()).collect(),
        }
    }
}

/// The datagrams in one batch; in the arena they lie in turn, or each before the one that came before it.
fn batch_of(arrivals: &[Arrival], backwards: bool) -> ReceiveBatch {
    let all: Vec<_> = arrivals.iter().map(|arrival| arrival.datagram.octets()).collect();
    let room: usize = all.iter().map(Vec::len).sum();
    let mut batch = ReceiveBatch::new(all.len(), room);
    let (mut start, mut end) = (0, room);
    for (octets, arrival) in all.iter().zip(arrivals) {
        let range = if backwards { end - octets.len()..end } else { start..start + octets.len() };
        (start, end) = (start + octets.len(), end - octets.len());
        batch.arena()[range.clone()].copy_from_slice(octets);
        let from = if arrival.elsewhere { ([192, 0, 2, 66], 1).into() } else { MOBILE_NODE.into() };
        batch.push_with(Received { range, socket: SocketId(0), from, traffic_class: arrival.traffic_class });
    }
    batch
}

proptest! {
    #[test]
    fn a_batch_comes_out_as_its_datagrams_one_by_one(arrivals in arrivals(), backwards in any::<bool>()) {
        #[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
        let now = Instant::now();
        let (mut together, mut apart) = (Exit::new(now), Exit::new(now));
        let at_once = together.takes(&mut batch_of(&arrivals, backwards), now);
        let in_turn = arrivals.iter().flat_map(|one| apart.takes(&mut batch_of(std::slice::from_ref(one), false), now)).collect();
        prop_assert_eq!(together.seen(at_once), apart.seen(in_turn));
    }
}

/// What is beyond chance above: more of one SA than are opened together, and all of them come out.
#[test]
fn a_long_run_of_one_association_comes_out_whole_and_in_order() {
    #[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
    let now = Instant::now();
    for sa in 0..3 {
        let sealed = |sequence| Datagram::Sealed {
            sa,
            sequence,
            content: Content::Packet { payload: 40 + sequence as usize % 3 },
            flipped: None,
        };
        let arrivals: Vec<_> =
            (0..100).map(sealed).map(|datagram| Arrival { datagram, elsewhere: false, traffic_class: 0 }).collect();
        let mut exit = Exit::new(now);
        let came_out = exit.takes(&mut batch_of(&arrivals, false), now);
        let expected: Vec<_> = (0..100).map(|sequence| Ok(Some(ipv6(home_of(sa), CORRESPONDENT, 40 + sequence % 3)))).collect();
        assert_eq!(came_out, expected);
        let octets = (0..100).map(|sequence| 80 + sequence % 3).sum();
        assert_eq!(
            (exit.counters.received(), exit.traffic[sa].read().from_node),
            ((100, octets), Volume { packets: 100, octets })
        );
    }
}
