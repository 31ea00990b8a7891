//! Paths that carry less than their links, where no router says so: what is found out, and that TCP does not notice.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tests::lab::deployment::SOON;
use tests::lab::programs;
use tests::lab::traffic::during;
use tests::lab::traffic::tcp::{Direction, Transfer};
use tests::lab::{Deployment, Lab, inside, plan, wait_for};

use crate::setup;

/// What a router says of packets that are too big for its links.
const BLACK_HOLE: &str = "
table inet black_hole {
    chain output {
        type filter hook output priority 0
        icmp type destination-unreachable icmp code 4 drop
        icmpv6 type packet-too-big drop
    }
}
";
/// Outer packets between mobile node and home agent that are in pieces: IPv4 with More Fragments or an offset, IPv6 with the
/// header.
const FRAGMENTS: &str = "(ip[6:2] & 0x3fff != 0) or (ip6[6] == 44)";
/// Of each transfer.
const OCTETS: u64 = 5_000_000;
/// A transfer that is under way while its path changes: 8 s of it.
const LONG_OCTETS: u64 = 16_000_000;
const RATE: u64 = 2_000_000;
/// What a path that became smaller may cost it.
const RECOVERY: f64 = 4.0;
/// How much smaller than the path what is found may be.
const SHORT: u64 = 24;

#[test]
fn tcp_over_a_path_of_1400_octets_that_nobody_tells_of_goes_both_ways_without_a_fragment() {
    inside(|lab| bulk_over(lab, 1_400));
}

#[test]
fn tcp_over_a_path_of_1500_octets_goes_both_ways_without_a_fragment() {
    inside(|lab| bulk_over(lab, 1_500));
}

/// Outside IPv6, then IPv4; inside both.
fn bulk_over(lab: &Lab, mtu: u64) -> Result<()> {
    filter(lab)?;
    let deployment = setup::registered(lab, "AES_128_GCM")?;
    let _servers = lab.serve_traffic()?;
    // TLS to the HAC goes over the same links, and has nobody who finds anything out.
    for interface in [plan::HA, plan::WIFI, plan::LTE] {
        narrow(lab, interface, mtu)?;
    }
    for access in [plan::LTE, plan::WIFI] {
        deployment.move_to(access)?;
        wait_until_found(&deployment, mtu)?;
        let capture = lab.capture(plan::NET, plan::HA, &format!("fragments-{access}"), 0, FRAGMENTS)?;
        for correspondent in [plan::CN6, plan::CN4] {
            lab.send(correspondent, OCTETS)?;
            lab.fetch(correspondent, OCTETS)?;
        }
        let fragments = std::fs::metadata(capture.stop()?)?.len();
        ensure!(fragments <= EMPTY, "{access}, {mtu}: a capture of fragments has {fragments} octets");
        for program in ["mn", "ha"] {
            let too_big = deployment.drops(program, "too-big")?;
            ensure!(too_big < 1_000, "{program} has told {too_big} times what is too big");
        }
    }
    Ok(())
}

/// A pcap file without a packet.
const EMPTY: u64 = 24;

#[test]
fn transfers_both_ways_survive_a_move_from_a_path_of_1500_to_one_of_1400_octets() {
    inside(|lab| {
        filter(lab)?;
        narrow(lab, plan::LTE, 1_400)?;
        through_a_change(lab, plan::WIFI, 1_400, |deployment| deployment.move_to(plan::LTE))
    });
}

/// Transfers begin on `from`, over a path of 1,500 octets, and end on one of `mtu`.
fn through_a_change(lab: &Lab, from: &str, mtu: u64, change: impl FnOnce(&Deployment<'_>) -> Result<()>) -> Result<()> {
    let deployment = setup::registered(lab, "AES_128_GCM")?;
    let _servers = lab.serve_traffic()?;
    if from != plan::WIFI {
        deployment.move_to(from)?;
    }
    wait_until_found(&deployment, 1_500)?;
    let directions =
        [(Direction::Up, plan::CN6), (Direction::Down, plan::CN6), (Direction::Up, plan::CN4), (Direction::Down, plan::CN4)];
    let all = || {
        std::thread::scope(|scope| {
            let begin = |(direction, with)| scope.spawn(move || lab.transfer(direction, with, LONG_OCTETS, RATE));
            let threads = directions.map(begin);
            threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow::anyhow!("a thread failed"))?).collect()
        })
    };
    let transfers: Vec<Transfer> = during(all, || {
        std::thread::sleep(Duration::from_secs(2));
        change(&deployment)
    })?;
    let seconds: Vec<_> = transfers.iter().map(|transfer| transfer.seconds).collect();
    eprintln!("to {mtu} octets amid transfers that take 8 s: {seconds:.1?} s");
    let most = LONG_OCTETS as f64 / RATE as f64 + RECOVERY;
    ensure!(seconds.iter().all(|seconds| *seconds < most), "{seconds:.1?} s");
    wait_until_found(&deployment, mtu)
}

fn filter(lab: &Lab) -> Result<()> {
    programs::run_with_input(lab.command(plan::NET, "nft").args(["-f", "-"]), BLACK_HOLE)
}

/// A link of the router, at its end.
fn narrow(lab: &Lab, interface: &str, mtu: u64) -> Result<()> {
    lab.ip_batch(plan::NET, &format!("link set {interface} mtu {mtu}"))
}

/// `mn status` says so.
fn wait_until_found(deployment: &Deployment<'_>, mtu: u64) -> Result<()> {
    wait_for(&format!("a path MTU of {mtu}"), SOON, || {
        let status = deployment.status("mn")?;
        let found = status["path_mtu"].as_u64();
        Ok(found.filter(|found| *found <= mtu && *found + SHORT > mtu).map(drop))
    })
    .with_context(|| format!("{:?}", deployment.status("mn").map(|status| status["path_mtu"].clone())))
}
