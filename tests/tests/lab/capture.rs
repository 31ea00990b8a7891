//! The tunnel as tshark sees it with exported keys: an implementation of ESP that shares no code with this one.

use anyhow::{Result, ensure};
use tests::lab::oracle::{BINDING_ACKNOWLEDGEMENT, BINDING_UPDATE, Frame, Oracle};
use tests::lab::{Deployment, Lab, inside, plan};

/// Names the file of keys to an `mn` of the build feature `lab`.
const EXPORT: &str = "HALTSEC_LAB_ESP_SA";
/// What tshark says of an ICV that is correct, and of one whose algorithm it does not know.
const CHECKED: Option<u32> = Some(1);
const UNCHECKED: Option<u32> = Some(0);

#[test]
fn tshark_reads_aes_128_gcm_and_finds_every_icv_correct() {
    inside(|lab| tshark_reads(lab, "AES_128_GCM", CHECKED));
}

#[test]
fn tshark_reads_aes_128_cbc_sha_and_finds_every_icv_correct() {
    inside(|lab| tshark_reads(lab, "AES_128_CBC_SHA", CHECKED));
}

#[test]
fn tshark_reads_null_sha_and_finds_every_icv_correct() {
    inside(|lab| tshark_reads(lab, "NULL_SHA", CHECKED));
}

#[test]
fn tshark_reads_3des_ede_cbc_sha_and_finds_every_icv_correct() {
    inside(|lab| tshark_reads(lab, "3DES_EDE_CBC_SHA", CHECKED));
}

#[test]
fn tshark_reads_aes_128_cbc_sha256_whose_icv_it_cannot_check() {
    inside(|lab| tshark_reads(lab, "AES_128_CBC_SHA256", UNCHECKED));
}

#[test]
fn tshark_reads_null_sha256_whose_icv_it_cannot_check() {
    inside(|lab| tshark_reads(lab, "NULL_SHA256", UNCHECKED));
}

fn tshark_reads(lab: &Lab, suite: &str, icv: Option<u32>) -> Result<()> {
    let oracle = Oracle::new(lab.folder())?;
    lab.attach(plan::WIFI)?;
    let mut deployment = Deployment::start(lab, suite)?;
    let on_wifi = lab.capture(plan::NET, plan::WIFI, "wifi", 0, "udp port 7872")?;
    let on_lte = lab.capture(plan::NET, plan::LTE, "lte", 0, "udp port 7872")?;
    deployment.mn_up(&[(EXPORT, &oracle.keys())])?;
    ensure!(oracle.keys().is_file(), "mn exported no keys; was it built with `--features mn/lab`?");
    deployment.ping_everywhere()?;
    deployment.move_to(plan::LTE)?;
    deployment.ping_everywhere()?;
    for capture in [on_wifi, on_lte] {
        check(&oracle.decode(&capture.stop()?)?, icv)?;
    }
    Ok(())
}

/// Registration and echoes of both families are there, and tshark says of every ICV what it should.
fn check(frames: &[Frame], icv: Option<u32>) -> Result<()> {
    let others: Vec<_> = frames.iter().filter(|frame| frame.icv_good != icv).collect();
    ensure!(others.is_empty(), "{} of {} ICVs are not {icv:?}, the first: {:?}", others.len(), frames.len(), others[0]);
    let count = |test: &dyn Fn(&Frame) -> bool| frames.iter().filter(|frame| test(frame)).count();
    let signalling = |frame: &Frame| frame.spi.is_some_and(|spi| spi >> 28 == 8);
    ensure!(count(&|frame| signalling(frame) && frame.mobility_header == Some(BINDING_UPDATE)) >= 1, "no Binding Update");
    let accepted =
        |frame: &Frame| signalling(frame) && frame.mobility_header == Some(BINDING_ACKNOWLEDGEMENT) && frame.status == Some(0);
    ensure!(count(&accepted) >= 1, "no Binding Acknowledgement with status 0");
    for echo in [128, 129] {
        ensure!(count(&|frame| frame.icmpv6 == Some(echo) && frame.next_header == Some(41)) >= 6, "ICMPv6 {echo} is missing");
    }
    for echo in [8, 0] {
        ensure!(count(&|frame| frame.icmp == Some(echo) && frame.next_header == Some(4)) >= 6, "ICMP {echo} is missing");
    }
    Ok(())
}
