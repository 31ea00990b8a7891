//! Two home agents of one group: what the one was given, the other looks up.

use std::time::Instant;

use feed::{FeedClient, FromHac};
use protocol::mhauth::Grant;
use protocol::sa::spi::SpiBlocks;

use super::*;

/// A mobile node whose association `ha1` has, and `ha2` of the same group, connected after it was given.
struct Group {
    world: World,
    running: Running,
    grant: Grant,
    ha1: FeedClient,
    ha2: FeedClient,
}

impl Group {
    async fn new() -> Self {
        let world = World::new();
        world.hac(&["ha", "add", "ha2", "--address", "198.51.100.2", "--out", &world.text("ha2")]);
        let running = world.start().await.unwrap();
        let (mut ha1, _) = world.home_agent(running.home_agents(), 1).await;
        connected(&running).await;
        let fed = tokio::spawn(async move { (installed(next_change(&mut ha1).await), ha1) });
        let grant = world.provision(running.mobile_nodes()[0]).await.unwrap();
        let (_, ha1) = fed.await.unwrap();
        let (ha2, welcome) = world.subscribe("ha2", running.home_agents(), 2).await.unwrap();
        assert!(welcome.spi_blocks.contains(grant.sa.spi.block()), "it knows where to look");
        let (ha2, snapshot) = in_force(ha2).await;
        assert!(snapshot.is_empty(), "the association names another home agent");
        are_connected(&running, 2).await;
        Self { world, running, grant, ha1, ha2 }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_association_of_the_group_is_found_under_the_next_lease_and_an_unknown_spi_is_not() {
    let Group { running, grant, mut ha1, mut ha2, .. } = Group::new().await;
    let spi = grant.sa.spi;
    let found = look_up(&mut ha2, spi).await.unwrap();
    assert_eq!((&found.sa.mn_to_ha, found.sa.home_agent, found.lease), (&grant.sa.mn_to_ha, grant.sa.home_agent, 1));
    assert_eq!(look_up(&mut ha1, spi).await.unwrap().lease, 0, "whose it is keeps its lease");
    let unknown = spi.block().spi(spi.number() ^ 1).unwrap();
    assert!(look_up(&mut ha2, unknown).await.is_none());
    drop(running);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_agent_of_another_group_finds_nothing() {
    let group = Group::new().await;
    let world = &group.world;
    world.hac(&["ha", "add", "ha3", "--group", "1", "--address", "198.51.100.3", "--out", &world.text("ha3")]);
    let (ha3, welcome) = world.subscribe("ha3", group.running.home_agents(), 3).await.unwrap();
    assert_eq!(welcome.spi_blocks, SpiBlocks::default());
    let (mut ha3, snapshot) = in_force(ha3).await;
    assert!(snapshot.is_empty());
    assert!(look_up(&mut ha3, group.grant.sa.spi).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_association_that_was_looked_up_is_in_the_next_snapshot_of_that_process() {
    let mut group = Group::new().await;
    let spi = group.grant.sa.spi;
    look_up(&mut group.ha2, spi).await.unwrap();
    for (instance, expected) in [(2, vec![(spi, 1)]), (22, vec![])] {
        let (ha2, _) = group.world.subscribe("ha2", group.running.home_agents(), instance).await.unwrap();
        let (_ha2, snapshot) = in_force(ha2).await;
        let named: Vec<_> = snapshot.iter().map(|delivery| (delivery.sa.spi, delivery.lease)).collect();
        assert_eq!(named, expected, "instance {instance}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_by_another_process_reaches_all_who_have_the_association_within_a_second() {
    let Group { world, running, grant, mut ha1, mut ha2 } = Group::new().await;
    look_up(&mut ha2, grant.sa.spi).await.unwrap();
    let kek = KeyEncryptionKey::read(&world.path("hac/kek")).unwrap();
    let mut store = SqliteStore::open(&world.path("hac/hac.db"), kek).unwrap();
    let begun = Instant::now();
    hac::store::Store::end(&mut store, grant.sa.spi).unwrap().unwrap();
    for home_agent in [&mut ha1, &mut ha2] {
        assert!(matches!(next_change(home_agent).await, Change::End(spi) if spi == grant.sa.spi));
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    for home_agent in [&mut ha1, &mut ha2] {
        assert!(look_up(home_agent, grant.sa.spi).await.is_none(), "what has ended is not found");
    }
    drop(running);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_removed_home_agent_had_ends_within_a_second_at_another_that_has_looked_it_up() {
    let Group { world, running, grant, mut ha1, mut ha2 } = Group::new().await;
    look_up(&mut ha2, grant.sa.spi).await.unwrap();
    let begun = Instant::now();
    world.hac(&["ha", "remove", "ha1"]);
    assert!(matches!(next_change(&mut ha2).await, Change::End(spi) if spi == grant.sa.spi));
    let dismissed = loop {
        match ha1.next().await {
            Ok(message) => assert!(matches!(message, FromHac::Delta { change: Change::End(_), .. }), "{message:?}"),
            Err(ended) => break ended,
        }
    };
    assert!(matches!(&dismissed, FeedError::Dismissed(_)) && begun.elapsed() < Duration::from_secs(1), "{dismissed}");
    are_connected(&running, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connected_home_agent_hears_of_the_first_association_in_an_spi_block() {
    let world = World::new();
    let running = world.start().await.unwrap();
    let (client, welcome) = world.subscribe("ha1", running.home_agents(), 1).await.unwrap();
    assert_eq!(welcome.spi_blocks, SpiBlocks::default());
    let (mut client, _) = in_force(client).await;
    connected(&running).await;
    let fed = tokio::spawn(async move {
        loop {
            match client.next().await.unwrap() {
                FromHac::Delta { revision, .. } => client.acknowledge(revision).await,
                FromHac::SpiBlocks(blocks) => return blocks,
                other @ (FromHac::Snapshot { .. } | FromHac::Answer(_) | FromHac::Renew(_)) => panic!("{other:?}"),
            }
        }
    });
    let grant = world.provision(running.mobile_nodes()[0]).await.unwrap();
    let blocks = tokio::time::timeout(Duration::from_secs(1), fed).await.unwrap().unwrap();
    assert_eq!(blocks, [grant.sa.spi.block()].into_iter().collect());
}
