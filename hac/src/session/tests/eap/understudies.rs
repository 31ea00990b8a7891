//! A request or an answer whose handling breaks off: 500 in every state (RFC 6618 section 5.3).

use super::delivered::{PROPOSAL, told};
use super::*;

fn failed(session: &Session, request: &[u8]) -> (Option<Status>, Vec<u8>) {
    let (session, step) = session.understudy().fail(request, WireProfile::Rfc6618);
    let Step::Close(octets) = step else { panic!("the run ends") };
    (session.ended(), octets)
}

#[test]
fn a_run_that_breaks_off_is_500_in_every_state_up_to_the_success() {
    let mut world = world(EapServer::Radius);
    let mut session = Session::new(binding(), source());
    let (node, init) = Node::start(scripted(NAI));
    let (other, _) = Node::start(scripted(NAI));
    let (status, octets) = failed(&session, &init);
    assert_eq!((status, other.handle(&octets).err()), (Some(Status::ServerError), Some(hint(Status::ServerError))));

    let Step::Reply(response) = world.handle(&mut session, &init) else { panic!("EAP begins") };
    let (node, request) = node.goes_on(&response);
    let (status, octets) = failed(&session, &request);
    assert_eq!((status, lines(&octets)), (Some(Status::ServerError), "status-code:500\r\n".to_owned()));
    assert_eq!(failed(&session, &init).0, Some(Status::Malformed));

    assert!(matches!(world.handle(&mut session, &request), Step::Ask(_)));
    let (status, octets) = failed(&session, &request);
    assert_eq!((status, node.handle(&octets).err()), (Some(Status::ServerError), Some(hint(Status::ServerError))));
}

#[test]
fn a_run_that_breaks_off_after_the_success_is_500_for_who_has_the_key() {
    let mut world = world(EapServer::Radius);
    let (mut session, _) = told(&mut world, NAI, Some(NAI));
    let done = sealed(4, PROPOSAL, &MSK);
    assert_eq!(failed(&session, &done).0, Some(Status::ServerError));
    assert_eq!(failed(&session, &sealed(4, PROPOSAL, b"1")).0, Some(Status::NotAuthenticated));
    assert!(matches!(world.handle(&mut session, &done), Step::Deliver(_)));
    assert!(failed(&session, &done).1.is_empty(), "a run that is over is answered nothing");
}
