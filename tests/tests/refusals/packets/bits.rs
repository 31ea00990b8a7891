//! Every bit of a right datagram flipped: the reason follows from the bit's place alone.

use protocol::wire::envelope::Envelope;

use super::*;

/// The replay window is promised 2,048 numbers and has 63 words of 64 (`common/protocol/src/sa/replay.rs`).
const WINDOW: u32 = 63 * 64;
/// The number of the datagram whose bits are flipped, far enough from 0 for every place of the window.
const NUMBER: u32 = 20_000;
/// Numbers that were taken before it: one bit away, and the highest.
const TAKEN: [u32; 2] = [NUMBER ^ 1, NUMBER + 100];

/// What a flipped bit must come to.
fn expected(suite: CipherSuite, flipped: &[u8], bit: usize) -> DropReason {
    let envelope = Envelope::parse(flipped).unwrap();
    match bit {
        0..4 if flipped[0] >> 4 == 0 => PlaintextRefused,
        0..4 => UnassignedPType,
        4..32 => UnknownSpi,
        32..64 if TAKEN.contains(&envelope.sequence) => ReplayedSequence,
        32..64 if envelope.sequence + WINDOW <= TAKEN[1] => OutsideWindow,
        // The IV is the number, and is compared before the ICV is computed.
        32..128 if suite.is_aead() => BadIv,
        _ => WrongIcv,
    }
}

/// A bound scene that has taken [`TAKEN`], with a right datagram that it has not.
fn scene(role: Role, suite: CipherSuite, made: fn(&mut Scene) -> Vec<u8>) -> (Scene, Vec<u8>) {
    let mut scene = Scene::new(role, suite, Bound);
    for number in TAKEN {
        scene.next = number;
        let packet = scene.packet();
        assert!(scene.takes(&packet).is_some());
    }
    scene.next = NUMBER;
    let datagram = made(&mut scene);
    scene.next = TAKEN[1] + 1;
    (scene, datagram)
}

fn assert_every_bit_counts(role: Role, suite: CipherSuite, made: fn(&mut Scene) -> Vec<u8>) -> Scene {
    let (mut scene, datagram) = scene(role, suite, made);
    let (state, mut drops) = (scene.end.state(), scene.end.drops());
    for bit in 0..datagram.len() * 8 {
        let mut flipped = datagram.clone();
        flipped[bit / 8] ^= 0x80 >> (bit % 8);
        assert_eq!(scene.takes(&flipped), None);
        *drops.entry(expected(suite, &flipped, bit)).or_default() += 1;
        assert_eq!(scene.end.drops(), drops, "bit {bit} of {} at the {role:?}, {suite}", datagram.len() * 8);
    }
    assert_eq!((scene.end.state(), scene.end.said()), (state, Vec::new()), "at the {role:?}, {suite}");
    scene.takes(&datagram);
    assert_eq!(scene.end.drops(), drops, "the datagram itself is taken");
    scene
}

#[test]
fn a_bit_that_is_flipped_anywhere_in_a_packet_has_the_reason_of_its_place() {
    for suite in CipherSuite::ALL {
        for role in [Role::HomeAgent, Role::MobileNode] {
            assert_every_bit_counts(role, suite, Scene::packet).assert_works("all bits");
        }
    }
}

#[test]
fn a_bit_that_is_flipped_anywhere_in_a_binding_update_moves_nothing() {
    for suite in CipherSuite::ALL {
        let before = Scene::new(Role::HomeAgent, suite, Bound).end.state();
        let mut scene = assert_every_bit_counts(Role::HomeAgent, suite, |it| it.update_but(|_| ()));
        assert_ne!(scene.end.state(), before, "the Binding Update itself is taken");
        scene.end.said();
        scene.assert_works("all bits");
    }
}
