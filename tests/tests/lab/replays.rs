//! Somebody on the path sends captured packets again, as they were and changed: each is counted under its reason, none is
//! delivered, and no binding moves.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::lab::{Deployment, Lab, inside, pcap, plan};

use crate::setup;

const REPLAYED: &[&str] = &["replayed-sequence", "outside-window"];
const UNAUTHENTIC: &[&str] = &["wrong-icv", "replayed-sequence", "outside-window", "bad-iv"];

/// The home agent's end of the tunnel on wifi.
fn home_agent() -> SocketAddr {
    SocketAddr::new(plan::HA_OUTER4.into(), plan::PORT)
}

/// A capture of echoes that all were answered.
fn capture_echoes(deployment: &Deployment<'_>, lab: &Lab, name: &str) -> Result<PathBuf> {
    let capture = lab.capture(plan::NET, plan::WIFI, name, 0, "udp port 7872")?;
    deployment.ping_everywhere()?;
    let file = capture.stop()?;
    let to_ha = count_to(&file, home_agent())?;
    ensure!(to_ha >= 12, "only {to_ha} packets to the home agent were captured");
    Ok(file)
}

fn count_to(file: &Path, to: SocketAddr) -> Result<usize> {
    Ok(pcap::read(file)?.iter().filter(|datagram| datagram.to == to).count())
}

/// Injects from the router the captured packets to `to` and gives their number.
fn inject(lab: &Lab, file: &Path, to: SocketAddr, mutation: &str) -> Result<u64> {
    let (file, to) = (file.to_str().context("no UTF-8")?, to.to_string());
    let inner = ["--inner", "2001:db8:100::66", "2001:db8:2::2"];
    let words = [&["inject", file, "--to", &to, "--mutation", mutation], &inner[..]].concat();
    let sent = lab.labtool::<Value>(plan::NET, &words)?["sent"].as_u64().context("labtool told no number")?;
    ensure!(sent > 0, "nothing was sent");
    setup::settle();
    Ok(sent)
}

fn drops(deployment: &Deployment<'_>, program: &str, reasons: &[&str]) -> Result<u64> {
    reasons.iter().map(|reason| deployment.drops(program, reason)).sum()
}

/// Injects, and demands that every packet is counted under one of `reasons` of `program`, that the inner side sees none, and
/// that the binding stays.
fn refused(
    deployment: &Deployment<'_>,
    lab: &Lab,
    (file, to, mutation): (&Path, SocketAddr, &str),
    (program, reasons): (&str, &[&str]),
) -> Result<()> {
    let binding_before = deployment.steady_binding()?;
    let before = drops(deployment, program, reasons)?;
    let inner = if program == "ha" { (plan::CN, plan::HOME) } else { (plan::MN, tests::lab::deployment::MN_TUN) };
    let watch = lab.capture(
        inner.0,
        inner.1,
        &format!("inner-{mutation}-{program}"),
        0,
        "icmp or icmp6[0]>=128 and icmp6[0]<=129 or udp",
    )?;
    let sent = inject(lab, file, to, mutation)?;
    let dropped = drops(deployment, program, reasons)? - before;
    let status = deployment.status(program)?;
    ensure!(dropped == sent, "{mutation}: {dropped} of {sent} packets counted under {reasons:?}; {program} says {status}");
    let octets = std::fs::metadata(watch.stop()?)?.len();
    ensure!(octets <= 24, "{mutation}: something was delivered ({octets} octets captured)");
    ensure!(deployment.steady_binding()? == binding_before, "{mutation}: the binding has changed");
    Ok(())
}

#[test]
fn replayed_forged_and_foreign_packets_are_counted_by_reason_at_the_home_agent() {
    inside(|lab| {
        let deployment = setup::registered(lab, "AES_128_CBC_SHA")?;
        let file = capture_echoes(&deployment, lab, "echoes")?;
        for (mutation, reasons) in [
            ("replay", REPLAYED),
            ("flip-bit", UNAUTHENTIC),
            ("forge", &["wrong-icv"]),
            ("unassigned", &["unassigned-ptype"]),
            ("other-spi", &["unknown-spi"]),
            ("clear", &["plaintext-refused"]),
        ] {
            refused(&deployment, lab, (&file, home_agent(), mutation), ("ha", reasons))?;
        }
        deployment.ping_everywhere()
    });
}

#[test]
fn reflected_packets_are_refused_at_both_ends() {
    inside(|lab| {
        let deployment = setup::registered(lab, "AES_128_GCM")?;
        let file = capture_echoes(&deployment, lab, "echoes")?;
        let mobile_node = pcap::read(&file)?.iter().map(|datagram| datagram.from).find(|from| from.ip() == plan::WIFI_CARE_OF);
        let mobile_node = mobile_node.context("nothing from the mobile node")?;
        refused(&deployment, lab, (&file, mobile_node, "reflect"), ("ha", UNAUTHENTIC))?;
        refused(&deployment, lab, (&file, home_agent(), "reflect"), ("mn", UNAUTHENTIC))?;
        refused(&deployment, lab, (&file, mobile_node, "replay"), ("mn", REPLAYED))?;
        deployment.ping_everywhere()
    });
}

#[test]
fn a_held_back_packet_under_aes_128_cbc_sha_is_delivered_once_and_never_changed() {
    inside(|lab| held_back(lab, "AES_128_CBC_SHA"));
}

#[test]
fn a_held_back_packet_under_aes_128_gcm_is_delivered_once_and_never_changed() {
    inside(|lab| held_back(lab, "AES_128_GCM"));
}

/// Packets that never arrived are fresh to the home agent: with a bit flipped their ICV is wrong, unchanged they are
/// delivered once, and not twice.
fn held_back(lab: &Lab, suite: &str) -> Result<()> {
    let deployment = setup::registered(lab, suite)?;
    let capture = lab.capture(plan::NET, plan::WIFI, "held", 0, "udp dst port 7872")?;
    lab.run(plan::NET, &["ip", "rule", "add", "iif", plan::WIFI, "blackhole", "pref", "10"])?;
    // It is about as long as a silence that is worth a warning.
    lab.allow_warning("mn", "the home agent does not answer");
    let lost = lab.ping(plan::MN, plan::CN6, 5)?;
    ensure!(lost.milliseconds.is_empty(), "the router held nothing back");
    let file = capture.stop()?;
    lab.run(plan::NET, &["ip", "rule", "del", "pref", "10"])?;
    refused(&deployment, lab, (&file, home_agent(), "flip-bit"), ("ha", &["wrong-icv"]))?;
    refused(&deployment, lab, (&file, home_agent(), "truncate"), ("ha", &["wrong-icv", "truncated"]))?;
    let watch = lab.capture(plan::CN, plan::HOME, "delivered", 0, "icmp6 and icmp6[0]==128")?;
    inject(lab, &file, home_agent(), "replay")?;
    let octets = std::fs::metadata(watch.stop()?)?.len();
    ensure!(octets == 24 + 5 * (16 + 14 + 104), "five held echo requests once each, not {octets} octets");
    refused(&deployment, lab, (&file, home_agent(), "replay"), ("ha", REPLAYED))
}
