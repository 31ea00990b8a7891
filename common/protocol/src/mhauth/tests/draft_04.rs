//! The same exchange in profile `draft-04`: other values of `auth`, fewer headers, and what stops reflection there.

use super::*;

fn draft() -> Authenticator {
    Authenticator { profile: WireProfile::Draft04, ..by() }
}

fn draft_offer() -> Offer {
    Offer { profile: WireProfile::Draft04, ..offer() }
}

/// A grant of the draft's profile; of everything that the draft has no header for it has something.
pub(super) fn grant(suite: CipherSuite, user_data: UserData) -> Grant {
    let mut given = super::grant(suite);
    let agent = given.sa.home_agent;
    given.sa.profile = WireProfile::Draft04;
    given.sa.user_data = user_data;
    given.sa.home_agent = HomeAgentAddresses::new(agent.ip6(), agent.ip4(), DEFAULT_PORT).unwrap();
    given
}

/// What is left of it for the mobile node.
fn as_told(mut given: Grant) -> Grant {
    (given.date, given.home_prefix4, given.dns, given.fallback) = (None, None, Vec::new(), None);
    given
}

/// The HAC, whose default profile is the RFC's, after the Init of a subscriber of the draft's.
fn awaiting_done(init: &[u8], known: Known) -> (AwaitingDone, Vec<u8>) {
    awaiting_init().handle(init).unwrap().respond(psk(), known, WireProfile::Draft04, HAC_RAND)
}

/// The same message under another Identifier, which `auth` does not cover.
fn numbered(octets: &[u8], identifier: u8) -> Vec<u8> {
    let mut octets = octets.to_vec();
    octets[1] = identifier;
    octets
}

#[test]
fn a_mobile_node_and_its_hac_agree_in_the_drafts_profile() {
    for suite in CipherSuite::ALL {
        let user_data = if suite.encrypts() { UserData::Protected } else { UserData::Clear };
        let (mn, hac) = authenticated_with(Offer { user_data, suites: vec![suite], ..draft_offer() });
        let given = grant(suite, user_data);
        assert_same(&mn.handle(&hac.grant(&given)).unwrap(), &as_told(given));
    }
}

#[test]
fn each_message_is_keyed_without_a_label() {
    let (mn, init) = start(draft_offer());
    let (hac, response) = awaiting_done(&init, Known::Yes);
    let (_, done) = mn.handle(&response).unwrap();
    let last = hac.handle(&done).unwrap().grant(&grant(CipherSuite::Aes128CbcSha, UserData::Protected));
    for octets in [response, done, last] {
        let message = message::Message::receive(&octets).unwrap();
        for (sender, by, expected) in [
            (Sender::MobileNode, draft(), true),
            (Sender::Controller, draft(), true),
            (Sender::MobileNode, by(), false),
            (Sender::Controller, by(), false),
        ] {
            assert_eq!(message.is_keyed_with(Key::Psk(&psk()), sender, &by), Ok(expected), "{}", content(&octets));
        }
    }
}

#[test]
fn a_grant_of_the_draft_has_none_of_the_headers_that_came_later() {
    let mut told = grant(CipherSuite::Aes128CbcSha, UserData::Protected);
    told.sa.features = Features::HEARTBEAT;
    told.sa.prefixes = "2001:db8:1::/64".parse().unwrap();
    let last = lines(&authenticated_with(draft_offer()).1.grant(&told));
    let later =
        ["mip6-port:", "mip6-ip4-hnp:", "dns-ip6:", "dns-ip4:", "mip6-ha-features:", "mip6-mobile-", "date:", "mip6-tls:"];
    for later in later {
        assert!(!last.contains(later), "{last}");
    }
    for there in ["mip6-haa-ip6:", "mip6-haa-ip4:", "mip6-ip6-hoa:", "mip6-ip4-hoa:", "mip6-ip6-hnp:", "mip6-sa-validity-end:"] {
        assert!(last.contains(there), "{last}");
    }
}

#[test]
fn a_mobile_node_of_the_draft_ignores_headers_that_came_later_whatever_they_hold() {
    let told = grant(CipherSuite::Aes128CbcSha, UserData::Protected);
    let good = lines(&authenticated_with(draft_offer()).1.grant(&told));
    for added in [
        "mip6-port:9999\r\nmip6-ip4-hnp:10.9.0.0/24\r\ndns-ip6:2001:db8::1\r\ndns-ip4:10.9.0.1\r\ndate:Mon, 21 Sep 2026 14:13:20 GMT\r\n",
        "mip6-port:0\r\nmip6-ip4-hnp:ten\r\ndns-ip6:\r\ndns-ip4:x\r\ndate:yesterday\r\nmip6-tls:nowhere\r\n",
        "mip6-ha-features:mcoa,heartbeat\r\n",
        "mip6-mobile-network-prefixes:2001:db8:1::/64\r\n",
        "mip6-mobile-network-prefixes:everywhere\r\n",
        "date:Fri, 25 Dec 2026 00:00:00 GMT\r\n",
    ] {
        let octets = sealed(2, &(good.clone() + added), Key::Psk(&psk()), Sender::Controller, &draft());
        assert_same(&authenticated_with(draft_offer()).0.handle(&octets).unwrap(), &as_told(told.clone()));
    }
}

#[test]
fn ends_of_two_profiles_do_not_take_each_others_messages() {
    let (mn, init) = start(offer());
    let (_, response) = awaiting_done(&init, Known::Yes);
    assert_eq!(mn.handle(&response).err(), Some(Rejection::WrongAuth.into()));

    let (mn, init) = start(draft_offer());
    let (hac, response) = super::awaiting_done(&init, Known::Yes);
    assert_eq!(mn.handle(&response).err(), Some(Rejection::WrongAuth.into()));
    let (_, done) = start(draft_offer()).0.handle(&awaiting_done(&init, Known::Yes).1).unwrap();
    assert_eq!(hac.handle(&done).err().unwrap().rejection, Some(Rejection::WrongAuth));
}

#[test]
fn the_hacs_own_response_sent_back_is_400_in_both_profiles_and_for_every_name() {
    for profile in WireProfile::ALL {
        let mut answers = Vec::new();
        for known in [Known::Yes, Known::No] {
            let (_, init) = start(Offer { profile, ..offer() });
            let received = awaiting_init().handle(&init).unwrap();
            let (hac, response) = received.respond(psk(), known, profile, HAC_RAND);
            let refusal = hac.handle(&numbered(&response, 2)).err().unwrap();
            assert_eq!(
                (refusal.rejection, refusal.status),
                (Some(Rejection::Missing(Name::Sas)), Status::Malformed),
                "{profile}"
            );
            answers.push(refusal.octets);
        }
        assert_eq!(answers[0], answers[1], "{profile}");
    }
}

#[test]
fn a_mobile_nodes_own_done_sent_back_is_no_final_response() {
    for profile in WireProfile::ALL {
        let (mn, init) = start(Offer { profile, ..offer() });
        let (_, response) = awaiting_init().handle(&init).unwrap().respond(psk(), Known::Yes, profile, HAC_RAND);
        let (mn, done) = mn.handle(&response).unwrap();
        assert_eq!(mn.handle(&done).err(), Some(Rejection::Missing(Name::StatusCode).into()), "{profile}");
    }
}

#[test]
fn the_first_response_sent_again_is_no_final_response() {
    let (mn, init) = start(draft_offer());
    let (_, response) = awaiting_done(&init, Known::Yes);
    let (mn, _) = mn.handle(&response).unwrap();
    assert_eq!(mn.handle(&numbered(&response, 2)).err(), Some(Rejection::Missing(Name::StatusCode).into()));
}

#[test]
fn an_unknown_name_ends_in_401_behind_a_done_that_is_right_in_everything() {
    let (mn, init) = start(draft_offer());
    let (hac, response) = awaiting_done(&init, Known::No);
    let (_, done) = mn.handle(&response).unwrap();
    let refusal = hac.handle(&done).err().unwrap();
    assert_eq!((refusal.rejection, refusal.status), (Some(Rejection::UnknownName), Status::NotAuthenticated));
}

#[test]
fn a_refusal_before_the_name_is_looked_at_reaches_a_mobile_node_of_either_profile_as_a_hint() {
    for default in WireProfile::ALL {
        for own in WireProfile::ALL {
            let (mn, init) = start(Offer { profile: own, ..offer() });
            let received = AwaitingInit::new(default, binding()).handle(&init).unwrap();
            let refusal = received.refuse(Status::Unavailable, None);
            let expected = Failure::Refused { status: Status::Unavailable, retry_after: None, authenticated: false };
            assert_eq!(mn.handle(&refusal.octets).err(), Some(expected), "a node of {own} at a HAC of {default}");
        }
    }
}

#[test]
fn a_malformed_init_is_refused_in_the_hacs_default_profile() {
    for profile in WireProfile::ALL {
        let refusal = AwaitingInit::new(profile, binding()).handle(&framed(1, "mn-id:\r\n")).err().unwrap();
        let message = message::Message::receive(&refusal.octets).unwrap();
        for checked in WireProfile::ALL {
            let by = Authenticator { profile: checked, ..by() };
            assert_eq!(message.is_keyed_with(Key::One, Sender::Controller, &by), Ok(checked == profile));
        }
    }
}

#[test]
fn a_null_suite_is_taken_under_the_draft_only_where_user_data_goes_in_the_clear() {
    let suite = CipherSuite::NullSha;
    let answer = |offered: UserData, granted: UserData| {
        let (mn, hac) = authenticated_with(Offer { user_data: offered, ..draft_offer() });
        mn.handle(&hac.grant(&grant(suite, granted))).map(|grant| grant.sa.user_data)
    };
    assert_eq!(answer(UserData::Clear, UserData::Clear), Ok(UserData::Clear));
    for offered in UserData::ALL {
        assert_eq!(answer(offered, UserData::Protected), Err(Rejection::UnnumberedUserData.into()), "{offered}");
    }
    assert_eq!(answer(UserData::Protected, UserData::Clear), Err(Rejection::UserDataInTheClear.into()));
}
