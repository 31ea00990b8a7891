//! Bootstrap, registration, both families through both kinds of outer network, a move in the middle of a transfer.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tests::lab::deployment::SOON;
use tests::lab::traffic::during;
use tests::lab::{Deployment, Lab, inside, plan, wait_for};

use crate::setup;

/// Megabytes of each transfer; 100 unless the environment says otherwise.
fn octets() -> Result<u64> {
    let megabytes = std::env::var("HALTSEC_LAB_MEGABYTES").unwrap_or_else(|_| "100".to_owned());
    Ok(megabytes.parse::<u64>().with_context(|| format!("HALTSEC_LAB_MEGABYTES={megabytes} is no number"))? * 1_000_000)
}

#[test]
fn aes_128_gcm_carries_both_families_each_way_and_through_a_move() {
    inside(|lab| main_job(lab, "AES_128_GCM"));
}

#[test]
fn aes_128_cbc_sha_carries_both_families_each_way_and_through_a_move() {
    inside(|lab| main_job(lab, "AES_128_CBC_SHA"));
}

#[test]
fn null_sha_carries_both_families_each_way_and_through_a_move() {
    inside(|lab| main_job(lab, "NULL_SHA"));
}

fn main_job(lab: &Lab, suite: &str) -> Result<()> {
    let octets = octets()?;
    let deployment = setup::registered(lab, suite)?;
    deployment.ping_everywhere()?;
    let _servers = lab.serve_traffic()?;
    // IPv6 in IPv4, each way.
    lab.send(plan::CN6, octets)?;
    lab.fetch(plan::CN6, octets)?;
    deployment.move_to(plan::LTE)?;
    deployment.ping_everywhere()?;
    // IPv4 in IPv6, each way.
    lab.send(plan::CN4, octets)?;
    lab.fetch(plan::CN4, octets)?;
    move_amid_a_transfer(&deployment, lab, octets)
}

/// From lte to wifi when a third of the octets has gone; the very connection goes on and its checksum is right.
fn move_amid_a_transfer(deployment: &Deployment<'_>, lab: &Lab, octets: u64) -> Result<()> {
    let (before, _) = deployment.tunnel_octets()?;
    during(
        || lab.send(plan::CN6, octets),
        || {
            wait_for(
                "a third of the transfer",
                SOON,
                || Ok((deployment.tunnel_octets()?.0 > before + octets / 3).then_some(())),
            )?;
            lab.attach(plan::WIFI)?;
            lab.detach(plan::LTE)
        },
    )?;
    deployment.wait_for_care_of(plan::WIFI)
}

#[test]
fn a_connection_outlives_a_second_without_any_network() {
    inside(|lab| {
        let deployment = setup::registered(lab, "AES_128_GCM")?;
        let _servers = lab.serve_traffic()?;
        let (_, before) = deployment.tunnel_octets()?;
        during(
            || lab.fetch(plan::CN4, octets()?),
            || {
                wait_for("the transfer to run", SOON, || Ok((deployment.tunnel_octets()?.1 > before + 1_000_000).then_some(())))?;
                lab.detach(plan::WIFI)?;
                std::thread::sleep(Duration::from_secs(1));
                lab.attach(plan::LTE)
            },
        )?;
        deployment.wait_for_care_of(plan::LTE)
    });
}

#[test]
fn an_unbound_home_address_is_answered_with_address_unreachable() {
    inside(|lab| {
        let deployment = setup::registered(lab, "AES_128_GCM")?;
        for (to, answer) in [(plan::UNBOUND6, "Address unreachable"), (plan::UNBOUND4, "Destination Host Unreachable")] {
            let ping = lab.ping(plan::CN, to.parse()?, 2)?;
            let status = deployment.status("ha")?;
            ensure!(ping.text.contains(answer), "{to} is not bound; ping said\n{}\nha says {status}", ping.text);
        }
        Ok(())
    });
}
