//! What else a AAA server can say, or not say.

use super::*;
use crate::aaa::Unusable;

fn after(answer: Result<Answer, AaaError>) -> (Status, String, Failure) {
    world(EapServer::Radius).eap_with(scripted(NAI), &mut Aaa::saying(answer)).closed()
}

#[test]
fn a_reject_is_401_with_the_servers_eap_failure_or_with_one_of_the_hacs() {
    for eap in [Some(failure()), None] {
        let (status, lines, failure) = after(Ok(Answer::Reject { eap }));
        assert_eq!((status, failure), (Status::NotAuthenticated, Failure::Eap(EapError::Failure)));
        assert_eq!(lines, "eap-payload:04640004\r\nstatus-code:401\r\n");
    }
}

#[test]
fn each_way_in_which_no_answer_comes_has_its_status_and_a_warning() {
    let (server, limit) = ("192.0.2.1:1812".to_owned(), Duration::from_secs(10));
    let retry = Some(wall() + RETRY_BUSY);
    let rows = [
        (AaaError::Silent { server: server.clone(), over_tls: false, limit, dropped: 0 }, 504, None),
        (AaaError::Unreachable { server: server.clone(), limit, reason: "refused".to_owned() }, 504, None),
        (AaaError::Busy { server: server.clone() }, 503, retry),
        (AaaError::Socket { server: server.clone(), source: std::io::Error::other("none") }, 503, retry),
        (AaaError::Unusable { server, unusable: Unusable::NoRequest }, 500, None),
    ];
    for (error, status, retry_after) in rows {
        let status = Status::from_code(status).unwrap();
        let ((ended, lines, failure), logged) = fixture::logged(|| after(Err(error)));
        assert_eq!((ended, failure), (status, Failure::Refused { status, retry_after, authenticated: false }));
        assert!(lines.starts_with("status-code:"), "EAP itself has not failed: {lines}");
        assert!(logged.len() == 1 && logged[0].contains("WARN") && logged[0].contains("192.0.2.1"), "{logged:?}");
    }
}

#[test]
fn what_the_node_itself_did_wrong_is_400_without_a_warning() {
    for error in [AaaError::NotAResponse, AaaError::Identity(0)] {
        let ((status, ..), logged) = fixture::logged(|| after(Err(error)));
        assert_eq!((status, logged.len()), (Status::Malformed, 0), "{logged:?}");
    }
}

#[test]
fn access_without_a_fitting_eap_success_is_500() {
    for eap in [None, Some(failure()), Some(Packet::Success { identifier: 99 }.write()), Some(b"junk".to_vec())] {
        let answer = Ok(Answer::Accept(Accept { eap, ..accept(Some(NAI)) }));
        let ((status, lines, failure), logged) = fixture::logged(|| after(answer));
        assert_eq!((status, failure), (Status::ServerError, hint(Status::ServerError)));
        assert_eq!(lines, "eap-payload:04640004\r\nstatus-code:500\r\n");
        assert!(logged.len() == 1 && logged[0].contains("ERROR") && !logged[0].contains("alice"), "{logged:?}");
    }
}

#[test]
fn access_under_another_key_than_the_nodes_is_401_and_nothing_is_committed() {
    let mut world = world(EapServer::Radius);
    for msk in [vec![0x5b; 64], vec![0x5a; 63]] {
        let accept = Accept { msk: Some(Secret::new(msk)), ..accept(Some(NAI)) };
        let run = world.accepted(NAI, accept);
        let Step::Close(octets) = run.step else { panic!("the run ends") };
        assert_eq!(run.session.ended(), Some(Status::NotAuthenticated));
        assert!(lines(&octets).ends_with("status-code:401\r\n"));
    }
    let run = world.accepted(NAI, Accept { msk: None, ..accept(Some(NAI)) });
    assert_eq!(run.closed().0, Status::NotAuthenticated);
    assert_eq!(world.store.counts(world.wall).unwrap().live_sas, 0);
}

#[test]
fn a_node_that_answers_another_request_is_not_asked_for() {
    let mut world = world(EapServer::Radius);
    let mut session = Session::new(binding(), source());
    let (node, request) = Node::start(scripted(NAI));
    let Step::Reply(response) = world.handle(&mut session, &request) else { panic!("EAP begins") };
    let (_, good) = node.goes_on(&response);
    let payload = lines(&good).replace("eap-payload:", "").trim().to_owned();
    let mut packet = hex::decode(payload).unwrap();
    packet[1] = packet[1].wrapping_add(1);
    let request = sealed(2, &format!("eap-payload:{}\r\n", hex::encode(packet)), b"1");
    let Step::Close(octets) = world.handle(&mut session, &request) else { panic!("no question") };
    assert_eq!(session.ended(), Some(Status::Malformed));
    assert!(lines(&octets).starts_with("eap-payload:04"), "{}", lines(&octets));
}
