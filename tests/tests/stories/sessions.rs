//! What the HAC is told of sessions: one is one binding under one SA, and its figures are exact.

use std::collections::BTreeMap;
use std::time::Duration;

use feed::SessionEnd::{self, Deregistered, SaEnded, SaExpired, Superseded};
use feed::SessionReport;
use protocol::sa::{CipherSuite, Spi, UserData};
use protocol::tunnel::Volume;
use tests::sim::{Access, Options, World};

use super::{SECOND, Traffic, complaints, down, registered_with, up};

const INTERVAL: Duration = Duration::from_secs(600);

fn reporting(suite: CipherSuite) -> World {
    registered_with(Options { usage_interval: Some(INTERVAL), ..Options::new(suite) })
}

fn volume(packets: &[Vec<u8>]) -> Volume {
    Volume { packets: packets.len() as u64, octets: packets.iter().map(|packet| packet.len() as u64).sum() }
}

/// SPI, number and end of what the HAC was told since it was asked last.
fn told(world: &mut World) -> Vec<(Spi, u32, Option<SessionEnd>)> {
    world.session_reports().iter().map(|report| (report.spi, report.number, report.ended)).collect()
}

/// The last report of each session is the one that counts.
fn sums(reports: &[SessionReport]) -> [Volume; 2] {
    let last: BTreeMap<_, _> = reports.iter().map(|report| ((report.spi, report.number), report.traffic)).collect();
    let sum = |volumes: Vec<Volume>| Volume {
        packets: volumes.iter().map(|volume| volume.packets).sum(),
        octets: volumes.iter().map(|volume| volume.octets).sum(),
    };
    [sum(last.values().map(|traffic| traffic.from_node).collect()), sum(last.values().map(|traffic| traffic.to_node).collect())]
}

#[test]
fn a_node_that_binds_carries_moves_renews_and_leaves_is_reported_with_exact_figures_addresses_and_ends() {
    for user_data in UserData::ALL {
        let options = Options { usage_interval: Some(INTERVAL), user_data, ..Options::new(CipherSuite::Aes128Gcm) };
        let mut world = registered_with(options);
        let (first, wifi) = (world.bound_under().unwrap(), world.bound_to().unwrap());
        let [begun] = world.session_reports()[..] else { panic!("one session has begun") };
        assert_eq!((begun.spi, begun.number, begun.care_of, begun.ended), (first, 1, wifi, None));
        assert_eq!((begun.traffic.from_node, begun.traffic.to_node), (volume(&[]), volume(&[])));

        let ups: Vec<_> = [&b"one"[..], b"and two", b"and so a third"].map(|payload| up(&world, payload)).into();
        let downs: Vec<_> = [&b"an answer"[..], &[7; 1000]].map(|payload| down(&world, payload)).into();
        ups.iter().for_each(|packet| world.mobile_node_sends(packet));
        world.correspondent_sends(&downs[0]);
        world.runs_for(SECOND);
        world.moves_to(Access::Lte);
        world.runs_for(SECOND);
        world.correspondent_sends(&downs[1]);
        world.runs_for(SECOND);
        assert!(world.session_reports().is_empty(), "{user_data}: a move begins nothing");
        let lte = world.bound_to().unwrap();
        world.mobile_node_renews();
        world.runs_for(SECOND);
        let second = world.bound_under().unwrap();
        let [begun, ended] = world.session_reports()[..] else { panic!("one has begun, one has ended") };
        assert_eq!((begun.spi, begun.number, begun.care_of, begun.ended), (second, 1, lte, None));
        assert_eq!((ended.spi, ended.number, ended.care_of, ended.ended), (first, 1, lte, Some(Superseded)));
        assert_eq!((ended.traffic.from_node, ended.traffic.to_node), (volume(&ups), volume(&downs)), "{user_data}");
        assert!((3..=4).contains(&ended.age.as_secs()), "{:?}", ended.age);

        world.mobile_node_sends(&ups[1]);
        world.runs_for(SECOND);
        world.mobile_node_leaves();
        world.runs_for(SECOND);
        let [ended] = world.session_reports()[..] else { panic!("the other has ended") };
        assert_eq!((ended.spi, ended.number, ended.care_of, ended.ended), (second, 1, lte, Some(Deregistered)));
        assert_eq!((ended.traffic.from_node, ended.traffic.to_node), (volume(&ups[1..2]), volume(&[])), "{user_data}");
    }
}

#[test]
fn of_packets_that_flow_through_moves_and_renewals_each_is_reported_once_in_whichever_session() {
    for suite in CipherSuite::ALL {
        let mut world = reporting(suite);
        let mut traffic = Traffic::new(&world, Duration::from_millis(4));
        for access in [Access::Lte, Access::Wifi] {
            traffic.flows_for(&mut world, SECOND);
            world.mobile_node_renews();
            traffic.flows_for(&mut world, SECOND / 8);
            world.moves_to(access);
            traffic.flows_for(&mut world, SECOND);
        }
        traffic.settles(&mut world);
        world.mobile_node_leaves();
        world.runs_for(SECOND);
        let reports = world.session_reports();
        let [from_node, to_node] = sums(&reports);
        let received = &traffic.received[0];
        assert_eq!(from_node, volume(received), "{suite}");
        assert_eq!(
            to_node.packets,
            traffic.sent[1].len() as u64,
            "{suite}: what was sent to where the node was before counts too"
        );
        let ended = reports.iter().filter(|report| report.ended.is_some()).count();
        assert_eq!((ended, world.mhauth_runs()), (3, 3), "{suite}");
        complaints(&mut world);
    }
}

#[test]
fn a_session_that_goes_on_is_reported_once_an_interval_with_all_since_it_began() {
    let mut world = reporting(CipherSuite::Aes128Gcm);
    let spi = world.bound_under().unwrap();
    let packet = up(&world, b"once a minute");
    for _ in 0..60 {
        world.mobile_node_sends(&packet);
        world.runs_for(SECOND * 60);
    }
    let reports = world.session_reports();
    assert_eq!(reports.len(), 7, "when it began and six times within the hour");
    assert!(reports.iter().all(|report| (report.spi, report.number, report.ended) == (spi, 1, None)));
    for two in reports[1..].windows(2) {
        assert_eq!(two[1].age - two[0].age, INTERVAL);
        assert_eq!(two[1].traffic.since(two[0].traffic).from_node, Volume { packets: 10, octets: 10 * packet.len() as u64 });
    }
}

#[test]
fn an_end_while_the_hac_is_away_is_told_with_the_next_subscription() {
    let mut world = reporting(CipherSuite::Aes128Gcm);
    let (spi, packet) = (world.bound_under().unwrap(), down(&world, b"while nobody listens"));
    assert_eq!(told(&mut world), [(spi, 1, None)]);
    world.hac_dies();
    world.correspondent_sends(&packet);
    world.runs_for(SECOND * 60);
    world.mobile_node_leaves();
    world.runs_for(SECOND * 3600);
    assert!(told(&mut world).is_empty());
    world.hac_starts();
    world.runs_for(SECOND * 5);
    let [ended] = world.session_reports()[..] else { panic!("one has ended") };
    assert_eq!((ended.spi, ended.number, ended.ended), (spi, 1, Some(Deregistered)));
    assert_eq!((ended.traffic.to_node, ended.age.as_secs()), (volume(&[packet]), 60));
}

#[test]
fn an_end_that_was_told_as_the_hac_died_is_told_again_and_one_of_long_ago_is_not() {
    for (long, again) in [(SECOND, true), (SECOND * 60, false)] {
        let mut world = reporting(CipherSuite::Aes128Gcm);
        world.mobile_node_leaves();
        world.runs_for(SECOND);
        let before = world.session_reports();
        assert_eq!(before.last().unwrap().ended, Some(Deregistered));
        // Something else happens, as it does with a home agent that has more than one node.
        world.mobile_node_boots();
        world.runs_for(long);
        let second = world.bound_under().unwrap();
        world.hac_dies();
        world.runs_for(SECOND * 60);
        told(&mut world);
        world.hac_starts();
        world.runs_for(SECOND * 5);
        let mut after = world.session_reports();
        assert_eq!(after.pop().map(|report| (report.spi, report.ended)), Some((second, None)));
        assert_eq!(after, Vec::from_iter(before.last().copied().filter(|_| again)), "{long:?}");
        complaints(&mut world);
    }
}

#[test]
fn an_sa_that_ends_says_why() {
    let mut world = reporting(CipherSuite::Aes128Gcm);
    let spi = world.bound_under().unwrap();
    world.operator_enables_the_subscriber(false);
    world.runs_for(SECOND);
    assert_eq!(told(&mut world), [(spi, 1, None), (spi, 1, Some(SaEnded))]);

    let lifetime = SECOND * 3600;
    let mut world = registered_with(Options {
        usage_interval: Some(INTERVAL),
        sa_lifetime: lifetime,
        ..Options::new(CipherSuite::Aes128Gcm)
    });
    let spi = world.bound_under().unwrap();
    world.hac_dies();
    world.runs_for(lifetime + SECOND * 120);
    world.hac_starts();
    world.runs_for(SECOND * 5);
    let reports = told(&mut world);
    assert!(reports.contains(&(spi, 1, Some(SaExpired))), "{reports:?}");
    complaints(&mut world);
}

#[test]
fn a_home_agent_that_starts_anew_begins_anew_under_another_sa() {
    let mut world = reporting(CipherSuite::Aes128Gcm);
    let before = world.bound_under().unwrap();
    told(&mut world);
    world.home_agent_restarts();
    world.mobile_node_sends(&up(&world, b"lost"));
    world.runs_for(SECOND * 700);
    let after = world.bound_under().unwrap();
    let reports = told(&mut world);
    assert!(after != before && reports.iter().all(|report| *report == (after, 1, None)), "{reports:?}");
    complaints(&mut world);
}

#[test]
fn a_hac_that_wants_a_new_sa_gets_a_session_under_one_and_nothing_is_lost() {
    let mut world = reporting(CipherSuite::Aes128Gcm);
    let (before, mut traffic) = (world.bound_under().unwrap(), Traffic::new(&world, Duration::from_millis(10)));
    told(&mut world);
    world.hac_asks_for_a_new_sa();
    traffic.flows_for(&mut world, SECOND * 2);
    traffic.settles(&mut world);
    traffic.assert_each_once();
    let after = world.bound_under().unwrap();
    assert!(after != before);
    assert_eq!(told(&mut world), [(after, 1, None), (before, 1, Some(Superseded))]);
}

#[test]
fn a_hac_that_does_not_want_to_hear_of_sessions_hears_nothing() {
    let mut world = registered_with(Options::new(CipherSuite::Aes128Gcm));
    world.runs_for(INTERVAL * 3);
    world.mobile_node_leaves();
    world.runs_for(INTERVAL);
    assert!(told(&mut world).is_empty());
}
