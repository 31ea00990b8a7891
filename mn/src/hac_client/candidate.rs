//! In which order the HAC's addresses are tried: by SRV priority and weight (RFC 2782), within a priority as RFC 6724 section 6 has them,
//! with the families interleaved (RFC 8305 section 4). Pure.

use std::net::{IpAddr, SocketAddr};

use rand::{Rng, RngExt};

use crate::address_selection::sort_destinations;

/// The most addresses that a run tries. An operator has two or four; a name with more is a mistake or an attack.
pub const MAX_CANDIDATES: usize = 16;

/// Where the HAC may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Address and TCP port.
    pub address: SocketAddr,
    /// The SRV record's; the lowest is the most preferred. 0 for all where there is no such record.
    pub priority: u16,
}

/// What an SRV record says of one target (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) priority: u16,
    pub(super) weight: u16,
    pub(super) port: u16,
    /// The target's name.
    pub(super) target: String,
}

/// The services by priority, within one priority drawn at random by their weights (RFC 2782, "Weight").
pub(super) fn by_weight(mut services: Vec<Service>, rng: &mut impl Rng) -> Vec<Service> {
    // Those of weight 0 stand first in their priority, so that they are drawn seldom, but are.
    services.sort_by_key(|service| (service.priority, service.weight));
    let mut ordered = Vec::with_capacity(services.len());
    while let Some(first) = services.first() {
        let end = services.partition_point(|service| service.priority == first.priority);
        let weight = |service: &Service| u64::from(service.weight);
        let drawn = rng.random_range(0..=services.iter().take(end).map(weight).sum::<u64>());
        let mut sum = 0;
        let chosen = services.iter().position(|service| {
            sum += weight(service);
            sum >= drawn
        });
        // The last one's sum is the largest number that is drawn.
        ordered.push(services.remove(chosen.unwrap_or_default()));
    }
    ordered
}

/// What was found, in the order in which it is tried: by priority, then by default address selection, given the `source` that the kernel
/// would use for each; the families in turn, beginning with that of the first, and equal ones in the order given. None twice, and no
/// more than [`MAX_CANDIDATES`].
pub(super) fn interleaved(mut found: Vec<Candidate>, source: impl Fn(IpAddr) -> Option<IpAddr>) -> Vec<Candidate> {
    found.sort_by_key(|candidate| candidate.priority);
    let mut ordered = Vec::with_capacity(found.len());
    for level in found.chunk_by_mut(|one, next| one.priority == next.priority) {
        sort_destinations(level, |candidate| candidate.address.ip(), &source);
        let level = &*level;
        let begins_with_ipv6 = level.first().is_some_and(|first| first.address.is_ipv6());
        let of = |ipv6| level.iter().filter(move |candidate| candidate.address.is_ipv6() == ipv6).copied();
        let (mut one, mut other) = (of(begins_with_ipv6), of(!begins_with_ipv6));
        loop {
            let pair = [one.next(), other.next()];
            if pair == [None, None] {
                break;
            }
            ordered.extend(pair.into_iter().flatten());
        }
    }
    bounded(ordered)
}

/// The first of each address, no more than [`MAX_CANDIDATES`].
pub(super) fn bounded(candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mut kept: Vec<Candidate> = Vec::with_capacity(candidates.len().min(MAX_CANDIDATES));
    for candidate in candidates {
        if kept.len() < MAX_CANDIDATES && kept.iter().all(|other| other.address != candidate.address) {
            kept.push(candidate);
        }
    }
    kept
}

/// Brings the address that gave the last grant to the front of its priority, if it is still among the candidates.
pub(super) fn prefer(candidates: &mut [Candidate], last_good: SocketAddr) {
    let Some(at) = candidates.iter().position(|candidate| candidate.address == last_good) else { return };
    let priority = candidates.get(at).map(|candidate| candidate.priority);
    let first = candidates.iter().position(|candidate| Some(candidate.priority) == priority);
    if let Some(level) = first.and_then(|first| candidates.get_mut(first..=at)) {
        level.rotate_right(1);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn service(priority: u16, weight: u16, target: &str) -> Service {
        Service { priority, weight, port: 7872, target: target.to_owned() }
    }

    fn candidate(priority: u16, ip: &str) -> Candidate {
        Candidate { address: SocketAddr::new(ip.parse().unwrap(), 7872), priority }
    }

    fn candidates(list: &[(u16, &str)]) -> Vec<Candidate> {
        list.iter().map(|(priority, ip)| candidate(*priority, ip)).collect()
    }

    /// A host with a global address of either family.
    fn anywhere(destination: IpAddr) -> Option<IpAddr> {
        Some(if destination.is_ipv6() { "2001:db8:1::7".parse().unwrap() } else { [198, 51, 100, 7].into() })
    }

    /// How often each target came first of 10,000 draws.
    fn first_of(services: &[Service]) -> BTreeMap<String, u32> {
        let mut rng = StdRng::seed_from_u64(1);
        let mut count = BTreeMap::new();
        for _ in 0..10_000 {
            let ordered = by_weight(services.to_vec(), &mut rng);
            assert_eq!(ordered.len(), services.len());
            *count.entry(ordered[0].target.clone()).or_default() += 1;
        }
        count
    }

    #[test]
    fn targets_of_one_priority_come_first_as_often_as_their_weights_say() {
        let count = first_of(&[service(1, 60, "a"), service(1, 30, "b"), service(1, 10, "c"), service(2, 60_000, "d")]);
        let near = |target: &str, expected: u32| count[target].abs_diff(expected) < 300;
        assert!(near("a", 6_000) && near("b", 3_000) && near("c", 1_000) && !count.contains_key("d"), "{count:?}");
    }

    #[test]
    fn a_target_of_weight_zero_is_drawn_seldom_beside_others_and_as_often_as_its_like() {
        let beside = first_of(&[service(1, 99, "a"), service(1, 0, "b")]);
        assert!((1..500).contains(&beside["b"]), "{beside:?}");
        assert!(first_of(&[service(1, 0, "a"), service(1, 0, "b")])["a"] > 0);
    }

    #[test]
    fn the_largest_weights_and_numbers_of_targets_do_not_overflow() {
        let services = vec![service(0, u16::MAX, "a"); 300];
        assert_eq!(by_weight(services, &mut StdRng::seed_from_u64(2)).len(), 300);
    }

    #[test]
    fn families_alternate_within_a_priority_beginning_with_ipv6_and_keep_their_own_order() {
        let found = candidates(&[
            (2, "192.0.2.9"),
            (1, "192.0.2.1"),
            (1, "192.0.2.2"),
            (1, "2001:db8::1"),
            (1, "192.0.2.3"),
            (1, "2001:db8::2"),
            (2, "2001:db8::9"),
        ]);
        let expected = candidates(&[
            (1, "2001:db8::1"),
            (1, "192.0.2.1"),
            (1, "2001:db8::2"),
            (1, "192.0.2.2"),
            (1, "192.0.2.3"),
            (2, "2001:db8::9"),
            (2, "192.0.2.9"),
        ]);
        assert_eq!(interleaved(found, anywhere), expected);
    }

    #[test]
    fn a_family_without_a_way_there_and_unique_local_addresses_from_afar_come_second() {
        let found = candidates(&[(1, "fd00::1"), (1, "2001:db8::1"), (1, "192.0.2.1"), (1, "192.0.2.2")]);
        let only_ip4 = |destination: IpAddr| destination.is_ipv4().then_some([198, 51, 100, 7].into());
        let expected = candidates(&[(1, "192.0.2.1"), (1, "fd00::1"), (1, "192.0.2.2"), (1, "2001:db8::1")]);
        assert_eq!(interleaved(found.clone(), only_ip4), expected);
        let expected = candidates(&[(1, "2001:db8::1"), (1, "192.0.2.1"), (1, "fd00::1"), (1, "192.0.2.2")]);
        assert_eq!(interleaved(found, anywhere), expected);
    }

    #[test]
    fn an_address_that_is_named_twice_is_tried_once_at_its_best_priority_and_no_more_than_sixteen_are() {
        let twice = candidates(&[(3, "192.0.2.1"), (1, "192.0.2.1"), (1, "192.0.2.1")]);
        assert_eq!(interleaved(twice, anywhere), candidates(&[(1, "192.0.2.1")]));
        let many = (0..200).map(|last| candidate(0, &format!("192.0.2.{last}"))).collect();
        assert_eq!(interleaved(many, anywhere).len(), MAX_CANDIDATES);
    }

    #[test]
    fn the_last_good_address_is_first_of_its_own_priority_and_one_that_is_gone_changes_nothing() {
        let before = candidates(&[(1, "2001:db8::1"), (1, "192.0.2.1"), (2, "2001:db8::2"), (2, "192.0.2.2"), (2, "192.0.2.3")]);
        let mut list = before.clone();
        prefer(&mut list, "192.0.2.3:7872".parse().unwrap());
        let expected = [(1, "2001:db8::1"), (1, "192.0.2.1"), (2, "192.0.2.3"), (2, "2001:db8::2"), (2, "192.0.2.2")];
        assert_eq!(list, candidates(&expected));
        let mut list = before.clone();
        prefer(&mut list, "192.0.2.3:7873".parse().unwrap());
        assert_eq!(list, before, "another port is another place");
    }
}
