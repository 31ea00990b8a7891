//! Paths that carry less than their links, where no router says so: what is found out, and that TCP does not notice.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tests::lab::deployment::SOON;
use tests::lab::programs;
use tests::lab::traffic::during;
use tests::lab::traffic::tcp::{Direction, Transfer};
use tests::lab::traffic::udp::Load;
use tests::lab::{Deployment, Lab, inside, pcap, plan, wait_for};

use crate::setup;

/// What a router says of packets that are too big for its links; and it counts the fragments that it forwards.
const BLACK_HOLE: &str = "
table inet black_hole {
    counter fragments { }
    chain forward {
        type filter hook forward priority 0
        ip frag-off & 0x3fff != 0 counter name fragments
        exthdr frag exists counter name fragments
    }
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
/// Of that before the change: so short that the size in use has been asked for just now, when the transfers began.
const BEFORE: Duration = Duration::from_secs(1);
/// What a path that became smaller may cost it.
const RECOVERY: f64 = 4.0;
/// How much smaller than the path what is found may be.
const SHORT: u64 = 24;

#[test]
fn tcp_over_a_path_of_1280_octets_that_nobody_tells_of_goes_both_ways_without_a_fragment() {
    inside(|lab| bulk_over(lab, 1_280));
}

#[test]
fn tcp_over_a_path_of_1400_octets_that_nobody_tells_of_goes_both_ways_without_a_fragment() {
    inside(|lab| bulk_over(lab, 1_400));
}

#[test]
fn tcp_over_a_path_of_1500_octets_goes_both_ways_without_a_fragment() {
    inside(|lab| bulk_over(lab, 1_500));
}

/// Outside one after the other of both networks; inside both families.
pub(crate) fn bulk_over(lab: &Lab, mtu: u64) -> Result<()> {
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
        if mtu < 1_500 {
            std::thread::sleep(DISPROVED);
        }
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
/// What the path before carried is used until it is disproved, and the home agent told so: a connection that begins before that begins with
/// packets that are too long, which routers of an IPv4 path cut, and keeps them where they may not be shorter than 1,280 octets.
const DISPROVED: Duration = Duration::from_secs(2);

#[test]
fn transfers_both_ways_survive_a_move_from_a_path_of_1500_to_one_of_1400_octets() {
    inside(|lab| {
        filter(lab)?;
        narrow(lab, plan::LTE, 1_400)?;
        through_a_change(lab, plan::WIFI, 1_400, |deployment| deployment.move_to(plan::LTE))
    });
}

#[test]
fn transfers_both_ways_survive_an_ipv6_path_that_becomes_smaller_under_them() {
    inside(|lab| becomes_smaller(lab, plan::LTE));
}

#[test]
fn transfers_both_ways_survive_an_ipv4_path_that_becomes_smaller_under_them() {
    inside(|lab| becomes_smaller(lab, plan::WIFI));
}

pub(crate) fn becomes_smaller(lab: &Lab, access: &str) -> Result<()> {
    filter(lab)?;
    through_a_change(lab, access, 1_400, |_| {
        narrow(lab, plan::HA, 1_400)?;
        narrow(lab, access, 1_400)
    })
}

/// Their IPv6 packets may not become shorter than 1,280 octets any more, which the path does not carry: they go in fragments outside.
#[test]
fn transfers_both_ways_survive_a_move_to_an_ipv6_path_of_1280_octets() {
    inside(|lab| {
        filter(lab)?;
        narrow(lab, plan::LTE, 1_280)?;
        through_a_change(lab, plan::WIFI, 1_280, |deployment| deployment.move_to(plan::LTE))?;
        // Two a packet of those over IPv6, and of what the node sends over IPv4, whose device has no less than 1,280 octets either; and a
        // tenth more for what was sent again.
        let (fragments, most) = (fragments(lab)?, 2 * 3 * LONG_OCTETS / OF_1280);
        eprintln!("{fragments} fragments of {most} that may be");
        ensure!((most / 4..most + most / 10).contains(&fragments), "{fragments} fragments");
        Ok(())
    });
}

/// The same where the path is IPv4: its packets may be cut on the way, and a router does so.
#[test]
fn transfers_both_ways_survive_a_move_to_an_ipv4_path_of_1280_octets() {
    inside(|lab| {
        filter(lab)?;
        let ends = [plan::HA, plan::WIFI];
        let mut captures = Vec::new();
        through_a_change(lab, plan::LTE, 1_280, |deployment| {
            for (end, to) in ends.into_iter().zip([plan::HA_OUTER4.into(), lab.care_of(plan::WIFI)?]) {
                narrow_from_router(lab, end, to, 1_280)?;
                captures.push(lab.capture(plan::NET, end, &format!("fragments-{end}"), HEADERS, FRAGMENTS)?);
            }
            deployment.move_to(plan::WIFI)
        })?;
        for (end, capture) in ends.into_iter().zip(captures) {
            let (fragments, most) = (pcap::sizes(&capture.stop()?)?.len() as u64, 2 * 2 * LONG_OCTETS / OF_1280);
            eprintln!("{fragments} fragments towards {end}, of {most} that may be");
            // Two a packet of both transfers, or of one: what the home agent sends over IPv4 it has had made shorter.
            ensure!((most / 8..most + most / 10).contains(&fragments), "{fragments} fragments towards {end}");
        }
        Ok(())
    });
}

/// What is kept of a fragment.
const HEADERS: u32 = 64;

/// What the router sends to one address there: it cuts what is longer, where that may be cut.
fn narrow_from_router(lab: &Lab, interface: &str, to: IpAddr, mtu: u64) -> Result<()> {
    lab.ip_batch(plan::NET, &format!("route add {to} dev {interface} mtu lock {mtu}"))
}

/// TCP's payload in an IPv6 packet of 1,280 octets, with timestamps.
const OF_1280: u64 = 1_280 - 40 - 32;

/// How many the router has forwarded.
fn fragments(lab: &Lab) -> Result<u64> {
    let text = lab.run(plan::NET, &["nft", "-j", "list", "counter", "inet", "black_hole", "fragments"])?;
    let listed: serde_json::Value = serde_json::from_str(&text)?;
    let counters = listed["nftables"].as_array().into_iter().flatten();
    let count = counters.filter_map(|object| object["counter"]["packets"].as_u64()).next();
    count.with_context(|| format!("`nft -j list counter` printed {text}"))
}

#[test]
fn packets_that_every_ipv6_path_has_to_carry_cross_one_of_1280_octets_both_ways() {
    inside(|lab| {
        filter(lab)?;
        let deployment = setup::registered(lab, "AES_128_GCM")?;
        let _servers = lab.serve_traffic()?;
        narrow(lab, plan::LTE, 1_280)?;
        deployment.move_to(plan::LTE)?;
        wait_until_found(&deployment, 1_280)?;
        std::thread::sleep(DISPROVED);
        let load = Load { rate: 100, octets: 1_280 - 40 - 8 };
        let streams = lab.load(plan::CN6, Duration::from_secs(2), load)?;
        for (way, one_way) in [("up", &streams.up), ("down", &streams.down)] {
            ensure!(one_way.sent > 100 && one_way.lost == 0, "{way}: {one_way:?}");
        }
        Ok(())
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
        std::thread::sleep(BEFORE);
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
