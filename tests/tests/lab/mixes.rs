//! What a move, a network's fault and its malice cost where both networks are of one kind: IPv4 or IPv6 outside, behind NATs or not. Each
//! row is a case of another file, which stands there for a move between the families; here it runs in each mix. Those that `make test`
//! leaves out run in `make soak`.

use std::time::Duration;

use tests::lab::{Mix, inside, plan};

use crate::{fallback, handover, leaks, path_mtu, ping_pong, remapping, resume, roaming};

/// A row: its name, what it does in the lab whose networks are as the mix says, and with what translator; the mixes of `make test`, and
/// the others.
macro_rules! row {
    ($row:ident, |$lab:ident, $nat:ident| $case:expr, [$($short:ident),*], [$($long:ident),*]) => {
        mod $row {
            use super::*;

            $(#[test]
            fn $short() {
                inside(|$lab| {
                    let $nat = $lab.networks(Mix::$short())?;
                    $case
                });
            })*

            $(#[test]
            #[ignore = "`make soak` runs it"]
            fn $long() {
                inside(|$lab| {
                    let $nat = $lab.networks(Mix::$long())?;
                    $case
                });
            })*
        }
    };
}

row!(after_a_move_both_ways_are_back_in_time, |lab, _nat| handover::moves(lab), [ipv4_behind_nat], [ipv4, ipv6, ipv6_behind_nat]);
row!(
    after_a_change_of_lease_both_ways_are_back_in_time,
    |lab, _nat| handover::leases(lab, false),
    [ipv4],
    [ipv4_behind_nat, ipv6, ipv6_behind_nat]
);
row!(
    after_a_change_of_lease_to_an_optimistic_address_both_ways_are_back_in_time,
    |lab, _nat| handover::leases(lab, true),
    [ipv6_behind_nat],
    [ipv6]
);
row!(
    make_before_break_loses_nothing_and_doubles_nothing,
    |lab, _nat| roaming::soft_moves_between_networks_of_one_kind(lab),
    [ipv4_behind_nat, ipv6],
    [ipv4, ipv6_behind_nat]
);
row!(
    a_node_that_changes_networks_every_second_is_never_stuck,
    |lab, _nat| ping_pong::between_networks_of_one_kind(lab),
    [ipv6_behind_nat],
    [ipv4, ipv4_behind_nat, ipv6]
);
row!(
    a_node_that_wakes_on_another_network_has_traffic_within_a_second,
    |lab, _nat| resume::wakes_on_another_network(lab, resume::STOPPED),
    [ipv4_behind_nat],
    [ipv4, ipv6, ipv6_behind_nat]
);
row!(
    after_a_nat_forgets_the_downlink_is_back_in_time,
    |lab, nat| remapping::both_networks_come_back(lab, nat.as_ref()),
    [ipv6_behind_nat],
    [ipv4_behind_nat]
);
row!(
    a_deprecated_address_is_left_without_a_lost_packet,
    |lab, _nat| roaming::is_left_once_it_is_deprecated(lab, plan::WIFI),
    [ipv6_behind_nat],
    [ipv6]
);
row!(
    a_network_that_dies_with_its_link_up_is_left_within_three_seconds,
    |lab, _nat| roaming::leaves(lab, &["iifname wifi", "oifname wifi"], Duration::from_secs(3)).map(drop),
    [ipv6],
    [ipv4, ipv4_behind_nat, ipv6_behind_nat]
);
row!(
    where_udp_is_blocked_a_node_falls_back_within_3_s_and_comes_back_without_a_loss,
    |lab, _nat| fallback::falls_back_and_comes_back(lab, &fallback::with_fallback()),
    [ipv4_behind_nat],
    [ipv4, ipv6, ipv6_behind_nat]
);
row!(
    what_a_rogue_network_hands_out_leads_nothing_past_the_tunnel,
    |lab, _nat| leaks::handed_out_by_a_rogue(lab, leaks::SUITE),
    [ipv6_behind_nat],
    [ipv4, ipv4_behind_nat, ipv6]
);
row!(
    sigterm_puts_everything_back_in_each_state,
    |lab, _nat| leaks::terminated_in_each_state(lab, leaks::SUITE),
    [ipv4_behind_nat],
    [ipv4, ipv6, ipv6_behind_nat]
);
row!(
    nothing_leaves_in_the_clear_after_sigkill_in_any_state,
    |lab, _nat| leaks::killed_in_each_state(lab, leaks::SUITE),
    [],
    [ipv4, ipv4_behind_nat, ipv6, ipv6_behind_nat]
);
row!(
    tcp_over_a_path_of_1400_octets_that_nobody_tells_of_needs_no_fragment,
    |lab, _nat| path_mtu::bulk_over(lab, 1_400),
    [ipv6_behind_nat],
    [ipv4, ipv4_behind_nat, ipv6]
);
row!(
    transfers_survive_a_path_that_becomes_smaller_under_them,
    |lab, _nat| path_mtu::becomes_smaller(lab, plan::LTE),
    [ipv4_behind_nat],
    [ipv4, ipv6, ipv6_behind_nat]
);
