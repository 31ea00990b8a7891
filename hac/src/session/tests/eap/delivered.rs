//! The way from a success to the grant.

use super::*;

#[test]
fn a_grant_is_told_only_when_its_home_agent_has_acknowledged_or_can_look_it_up() {
    let mut world = world(EapServer::Radius);
    for delivered in [Ok(()), Err(Undelivered::Late)] {
        let run = world.accepted(NAI, accept(Some(NAI)));
        let Step::Deliver(pending) = run.step else { panic!("a grant is pending") };
        let spi = pending.spi();
        assert_eq!(pending.home_agent(), "ha1");
        assert_eq!(run.node.takes(&granted(*pending, delivered)).sa.spi, spi);
    }
    let run = world.accepted(NAI, accept(Some(NAI)));
    let Step::Deliver(pending) = run.step else { panic!("a grant is pending") };
    let spi = pending.spi();
    let Settled::TakenBack(ended, octets) = pending.settle(Err(Undelivered::Gone), world.wall) else { panic!("granted") };
    let retry = Some(world.wall + RETRY_HOME_AGENT);
    assert_eq!((ended, refused(run.node.handle(&octets).err().unwrap())), (spi, (Status::Unavailable, retry, true)));
}

#[test]
fn without_a_home_agent_an_authenticated_node_is_told_so_under_its_msk() {
    for server in [EapServer::Local, EapServer::Radius] {
        let mut world = world(server);
        world.connected.clear();
        let run = match server {
            EapServer::Local => world.eap(gpsk(NAI, NAI, KEY)),
            EapServer::Radius => world.accepted(NAI, accept(Some(NAI))),
        };
        let retry = Some(world.wall + RETRY_HOME_AGENT);
        assert_eq!(refused(run.closed().2), (Status::Unavailable, retry, true));
        assert_eq!(world.store.counts(world.wall).unwrap().live_sas, 0);
    }
}

/// The session after the success that came while the node was in Mid, with the response. `user_name` is the AAA server's.
pub(super) fn told(world: &mut World, mn_id: &str, user_name: Option<&str>) -> (Session, Vec<u8>) {
    let (node, request) = Node::start(scripted(mn_id));
    let mut aaa = Aaa::saying(Ok(Answer::Accept(accept(user_name))));
    let (mut session, Step::Reply(response)) = world.begin(&request) else { panic!("EAP begins") };
    let (node, request) = node.goes_on(&response);
    let Step::Ask(question) = world.handle(&mut session, &request) else { panic!("the AAA server is asked") };
    let answer = aaa.answer(question);
    let step = world.around(|around| session.handle_answer(answer, around));
    let Step::Reply(response) = step else { panic!("the method begins") };
    let done = lines(&node.goes_on(&response).1);
    let as_mid = done.split_inclusive("\r\n").last().unwrap();
    let Step::Ask(question) = world.handle(&mut session, &sealed(3, as_mid, b"1")) else { panic!("asked once more") };
    let answer = aaa.answer(question);
    let step = world.around(|around| session.handle_answer(answer, around));
    let Step::Reply(response) = step else { panic!("the success is told") };
    (session, response)
}

pub(super) const PROPOSAL: &str = "mip6-sas:1\r\nmip6-suitelist:{00,9C}\r\n";

#[test]
fn a_success_while_the_node_was_in_mid_is_told_and_its_done_is_granted() {
    let mut world = world(EapServer::Radius);
    let (mut session, response) = told(&mut world, NAI, None);
    assert_eq!(lines(&response), "eap-payload:03640004\r\n");
    let step = world.handle(&mut session, &sealed(4, PROPOSAL, &MSK));
    let Step::Deliver(pending) = step else { panic!("a grant is pending") };
    let last = granted(*pending, Ok(()));
    assert!(lines(&last).ends_with("status-code:200\r\n") && !lines(&last).contains("eap-payload"));

    let (mut session, _) = told(&mut world, NAI, None);
    assert!(matches!(world.handle(&mut session, &sealed(4, PROPOSAL, b"1")), Step::Close(_)));
    assert_eq!(session.ended(), Some(Status::NotAuthenticated));
}

#[test]
fn one_who_is_disabled_between_the_success_and_his_done_is_given_nothing() {
    let mut world = world(EapServer::Radius);
    let (mut session, _) = told(&mut world, NAI, None);
    world.store.set_enabled(NAI, false, world.wall).unwrap();
    assert!(matches!(world.handle(&mut session, &sealed(4, PROPOSAL, &MSK)), Step::Close(_)));
    assert_eq!(session.ended(), Some(Status::NotAuthenticated));
    assert_eq!(world.store.counts(world.wall).unwrap().live_sas, 0);
}

#[test]
fn an_answer_that_nobody_awaits_ends_the_run() {
    let mut world = world(EapServer::Radius);
    let mut session = Session::new(binding(), source());
    let step = world.around(|around| session.handle_answer(Ok(Answer::Reject { eap: None }), around));
    assert!(matches!(step, Step::Close(nothing) if nothing.is_empty()));
    let (_, request) = Node::start(scripted(NAI));
    assert!(matches!(world.handle(&mut session, &request), Step::Close(nothing) if nothing.is_empty()));
}
