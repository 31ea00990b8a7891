use protocol::eap::MAX_REQUESTS;

use super::*;

#[test]
fn both_ends_have_the_same_key_and_the_server_knows_whom_the_certificate_names() {
    for versions in [TLS_12, TLS_13] {
        let outcome = World::new(versions).run();
        outcome.msk();
        assert_eq!(outcome.server.unwrap().0, ALICE);
        // Identity, Start, the rest of a ClientHello with a post-quantum key, the server's flight, its end.
        assert_eq!(outcome.requests, if versions == TLS_13 { 5 } else { 4 });
    }
}

#[test]
fn every_run_has_another_key() {
    let (client, server) = World::new(TLS_13).ends();
    assert_ne!(run(&client, &server).msk(), run(&client, &server).msk());
}

#[test]
fn chains_of_many_fragments_get_through_within_the_requests_that_a_run_may_take() {
    for versions in [TLS_12, TLS_13] {
        let mut authority = Authority::new();
        for level in 0..5 {
            authority = authority.below(&format!("level {level}"), 3_000);
        }
        let outcome = World::under(&authority, versions).run();
        outcome.msk();
        // 16 KiB each way, the server's in larger fragments.
        assert!((20..usize::from(MAX_REQUESTS)).contains(&outcome.requests), "{}", outcome.requests);
    }
}

#[test]
fn a_session_is_resumed_in_fewer_requests_under_another_key_and_with_the_same_identity() {
    let authority = Authority::new().below("issuing CA", 3_000);
    let (client, server) = World::under(&authority, TLS_13).ends();
    let full = run(&client, &server);
    for _ in 0..2 {
        let resumed = run(&client, &server);
        assert!(resumed.requests + 4 <= full.requests, "{} of {}", resumed.requests, full.requests);
        assert_ne!(resumed.msk(), full.msk());
        assert_eq!(resumed.server.unwrap().0, ALICE);
    }
}

#[test]
fn under_tls_1_2_nothing_is_resumed() {
    let (client, server) = World::new(TLS_12).ends();
    assert_eq!(run(&client, &server).requests, run(&client, &server).requests);
}

#[test]
fn a_session_is_of_no_use_to_a_server_that_began_anew() {
    let authority = Authority::new();
    let (client, server) = World::under(&authority, TLS_13).ends();
    let (_, other) = World::under(&authority, TLS_13).ends();
    let full = run(&client, &server).requests;
    let again = run(&client, &other);
    again.msk();
    assert!(again.requests >= full);
}
