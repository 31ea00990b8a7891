//! The examples of RFC 6724 sections 10.1 and 10.2, and what they leave out.

use super::*;

/// `2001:db8::1/64`, with `-` behind it where it is deprecated and `~` where it is temporary.
fn source(text: &str) -> Source {
    let address = text.trim_end_matches(['-', '~']);
    let len = if address.contains(':') { 64 } else { 24 };
    let address = IpNet::new(address.parse().unwrap(), len).unwrap();
    Source { address, deprecated: text.ends_with('-'), temporary: text.ends_with('~') }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The source for a destination, the candidates in either order.
fn chosen(destination: &str, candidates: &[&str]) -> IpAddr {
    let least = |sources: &mut dyn Iterator<Item = &&str>| {
        let least = sources.map(|text| source(text)).min_by(|one, other| compare_sources(one, other, ip(destination)));
        least.unwrap().address.addr()
    };
    let first = least(&mut candidates.iter());
    assert_eq!(first, least(&mut candidates.iter().rev()), "the order of the candidates decides nothing");
    first
}

#[test]
fn sources_are_chosen_as_in_the_examples_of_section_10_1() {
    let examples: [(&str, [&str; 2]); 7] = [
        ("2001:db8:1::1", ["2001:db8:3::1", "fe80::1"]),
        ("ff05::1", ["2001:db8:3::1", "fe80::1"]),
        ("2001:db8:1::1", ["2001:db8:1::1-", "2001:db8:2::1"]),
        ("fe80::1", ["fe80::2-", "2001:db8:1::1"]),
        ("2001:db8:1::1", ["2001:db8:1::2", "2001:db8:3::2"]),
        ("2002:c633:6401::1", ["2002:c633:6401::d5e3:7953:13eb:22e8~", "2001:db8:1::2"]),
        ("2001:db8:1::d5e3:0:0:1", ["2001:db8:1::d5e3:7953:13eb:22e8~", "2001:db8:1::2"]),
    ];
    for (destination, candidates) in examples {
        assert_eq!(chosen(destination, &candidates), source(candidates[0]).address.addr(), "to {destination}");
    }
}

/// For a home agent at a global address, each rule before the ones after it.
#[test]
fn a_rule_that_decides_leaves_nothing_to_the_rules_after_it() {
    let home_agent = "2001:db8:f::1";
    let worse = ["fe80::2", "fec0::2", "2001:db8:f::2-", "fd00::2~", "2001:db8:f::3", "2001:db8:e::4~", "2001:db8:f::5~"];
    for (number, better) in worse.iter().enumerate().skip(1) {
        for worse in worse.iter().take(number) {
            assert_eq!(chosen(home_agent, &[worse, better]), source(better).address.addr(), "{better} before {worse}");
        }
    }
}

#[test]
fn a_prefix_in_common_counts_no_further_than_the_sources_own_prefix() {
    let near = Source { address: "2001:db8:1::7/48".parse().unwrap(), ..source("2001:db8:1::7") };
    assert_eq!(compare_sources(&near, &source("2001:db8:1::9"), ip("2001:db8:1::1")), Ordering::Greater);
    assert_eq!(compare_sources(&source("2001:db8:1::7"), &source("2001:db8:1::9"), ip("2001:db8:1::8")), Ordering::Equal);
    assert_eq!(chosen("203.0.113.1", &["203.0.113.9", "198.51.100.7"]), ip("203.0.113.9"));
    assert_eq!(chosen("203.0.113.1", &["169.254.1.1", "10.0.0.7"]), ip("10.0.0.7"));
}

/// The destinations in their order, each with the source that section 5 gives it.
fn order(candidates: &[&str], destinations: [&str; 2]) -> Vec<(String, String)> {
    let of_family = |destination: IpAddr| {
        let candidates = candidates.iter().map(|text| source(text));
        let mut alike: Vec<_> = candidates.filter(|one| one.address.addr().is_ipv4() == destination.is_ipv4()).collect();
        alike.sort_by(|one, other| compare_sources(one, other, destination));
        alike.first().copied()
    };
    let sorted = |mut destinations: [IpAddr; 2]| {
        sort_destinations(&mut destinations, |one| *one, |one| Some(of_family(one)?.address.addr()));
        destinations
    };
    let [first, second] = destinations.map(ip);
    let result = sorted([first, second]);
    assert_eq!(result, sorted([second, first]), "the order in which they were named decides nothing");
    result.map(|one| (one.to_string(), of_family(one).unwrap().address.addr().to_string())).into()
}

/// Without those on home addresses and deprecated ones, which this sort knows nothing of, and the one on the longest prefix.
#[test]
fn destinations_are_ordered_as_in_the_examples_of_section_10_2() {
    type Example<'a> = (&'a [&'a str], [&'a str; 2], [&'a str; 2]);
    let examples: [Example<'_>; 6] = [
        (&["2001:db8:1::2", "fe80::1", "169.254.13.78"], ["2001:db8:1::1", "198.51.100.121"], ["2001:db8:1::2", "169.254.13.78"]),
        (&["fe80::1", "198.51.100.117"], ["198.51.100.121", "2001:db8:1::1"], ["198.51.100.117", "fe80::1"]),
        (&["2001:db8:1::2", "fe80::1", "10.1.2.4"], ["2001:db8:1::1", "10.1.2.3"], ["2001:db8:1::2", "10.1.2.4"]),
        (&["2001:db8:1::2", "fe80::2"], ["fe80::1", "2001:db8:1::1"], ["fe80::2", "2001:db8:1::2"]),
        (&["2002:c633:6401::2", "fe80::2"], ["2002:c633:6401::1", "2001:db8:1::1"], ["2002:c633:6401::2"; 2]),
        (
            &["2002:c633:6401::2", "2001:db8:1::2", "fe80::2"],
            ["2001:db8:1::1", "2002:c633:6401::1"],
            ["2001:db8:1::2", "2002:c633:6401::2"],
        ),
    ];
    for (candidates, destinations, sources) in examples {
        let expected = [0, 1].map(|index| (destinations[index].to_owned(), sources[index].to_owned()));
        assert_eq!(order(candidates, destinations), expected, "{candidates:?}");
    }
}

#[test]
fn a_destination_to_which_there_is_no_way_is_last_and_equal_ones_keep_their_order() {
    let mut destinations = ["2001:db8::1", "192.0.2.2", "192.0.2.1"].map(ip);
    sort_destinations(&mut destinations, |one| *one, |one| one.is_ipv4().then(|| ip("198.51.100.7")));
    assert_eq!(destinations, ["192.0.2.2", "192.0.2.1", "2001:db8::1"].map(ip));
}

#[test]
fn ipv4_is_tried_before_a_unique_local_teredo_or_6to4_address_and_after_a_native_one() {
    let precedence = |text| policy(ip(text)).0;
    let falling = ["::1", "2001:db8::1", "192.0.2.1", "2002:c000:201::1", "2001::1", "fd00::1", "fec0::1"];
    assert!(falling.windows(2).all(|pair| precedence(pair[0]) > precedence(pair[1])), "{:?}", falling.map(precedence));
    let labels = ["::1", "2001:db8::1", "2002::1", "::192.0.2.1", "192.0.2.1", "2001::1", "fec0::1", "3ffe::1", "fd00::1"];
    assert_eq!(labels.map(|text| label(ip(text))), [0, 1, 2, 3, 4, 5, 11, 12, 13]);
    assert_eq!(label(ip("::")), 1, "what is not known yet is no IPv4-compatible address");
}
