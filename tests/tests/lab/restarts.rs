//! `ha` and `mn` killed with SIGKILL under load and started again: no sequence number is used twice under a key, what was
//! captured before is worth nothing afterwards, and traffic recovers.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tests::lab::deployment::SOON;
use tests::lab::traffic::during;
use tests::lab::{Deployment, Lab, inside, pcap, plan, wait_for};

use crate::setup;

/// How long the stream runs under which the programs are killed.
const LOAD: Duration = Duration::from_secs(20);

#[test]
fn aes_128_gcm_uses_no_sequence_number_twice_through_kills() {
    inside(|lab| killed_under_load(lab, "AES_128_GCM"));
}

#[test]
fn aes_128_cbc_sha_uses_no_sequence_number_twice_through_kills() {
    inside(|lab| killed_under_load(lab, "AES_128_CBC_SHA"));
}

fn killed_under_load(lab: &Lab, suite: &str) -> Result<()> {
    let mut deployment = setup::registered(lab, suite)?;
    let _servers = lab.serve_traffic()?;
    // The whole time, heads only; and the first part in full, to be sent again.
    let heads = lab.capture(plan::NET, plan::HA, "heads", 96, "udp port 7872")?;
    let full = lab.capture(plan::NET, plan::HA, "full", 0, "udp port 7872")?;
    let streams = during(|| lab.stream(plan::CN6, LOAD, 2_000), || kill_and_restart(&mut deployment, lab))?;
    ensure!(streams.up.received > 1_000 && streams.down.received > 1_000, "no load: {streams:?}");
    let heads = heads.stop()?;
    let full = full.stop()?;
    no_number_twice(&heads)?;
    nothing_old_counts(&deployment, lab, &full)?;
    deployment.ping_everywhere()
}

/// Home agent, mobile node, and both at once.
fn kill_and_restart(deployment: &mut Deployment<'_>, lab: &Lab) -> Result<()> {
    std::thread::sleep(Duration::from_secs(1));
    deployment.ha.kill()?;
    deployment.ha.restart()?;
    recovers(deployment, lab).context("after ha was killed")?;
    deployment.mn()?.kill()?;
    deployment.mn()?.restart()?;
    recovers(deployment, lab).context("after mn was killed")?;
    deployment.ha.kill()?;
    deployment.mn()?.kill()?;
    deployment.ha.restart()?;
    deployment.mn()?.restart()?;
    recovers(deployment, lab).context("after both were killed")
}

fn recovers(deployment: &mut Deployment<'_>, lab: &Lab) -> Result<()> {
    wait_for(
        "echoes through the tunnel",
        SOON,
        || Ok((lab.ping(plan::MN, plan::CN6, 1)?.milliseconds.len() == 1).then_some(())),
    )?;
    deployment.wait_until_registered(SOON)
}

/// PTypes 1 and 8 share one counter for each SPI and direction (RFC 6618 section 4.3).
fn no_number_twice(capture: &Path) -> Result<()> {
    let mut seen = HashSet::new();
    let mut spis = HashSet::new();
    for datagram in pcap::read(capture)? {
        let (word, sequence) = datagram.envelope().context("a datagram without an envelope")?;
        let to_ha = datagram.to.port() == plan::PORT && datagram.to.ip() == plan::HA_OUTER4;
        let spi = word & 0x0fff_ffff;
        spis.insert(spi);
        ensure!(
            seen.insert((spi, to_ha, sequence)),
            "SPI {spi:#x}, to the home agent: {to_ha}, number {sequence} was sent twice"
        );
    }
    ensure!(spis.len() >= 2, "an SA for each life of mn was expected, not {spis:x?}");
    ensure!(seen.len() > 10_000, "only {} packets were captured: no load", seen.len());
    eprintln!("{} packets under {} SPIs, no number twice", seen.len(), spis.len());
    Ok(())
}

/// The capture of all lives, sent again to both ends: nothing inside moves, the binding stays.
fn nothing_old_counts(deployment: &Deployment<'_>, lab: &Lab, capture: &Path) -> Result<()> {
    let home_agent = SocketAddr::new(plan::HA_OUTER4.into(), plan::PORT);
    let ports: HashSet<_> =
        pcap::read(capture)?.iter().map(|datagram| datagram.from).filter(|from| *from != home_agent).collect();
    let at_cn = lab.capture(plan::CN, plan::HOME, "after-cn", 0, "udp or icmp or icmp6[0]==128")?;
    let at_mn = lab.capture(plan::MN, tests::lab::deployment::MN_TUN, "after-mn", 0, "udp")?;
    let care_of = || -> Result<Vec<String>> {
        let bindings = deployment.bindings()?;
        let list = bindings["bindings"].as_array().context("no list `bindings`")?;
        Ok(list.iter().map(|binding| binding["care_of"].to_string()).collect())
    };
    let before = care_of()?;
    for to in std::iter::once(home_agent).chain(ports) {
        let file = capture.to_str().context("no UTF-8")?;
        let _: serde_json::Value = lab.labtool(plan::NET, &["inject", file, "--to", &to.to_string()])?;
    }
    setup::settle();
    for watch in [at_cn, at_mn] {
        let octets = std::fs::metadata(watch.stop()?)?.len();
        ensure!(octets <= 24, "an old packet was delivered ({octets} octets captured)");
    }
    ensure!(care_of()? == before && !before.is_empty(), "the binding was {before:?} and is {:?}", care_of()?);
    Ok(())
}
