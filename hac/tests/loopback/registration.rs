//! A mobile node that authenticates again and again, and the association that it has registered under.

use std::collections::BTreeSet;

use hac::store::{AssociationRecord, Selection, Store};

use super::*;

/// The mobile node runs MHAuth, and the home agent puts in force whatever comes of it: what was granted, and what has ended for it.
async fn authenticates(world: &World, running: &Running, home_agent: &mut FeedClient) -> (Spi, Vec<Spi>) {
    let fed = async {
        let mut ended = Vec::new();
        loop {
            match next_change(home_agent).await {
                Change::Install(provisioned) => return (provisioned.sa.spi, ended),
                Change::End(spi) => ended.push(spi),
            }
        }
    };
    let (granted, (spi, ended)) = tokio::join!(world.provision(running.mobile_nodes()[0]), fed);
    assert_eq!(granted.unwrap().sa.spi, spi);
    (spi, ended)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_association_that_a_node_has_registered_under_outlives_four_runs_of_mhauth_without_a_registration() {
    let world = World::new();
    let running = world.start().await.unwrap();
    let (mut home_agent, _) = world.home_agent(running.home_agents(), 1).await;
    connected(&running).await;
    let (in_use, _) = authenticates(&world, &running, &mut home_agent).await;
    home_agent.registered(vec![in_use]).await;
    let mut made = Vec::new();
    let mut ended = Vec::new();
    for _ in 0..4 {
        let (spi, ends) = authenticates(&world, &running, &mut home_agent).await;
        made.push(spi);
        ended.extend(ends);
    }
    assert_eq!(ended, made[..1], "the oldest that is not in use");
    assert_eq!(look_up(&mut home_agent, in_use).await.map(|found| found.lease), Some(0));
    let live = live(&world);
    let expected = [&[in_use], &made[1..]].concat();
    assert_eq!(live.iter().map(|record| record.spi).collect::<BTreeSet<_>>(), expected.into_iter().collect());
    let registered: Vec<Spi> = live.iter().filter(|record| record.is_registered).map(|record| record.spi).collect();
    assert_eq!(registered, [in_use]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_home_agent_tells_of_bindings_reaches_no_other_and_costs_it_no_delta() {
    let world = World::new();
    world.hac(&["ha", "add", "ha2", "--group", "1", "--address", "198.51.100.2", "--out", &world.text("ha2")]);
    let running = world.start().await.unwrap();
    let (mut ha1, _) = world.home_agent(running.home_agents(), 1).await;
    connected(&running).await;
    let (spi, _) = authenticates(&world, &running, &mut ha1).await;
    let (mut stranger, _) = in_force(world.subscribe("ha2", running.home_agents(), 2).await.unwrap().0).await;
    stranger.registered(vec![spi]).await;
    assert!(look_up(&mut stranger, spi).await.is_none());
    assert!(live(&world).iter().all(|record| !record.is_registered), "another group has no say");
    ha1.registered(vec![spi]).await;
    assert!(look_up(&mut ha1, spi).await.is_some(), "the answer is what is said next");
    assert!(live(&world).iter().all(|record| record.is_registered));
}

fn live(world: &World) -> Vec<AssociationRecord> {
    let mut store = SqliteStore::open(&world.path("hac/hac.db"), world.kek()).unwrap();
    store.associations(&Selection::default(), false, None, 100, std::time::SystemTime::now()).unwrap()
}
