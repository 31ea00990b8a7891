//! A session in the words of RFC 2866.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::UNIX_EPOCH;

use protocol::addr::HomeAddresses;
use protocol::sa::Spi;

use super::*;
use crate::store::{Access, Traffic, Volume};

fn record() -> SessionRecord {
    SessionRecord {
        id: "00001001-6a28fd80-1".to_owned(),
        spi: Spi::new(0x1001).unwrap(),
        access: Access { user_name: "alice@example.org".to_owned(), class: vec![b"gold".to_vec()], interim: None },
        home: HomeAddresses::new(None, Some(Ipv4Addr::new(10, 9, 0, 2))).unwrap(),
        home_agent: "ha1".to_owned(),
        care_of: "[::ffff:192.0.2.7]:4500".parse::<SocketAddr>().unwrap(),
        began: UNIX_EPOCH + Duration::from_secs(100),
        seconds: 50,
        traffic: Traffic { from_node: Volume { packets: 1, octets: 2 }, to_node: Volume { packets: 3, octets: 4 } },
        ended: None,
        reported: UNIX_EPOCH + Duration::from_secs(150),
    }
}

#[test]
fn a_start_is_of_when_the_session_began_and_all_else_of_its_latest_report() {
    let record = record();
    let start = account(&record, Told::Start);
    assert_eq!((start.status, start.at), (AccountStatus::Start, record.began));
    let interim = account(&record, Told::Interim);
    assert_eq!((interim.status, interim.at), (AccountStatus::Interim, record.reported));
    assert_eq!((interim.session_id, interim.user_name, interim.home_agent), (&*record.id, "alice@example.org", "ha1"));
    assert_eq!((interim.framed_ip4, interim.framed_ip6), (record.home.ip4(), None));
    assert_eq!(interim.care_of, IpAddr::from([192, 0, 2, 7]));
    assert_eq!(interim.time, Duration::from_secs(50));
    assert_eq!((interim.input, interim.output), (Volume { packets: 1, octets: 2 }, Volume { packets: 3, octets: 4 }));
    assert_eq!(interim.class, [b"gold"]);
}

/// RFC 2866 section 5.10.
#[test]
fn every_end_has_its_terminate_cause() {
    let of = |cause| match account(&SessionRecord { ended: Some(cause), ..record() }, Told::Stop).status {
        AccountStatus::Stop(cause) => cause as u32,
        status @ (AccountStatus::Start | AccountStatus::Interim) => panic!("{status:?}"),
    };
    let expected = [
        (SessionCause::Deregistered, 1),
        (SessionCause::BindingExpired, 2),
        (SessionCause::Superseded, 10),
        (SessionCause::Revoked, 6),
        (SessionCause::Disconnected, 6),
        (SessionCause::Expired, 5),
        (SessionCause::HomeAgentRestarted, 11),
        (SessionCause::HomeAgentGone, 3),
    ];
    assert_eq!(expected.map(|(cause, _)| cause), SessionCause::ALL);
    for (cause, number) in expected {
        assert_eq!(of(cause), number, "{cause:?}");
    }
}
