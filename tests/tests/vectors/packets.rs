//! Protected packets: sealed as the other implementation seals them, opened again, and the bad ones refused for their reason.

use std::collections::BTreeSet;
use std::time::Instant;

use fixture::{association, install};
use protocol::sa::cipher::{Transform, layout};
use protocol::sa::inbound::InboundSa;
use protocol::sa::{CipherSuite, DirectionKeys, Role, Secret, SecurityAssociation, Spi};
use protocol::tunnel::DropReason;
use protocol::wire::envelope::{Envelope, PType};
use serde::Deserialize;

use super::{load, octets};

#[derive(Deserialize)]
struct Packet {
    suite: String,
    wire: String,
    ikey: String,
    ekey: String,
    ptype: u8,
    spi: u32,
    seq: u32,
    next_header: u8,
    iv: String,
    payload: String,
    packet: String,
}

#[derive(Deserialize)]
struct Refused {
    suite: String,
    ikey: String,
    ekey: String,
    spi: u32,
    why: String,
    packet: String,
}

/// The suite of a vector: one that this build does not have fails the test.
fn suite(name: &str) -> CipherSuite {
    name.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn keys(ikey: &str, ekey: &str) -> DirectionKeys {
    DirectionKeys::new(&Secret::new(octets(ikey)), &Secret::new(octets(ekey)))
}

#[test]
fn vectors_packets_are_sealed_octet_for_octet_and_opened_again() {
    let mut seen = BTreeSet::new();
    for case in load::<Packet>("packets.json") {
        let suite = suite(&case.suite);
        assert_eq!(suite.wire(), case.wire);
        seen.insert(suite);
        let transform = Transform::new(suite, &keys(&case.ikey, &case.ekey)).unwrap();
        let (payload, expected) = (octets(&case.payload), octets(&case.packet));
        let ptype = PType::from_wire(case.ptype).unwrap();
        let head = Envelope::emit(ptype, Spi::new(case.spi).unwrap(), case.seq);
        let mut datagram = vec![0; layout::sealed_len(suite, payload.len())];
        layout::write_with_iv(suite, head, &octets(&case.iv), case.next_header, &payload, &mut datagram);
        transform.seal(&mut datagram);
        assert_eq!(hex::encode(&datagram), hex::encode(&expected), "{suite} {} octets", payload.len());
        transform.verify(&mut datagram).unwrap();
        transform.decrypt(&mut datagram);
        let (range, next_header) = layout::payload(suite, &datagram).unwrap();
        assert_eq!((&datagram[range], next_header), (&payload[..], case.next_header));
    }
    assert_eq!(seen.len(), CipherSuite::ALL.len(), "vectors for {seen:?} only");
}

/// What this implementation says to a packet that the other one made bad.
fn expected(why: &str) -> &'static [DropReason] {
    match why {
        // The ICV covers it, and nothing else is looked at before.
        "PType flipped" | "sequence flipped" | "ciphertext flipped" | "ICV flipped" => &[DropReason::WrongIcv],
        "SPI flipped" => &[DropReason::UnknownSpi],
        // A length that is no whole number of blocks is noticed before the ICV.
        "truncated by one" | "trailing octet" => &[DropReason::Truncated],
        "only the two header words" | "four octets" => &[DropReason::Truncated],
        // What is left may still be whole blocks; then its last octets are no ICV.
        "empty ICV" => &[DropReason::Truncated, DropReason::WrongIcv],
        "padding not 1,2,3 under a right ICV" | "pad length beyond the packet under a right ICV" => &[DropReason::BadPadding],
        other => panic!("a reason that is new here: {other}"),
    }
}

#[test]
fn vectors_bad_packets_are_refused_for_the_right_reason() {
    for case in load::<Refused>("packets_refused.json") {
        let suite = suite(&case.suite);
        let (now, mut datagram) = (Instant::now(), octets(&case.packet));
        let refused = open(suite, &case, &mut datagram, now).expect_err(&case.why);
        // A flipped PType may be one that is not assigned, which is said without looking at the ICV.
        let unassigned = case.why == "PType flipped" && refused == DropReason::UnassignedPType;
        let clear = case.why == "PType flipped" && refused == DropReason::PlaintextRefused;
        assert!(unassigned || clear || expected(&case.why).contains(&refused), "{suite}: {} was {refused}", case.why);
    }
}

/// As an exit-point does: envelope, SPI, then the SA.
fn open(suite: CipherSuite, case: &Refused, datagram: &mut [u8], now: Instant) -> Result<(), DropReason> {
    let envelope = Envelope::parse(datagram).ok_or(DropReason::Truncated)?;
    let ptype = envelope.ptype.ok_or(DropReason::UnassignedPType)?;
    if ptype == PType::Clear {
        return Err(DropReason::PlaintextRefused);
    }
    if envelope.spi != case.spi {
        return Err(DropReason::UnknownSpi);
    }
    let keys = keys(&case.ikey, &case.ekey);
    let sa = SecurityAssociation { mn_to_ha: keys.clone(), ha_to_mn: keys, ..association(Spi::new(case.spi).unwrap(), suite) };
    let mut inbound = InboundSa::new(&install(sa, now).into(), Role::HomeAgent).unwrap();
    inbound.open(ptype, envelope.sequence, datagram, now).map(|_| ())
}
