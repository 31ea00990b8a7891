//! Runs that succeed, and their octets.

use super::*;
use crate::eap::EapError;

#[test]
fn a_node_and_its_hac_agree_whether_or_not_their_method_derives_a_key_and_whether_or_not_the_last_round_is_known() {
    for script in [SHORT, KEYLESS, ANOTHER_ROUND] {
        let (node, hac) = Ready::scripted(script).authenticated();
        let given = grant(CipherSuite::Aes128Gcm);
        assert_eq!((hac.suites(), hac.user_data()), (&offer().suites[..], UserData::Protected));
        assert_same(&take(node, &hac.grant(&given)).unwrap(), &given);
    }
}

#[test]
fn a_node_and_its_hac_agree_with_eap_gpsk_in_both_profiles() {
    for profile in WireProfile::ALL {
        let (node, init) = node::start(EapOffer { profile, ..eap_offer(gpsk_peer()) }, binding(), &mut rng());
        let hac = AwaitingInit::new(profile, binding()).with(&Method::ALL).handle(&init).unwrap();
        let server = gpsk_server();
        let (exchange, mut response) = hac.begin_eap(&server.request_identity());
        let (mut node, mut hac) = (Node::Selecting(node), Hac { exchange, server });
        let (received, msk, packet) = loop {
            let (next, request) = node.goes_on(&response);
            node = next;
            match hac.handle(&request).unwrap() {
                Answer::Goes(next, next_response) => (hac, response) = (next, next_response),
                Answer::Succeeds(received, msk, packet) => break (received, msk, packet),
                Answer::Fails(..) => panic!("EAP fails"),
            }
        };
        assert!(msk.is_some());
        let Ok(hac::Succeeded::Authenticated(hac)) = received.succeed(msk, packet) else { panic!("GPSK-4 goes with Done") };
        let given = match profile {
            WireProfile::Rfc6618 => grant(CipherSuite::Aes128Gcm),
            WireProfile::Draft04 => draft_04::grant(CipherSuite::Aes128Gcm, UserData::Protected),
        };
        assert_eq!(take(node, &hac.grant(&given)).unwrap().sa.spi, given.sa.spi, "{profile}");
    }
}

/// RFC 6618 section 5.9.
#[test]
fn the_messages_have_the_headers_of_section_5_9() {
    let Ready { node, received, msk: key, success, messages } = Ready::scripted(SHORT);
    let mn_rand = hex::encode(message::Message::receive(&messages[0]).unwrap().mn_rand().unwrap());
    let init = format!("mn-id:{ALICE}\r\nmn-rand:{mn_rand}\r\nauth-method:eap\r\n\r\n\r\n");
    assert_eq!(content(&messages[0]), init);
    let name = hex::encode(ALICE);
    let (request, response) = (hex::encode("request"), hex::encode("response"));
    let expected = [
        "auth-method:eap\r\neap-payload:0107000501\r\n".to_owned(),
        format!("eap-payload:0207001601{name}\r\n"),
        format!("eap-payload:0108000c5a{request}\r\n"),
        format!("eap-payload:0208000d5a{response}\r\n"),
        format!("eap-payload:0109000c5a{request}\r\n"),
        format!("mip6-sas:1\r\nmip6-suitelist:{{00,9C}},{{00,2F}},{{00,02}}\r\neap-payload:0209000d5a{response}\r\n"),
    ];
    assert_eq!(messages[1..].iter().map(|octets| lines(octets)).collect::<Vec<_>>(), expected);
    assert_eq!(messages.iter().map(|octets| octets[1]).collect::<Vec<_>>(), [1, 1, 2, 2, 3, 3, 4]);

    let Ok(hac::Succeeded::Authenticated(hac)) = received.succeed(key, success) else { panic!("authenticated") };
    let last = hac.grant(&grant(CipherSuite::Aes128Gcm));
    assert!(lines(&last).ends_with("\r\nmip6-tls:ha1.example.org:443\r\neap-payload:03090004\r\nstatus-code:200\r\n"));
    assert_eq!(last[1], 4);
    assert!(take(node, &last).is_ok());
    let is_keyed =
        |octets: &[u8], key: Key<'_>, sender| message::Message::receive(octets).unwrap().is_keyed_with(key, sender, &by());
    for (index, octets) in messages.iter().enumerate().skip(1) {
        let sender = if index % 2 == 0 { Sender::MobileNode } else { Sender::Controller };
        let key = msk();
        let expected = if index == 6 { Key::Msk(&key) } else { Key::One };
        assert_eq!(is_keyed(octets, expected, sender), Ok(true), "message {index}");
    }
    assert_eq!(is_keyed(&last, Key::Msk(&msk()), Sender::Controller), Ok(true));
}

#[test]
fn with_a_method_without_a_key_done_and_the_grant_are_keyed_with_1() {
    let ready = Ready::scripted(KEYLESS);
    let done = message::Message::receive(ready.messages.last().unwrap()).unwrap();
    assert_eq!(done.is_keyed_with(Key::One, Sender::MobileNode, &by()), Ok(true));
    let last = message::Message::receive(&ready.authenticated().1.grant(&grant(CipherSuite::Aes128Gcm))).unwrap();
    assert_eq!(last.is_keyed_with(Key::One, Sender::Controller, &by()), Ok(true));
}

#[test]
fn a_done_with_which_the_server_is_not_content_is_answered_like_a_mid_and_sent_again() {
    let ready = Ready::scripted(ANOTHER_ROUND);
    let headers =
        |octets: &[u8]| lines(octets).lines().map(|line| line.split(':').next().unwrap().to_owned()).collect::<Vec<_>>();
    let done = ["mip6-sas", "mip6-suitelist", "eap-payload"];
    assert_eq!(headers(&ready.messages[4]), done);
    assert_eq!(headers(&ready.messages[5]), ["eap-payload"]);
    let again = message::Message::receive(&ready.messages[5]).unwrap();
    assert_eq!(again.is_keyed_with(Key::One, Sender::Controller, &by()), Ok(true));
    assert_eq!(headers(&ready.messages[6]), done);
    assert_eq!((ready.messages[4][1], ready.messages[6][1]), (3, 4));
}

#[test]
fn a_node_with_another_key_hears_of_eap_failure_and_says_what_its_method_found() {
    let peer = Peer::new(ALICE, vec![Box::new(GpskPeer::new(ALICE, Secret::new(vec![7; 32])).unwrap())]).unwrap();
    let (mut node, init) = Node::start(eap_offer(peer));
    let (mut hac, mut response) = Hac::begin(&init, gpsk_server());
    let (received, packet) = loop {
        let (next, request) = node.goes_on(&response);
        node = next;
        match hac.handle(&request).unwrap() {
            Answer::Goes(next, next_response) => (hac, response) = (next, next_response),
            Answer::Fails(received, packet) => break (received, packet),
            Answer::Succeeds(..) => panic!("the keys differ"),
        }
    };
    let refusal = received.refuse(Status::NotAuthenticated, None, Some(&packet));
    assert_final(&refusal, 4, Key::One);
    assert_eq!(lines(&refusal.octets), format!("{}status-code:401\r\n", mid(&packet)));
    assert_eq!(node.fails(&refusal.octets), Failure::Eap(EapError::Method(Type::GPSK, MethodError::Refused)));
}

/// A HAC of another make may tell of the success before it grants.
#[test]
fn a_success_in_answer_to_done_is_followed_by_a_done_without_an_eap_packet() {
    let Ready { node, success, .. } = Ready::scripted(SHORT);
    let (node, done) = node.goes_on(&sealed(4, &mid(&success), Key::One, Sender::Controller, &by()));
    assert_eq!((done[1], lines(&done)), (5, "mip6-sas:1\r\nmip6-suitelist:{00,9C},{00,2F},{00,02}\r\n".to_owned()));
    let request = message::Message::receive(&done).unwrap();
    assert_eq!(request.is_keyed_with(Key::Msk(&msk()), Sender::MobileNode, &by()), Ok(true));
    let (_, other) = Ready::scripted(SHORT).authenticated();
    let bare = lines(&other.grant(&grant(CipherSuite::Aes128Gcm))).replace("eap-payload:03090004\r\n", "");
    assert!(take(node, &sealed(5, &bare, Key::Msk(&msk()), Sender::Controller, &by())).is_ok());
}

/// A node of another make may not know that its response is the last.
#[test]
fn a_success_in_answer_to_mid_is_told_and_the_done_that_follows_is_granted() {
    let (hac, response) = told();
    assert_eq!(lines(&response), "eap-payload:03090004\r\n");
    let message = message::Message::receive(&response).unwrap();
    assert_eq!(message.is_keyed_with(Key::One, Sender::Controller, &by()), Ok(true));
    let done = sealed(5, PROPOSAL, Key::Msk(&msk()), Sender::MobileNode, &by());
    let authenticated = hac.handle(&done).unwrap();
    assert_eq!(authenticated.suites(), [CipherSuite::Aes128Gcm]);
    let last = authenticated.grant(&grant(CipherSuite::Aes128Gcm));
    assert!(last[1] == 5 && !lines(&last).contains("eap-payload"));
}

/// The HAC that has told a node, which was still in Mid, of the success.
pub(super) fn told() -> (hac::AwaitingDone, Vec<u8>) {
    let (node, init) = Node::start(eap_offer(SHORT.peer()));
    let (hac, response) = Hac::begin(&init, SHORT.server());
    let (node, request) = node.goes_on(&response);
    let Ok(Answer::Goes(hac, response)) = hac.handle(&request) else { panic!("the method begins") };
    let (node, request) = node.goes_on(&response);
    let Ok(Answer::Goes(hac, response)) = hac.handle(&request) else { panic!("the method goes on") };
    let done = lines(&node.goes_on(&response).1);
    let as_mid = done.split_inclusive("\r\n").last().unwrap();
    let octets = sealed(4, as_mid, Key::One, Sender::MobileNode, &by());
    let Ok(Answer::Succeeds(received, key, success)) = hac.handle(&octets) else { panic!("EAP ends") };
    let Ok(hac::Succeeded::Told(hac, response)) = received.succeed(key, success) else { panic!("a Mid is no Done") };
    (hac, response)
}
