//! With the HAC's own EAP server.

use super::*;

const REFUSED: Failure = Failure::Eap(EapError::Method(Type::GPSK, MethodError::Refused));

#[test]
fn a_subscriber_with_his_key_is_granted_whether_he_names_himself_before_or_within_eap() {
    for mn_id in [NAI, "alice@EXAMPLE.org", "anonymous@example.org", "@example.org"] {
        let mut world = world(EapServer::Local);
        let grant = world.eap(gpsk(mn_id, NAI, KEY)).granted();
        let to = Recipient { home_agent: "ha1", group: HaGroup::new(0).unwrap(), instance: InstanceId([1; 16]) };
        let fed = world.store.look_up(&to, grant.sa.spi, world.wall).unwrap().unwrap();
        assert_eq!((&grant.sa.mn_to_ha, grant.sa.home), (&fed.sa.mn_to_ha, fed.sa.home), "{mn_id}");
        assert_eq!(world.names(), [NAI], "{mn_id}");
        assert_eq!(world.eap(gpsk(NAI, NAI, KEY)).granted().sa.home, grant.sa.home, "the address is his");
    }
}

#[test]
fn who_authenticates_as_another_than_he_named_or_of_another_realm_is_401() {
    for mn_id in ["bob@example.org", "Alice@example.org", "anonymous@example.net", "@example.net", "anonymous", "alice"] {
        let mut world = world(EapServer::Local);
        let run = world.eap(gpsk(mn_id, NAI, KEY));
        let (status, lines, failure) = run.closed();
        assert_eq!((status, failure), (Status::NotAuthenticated, Failure::Eap(EapError::Failure)), "{mn_id}");
        assert!(lines.starts_with("eap-payload:04") && lines.ends_with("0004\r\nstatus-code:401\r\n"), "{lines}");
        assert_eq!(world.store.counts(world.wall).unwrap().live_sas, 0);
    }
}

#[test]
fn a_subscriber_without_a_realm_may_be_anonymous_without_one() {
    let mut world = world(EapServer::Local);
    add(&mut world.store, "dora", SubscriberPolicy::default());
    for mn_id in ["dora", "anonymous"] {
        world.eap(gpsk(mn_id, "dora", KEY)).granted();
    }
}

#[test]
fn a_wrong_key_an_unknown_and_a_disabled_subscriber_get_responses_of_one_form() {
    let mut world = world(EapServer::Local);
    add(&mut world.store, "carol@example.org", SubscriberPolicy::default());
    world.store.set_enabled("carol@example.org", false, world.wall).unwrap();
    let mut forms = Vec::new();
    for (identity, key) in [(NAI, [8; 32]), ("mary_@example.org", KEY), ("carol@example.org", KEY)] {
        let run = world.eap(gpsk("anonymous@example.org", identity, key));
        let before: Vec<_> = run.responses.iter().map(|octets| form(octets)).collect();
        let (status, lines, failure) = run.closed();
        assert_eq!((status, failure), (Status::NotAuthenticated, REFUSED), "{identity}");
        forms.push((before, lines.len()));
    }
    assert!(forms.iter().all(|form| *form == forms[0]), "{forms:?}");
}

/// The server lists both suites; the node takes the one that its key is long enough for (RFC 5433 section 4), and GPSK-3 repeats it.
#[test]
fn a_key_of_16_to_31_octets_is_taken_with_aes_cmac_and_a_longer_one_with_hmac_sha256() {
    const AES_CMAC: &str = "000000000001";
    const HMAC_SHA256: &str = "000000000002";
    for (octets, suite, other) in [(16, AES_CMAC, HMAC_SHA256), (31, AES_CMAC, HMAC_SHA256), (32, HMAC_SHA256, AES_CMAC)] {
        let mut world = world(EapServer::Local);
        let (name, psk) = ("bob@example.org", Secret::new(vec![9; octets]));
        let new = NewSubscriber { nai: name, psk: &psk, policy: SubscriberPolicy::default() };
        world.store.add_subscriber(&new, world.wall, &mut rand::rng()).unwrap();
        let run = world.eap(offer(name, Box::new(GpskPeer::new(name, psk).unwrap())));
        let [_, _, gpsk_3] = &run.responses[..] else { panic!("{} responses", run.responses.len()) };
        let gpsk_3 = lines(gpsk_3);
        assert!(gpsk_3.contains(suite) && !gpsk_3.contains(other), "{octets} octets: {gpsk_3}");
        run.granted();
    }
}

#[test]
fn a_key_that_cannot_be_read_is_our_fault() {
    let mut world = world(EapServer::Local);
    let new = NewSubscriber { nai: "bob@example.org", psk: &Secret::new(vec![9; 15]), policy: SubscriberPolicy::default() };
    world.store.add_subscriber(&new, world.wall, &mut rand::rng()).unwrap();
    let (status, _, failure) = world.eap(gpsk("bob@example.org", "bob@example.org", KEY)).closed();
    assert_eq!((status, failure), (Status::ServerError, hint(Status::ServerError)));
}

/// Authenticates alice without a key.
struct Keyless;

impl ServerMethod for Keyless {
    fn kind(&self) -> Type {
        KIND
    }

    fn start(&mut self, _around: &mut Around<'_>) -> Vec<u8> {
        Vec::new()
    }

    fn handle(&mut self, _data: &[u8], _around: &mut Around<'_>) -> Result<ServerStep, MethodError> {
        Ok(ServerStep::Authenticated { identity: NAI.to_owned(), msk: None })
    }
}

/// `without-key` is no way out: the HAC's own server has no such method.
#[test]
fn a_method_without_a_key_is_401_whatever_the_realm_takes_from_a_aaa_server() {
    let mut world = world(EapServer::Local);
    world.authentication.local = Some(Box::new(|| vec![Box::new(Keyless)]));
    world.authentication.default.keyless = vec![KIND];
    let (run, lines) = fixture::logged(|| world.eap(scripted(NAI)));
    assert_eq!(run.closed().0, Status::NotAuthenticated);
    assert_eq!(lines, Vec::<String>::new());
}

#[test]
fn a_realm_without_eap_is_501_and_so_is_one_whose_server_is_not_there() {
    let mut world = world(EapServer::Local);
    let with_key = Realm { methods: vec![Method::Psk], ..world.authentication.default.clone() };
    world.authentication.realms.insert("example.net".to_owned(), with_key);
    let (status, _, failure) = world.eap(gpsk("a@Example.net", NAI, KEY)).closed();
    assert_eq!((status, failure), (Status::NotImplemented, hint(Status::NotImplemented)));
    world.authentication.local = None;
    assert_eq!(world.eap(gpsk(NAI, NAI, KEY)).closed().0, Status::NotImplemented);
}

#[test]
fn a_realm_that_prefers_eap_takes_the_key_from_who_offers_nothing_else() {
    let mut world = world(EapServer::Local);
    world.granted(&MobileNode::alice());
}
