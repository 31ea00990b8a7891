//! A node that offers both methods, and a HAC that chooses.

use super::*;

fn both() -> EapOffer {
    EapOffer { psk: Some(psk()), ..eap_offer(SHORT.peer()) }
}

#[test]
fn a_node_with_both_methods_lists_eap_first_and_does_what_the_hac_selects() {
    let (node, init) = Node::start(both());
    assert!(content(&init).contains("auth-method:eap,psk\r\n"));
    let received = awaiting_init().with(&Method::ALL).handle(&init).unwrap();
    assert_eq!(received.offered(), Method::ALL);
    let (hac, response) = received.respond(psk(), Known::Yes, WireProfile::Rfc6618, HAC_RAND);
    let Ok(node::Step::Psk(node, done)) = node.handle(&response) else { panic!("the key was selected") };
    let last = hac.handle(&done).unwrap().grant(&grant(CipherSuite::Aes128Gcm));
    assert!(node.handle(&last).is_ok());

    let (node, hac) = Ready::of(both(), SHORT.server()).authenticated();
    assert!(take(node, &hac.grant(&grant(CipherSuite::Aes128Gcm))).is_ok());
}

#[test]
fn a_hac_has_only_the_methods_that_it_says_it_has() {
    let init = |offer| Node::start(offer).1;
    for (available, both_offered, eap_offered) in [
        (&Method::ALL[..], Some(&Method::ALL[..]), Some(&[Method::Eap][..])),
        (&[Method::Psk], Some(&[Method::Psk]), None),
        (&[Method::Eap], Some(&[Method::Eap]), Some(&[Method::Eap])),
    ] {
        for (offer, expected) in [(both(), both_offered), (eap_offer(SHORT.peer()), eap_offered)] {
            match (awaiting_init().with(available).handle(&init(offer)), expected) {
                (Ok(received), Some(expected)) => assert_eq!(received.offered(), expected),
                (Err(refusal), None) => assert_eq!(refusal.rejection, Some(Rejection::NoCommonMethod)),
                _ => panic!("{available:?} {expected:?}"),
            }
        }
    }
}

#[test]
fn a_method_that_was_not_offered_is_not_taken() {
    let (node, init) = Node::start(eap_offer(SHORT.peer()));
    let (_, response) = awaiting_init().with(&Method::ALL).handle(&init).unwrap().begin_eap(&[1, 7, 0, 5, 1]);
    let with_psk = sealed(1, &lines(&response).replace(":eap", ":psk"), Key::One, Sender::Controller, &by());
    assert_eq!(node.fails(&with_psk), Rejection::NoCommonMethod.into());

    let (node, init) = start(offer());
    assert!(content(&init).contains("auth-method:psk\r\n"));
    assert_eq!(node.handle(&response).err(), Some(Rejection::WrongAuth.into()));
    let (node, _) = start(offer());
    let under_the_key = sealed(1, &lines(&response), Key::Psk(&psk()), Sender::Controller, &by());
    assert_eq!(node.handle(&under_the_key).err(), Some(Rejection::NoCommonMethod.into()));
}

#[test]
fn a_selection_of_the_key_by_somebody_who_does_not_have_it_is_not_taken() {
    let (node, init) = Node::start(both());
    let received = awaiting_init().with(&Method::ALL).handle(&init).unwrap();
    let (_, response) = received.respond(other_psk(), Known::Yes, WireProfile::Rfc6618, HAC_RAND);
    assert_eq!(node.fails(&response), Rejection::WrongAuth.into());
}
