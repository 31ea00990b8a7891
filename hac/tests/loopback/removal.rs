//! A home agent's record goes, or is changed, while it is connected.

use std::time::Instant;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_home_agent_that_is_removed_is_dismissed_within_a_second_and_when_it_comes_again() {
    let world = World::new();
    let running = world.start().await.unwrap();
    let (mut home_agent, _) = world.home_agent(running.home_agents(), 1).await;
    connected(&running).await;
    let begun = Instant::now();
    world.hac(&["ha", "remove", "ha1"]);
    let dismissed = home_agent.next().await.unwrap_err();
    assert!(matches!(&dismissed, FeedError::Dismissed(why) if why.contains("`hac ha add ha1`")), "{dismissed}");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    are_connected(&running, 0).await;
    let dismissed = world.subscribe("ha1", running.home_agents(), 1).await.unwrap_err();
    assert!(matches!(dismissed, FeedError::Dismissed(_)), "{dismissed}");
    let refused = world.provision(running.mobile_nodes()[0]).await.unwrap_err();
    assert!(matches!(refused, Failure::Refused { status: Status::Unavailable, .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_agent_whose_record_is_changed_subscribes_again_and_is_not_dismissed() {
    let world = World::new();
    let running = world.start().await.unwrap();
    let (mut home_agent, _) = world.home_agent(running.home_agents(), 1).await;
    connected(&running).await;
    let database = rusqlite::Connection::open(world.path("hac/hac.db")).unwrap();
    assert_eq!(database.execute("UPDATE home_agent SET port = 7999 WHERE name = 'ha1'", []).unwrap(), 1);
    let ended = home_agent.next().await.unwrap_err();
    assert!(matches!(&ended, FeedError::Refused(why) if why.contains("record")), "{ended}");
    let (_home_agent, _) = world.home_agent(running.home_agents(), 1).await;
    connected(&running).await;
}
