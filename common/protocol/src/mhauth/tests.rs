//! The exchange, one end against the other; what each end refuses, and the draft's profile, are in the modules below.

mod draft_04;
mod eap;
mod initiator_rejects;
mod responder_refuses;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::authenticator::{Authenticator, Key, Sender};
use super::responder::{Authenticated, AwaitingDone, AwaitingInit};
use super::*;
use crate::addr::{HomeAddresses, HomeAgentAddresses};
use crate::features::Features;
use crate::prefixes::MobileNetworkPrefixes;
use crate::profile::WireProfile;
use crate::sa::{CipherSuite, DirectionKeys, Secret, SecurityAssociation, Spi, UserData};
use crate::wire::container::{self, Container, ContainerError};
use crate::wire::header::{HeaderError, Headers, Name};

const HAC_RAND: [u8; NONCE_LEN] = [0xb2; NONCE_LEN];
const NOW: Duration = Duration::from_secs(1_790_000_000);

fn psk() -> Psk {
    Psk::from_octets(Secret::new((0..32).collect())).unwrap()
}

fn other_psk() -> Psk {
    Psk::from_octets(Secret::new(vec![0x77; 32])).unwrap()
}

fn binding() -> ChannelBinding {
    ChannelBinding::new(vec![0xcb; 32])
}

fn by() -> Authenticator {
    Authenticator { profile: WireProfile::Rfc6618, binding: binding() }
}

/// Of another channel.
fn elsewhere() -> Authenticator {
    Authenticator { binding: ChannelBinding::new(vec![0xcc; 32]), ..by() }
}

fn offer() -> Offer {
    Offer {
        mn_id: "alice@example.org".parse().unwrap(),
        psk: psk(),
        profile: WireProfile::Rfc6618,
        suites: vec![CipherSuite::Aes128Gcm, CipherSuite::Aes128CbcSha, CipherSuite::NullSha],
        user_data: UserData::Protected,
    }
}

fn grant(suite: CipherSuite) -> Grant {
    Grant {
        sa: SecurityAssociation {
            spi: Spi::new(0x123_4567).unwrap(),
            suite,
            profile: WireProfile::Rfc6618,
            user_data: UserData::Protected,
            mn_to_ha: DirectionKeys::counting_from(0x10, suite),
            ha_to_mn: DirectionKeys::counting_from(0x80, suite),
            home: HomeAddresses::new("2001:db8:100::2".parse().ok(), Some(Ipv4Addr::new(10, 9, 0, 2))).unwrap(),
            home_agent: HomeAgentAddresses::new("2001:db8:f::1".parse().ok(), Some(Ipv4Addr::new(198, 51, 100, 1)), 7873)
                .unwrap(),
            features: Features::NONE,
            prefixes: MobileNetworkPrefixes::default(),
        },
        validity_end: UNIX_EPOCH + NOW + Duration::from_secs(86_400),
        date: Some(UNIX_EPOCH + NOW),
        home_prefix6: "2001:db8:100::/64".parse().ok(),
        home_prefix4: "10.9.0.0/24".parse().ok(),
        dns: vec![IpAddr::V6("2001:db8:100::1".parse().unwrap()), IpAddr::V4(Ipv4Addr::new(10, 9, 0, 1))],
        fallback: "ha1.example.org:443".parse().ok(),
    }
}

fn start(offer: Offer) -> (initiator::AwaitingInitResponse, Vec<u8>) {
    initiator::start(offer, binding(), &mut StdRng::seed_from_u64(1))
}

/// A HAC whose default profile is the RFC's, behind nothing yet.
fn awaiting_init() -> AwaitingInit {
    AwaitingInit::new(WireProfile::Rfc6618, binding())
}

/// The HAC after a good Init, with its response.
fn awaiting_done(init: &[u8], known: Known) -> (AwaitingDone, Vec<u8>) {
    let received = awaiting_init().handle(init).unwrap();
    assert_eq!(received.mn_id(), "alice@example.org");
    received.respond(psk(), known, WireProfile::Rfc6618, HAC_RAND)
}

/// Both ends after three messages; gives the mobile node's state too.
fn authenticated() -> (initiator::AwaitingDoneResponse, Authenticated) {
    authenticated_with(offer())
}

/// The same with an offer of its own, in the offer's profile.
fn authenticated_with(offer: Offer) -> (initiator::AwaitingDoneResponse, Authenticated) {
    let profile = offer.profile;
    let (mn, init) = start(offer);
    let (hac, response) = awaiting_init().handle(&init).unwrap().respond(psk(), Known::Yes, profile, HAC_RAND);
    let (mn, done) = mn.handle(&response).unwrap();
    (mn, hac.handle(&done).unwrap())
}

fn content(octets: &[u8]) -> String {
    String::from_utf8(Container::parse(octets).unwrap().content.to_vec()).unwrap()
}

/// A message with these header lines before `auth`, keyed, in the form that we send.
fn sealed(identifier: u8, lines: &str, key: Key<'_>, sender: Sender, by: &Authenticator) -> Vec<u8> {
    let auth = by.compute(key, sender, lines.as_bytes());
    framed(identifier, &format!("{lines}auth:{}\r\n\r\n\r\n", hex::encode(auth)))
}

fn framed(identifier: u8, content: &str) -> Vec<u8> {
    let mut octets = container::header(identifier, u16::try_from(content.len()).unwrap()).to_vec();
    octets.extend_from_slice(content.as_bytes());
    octets
}

/// The header lines of a message up to `auth`.
fn lines(octets: &[u8]) -> String {
    let content = Container::parse(octets).unwrap().content;
    String::from_utf8(Headers::parse(content).unwrap().msg_octets().unwrap().to_vec()).unwrap()
}

/// That a refusal's octets are a final response with its status, keyed as they must be.
fn assert_final(refusal: &Refusal, identifier: u8, key: Key<'_>) {
    let message = message::Message::receive(&refusal.octets).unwrap();
    assert_eq!(message.identifier, identifier);
    assert_eq!(message.status(), Ok(Some(refusal.status)));
    assert_eq!(message.is_keyed_with(key, Sender::Controller, &by()), Ok(true), "{refusal:?}");
    assert!(refusal.octets.ends_with(b"\r\n\r\n\r\n"));
}

#[test]
fn a_mobile_node_and_its_hac_agree_on_every_suite() {
    for suite in CipherSuite::ALL {
        let (mn, init) = start(Offer { suites: vec![suite], ..offer() });
        let (hac, response) = awaiting_done(&init, Known::Yes);
        let (mn, done) = mn.handle(&response).unwrap();
        let hac = hac.handle(&done).unwrap();
        assert_eq!(hac.suites(), [suite]);
        assert_eq!(hac.user_data(), UserData::Protected);
        let given = grant(suite);
        let got = mn.handle(&hac.grant(&given)).unwrap();
        assert_same(&got, &given);
    }
}

fn assert_same(got: &Grant, given: &Grant) {
    assert_eq!((got.sa.spi, got.sa.suite, got.sa.profile), (given.sa.spi, given.sa.suite, given.sa.profile));
    assert_eq!(got.sa.user_data, given.sa.user_data);
    assert!(got.sa.mn_to_ha == given.sa.mn_to_ha && got.sa.ha_to_mn == given.sa.ha_to_mn);
    assert_eq!((got.sa.home, got.sa.home_agent), (given.sa.home, given.sa.home_agent));
    assert_eq!((got.sa.features, &got.sa.prefixes), (given.sa.features, &given.sa.prefixes));
    assert_eq!((got.validity_end, got.date), (given.validity_end, given.date));
    assert_eq!(got.fallback, given.fallback);
    assert_eq!((got.home_prefix6, got.home_prefix4, &got.dns), (given.home_prefix6, given.home_prefix4, &given.dns));
}

#[test]
fn an_spi_that_only_another_hac_would_give_out_is_taken() {
    for number in [1, 255, 256, 4_095] {
        let (mn, hac) = authenticated();
        let mut given = grant(CipherSuite::Aes128Gcm);
        given.sa.spi = Spi::new(number).unwrap();
        assert_eq!(mn.handle(&hac.grant(&given)).unwrap().sa.spi, given.sa.spi);
    }
}

#[test]
fn the_four_messages_have_the_headers_of_section_5_8() {
    let (mn, init) = start(offer());
    let mn_rand = hex::encode(message::Message::receive(&init).unwrap().mn_rand().unwrap());
    let hac_rand = hex::encode(HAC_RAND);
    let nonces = format!("mn-rand:{mn_rand}\r\nhac-rand:{hac_rand}\r\n");
    assert_eq!(content(&init), format!("mn-id:alice@example.org\r\nmn-rand:{mn_rand}\r\nauth-method:psk\r\n\r\n\r\n"));
    let (hac, response) = awaiting_done(&init, Known::Yes);
    assert_eq!(lines(&response), format!("{nonces}auth-method:psk\r\n"));
    let (_, done) = mn.handle(&response).unwrap();
    assert_eq!(lines(&done), format!("{nonces}mip6-sas:1\r\nmip6-suitelist:{{00,9C}},{{00,2F}},{{00,02}}\r\n"));
    let last = hac.handle(&done).unwrap().grant(&grant(CipherSuite::NullSha));
    let expected = "mip6-sas:1\r\nmip6-spi:19088743\r\n\
        mip6-mn-to-ha-ikey:101112131415161718191a1b1c1d1e1f20212223\r\n\
        mip6-ha-to-mn-ikey:808182838485868788898a8b8c8d8e8f90919293\r\n\
        mip6-sa-validity-end:Tue, 22 Sep 2026 14:13:20 GMT\r\nmip6-ciphersuite:{00,02}\r\n\
        mip6-haa-ip6:2001:db8:f:0:0:0:0:1\r\nmip6-haa-ip4:198.51.100.1\r\nmip6-port:7873\r\n\
        mip6-ip6-hoa:2001:db8:100:0:0:0:0:2\r\nmip6-ip4-hoa:10.9.0.2\r\n\
        mip6-ip6-hnp:2001:db8:100:0:0:0:0:0/64\r\nmip6-ip4-hnp:10.9.0.0/24\r\n\
        dns-ip6:2001:db8:100:0:0:0:0:1\r\ndns-ip4:10.9.0.1\r\ndate:Mon, 21 Sep 2026 14:13:20 GMT\r\n\
        mip6-tls:ha1.example.org:443\r\n";
    assert_eq!(lines(&last), format!("{expected}{nonces}status-code:200\r\n"));
    let identifiers = [&init, &response, &done, &last].map(|octets| octets[1]);
    assert_eq!(identifiers, [1, 1, 2, 2]);
}

#[test]
fn an_aead_grant_has_no_ikey_and_a_null_grant_no_ekey() {
    for (suite, ikeys, ekeys) in [(CipherSuite::Aes128Gcm, 0, 2), (CipherSuite::Aes128CbcSha, 2, 2), (CipherSuite::NullSha, 2, 0)]
    {
        let last = lines(&authenticated().1.grant(&grant(suite)));
        assert_eq!((last.matches("-ikey:").count(), last.matches("-ekey:").count()), (ikeys, ekeys), "{suite}");
    }
}

#[test]
fn every_rejection_has_the_status_of_its_fault() {
    assert_eq!(Rejection::from(ContainerError::Version).status(), Status::NotImplemented);
    assert_eq!(Rejection::SameKeys.fault(), Fault::Misbehaved);
    assert_eq!(Rejection::SameKeys.status(), Status::Malformed);
    assert_eq!(Rejection::WrongNonce.status(), Status::NotAuthenticated);
    for status in Status::ALL {
        assert_eq!(Status::from_code(status.code()), Some(status));
    }
    assert_eq!(Status::from_code(100), None);
}

prop_compose! {
    fn any_grant()(
        suite in prop::sample::select(offer().suites),
        spi in 4096u32..1 << 28,
        home6 in prop::option::of(1u128..1 << 120),
        home4 in prop::option::of(1u32..0xe000_0000),
        agent6 in 1u128..1 << 120,
        agent4 in prop::option::of(1u32..0xe000_0000),
        port in 1u16..,
        secs in 0u64..4_000_000_000,
        left in 1u64..100_000_000,
        prefix_len in 0u8..=128,
        dns in prop::option::of(1u128..1 << 120),
        (mcoa, heartbeat, networks) in (any::<bool>(), any::<bool>(), 0u16..=8),
    ) -> Grant {
        let mut given = grant(suite);
        given.sa.spi = Spi::new(spi).unwrap();
        let home4 = home4.or(home6.is_none().then_some(7));
        given.sa.home = HomeAddresses::new(home6.map(Ipv6Addr::from), home4.map(Ipv4Addr::from)).unwrap();
        given.sa.home_agent = HomeAgentAddresses::new(Some(agent6.into()), agent4.map(Ipv4Addr::from), port).unwrap();
        given.date = Some(UNIX_EPOCH + Duration::from_secs(secs));
        given.validity_end = UNIX_EPOCH + Duration::from_secs(secs + left);
        given.home_prefix6 = ipnet::Ipv6Net::new(agent6.into(), prefix_len).ok();
        let of = |is_there: bool, one| if is_there { one } else { Features::NONE };
        given.sa.features = of(mcoa, Features::MCOA).or(of(heartbeat, Features::HEARTBEAT));
        let networks = (0..networks).map(|number| ipnet::Ipv6Net::new(Ipv6Addr::new(0x2001, 0xdb8, number, 0, 0, 0, 0, 0), 48).unwrap());
        given.sa.prefixes = MobileNetworkPrefixes::new(networks).unwrap();
        given.home_prefix4 = None;
        given.dns = dns.map(|address| IpAddr::V6(address.into())).into_iter().collect();
        given
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_grant_arrives_as_it_was_given(given in any_grant()) {
        let (mn, hac) = authenticated();
        assert_same(&mn.handle(&hac.grant(&given)).unwrap(), &given);
    }

    #[test]
    fn a_changed_octet_anywhere_in_a_grant_is_noticed(
        profile in prop::sample::select(WireProfile::ALL.to_vec()),
        position in 0usize..2000,
        change in 1u8..,
    ) {
        let (mn, hac) = authenticated_with(Offer { profile, ..offer() });
        let given = match profile {
            WireProfile::Rfc6618 => grant(CipherSuite::Aes128CbcSha),
            WireProfile::Draft04 => draft_04::grant(CipherSuite::Aes128CbcSha, UserData::Protected),
        };
        let mut octets = hac.grant(&given);
        let position = position % octets.len();
        let harmless = harmless(&octets, position, change);
        octets[position] ^= change;
        prop_assert_eq!(mn.handle(&octets).is_ok(), harmless, "octet {} changed by {:#x}", position, change);
    }
}

/// What `auth` does not cover: the reserved bits, and the case of `auth` itself.
fn harmless(octets: &[u8], position: usize, change: u8) -> bool {
    let auth = octets.len() - "auth:\r\n\r\n\r\n".len() - 2 * authenticator::AUTH_LEN;
    let is_letter = position >= auth && octets[position].is_ascii_alphabetic();
    position == 0 && change < 1 << 5 || is_letter && change == 0x20
}
