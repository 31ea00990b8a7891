//! Binding Updates under associations that the feed has not brought.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use feed::Change;
use protocol::wire::envelope::{Envelope, PType};
use serde_json::json;

use crate::hac::{self, HacEvent};
use crate::mobile_node::MobileNode;
use crate::namespace::in_new_network_namespace;
use crate::world::World;

#[test]
fn a_node_under_an_sa_that_was_not_delivered_is_bound_by_its_second_binding_update_until_the_sa_is_revoked() {
    in_new_network_namespace(|| async {
        let mut world = World::start().await;
        world.expect(HacEvent::Acknowledged(1)).await;
        let mut node = MobileNode::new(&hac::association(0x100));
        node.sends_binding_update(1);
        world.expect(HacEvent::LookedUp(0x100)).await;
        let status = world.until(|status| status["security_associations"]["held"] == 2).await;
        assert_eq!(
            (&status["feed"]["look_ups"], &status["drops"]),
            (&json!({ "asked": 1, "found": 1 }), &json!({ "unknown-spi": 1 }))
        );
        assert_eq!(node.binds(2), 0);
        assert!(node.pings_home_agent());

        world.hac.send(2, Change::End(hac::association(0x100).sa.spi)).await;
        world.expect(HacEvent::Acknowledged(2)).await;
        assert_eq!(world.asks("bindings").await["count"], 0);
        node.sends_binding_update(3);
        let status = world.until(|status| status["drops"]["unknown-spi"] == 2).await;
        assert_eq!(status["feed"]["look_ups"]["asked"], 1, "what has ended here is not asked for");
        world.stop().await;
    });
}

#[test]
fn a_node_under_an_sa_that_another_process_had_is_told_to_get_a_new_one() {
    in_new_network_namespace(|| async {
        let mut world = World::start().await;
        world.expect(HacEvent::Acknowledged(1)).await;
        let mut node = MobileNode::new(&hac::association(0x180));
        node.sends_binding_update(1);
        world.until(|status| status["security_associations"]["reinit_only"] == 1).await;
        assert_eq!(node.binds(2), 176);
        assert_eq!(world.asks("bindings").await["count"], 0);
        world.stop().await;
    });
}

#[test]
fn an_spi_that_the_hac_does_not_know_is_asked_for_once_and_nobody_is_answered() {
    in_new_network_namespace(|| async {
        let mut world = World::start().await;
        world.expect(HacEvent::Acknowledged(1)).await;
        let mut node = MobileNode::new(&hac::association(0x200));
        for sequence in 1..=3 {
            node.sends_binding_update(sequence);
            world.until(|status| status["drops"]["unknown-spi"] == sequence).await;
        }
        world.expect(HacEvent::LookedUp(0x200)).await;
        // The HAC hears in order: another look-up of the first SPI would stand before that of the second.
        let mut other = MobileNode::new(&hac::association(0x201));
        other.sends_binding_update(1);
        assert_eq!(world.next_event().await, HacEvent::LookedUp(0x201));
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(world.asks("status").await["feed"]["look_ups"], json!({ "asked": 2, "found": 0 }));
        world.stop().await;
    });
}

#[test]
fn a_flood_of_forged_spis_is_looked_up_a_hundred_times_a_second_and_real_signalling_gets_through() {
    in_new_network_namespace(|| async {
        let mut world = World::start().await;
        world.expect(HacEvent::Acknowledged(1)).await;
        let mut node = MobileNode::new(&hac::association(1));
        let forger = UdpSocket::bind("192.0.2.7:0").unwrap();
        let begun = Instant::now();
        for round in 0..100 {
            for number in 0..100 {
                let unknown = hac::association(0x200 + (round * 100 + number) % 0xe00).sa.spi;
                let mut octets = Envelope::emit(PType::MobilityHeader, unknown, 0).to_vec();
                octets.resize(120, 0x5a);
                forger.send_to(&octets, "198.51.100.1:7872").unwrap();
            }
            world.forgets_events();
            if round % 10 == 0 {
                assert_eq!(node.binds(1 + round / 10), 0);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let status = world.until(|status| status["feed"]["look_ups"]["asked"].as_u64() >= Some(100)).await;
        let may_ask = 100 * (begun.elapsed().as_secs() + 1);
        let asked = status["feed"]["look_ups"]["asked"].as_u64().unwrap();
        assert!(asked <= may_ask, "{asked} look-ups, {may_ask} may be");
        let drops = &status["drops"];
        assert!(drops["unknown-spi"].as_u64().unwrap() > 500 && drops["event-queue-full"].is_null(), "{drops}");
        world.stop().await;
    });
}
