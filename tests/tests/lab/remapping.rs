//! A translator forgets its mappings under traffic, 40 ms from the mobile node: how long the downlink is away, and what is lost.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tests::figures::Figures;
use tests::lab::{Lab, Nat, Setup, inside, plan};
use tests::link::Link;

use crate::setup;

const ONE_WAY: Duration = Duration::from_millis(20);
/// A round trip and 20 ms.
const DOWNLINK: Duration = Duration::from_millis(40 + 20);
/// So long that the home agent's one request a second holds nothing back.
const APART: Duration = Duration::from_millis(1_200);

/// How often the translator forgets; 10 times unless the environment says otherwise.
fn count() -> Result<usize> {
    let times = std::env::var("HALTSEC_LAB_REMAPPINGS").unwrap_or_else(|_| "10".to_owned());
    times.parse().with_context(|| format!("HALTSEC_LAB_REMAPPINGS={times} is no number"))
}

#[test]
fn after_a_nat_forgets_the_downlink_of_ipv6_is_back_within_a_round_trip_and_20_ms() {
    inside(|lab| comes_back(lab, &lab.translate(plan::WIFI)?, plan::CN6, count()?));
}

#[test]
fn after_a_nat_forgets_the_downlink_of_ipv4_is_back_within_a_round_trip_and_20_ms() {
    inside(|lab| comes_back(lab, &lab.translate(plan::WIFI)?, plan::CN4, count()?));
}

/// Half as often, both networks behind the translator.
pub(crate) fn both_networks_come_back(lab: &Lab, nat: Option<&Nat<'_>>) -> Result<()> {
    comes_back(lab, nat.context("a mix without a translator")?, plan::CN6, count()? / 2)
}

fn comes_back(lab: &Lab, nat: &Nat<'_>, correspondent: IpAddr, count: usize) -> Result<()> {
    let deployment = setup::registered_with(lab, &Setup { in_memory: true, ..Setup::default() })?;
    let _servers = lab.serve_traffic()?;
    let mut emulator = lab.emulate(&Link::calm(ONE_WAY), 1)?;
    let remappings = lab.measured_remappings(nat, correspondent, count, APART)?;
    let downlink = Figures::of(remappings.iter().map(|one| one.downlink));
    let lost = |way: &dyn Fn(usize) -> usize| (0..remappings.len()).map(way).max().unwrap_or_default();
    let (up, down) = (lost(&|index| remappings[index].lost_up), lost(&|index| remappings[index].lost_down));
    eprintln!("RTT 40 ms, a packet a millisecond: downlink {downlink}; most lost: {up} up, {down} down");
    ensure!(downlink.nearly_all() <= DOWNLINK, "downlink {downlink}: {remappings:?}");
    ensure!(up <= 1, "uplink packets lost: {remappings:?}");
    emulator.check()?;
    deployment.ping_everywhere()
}
