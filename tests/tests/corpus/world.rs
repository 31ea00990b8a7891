//! Seeds of the walks through the simulated world: under each suite and profile a day with everything in it, and some shorter ones.

use tests::sim::walk;

use crate::Seed;

/// Suites, profiles and forms of user data that are granted together.
const SETTINGS: u8 = 26;
/// AES_128_GCM, the RFC's profile, protected user data, SAs of a day.
const USUAL: [u8; 2] = [0, 0];

// Transitions, by what they are in `tests::sim::walk::transition`.
const A_MOMENT: [u8; 2] = [0, 30];
const A_SECOND: [u8; 2] = [0, 110];
const TEN_MINUTES: [u8; 2] = [0, 212];
const TWO_HOURS: [u8; 2] = [0, 253];
const UP: [u8; 2] = [12, 19];
const DOWN: [u8; 2] = [12, 18];
const A_FLOOD_DOWN: [u8; 2] = [12, 254];
const DETACHES: [u8; 2] = [22, 0];
const TO_WIFI: [u8; 2] = [22, 1];
const TO_LTE: [u8; 2] = [22, 2];
const BEHIND_A_NAT: [u8; 2] = [28, 1];
const NAT_FORGETS: [u8; 2] = [30, 0];
const BAD_LINKS: [u8; 2] = [32, 0b101_1000];
const DEAD_LINKS: [u8; 2] = [32, 0b011_0000];
const NODE_RENEWS: [u8; 2] = [36, 0];
const NODE_BOOTS: [u8; 2] = [38, 0];
const NODE_LEAVES: [u8; 2] = [40, 0];
const HOME_AGENT_ASKS: [u8; 2] = [41, 0];
const HOME_AGENT_STARTS: [u8; 2] = [43, 0];
const HOME_AGENT_DIES: [u8; 2] = [46, 0];
const HAC_STARTS: [u8; 2] = [47, 0];
const HAC_DIES: [u8; 2] = [49, 0];
const DISABLED: [u8; 2] = [50, 0];
const ENABLED: [u8; 2] = [50, 1];
const REPLAYS: [u8; 2] = [52, 0];
const REPLAYS_ELSEWHERE: [u8; 2] = [54, 200];
const REFLECTS: [u8; 2] = [55, 200];
const FLIPS: [u8; 2] = [56, 77];
const COPIES_BINDING_UPDATE: [u8; 2] = [57, 0];
const COPIES_LAST: [u8; 2] = [59, 0];
const RIGHT_ON_WIFI: [u8; 2] = [60, 0];
const RIGHT_ON_FAST_WIFI: [u8; 2] = [60, 4];
const RIGHT_ON_SLOW_LTE: [u8; 2] = [60, 14];

/// Target and seeds.
pub(crate) fn all() -> Vec<(&'static str, Vec<Seed>)> {
    let days = (0..SETTINGS).map(|setting| (format!("day_{setting}"), a_day([setting, setting])));
    let shorter: [(&str, &[[u8; 2]]); 8] = [
        ("slower_network", &[RIGHT_ON_FAST_WIFI, TEN_MINUTES, RIGHT_ON_SLOW_LTE, TEN_MINUTES, UP, DOWN]),
        ("hac_away", &[RIGHT_ON_WIFI, HAC_DIES, TWO_HOURS, UP, DOWN, HOME_AGENT_STARTS, A_SECOND, HAC_STARTS]),
        ("disabled", &[RIGHT_ON_WIFI, UP, DISABLED, TEN_MINUTES, NODE_BOOTS, A_SECOND, NODE_BOOTS, ENABLED, TEN_MINUTES]),
        (
            "copied",
            &[RIGHT_ON_WIFI, UP, TO_LTE, COPIES_BINDING_UPDATE, A_FLOOD_DOWN, A_MOMENT, A_FLOOD_DOWN, COPIES_LAST, A_SECOND],
        ),
        ("nat", &[BEHIND_A_NAT, RIGHT_ON_WIFI, UP, NAT_FORGETS, UP, A_SECOND, DOWN, TWO_HOURS, DOWN, TO_LTE, TO_WIFI]),
        (
            "restarts",
            &[RIGHT_ON_WIFI, UP, HOME_AGENT_STARTS, REPLAYS, UP, A_SECOND, NODE_BOOTS, REPLAYS, HOME_AGENT_DIES, TEN_MINUTES],
        ),
        ("dead_links", &[RIGHT_ON_WIFI, DOWN, DEAD_LINKS, UP, TEN_MINUTES, REPLAYS_ELSEWHERE, DETACHES, TEN_MINUTES, TO_LTE]),
        ("leaves", &[RIGHT_ON_WIFI, UP, BAD_LINKS, NODE_LEAVES, A_MOMENT, REPLAYS, A_SECOND, NODE_BOOTS, A_MOMENT, NODE_LEAVES]),
    ];
    let shorter = shorter.map(|(name, transitions)| (name.to_owned(), walk(USUAL, transitions)));
    vec![("world", days.chain(shorter).collect())]
}

fn a_day(setting: [u8; 2]) -> Vec<u8> {
    let morning = [RIGHT_ON_WIFI, UP, DOWN, TO_LTE, UP, DOWN, A_SECOND, HOME_AGENT_ASKS, UP, DOWN, A_SECOND, NODE_RENEWS];
    let noon = [REPLAYS, REFLECTS, FLIPS, A_MOMENT, TWO_HOURS, UP, DOWN, HAC_STARTS, A_SECOND, DOWN, HOME_AGENT_STARTS, UP];
    let evening = [A_SECOND, REPLAYS, BAD_LINKS, UP, DOWN, A_SECOND, TO_WIFI, REPLAYS_ELSEWHERE, A_SECOND, TWO_HOURS, UP, DOWN];
    walk(setting, &[morning, noon, evening].concat())
}

fn walk(setting: [u8; 2], transitions: &[[u8; 2]]) -> Vec<u8> {
    [&setting, transitions.as_flattened()].concat()
}

#[test]
fn on_every_seed_of_the_world_packets_had_to_arrive_and_did() {
    for (name, octets) in all().remove(0).1 {
        let report = walk::walk(&octets);
        assert!(report.promised > 12, "{name}: {report:?}");
    }
}
