//! Failures are counted by source, and by name unless it is the anonymous one; and the log of a refused run names nobody.

use super::delivered::{PROPOSAL, told};
use super::*;
use crate::admission::{NAME_LIMIT, SOURCE_LIMIT, WINDOW};

type Fails = fn(&mut World, &str);

/// Runs that end in a refusal.
const FAILING: [(&str, EapServer, Fails); 5] = [
    ("a wrong key", EapServer::Local, |world, mn_id| drop(world.eap(gpsk(mn_id, NAI, [8; 32])))),
    ("another's name", EapServer::Radius, |world, mn_id| drop(world.accepted(mn_id, accept(Some("zoe@example.org"))))),
    ("a reject", EapServer::Radius, |world, mn_id| {
        drop(world.eap_with(scripted(mn_id), &mut Aaa::saying(Ok(Answer::Reject { eap: None }))));
    }),
    ("a wrong auth", EapServer::Radius, |world, mn_id| {
        drop(world.accepted(mn_id, Accept { msk: Some(Secret::new(vec![7; 64])), ..accept(user_name(mn_id)) }));
    }),
    ("a wrong auth after the success", EapServer::Radius, |world, mn_id| {
        let (mut session, _) = told(world, mn_id, user_name(mn_id));
        world.handle(&mut session, &sealed(4, PROPOSAL, b"1"));
    }),
];

/// Whom the AAA server has authenticated behind this name.
fn user_name(mn_id: &str) -> Option<&str> {
    Some(if mn_id.starts_with("anonymous") { NAI } else { mn_id })
}

fn elsewhere() -> IpAddr {
    Ipv4Addr::new(203, 0, 113, 1).into()
}

#[test]
fn a_failure_counts_against_the_name_that_was_claimed() {
    for (what, server, fails) in FAILING {
        let mut world = world(server);
        for _ in 1..NAME_LIMIT {
            fails(&mut world, NAI);
        }
        assert_eq!(world.admission.wait(elsewhere(), NAI, world.now), None, "{what}");
        fails(&mut world, NAI);
        assert_eq!(world.admission.wait(elsewhere(), NAI, world.now), Some(WINDOW), "{what}");
    }
}

#[test]
fn a_failure_counts_against_nobodys_name_where_none_was_claimed() {
    for (what, server, fails) in FAILING {
        if what == "another's name" {
            continue;
        }
        let mut world = world(server);
        for _ in 0..NAME_LIMIT {
            fails(&mut world, "anonymous@example.org");
        }
        for name in ["anonymous@example.org", "@example.org", NAI] {
            assert_eq!(world.admission.wait(elsewhere(), name, world.now), None, "{what}: {name}");
        }
    }
}

#[test]
fn every_failure_counts_against_the_source() {
    for (what, server, fails) in FAILING {
        let mut world = world(server);
        let names: Vec<String> = (1..SOURCE_LIMIT).map(|number| format!("mn{number}@example.org")).collect();
        for name in &names {
            fails(&mut world, name);
        }
        assert_eq!(world.admission.wait(source(), NAI, world.now), None, "{what}");
        fails(&mut world, "mn0@example.org");
        assert_eq!(world.admission.wait(source(), NAI, world.now), Some(WINDOW), "{what}");
    }
}

#[test]
fn what_is_our_fault_or_the_aaa_servers_counts_against_nobody() {
    let mut world = world(EapServer::Radius);
    let new = NewSubscriber { nai: "bob@example.org", psk: &Secret::new(vec![9; 15]), policy: SubscriberPolicy::default() };
    world.store.add_subscriber(&new, world.wall, &mut rand::rng()).unwrap();
    for _ in 0..SOURCE_LIMIT {
        world.eap_with(scripted(NAI), &mut Aaa::saying(Err(AaaError::Busy { server: "a".to_owned() })));
        world.accepted(NAI, Accept { eap: None, ..accept(Some(NAI)) });
        world.authentication.default.eap_server = EapServer::Local;
        assert_eq!(world.eap(gpsk("bob@example.org", "bob@example.org", KEY)).closed().0, Status::ServerError);
        world.authentication.default.eap_server = EapServer::Radius;
    }
    for name in [NAI, "bob@example.org"] {
        assert_eq!(world.admission.wait(source(), name, world.now), None, "{name}");
    }
}

#[test]
fn who_has_to_wait_is_told_before_eap_begins() {
    let mut world = world(EapServer::Local);
    for _ in 0..NAME_LIMIT {
        drop(world.eap(gpsk(NAI, NAI, [8; 32])));
    }
    let run = world.eap(gpsk(NAI, NAI, KEY));
    assert!(run.responses.is_empty());
    assert_eq!(refused(run.closed().2), (Status::Unavailable, Some(world.wall + WINDOW), false));
}

#[test]
fn the_log_of_a_refused_run_names_nobody() {
    for (what, server, fails) in FAILING {
        let ((), lines) = fixture::logged(|| fails(&mut world(server), NAI));
        assert!(!lines.concat().contains("example.org"), "{what}: {lines:?}");
    }
}
