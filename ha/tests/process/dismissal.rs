//! The operator removes a home agent at the HAC while it runs.

use fixture::shell;

use crate::hac::{self, HacEvent};
use crate::mobile_node::MobileNode;
use crate::namespace::in_new_network_namespace;
use crate::world::World;

#[test]
fn a_home_agent_that_is_dismissed_drops_every_sa_and_binding_and_says_why() {
    in_new_network_namespace(|| async {
        let mut world = World::start().await;
        world.expect(HacEvent::Acknowledged(1)).await;
        let mut node = MobileNode::new(&hac::association(1));
        assert_eq!(node.binds(1), 0);
        assert!(node.pings_home_agent());

        world.hac.dismiss().await;
        let status = world.until(|status| status["security_associations"]["held"] == 0).await;
        assert_eq!((&status["bindings"], &status["feed"]["connected"]), (&0.into(), &false.into()));
        let why = status["feed"]["last_error"].as_str().unwrap();
        assert!(why.contains("does not serve this home agent") && why.contains("\"ha1\" was removed"), "{why}");
        assert!(!node.pings_home_agent(), "nothing is opened any more");
        assert!(!shell("ip -6 route show proto 78").contains("2001:db8:100::5"), "the binding's route goes with it");
        world.stop().await;
    });
}
