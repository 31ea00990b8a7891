use proptest::prelude::*;

use super::*;

fn list(value: &str) -> Result<Vec<CipherSuite>, ValueError> {
    let mut known = Vec::new();
    suites(value.as_bytes(), &mut known).map(|()| known)
}

#[test]
fn a_suite_list_is_read_in_the_order_sent_and_unknown_codes_are_skipped() {
    use CipherSuite::{Aes128CbcSha, Aes128Gcm};
    assert_eq!(list("{00,2F},{00,9C}"), Ok(vec![Aes128CbcSha, Aes128Gcm]));
    assert_eq!(list("{00,2f} ,\t{ 00 , 9c }"), Ok(vec![Aes128CbcSha, Aes128Gcm]));
    assert_eq!(list("{ff,FF},{00,9C},{00,9c}"), Ok(vec![Aes128Gcm]));
    assert_eq!(list("{13,01}"), Ok(vec![]));
}

#[test]
fn a_suite_list_that_is_empty_or_malformed_is_refused() {
    for value in [
        "",
        "{}",
        "{00,2F},",
        ",{00,2F}",
        "{00,2F}{00,9C}",
        "{00,2F},,{00,9C}",
        "{00,2F",
        "00,2F",
        "{002F}",
        "{00,2G}",
        "{0,2F}",
        "{000,2F}",
        "{00,2F}x",
        "{00;2F}",
        "{00,9C},{00,2",
        "{00,9C} {00,2F}",
        "{0 0,2F}",
    ] {
        assert_eq!(list(value), Err(ValueError), "{value:?}");
    }
    assert_eq!(suite(b"{00,2F},{00,9C}"), Err(ValueError));
    assert_eq!(suite(b"{00,2f}"), Ok(Some(CipherSuite::Aes128CbcSha)));
    assert_eq!(suite(b"{00,35}"), Ok(None));
}

#[test]
fn a_date_has_one_form() {
    let time = UNIX_EPOCH + Duration::from_secs(784_111_777);
    assert_eq!(date(b"Sun, 06 Nov 1994 08:49:37 GMT"), Ok(time));
    assert_eq!(rfc1123(time + Duration::from_millis(999)).to_string(), "Sun, 06 Nov 1994 08:49:37 GMT");
    for value in [
        "",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Mon, 06 Nov 1994 08:49:37 GMT",
        "sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "784111777",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Fri, 31 Apr 2026 08:49:37 GMT",
        "Wed, 31 Dec 1969 23:59:59 GMT",
    ] {
        assert_eq!(date(value.as_bytes()), Err(ValueError), "{value:?}");
    }
}

#[test]
fn a_time_beyond_the_form_is_written_as_the_nearest_in_it() {
    assert_eq!(rfc1123(UNIX_EPOCH - Duration::from_secs(1)).to_string(), "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_eq!(rfc1123(UNIX_EPOCH + Duration::from_secs(1 << 40)).to_string(), "Fri, 31 Dec 9999 23:59:59 GMT");
}

#[test]
fn numbers_are_bounded_decimal() {
    assert_eq!(decimal(b"007872", 6), Ok(7872));
    assert_eq!(decimal(b"4294967295", 11), Ok(u32::MAX));
    for value in ["", "+1", "-1", "1 ", "0x10", "4294967296", "000000000001", "\u{661}"] {
        assert_eq!(decimal(value.as_bytes(), 11), Err(ValueError), "{value:?}");
    }
}

#[test]
fn addresses_are_read_in_their_forms_and_no_other() {
    assert_eq!(ip6(b"2001:DB8:0:0:0:0:0:1"), ip6(b"2001:db8::1"));
    assert_eq!(ip6(b"::ffff:192.0.2.1").map(|ip| eight_groups(ip).to_string()), Ok("0:0:0:0:0:ffff:c000:201".to_owned()));
    assert_eq!(ip4(b"192.000.002.001"), Ok(Ipv4Addr::new(192, 0, 2, 1)));
    for value in ["", "1", "2001:db8::1%eth0", "[::1]", "192.0.2.1", "2001:db8::1/64", "1:2:3:4:5:6:7:8:9"] {
        assert_eq!(ip6(value.as_bytes()), Err(ValueError), "{value:?}");
    }
    for value in ["", "192.0.2", "192.0.2.256", "192.0.2.1.1", "192.0..1", "192.0.2.0001", "192.0.2.1 ", "0x7f.0.0.1", "::1"] {
        assert_eq!(ip4(value.as_bytes()), Err(ValueError), "{value:?}");
    }
}

#[test]
fn prefixes_have_a_length_of_their_family() {
    assert_eq!(prefix6(b"2001:db8:100:0:0:0:0:0/64"), Ok("2001:db8:100::/64".parse().unwrap()));
    assert_eq!(prefix6(b"2001:db8::/128").map(|prefix| prefix.prefix_len()), Ok(128));
    assert_eq!(prefix4(b"10.9.0.0/24"), Ok("10.9.0.0/24".parse().unwrap()));
    for value in ["2001:db8::", "2001:db8::/", "2001:db8::/129", "2001:db8::/0064", "2001:db8::/64/64", "/64", "2001:db8::/-1"] {
        assert_eq!(prefix6(value.as_bytes()), Err(ValueError), "{value:?}");
    }
    for value in ["10.9.0.0/33", "10.9.0.0", "10.9.0/24", "10.9.0.0/+8"] {
        assert_eq!(prefix4(value.as_bytes()), Err(ValueError), "{value:?}");
    }
}

#[test]
fn hexadecimal_is_read_in_either_case_and_whole_octets() {
    assert_eq!(hex_array::<2>(b"aBc0"), Ok([0xab, 0xc0]));
    assert_eq!(hex_secret(b"").unwrap().len(), 0);
    for value in ["abc", "abcdef", "ab", "a c0", "0xab"] {
        assert_eq!(hex_array::<2>(value.as_bytes()), Err(ValueError), "{value:?}");
    }
    assert!(hex_secret(b"abc").is_err() && hex_secret(b"zz").is_err());
}

proptest! {
    #[test]
    fn an_ipv6_address_survives_its_eight_groups(bits in any::<u128>()) {
        let address = Ipv6Addr::from(bits);
        let text = eight_groups(address).to_string();
        prop_assert_eq!(text.split(':').count(), 8);
        prop_assert_eq!(ip6(text.as_bytes()), Ok(address));
    }

    #[test]
    fn a_date_survives_to_the_second(secs in 0u64..253_402_300_800) {
        let time = UNIX_EPOCH + Duration::from_secs(secs);
        prop_assert_eq!(date(rfc1123(time).to_string().as_bytes()), Ok(time));
    }

    #[test]
    fn no_octets_make_a_reader_panic(value in proptest::collection::vec(any::<u8>(), 0..40)) {
        let _ = (date(&value), ip6(&value), ip4(&value), prefix6(&value), prefix4(&value), suite(&value));
        let _ = (suites(&value, &mut Vec::new()), decimal(&value, 5), hex_secret(&value));
    }
}
