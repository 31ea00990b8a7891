//! Security associations renewed under load, and no packet lost by it.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use protocol::sa::Spi;
use tests::lab::deployment::SOON;
use tests::lab::traffic::during;
use tests::lab::traffic::udp::{Load, Streams};
use tests::lab::{Deployment, Setup, inside, pcap, plan, programs, wait_for};

use crate::setup;

/// 100 Mbit/s of UDP payload, each way.
const LOAD: Load = Load { rate: 10_000, octets: 1_250 };
/// How often the mobile node renews by command; the home agent does it once besides.
const RENEWALS: u32 = 10;
/// Without a renewal: what is lost then, the lab has lost.
const QUIET: Duration = Duration::from_secs(4);
/// Every Mobility Header, and of an SA's user data 256 packets in a row of each 4,096: a burst that leaves in one call is one frame
/// here, of which the first packet's number is all that a filter sees, and no burst is as long as that.
const SAMPLE: &str = "udp port 7872 and (udp[8] & 0xf0 = 0x80 or udp[14] & 0x0f = 0)";

/// Seconds of the load with renewals; 16 unless the environment says otherwise.
fn length() -> Result<Duration> {
    let seconds = std::env::var("HALTSEC_LAB_SECONDS").unwrap_or_else(|_| "16".to_owned());
    Ok(Duration::from_secs(seconds.parse().with_context(|| format!("HALTSEC_LAB_SECONDS={seconds} is no number"))?))
}

/// Several workers at both ends: the new associations come to the one that had the old.
#[test]
fn eleven_renewals_under_100_megabits_a_second_each_way_lose_no_packet() {
    inside(|lab| {
        let deployment =
            setup::registered_with(lab, &Setup { workers: &[("ha", 4), ("mn", 2)], deep_queues: true, ..Setup::default() })?;
        let _servers = lab.serve_traffic()?;
        carried_all(&lab.load(plan::CN6, QUIET, LOAD)?, QUIET).context("without a renewal")?;
        let length = length()?;
        let capture = lab.capture(plan::NET, plan::WIFI, "sample", 64, SAMPLE)?;
        let streams = during(|| lab.load(plan::CN6, length, LOAD), || renew(&deployment, (length - QUIET) / (RENEWALS + 6)))?;
        carried_all(&streams, length)?;
        let spis = spis(&capture.stop()?)?;
        ensure!(spis.len() >= 2 + RENEWALS as usize, "only these SPIs carried data both ways: {spis:x?}");
        let classes: BTreeSet<_> = spis.iter().filter_map(|spi| Spi::new(*spi)).map(Spi::class).collect();
        ensure!(classes.len() == 1, "SPIs of several classes: {spis:x?}");
        let rate = |sent: u64| sent as f64 * f64::from(LOAD.octets) * 8.0 / length.as_secs_f64() / 1e6;
        eprintln!("{} SPIs, {:.0} and {:.0} Mbit/s: {streams:?}", spis.len(), rate(streams.up.sent), rate(streams.down.sent));
        Ok(())
    });
}

/// A node that asks in vain keeps what it has, says why, and gets its new keys when the HAC is back.
#[test]
fn while_the_hac_is_away_the_old_keys_carry_on_and_the_node_goes_on_asking() {
    inside(|lab| {
        let mut deployment = setup::registered(lab, "AES_128_GCM")?;
        let before = bound_under(&deployment)?;
        lab.expect_warning("ha", "no subscription to the feed");
        deployment.hac.kill()?;
        lab.expect_warning("mn", "cannot reach the HAC");
        let renew = deployment.command("mn", &["renew"])?;
        let said = programs::said(&renew);
        ensure!(!renew.status.success() && said.contains("cannot reach the HAC"), "mn renew said: {said}");
        ensure!(bound_under(&deployment)? == before, "the binding has moved to keys that nobody gave");
        deployment.ping_everywhere()?;
        // A node that asks before the home agent has come back to the feed is told to come again.
        lab.allow_warning("mn", "no home agent is connected");
        lab.allow_warning("hac", "no home agent is connected");
        deployment.hac.restart()?;
        wait_for("another SPI", SOON, || Ok((bound_under(&deployment)? != before).then_some(())))?;
        deployment.ping_everywhere()
    });
}

#[test]
fn the_hac_marks_the_association_that_the_home_agent_sends_under_and_another_after_a_renewal() {
    inside(|lab| {
        let deployment = setup::registered(lab, "AES_128_GCM")?;
        let first = marked_as_bound(&deployment)?;
        ensure!(deployment.command("mn", &["renew"])?.status.success());
        wait_for("another SPI", SOON, || Ok((bound_under(&deployment)? != first).then_some(())))?;
        ensure!(marked_as_bound(&deployment)? != first, "{first} is marked still");
        Ok(())
    });
}

/// Waits until the HAC lists as registered what the home agent sends under, and that alone.
fn marked_as_bound(deployment: &Deployment<'_>) -> Result<String> {
    wait_for("the HAC to know which association is in use", SOON, || {
        let (listed, _) = deployment.json("hac", &["sa", "list"])?;
        let all = listed["security_associations"].as_array().context("no list")?;
        let marked: Vec<_> = all.iter().filter(|one| one["registered"] == true).map(|one| one["spi"].to_string()).collect();
        let bound = bound_under(deployment)?;
        ensure!(marked == [bound.as_str()], "{marked:?} are marked, and {bound} is bound");
        Ok(Some(bound))
    })
}

/// Ten renewals by the mobile node's command, and one that the home agent asks for with status 176.
fn renew(deployment: &Deployment<'_>, pause: Duration) -> Result<()> {
    for round in 0..=RENEWALS {
        std::thread::sleep(pause);
        let before = bound_under(deployment)?;
        let (program, words): (_, &[_]) =
            if round == RENEWALS / 2 { ("ha", &["sa", "renew", "--all"]) } else { ("mn", &["renew"]) };
        let output = deployment.command(program, words)?;
        ensure!(output.status.success(), "{program} {} failed: {}", words.join(" "), programs::said(&output));
        wait_for("another SPI", SOON, || Ok((bound_under(deployment)? != before).then_some(())))?;
    }
    std::thread::sleep(pause);
    Ok(())
}

/// The SPI that the home agent sends under.
fn bound_under(deployment: &Deployment<'_>) -> Result<String> {
    let bindings = deployment.bindings()?;
    let binding = bindings["bindings"].as_array().and_then(|list| list.first()).context("there is no binding")?;
    Ok(binding["spi"].to_string())
}

/// Every packet of a load arrived once, and it was the load that was asked for: most of it, where the machine has other things
/// to do than to generate it.
fn carried_all(streams: &Streams, length: Duration) -> Result<()> {
    let wanted = (f64::from(LOAD.rate) * length.as_secs_f64()) as u64;
    for stream in [&streams.up, &streams.down] {
        ensure!(stream.sent >= wanted / 4 * 3, "less than the load, {wanted} packets: {streams:?}");
        ensure!((stream.received, stream.lost, stream.duplicates) == (stream.sent, 0, 0), "not each packet once: {streams:?}");
    }
    Ok(())
}

/// The SPIs under which user data went in both directions.
fn spis(capture: &Path) -> Result<BTreeSet<u32>> {
    let (mut up, mut down) = (BTreeSet::new(), BTreeSet::new());
    for datagram in pcap::read(capture)? {
        let (word, _) = datagram.envelope().context("a datagram without an envelope")?;
        let spis = if datagram.to.port() == plan::PORT { &mut up } else { &mut down };
        if word >> 28 == 1 {
            spis.insert(word & 0x0fff_ffff);
        }
    }
    Ok(up.intersection(&down).copied().collect())
}
