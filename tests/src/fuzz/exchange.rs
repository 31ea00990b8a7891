//! The exchange between mobile node and HAC: containers, and either end's states with one message each. Signalling and packets
//! are in the files beside.

use protocol::addr::{HomeAddresses, HomeAgentAddresses};
use protocol::features::Features;
use protocol::mhauth::authenticator::{self, Sender};
use protocol::mhauth::initiator::{self, AwaitingDoneResponse, AwaitingInitResponse};
use protocol::mhauth::responder::{Authenticated, AwaitingDone, AwaitingInit};
use protocol::mhauth::{ChannelBinding, DEFAULT_PORT, Failure, Grant, Known, NONCE_LEN, Offer, Psk, Refusal};
use protocol::prefixes::MobileNetworkPrefixes;
use protocol::profile::WireProfile;
use protocol::sa::{CipherSuite, DirectionKeys, Secret, SecurityAssociation, Spi, UserData};
use protocol::wire::container::{self, Container};
use protocol::wire::header::{Headers, Name, value};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::time::{Duration, UNIX_EPOCH};

/// The pre-shared key.
pub(super) const KEY: [u8; 32] = [0x5a; 32];
const HAC_RAND: [u8; NONCE_LEN] = [0xb2; NONCE_LEN];
const SEED: u64 = 7872;

/// One whole message: container, header lines and every typed reader.
pub fn container(data: &[u8]) {
    let Ok(container) = Container::parse(data) else { return };
    assert_eq!(data.first_chunk().map(container::frame_len), Some(data.len()), "frame_len and parse disagree");
    let Ok(headers) = Headers::parse(container.content) else { return };
    if let Some(msg_octets) = headers.msg_octets() {
        assert!(container.content.starts_with(msg_octets), "msg-octets are not the content's own");
        let rest = container.content.get(msg_octets.len()..).unwrap_or_default();
        assert!(rest.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"auth:")), "msg-octets end elsewhere");
    }
    for name in Name::ALL {
        for text in headers.lines_of(*name) {
            read_value(text);
        }
    }
}

fn read_value(text: &[u8]) {
    let _ = (value::decimal(text, 5), value::hex_array::<32>(text), value::hex_secret(text), value::suite(text));
    let _ = (value::ip4(text), value::prefix4(text), value::prefix6(text));
    if let Ok(time) = value::date(text) {
        assert_eq!(value::rfc1123(time).to_string().as_bytes(), text, "a date is not written as it was read");
    }
    if let Ok(address) = value::ip6(text) {
        let written = value::eight_groups(address).to_string();
        assert_eq!(value::ip6(written.as_bytes()), Ok(address), "an address is not read as it was written");
    }
    let mut suites = Vec::new();
    let _ = value::suites(text, &mut suites);
    assert!(suites.len() <= CipherSuite::ALL.len(), "a suite is listed twice");
}

/// The first octet says what the rest is to the HAC: 0 the first request, 1 the last, 2 the last with its `auth` made right; in
/// the other profile 3, 4 and 5.
pub fn mhauth_responder(data: &[u8]) {
    let Some((kind, message)) = data.split_first() else { return };
    let profile = profile(kind / 3);
    match kind % 3 {
        0 => match AwaitingInit::new(profile, binding()).handle(message) {
            Ok(received) => assert!(!received.mn_id().is_empty(), "an empty name was taken"),
            Err(refusal) => check_refusal(profile, &refusal, b"1"),
        },
        1 => handle_done(profile, message),
        _ => handle_done(profile, &resealed(profile, &KEY, message, Sender::MobileNode)),
    }
}

fn handle_done(profile: WireProfile, message: &[u8]) {
    match hac_after_init(profile).0.handle(message) {
        Ok(hac) => check_authenticated(profile, hac),
        Err(refusal) => check_refusal(profile, &refusal, &KEY),
    }
}

/// That the grant is a message.
pub(super) fn check_authenticated(profile: WireProfile, hac: Authenticated) {
    let Some(suite) = hac.suites().first().copied() else { panic!("authenticated without a suite") };
    let octets = hac.grant(&grant(profile, suite));
    assert!(Container::parse(&octets).is_ok_and(|last| Headers::parse(last.content).is_ok()), "the grant is malformed");
}

/// That what is sent before the close is a message, keyed as it must be.
pub(super) fn check_refusal(profile: WireProfile, refusal: &Refusal, key: &[u8]) {
    let Ok(container) = Container::parse(&refusal.octets) else { panic!("a refusal is no container") };
    let Ok(headers) = Headers::parse(container.content) else { panic!("a refusal has malformed headers") };
    let status = headers.get(Name::StatusCode).map(|digits| value::decimal(digits, 3));
    assert_eq!(status, Some(Ok(u32::from(refusal.status.code()))), "a refusal has another status");
    let label = Sender::Controller.label(profile);
    let auth = authenticator::auth(key, label, headers.msg_octets().unwrap_or_default(), &binding());
    assert_eq!(headers.get(Name::Auth), Some(hex::encode(auth).as_bytes()), "a refusal is keyed otherwise");
}

/// The first octet says what the rest is to the mobile node: 0 the first response, 1 the same with its `auth` made right, 2 the
/// last, 3 the same with its `auth` made right; in the other profile 4 to 7.
pub fn mhauth_initiator(data: &[u8]) {
    let Some((kind, message)) = data.split_first() else { return };
    let profile = profile(kind / 4);
    match kind % 4 {
        0 => handle_init_response(profile, message),
        1 => handle_init_response(profile, &resealed(profile, &KEY, message, Sender::Controller)),
        2 => handle_done_response(profile, message),
        _ => handle_done_response(profile, &resealed(profile, &KEY, message, Sender::Controller)),
    }
}

fn profile(number: u8) -> WireProfile {
    if number.is_multiple_of(2) { WireProfile::Rfc6618 } else { WireProfile::Draft04 }
}

fn handle_init_response(profile: WireProfile, message: &[u8]) {
    if let Ok((_, done)) = awaiting_init_response(profile).0.handle(message) {
        assert!(awaiting_done_accepts_form(&done), "a request of ours is malformed");
    }
}

fn awaiting_done_accepts_form(octets: &[u8]) -> bool {
    Container::parse(octets).is_ok_and(|request| Headers::parse(request.content).is_ok_and(|headers| headers.has(Name::Auth)))
}

fn handle_done_response(profile: WireProfile, message: &[u8]) {
    match mn_after_done(profile).0.handle(message) {
        Ok(grant) => check_grant(profile, &grant),
        Err(Failure::Refused { status, .. }) => assert_ne!(status.code(), 200, "a success is no refusal"),
        Err(Failure::Eap(error)) => panic!("no EAP was offered: {error}"),
        Err(Failure::Rejected(_)) => {}
    }
}

/// That a mobile node takes no grant but one that it can use.
pub(super) fn check_grant(profile: WireProfile, grant: &Grant) {
    let sa = &grant.sa;
    assert_eq!(sa.profile, profile, "the association follows another profile");
    assert_eq!(sa.user_data, UserData::Protected, "user data would go in the clear");
    assert!(sa.is_numbered(), "no packet could carry data");
    assert!(profile == WireProfile::Rfc6618 || sa.home_agent.port() == DEFAULT_PORT, "the draft tells no port");
    assert!(offer(profile).suites.contains(&sa.suite), "a suite was taken that was not offered");
    for keys in [&sa.mn_to_ha, &sa.ha_to_mn] {
        assert_eq!(keys.integrity().len(), sa.suite.integrity_key_len(), "an integrity key has another length");
        assert_eq!(keys.encryption().len(), sa.suite.encryption_key_len(), "an encryption key has another length");
    }
    assert!(sa.mn_to_ha != sa.ha_to_mn, "both directions have the same keys");
    assert!(grant.date.is_none_or(|date| date < grant.validity_end), "the association has ended");
}

/// The message with the `auth` of this key, so that a fuzzer gets behind it; as it is where it has none.
pub(super) fn resealed(profile: WireProfile, key: &[u8], message: &[u8], sender: Sender) -> Vec<u8> {
    let unchanged = message.to_vec();
    let Ok(container) = Container::parse(message) else { return unchanged };
    let Ok(headers) = Headers::parse(container.content) else { return unchanged };
    let Some(msg_octets) = headers.msg_octets() else { return unchanged };
    let auth = authenticator::auth(key, sender.label(profile), msg_octets, &binding());
    let content = [msg_octets, b"auth:", hex::encode(auth).as_bytes(), b"\r\n\r\n\r\n"].concat();
    let Ok(content_len) = u16::try_from(content.len()) else { return unchanged };
    [&container::header(container.identifier, content_len)[..], &content].concat()
}

/// The channel binding of every exchange here.
pub fn binding() -> ChannelBinding {
    ChannelBinding::new(vec![0xcb; 32])
}

pub(super) fn psk() -> Psk {
    match Psk::from_octets(Secret::new(KEY.to_vec())) {
        Ok(psk) => psk,
        Err(error) => unreachable!("{error}"),
    }
}

fn offer(profile: WireProfile) -> Offer {
    let Ok(mn_id) = "alice@example.org".parse() else { unreachable!("the name is a NAI") };
    Offer { mn_id, psk: psk(), profile, suites: CipherSuite::ALL.to_vec(), user_data: UserData::Protected }
}

/// A mobile node behind its first request, always the same, and that request.
pub fn awaiting_init_response(profile: WireProfile) -> (AwaitingInitResponse, Vec<u8>) {
    initiator::start(offer(profile), binding(), &mut StdRng::seed_from_u64(SEED))
}

/// The HAC's first response to that request, and the HAC behind it.
pub fn hac_after_init(profile: WireProfile) -> (AwaitingDone, Vec<u8>) {
    match AwaitingInit::new(profile, binding()).handle(&awaiting_init_response(profile).1) {
        Ok(received) => received.respond(psk(), Known::Yes, profile, HAC_RAND),
        Err(refusal) => unreachable!("our own request is refused: {refusal:?}"),
    }
}

/// The same mobile node behind its last request, and that request.
pub fn mn_after_done(profile: WireProfile) -> (AwaitingDoneResponse, Vec<u8>) {
    match awaiting_init_response(profile).0.handle(&hac_after_init(profile).1) {
        Ok(behind_done) => behind_done,
        Err(failure) => unreachable!("our own response is rejected: {failure}"),
    }
}

/// A grant of both families under `suite`.
pub fn grant(profile: WireProfile, suite: CipherSuite) -> Grant {
    let key = |len: usize, fill: u8| Secret::new(vec![fill; len]);
    let keys = |fill: u8| DirectionKeys::new(&key(suite.integrity_key_len(), fill), &key(suite.encryption_key_len(), fill + 1));
    let home = HomeAddresses::new("2001:db8:100::2".parse().ok(), "10.9.0.2".parse().ok());
    let home_agent = HomeAgentAddresses::new("2001:db8:f::1".parse().ok(), "198.51.100.1".parse().ok(), DEFAULT_PORT);
    let (Some(spi), Some(home), Some(home_agent)) = (Spi::new(0x123_4567), home, home_agent) else {
        unreachable!("the constants are in range")
    };
    let date = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    Grant {
        sa: SecurityAssociation {
            spi,
            suite,
            profile,
            user_data: UserData::Protected,
            mn_to_ha: keys(0x10),
            ha_to_mn: keys(0x20),
            home,
            home_agent,
            features: Features::NONE,
            prefixes: MobileNetworkPrefixes::default(),
        },
        validity_end: date + Duration::from_secs(86_400),
        date: Some(date),
        home_prefix6: "2001:db8:100::/64".parse().ok(),
        home_prefix4: "10.9.0.0/24".parse().ok(),
        dns: "10.9.0.1".parse().into_iter().collect(),
        fallback: None,
    }
}
