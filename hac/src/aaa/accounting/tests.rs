//! What an Accounting-Request has, against octets that another program has made.

use super::super::packet::{Attributes, Packet};
use super::*;
use protocol::sa::Secret;

/// Made with Python's hashlib, attribute by attribute after the RFCs.
const STOP: &str = "04c800d9ba82d8a749c61bc3da1a7f5b0269e4722806000000022c1531303030303030312d36613238666438302d320113616c696365406578616d706c652e6f72671906676f6c64190400ff20116861632e6578616d706c652e6f72673d06000000050606000000022d060000000108060a090002a81220010db80100000000000000000000021f0b3139322e302e322e371e116861312e6578616d706c652e6f726737066a28fd602e0600000e102a06000000072b06800000003406000000033506000000002f06ffffffff300600000009310600000001";

fn classes() -> Vec<Vec<u8>> {
    vec![b"gold".to_vec(), vec![0, 255]]
}

fn account(status: AccountStatus, class: &[Vec<u8>]) -> Account<'_> {
    Account {
        status,
        session_id: "10000001-6a28fd80-2",
        user_name: "alice@example.org",
        class,
        framed_ip4: Some(Ipv4Addr::new(10, 9, 0, 2)),
        framed_ip6: Some("2001:db8:100::2".parse().unwrap()),
        home_agent: "ha1.example.org",
        care_of: "::ffff:192.0.2.7".parse().unwrap(),
        at: UNIX_EPOCH + Duration::from_secs(1_781_071_200),
        time: Duration::from_secs(3600),
        input: Volume { packets: u64::MAX, octets: (3 << 32) + 7 },
        output: Volume { packets: 9, octets: 1 << 31 },
    }
}

fn sealed(account: &Account<'_>) -> Vec<u8> {
    let content = account.content("hac.example.org").unwrap();
    content.seal(200, [0x77; 16], &Secret::new(b"xyzzy5461".to_vec())).octets().to_vec()
}

fn kinds(octets: &[u8]) -> Vec<u8> {
    Packet::parse(octets).unwrap().attributes().into_iter().map(|attribute| attribute.kind.0).collect()
}

/// RFC 2866 section 3: the Request Authenticator comes out of the packet, whatever is drawn for it.
#[test]
fn a_stop_is_the_same_octets_as_another_program_makes() {
    let class = classes();
    assert_eq!(hex::encode(sealed(&account(AccountStatus::Stop(TerminateCause::UserRequest), &class))), STOP);
}

#[test]
fn a_start_says_nothing_of_usage_and_an_interim_nothing_of_an_end() {
    let class = classes();
    let stop = kinds(&sealed(&account(AccountStatus::Stop(TerminateCause::AdminReset), &class)));
    let interim = kinds(&sealed(&account(AccountStatus::Interim, &class)));
    let start = kinds(&sealed(&account(AccountStatus::Start, &class)));
    assert_eq!(stop.strip_suffix(&[49]), Some(&interim[..]));
    assert_eq!(interim.strip_suffix(&[46, 42, 43, 52, 53, 47, 48]), Some(&start[..]));
}

#[test]
fn a_session_of_one_family_names_no_address_of_the_other() {
    let only4 = Account { framed_ip6: None, ..account(AccountStatus::Start, &[]) };
    let only6 = Account { framed_ip4: None, ..account(AccountStatus::Start, &[]) };
    assert!(!kinds(&sealed(&only4)).contains(&Kind::FRAMED_IPV6_ADDRESS.0));
    assert!(!kinds(&sealed(&only6)).contains(&Kind::FRAMED_IP_ADDRESS.0));
}

#[test]
fn the_longest_names_and_classes_fit() {
    let class = vec![vec![7; 253]; super::super::MAX_CLASSES];
    let name = "n".repeat(253);
    let longest = Account { user_name: &name, home_agent: &name, session_id: &name, ..account(AccountStatus::Interim, &class) };
    let octets = sealed(&longest);
    assert_eq!(Attributes::parse(&octets[20..]).unwrap().all(Kind::CLASS).count(), class.len());
    let too_long = "n".repeat(254);
    assert!(Account { user_name: &too_long, ..longest }.content("hac.example.org").is_err());
}
