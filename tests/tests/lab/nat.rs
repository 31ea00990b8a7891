//! A mobile node behind a network address translator, which it cannot see: what it does there, and when it is mapped anew.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::lab::deployment::SOON;
use tests::lab::traffic::during;
use tests::lab::{Deployment, Lab, Nat, inside, plan, wait_for};

use crate::setup;

/// Octets of each transfer.
const OCTETS: u64 = 10_000_000;
/// Of the transfer in which the translator forgets: it must still run then.
const MANY_OCTETS: u64 = 100_000_000;

/// A mobile node registered from behind a translator, its path proved.
fn registered(lab: &Lab) -> Result<(Nat<'_>, Deployment<'_>)> {
    let nat = lab.translate(plan::WIFI)?;
    let deployment = setup::registered(lab, "AES_128_GCM")?;
    is_bound(&deployment, Where::BehindNat)?;
    Ok((nat, deployment))
}

enum Where {
    BehindNat,
    OnLte,
}

/// Waits until the one binding says where the node is, and that its path is proved; gives the remote address and port.
fn is_bound(deployment: &Deployment<'_>, at: Where) -> Result<String> {
    let (nat, remote) = match at {
        Where::BehindNat => (true, format!("{}:", plan::NAT_OUTER4)),
        Where::OnLte => (false, format!("[{}]:", plan::LTE_CARE_OF)),
    };
    wait_for("the binding to be proved there", SOON, || {
        let binding = binding(deployment)?;
        let bound = binding["remote"].as_str().context("no `remote`")?.to_owned();
        let right = binding["nat"] == nat && binding["proved"] == true && bound.starts_with(&remote);
        ensure!(right, "the binding is {binding}, not proved at {remote}");
        Ok(Some(bound))
    })
}

fn binding(deployment: &Deployment<'_>) -> Result<Value> {
    let bindings = deployment.bindings()?;
    let list = bindings["bindings"].as_array().context("`ha bindings --json` has no list `bindings`")?;
    ensure!(list.len() == 1, "one binding was expected, and not {bindings}");
    Ok(list[0].clone())
}

fn carries(deployment: &Deployment<'_>, lab: &Lab) -> Result<()> {
    deployment.ping_everywhere()?;
    for to in [plan::CN6, plan::CN4] {
        lab.send(to, OCTETS)?;
        lab.fetch(to, OCTETS)?;
    }
    Ok(())
}

#[test]
fn a_node_behind_a_nat_registers_talks_both_ways_and_moves_out_and_back_in() {
    inside(|lab| {
        let (_nat, deployment) = registered(lab)?;
        let _servers = lab.serve_traffic()?;
        carries(&deployment, lab)?;
        let streams = during(
            || lab.stream(plan::CN4, Duration::from_secs(4), 1_000),
            || {
                std::thread::sleep(Duration::from_millis(500));
                deployment.move_to(plan::LTE)?;
                is_bound(&deployment, Where::OnLte)?;
                std::thread::sleep(Duration::from_millis(500));
                deployment.move_to(plan::WIFI)?;
                is_bound(&deployment, Where::BehindNat).map(drop)
            },
        )?;
        for stream in [&streams.up, &streams.down] {
            ensure!(stream.longest_gap_ms < 1_000.0 && stream.lost < stream.sent / 4, "through the moves: {streams:?}");
        }
        carries(&deployment, lab)
    });
}

/// The first packet from the new port is taken, and draws a Binding Refresh Request; the Binding Update that answers moves the
/// downlink. All that can pass between two packets of the stream, so none need be sent to the old port.
#[test]
fn a_node_that_a_nat_maps_anew_is_found_again_by_its_next_packet() {
    inside(|lab| {
        let (nat, deployment) = registered(lab)?;
        let _servers = lab.serve_traffic()?;
        let before = is_bound(&deployment, Where::BehindNat)?;
        let streams = during(
            || lab.stream(plan::CN6, Duration::from_secs(3), 1_000),
            || {
                std::thread::sleep(Duration::from_secs(1));
                nat.forget_mappings()
            },
        )?;
        let remapped = is_bound(&deployment, Where::BehindNat)?;
        ensure!(remapped != before, "the binding still names {before}");
        ensure!(streams.up.lost == 0, "the home agent takes data from a new source at once: {streams:?}");
        ensure!(streams.down.longest_gap_ms < 500.0, "the downlink has not followed: {streams:?}");
        transfer_amid_which_the_nat_forgets(&deployment, lab, &nat)?;
        ensure!(is_bound(&deployment, Where::BehindNat)? != remapped, "the binding still names {remapped}");
        carries(&deployment, lab)
    });
}

/// The very connection goes on, and its checksum is right.
fn transfer_amid_which_the_nat_forgets(deployment: &Deployment<'_>, lab: &Lab, nat: &Nat<'_>) -> Result<()> {
    let (before, _) = deployment.tunnel_octets()?;
    during(
        || lab.send(plan::CN4, MANY_OCTETS),
        || {
            wait_for("a third of the transfer", SOON, || {
                Ok((deployment.tunnel_octets()?.0 > before + MANY_OCTETS / 3).then_some(()))
            })?;
            nat.forget_mappings()
        },
    )
    .map(drop)
}

/// The translator forgets what is silent for two seconds, much faster than any that a node would meet; the node was told to
/// send a keepalive every 110 seconds, so after the silence the correspondent node reaches it again only with its next packet.
#[test]
fn a_silent_node_whose_mapping_is_gone_is_reached_again_as_soon_as_it_sends() {
    inside(|lab| {
        let (nat, deployment) = registered(lab)?;
        nat.keep_mappings_for(Duration::from_secs(2))?;
        deployment.ping_everywhere()?;
        std::thread::sleep(Duration::from_secs(3));
        let home = *deployment.home_addresses()?.first().context("no home address")?;
        let unreached = lab.ping(plan::CN, home, 1)?;
        ensure!(unreached.milliseconds.is_empty(), "the translator has forgotten nothing");
        let answered = lab.ping(plan::MN, plan::CN6, 3)?;
        ensure!(answered.milliseconds.len() >= 2, "more than the first answer was lost:\n{}", answered.text);
        deployment.ping_everywhere()
    });
}
