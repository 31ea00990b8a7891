//! What the HAC hears of sessions, and its wish for a new SA.

use std::time::Duration;

use feed::{Change, SessionEnd};
use protocol::tunnel::{Traffic, Volume};
use protocol::wire::mobility::{BindingRefreshRequest, MobilityMessage};

use crate::hac::{self, HacEvent};
use crate::mobile_node::MobileNode;
use crate::namespace::in_new_network_namespace;
use crate::world::World;

/// An echo request or reply with its IPv6 header.
const ECHO: u64 = 66;

fn pinged(times: u64) -> Traffic {
    let volume = Volume { packets: times, octets: times * ECHO };
    Traffic { from_node: volume, to_node: volume }
}

#[test]
fn the_hac_hears_of_a_session_when_it_begins_while_it_goes_on_and_when_it_ends_with_what_was_carried() {
    in_new_network_namespace(|| async {
        let mut world = World::start_reporting(Duration::from_secs(1)).await;
        world.expect(HacEvent::Acknowledged(1)).await;
        let mut node = MobileNode::new(&hac::association(1));
        assert_eq!(node.binds(1), 0);
        let begun = world.expect_report(|_| true).await;
        let spi = hac::association(1).sa.spi;
        assert_eq!((begun.spi, begun.number, begun.care_of, begun.traffic), (spi, 1, node.address(), pinged(0)));
        for _ in 0..3 {
            assert!(node.pings_home_agent());
        }
        let binding = world.binding().await;
        for way in ["from_node", "to_node"] {
            assert_eq!((&binding[way]["packets"], &binding[way]["octets"]), (&3.into(), &(3 * ECHO).into()), "{binding}");
        }
        world.expect_report(|report| report.traffic == pinged(3) && report.ended.is_none()).await;
        assert_eq!(node.says_goodbye(2), 0);
        let ended = world.expect_report(|report| report.ended.is_some()).await;
        assert_eq!((ended.number, ended.traffic, ended.ended), (1, pinged(3), Some(SessionEnd::Deregistered)));

        assert_eq!(node.binds(3), 0);
        assert!(node.pings_home_agent());
        world.hac.send(2, Change::End(spi)).await;
        let ended = world.expect_report(|report| report.number == 2 && report.ended.is_some()).await;
        assert_eq!((ended.traffic, ended.ended), (pinged(1), Some(SessionEnd::SaEnded)), "another session with its own figures");
        world.stop().await;
    });
}

#[test]
fn the_end_of_a_session_while_the_hac_was_away_is_told_when_it_is_back() {
    in_new_network_namespace(|| async {
        let mut world = World::start_reporting(Duration::from_secs(600)).await;
        world.expect(HacEvent::Acknowledged(1)).await;
        let mut node = MobileNode::new(&hac::association(1));
        assert_eq!(node.binds(1), 0);
        assert!(node.pings_home_agent());
        world.expect_report(|report| report.ended.is_none()).await;
        world.hac.stop().await;
        world.until_feed_is_gone().await;
        assert_eq!(node.says_goodbye(2), 0);
        assert_eq!(node.binds(3), 0);
        world.forgets_events();
        world.restart_hac().await;
        let ended = world.expect_report(|report| report.number == 1).await;
        assert_eq!((ended.traffic, ended.ended), (pinged(1), Some(SessionEnd::Deregistered)));
        // The other goes on; it may have come in the same message.
        assert_eq!(node.says_goodbye(4), 0);
        let ended = world.expect_report(|report| report.number == 2 && report.ended.is_some()).await;
        assert_eq!(ended.traffic, pinged(0));
        world.stop().await;
    });
}

#[test]
fn a_hac_that_does_not_want_to_hear_of_sessions_hears_nothing_and_one_that_wants_a_new_sa_has_its_node_asked() {
    in_new_network_namespace(|| async {
        let mut world = World::start().await;
        world.expect(HacEvent::Acknowledged(1)).await;
        let mut node = MobileNode::new(&hac::association(1));
        assert_eq!(node.binds(1), 0);
        assert_eq!(world.next_event().await, HacEvent::Registered(vec![1]));
        world.hac.renew(1).await;
        assert_eq!(node.receives_message(), MobilityMessage::BindingRefreshRequest(BindingRefreshRequest::default()));
        assert_eq!(node.binds(2), 0);
        assert_eq!(node.is_acknowledged().status.0, 176);
        assert_eq!(node.says_goodbye(3), 0);
        world.hac.send(2, Change::End(hac::association(1).sa.spi)).await;
        assert_eq!(world.next_event().await, HacEvent::Acknowledged(2), "and nothing before it");
        world.stop().await;
    });
}
