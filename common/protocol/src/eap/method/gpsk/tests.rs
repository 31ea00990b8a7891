//! The messages, octet by octet; what each end refuses is in the modules below. Whole runs with the machines of EAP around them are in
//! `eap::tests`.

mod peer_refuses;
mod server_refuses;

use std::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};

use super::message::{FailureCode, Gpsk1, Gpsk2, Gpsk3, Message, Rand, SuiteOctets, parse, write_gpsk4};
use super::*;
use crate::eap::method::{Around, Directory, PeerMethod, Progress, Reply, ServerMethod, ServerStep};
use crate::eap::{EapError, MethodError, Type};
use crate::sa::Secret;

const PEER: &str = "mn@example.org";
const SERVER: &str = "hac.example.org";
const RAND_PEER: Rand = [0x11; RAND_LEN];
const RAND_SERVER: Rand = [0x22; RAND_LEN];
/// Both suites, as the server lists them.
const SUITES: &[u8] = &[0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 1];

/// Gives one octet again and again: the nonces of the known answers.
struct Octet(u8);

impl TryRng for Octet {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_ne_bytes([self.0; 4]))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_ne_bytes([self.0; 8]))
    }

    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), Infallible> {
        octets.fill(self.0);
        Ok(())
    }
}

impl TryCryptoRng for Octet {}

/// The one subscriber, [`PEER`], with this key; others have a pseudo-key. `None` cannot be read.
struct Subscriber(Option<Secret>);

impl Directory for Subscriber {
    fn pre_shared_key(&mut self, identity: &str) -> Result<Secret, MethodError> {
        let psk = self.0.clone().ok_or(MethodError::Unavailable)?;
        Ok(if identity == PEER { psk } else { Secret::new(vec![0xee; 32]) })
    }
}

/// Octets that count up.
fn psk(len: u8) -> Secret {
    Secret::new((0..len).collect())
}

fn keys(suite: Suite, psk: &Secret) -> Keys {
    let seed = Seed { rand_peer: &RAND_PEER, id_peer: PEER.as_bytes(), rand_server: &RAND_SERVER, id_server: SERVER.as_bytes() };
    Keys::derive(suite, psk, &seed).unwrap()
}

fn gpsk1() -> Gpsk1<'static> {
    Gpsk1 { id_server: SERVER.as_bytes(), rand_server: &RAND_SERVER, suites: SUITES }
}

fn gpsk2(suite: SuiteOctets) -> Gpsk2<'static> {
    Gpsk2 {
        id_peer: PEER.as_bytes(),
        id_server: SERVER.as_bytes(),
        rand_peer: &RAND_PEER,
        rand_server: &RAND_SERVER,
        suites: SUITES,
        suite,
    }
}

fn gpsk3(suite: SuiteOctets) -> Gpsk3<'static> {
    Gpsk3 { rand_peer: &RAND_PEER, rand_server: &RAND_SERVER, id_server: SERVER.as_bytes(), suite }
}

fn peer_handle(peer: &mut GpskPeer, data: &[u8]) -> Result<Reply, MethodError> {
    peer.handle(1, data, &mut Octet(0x11))
}

fn server_handle(server: &mut GpskServer, data: &[u8], directory: Subscriber) -> Result<ServerStep, MethodError> {
    server.handle(data, &mut Around { rng: &mut Octet(0x22), directory: &mut { directory } })
}

/// A server that has sent GPSK-1, which is given, too.
fn started() -> (GpskServer, Vec<u8>) {
    let mut server = GpskServer::new(SERVER).unwrap();
    let first = server.start(&mut Around { rng: &mut Octet(0x22), directory: &mut Subscriber(None) });
    (server, first)
}

/// The payload of GPSK-2 up to the suite, and with it the MACs of GPSK-2, 3, 4 and Protected-Fail, as another implementation makes them.
const KNOWN: [(Suite, u8, [&str; 4]); 2] = [
    (
        Suite::AesCmac,
        16,
        [
            "3994bf474b5daac362e5ddd21d21fdf1",
            "b1255ec20b40e749f956d94eb996b869",
            "09ecf5e2fd5098018e233f56af62abda",
            "2d43c8ffef83757a221304896ddc3022",
        ],
    ),
    (
        Suite::HmacSha256,
        32,
        [
            "c22f0f0c30d8e175e4754ffa701569c8b6fd57522902933bc7a387b10c074a7a",
            "fcc276b7976e761d6ad79c0ecd28bcc0135a4b5e80578bd79a20c984a46c5547",
            "27a50be630c28ddcff0167b5effa5aa28797961eaad880ecb69b845756f62ca1",
            "a4208db600cc23391d44cad9b5ebb0238bb96f5cd6f25cba33502d00d49e0e66",
        ],
    ),
];

/// The figures of section 9.3, field by field.
fn known_messages(suite: Suite, macs: [&str; 4]) -> [Vec<u8>; 6] {
    let (id_peer, id_server) = ("000e6d6e406578616d706c652e6f7267", "000f6861632e6578616d706c652e6f7267");
    let (rand_peer, rand_server) = ("11".repeat(32), "22".repeat(32));
    let (list, sel) = ("000c000000000002000000000001", hex::encode(suite.octets()));
    let of = |digits: String| hex::decode(digits).unwrap();
    [
        of(format!("01{id_server}{rand_server}{list}")),
        of(format!("02{id_peer}{id_server}{rand_peer}{rand_server}{list}{sel}0000{}", macs[0])),
        of(format!("03{rand_peer}{rand_server}{id_server}{sel}0000{}", macs[1])),
        of(format!("040000{}", macs[2])),
        of("0500000002".into()),
        of(format!("0600000003{}", macs[3])),
    ]
}

#[test]
fn messages_are_written_as_rfc_5433_section_9_3_draws_them() {
    for (suite, psk_len, macs) in KNOWN {
        let (keys, sel) = (keys(suite, &psk(psk_len)), suite.octets());
        let written = [
            gpsk1().write(),
            gpsk2(sel).write(&keys),
            gpsk3(sel).write(&keys),
            write_gpsk4(&keys),
            FailureCode::AUTHENTICATION.write_fail(),
            FailureCode::AUTHORIZATION.write_protected_fail(&keys),
        ];
        assert_eq!(written.map(hex::encode), known_messages(suite, macs).map(hex::encode), "{suite:?}");
    }
}

#[test]
fn messages_are_read_back_with_their_macs() {
    for (suite, psk_len, macs) in KNOWN {
        let (keys, sel) = (keys(suite, &psk(psk_len)), suite.octets());
        let [first, second, third, fourth, fail, protected] = known_messages(suite, macs);
        assert!(parse(&first) == Ok(Message::Gpsk1(gpsk1())));
        assert!(matches!(parse(&second), Ok(Message::Gpsk2(message, mac)) if message == gpsk2(sel) && keys.verify(&mac)));
        assert!(matches!(parse(&third), Ok(Message::Gpsk3(message, mac)) if message == gpsk3(sel) && keys.verify(&mac)));
        assert!(matches!(parse(&fourth), Ok(Message::Gpsk4(mac)) if keys.verify(&mac)));
        assert!(parse(&fail) == Ok(Message::Fail(FailureCode::AUTHENTICATION)));
        let authorization = FailureCode::AUTHORIZATION;
        assert!(matches!(parse(&protected), Ok(Message::ProtectedFail(code, mac)) if code == authorization && keys.verify(&mac)));
    }
}

#[test]
fn the_two_ends_say_the_known_messages_to_each_other_and_have_the_same_key() {
    for (suite, psk_len, macs) in KNOWN {
        let [first, second, third, fourth, ..] = known_messages(suite, macs);
        let (mut peer, (mut server, said)) = (GpskPeer::new(PEER, psk(psk_len)).unwrap(), started());
        let subscriber = || Subscriber(Some(psk(psk_len)));
        assert_eq!(said, first);
        assert_eq!(peer_handle(&mut peer, &first), Ok(Reply { data: second.clone(), progress: Progress::Continue }));
        assert!(matches!(server_handle(&mut server, &second, subscriber()), Ok(ServerStep::Request(data)) if data == third));
        assert!(peer.msk().is_none());
        assert_eq!(peer_handle(&mut peer, &third), Ok(Reply { data: fourth.clone(), progress: Progress::Done }));
        let step = server_handle(&mut server, &fourth, subscriber()).unwrap();
        let ServerStep::Authenticated { identity, msk } = step else { panic!("another request") };
        assert_eq!((identity.as_str(), msk.unwrap().expose()), (PEER, peer.msk().unwrap().expose()));
    }
}

#[test]
fn protected_data_is_covered_by_the_mac_and_skipped() {
    let keys = keys(Suite::HmacSha256, &psk(32));
    let block = [0_u8, 9, 9, 0];
    let third = gpsk3(Suite::HmacSha256.octets()).write(&keys);
    let with_data = |len: u16, block: &[u8]| {
        let fields = &third[..third.len() - 32 - 2];
        keys.sign([fields, &len.to_be_bytes(), block].concat())
    };
    let handle = |third: &[u8]| {
        let mut peer = GpskPeer::new(PEER, psk(32)).unwrap();
        peer_handle(&mut peer, &gpsk1().write()).unwrap();
        peer_handle(&mut peer, third).map(|reply| reply.progress)
    };
    let mut changed = with_data(4, &block);
    assert_eq!(handle(&changed), Ok(Progress::Done));
    let last = changed.len() - 33;
    changed[last] ^= 1;
    assert_eq!(handle(&changed), Err(MethodError::WrongCredentials));
    assert_eq!(handle(&with_data(1024, &[0; 1024])), Ok(Progress::Done));
    assert_eq!(handle(&with_data(1025, &[0; 1025])), Err(MethodError::TooLong));
    assert_eq!(handle(&with_data(500, &block)), Err(MethodError::Malformed));
}

#[test]
fn what_is_cut_short_or_has_octets_too_many_is_no_message() {
    let [messages @ .., _, _] = known_messages(Suite::AesCmac, KNOWN[0].2);
    for message in messages {
        for cut in 0..message.len() {
            let fields_len = message.len() - if message[0] == 1 { 0 } else { 16 };
            assert_eq!(parse(&message[..cut]).is_err(), cut < fields_len, "OP-Code {}, {cut} octets", message[0]);
        }
    }
    for digits in ["", "00", "07", "ff00", "05", "05000000", "050000000200", "06000000", "0100000000"] {
        assert!(parse(&hex::decode(digits).unwrap()).err() == Some(MethodError::Malformed), "{digits}");
    }
    let first = [gpsk1().write(), vec![0]].concat();
    assert!(parse(&first).err() == Some(MethodError::Malformed));
}

#[test]
fn identities_and_lists_have_bounds() {
    let (name, list) = ([b'n'; 254], [0; 17 * 6]);
    let of = |id_server, suites| parse(&Gpsk1 { id_server, rand_server: &RAND_SERVER, suites }.write()).err();
    assert_eq!((of(&name[..253], &list[..96]), of(&[], &[])), (None, None));
    assert_eq!((of(&name, &list[..6]), of(&name[..1], &list)), (Some(MethodError::TooLong), Some(MethodError::TooLong)));
    assert_eq!(
        (of(&name[..1], &list[..7]), of(&name[..1], &list[..5])),
        (Some(MethodError::Malformed), Some(MethodError::Malformed))
    );
}
