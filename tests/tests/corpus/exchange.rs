//! Seeds of the exchange's targets: its four messages, and each with one thing changed.

use protocol::mhauth::Status;
use protocol::profile::WireProfile;
use protocol::sa::CipherSuite;
use protocol::wire::container;
use tests::fuzz::exchange as fuzz;

use crate::Seed;

/// What is changed: name of the seed, text that is looked for, text that is put there.
pub(crate) type Change = (&'static str, &'static str, &'static str);

const INIT: &[Change] = &[
    ("no_name", "mn-id:", "x:"),
    ("bad_name", "alice@example.org", "al ice@@"),
    ("realm_only", "alice@", "@"),
    ("method_list", "auth-method:psk", "Auth-Method: eap , PSK"),
    ("method_eap", "auth-method:psk", "auth-method:eap"),
    ("bare_lf", "\r\nauth-method", "\nauth-method"),
    ("folded", "\r\nauth-method", "\r\n auth-method"),
    ("space_before_colon", "mn-id:", "mn-id :"),
    ("blank_line", "\r\nauth-method", "\r\n\r\nauth-method"),
    ("five_line_ends", "psk\r\n\r\n\r\n", "psk\r\n\r\n\r\n\r\n\r\n"),
    ("no_line_end", "psk\r\n\r\n\r\n", "psk"),
    ("repeated", "auth-method:psk\r\n", "auth-method:psk\r\nmn-id:bob\r\n"),
    ("auth_not_last", "mn-id:", "auth:00\r\nmn-id:"),
];

const SUITES: &str = "{00,9C},{00,3C},{00,2F},{CC,A8},{00,0A},{00,3B},{00,02}";

const DONE: &[Change] = &[
    ("in_the_clear", "mip6-sas:1", "mip6-sas:0"),
    ("sas_2", "mip6-sas:1", "mip6-sas:2"),
    ("no_sas", "mip6-sas:", "x:"),
    ("suites_spaced", "},{", "} ,\t{ "),
    ("suites_empty", SUITES, ""),
    ("suites_unknown", SUITES, "{13,01},{00,35}"),
    ("suites_cut", "{00,02}", "{00,0"),
    ("suites_repeated", "mip6-suitelist:", "mip6-suitelist:{00,02}\r\nMIP6-suitelist:"),
    ("wrong_nonce", "hac-rand:b2", "hac-rand:b3"),
    ("short_nonce", "hac-rand:b2", "hac-rand:"),
    ("no_auth", "auth:", "x-auth:"),
    ("short_auth", "auth:", "auth: 00"),
    ("mid", "mip6-s", "x-s"),
];

const RESPONSE: &[Change] = &[
    ("wrong_nonce", "mn-rand:", "mn-rand:00"),
    ("no_nonce", "hac-rand:", "x:"),
    ("method_eap", "auth-method:psk", "auth-method:eap"),
    ("two_methods", "auth-method:psk", "auth-method:psk,eap"),
    ("early_success", "auth-method:psk", "status-code:200"),
    ("status_100", "auth-method:psk", "status-code:100"),
    ("status_503", "auth-method:psk", "status-code:503\r\nretry-after:Mon, 21 Sep 2026 14:13:20 GMT"),
];

const GRANT: &[Change] = &[
    ("in_the_clear", "mip6-sas:1", "mip6-sas:0"),
    ("spi_0", "mip6-spi:19088743", "mip6-spi:0"),
    ("spi_29_bits", "mip6-spi:19088743", "mip6-spi:268435456"),
    ("suite_unknown", "mip6-ciphersuite:{00,2F}", "mip6-ciphersuite:{00,35}"),
    ("suite_of_other_keys", "mip6-ciphersuite:{00,2F}", "mip6-ciphersuite:{00,9C}"),
    ("no_key", "mip6-mn-to-ha-ikey:", "x:"),
    ("odd_key", "mip6-mn-to-ha-ekey:", "mip6-mn-to-ha-ekey:0"),
    ("same_keys", "20202020", "10101010"),
    ("ended", "Tue, 22 Sep 2026", "Sun, 20 Sep 2026"),
    ("rfc850_date", "Tue, 22 Sep 2026", "Tuesday, 22-Sep-26"),
    ("no_home", "-hoa:", "-x:"),
    ("no_home_agent", "mip6-haa-", "x-"),
    ("short_ip6", "2001:db8:f:0:0:0:0:1", "2001:DB8:F::1"),
    ("multicast", "198.51.100.1", "224.0.0.1"),
    ("port_0", "mip6-port:7872", "mip6-port:0"),
    ("no_port", "mip6-port:7872", "x:1"),
    ("prefix_129", "/64", "/129"),
    ("status_401", "status-code:200", "status-code:401"),
];

/// What is changed in the draft's last response: the headers that it does not have come anyway.
const DRAFT_GRANT: &[Change] = &[
    ("in_the_clear", "mip6-sas:1", "mip6-sas:0"),
    ("port", "mip6-ip6-hoa:", "mip6-port:9999\r\nmip6-ip6-hoa:"),
    ("port_0", "mip6-ip6-hoa:", "mip6-port:0\r\nmip6-ip6-hoa:"),
    ("no_date", "mip6-ip6-hoa:", "date:never\r\nmip6-ip6-hoa:"),
    ("no_dns", "mip6-ip6-hoa:", "dns-ip4:x\r\nmip6-ip4-hnp:y\r\nmip6-ip6-hoa:"),
    ("ended", "Tue, 22 Sep 2026", "Sun, 20 Sep 2026"),
    ("no_home", "-hoa:", "-x:"),
];

/// Target and seeds.
pub(crate) fn all() -> Vec<(&'static str, Vec<Seed>)> {
    let Run { init, response, done, grant } = Run::of(WireProfile::Rfc6618);
    let responder = [
        family("init", 0, &init, INIT),
        family("done", 2, &done, DONE),
        vec![("done_genuine".to_owned(), kind(1, &done))],
        draft_at_the_hac(),
    ];
    let initiator = [
        family("response", 1, &response, RESPONSE),
        family("grant", 3, &grant, GRANT),
        endings(&response, &grant),
        draft_at_the_mobile_node(),
    ];
    let containers = [&init, &response, &done, &grant].into_iter().zip(["init", "response", "done", "grant"]);
    let containers = containers.map(|(octets, name)| (name.to_owned(), octets.to_vec()));
    let malformed = INIT.iter().map(|change| (change.0.to_owned(), changed(&init, change)));
    vec![
        ("container", containers.chain(malformed).chain(frames(&init)).collect()),
        ("mhauth_responder", responder.concat()),
        ("mhauth_initiator", initiator.concat()),
    ]
}

/// The four messages of one exchange.
struct Run {
    init: Vec<u8>,
    response: Vec<u8>,
    done: Vec<u8>,
    grant: Vec<u8>,
}

impl Run {
    fn of(profile: WireProfile) -> Self {
        Self {
            init: fuzz::awaiting_init_response(profile).1,
            response: fuzz::hac_after_init(profile).1,
            done: fuzz::mn_after_done(profile).1,
            grant: authenticated(profile).grant(&fuzz::grant(profile, CipherSuite::Aes128CbcSha)),
        }
    }
}

/// What the draft's formula lets through to the headers: the HAC's own response among them.
fn draft_at_the_hac() -> Vec<Seed> {
    let Run { response, done, .. } = Run::of(WireProfile::Draft04);
    vec![
        ("draft_init_malformed".to_owned(), kind(3, &[0, 1, 0, 0])),
        ("draft_done_genuine".to_owned(), kind(4, &done)),
        ("draft_response_reflected".to_owned(), kind(4, &numbered(&response, 2))),
        ("draft_done_mid".to_owned(), kind(5, &changed(&done, &("mid", "mip6-s", "x-s")))),
    ]
}

fn draft_at_the_mobile_node() -> Vec<Seed> {
    let Run { response, done, grant, .. } = Run::of(WireProfile::Draft04);
    let genuine = [
        ("draft_response_genuine", 4, &response),
        ("draft_done_reflected", 6, &done),
        ("draft_response_again", 6, &numbered(&response, 2)),
        ("draft_grant_genuine", 6, &grant),
    ];
    let genuine = genuine.map(|(name, octet, message)| (name.to_owned(), kind(octet, message)));
    [genuine.to_vec(), family("draft_grant", 7, &grant, DRAFT_GRANT)].concat()
}

fn authenticated(profile: WireProfile) -> protocol::mhauth::responder::Authenticated {
    match fuzz::hac_after_init(profile).0.handle(&fuzz::mn_after_done(profile).1) {
        Ok(authenticated) => authenticated,
        Err(refusal) => panic!("our own request is refused: {refusal:?}"),
    }
}

/// A message and its changed forms, each behind the octet that says what it is.
fn family(name: &str, octet: u8, message: &[u8], changes: &[Change]) -> Vec<Seed> {
    let changed = changes.iter().map(|change| (format!("{name}_{}", change.0), kind(octet, &changed(message, change))));
    std::iter::once((name.to_owned(), kind(octet, message))).chain(changed).collect()
}

/// Genuine messages as they are, and a refusal of either kind.
fn endings(response: &[u8], grant: &[u8]) -> Vec<Seed> {
    let refusal = authenticated(WireProfile::Rfc6618).refuse(Status::Unavailable, Some(std::time::UNIX_EPOCH)).octets;
    let rows = [("response_genuine", 0, response), ("grant_genuine", 2, grant), ("refusal_genuine", 2, &refusal)];
    rows.map(|(name, octet, message)| (name.to_owned(), kind(octet, message))).to_vec()
}

/// Containers that are wrong in their first four octets.
fn frames(init: &[u8]) -> Vec<Seed> {
    let rows: [(&str, &[u8]); 5] = [
        ("empty_content", &[0, 1, 0, 0]),
        ("cut_header", &[0, 1, 0]),
        ("version_1", &[&[0x20], &init[1..]].concat()),
        ("reserved_bits", &[&[0x1f], &init[1..]].concat()),
        ("cut_content", &init[..init.len() - 1]),
    ];
    rows.map(|(name, octets)| (name.to_owned(), octets.to_vec())).to_vec()
}

fn kind(octet: u8, message: &[u8]) -> Vec<u8> {
    [&[octet], message].concat()
}

/// The same message under another Identifier.
pub(crate) fn numbered(message: &[u8], identifier: u8) -> Vec<u8> {
    let mut message = message.to_vec();
    message[1] = identifier;
    message
}

/// The message with a text replaced everywhere and the container's Length put right.
pub(crate) fn changed(message: &[u8], (name, from, to): &(&str, &str, &str)) -> Vec<u8> {
    let content = std::str::from_utf8(&message[container::HEADER_LEN..]).unwrap();
    assert!(content.contains(from), "the change {name} finds nothing to change");
    let content = content.replace(from, to);
    let header = container::header(message[1], u16::try_from(content.len()).unwrap());
    [&header[..], content.as_bytes()].concat()
}
