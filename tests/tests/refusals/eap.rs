//! MHAuth-EAP: message -> status, over real TLS with a real HAC that is the EAP server itself, with EAP-GPSK (RFC 6618 section 5.9).
//!
//! A HAC feeds EAP first, then verifies `auth`, and only then reads the rest: what is wrong before EAP and in it is refused under the key
//! "1", what is wrong behind it under the MSK.

mod node;

use protocol::mhauth::Status::{self, Malformed, NotAuthenticated, NotImplemented};
use protocol::mhauth::authenticator::Sender;
use protocol::profile::WireProfile;

use super::controller::{ALICE, Hac};
use super::mhauth::request::{Auth, Request};
use super::mhauth::{Ending, MOST_FAILURES, assert_ends, other_binding, say};
use Refused::{Before, Behind, Within};
use node::{Node, Who, change, init, put};

/// How a request ends its exchange.
#[derive(Clone, Copy)]
enum Refused {
    /// The EAP server has not seen it: under the key "1".
    Before(Status),
    /// With EAP-Failure, under the key "1".
    Within(Status),
    /// The EAP server was content: under the MSK.
    Behind(Status),
}

/// What is wrong with a request, how a right one is made so, and how that ends.
type Row = (&'static str, fn(&mut Request), Refused);

/// Of EAP: the HAC's own server for all, and one realm for each method alone.
const SECTIONS: &str = "[eap]\nmethods = [\"gpsk\"]\n[realm.\"psk.example\"]\nmethods = [\"psk\"]\n\
                        [realm.\"eap.example\"]\nmethods = [\"eap\"]\n";

/// Types of EAP packets.
const IDENTITY: u8 = 1;
const NAK: u8 = 3;
const MD5: u8 = 4;
const TLS: u8 = 13;
const GPSK: u8 = 51;

/// Mid with the identity.
const IDENTITY_MID: &[Row] = &[
    ("Ver 1", |mid| mid.version = 1, Before(NotImplemented)),
    ("Length 0", |mid| mid.length = Some(0), Before(Malformed)),
    ("Identifier 0", |mid| mid.identifier = 0, Before(Malformed)),
    ("Identifier 1 again", |mid| mid.identifier = 1, Before(Malformed)),
    ("Init again", |mid| *mid = init(ALICE), Before(Malformed)),
    ("Init again, Identifier 2", |mid| *mid = Request { identifier: 2, ..init(ALICE) }, Before(Malformed)),
    ("a folded line", |mid| mid.add(" 1"), Before(Malformed)),
    ("auth missing", |mid| mid.auth = Auth::Missing, Before(Malformed)),
    ("auth of 31 octets", |mid| mid.auth = Auth::Text("00".repeat(31)), Before(Malformed)),
    ("a guessed auth", |mid| mid.auth = Auth::Text("00".repeat(32)), Before(NotAuthenticated)),
    ("another key than \"1\"", |mid| mid.made().key = vec![0x42; 32], Before(NotAuthenticated)),
    ("the key 1 as a number", |mid| mid.made().key = vec![1], Before(NotAuthenticated)),
    ("no key", |mid| mid.made().key.clear(), Before(NotAuthenticated)),
    ("the label of the other direction", |mid| mid.made().sender = Sender::Controller, Before(NotAuthenticated)),
    ("the draft's formula", |mid| mid.made().profile = WireProfile::Draft04, Before(NotAuthenticated)),
    ("another channel binding", |mid| mid.made().binding = other_binding(), Before(NotAuthenticated)),
    ("no eap-payload", |mid| mid.replace("eap-payload", "x-payload"), Before(Malformed)),
    ("an empty eap-payload", |mid| mid.set("eap-payload", ""), Before(Malformed)),
    ("eap-payload of half an octet more", |mid| mid.replace("eap-payload:", "eap-payload:0"), Before(Malformed)),
    ("eap-payload that is not hexadecimal", |mid| mid.replace("eap-payload:0", "eap-payload:g"), Before(Malformed)),
    ("eap-payload twice", |mid| mid.add("eap-payload:0101000501"), Before(Malformed)),
    ("eap-payload of 4,097 octets", |mid| mid.set("eap-payload", &"00".repeat(4097)), Before(Malformed)),
    ("an EAP packet of three octets", |mid| change(mid, |packet| packet.truncate(3)), Within(Malformed)),
    ("an EAP packet that is cut", |mid| change(mid, |packet| packet.truncate(packet.len() - 1)), Within(Malformed)),
    ("an EAP packet of an unknown Code", |mid| change(mid, |packet| packet[0] = 5), Within(Malformed)),
    ("an EAP-Request", |mid| change(mid, |packet| packet[0] = 1), Within(Malformed)),
    ("an EAP-Success", |mid| mid.set("eap-payload", "03010004"), Within(Malformed)),
    ("an EAP-Failure", |mid| mid.set("eap-payload", "04010004"), Within(Malformed)),
    ("another EAP Identifier", |mid| change(mid, |packet| packet[1] ^= 1), Within(Malformed)),
    ("an empty identity", |mid| put(mid, IDENTITY, b""), Within(Malformed)),
    ("an identity of 254 octets", |mid| put(mid, IDENTITY, &[b'a'; 254]), Within(Malformed)),
    ("Nak before a method", |mid| put(mid, NAK, &[GPSK]), Within(Malformed)),
    ("a method before it was proposed", |mid| put(mid, GPSK, &[4, 0, 0]), Within(Malformed)),
];

/// Mid with GPSK-2. One with a wrong MAC is answered with GPSK-Fail: see below.
const GPSK_2_MID: &[Row] = &[
    ("Identifier 2 again", |mid| mid.identifier = 2, Before(Malformed)),
    ("a guessed auth", |mid| mid.auth = Auth::Text("00".repeat(32)), Before(NotAuthenticated)),
    ("no eap-payload", |mid| mid.replace("eap-payload", "x-payload"), Before(Malformed)),
    ("the EAP Identifier of before", |mid| change(mid, |packet| packet[1] = packet[1].wrapping_sub(1)), Within(Malformed)),
    ("Nak with a method that the HAC has not", |mid| put(mid, NAK, &[TLS]), Within(NotAuthenticated)),
    ("Nak without a method", |mid| put(mid, NAK, &[0]), Within(NotAuthenticated)),
    ("another method", |mid| put(mid, MD5, &[16; 17]), Within(Malformed)),
    ("the identity again", |mid| put(mid, IDENTITY, ALICE.as_bytes()), Within(Malformed)),
    ("no Type-Data", |mid| put(mid, GPSK, &[]), Within(Malformed)),
    ("an unknown OP-Code", |mid| put(mid, GPSK, &[7, 0, 0]), Within(Malformed)),
    ("GPSK-2 that is cut", |mid| put(mid, GPSK, &[2, 0, 9, b'a']), Within(Malformed)),
    ("GPSK-4 instead", |mid| put(mid, GPSK, &[4, 0, 0]), Within(Malformed)),
    ("GPSK-Fail instead", |mid| put(mid, GPSK, &[5, 0, 0, 0, 2]), Within(Malformed)),
    ("a suite that is none", |mid| change(mid, |packet| *suite(packet) = 7), Within(NotAuthenticated)),
];

/// Done with GPSK-4.
const DONE: &[Row] = &[
    ("Ver 1", |done| done.version = 1, Before(NotImplemented)),
    ("Identifier 3 again", |done| done.identifier = 3, Before(Malformed)),
    ("no eap-payload", |done| done.replace("eap-payload", "x-payload"), Before(Malformed)),
    ("a Mid under the MSK", |done| done.replace("mip6-s", "x-s"), Before(NotAuthenticated)),
    ("an EAP-Success", |done| done.set("eap-payload", "03010004"), Within(Malformed)),
    ("another EAP Identifier", |done| change(done, |packet| packet[1] ^= 1), Within(Malformed)),
    ("GPSK-4 with another MAC", |done| change(done, |packet| *packet.last_mut().unwrap() ^= 1), Within(NotAuthenticated)),
    ("GPSK-4 without a MAC", |done| put(done, GPSK, &[4, 0, 0]), Within(NotAuthenticated)),
    ("GPSK-Fail instead", |done| put(done, GPSK, &[5, 0, 0, 0, 2]), Within(Malformed)),
    ("auth missing", |done| done.auth = Auth::Missing, Behind(Malformed)),
    ("a guessed auth", |done| done.auth = Auth::Text("00".repeat(32)), Behind(NotAuthenticated)),
    ("the key \"1\"", |done| done.made().key = b"1".into(), Behind(NotAuthenticated)),
    ("half the MSK", |done| done.made().key.truncate(32), Behind(NotAuthenticated)),
    ("no key", |done| done.made().key.clear(), Behind(NotAuthenticated)),
    ("the label of the other direction", |done| done.made().sender = Sender::Controller, Behind(NotAuthenticated)),
    ("the draft's formula", |done| done.made().profile = WireProfile::Draft04, Behind(NotAuthenticated)),
    ("another channel binding", |done| done.made().binding = other_binding(), Behind(NotAuthenticated)),
    ("no mip6-sas", |done| done.without("mip6-sas"), Behind(Malformed)),
    ("mip6-sas 2", |done| done.set("mip6-sas", "2"), Behind(Malformed)),
    ("no mip6-suitelist", |done| done.without("mip6-suitelist"), Behind(Malformed)),
    ("only suites that nobody has", |done| done.set("mip6-suitelist", "{00,35},{13,01}"), Behind(NotImplemented)),
    ("only a suite that the policy has not", |done| done.set("mip6-suitelist", "{00,02}"), Behind(NotImplemented)),
];

/// Done without an EAP packet, after EAP-Success has come in answer to a Mid.
const DONE_AFTER_SUCCESS: &[Row] = &[
    ("Identifier 4 again", |done| done.identifier = 4, Behind(Malformed)),
    ("Mid", |done| done.lines = "eap-payload:0201000501\r\n".into(), Behind(Malformed)),
    ("an EAP packet", |done| done.add("eap-payload:0201000501"), Behind(Malformed)),
    ("auth missing", |done| done.auth = Auth::Missing, Behind(Malformed)),
    ("the key \"1\"", |done| done.made().key = b"1".into(), Behind(NotAuthenticated)),
    ("a guessed auth", |done| done.auth = Auth::Text("00".repeat(32)), Behind(NotAuthenticated)),
    ("no mip6-sas", |done| done.without("mip6-sas"), Behind(Malformed)),
    ("only suites that nobody has", |done| done.set("mip6-suitelist", "{00,35}"), Behind(NotImplemented)),
];

/// The last octet of CSuite_Sel in GPSK-2: protected data of no octets and a MAC of 32 stand behind it.
fn suite(packet: &mut [u8]) -> &mut u8 {
    let place = packet.len() - 32 - 2 - 1;
    &mut packet[place]
}

async fn hac() -> Hac {
    Hac::start_with(SECTIONS).await
}

/// Every row ends as it should, counts as that and as nothing else, and then the right node is granted by EAP.
async fn assert_rows(rows: &[Row], requests: u8) {
    for rows in rows.chunks(MOST_FAILURES) {
        let hac = hac().await;
        for (input, spoil, refused) in rows {
            let before = hac.books().await;
            let (mut node, mut request) = Node::behind(&hac, requests.min(3)).await;
            if requests > 3 {
                request = node.go_on(&in_mid(&request)).await;
            }
            spoil(&mut request);
            let status = assert_refused(&hac, input, node, &request, *refused).await;
            assert_eq!(hac.books().await, before.with_one_more(&status.code().to_string()), "{input}");
            grants_the_right_node(&hac).await;
        }
    }
}

/// A Mid that has the EAP packet of a Done.
fn in_mid(done: &Request) -> Request {
    let mut mid = done.clone();
    mid.without("mip6-sas");
    mid.without("mip6-suitelist");
    mid.made().key = b"1".into();
    mid
}

async fn assert_refused(hac: &Hac, input: &str, node: Node, sent: &Request, refused: Refused) -> Status {
    let msk = if matches!(refused, Behind(_)) { node.msk() } else { b"1".into() };
    let (status, payload): (_, &[&str]) = match refused {
        Before(status) | Behind(status) => (status, &[]),
        Within(status) => (status, &["eap-payload"]),
    };
    let ending = Ending { status, key: &msk, headers: [payload, &["status-code", "auth"]].concat() };
    let answer = assert_ends(hac, input, node.stream, sent, &ending).await;
    let failure = answer.get("eap-payload");
    assert!(failure.is_none_or(|packet| packet.starts_with("04") && packet.len() == 8), "{input}: no EAP-Failure: {failure:?}");
    status
}

/// Nothing was lost: the right node is granted an association.
async fn grants_the_right_node(hac: &Hac) {
    let (mut node, done) = Node::behind(hac, 3).await;
    let answer = say(&mut node.stream, &done).await;
    assert_eq!(answer.get("status-code"), Some("200"), "the right node");
    assert!(answer.is_keyed_with(&node.msk(), WireProfile::Rfc6618, &hac.binding), "the right node");
    let spi = answer.get("mip6-spi").and_then(|spi| spi.parse().ok()).and_then(protocol::sa::Spi::new);
    hac.ends(spi.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mid_with_the_identity_that_is_not_right_gets_its_status_and_loses_nothing() {
    assert_rows(IDENTITY_MID, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mid_of_the_method_that_is_not_right_gets_its_status_and_loses_nothing() {
    assert_rows(GPSK_2_MID, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_done_with_eap_that_is_not_right_gets_its_status_and_loses_nothing() {
    assert_rows(DONE, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_done_behind_eap_success_that_is_not_right_gets_its_status_and_loses_nothing() {
    assert_rows(DONE_AFTER_SUCCESS, 4).await;
}

/// What is right at every step, from somebody who is not whom he says.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_not_the_key_of_the_name_is_401_with_eap_failure_and_nothing_is_lost() {
    let hac = hac().await;
    hac.command(&["subscriber", "add", "bob@example.org", "--out", &hac.path("bob")]);
    hac.command(&["subscriber", "add", "carol@example.org", "--out", &hac.path("carol")]);
    hac.command(&["subscriber", "disable", "carol@example.org"]);
    let rows = [
        ("a wrong key", ALICE, ALICE, vec![0x42; 32]),
        ("an unknown name", "mallory@example.org", "mallory@example.org", hac.psk("alice")),
        ("a disabled name", "carol@example.org", "carol@example.org", hac.psk("carol")),
        ("another subscriber's key", "@example.org", ALICE, hac.psk("bob")),
        ("another subscriber", ALICE, "bob@example.org", hac.psk("bob")),
        ("another realm", "anonymous@example.net", ALICE, hac.psk("alice")),
    ];
    for (input, mn_id, identity, psk) in rows {
        let before = hac.books().await;
        let (mut node, mut request) = Node::begin(&hac, &Who { mn_id, identity, psk }).await;
        for _ in 0..2 {
            request = node.go_on(&request).await;
        }
        assert_refused(&hac, input, node, &request, Within(NotAuthenticated)).await;
        assert_eq!(hac.books().await, before.with_one_more("401"), "{input}");
        grants_the_right_node(&hac).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_the_realm_has_not_is_501_whoever_asks() {
    let hac = hac().await;
    let rows = [("alice@psk.example", "eap"), ("alice@eap.example", "psk"), ("@psk.example", "eap"), (ALICE, "gpsk,x-new")];
    for (mn_id, methods) in rows {
        let before = hac.books().await;
        let mut init = Request::init(mn_id);
        init.set("auth-method", methods);
        let ending = Ending { status: NotImplemented, key: b"1", headers: vec!["status-code", "auth"] };
        assert_ends(&hac, mn_id, hac.handshake().await, &init, &ending).await;
        assert_eq!(hac.books().await, before.with_one_more("501"), "{mn_id}");
        grants_the_right_node(&hac).await;
    }
}
