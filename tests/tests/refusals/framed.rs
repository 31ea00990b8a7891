//! Home addresses that a AAA server chooses and the HAC cannot give: choice -> status. The HAC is real, and asks over RADIUS; the AAA
//! server is made here, and grants access in one round of EAP-MD5, which makes no key.

use std::net::{Ipv6Addr, SocketAddr};

use hac::aaa::{Attributes, Awaited, Decision, Kind, Service};
use protocol::eap::method::md5::Md5;
use protocol::eap::peer::Peer;
use protocol::eap::{Packet, Type};
use protocol::mhauth::initiator::{Failure, eap};
use protocol::mhauth::{EapOffer, Grant, Status};
use protocol::profile::WireProfile;
use protocol::sa::{CipherSuite, Secret, UserData};
use tests::fuzz::radius::{SECRET, authentic_to};
use tokio::io::AsyncWriteExt;
use tokio::net::UdpSocket;

use super::controller::{Hac, message};

const BOB: &str = "bob@aaa.example";
const CAROL: &str = "carol@aaa.example";
/// The pools that `hac init` writes.
const POOL6: &str = "2001:db8:100::/64";
const POOL4: &str = "10.9.0.0/24";

/// What is wrong, one attribute of the Access-Accept, and how that ends.
type Row = (&'static str, (Kind, Vec<u8>), Status);

fn ip4(last: [u8; 4]) -> (Kind, Vec<u8>) {
    (Kind::FRAMED_IP_ADDRESS, last.to_vec())
}

fn ip6(address: &str) -> (Kind, Vec<u8>) {
    (Kind::FRAMED_IPV6_ADDRESS, address.parse::<Ipv6Addr>().unwrap().octets().to_vec())
}

fn prefix(kind: Kind, network: &str, len: u8) -> (Kind, Vec<u8>) {
    (kind, [&[0, len], &network.parse::<Ipv6Addr>().unwrap().octets()[..]].concat())
}

/// In a HAC with pools of both families.
fn rows() -> Vec<Row> {
    let rows = [
        ("an IPv4 address out of the pool", ip4([10, 8, 0, 9])),
        ("the network's address", ip4([10, 9, 0, 0])),
        ("the home agent's own", ip4([10, 9, 0, 1])),
        ("the broadcast address", ip4([10, 9, 0, 255])),
        ("an IPv6 address out of the pool", ip6("2001:db8:101::9")),
        ("the subnet-router anycast address", ip6("2001:db8:100::")),
        ("the home agent's own IPv6 address", ip6("2001:db8:100::1")),
        ("a prefix out of the pool", prefix(Kind::FRAMED_IPV6_PREFIX, "2001:db8:101::", 64)),
        ("a prefix that is wider", prefix(Kind::FRAMED_IPV6_PREFIX, "2001:db8:100::", 56)),
        ("a delegated prefix out of the pool", prefix(Kind::DELEGATED_IPV6_PREFIX, "2001:db8:200::", 56)),
    ];
    rows.into_iter().map(|(what, chosen)| (what, chosen, Status::ServerError)).collect()
}

/// A HAC that asks the AAA server for one realm.
async fn hac(init: &[&str], aaa: SocketAddr) -> Hac {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    let sections = format!(
        "[radius]\nservers = [\"{aaa}\"]\nsecret-file = {secret:?}\n[authentication]\nmethods = [\"psk\"]\n\
         [realm.\"aaa.example\"]\nmethods = [\"eap\"]\nwithout-key = [\"md5\"]\n"
    );
    Hac::start_as(init, &sections).await
}

/// Answers every Access-Request: the identity with EAP-MD5, the rest with access and what is `chosen` then.
struct Aaa {
    socket: UdpSocket,
}

impl Aaa {
    async fn start() -> Self {
        Self { socket: UdpSocket::bind("127.0.0.1:0").await.unwrap() }
    }

    /// Access for this user with this attribute: two rounds.
    async fn grants(&self, user: &str, chosen: &[(Kind, Vec<u8>)]) {
        let challenge = |last: u8| {
            let request = Packet::Request { identifier: last.wrapping_add(1), kind: Type::MD5, data: &[1, 0x77] };
            vec![(Kind::EAP_MESSAGE, request.write())]
        };
        self.answers(Decision::Challenge, challenge).await;
        let granted = |last: u8| {
            let success = Packet::Success { identifier: last }.write();
            [&[(Kind::EAP_MESSAGE, success), (Kind::USER_NAME, user.into())][..], chosen].concat()
        };
        self.answers(Decision::Accept, granted).await;
    }

    /// `attributes` are of the Identifier of the EAP-Response: the next request has another, or the node would take it for the last
    /// (RFC 3748 section 4.1).
    async fn answers(&self, decision: Decision, attributes: impl Fn(u8) -> Vec<(Kind, Vec<u8>)>) {
        let mut octets = [0; 4096];
        let (len, from) = self.socket.recv_from(&mut octets).await.unwrap();
        let (authenticator, service) = (*octets[4..].first_chunk().unwrap(), Service::Authentication);
        let asked = Awaited { identifier: octets[1], authenticator, service };
        let eap = Attributes::parse(&octets[20..len]).unwrap().first(Kind::EAP_MESSAGE).unwrap();
        let attribute =
            |(kind, value): &(Kind, Vec<u8>)| [&[kind.0, u8::try_from(value.len() + 2).unwrap()], &value[..]].concat();
        let attributes: Vec<u8> = attributes(eap[1]).iter().flat_map(attribute).collect();
        self.socket.send_to(&authentic_to(&asked, decision, &attributes), from).await.unwrap();
    }
}

/// One run of a node.
async fn authenticates(hac: &Hac, nai: &str) -> Result<Grant, Failure> {
    let peer = Peer::new(nai, vec![Box::new(Md5::new(Secret::new(b"sesame".to_vec())))]).unwrap();
    let (suites, user_data, profile) = (vec![CipherSuite::Aes128Gcm], UserData::Protected, WireProfile::Rfc6618);
    let offer = EapOffer { mn_id: nai.parse().unwrap(), peer, psk: None, profile, suites, user_data };
    let mut stream = hac.handshake().await;
    let (selecting, request) = eap::start(offer, hac.binding.clone(), &mut rand::rng());
    stream.write_all(&request).await.unwrap();
    let mut step = selecting.handle(&message(&mut stream).await, &mut rand::rng())?;
    loop {
        step = match step {
            eap::Step::Mid(node, request) => {
                stream.write_all(&request).await.unwrap();
                node.handle(&message(&mut stream).await, &mut rand::rng())?
            }
            eap::Step::Done(node, request) => {
                stream.write_all(&request).await.unwrap();
                node.handle(&message(&mut stream).await, &mut rand::rng())?
            }
            eap::Step::Granted(grant) => return Ok(*grant),
            eap::Step::Psk(..) => panic!("EAP is the realm's only method"),
        };
    }
}

/// It ends as the row says, counts as that and nothing else, and the same user without that choice is granted.
async fn assert_row(hac: &Hac, aaa: &Aaa, (what, chosen, status): &Row) {
    let before = hac.books().await;
    let (ended, ()) = tokio::join!(authenticates(hac, BOB), aaa.grants(BOB, std::slice::from_ref(chosen)));
    match ended {
        Err(Failure::Refused { status: told, .. }) => assert_eq!(told, *status, "{what}"),
        other => panic!("{what}: {:?}", other.map(|grant| grant.sa.home)),
    }
    assert_eq!(hac.books().await, before.with_one_more(&status.code().to_string()), "{what}");
    let (granted, ()) = tokio::join!(authenticates(hac, BOB), aaa.grants(BOB, &[]));
    hac.ends(granted.unwrap().sa.spi).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_address_that_the_hac_cannot_route_is_500_and_loses_nothing() {
    let aaa = Aaa::start().await;
    let hac = hac(&["--pool6", POOL6, "--pool4", POOL4], aaa.socket.local_addr().unwrap()).await;
    for row in rows() {
        assert_row(&hac, &aaa, &row).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_address_of_a_family_without_a_pool_is_500_and_loses_nothing() {
    for (pool, chosen) in [(["--pool6", POOL6], ip4([10, 9, 0, 9])), (["--pool4", POOL4], ip6("2001:db8:100::9"))] {
        let aaa = Aaa::start().await;
        let hac = hac(&pool, aaa.socket.local_addr().unwrap()).await;
        assert_row(&hac, &aaa, &("another family", chosen, Status::ServerError)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_address_of_somebody_who_may_still_be_served_is_503_also_after_his_association_was_ended() {
    let aaa = Aaa::start().await;
    let hac = hac(&["--pool6", POOL6, "--pool4", POOL4], aaa.socket.local_addr().unwrap()).await;
    let taken = ip4([10, 9, 0, 99]);
    let (granted, ()) = tokio::join!(authenticates(&hac, CAROL), aaa.grants(CAROL, std::slice::from_ref(&taken)));
    let carols = granted.unwrap().sa.spi;
    for is_ended in [false, true] {
        if is_ended {
            hac.ends(carols).await;
        }
        assert_row(&hac, &aaa, &("carol's", taken.clone(), Status::Unavailable)).await;
    }
    let (again, ()) = tokio::join!(authenticates(&hac, CAROL), aaa.grants(CAROL, std::slice::from_ref(&taken)));
    assert_eq!(again.unwrap().sa.home.ip4(), "10.9.0.99".parse().ok(), "her own");
}
