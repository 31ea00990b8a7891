//! Runs that began before the operator changed something and end after it.

use super::*;

type Change = fn(&mut World);

/// The HAC's last step of a run of alice's with `change` between its first request and its second.
fn changed_meanwhile(change: Change) -> (Session, AwaitingDoneResponse, Step, World) {
    let mut world = World::new();
    let mut session = Session::new(ChannelBinding::new(vec![5; 32]), Ipv4Addr::LOCALHOST.into());
    let alice = MobileNode::alice();
    let (waiting, request) = initiator::start(alice.offer(), ChannelBinding::new(alice.binding), &mut rand::rng());
    let Step::Reply(response) = world.handle(&mut session, &request) else { panic!("the first request is answered") };
    let (waiting, request) = waiting.handle(&response).expect("the key is hers until then");
    change(&mut world);
    let step = world.handle(&mut session, &request);
    (session, waiting, step, world)
}

#[test]
fn a_run_under_a_key_that_was_changed_or_taken_away_meanwhile_is_given_nothing() {
    let changes: [(&str, Change); 4] = [
        ("rotated", |world| {
            world.store.set_psk(NAI, &Secret::new(vec![7; 32]), true, wall(), &mut rand::rng()).unwrap();
        }),
        ("disabled", |world| drop(world.store.set_enabled(NAI, false, wall()).unwrap())),
        ("removed", |world| drop(world.store.remove_subscriber(NAI, wall()).unwrap())),
        ("another of that name", |world| {
            world.store.remove_subscriber(NAI, wall()).unwrap();
            add(&mut world.store, NAI, SubscriberPolicy::default());
        }),
    ];
    for (how, change) in changes {
        let ((session, waiting, step, mut world), lines) = fixture::logged(|| changed_meanwhile(change));
        let Step::Close(octets) = step else { panic!("{how}: the run ends") };
        assert_eq!(session.ended(), Some(Status::NotAuthenticated), "{how}");
        assert_eq!(refused(waiting.handle(&octets).unwrap_err()), (Status::NotAuthenticated, None, true), "{how}");
        assert_eq!(world.store.counts(wall()).unwrap().live_sas, 0, "{how}");
        assert!(lines.iter().any(|line| line.contains("WARN")) && !lines.concat().contains(NAI), "{how}: {lines:?}");
    }
}

#[test]
fn a_home_agent_that_is_removed_meanwhile_is_not_chosen() {
    let (session, _, step, mut world) = changed_meanwhile(|world| {
        world.store.remove_home_agent("ha1", wall()).unwrap();
    });
    assert!(matches!(step, Step::Close(_)));
    assert_eq!(session.ended(), Some(Status::Unavailable));
    assert_eq!(world.store.counts(wall()).unwrap().live_sas, 0);
}
