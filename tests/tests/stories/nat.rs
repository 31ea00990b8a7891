//! A node behind a network address translator: the home agent sees another address than the node has, and sometimes another
//! one than before.

use std::net::SocketAddr;
use std::time::Duration;

use mn::mobile_node::Phase;
use protocol::sa::{CipherSuite, UserData};
use tests::sim::{Access, NAT_OUTER, Options, World};

use super::{SECOND, down, up};

/// Whom a home agent believes so far gets so much and no more.
const UNPROVED: usize = 64 << 10;

/// Registered on the Wi-Fi, which is behind a translator.
fn registered(options: Options) -> World {
    let mut world = World::with(options).with_wifi_behind_a_nat();
    world.mobile_node_boots();
    world.runs_for(SECOND);
    assert_eq!(world.phase(), Some(Phase::Registered));
    world
}

fn unmapped(world: &World) -> u64 {
    world.network.nat.as_ref().unwrap().unmapped
}

/// One packet each way arrives.
fn talks(world: &mut World) {
    world.mobile_node_sends(&up(world, b"up"));
    world.correspondent_sends(&down(world, b"down"));
    world.runs_for(SECOND);
    assert_eq!(
        (world.correspondent_received(), world.mobile_node_received()),
        (vec![up(world, b"up")], vec![down(world, b"down")])
    );
}

#[test]
fn behind_a_nat_a_node_registers_is_proved_and_talks() {
    for suite in CipherSuite::ALL {
        for user_data in [UserData::Protected, UserData::Clear] {
            let mut world = registered(Options { user_data, ..Options::new(suite) });
            assert_eq!((world.bound_to().unwrap().ip(), world.is_proved()), (NAT_OUTER, true), "{suite}");
            talks(&mut world);
        }
    }
}

#[test]
fn a_node_moves_out_from_behind_a_nat_and_back_in() {
    let mut world = registered(Options::new(CipherSuite::Aes128Gcm));
    for (access, is_behind) in [(Access::Lte, false), (Access::Wifi, true), (Access::Lte, false)] {
        world.moves_to(access);
        world.runs_for(SECOND);
        assert_eq!((world.bound_to().unwrap().ip() == NAT_OUTER, world.is_proved()), (is_behind, true));
        talks(&mut world);
    }
}

#[test]
fn a_node_that_is_mapped_anew_is_found_again_by_its_next_packet() {
    let mut world = registered(Options::new(CipherSuite::Aes128Gcm));
    let before = world.bound_to();
    world.nat_forgets_mappings();
    world.correspondent_sends(&down(&world, b"lost"));
    world.runs_for(SECOND);
    assert_eq!((world.mobile_node_received().len(), unmapped(&world)), (0, 1), "nobody knows yet");
    world.mobile_node_sends(&up(&world, b"at once"));
    world.runs_for(world.network.wifi.delay);
    assert_eq!(world.correspondent_received(), [up(&world, b"at once")], "data from a new source is taken");
    assert_eq!(world.bound_to(), before, "but moves nothing: a Binding Refresh Request is on its way");
    world.correspondent_sends(&down(&world, b"there too"));
    world.runs_for(world.network.wifi.delay);
    assert_eq!(world.mobile_node_received(), [down(&world, b"there too")], "a round trip after the packet from the new port");
    world.runs_for(world.network.wifi.delay);
    assert_ne!(world.bound_to(), before, "the Binding Update that answers moves the downlink");
    assert!(world.is_proved(), "since it gives back the token that the request brought");
    talks(&mut world);
    assert!(world.is_proved());
}

/// In the clear nothing proves where a packet came from: such data is dropped, until the node notices that it hears nothing.
#[test]
fn a_node_in_the_clear_that_is_mapped_anew_is_back_within_seconds() {
    let mut world = registered(Options { user_data: UserData::Clear, ..Options::new(CipherSuite::Aes128Gcm) });
    world.nat_forgets_mappings();
    let start = world.elapsed();
    while world.correspondent_received().is_empty() {
        world.mobile_node_sends(&up(&world, b"anybody?"));
        world.runs_for(Duration::from_millis(100));
        assert!(world.elapsed() - start < SECOND * 4, "not back within 4 s");
    }
    world.runs_for(SECOND);
    world.correspondent_received();
    talks(&mut world);
}

#[test]
fn keepalives_keep_a_mapping_for_hours_in_which_nothing_is_said() {
    for user_data in [UserData::Protected, UserData::Clear] {
        let mut world = registered(Options { user_data, ..Options::new(CipherSuite::Aes128Gcm) });
        for hour in 1..=5 {
            world.runs_for(SECOND * 3600);
            let packet = down(&world, &[hour]);
            world.correspondent_sends(&packet);
            world.runs_for(SECOND);
            assert_eq!(world.mobile_node_received(), [packet], "hour {hour}");
        }
        assert_eq!(unmapped(&world), 0);
        assert!(world.keepalives() > 100, "{} keepalives", world.keepalives());
        assert_eq!(world.correspondent_received().len(), 0, "they are for nobody");
    }
}

#[test]
fn who_delivers_a_copied_binding_update_first_gets_64_kib_and_the_node_all_of_its_traffic() {
    let mut world = registered(Options::new(CipherSuite::Aes128Gcm));
    let (bound, third) = (world.bound_to(), SocketAddr::from(([203, 0, 113, 66], 6666)));
    steal_the_next_binding_update(&mut world, third);
    assert_eq!((world.bound_to(), world.is_proved()), (Some(third), false), "nothing tells him from a NAT");
    let packets: Vec<_> = (0_u32..300).map(|number| down(&world, &[&number.to_be_bytes()[..], &[0; 1_200]].concat())).collect();
    for packet in &packets {
        world.correspondent_sends(packet);
        world.runs_for(Duration::from_micros(300));
    }
    world.runs_for(SECOND * 5);
    assert_eq!(world.mobile_node_received(), packets, "the last path that was proved is used as well");
    let stolen: usize = world.network.record.iter().filter(|sent| sent.to == third).map(|sent| sent.octets.len()).sum();
    assert!((UNPROVED / 2..=UNPROVED).contains(&stolen), "{stolen} octets of {}", packets.len() * packets[0].len());
    assert_eq!(
        (world.bound_to(), world.is_proved()),
        (bound, true),
        "the Binding Update that the node sends again sets it right"
    );
}

/// The node refreshes its binding; somebody who is nearer to the home agent copies that and sends it from elsewhere.
fn steal_the_next_binding_update(world: &mut World, third: SocketAddr) {
    let is_update = |world: &World| world.network.record.last().is_some_and(|sent| sent.is_signalling() && sent.is_up());
    let seen = world.network.record.len();
    while world.network.record.len() == seen || !is_update(world) {
        world.runs_for(Duration::from_millis(10));
        assert!(world.elapsed() < SECOND * 600, "no Binding Update");
    }
    let copied = world.network.record.last().unwrap().clone();
    world.attacker_sends(third, copied.to, &copied.octets);
    world.runs_for(Duration::from_millis(2));
}
