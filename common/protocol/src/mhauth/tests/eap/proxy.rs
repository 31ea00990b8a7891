//! Somebody who ends the node's TLS with a certificate of his own and carries its EAP to the HAC (RFC 6618 section 9.2).

use super::*;

/// What anybody can make of a message that is keyed with "1": the same for the other channel.
fn carried(octets: &[u8], sender: Sender, to: &Authenticator) -> Vec<u8> {
    sealed(octets[1], &lines(octets), Key::One, sender, to)
}

/// The node behind the proxy, its Done, and the HAC that takes it.
fn before_done(script: Script) -> (Node, Vec<u8>, Hac) {
    let (node, init) = node::start(eap_offer(script.peer()), elsewhere().binding, &mut rng());
    let (mut hac, mut response) = Hac::begin(&init, script.server());
    let mut node = Node::Selecting(node);
    loop {
        let (next, request) = node.goes_on(&carried(&response, Sender::Controller, &elsewhere()));
        node = next;
        if matches!(node, Node::InDone(_)) {
            return (node, request, hac);
        }
        let Ok(Answer::Goes(next, next_response)) = hac.handle(&carried(&request, Sender::MobileNode, &by())) else {
            panic!("EAP goes on")
        };
        (hac, response) = (next, next_response);
    }
}

#[test]
fn who_carries_eap_between_two_channels_gets_no_grant_from_a_method_with_a_key() {
    let (node, done, hac) = before_done(SHORT);
    let Ok(Answer::Succeeds(received, key, success)) = hac.handle(&done) else { panic!("EAP itself succeeds") };
    let refusal = received.succeed(key, success).err().unwrap();
    assert_eq!((refusal.rejection, refusal.status), (Some(Rejection::WrongAuth), Status::NotAuthenticated));
    assert_eq!(node.fails(&refusal.octets), Rejection::WrongAuth.into());

    let (node, done, hac) = before_done(SHORT);
    let rekeyed = carried(&done, Sender::MobileNode, &by());
    let Ok(Answer::Succeeds(received, key, success)) = hac.handle(&rekeyed) else { panic!("EAP itself succeeds") };
    assert_eq!(received.succeed(key, success).err().unwrap().rejection, Some(Rejection::WrongAuth));
    let (_, other) = Ready::scripted(SHORT).authenticated();
    let grant = other.grant(&grant(CipherSuite::Aes128Gcm));
    assert_eq!(node.fails(&carried(&grant, Sender::Controller, &elsewhere())), Rejection::WrongAuth.into());
}

/// Why such methods must be named in the HAC's configuration.
#[test]
fn who_carries_eap_between_two_channels_gets_the_grant_of_a_method_without_a_key() {
    let (_, done, hac) = before_done(KEYLESS);
    let rekeyed = carried(&done, Sender::MobileNode, &by());
    let Ok(Answer::Succeeds(received, key, success)) = hac.handle(&rekeyed) else { panic!("EAP succeeds") };
    assert!(received.succeed(key, success).is_ok());
}
