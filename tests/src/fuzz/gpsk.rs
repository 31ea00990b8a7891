//! EAP-GPSK's messages as Type-Data, read and written, and their MACs.

use protocol::eap::method::gpsk::message::{MAX_SUITES, Message, parse};
use protocol::eap::method::gpsk::{Keys, RAND_LEN, Seed, Suite};
use protocol::eap::{MAX_IDENTITY_LEN, MethodError};
use protocol::sa::Secret;

use super::eap::signed;

/// One message. Under the keys of either suite it is written and read back.
pub fn gpsk(data: &[u8]) {
    let message = match parse(data) {
        Ok(message) => message,
        Err(error) => return assert!(matches!(error, MethodError::Malformed | MethodError::TooLong), "{error}"),
    };
    check_bounds(&message);
    match message {
        Message::Gpsk1(first) => assert_eq!(first.write(), data, "GPSK-1 is written otherwise than it was read"),
        Message::Fail(code) => assert_eq!(code.write_fail(), data, "GPSK-Fail is written otherwise than it was read"),
        Message::Gpsk2(..) | Message::Gpsk3(..) | Message::Gpsk4(_) | Message::ProtectedFail(..) => {
            Suite::ALL.into_iter().for_each(|suite| check_signed(data, suite));
        }
    }
}

fn check_bounds(message: &Message<'_>) {
    let (identities, suites): ([&[u8]; 2], &[u8]) = match message {
        Message::Gpsk1(first) => ([first.id_server, &[]], first.suites),
        Message::Gpsk2(second, _) => ([second.id_server, second.id_peer], second.suites),
        Message::Gpsk3(third, _) => ([third.id_server, &[]], &[]),
        Message::Gpsk4(_) | Message::Fail(_) | Message::ProtectedFail(..) => return,
    };
    assert!(identities.iter().all(|identity| identity.len() <= MAX_IDENTITY_LEN), "an identity that is too long");
    assert!(suites.len() <= MAX_SUITES * Suite::LEN && suites.len().is_multiple_of(Suite::LEN), "not so many whole suites");
}

/// A message with a MAC says the same once it is signed anew, is proved by its own keys, and by no others.
fn check_signed(data: &[u8], suite: Suite) {
    let (own, others) = (keys(suite, 0x5a), keys(suite, 0xa5));
    let Some(written) = signed(data, &own) else { panic!("a message with a MAC is not signed") };
    let (Ok(before), Ok(after)) = (parse(data), parse(&written)) else { panic!("a message is not read as it was written") };
    let (same, mac) = match (before, after) {
        (Message::Gpsk2(before, _), Message::Gpsk2(after, mac)) => (before == after, mac),
        (Message::Gpsk3(before, _), Message::Gpsk3(after, mac)) => (before == after, mac),
        (Message::Gpsk4(_), Message::Gpsk4(mac)) => (true, mac),
        (Message::ProtectedFail(before, _), Message::ProtectedFail(after, mac)) => (before == after, mac),
        _ => panic!("a message is written as another"),
    };
    assert!(same, "a message is not read as it was written");
    assert!(own.verify(&mac) && !others.verify(&mac), "a MAC that is not its keys'");
    assert_eq!(signed(&written, &own).as_ref(), Some(&written), "a MAC depends on the one before");
    check_changed(written, &own);
}

/// No octet behind the OP-Code can be changed: of the first, the last and one that the message itself names.
fn check_changed(written: Vec<u8>, keys: &Keys) {
    let named = usize::from(written[written.len() / 2]) % (written.len() - 1) + 1;
    for place in [1, named, written.len() - 1] {
        let mut changed = written.clone();
        changed[place] ^= 0x80;
        let mac = match parse(&changed) {
            Ok(Message::Gpsk2(_, mac) | Message::Gpsk3(_, mac) | Message::Gpsk4(mac) | Message::ProtectedFail(_, mac)) => mac,
            Ok(Message::Gpsk1(_) | Message::Fail(_)) => panic!("another OP-Code"),
            Err(_) => continue,
        };
        assert!(!keys.verify(&mac), "a message is taken with octet {place} changed");
    }
}

fn keys(suite: Suite, octet: u8) -> Keys {
    let rand = [octet; RAND_LEN];
    let seed = Seed { rand_peer: &rand, id_peer: b"alice@example.org", rand_server: &rand, id_server: b"hac.example.org" };
    match Keys::derive(suite, &Secret::new(vec![octet; 32]), &seed) {
        Ok(keys) => keys,
        Err(error) => unreachable!("{error}"),
    }
}
