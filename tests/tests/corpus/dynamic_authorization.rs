//! Seeds of what comes to the port of dynamic authorization: requests of each kind, and each with one thing that may not be.

use hac::aaa::Kind;
use hac::dynamic_authorization::{Action, ErrorCause, read, verify};
use protocol::sa::Secret;
use tests::fuzz::dynamic_authorization::{self as fuzz, CODES, HAC, NOW, SECRET};

use crate::Seed;

/// Name, whether it is a CoA-Request, the attributes, and what that comes to.
type Row = (&'static str, bool, Vec<u8>, &'static str);

/// Target and seeds.
pub(crate) fn all() -> Vec<(&'static str, Vec<Seed>)> {
    let of = |(name, is_change, attributes, _): Row| {
        let kind = u8::from(is_change) + 1;
        let datagram = fuzz::sealed(CODES[usize::from(is_change)], &attributes);
        [
            (format!("{name}_attributes"), [&[kind], &attributes[..]].concat()),
            (format!("{name}_signed"), [&[kind + 2], &attributes[..]].concat()),
            (name.to_owned(), [&[0], &datagram[..]].concat()),
        ]
    };
    vec![("dynamic_authorization", rows().into_iter().flat_map(of).collect())]
}

fn attribute(kind: Kind, value: &[u8]) -> Vec<u8> {
    [&[kind.0, u8::try_from(value.len() + 2).unwrap()], value].concat()
}

fn number(kind: Kind, number: u32) -> Vec<u8> {
    attribute(kind, &number.to_be_bytes())
}

fn rows() -> Vec<Row> {
    let name = attribute(Kind::USER_NAME, b"alice@example.org");
    let id = attribute(Kind::ACCT_SESSION_ID, b"00001001-6a28fd80-1");
    let stamp = number(Kind::EVENT_TIMESTAMP, NOW);
    let stamped = [&name[..], &stamp].concat();
    let proxies = [attribute(Kind::PROXY_STATE, b"1"), attribute(Kind::PROXY_STATE, b"2")].concat();
    let class = attribute(Kind::CLASS, b"gold");
    let state = attribute(Kind::STATE, b"state");
    let only = number(Kind::SERVICE_TYPE, 17);
    let prefix = attribute(Kind::FRAMED_IPV6_PREFIX, &[0, 32, 0x20, 1, 0x0d, 0xb8]);
    let row = |name, is_change, parts: &[&[u8]], comes_to| (name, is_change, parts.concat(), comes_to);
    vec![
        row("disconnect", false, &[&stamped, &proxies], "disconnect"),
        row("disconnect_by_session", false, &[&id, &class], "disconnect"),
        row("disconnect_by_addresses", false, &[&number(Kind::FRAMED_IP_ADDRESS, 0x0a09_0002), &prefix, &stamp], "disconnect"),
        row("disconnect_without_a_stamp", false, &[&name], "missing"),
        row("disconnect_stale", false, &[&name, &number(Kind::EVENT_TIMESTAMP, NOW - 301)], "disconnect"),
        row("disconnect_of_another_hac", false, &[&stamped, &attribute(Kind::NAS_IDENTIFIER, b"hac2")], "another HAC"),
        row("disconnect_with_a_vendors", false, &[&stamped, &attribute(Kind::VENDOR_SPECIFIC, &[0; 6])], "unsupported"),
        row("disconnect_two_names", false, &[&stamped, &name], "invalid"),
        row("authorize_only", true, &[&stamped, &only, &state, &proxies], "reauthorise"),
        row("authorize_only_without_state", true, &[&stamped, &only], "missing"),
        row("another_service", true, &[&stamped, &number(Kind::SERVICE_TYPE, 2)], "unsupported service"),
        row("timeout", true, &[&stamped, &number(Kind::SESSION_TIMEOUT, 300)], "change"),
        row("timeout_too_short", true, &[&stamped, &number(Kind::SESSION_TIMEOUT, 4)], "value"),
        row("class", true, &[&stamped, &class, &class, &number(Kind::ACCT_INTERIM_INTERVAL, 60)], "change"),
        row("nothing_to_change", true, &[&stamped], "missing"),
        row("wrong_message_authenticator", true, &[&stamped, &attribute(Kind::MESSAGE_AUTHENTICATOR, &[0; 16])], "dropped"),
        row("cut", false, &[&stamped[..stamped.len() - 1]], "dropped"),
    ]
}

fn comes_to(is_change: bool, attributes: &[u8]) -> &'static str {
    let datagram = fuzz::sealed(CODES[usize::from(is_change)], attributes);
    let Ok(request) = verify(&datagram, &Secret::new(SECRET.to_vec())) else { return "dropped" };
    match read(&request, HAC).map(|order| order.action) {
        Ok(Action::Disconnect { .. }) => "disconnect",
        Ok(Action::Reauthorise) => "reauthorise",
        Ok(Action::Change { .. }) => "change",
        Err(ErrorCause::MissingAttribute) => "missing",
        Err(ErrorCause::NasIdentificationMismatch) => "another HAC",
        Err(ErrorCause::UnsupportedAttribute) => "unsupported",
        Err(ErrorCause::InvalidRequest) => "invalid",
        Err(ErrorCause::UnsupportedService) => "unsupported service",
        Err(ErrorCause::InvalidAttributeValue) => "value",
        Err(cause) => panic!("{cause:?}"),
    }
}

#[test]
fn requests_come_to_what_their_seeds_are_named_for() {
    for (name, is_change, attributes, expected) in rows() {
        assert_eq!(comes_to(is_change, &attributes), expected, "{name}");
    }
}
