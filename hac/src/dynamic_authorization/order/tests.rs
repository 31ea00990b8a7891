//! What may be asked for, and every reason to refuse.

use super::super::request::tests::{CHANGE, DISCONNECT, attribute, sealed, secret};
use super::super::request::verify;
use super::*;

const HAC: &str = "hac.example.org";
const DISCONNECT_REQUEST: u8 = 40;
const COA_REQUEST: u8 = 43;

fn order(code: u8, attributes: &[(Kind, &[u8])]) -> Result<Order, ErrorCause> {
    let attributes: Vec<u8> = attributes.iter().flat_map(|(kind, value)| attribute(*kind, value)).collect();
    read(&verify(&sealed(code, &attributes), &secret()).unwrap(), HAC)
}

/// Code, attributes, and why that is refused.
type Row<'a> = (u8, &'a [(Kind, &'a [u8])], ErrorCause);

const NAME: (Kind, &[u8]) = (Kind::USER_NAME, b"alice@example.org");
const SESSION: (Kind, &[u8]) = (Kind::ACCT_SESSION_ID, b"10000001-6a28fd80-2");
const STAMP: (Kind, &[u8]) = (Kind::EVENT_TIMESTAMP, &[0; 4]);
const ONLY: (Kind, &[u8]) = (Kind::SERVICE_TYPE, &[0, 0, 0, 17]);
const STATE: (Kind, &[u8]) = (Kind::STATE, b"state");
const TIMEOUT: (Kind, &[u8]) = (Kind::SESSION_TIMEOUT, &[0, 0, 0, 5]);
const CLASS: (Kind, &[u8]) = (Kind::CLASS, b"gold");

#[test]
fn requests_of_another_program_are_read() {
    let of = |text| read(&verify(&hex::decode(text).unwrap(), &secret()).unwrap(), HAC).unwrap();
    let alice = Sessions { user_name: Some("alice@example.org".to_owned()), ..Sessions::default() };
    assert_eq!(of(DISCONNECT), Order { sessions: alice, action: Action::Disconnect { class: None } });
    let session = Sessions { session_id: Some("10000001-6a28fd80-2".to_owned()), ..Sessions::default() };
    assert_eq!(of(CHANGE), Order { sessions: session, action: Action::Reauthorise });
}

#[test]
fn a_session_is_named_by_all_that_is_said_of_it() {
    let address: Ipv6Addr = "2001:db8:100::2".parse().unwrap();
    let within: (Kind, &[u8]) = (Kind::FRAMED_IPV6_PREFIX, &[0, 48, 0x20, 1, 0x0d, 0xb8, 1, 0]);
    let beside: (Kind, &[u8]) = (Kind::FRAMED_IPV6_PREFIX, &[0, 48, 0x20, 1, 0x0d, 0xb8, 2, 0]);
    let (ip4, ip6) = ((Kind::FRAMED_IP_ADDRESS, &[10, 9, 0, 2][..]), (Kind::FRAMED_IPV6_ADDRESS, &address.octets()[..]));
    let sessions = order(DISCONNECT_REQUEST, &[NAME, SESSION, ip4, ip6, within]).unwrap().sessions;
    assert_eq!(sessions.user_name.as_deref(), Some("alice@example.org"));
    assert_eq!(sessions.session_id.as_deref(), Some("10000001-6a28fd80-2"));
    assert_eq!((sessions.home4, sessions.home6), (Some(Ipv4Addr::new(10, 9, 0, 2)), Some(address.into())));
    let by_prefix = order(DISCONNECT_REQUEST, &[within, STAMP]).unwrap().sessions;
    assert_eq!(by_prefix.home6, Some("2001:db8:100::/48".parse().unwrap()));
    assert_eq!(order(DISCONNECT_REQUEST, &[ip6, beside, STAMP]), Err(ErrorCause::SessionContextNotFound));
}

#[test]
fn changes_are_read() {
    let change = order(COA_REQUEST, &[NAME, STAMP, TIMEOUT, CLASS, (Kind::ACCT_INTERIM_INTERVAL, &[0, 0, 0, 60])]);
    let [five, minute] = [5, 60].map(|seconds| Some(Duration::from_secs(seconds)));
    let expected = Action::Change { ends_in: five, class: Some(vec![b"gold".to_vec()]), interim: minute };
    assert_eq!(change.unwrap().action, expected);
    let disconnect = order(DISCONNECT_REQUEST, &[NAME, STAMP, CLASS, (Kind::ACCT_TERMINATE_CAUSE, &[0, 0, 0, 6])]);
    assert_eq!(disconnect.unwrap().action, Action::Disconnect { class: Some(vec![b"gold".to_vec()]) });
}

/// RFC 5176 sections 2.3, 3 and 3.5.
#[test]
fn what_cannot_be_done_is_refused_with_its_cause() {
    let number = |kind, value: &'static [u8; 4]| (kind, &value[..]);
    let ours = (Kind::NAS_IDENTIFIER, HAC.as_bytes());
    let rows: [Row<'_>; 22] = [
        (DISCONNECT_REQUEST, &[STAMP], ErrorCause::MissingAttribute),
        (DISCONNECT_REQUEST, &[STAMP, ours], ErrorCause::MissingAttribute),
        (DISCONNECT_REQUEST, &[NAME], ErrorCause::MissingAttribute),
        (DISCONNECT_REQUEST, &[NAME, STAMP, number(Kind::SERVICE_TYPE, &[0, 0, 0, 17])], ErrorCause::UnsupportedAttribute),
        (DISCONNECT_REQUEST, &[NAME, STAMP, TIMEOUT], ErrorCause::UnsupportedAttribute),
        (DISCONNECT_REQUEST, &[NAME, STAMP, (Kind(26), b"vendor")], ErrorCause::UnsupportedAttribute),
        (DISCONNECT_REQUEST, &[NAME, STAMP, (Kind::NAS_PORT, &[0; 4])], ErrorCause::UnsupportedAttribute),
        (DISCONNECT_REQUEST, &[NAME, STAMP, (Kind::NAS_IDENTIFIER, b"hac2")], ErrorCause::NasIdentificationMismatch),
        (DISCONNECT_REQUEST, &[NAME, NAME, STAMP], ErrorCause::InvalidRequest),
        (DISCONNECT_REQUEST, &[NAME, STAMP, STAMP], ErrorCause::InvalidRequest),
        (DISCONNECT_REQUEST, &[(Kind::FRAMED_IP_ADDRESS, &[10, 9, 0]), STAMP], ErrorCause::InvalidRequest),
        (DISCONNECT_REQUEST, &[(Kind::FRAMED_IPV6_PREFIX, &[0, 129]), STAMP], ErrorCause::InvalidRequest),
        (DISCONNECT_REQUEST, &[(Kind::USER_NAME, b""), STAMP], ErrorCause::InvalidAttributeValue),
        (DISCONNECT_REQUEST, &[(Kind::USER_NAME, b"\xff"), STAMP], ErrorCause::InvalidAttributeValue),
        (COA_REQUEST, &[NAME, STAMP], ErrorCause::MissingAttribute),
        (COA_REQUEST, &[SESSION, CLASS], ErrorCause::MissingAttribute),
        (COA_REQUEST, &[NAME, STAMP, ONLY], ErrorCause::MissingAttribute),
        (COA_REQUEST, &[NAME, STAMP, ONLY, STATE, CLASS], ErrorCause::UnsupportedAttribute),
        (COA_REQUEST, &[NAME, STAMP, number(Kind::SERVICE_TYPE, &[0, 0, 0, 2])], ErrorCause::UnsupportedService),
        (COA_REQUEST, &[NAME, STAMP, number(Kind::SESSION_TIMEOUT, &[0, 0, 0, 4])], ErrorCause::InvalidAttributeValue),
        (COA_REQUEST, &[NAME, STAMP, number(Kind::ACCT_INTERIM_INTERVAL, &[0, 0, 0, 59])], ErrorCause::InvalidAttributeValue),
        (COA_REQUEST, &[NAME, STAMP, CLASS, (Kind(11), b"filter")], ErrorCause::UnsupportedAttribute),
    ];
    for (number, (code, attributes, cause)) in rows.into_iter().enumerate() {
        assert_eq!(order(code, attributes), Err(cause), "row {number}");
    }
}

#[test]
fn who_names_this_hac_or_an_address_of_it_is_heard() {
    for more in
        [(Kind::NAS_IDENTIFIER, HAC.as_bytes()), (Kind::NAS_IP_ADDRESS, &[192, 0, 2, 1]), (Kind::NAS_IPV6_ADDRESS, &[1; 16])]
    {
        assert!(order(DISCONNECT_REQUEST, &[NAME, STAMP, more]).is_ok(), "{more:?}");
    }
    assert!(order(DISCONNECT_REQUEST, &[SESSION]).is_ok(), "one session that does not come again");
}
