//! Seeds of EAP: whole runs, at either end, with the key and without.

use protocol::eap::authenticator;
use protocol::eap::method::Around;
use protocol::eap::method::gpsk::message::FailureCode;
use protocol::eap::peer;
use protocol::eap::{Packet, Type};
use tests::fuzz::eap::{self as fuzz, AUTHENTICATOR, KEYED, Subscribers};
use tests::fuzz::pieces::join;

use crate::Seed;

/// Target and seeds.
pub(crate) fn all() -> Vec<(&'static str, Vec<Seed>)> {
    let runs = runs().into_iter().map(|(name, octets, _)| (name.to_owned(), octets)).collect();
    vec![("eap", runs)]
}

/// The packets of one run of both ends, the server's and the peer's.
pub(crate) fn conversation() -> [Vec<Vec<u8>>; 2] {
    let (mut peer, mut server, mut rng) = (fuzz::peer(fuzz::psk()), fuzz::authenticator(), fuzz::rng());
    let (mut requests, mut responses) = (vec![server.request_identity()], Vec::new());
    loop {
        let (peer::Step::Respond(response) | peer::Step::RespondLast(response)) =
            peer.handle(requests.last().unwrap(), &mut rng).unwrap()
        else {
            panic!("a run without an end")
        };
        responses.push(response);
        let around = &mut Around { rng: &mut fuzz::rng(), directory: &mut Subscribers(fuzz::psk()) };
        match server.handle(responses.last().unwrap(), around) {
            authenticator::Step::Request(request) => requests.push(request),
            authenticator::Step::Success { packet, .. } => {
                requests.push(packet);
                return [requests, responses];
            }
            authenticator::Step::Failure { error, .. } => panic!("{error}"),
        }
    }
}

/// A packet with the last bit of its MAC changed.
fn forged(packet: &[u8]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    *packet.last_mut().unwrap() ^= 1;
    packet
}

/// Each with whether it ends in success.
fn runs() -> Vec<(&'static str, Vec<u8>, bool)> {
    let [from_server, from_peer] = conversation();
    let [identity, gpsk1, gpsk3, success] = from_server.as_slice() else { panic!("a run of another length") };
    let [name, gpsk2, gpsk4] = from_peer.as_slice() else { panic!("a run of another length") };
    let fake3 = forged(gpsk3);
    let [md5, notification] = [(Type::MD5, &b"\x04\x01\x02\x03\x04aaa"[..]), (Type::NOTIFICATION, &b"closing soon"[..])]
        .map(|(kind, data)| Packet::Request { identifier: 7, kind, data }.write());
    let [after_md5, failure] = [Packet::Success { identifier: 7 }, Packet::Failure { identifier: 252 }].map(|it| it.write());
    let [unknown, tls] = [Type(99), Type::TLS].map(|kind| Packet::Request { identifier: 251, kind, data: &[0x20] }.write());
    let fail = Packet::Request { identifier: 252, kind: Type::GPSK, data: &FailureCode::AUTHENTICATION.write_fail() }.write();
    let nak = Packet::Response { identifier: 251, kind: Type::NAK, data: &[Type::TLS.0] }.write();
    let row = |name, first, packets: &[&Vec<u8>], succeeds| (name, join(first, packets), succeeds);
    vec![
        row("peer_keyed", KEYED, &[identity, gpsk1, gpsk3, success], true),
        row("peer_keyed_notified", KEYED, &[identity, &notification, gpsk1, gpsk3, success], true),
        row("peer_forged", 0, &[identity, gpsk1, &fake3, success], false),
        row("peer_early_success", 0, &[identity, gpsk1, success], false),
        row("peer_repeated", KEYED, &[identity, identity, gpsk1, gpsk1, gpsk3, gpsk3, success, success], true),
        row("peer_failed", 0, &[identity, gpsk1, &fail, &failure], false),
        row("peer_naks", 0, &[identity, &tls, &unknown, gpsk1], false),
        row("peer_md5", 0, &[identity, &md5, &after_md5], true),
        row("server_keyed", AUTHENTICATOR | KEYED, &[name, gpsk2, gpsk4], true),
        row("server_keyed_twice", AUTHENTICATOR | KEYED, &[name, gpsk2, gpsk4, gpsk4], true),
        row("server_forged", AUTHENTICATOR, &[name, &forged(gpsk2), gpsk4], false),
        row("server_forged_last", AUTHENTICATOR, &[name, gpsk2, &forged(gpsk4)], false),
        row("server_nak", AUTHENTICATOR, &[name, &nak], false),
        row("server_wrong_order", AUTHENTICATOR | KEYED, &[gpsk2, gpsk4], false),
    ]
}

#[test]
fn runs_succeed_where_their_seeds_have_the_key() {
    for (name, octets, succeeds) in runs() {
        assert_eq!(fuzz::succeeds(&octets), succeeds, "{name}");
    }
}
