//! Runs of subscribers of both profiles at one HAC, and what strangers can tell of them: nothing.

use super::*;

const DRAFT: &str = "draft@example.org";
const RFC: &str = "rfc@example.org";
const DISABLED: &str = "carol@example.org";
const UNKNOWN: &str = "mallory@example.org";

fn own(profile: WireProfile) -> SubscriberPolicy {
    SubscriberPolicy { profile: Some(profile), ..SubscriberPolicy::default() }
}

/// A HAC with this default, a subscriber of each profile, and a disabled one of the other profile.
fn world(default: WireProfile) -> World {
    let mut world = World::new();
    world.policy.profile = default;
    add(&mut world.store, DRAFT, own(WireProfile::Draft04));
    add(&mut world.store, RFC, own(WireProfile::Rfc6618));
    let other = WireProfile::ALL.into_iter().find(|profile| *profile != default).unwrap();
    add(&mut world.store, DISABLED, own(other));
    world.store.set_enabled(DISABLED, false, world.wall).unwrap();
    world
}

fn mobile_node(name: &'static str, profile: WireProfile) -> MobileNode {
    MobileNode { name, profile, ..MobileNode::alice() }
}

fn begun(world: &mut World, name: &'static str) -> (Session, Step) {
    let mut session = Session::new(ChannelBinding::new(vec![5; 32]), Ipv4Addr::LOCALHOST.into());
    let offer = mobile_node(name, WireProfile::Rfc6618).offer();
    let (_, request) = initiator::start(offer, ChannelBinding::new(vec![5; 32]), &mut rand::rng());
    let step = world.handle(&mut session, &request);
    (session, step)
}

#[test]
fn each_subscriber_is_granted_an_association_of_his_profile_whatever_the_default() {
    for default in WireProfile::ALL {
        let mut world = world(default);
        for (name, profile) in [(DRAFT, WireProfile::Draft04), (RFC, WireProfile::Rfc6618), (NAI, default)] {
            let grant = world.granted(&mobile_node(name, profile));
            let to = Recipient { home_agent: "ha1", group: HaGroup::new(0).unwrap(), instance: InstanceId([1; 16]) };
            let fed = world.store.look_up(&to, grant.sa.spi, world.wall).unwrap().unwrap().sa;
            assert_eq!((grant.sa.profile, fed.profile), (profile, profile), "{name} at a HAC of {default}");
            assert_eq!((&grant.sa.mn_to_ha, &grant.sa.ha_to_mn), (&fed.mn_to_ha, &fed.ha_to_mn));
            assert_eq!((grant.sa.home, grant.sa.home_agent), (fed.home, fed.home_agent));
            let tells_more = profile == WireProfile::Rfc6618;
            assert_eq!(
                (grant.date.is_some(), grant.home_prefix4.is_some(), grant.dns.is_empty()),
                (tells_more, tells_more, !tells_more)
            );
        }
    }
}

#[test]
fn a_mobile_node_of_another_profile_than_its_subscriber_takes_no_response() {
    let mut world = world(WireProfile::Rfc6618);
    for (name, wrong) in [(DRAFT, WireProfile::Rfc6618), (RFC, WireProfile::Draft04)] {
        let mut session = Session::new(ChannelBinding::new(vec![5; 32]), Ipv4Addr::LOCALHOST.into());
        let offer = mobile_node(name, wrong).offer();
        let (waiting, request) = initiator::start(offer, ChannelBinding::new(vec![5; 32]), &mut rand::rng());
        let Step::Reply(response) = world.handle(&mut session, &request) else { panic!("a reply") };
        assert!(matches!(waiting.handle(&response), Err(Failure::Rejected(protocol::mhauth::Rejection::WrongAuth))), "{name}");
    }
}

#[test]
fn a_null_suite_under_the_draft_is_501_where_only_the_hacs_list_names_it() {
    let mut world = world(WireProfile::Rfc6618);
    world.policy.suites.push(CipherSuite::NullSha);
    world.policy.user_data = UserData::Clear;
    let mut node = mobile_node(DRAFT, WireProfile::Draft04);
    (node.suites, node.user_data) = (vec![CipherSuite::NullSha], UserData::Clear);
    let (status, failure, _) = world.refusal(&node);
    assert_eq!((status, refused(failure)), (Status::NotImplemented, (Status::NotImplemented, None, true)));
    assert_eq!(world.store.counts(world.wall).unwrap().live_sas, 0);
}

#[test]
fn a_null_suite_under_the_draft_is_granted_where_the_subscribers_policy_names_it_and_user_data_goes_in_the_clear() {
    let mut world = world(WireProfile::Rfc6618);
    let suites = Some(vec![CipherSuite::NullSha, CipherSuite::Aes128CbcSha]);
    add(
        &mut world.store,
        "null@example.org",
        SubscriberPolicy { suites, user_data: Some(UserData::Clear), ..own(WireProfile::Draft04) },
    );
    let mut node = mobile_node("null@example.org", WireProfile::Draft04);
    node.suites = vec![CipherSuite::NullSha, CipherSuite::Aes128CbcSha];
    let sa = world.granted(&node).sa;
    assert_eq!((sa.suite, sa.user_data), (CipherSuite::Aes128CbcSha, UserData::Protected), "with mip6-sas 1 the next suite");
    node.user_data = UserData::Clear;
    let sa = world.granted(&node).sa;
    assert_eq!((sa.suite, sa.user_data, sa.is_numbered()), (CipherSuite::NullSha, UserData::Clear, false));
    (node.suites, node.user_data) = (vec![CipherSuite::NullSha], UserData::Protected);
    assert_eq!(world.refusal(&node).0, Status::NotImplemented, "and no next suite");
}

#[test]
fn a_subscriber_of_the_draft_is_503_where_only_home_agents_on_another_port_are_connected() {
    let mut world = world(WireProfile::Rfc6618);
    let addresses = HomeAgentAddresses::new(None, Some("198.51.100.2".parse().unwrap()), 7999).unwrap();
    world
        .store
        .add_home_agent(&HomeAgent { name: "ha2".to_owned(), group: HaGroup::new(1).unwrap(), addresses, fallback_port: None })
        .unwrap();
    world.connected = vec!["ha2".to_owned()];
    let (status, failure, _) = world.refusal(&mobile_node(DRAFT, WireProfile::Draft04));
    let retry = Some(world.wall + RETRY_EXHAUSTED);
    assert_eq!((status, refused(failure)), (Status::Unavailable, (Status::Unavailable, retry, true)));
    assert_eq!(world.granted(&mobile_node(RFC, WireProfile::Rfc6618)).sa.home_agent.port(), 7999);
}

#[test]
fn a_wrong_done_is_answered_alike_for_every_name_in_both_profiles() {
    for default in WireProfile::ALL {
        let mut world = world(default);
        let answers = [NAI, DRAFT, RFC, DISABLED, UNKNOWN].map(|name| {
            let (status, octets) = wrong_done(&mut world, name);
            (status, form(&octets))
        });
        assert_eq!(answers[0].0, Status::NotAuthenticated);
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{default}: {answers:?}");
    }
}

#[test]
fn first_responses_have_one_form_for_every_name_in_both_profiles() {
    for default in WireProfile::ALL {
        let mut world = world(default);
        let forms = [NAI, DRAFT, RFC, DISABLED, UNKNOWN].map(|name| match begun(&mut world, name).1 {
            Step::Reply(octets) => form(&octets),
            Step::Ask(_) | Step::Deliver(_) | Step::Close(_) => panic!("{name} gets a first response"),
        });
        assert!(forms.iter().all(|other| *other == forms[0]), "{default}: {forms:?}");
    }
}

/// Under the draft's formula its `auth` is right, under the RFC's it is wrong: the answer must not tell.
#[test]
fn the_hacs_own_response_sent_back_is_answered_alike_for_every_name_in_both_profiles() {
    for default in WireProfile::ALL {
        let mut world = world(default);
        let answers = [NAI, DRAFT, RFC, DISABLED, UNKNOWN].map(|name| {
            let (mut session, step) = begun(&mut world, name);
            let Step::Reply(mut response) = step else { panic!("{name} gets a first response") };
            response[1] = 2;
            let Step::Close(octets) = world.handle(&mut session, &response) else { panic!("{name} is refused") };
            (session.ended(), form(&octets))
        });
        assert_eq!(answers[0].0, Some(Status::Malformed));
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{default}: {answers:?}");
    }
}

/// Anyone can compute what is keyed with "1".
#[test]
fn a_refusal_before_any_key_is_octet_for_octet_the_same_for_every_name() {
    for default in WireProfile::ALL {
        let mut world = world(default);
        for _ in 0..crate::admission::SOURCE_LIMIT {
            world.admission.failed(Ipv4Addr::LOCALHOST.into(), None, world.now);
        }
        let answers = [NAI, DRAFT, RFC, DISABLED, UNKNOWN].map(|name| match begun(&mut world, name).1 {
            Step::Close(octets) => octets,
            Step::Reply(_) | Step::Ask(_) | Step::Deliver(_) => panic!("{name} waits"),
        });
        assert!(answers.iter().all(|octets| *octets == answers[0]), "{default}");
    }
}
