use super::*;

/// RFC 6052 section 2.4, with 192.0.2.33.
const EXAMPLES: [(&str, u8, &str); 6] = [
    ("2001:db8::", 32, "2001:db8:c000:221::"),
    ("2001:db8:100::", 40, "2001:db8:1c0:2:21::"),
    ("2001:db8:122::", 48, "2001:db8:122:c000:2:2100::"),
    ("2001:db8:122:300::", 56, "2001:db8:122:3c0:0:221::"),
    ("2001:db8:122:344::", 64, "2001:db8:122:344:c0:2:2100::"),
    ("2001:db8:122:344::", 96, "2001:db8:122:344::192.0.2.33"),
];

fn ip6(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

fn prefix(text: &str, length: u8) -> Nat64Prefix {
    Nat64Prefix::new(ip6(text), length).unwrap()
}

#[test]
fn ipv4_addresses_stand_where_rfc_6052_puts_them_and_are_found_there() {
    let ip4 = [192, 0, 2, 33].into();
    for (text, length, expected) in EXAMPLES {
        let prefix = prefix(text, length);
        assert_eq!(prefix.embed(ip4), Some(ip6(expected)), "/{length}");
        assert_eq!(prefix.embedded_in(ip6(expected)), Some(ip4), "/{length}");
        assert_eq!(prefix.embedded_in(ip6("2001:db9::1")), None, "/{length}");
        assert_eq!(prefix.to_string(), format!("{text}/{length}"));
    }
}

#[test]
fn a_prefix_is_what_stands_before_either_of_the_known_addresses() {
    for (text, length, _) in EXAMPLES {
        for known in IPV4_ONLY_ADDRESSES {
            let answer = prefix(text, length).embed(known).unwrap();
            assert_eq!(Nat64Prefix::of_answer(&[answer]), [prefix(text, length)], "{answer}");
        }
    }
}

/// A translator of everybody's prefix has those two alone of their network, which is not global, and RFC 7050 uses them with it.
#[test]
fn everybodys_prefix_is_read_from_an_answer_and_stands_for_global_addresses_alone() {
    let found = Nat64Prefix::of_answer(&[ip6("64:ff9b::c000:aa"), ip6("64:ff9b::c000:ab")]);
    let [everybodys] = found[..] else { panic!("{found:?}") };
    assert_eq!(everybodys.embed([8, 8, 8, 8].into()), Some(ip6("64:ff9b::808:808")));
    for not_global in ["10.0.0.1", "192.168.1.1", "127.0.0.1", "169.254.0.1", "203.0.113.2", "224.0.0.1", "255.255.255.255"] {
        assert_eq!(everybodys.embed(not_global.parse().unwrap()), None, "{not_global}");
        assert!(prefix("64:ff9b:1::", 96).embed(not_global.parse().unwrap()).is_some(), "an operator's own may");
    }
}

#[test]
fn several_prefixes_are_kept_in_the_order_of_the_answer_each_once() {
    let (first, second) = (prefix("2001:db8:64::", 96), prefix("2001:db8:65::", 64));
    let answer = [first, second].into_iter().flat_map(|prefix| IPV4_ONLY_ADDRESSES.map(|known| prefix.embed(known).unwrap()));
    assert_eq!(Nat64Prefix::of_answer(&answer.collect::<Vec<_>>()), [first, second]);
}

/// RFC 7050 section 3.
#[test]
fn a_prefix_that_holds_a_known_address_is_read_where_both_are_answered_and_not_guessed_elsewhere() {
    let strange = prefix("2001:db8:c000:aa::", 96);
    let answers = IPV4_ONLY_ADDRESSES.map(|known| strange.embed(known).unwrap());
    assert_eq!(Nat64Prefix::of_answer(&answers), [strange]);
    assert_eq!(Nat64Prefix::of_answer(&answers[..1]), []);
    assert_eq!(Nat64Prefix::of_answer(&answers[1..]), []);
}

#[test]
fn an_answer_without_a_known_address_in_its_place_names_no_prefix() {
    let answers =
        ["2001:db8::1", "::ffff:192.0.0.170", "::192.0.0.170", "fe80::192.0.0.170", "ff0e::192.0.0.170", "2001:db8::c000:aa:0"];
    assert_eq!(Nat64Prefix::of_answer(&answers.map(ip6)), []);
    assert_eq!(Nat64Prefix::of_answer(&[]), []);
}

#[test]
fn what_cannot_be_a_prefix_is_none() {
    for (text, length) in
        [("2001:db8::", 72), ("2001:db8::", 128), ("::ffff:0:0", 96), ("::", 96), ("fe80::", 64), ("ff00::", 32)]
    {
        assert_eq!(Nat64Prefix::new(ip6(text), length), None, "{text}/{length}");
    }
    assert_eq!(Nat64Prefix::new(ip6("2001:db8::100:0:0:0"), 96), None, "the skipped octet is not zero");
    assert_eq!(Nat64Prefix::new(ip6("2001:db8::1"), 64), Some(prefix("2001:db8::", 64)), "what stands behind is not looked at");
}
