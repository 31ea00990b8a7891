//! Seeds of MHAuth-EAP: the messages of one run at whom they are for, as they are and with one thing changed.

use protocol::profile::WireProfile;
use protocol::wire::container;
use tests::fuzz::mhauth_eap::{PLACES, Place, comes_to, script};

use crate::Seed;
use crate::exchange::{Change, changed, numbered};

/// The first octet's bits: what `auth` is made with.
const KEYED_WITH_ONE: u8 = 1 << 3;
const KEYED_WITH_MSK: u8 = 2 << 3;
const KEYED_WITH_PSK: u8 = 3 << 3;
const DRAFT: u8 = 0x20;

const MID: &[Change] = &[
    ("no_payload", "eap-payload:", "x:"),
    ("odd_payload", "eap-payload:", "eap-payload:0"),
    ("failure", "eap-payload:", "eap-payload:04030004\r\nx:"),
    ("success", "eap-payload:", "eap-payload:03fc0004\r\nx:"),
    ("two_payloads", "eap-payload:", "eap-payload:0101000501\r\neap-payload:"),
    ("status_401", "eap-payload:", "status-code:401\r\neap-payload:"),
];

const DONE: &[Change] = &[
    ("no_payload", "eap-payload:", "x:"),
    ("no_sas", "mip6-sas:", "x:"),
    ("suites_unknown", "mip6-suitelist:", "mip6-suitelist:{13,01}\r\nx:"),
    ("mid", "mip6-s", "x-s"),
];

const GRANT: &[Change] = &[
    ("no_payload", "eap-payload:", "x:"),
    ("failure", "eap-payload:03", "eap-payload:04"),
    ("in_the_clear", "mip6-sas:1", "mip6-sas:0"),
    ("status_401", "status-code:200", "status-code:401"),
    ("no_status", "status-code:200", "x:1"),
];

const SELECTION: &[Change] = &[
    ("psk", "auth-method:eap", "auth-method:psk"),
    ("both", "auth-method:eap", "auth-method:eap,psk"),
    ("status_503", "auth-method:eap", "status-code:503"),
];

/// Target and seeds.
pub(crate) fn all() -> Vec<(&'static str, Vec<Seed>)> {
    let draft = genuine(WireProfile::Draft04).into_iter().map(|(name, octets)| {
        let first = octets[0] | DRAFT;
        (format!("draft_{name}"), [&[first], &octets[1..]].concat())
    });
    vec![("mhauth_eap", [genuine(WireProfile::Rfc6618), draft.collect(), spoilt()].concat())]
}

fn seed(name: &str, place: Place, keyed: u8, message: &[u8]) -> Seed {
    let place = PLACES.iter().position(|it| *it == place).unwrap();
    (name.to_owned(), [&[place as u8 | keyed], message].concat())
}

/// Each message where it belongs.
fn genuine(profile: WireProfile) -> Vec<Seed> {
    let script = script(profile);
    let [.., done] = &script.requests;
    let told = changed(done, &("without EAP", "eap-payload:", "x:"));
    let to_hac =
        (1..4).map(|requests| seed(&format!("request_{requests}"), Place::Hac { requests }, 0, &script.requests[requests]));
    let to_mn = (0..4).map(|responses| {
        seed(&format!("response_{responses}"), Place::MobileNode { responses }, 0, &script.responses[responses])
    });
    let [gpsk4, success] = &script.in_mid;
    let others = [
        seed("request_in_mid", Place::Hac { requests: 3 }, 0, gpsk4),
        seed("response_success", Place::MobileNode { responses: 3 }, 0, success),
        seed("request_told", Place::HacToldSuccess, KEYED_WITH_MSK, &numbered(&told, 5)),
        seed("request_told_with_eap", Place::HacToldSuccess, KEYED_WITH_MSK, &numbered(done, 5)),
    ];
    to_hac.chain(to_mn).chain(others).collect()
}

fn spoilt() -> Vec<Seed> {
    let script = script(WireProfile::Rfc6618);
    let [_, identity, gpsk2, done] = &script.requests;
    let [selection, gpsk1, gpsk3, grant] = &script.responses;
    let hac = |requests| Place::Hac { requests };
    let mn = |responses| Place::MobileNode { responses };
    let family = |name: &str, place, keyed, message: &[u8], changes: &[Change]| -> Vec<Seed> {
        changes.iter().map(|it| seed(&format!("{name}_{}", it.0), place, keyed, &changed(message, it))).collect()
    };
    let mut seeds = [
        family("identity", hac(1), KEYED_WITH_ONE, identity, MID),
        family("gpsk_2", hac(2), KEYED_WITH_ONE, gpsk2, MID),
        family("done", hac(3), KEYED_WITH_MSK, done, DONE),
        family("selection", mn(0), KEYED_WITH_ONE, selection, SELECTION),
        family("gpsk_1", mn(1), KEYED_WITH_ONE, gpsk1, MID),
        family("gpsk_3", mn(2), KEYED_WITH_ONE, gpsk3, MID),
        family("grant", mn(3), KEYED_WITH_MSK, grant, GRANT),
    ]
    .concat();
    seeds.extend([
        seed("selection_of_psk", mn(0), KEYED_WITH_PSK, &selection_of_psk(&script.requests[0], selection)),
        seed("done_under_one", hac(3), KEYED_WITH_ONE, done),
        seed("grant_under_one", mn(3), KEYED_WITH_ONE, grant),
        seed("grant_early", mn(2), KEYED_WITH_MSK, &numbered(grant, 3)),
        seed("reflected", mn(1), 0, identity),
    ]);
    seeds
}

/// A response that selects the pre-shared key, with the nonces that then belong to it.
fn selection_of_psk(init: &[u8], selection: &[u8]) -> Vec<u8> {
    let init = std::str::from_utf8(&init[container::HEADER_LEN..]).unwrap();
    let mn_rand = init.lines().find(|line| line.starts_with("mn-rand:")).unwrap();
    let nonces = format!("{mn_rand}\r\nhac-rand:{}\r\nauth-method:psk", "b2".repeat(32));
    changed(selection, &("nonces", "auth-method:eap", &nonces))
}

#[test]
fn messages_of_a_run_come_to_what_their_seeds_are_named_for() {
    let expected = |name: &str| match name {
        "request_1" | "request_2" | "request_in_mid" => "told",
        "request_3" | "request_told" => "authenticated",
        "request_told_with_eap" => "refused",
        "response_0" | "response_1" => "mid",
        "response_2" | "response_success" => "done",
        "response_3" => "granted",
        _ => panic!("{name} is not in this table"),
    };
    for (name, octets) in genuine(WireProfile::Rfc6618) {
        assert_eq!(comes_to(&octets), expected(&name), "{name}");
    }
    // Which EAP packet a Mid has is for the EAP server to judge, and a request has no status.
    let goes_on = |name: &str| match name.strip_prefix("identity_").or(name.strip_prefix("gpsk_2_")) {
        Some("failure" | "success" | "status_401") => "told",
        _ if name == "selection_of_psk" => "psk",
        _ => "",
    };
    for (name, octets) in spoilt() {
        let (came_to, expected) = (comes_to(&octets), goes_on(&name));
        let is_right = came_to == expected || expected.is_empty() && ["refused", "rejected"].contains(&came_to);
        assert!(is_right, "{name}: {came_to}");
    }
}
