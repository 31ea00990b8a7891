//! What the mobile node takes and what it rejects.

use super::*;

#[test]
fn a_mobile_node_takes_no_response_under_another_key_or_binding() {
    let (_, init) = start(offer());
    let received = awaiting_init().handle(&init).unwrap();
    let (_, response) = received.respond(other_psk(), Known::Yes, WireProfile::Rfc6618, HAC_RAND);
    assert_eq!(start(offer()).0.handle(&response).err(), Some(Rejection::WrongAuth.into()));

    let received = AwaitingInit::new(WireProfile::Rfc6618, elsewhere().binding).handle(&init).unwrap();
    let (_, response) = received.respond(psk(), Known::Yes, WireProfile::Rfc6618, HAC_RAND);
    assert_eq!(start(offer()).0.handle(&response).err(), Some(Rejection::WrongAuth.into()));
}

#[test]
fn a_response_to_init_that_is_not_right_is_rejected() {
    let (_, init) = start(offer());
    let (_, response) = awaiting_done(&init, Known::Yes);
    let good = lines(&response);
    let psk = psk();
    let keyed = |identifier, lines: &str| sealed(identifier, lines, Key::Psk(&psk), Sender::Controller, &by());
    let with = |from: &str, to: &str| keyed(1, &good.replace(from, to));
    let mn_rand = hex::encode(message::Message::receive(&init).unwrap().mn_rand().unwrap());
    let rows = [
        (vec![0, 1, 0, 0], Rejection::Container),
        ([&[0x40], &response[1..]].concat(), Rejection::Version),
        (keyed(2, &good), Rejection::Identifier),
        (framed(1, &good), Rejection::Missing(Name::Auth)),
        (sealed(1, &good, Key::One, Sender::Controller, &by()), Rejection::WrongAuth),
        (sealed(1, &good, Key::Psk(&psk), Sender::MobileNode, &by()), Rejection::WrongAuth),
        (with(&mn_rand, &"00".repeat(32)), Rejection::WrongNonce),
        (with("hac-rand", "x"), Rejection::Missing(Name::HacRand)),
        (with("auth-method", "x"), Rejection::Missing(Name::AuthMethod)),
        (with(":psk", ":eap"), Rejection::NoCommonMethod),
        (with(":psk", ":psk,eap"), Rejection::Value(Name::AuthMethod)),
        (keyed(1, &(good.clone() + "status-code:200\r\n")), Rejection::PrematureSuccess),
        (keyed(1, &(good.clone() + "status-code:100\r\n")), Rejection::Value(Name::StatusCode)),
        (keyed(1, &(good.clone() + "status-code:404\r\n")), Rejection::Value(Name::StatusCode)),
        (keyed(1, &(good.clone() + "status-code:0401\r\n")), Rejection::Value(Name::StatusCode)),
        (framed(1, "status-code:401\r\n"), Rejection::Missing(Name::Auth)),
        (framed(1, &format!("status-code:401\r\nauth:{}\r\n", "00".repeat(32))), Rejection::WrongAuth),
    ];
    for (octets, rejection) in rows {
        let failure = start(offer()).0.handle(&octets).err();
        assert_eq!(failure, Some(rejection.into()), "{}", String::from_utf8_lossy(&octets));
    }
}

#[test]
fn a_grant_that_is_not_right_is_rejected() {
    let suite = CipherSuite::Aes128CbcSha;
    let good = lines(&authenticated().1.grant(&grant(suite)));
    let psk = psk();
    let keyed = |identifier, lines: &str| sealed(identifier, lines, Key::Psk(&psk), Sender::Controller, &by());
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        keyed(2, &good.replace(from, to))
    };
    let rename = |name: &str| with(&format!("{name}:"), "x:");
    let ikey = hex::encode(grant(suite).sa.mn_to_ha.integrity());
    let reverse_ikey = hex::encode(grant(suite).sa.ha_to_mn.integrity());
    let ekey = hex::encode(grant(suite).sa.mn_to_ha.encryption());
    let no_home = good.replace("mip6-ip6-hoa:", "x:").replace("mip6-ip4-hoa:", "y:");
    let no_agent = good.replace("mip6-haa-ip6:", "x:").replace("mip6-haa-ip4:", "y:");
    let rows = [
        (keyed(1, &good), Rejection::Identifier),
        (framed(2, &good), Rejection::Missing(Name::Auth)),
        (sealed(2, &good, Key::One, Sender::Controller, &by()), Rejection::WrongAuth),
        (with("mip6-spi:19088743", "mip6-spi:19088744x"), Rejection::Value(Name::Spi)),
        (with("mip6-spi:19088743", "mip6-spi:0"), Rejection::Value(Name::Spi)),
        (with("mip6-spi:19088743", "mip6-spi:268435456"), Rejection::Value(Name::Spi)),
        (rename("mip6-spi"), Rejection::Missing(Name::Spi)),
        (rename("status-code"), Rejection::Missing(Name::StatusCode)),
        (with("status-code:200", "status-code:100"), Rejection::Value(Name::StatusCode)),
        (with(&hex::encode(HAC_RAND), &"00".repeat(32)), Rejection::WrongNonce),
        (rename("mn-rand"), Rejection::Missing(Name::MnRand)),
        (rename("mip6-sas"), Rejection::Missing(Name::Sas)),
        (with("mip6-sas:1", "mip6-sas:0"), Rejection::UserDataInTheClear),
        (rename("mip6-ciphersuite"), Rejection::Missing(Name::Ciphersuite)),
        (with("{00,2F}", "{00,3C}"), Rejection::SuiteNotOffered),
        (with("{00,2F}", "{00,2F},{00,9C}"), Rejection::Value(Name::Ciphersuite)),
        (with("{00,2F}", "{00,9C}"), Rejection::Value(Name::MnToHaIkey)),
        (with("{00,2F}", "{00,02}"), Rejection::Value(Name::MnToHaEkey)),
        (rename("mip6-mn-to-ha-ikey"), Rejection::Missing(Name::MnToHaIkey)),
        (rename("mip6-ha-to-mn-ekey"), Rejection::Missing(Name::HaToMnEkey)),
        (with(&ikey, &ikey[2..]), Rejection::Value(Name::MnToHaIkey)),
        (with(&ekey, &(ekey.clone() + "00")), Rejection::Value(Name::MnToHaEkey)),
        (with(&ikey, &reverse_ikey), Rejection::SameKeys),
        (rename("mip6-sa-validity-end"), Rejection::Missing(Name::SaValidityEnd)),
        (with("end:Tue,", "end:Mon,"), Rejection::Value(Name::SaValidityEnd)),
        (with("end:Tue, 22 Sep 2026", "end:Mon, 21 Sep 2026"), Rejection::AlreadyEnded),
        (with("date:Mon", "date:mon"), Rejection::Value(Name::Date)),
        (keyed(2, &no_agent), Rejection::Missing(Name::HaaIp6)),
        (keyed(2, &no_home), Rejection::Missing(Name::Ip6Hoa)),
        (with("ip4:198.51.100.1", "ip4:198.51.100.256"), Rejection::Value(Name::HaaIp4)),
        (with("ip6:2001:db8:f:0", "ip6:ff02:db8:f:0"), Rejection::Value(Name::HaaIp6)),
        (with("ip4-hoa:10.9.0.2", "ip4-hoa:0.0.0.0"), Rejection::Value(Name::Ip4Hoa)),
        (with("mip6-port:7873", "mip6-port:0"), Rejection::Value(Name::Port)),
        (with("mip6-port:7873", "mip6-port:65536"), Rejection::Value(Name::Port)),
        (with("mip6-port:7873", "mip6-port:007873"), Rejection::Value(Name::Port)),
        (with("example.org:443", "example.org:0"), Rejection::Value(Name::Tls)),
        (with("mip6-tls:ha1.example.org", "mip6-tls:192.0.2.1"), Rejection::Value(Name::Tls)),
        (with("/64", "/129"), Rejection::Value(Name::Ip6Hnp)),
        (with("/24", "/33"), Rejection::Value(Name::Ip4Hnp)),
        (with("dns-ip4:10.9.0.1", "dns-ip4:ten"), Rejection::Value(Name::DnsIp4)),
        (with("dns-ip4:", "dns-ip6:"), Rejection::Headers(HeaderError::Repeated(Name::DnsIp6))),
    ];
    for (octets, rejection) in rows {
        let failure = authenticated().0.handle(&octets).err();
        assert_eq!(failure, Some(rejection.into()), "{}", String::from_utf8_lossy(&octets));
    }
}

#[test]
fn a_grant_in_another_legal_form_is_taken() {
    let good = lines(&authenticated().1.grant(&grant(CipherSuite::NullSha)));
    let other_form = good
        .replace("mip6-port:7873\r\n", "")
        .replace("mip6-haa-ip6:2001:db8:f:0:0:0:0:1", "MIP6-HAA-IP6: 2001:DB8:F::1")
        .replace("mip6-ip4-hoa", "x")
        .replace("date", "x-date")
        .replace("mip6-sas:1\r\n", "mip6-sas:1\r\nmip6-mn-to-ha-ekey:\r\n");
    let octets = sealed(2, &other_form, Key::Psk(&psk()), Sender::Controller, &by());
    let got = authenticated().0.handle(&octets).unwrap();
    assert_eq!(got.sa.home_agent.port(), 7872);
    assert_eq!(got.sa.home_agent.ip6(), "2001:db8:f::1".parse::<Ipv6Addr>().ok());
    assert_eq!((got.sa.home.ip4(), got.date), (None, None));
}

#[test]
fn prefixes_of_networks_behind_the_node_are_taken_in_any_form_and_what_is_none_is_refused() {
    let good = lines(&authenticated().1.grant(&grant(CipherSuite::Aes128Gcm)));
    let told = |value: &str| {
        let header = format!("{good}mip6-mobile-network-prefixes:{value}\r\n");
        let octets = sealed(2, &header, Key::Psk(&psk()), Sender::Controller, &by());
        authenticated().0.handle(&octets).map(|grant| grant.sa.prefixes.to_string())
    };
    for (value, prefixes) in [
        ("", ""),
        ("2001:db8:7:0:0:0:0:0/48", "2001:db8:7::/48"),
        ("2001:DB8:8:1::9/64 , 2001:db8:7::/48", "2001:db8:7::/48,2001:db8:8:1::/64"),
    ] {
        assert_eq!(told(value).unwrap(), prefixes, "{value}");
    }
    for value in ["::/0", "10.9.0.0/24", "2001:db8:7::/129", "2001:db8:7::/48,2001:db8:7:1::/64", "fe80::/64", "x"] {
        assert_eq!(told(value).err(), Some(Rejection::Value(Name::MobileNetworkPrefixes).into()), "{value}");
    }
}

#[test]
fn features_are_words_of_one_list_and_those_that_nobody_knows_are_ignored() {
    let good = lines(&authenticated().1.grant(&grant(CipherSuite::Aes128Gcm)));
    let told = |header: &str| {
        let octets = sealed(2, &format!("{good}{header}"), Key::Psk(&psk()), Sender::Controller, &by());
        authenticated().0.handle(&octets).unwrap().sa.features.to_string()
    };
    for (header, features) in [
        ("", ""),
        ("mip6-ha-features:\r\n", ""),
        ("mip6-ha-features:warp, ,=\r\n", ""),
        ("mip6-ha-features:warp , Heartbeat\r\n", "heartbeat"),
        ("mip6-ha-features:heartbeat\r\nMIP6-HA-FEATURES:mcoa\r\n", "mcoa,heartbeat"),
    ] {
        assert_eq!(told(header), features, "{header:?}");
    }
}

#[test]
fn an_offer_in_the_clear_takes_what_the_hac_decides() {
    for decided in [UserData::Clear, UserData::Protected] {
        let (mn, init) = start(Offer { user_data: UserData::Clear, ..offer() });
        let (hac, response) = awaiting_done(&init, Known::Yes);
        let (mn, done) = mn.handle(&response).unwrap();
        let hac = hac.handle(&done).unwrap();
        assert_eq!(hac.user_data(), UserData::Clear);
        let mut given = grant(CipherSuite::Aes128Gcm);
        given.sa.user_data = decided;
        assert_eq!(mn.handle(&hac.grant(&given)).unwrap().sa.user_data, decided);
    }
}

#[test]
fn a_suite_that_was_not_offered_is_not_taken() {
    let (mn, init) = start(Offer { suites: vec![CipherSuite::Aes128Gcm], ..offer() });
    let (_, response) = awaiting_done(&init, Known::Yes);
    let (mn, _) = mn.handle(&response).unwrap();
    let forbidden = authenticated().1.grant(&grant(CipherSuite::NullSha));
    assert_eq!(mn.handle(&forbidden).err(), Some(Rejection::SuiteNotOffered.into()));
}

/// RFC 2451 section 2.3.
#[test]
fn a_3des_key_that_repeats_a_third_is_not_taken() {
    let suite = CipherSuite::TripleDesEdeCbcSha;
    let (mn, init) = start(Offer { suites: vec![suite], ..offer() });
    let (hac, response) = awaiting_done(&init, Known::Yes);
    let (mn, done) = mn.handle(&response).unwrap();
    let mut given = grant(suite);
    let integrity = Secret::new(given.sa.ha_to_mn.integrity().to_vec());
    let repeated = Secret::new((0..24).map(|index| 0x50 + index % 8).collect());
    given.sa.ha_to_mn = DirectionKeys::new(&integrity, &repeated);
    let octets = hac.handle(&done).unwrap().grant(&given);
    assert_eq!(mn.handle(&octets).err(), Some(Rejection::Value(Name::HaToMnEkey).into()));
}

#[test]
fn a_refusal_before_any_key_is_a_hint_and_one_under_the_psk_is_authentic() {
    let retry_after: Option<SystemTime> = Some(UNIX_EPOCH + NOW);
    let (mn, init) = start(offer());
    let refusal = awaiting_init().handle(&init).unwrap().refuse(Status::Unavailable, retry_after);
    assert_eq!((refusal.status, refusal.rejection), (Status::Unavailable, None));
    let expected = Failure::Refused { status: Status::Unavailable, retry_after, authenticated: false };
    assert_eq!(mn.handle(&refusal.octets).err(), Some(expected));

    let (mn, hac) = authenticated();
    let refusal = hac.refuse(Status::Unavailable, retry_after);
    let expected = Failure::Refused { status: Status::Unavailable, retry_after, authenticated: true };
    assert_eq!(mn.handle(&refusal.octets).err(), Some(expected));
}

#[test]
fn a_refusal_without_this_runs_nonces_or_under_the_key_1_is_a_hint_after_done_too() {
    let psk = psk();
    let hint = Failure::Refused { status: Status::NotAuthenticated, retry_after: None, authenticated: false };
    for key in [Key::Psk(&psk), Key::One] {
        let octets = sealed(2, "status-code:401\r\nretry-after:soon\r\n", key, Sender::Controller, &by());
        assert_eq!(authenticated().0.handle(&octets).err(), Some(hint));
    }
}
