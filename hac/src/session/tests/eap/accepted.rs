//! Whom a AAA server has authenticated, and for how long.

use super::*;

#[test]
fn a_subscriber_whom_nobody_recorded_is_recorded_once_and_keeps_his_home_addresses() {
    let mut world = world(EapServer::Radius);
    let first = world.accepted("bob@example.org", accept(Some("bob@example.org"))).granted();
    let second = world.accepted("anonymous@example.org", accept(Some("bob@EXAMPLE.org"))).granted();
    assert_eq!(world.names(), [NAI, "bob@example.org"]);
    assert_eq!((first.sa.home, first.sa.home == second.sa.home), (second.sa.home, true));
    assert_ne!(first.sa.spi, second.sa.spi);
    let other = world.accepted("carl@example.org", accept(Some("carl@example.org"))).granted();
    assert_ne!(other.sa.home, first.sa.home);
}

#[test]
fn the_subscriber_is_user_name_and_without_it_the_identity_that_was_asked_with() {
    let rows = [
        (NAI, Some(NAI), true),
        (NAI, None, true),
        ("anonymous@example.org", Some(NAI), true),
        ("@example.org", Some(NAI), true),
        (NAI, Some("bob@example.org"), false),
        (NAI, Some("alice@example.net"), false),
        (NAI, Some("alice"), false),
        ("anonymous@example.org", Some("alice@example.net"), false),
        ("anonymous@example.org", Some("ali ce@example.org"), false),
    ];
    for (mn_id, user_name, is_granted) in rows {
        let mut world = world(EapServer::Radius);
        let run = world.accepted(mn_id, accept(user_name));
        if is_granted {
            run.granted();
        } else {
            let (status, lines, failure) = run.closed();
            assert_eq!((status, failure), (Status::NotAuthenticated, Failure::Eap(EapError::Failure)), "{mn_id} {user_name:?}");
            assert_eq!(lines, "eap-payload:04640004\r\nstatus-code:401\r\n");
        }
        assert_eq!(world.names(), [NAI], "{mn_id} {user_name:?}");
    }
}

/// Outside of TLS a node may give any name: without User-Name whoever has a password of the realm would be alice.
#[test]
fn without_user_name_the_identity_outside_of_tls_is_nobodys() {
    for (user_name, is_granted) in [(None, false), (Some(NAI), true)] {
        let mut world = world(EapServer::Radius);
        let mut aaa = Aaa { kind: Type::TTLS, ..Aaa::saying(Ok(Answer::Accept(accept(user_name)))) };
        let (run, lines) = fixture::logged(|| world.eap_with(offer(NAI, Box::new(NodesEnd(Type::TTLS))), &mut aaa));
        if is_granted {
            run.granted();
        } else {
            assert_eq!(run.closed().0, Status::NotAuthenticated);
            assert!(lines.iter().any(|line| line.contains("WARN") && line.contains("User-Name")), "{lines:?}");
        }
    }
}

/// Everybody of the realm would be this one, with his home addresses.
#[test]
fn who_was_authenticated_under_the_anonymous_name_alone_is_nobody_and_the_log_says_what_to_do() {
    for mn_id in ["anonymous@example.org", "@example.org", "anonymous"] {
        for user_name in [None, Some(mn_id)] {
            let mut world = world(EapServer::Radius);
            let (run, lines) = fixture::logged(|| world.accepted(mn_id, accept(user_name)));
            assert_eq!(run.closed().0, Status::NotAuthenticated, "{mn_id} {user_name:?}");
            assert_eq!(world.names(), [NAI]);
            assert!(lines.iter().any(|line| line.contains("WARN") && line.contains("User-Name")), "{lines:?}");
        }
    }
}

#[test]
fn one_who_is_disabled_here_is_401_whatever_the_aaa_server_says() {
    let mut world = world(EapServer::Radius);
    world.store.set_enabled(NAI, false, world.wall).unwrap();
    let (status, _, failure) = world.accepted(NAI, accept(Some(NAI))).closed();
    assert_eq!((status, failure), (Status::NotAuthenticated, Failure::Eap(EapError::Failure)));
}

#[test]
fn the_aaa_server_is_asked_with_the_identity_that_the_node_gave_in_every_question() {
    let mut aaa = Aaa::saying(Ok(Answer::Accept(accept(Some(NAI)))));
    world(EapServer::Radius).eap_with(scripted("anonymous@example.org"), &mut aaa).granted();
    assert_eq!(aaa.user_names, [b"anonymous@example.org"; 2]);
}

#[test]
fn a_session_timeout_below_the_policys_lifetime_ends_the_association_and_a_longer_one_does_not_prolong_it() {
    let day = Duration::from_secs(86_400);
    for (timeout, expected) in [
        (None, day),
        (Some(Duration::from_secs(3600)), Duration::from_secs(3600)),
        (Some(day), day),
        (Some(day * 7), day),
        (Some(Duration::from_secs(u64::from(u32::MAX))), day),
    ] {
        let mut world = world(EapServer::Radius);
        let accept = Accept { session_timeout: timeout, ..accept(Some(NAI)) };
        assert_eq!(world.accepted(NAI, accept).granted().validity_end, world.wall + expected, "{timeout:?}");
    }
}

/// Some servers say 0 for "no limit"; the node would be told of an association that is over.
#[test]
fn a_session_that_is_too_short_to_renew_is_401_and_the_log_says_what_to_look_at() {
    for seconds in [0, 4] {
        let mut world = world(EapServer::Radius);
        let accept = Accept { session_timeout: Some(Duration::from_secs(seconds)), ..accept(Some(NAI)) };
        let (run, lines) = fixture::logged(|| world.accepted(NAI, accept));
        assert_eq!(run.closed().0, Status::NotAuthenticated, "{seconds}");
        assert!(lines.iter().any(|line| line.contains("WARN") && line.contains("Session-Timeout")), "{lines:?}");
    }
}

#[test]
fn a_subscribers_own_policy_holds_but_for_his_profile_which_is_the_exchanges() {
    let mut world = world(EapServer::Radius);
    let own = SubscriberPolicy {
        profile: Some(WireProfile::Draft04),
        suites: Some(vec![CipherSuite::Aes128CbcSha]),
        ..SubscriberPolicy::default()
    };
    add(&mut world.store, "bob@example.org", own);
    let sa = world.accepted("bob@example.org", accept(None)).granted().sa;
    assert_eq!((sa.profile, sa.suite), (WireProfile::Rfc6618, CipherSuite::Aes128CbcSha));
}

#[test]
fn a_method_without_a_key_is_taken_where_the_realm_names_it_alone() {
    let md5 = || offer(NAI, Box::new(Md5::new(Secret::new(b"sesame".to_vec()))));
    let aaa = || Aaa { kind: Type::MD5, ..Aaa::saying(Ok(Answer::Accept(Accept { msk: None, ..accept(Some(NAI)) }))) };
    let mut world = world(EapServer::Radius);
    let (run, lines) = fixture::logged(|| world.eap_with(md5(), &mut aaa()));
    let (status, _, failure) = run.closed();
    assert_eq!((status, failure), (Status::NotAuthenticated, Failure::Eap(EapError::Failure)));
    assert!(lines.len() == 1 && lines[0].contains("`without-key`"), "{lines:?}");

    let keyless = Realm { keyless: vec![Type::MD5], ..world.authentication.default.clone() };
    world.authentication.realms.insert("example.org".to_owned(), keyless);
    world.eap_with(md5(), &mut aaa()).granted();
    let accept = Accept { msk: None, ..accept(Some(NAI)) };
    assert_eq!(world.accepted(NAI, accept).closed().0, Status::NotAuthenticated, "another method than the one named");
}
