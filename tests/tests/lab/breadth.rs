//! Every suite, profile and choice of home addresses does the whole job, with small transfers. [`main_job`](crate::main_job)
//! does it with large ones and in the middle of a transfer.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tests::lab::traffic::during;
use tests::lab::{Deployment, Lab, Setup, inside, plan};

use crate::setup;
use crate::wire::Wire;

/// Octets of each transfer.
const OCTETS: u64 = 5_000_000;
/// 3DES is slow, and one of its keys is for 8 MiB.
const FEW_OCTETS: u64 = 2_000_000;
/// A move may silence a stream for so long; a second without any packet would be a loss of the path, not a move.
const LONGEST_GAP_MS: f64 = 1_000.0;

#[test]
fn aes_128_gcm_does_the_whole_job() {
    inside(|lab| whole_job(lab, &Setup::default(), OCTETS));
}

#[test]
fn chacha20_poly1305_does_the_whole_job() {
    inside(|lab| whole_job(lab, &suite("CHACHA20_POLY1305"), OCTETS));
}

#[test]
fn aes_128_cbc_sha_does_the_whole_job() {
    inside(|lab| whole_job(lab, &suite("AES_128_CBC_SHA"), OCTETS));
}

#[test]
fn aes_128_cbc_sha256_does_the_whole_job() {
    inside(|lab| whole_job(lab, &suite("AES_128_CBC_SHA256"), OCTETS));
}

#[test]
fn triple_des_does_the_whole_job() {
    inside(|lab| whole_job(lab, &suite("3DES_EDE_CBC_SHA"), FEW_OCTETS));
}

#[test]
fn null_sha_does_the_whole_job() {
    inside(|lab| whole_job(lab, &suite("NULL_SHA"), OCTETS));
}

#[test]
fn null_sha256_does_the_whole_job() {
    inside(|lab| whole_job(lab, &suite("NULL_SHA256"), OCTETS));
}

#[test]
fn aes_128_cbc_sha_does_the_whole_job_in_draft_04() {
    inside(|lab| whole_job(lab, &draft("AES_128_CBC_SHA"), OCTETS));
}

#[test]
fn aes_128_cbc_sha256_does_the_whole_job_in_draft_04() {
    inside(|lab| whole_job(lab, &draft("AES_128_CBC_SHA256"), OCTETS));
}

#[test]
fn triple_des_does_the_whole_job_in_draft_04() {
    inside(|lab| whole_job(lab, &draft("3DES_EDE_CBC_SHA"), FEW_OCTETS));
}

#[test]
fn null_sha_does_the_whole_job_in_draft_04_with_user_data_in_the_clear() {
    inside(|lab| whole_job(lab, &Setup { user_data: "clear", ..draft("NULL_SHA") }, OCTETS));
}

#[test]
fn null_sha256_does_the_whole_job_in_draft_04_with_user_data_in_the_clear() {
    inside(|lab| whole_job(lab, &Setup { user_data: "clear", ..draft("NULL_SHA256") }, OCTETS));
}

#[test]
fn user_data_in_the_clear_does_the_whole_job() {
    inside(|lab| whole_job(lab, &Setup { user_data: "clear", ..Setup::default() }, OCTETS));
}

#[test]
fn a_node_with_an_ipv4_home_address_alone_does_the_whole_job() {
    inside(|lab| whole_job(lab, &Setup { pool6: None, ..Setup::default() }, OCTETS));
}

#[test]
fn a_node_with_an_ipv6_home_address_alone_does_the_whole_job() {
    inside(|lab| whole_job(lab, &Setup { pool4: None, ..Setup::default() }, OCTETS));
}

fn suite(suite: &str) -> Setup<'_> {
    Setup { suite, ..Setup::default() }
}

fn draft(suite: &str) -> Setup<'_> {
    Setup { suite, profile: "draft-04", ..Setup::default() }
}

/// Echoes, transfers each way and a move, then all of it again on the other network, in every family that there is; and on the
/// wire nothing but what profile, suite and `mip6-sas` allow.
fn whole_job(lab: &Lab, setup: &Setup<'_>, octets: u64) -> Result<()> {
    let wire = lab.capture(plan::NET, plan::HA, "wire", 96, "udp port 7872")?;
    let deployment = setup::registered_with(lab, setup)?;
    let _servers = lab.serve_traffic()?;
    carries(&deployment, lab, octets)?;
    let to = *deployment.correspondents.first().context("no family has home addresses")?;
    let streams = during(
        || lab.stream(to, Duration::from_secs(3), 1_000),
        || {
            std::thread::sleep(Duration::from_millis(500));
            deployment.move_to(plan::LTE)
        },
    )?;
    for stream in [&streams.up, &streams.down] {
        ensure!(stream.longest_gap_ms < LONGEST_GAP_MS && stream.lost < stream.sent / 4, "through the move: {streams:?}");
    }
    carries(&deployment, lab, octets)?;
    Wire::read(&wire.stop()?)?.check(setup)
}

fn carries(deployment: &Deployment<'_>, lab: &Lab, octets: u64) -> Result<()> {
    deployment.ping_everywhere()?;
    for to in &deployment.correspondents {
        lab.send(*to, octets)?;
        lab.fetch(*to, octets)?;
    }
    Ok(())
}
