//! Many datagrams at once come to what one by one they come to, for every suite.

use proptest::prelude::*;

use super::*;

fn transform(suite: CipherSuite) -> Transform {
    Transform::new(suite, &DirectionKeys::counting_from(3, suite)).unwrap()
}

/// Laid out, not sealed; each with a number, an IV and a content of its own.
fn laid_out(suite: CipherSuite, payloads: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let each = payloads.iter().enumerate().map(|(number, payload)| {
        let mut datagram = vec![0; layout::sealed_len(suite, payload.len())];
        let head = [0, 0, 1, 2, 0, 0, 0, number as u8];
        let iv: Vec<u8> = if suite.is_aead() { layout::aead_iv(&head).into() } else { vec![number as u8 ^ 0xa5; suite.iv_len()] };
        layout::write_with_iv(suite, head, &iv, 41, payload, &mut datagram);
        datagram
    });
    each.collect()
}

fn slices(datagrams: &mut [Vec<u8>]) -> Vec<&mut [u8]> {
    datagrams.iter_mut().map(Vec::as_mut_slice).collect()
}

fn verify(transform: &Transform, datagrams: &mut [Vec<u8>]) -> Vec<Result<(), DropReason>> {
    let mut results = vec![Ok(()); datagrams.len()];
    transform.verify_many(&mut slices(datagrams), &mut results);
    results
}

fn suites() -> impl Strategy<Value = CipherSuite> {
    prop::sample::select(CipherSuite::ALL.to_vec())
}

/// Of mixed lengths, or of one length but for a shorter tail, as a transfer gives them.
fn batches() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let mixed = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..90);
    let transfer = (0..40usize, 0..300usize, 0..300usize, any::<u8>()).prop_map(|(count, len, tail, seed)| {
        let payload = |number: usize, len: usize| (0..len).map(|at| (at * 7 + number) as u8 ^ seed).collect();
        (0..count).map(|number| payload(number, len)).chain([payload(count, tail.min(len))]).collect()
    });
    prop_oneof![mixed, transfer]
}

proptest! {
    #[test]
    fn datagrams_sealed_at_once_are_those_sealed_one_by_one(suite in suites(), payloads in batches()) {
        let transform = transform(suite);
        let mut at_once = laid_out(suite, &payloads);
        let mut one_by_one = at_once.clone();
        transform.seal_many(&mut slices(&mut at_once));
        one_by_one.iter_mut().for_each(|datagram| transform.seal(datagram));
        prop_assert_eq!(at_once, one_by_one);
    }

    #[test]
    fn datagrams_opened_at_once_give_what_was_laid_out(suite in suites(), payloads in batches()) {
        let transform = transform(suite);
        let before = laid_out(suite, &payloads);
        let mut datagrams = before.clone();
        transform.seal_many(&mut slices(&mut datagrams));
        prop_assert!(verify(&transform, &mut datagrams).iter().all(Result::is_ok));
        transform.decrypt_many(&mut slices(&mut datagrams));
        for ((datagram, before), payload) in datagrams.iter().zip(&before).zip(&payloads) {
            let end = datagram.len() - suite.icv_len();
            prop_assert_eq!(&datagram[..end], &before[..end]);
            let (range, next_header) = layout::payload(suite, datagram).unwrap();
            prop_assert_eq!((&datagram[range], next_header), (payload.as_slice(), 41));
        }
    }

    #[test]
    fn exactly_the_datagrams_that_were_tampered_with_are_refused(
        suite in suites(),
        payloads in batches(),
        tampering in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>(), 0..8u8), 90),
    ) {
        let transform = transform(suite);
        let mut datagrams = laid_out(suite, &payloads);
        transform.seal_many(&mut slices(&mut datagrams));
        for (datagram, (is_tampered, at, bit)) in datagrams.iter_mut().zip(&tampering) {
            let at = at.index(datagram.len());
            datagram[at] ^= u8::from(*is_tampered) << bit;
        }
        let mut one_by_one = datagrams.clone();
        let results = verify(&transform, &mut datagrams);
        for (result, (is_tampered, ..)) in results.iter().zip(&tampering) {
            prop_assert_eq!(result.is_err(), *is_tampered);
        }
        let alone: Vec<_> = one_by_one.iter_mut().map(|datagram| transform.verify(datagram)).collect();
        prop_assert_eq!(results, alone);
    }
}

#[test]
fn what_is_too_short_is_refused_among_others_and_not_touched() {
    for suite in CipherSuite::ALL {
        let transform = transform(suite);
        let mut datagrams = laid_out(suite, &vec![vec![7; 100]; 2 * LANES + 3]);
        transform.seal_many(&mut slices(&mut datagrams));
        let least = layout::sealed_len(suite, 0);
        for (number, datagram) in datagrams.iter_mut().enumerate() {
            datagram.truncate(if number % 3 == 0 { number.min(least - 1) } else { usize::MAX });
        }
        let short = |number: usize| number.is_multiple_of(3);
        let before = datagrams.clone();
        for (number, result) in verify(&transform, &mut datagrams).into_iter().enumerate() {
            assert_eq!(result, if short(number) { Err(DropReason::Truncated) } else { Ok(()) }, "{suite}, {number}");
        }
        assert!(datagrams.iter().zip(&before).enumerate().all(|(number, (after, before))| !short(number) || after == before));
    }
}

#[test]
fn no_datagrams_are_nothing_to_do() {
    for suite in CipherSuite::ALL {
        let transform = transform(suite);
        transform.seal_many(&mut []);
        transform.verify_many(&mut [], &mut []);
        transform.decrypt_many(&mut []);
    }
}
