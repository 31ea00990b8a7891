//! What the HAC hears of Binding Updates.

use feed::Change;
use fixture::shell;

use crate::hac::{self, HacEvent};
use crate::mobile_node::MobileNode;
use crate::namespace::in_new_network_namespace;
use crate::world::World;

#[test]
fn the_hac_hears_under_which_sa_a_node_has_registered_also_when_that_was_while_it_was_away() {
    in_new_network_namespace(|| async {
        let mut world = World::start().await;
        world.expect(HacEvent::Acknowledged(1)).await;
        world.hac.stop().await;
        world.until_feed_is_gone().await;
        let mut node = MobileNode::new(&hac::association(1));
        assert_eq!(node.binds(1), 0);
        world.restart_hac().await;
        world.expect(HacEvent::Acknowledged(1)).await;
        assert_eq!(world.next_event().await, HacEvent::Registered(vec![1]), "with the new subscription");
        assert_eq!(node.binds(2), 0);
        drop(node);

        world.hac.send(2, Change::Install(Box::new(hac::association(2)))).await;
        assert_eq!(world.next_event().await, HacEvent::Acknowledged(2), "a refresh is not told");
        let mut node = MobileNode::new(&hac::association(2));
        assert_eq!(node.binds(3), 0);
        assert_eq!(world.next_event().await, HacEvent::Registered(vec![2]));
        world.stop().await;
    });
}

#[test]
fn a_node_that_seems_to_be_in_a_pool_is_refused_with_174_and_bound_where_it_is() {
    in_new_network_namespace(|| async {
        shell("ip address add 10.9.0.200/32 dev lo");
        let mut world = World::start().await;
        world.expect(HacEvent::Acknowledged(1)).await;
        let mut node = MobileNode::new(&hac::association(1));
        let elsewhere = node.address().ip();
        node.is_at([10, 9, 0, 200].into());
        assert_eq!(node.binds(1), 174);
        assert_eq!(world.asks("bindings").await["count"], 0);
        node.is_at(elsewhere);
        assert_eq!(node.binds(2), 0);
        world.stop().await;
    });
}
