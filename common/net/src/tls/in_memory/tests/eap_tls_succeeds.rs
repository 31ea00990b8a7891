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
