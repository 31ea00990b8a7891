//! In which form user data goes, and of which families.

use protocol::addr::{HomeAddress, HomeAddresses};
use protocol::profile::WireProfile;
use protocol::sa::UserData;
use protocol::wire::mobility::Ipv4Status;

use super::*;
use crate::binding_messages::Ipv4Refusal;

fn clear(spi: u32) -> SecurityAssociation {
    SecurityAssociation { user_data: UserData::Clear, ..association(spi) }
}

#[test]
fn under_mip6_sas_0_user_data_is_protected_from_a_binding_update_until_its_acknowledgement() {
    let mut story = Story::registered_with(clear);
    story.sees(&[lte()]);
    story.opens_what_is_asked();
    let actions = story.actions();
    assert!(matches!(actions[..2], [Action::Command(Command::Move { .. }), Action::Command(Command::Signal { .. })]));
    assert_eq!(told(&actions), Some(Encapsulation::ProtectedUdp));
    let (_, update) = story.update(&actions[1]).unwrap();
    story.hears(1, 130, update.sequence);
    assert_eq!(told(&story.actions()), None, "a refusal acknowledges nothing");
    story.hears(1, 0, update.sequence);
    assert_eq!(told(&story.actions()), Some(Encapsulation::ClearUdp));
}

#[test]
fn a_token_on_its_way_back_keeps_user_data_protected_and_a_refresh_protects_it_anew() {
    let mut story = Story::registered_with(clear);
    story.hears_refresh_request(1);
    let actions = story.actions();
    assert_eq!(told(&actions), Some(Encapsulation::ProtectedUdp));
    let (_, update) = story.update(&actions[1]).unwrap();
    let token = BindingAcknowledgement { path_check: Some(PathToken([1; 8])), ..acknowledgement(0, update.sequence) };
    story.hears_answer(1, token);
    let actions = story.actions();
    assert_eq!(told(&actions), None);
    story.hears(1, 0, update.sequence + 1);
    assert_eq!(told(&story.actions()), Some(Encapsulation::ClearUdp));
}

#[test]
fn an_sa_that_is_not_numbered_carries_user_data_in_the_clear_alone() {
    fn unnumbered(spi: u32) -> SecurityAssociation {
        SecurityAssociation { profile: WireProfile::Draft04, ..clear(spi) }
    }
    let mut story = Story::with(unnumbered);
    story.is_granted(1);
    story.sees(&[wifi()]);
    story.opens_what_is_asked();
    let actions = story.actions();
    assert_eq!(told(&actions), Some(Encapsulation::ClearUdp));
    let (_, update) = story.update(&actions[1]).unwrap();
    story.hears(1, 0, update.sequence);
    assert_eq!(told(&story.actions()), None);
}

#[test]
fn a_node_with_an_ipv4_home_address_alone_binds_that() {
    fn only_ip4(spi: u32) -> SecurityAssociation {
        SecurityAssociation { home: HomeAddresses::new(None, Some([10, 9, 0, 7].into())).unwrap(), ..association(spi) }
    }
    let mut story = Story::with(only_ip4);
    story.is_granted(1);
    story.sees(&[wifi()]);
    story.opens_what_is_asked();
    let actions = story.actions();
    // That the Home Address option is ::ffff:10.9.0.7 is checked in `update`.
    let (_, update) = story.update(&actions[1]).unwrap();
    assert!(update.ipv4_home.is_some());
    story.hears(1, 0, update.sequence);
    let registered = story.node.registered().unwrap();
    assert_eq!(registered.bound, [HomeAddress([10, 9, 0, 7].into())]);
    assert_eq!((registered.ipv4_refused, story.node.phase()), (None, Phase::Registered));
}

#[test]
fn a_home_agent_that_does_not_bind_ipv4_leaves_ipv6_bound() {
    for (answer, refusal) in [(Some((Ipv4Status(132), [10, 9, 0, 7].into())), Some(Ipv4Status(132))), (None, None)] {
        let mut story = Story::registered();
        story.hears_refresh_request(1);
        let sequence = story.last_update().sequence;
        story.hears_answer(1, BindingAcknowledgement { ipv4_address: answer, ..acknowledgement(0, sequence) });
        let registered = story.node.registered().unwrap();
        assert_eq!(registered.bound, [HomeAddress(association(1).home.ip6().unwrap().into())]);
        assert_eq!(registered.ipv4_refused, Some(Ipv4Refusal(refusal)));
    }
}
