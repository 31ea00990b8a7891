//! What the HAC hears of Binding Updates.

use feed::Change;

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
