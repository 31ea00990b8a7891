//! A node starts: MHAuth, keys, home addresses, the first registration.

use std::net::IpAddr;

use hac::store::Pools;
use protocol::sa::CipherSuite;
use tests::sim::packet::{CORRESPONDENT4, CORRESPONDENT6, udp};
use tests::sim::{Access, Options};

use super::{SECOND, down, home6, registered, registered_with, up};

#[test]
fn a_node_authenticates_registers_and_talks_both_ways_in_both_families() {
    for suite in CipherSuite::ALL {
        let mut world = registered(suite);
        let home4: IpAddr = world.home().unwrap().ip4().unwrap().into();
        let sent = [up(&world, b"six"), udp(home4, CORRESPONDENT4.into(), b"four")];
        let answers = [down(&world, b"SIX"), udp(CORRESPONDENT4.into(), home4, b"FOUR")];
        for (packet, answer) in sent.iter().zip(&answers) {
            world.mobile_node_sends(packet);
            world.correspondent_sends(answer);
        }
        world.runs_for(SECOND);
        assert_eq!(world.correspondent_received(), sent, "{suite}");
        assert_eq!(world.mobile_node_received(), answers, "{suite}");
    }
}

#[test]
fn a_node_with_home_addresses_of_one_family_talks_and_moves_over_both() {
    let both = Options::new(CipherSuite::Aes128Gcm).pools;
    for pools in [Pools { ip4: None, ..both }, Pools { ip6: None, ..both }] {
        let mut world = registered_with(Options { pools, ..Options::new(CipherSuite::Aes128Gcm) });
        let home = world.home().unwrap();
        assert_eq!((home.ip6().is_some(), home.ip4().is_some()), (pools.ip6.is_some(), pools.ip4.is_some()));
        let (home, correspondent) = match home.ip4() {
            Some(ip) => (IpAddr::V4(ip), CORRESPONDENT4.into()),
            None => (home6(&world), CORRESPONDENT6.into()),
        };
        let (sent, answer) = (udp(home, correspondent, b"up"), udp(correspondent, home, b"down"));
        for access in [Access::Wifi, Access::Lte, Access::Wifi] {
            world.moves_to(access);
            world.runs_for(SECOND);
            world.mobile_node_sends(&sent);
            world.correspondent_sends(&answer);
            world.runs_for(SECOND);
            assert_eq!(world.correspondent_received(), std::slice::from_ref(&sent), "{home} on {access:?}");
            assert_eq!(world.mobile_node_received(), std::slice::from_ref(&answer), "{home} on {access:?}");
        }
    }
}
