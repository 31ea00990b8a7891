//! What goes out comes in as it was; what does not fit is refused by name.

use super::*;

fn provisioned(suite: CipherSuite) -> Provisioned {
    let home_agent = HomeAgentAddresses::new(None, Some([198, 51, 100, 1].into()), 7872).unwrap();
    let sa = SecurityAssociation { home_agent, ..fixture::association(Spi::new(0x00a_b123).unwrap(), suite) };
    Provisioned { sa, left: Duration::from_secs(86_400), lease: 2 }
}

#[test]
fn an_sa_of_each_suite_comes_out_as_it_went_in() {
    for suite in CipherSuite::ALL {
        let before = provisioned(suite);
        let after = sa_from_proto(sa_to_proto(&before)).unwrap();
        assert_eq!((after.sa.spi, after.sa.suite), (before.sa.spi, suite));
        assert_eq!((&after.sa.mn_to_ha, &after.sa.ha_to_mn), (&before.sa.mn_to_ha, &before.sa.ha_to_mn));
        assert_eq!((after.sa.home, after.sa.home_agent), (before.sa.home, before.sa.home_agent));
        assert_eq!((after.left, after.lease), (before.left, 2));
    }
}

#[test]
fn each_profile_with_either_kind_of_user_data_comes_out_as_it_went_in() {
    for profile in WireProfile::ALL {
        for user_data in UserData::ALL {
            let mut before = provisioned(CipherSuite::NullSha);
            (before.sa.profile, before.sa.user_data) = (profile, user_data);
            let after = sa_from_proto(sa_to_proto(&before)).unwrap();
            assert_eq!((after.sa.profile, after.sa.user_data), (profile, user_data));
        }
    }
}

#[test]
fn an_sa_with_a_home_address_of_one_family_comes_out_as_it_went_in() {
    for (ip6, ip4) in [("2001:db8:100::5".parse().ok(), None), (None, "10.9.0.5".parse().ok())] {
        let mut before = provisioned(CipherSuite::Aes128Gcm);
        before.sa.home = HomeAddresses::new(ip6, ip4).unwrap();
        let after = sa_from_proto(sa_to_proto(&before)).unwrap();
        assert_eq!((after.sa.home.ip6(), after.sa.home.ip4()), (ip6, ip4));
    }
}

#[test]
fn an_sa_of_a_mobile_router_comes_out_as_it_went_in() {
    for prefixes in ["", "2001:db8:1::/64", "2001:db8:1::/64,2001:db8:2::/48"] {
        let mut before = provisioned(CipherSuite::Aes128Gcm);
        before.sa.prefixes = prefixes.parse().unwrap();
        let after = sa_from_proto(sa_to_proto(&before)).unwrap();
        assert_eq!(after.sa.prefixes.to_string(), prefixes);
    }
}

#[test]
fn a_message_with_a_wrong_length_or_number_is_refused_by_name() {
    type Spoil = fn(&mut proto::SecurityAssociation);
    let cases: [(Spoil, &str); 13] = [
        (|m| m.spi = 0, "0x0 is not an SPI"),
        (|m| m.suite = "{00,35}".to_owned(), "suite \"{00,35}\" is not in this build"),
        (|m| m.user_data = 0, "user_data 0 is neither"),
        (|m| m.profile = 0, "profile 0 is neither"),
        (|m| m.profile = 3, "profile 3 is neither"),
        (|m| m.ha_to_mn_encryption.truncate(15), "ha_to_mn_encryption has 15 octets; AES_128_CBC_SHA needs 16"),
        (|m| m.mn_to_ha_integrity.push(0), "mn_to_ha_integrity has 21 octets"),
        (|m| m.home_ip6.truncate(15), "home_ip6 has 15 octets instead of 16 or none"),
        (|m| (m.home_ip6, m.home_ip4) = (vec![], vec![]), "has no home address"),
        (|m| m.home_agent_port = 65_536, "no port"),
        (|m| m.mobile_network_prefixes.push("10.9.0.0/24".to_owned()), "mobile_network_prefixes: it is no IPv6 prefix"),
        (|m| m.mobile_network_prefixes = vec!["2001:db8:1::/64".to_owned(); 9], "2001:db8:1::/64 overlap"),
        (|m| m.seconds_left = u64::MAX, "more than a year"),
    ];
    for (spoil, complaint) in cases {
        let mut message = sa_to_proto(&provisioned(CipherSuite::Aes128CbcSha));
        spoil(&mut message);
        let error = sa_from_proto(message).unwrap_err().to_string();
        assert!(error.contains(complaint), "{error}");
    }
}

#[test]
fn a_message_with_keys_prints_none_of_them() {
    let provisioned = provisioned(CipherSuite::Aes128CbcSha);
    let printed = format!("{:?}", snapshot_to_proto(7, std::slice::from_ref(&provisioned), true));
    assert!(printed.contains("{00,2F}"), "{printed}");
    for keys in [&provisioned.sa.mn_to_ha, &provisioned.sa.ha_to_mn] {
        for key in [keys.integrity(), keys.encryption()] {
            let octets = format!("{:?}", &key[..3]);
            assert!(!printed.contains(octets.trim_matches(['[', ']'])), "{octets} in {printed}");
        }
    }
}

#[test]
fn a_first_message_that_is_no_greeting_is_refused() {
    assert!(matches!(hello_from_proto(from_ha_to_proto(FromHa::Acknowledge(1))), Err(MessageError::Missing(_))));
    assert!(matches!(welcome_from_proto(snapshot_to_proto(1, &[], true)), Err(MessageError::Missing(_))));
    for features in [Features::NONE, Features::MCOA.or(Features::HEARTBEAT)] {
        let hello = Hello { instance: [7; 16], known_revision: 9, features };
        assert_eq!(hello_from_proto(hello_to_proto(&hello)), Ok(hello));
    }
}

#[test]
fn a_look_up_its_answer_and_spi_blocks_come_out_as_they_went_in() {
    let spi = Spi::new(0x00a_b123).unwrap();
    for message in [FromHa::LookUp(spi), FromHa::Acknowledge(7)] {
        assert_eq!(from_ha_from_proto(from_ha_to_proto(message.clone())), Ok(message));
    }
    let come_back = |message| from_proto(to_proto(&message)).unwrap();
    let FromHac::Answer(Answer::Found(found)) =
        come_back(FromHac::Answer(Answer::Found(Box::new(provisioned(CipherSuite::Aes128Gcm)))))
    else {
        panic!("another message")
    };
    assert_eq!((found.sa.spi, found.lease), (spi, 2));
    assert!(matches!(come_back(FromHac::Answer(Answer::NotFound(spi))), FromHac::Answer(Answer::NotFound(same)) if same == spi));
    let all: SpiBlocks = HaGroup::new(63).unwrap().blocks().collect();
    assert!(matches!(come_back(FromHac::SpiBlocks(all.clone())), FromHac::SpiBlocks(same) if same == all));
}

#[test]
fn spi_blocks_that_no_group_can_have_are_refused() {
    let refused = |blocks| blocks_from_proto(&proto::SpiBlocks { blocks }).unwrap_err();
    assert_eq!(refused(vec![1; 1025]), MessageError::TooManyBlocks(1025));
    assert_eq!((refused(vec![0]), refused(vec![1 << 16])), (MessageError::Block(0), MessageError::Block(1 << 16)));
    assert_eq!(
        from_ha_from_proto(proto::HaMessage { message: None }),
        Err(MessageError::Missing("an acknowledgement, a look-up, a registration or a report"))
    );
}

#[test]
fn what_nodes_have_registered_under_comes_out_as_it_went_in_and_the_most_in_one_message_fits_into_what_the_hac_takes() {
    let highest = (0..REGISTERED_PART as u32).map(|below| Spi::new(0x0fff_ffff - below).unwrap());
    for spis in [Vec::new(), vec![Spi::new(1).unwrap()], highest.collect()] {
        let message = from_ha_to_proto(FromHa::Registered(spis.clone()));
        assert!(prost::Message::encoded_len(&message) <= 4 << 10);
        assert_eq!(from_ha_from_proto(message), Ok(FromHa::Registered(spis)));
    }
}

#[test]
fn a_registration_under_no_spi_or_under_too_many_is_refused() {
    let refused = |spis| registered_from_proto(&proto::Registered { spis }).unwrap_err();
    assert_eq!(refused(vec![1; REGISTERED_PART + 1]), MessageError::TooManyRegistered(REGISTERED_PART + 1));
    assert_eq!((refused(vec![1, 0]), refused(vec![1 << 28])), (MessageError::Spi(0), MessageError::Spi(1 << 28)));
}

#[test]
fn a_wish_for_a_new_sa_comes_out_as_it_went_in_is_not_acknowledged_and_names_an_spi() {
    let spi = Spi::new(0x00a_b123).unwrap();
    let message = from_proto(to_proto(&FromHac::Renew(spi))).unwrap();
    assert!(matches!(message, FromHac::Renew(same) if same == spi));
    assert_eq!(message.acknowledged_as(), None);
    let of_nothing = proto::hac_message::Message::Renew(proto::Renew { spi: 0 });
    let refused = from_proto(proto::HacMessage { message: Some(of_nothing) }).unwrap_err();
    assert_eq!(refused, MessageError::Spi(0));
}

#[test]
fn a_welcome_comes_out_as_it_went_in_with_and_without_an_interval_for_reports() {
    for usage_interval in [None, Some(Duration::from_secs(600))] {
        let welcome = Welcome {
            group: HaGroup::new(3).unwrap(),
            pools: vec!["2001:db8:100::/64".parse().unwrap()],
            own_addresses: vec!["2001:db8:100::1".parse().unwrap()],
            spi_blocks: HaGroup::new(3).unwrap().blocks().take(2).collect(),
            usage_interval,
        };
        assert_eq!(welcome_from_proto(welcome_to_proto(&welcome)), Ok(welcome));
    }
}
