//! An operator has a node get a new security association.

use protocol::wire::mobility::{BindingRefreshRequest, MobilityMessage};
use serde_json::json;
use service::control::Request;

use crate::hac::{self, HacEvent};
use crate::mobile_node::{HOME4, HOME6, MobileNode};
use crate::namespace::in_new_network_namespace;
use crate::world::World;

#[test]
fn a_node_whose_sa_is_to_be_renewed_is_asked_and_told_so_behind_every_acknowledgement() {
    in_new_network_namespace(|| async {
        let mut world = World::start().await;
        world.expect(HacEvent::Acknowledged(1)).await;
        let sa = hac::association(1).sa;
        let mut node = MobileNode::new(&hac::association(1));
        assert_eq!(node.binds(1), 0);
        let listed = world.asks("security-associations").await;
        let mut expected = json!({
            "spi": sa.spi.to_string(), "suite": "AES_128_GCM", "profile": "rfc6618", "user_data": "protected", "lease": 0,
            "home": [HOME6, HOME4], "bound": true, "renewal_wanted": false, "superseded": false,
            "from_node": { "packets": 0, "octets": 0 }, "to_node": { "packets": 0, "octets": 0 },
        });
        expected["seconds_left"] = listed["security_associations"][0]["seconds_left"].clone();
        assert_eq!((&listed["count"], &listed["security_associations"]), (&1.into(), &json!([expected])), "and no keys");

        let mut renew = Request::new("renew");
        renew.arguments.insert("spi".to_owned(), json!(sa.spi.get()));
        let answer = world.orders(renew).await;
        assert_eq!((&answer["wanted"], &answer["bound"]), (&1.into(), &1.into()));
        assert_eq!(node.receives_message(), MobilityMessage::BindingRefreshRequest(BindingRefreshRequest::default()));
        for sequence in [2, 3] {
            assert_eq!(node.binds(sequence), 0, "the binding stands");
            let second = node.is_acknowledged();
            assert_eq!((second.status.0, second.sequence, second.lifetime.units()), (176, sequence, 0));
        }
        assert!(node.pings_home_agent(), "the old SA works until then");
        assert_eq!(world.asks("status").await["security_associations"]["renewal_wanted"], 1);
        world.stop().await;
    });
}
