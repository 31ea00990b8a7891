//! Seeds of EAP's methods: their messages, and each with one thing changed.

use protocol::eap::method::gpsk::message::{FailureCode, Gpsk1};
use protocol::eap::method::gpsk::{RAND_LEN, Suite};
use protocol::eap::method::tls::avp::{Avp, Code};
use protocol::eap::method::tls::fragment::{Fragment, Outgoing};
use tests::fuzz::eap::SERVER;
use tests::fuzz::over_tls::MESSAGE;
use tests::fuzz::pieces::join;

use crate::Seed;
use crate::eap::conversation;

/// Target and seeds.
pub(crate) fn all() -> Vec<(&'static str, Vec<Seed>)> {
    vec![("gpsk", gpsk()), ("eap_tls_fragments", fragments()), ("ttls_avp", avps())]
}

fn gpsk() -> Vec<Seed> {
    let [from_server, from_peer] = conversation();
    let type_data = |packet: &Vec<u8>| packet[5..].to_vec();
    let [gpsk1, gpsk2, gpsk3, gpsk4] = [&from_server[1], &from_peer[1], &from_server[2], &from_peer[2]].map(type_data);
    let mut with_data = gpsk4.clone();
    with_data.splice(1..3, [0, 4, 0, 9, 9, 9]);
    let list = |suites: &[u8]| Gpsk1 { id_server: SERVER.as_bytes(), rand_server: &[7; RAND_LEN], suites }.write();
    let rows: [(&str, Vec<u8>); 11] = [
        ("gpsk_1_cut", gpsk1[..gpsk1.len() - 1].to_vec()),
        ("gpsk_1", gpsk1),
        ("gpsk_1_no_suites", list(&[])),
        ("gpsk_1_many_suites", list(&[0; 17 * Suite::LEN])),
        ("gpsk_1_half_a_suite", list(&[0, 0, 0])),
        ("gpsk_2", gpsk2),
        ("gpsk_3", gpsk3),
        ("gpsk_4_protected_data", with_data),
        ("gpsk_4", gpsk4),
        ("fail", FailureCode::PSK_NOT_FOUND.write_fail()),
        ("protected_fail", [&[6, 0, 0, 0, 3][..], &[0x5a; 32]].concat()),
    ];
    rows.map(|(name, octets)| (name.to_owned(), octets)).to_vec()
}

fn fragments() -> Vec<Seed> {
    let message: Vec<u8> = (0..=255).collect();
    let mut outgoing = Outgoing::new(100);
    outgoing.load(message.clone());
    let three: Vec<Vec<u8>> = (0..3).map(|_| outgoing.next_fragment()).collect();
    let whole = Fragment { data: &message, ..Fragment::ACKNOWLEDGEMENT }.write();
    let part = |total| Fragment { total: Some(total), is_more: true, is_start: false, data: &[7] };
    let trickle = part(60_000).write();
    let too_long = part(65_537).write();
    // A message of so many times 1,024 octets, in fragments of this length.
    let cut = |times: u8, len: u16| [&[MESSAGE | times], &len.to_be_bytes()[..], &message.repeat(4)].concat();
    let rows: [(&str, Vec<u8>); 11] = [
        ("three", join(0, &three)),
        ("three_twice", join(0, three.iter().chain(&three))),
        ("last_missing", join(0, three[..2].iter().chain([&whole]))),
        ("whole", join(0, [&whole, &Fragment::START.write()])),
        ("trickle", join(0, vec![trickle; 60])),
        ("too_long", join(0, [too_long])),
        ("cut_in_one", cut(1, 1_024)),
        ("cut_in_many", cut(5, 1_280)),
        ("cut_in_too_many", cut(5, 100)),
        ("cut_longest", cut(64, 3_072)),
        ("cut_too_long", cut(65, 3_072)),
    ];
    rows.map(|(name, octets)| (name.to_owned(), octets)).to_vec()
}

fn avps() -> Vec<Seed> {
    let write = |avps: &[Avp<'_>]| {
        let mut octets = Vec::new();
        avps.iter().for_each(|avp| avp.write(&mut octets));
        octets
    };
    let (user, password) = (Avp::mandatory(Code::USER_NAME, b"alice"), Avp::mandatory(Code::USER_PASSWORD, &[7; 16]));
    let challenge = Avp::mandatory(Code::MS_CHAP_CHALLENGE, &[1; 16]);
    let proof = Avp::mandatory(Code::MS_CHAP2_SUCCESS, b"\x01S=0123456789ABCDEF0123456789ABCDEF01234567");
    let text = Avp { is_mandatory: false, ..Avp::mandatory(Code::REPLY_MESSAGE, b"welcome") };
    let mut unpadded = write(&[user]);
    unpadded.truncate(13);
    let rows: [(&str, Vec<u8>); 9] = [
        ("pap", write(&[user, password])),
        ("ms_chap", write(&[user, challenge, Avp::mandatory(Code::MS_CHAP2_RESPONSE, &[2; 50])])),
        ("answer", write(&[proof, text])),
        ("unpadded", unpadded),
        ("vendor_0", vec![0, 0, 0, 1, 0x80, 0, 0, 12, 0, 0, 0, 0]),
        ("short_length", vec![0, 0, 0, 1, 0x40, 0, 0, 7]),
        ("long_length", vec![0, 0, 0, 1, 0x40, 0xff, 0xff, 0xff, 1, 2, 3, 4]),
        ("as_many_as_may_be", write(&[text; 32])),
        ("too_many", write(&[text; 33])),
    ];
    rows.map(|(name, octets)| (name.to_owned(), octets)).to_vec()
}
