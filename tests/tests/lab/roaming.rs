//! Moves that nobody notices: both networks are up for half a second, and every packet arrives once.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::lab::traffic::during;
use tests::lab::traffic::tcp::Direction;
use tests::lab::traffic::udp::{self, Streams};
use tests::lab::{Deployment, Lab, Setup, inside, plan, wait_for};
use tests::link::Link;

/// 50 Mbit/s of UDP payload each way, in packets that every path carries: none is too big before the path is known.
const LOAD: udp::Load = udp::Load { rate: 5_208, octets: 1_200 };
/// Octets a second of a TCP connection beside it.
const TCP_RATE: u64 = 1_000_000;
/// Both networks are up for so long.
const BOTH: Duration = Duration::from_millis(500);
/// From the end of one move to the begin of the next: three Binding Updates a second are for each.
const PAUSE: Duration = Duration::from_millis(500);
/// A metric that leaves room below: each network that comes is better than the one before.
const WORST: u32 = 20_000;

/// 12 unless the environment says otherwise; `make soak` says 1,000.
fn count() -> Result<u32> {
    let moves = std::env::var("HALTSEC_LAB_SOFT_MOVES").unwrap_or_else(|_| "12".to_owned());
    moves.parse().with_context(|| format!("HALTSEC_LAB_SOFT_MOVES={moves} is no number"))
}

/// A registered node on the worst of all networks.
fn on_wifi<'lab>(lab: &'lab Lab) -> Result<Deployment<'lab>> {
    let mut deployment = Deployment::with(lab, &Setup { in_memory: true, deep_queues: true, ..Setup::default() })?;
    lab.attach_with_metric(plan::WIFI, WORST)?;
    deployment.mn_up(&[])?;
    Ok(deployment)
}

/// Moves to and fro, and lets the old network go half a second after the new one came, whatever the node makes of that.
fn soft_moves(lab: &Lab, count: u32) -> Result<()> {
    for (number, [from, to]) in (1..=count).zip([[plan::WIFI, plan::LTE], [plan::LTE, plan::WIFI]].into_iter().cycle()) {
        lab.attach_with_metric(to, WORST - number)?;
        std::thread::sleep(BOTH);
        lab.detach(from)?;
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// Half a second longer than `count` moves take at least: the stream has to outlast them.
fn streams_through(lab: &Lab, deployment: &Deployment<'_>, to: std::net::IpAddr, count: u32) -> Result<Streams> {
    let _servers = lab.serve_traffic()?;
    let takes = (BOTH + PAUSE + Duration::from_millis(250)) * count + Duration::from_secs(2);
    let octets = TCP_RATE * takes.as_secs();
    let start = Instant::now();
    let streams = during(
        || lab.load(to, takes, LOAD),
        || {
            std::thread::scope(|scope| {
                let transfer = scope.spawn(|| lab.transfer(Direction::Down, plan::CN6, octets, TCP_RATE));
                std::thread::sleep(Duration::from_millis(500));
                let moved = soft_moves(lab, count);
                let transferred = transfer.join().map_err(|_| anyhow::anyhow!("the transfer's thread failed"))?;
                moved.and(transferred.map(drop))
            })
        },
    );
    eprintln!("{count} moves within {:.1?}; the moves as the node recorded them:", start.elapsed());
    eprintln!("{}", handovers(deployment)?);
    streams
}

fn handovers(deployment: &Deployment<'_>) -> Result<String> {
    Ok(String::from_utf8_lossy(&deployment.command("mn", &["handovers"])?.stdout).into_owned())
}

/// The records of moves, oldest first.
fn records(deployment: &Deployment<'_>) -> Result<Vec<Value>> {
    let (answer, _) = deployment.json("mn", &["handovers"])?;
    answer["handovers"].as_array().cloned().context("no records")
}

fn ensure_untouched(streams: &Streams) -> Result<()> {
    for (way, stream) in [("up", &streams.up), ("down", &streams.down)] {
        eprintln!("{way}: {stream:?}");
        ensure!(stream.received > 0 && stream.lost == 0 && stream.duplicates == 0, "{way}: {stream:?}");
    }
    Ok(())
}

/// All but the first, which is where the node came up.
fn ensure_soft(deployment: &Deployment<'_>, count: u32) -> Result<()> {
    let moves: Vec<_> = records(deployment)?.into_iter().filter(|one| one["number"] != 1).collect();
    ensure!(moves.len() == (count as usize).min(if count < 64 { 63 } else { 64 }), "{} moves", moves.len());
    for one in &moves {
        ensure!(one["kind"] == "make-before-break" && one["outcome"] != "abandoned" && one["lost"] == 0, "{one}");
    }
    ensure!(moves.iter().any(|one| one["duplicates"].as_u64() > Some(0)), "nothing came twice: {moves:?}");
    Ok(())
}

#[test]
fn make_before_break_loses_nothing_and_doubles_nothing_under_50_megabits_and_a_transfer() {
    inside(|lab| {
        let (deployment, count) = (on_wifi(lab)?, count()?);
        ensure_untouched(&streams_through(lab, &deployment, plan::CN4, count)?)?;
        ensure_soft(&deployment, count)
    });
}

#[test]
fn make_before_break_from_and_to_a_network_behind_a_translator_loses_and_doubles_nothing() {
    inside(|lab| {
        lab.translate(plan::WIFI)?;
        let (deployment, count) = (on_wifi(lab)?, count()?);
        ensure_untouched(&streams_through(lab, &deployment, plan::CN6, count)?)?;
        ensure_soft(&deployment, count)
    });
}

/// A third of the moves, between two networks of one kind.
pub(crate) fn soft_moves_between_networks_of_one_kind(lab: &Lab) -> Result<()> {
    let (deployment, count) = (on_wifi(lab)?, count()? / 3);
    ensure_untouched(&streams_through(lab, &deployment, plan::CN6, count)?)?;
    ensure_soft(&deployment, count)
}

#[test]
fn make_before_break_over_40_ms_loses_and_doubles_nothing() {
    inside(|lab| {
        let deployment = on_wifi(lab)?;
        let mut emulator = lab.emulate(&Link::calm(Duration::from_millis(20)), 1)?;
        let _servers = lab.serve_traffic()?;
        let takes = (BOTH + PAUSE + Duration::from_millis(250)) * 6 + Duration::from_secs(2);
        let streams = during(|| lab.stream(plan::CN4, takes, 1_000), || soft_moves(lab, 6))?;
        eprintln!("{}", handovers(&deployment)?);
        ensure_untouched(&streams)?;
        ensure_soft(&deployment, 6)?;
        emulator.check()
    });
}

/// A captive portal, say: the link is up, the address is there, and nothing comes back.
#[test]
fn a_better_network_that_leads_nowhere_costs_nothing() {
    inside(|lab| {
        let deployment = on_wifi(lab)?;
        let _servers = lab.serve_traffic()?;
        lab.run(
            plan::NET,
            &["nft", "add table ip6 dead; add chain ip6 dead silence { type filter hook prerouting priority 0; }"],
        )?;
        lab.run(plan::NET, &["nft", "add rule ip6 dead silence iifname lte udp dport 7872 drop"])?;
        lab.expect_warning("mn", "the home agent does not answer over this network");
        let streams = during(
            || lab.stream(plan::CN4, Duration::from_secs(6), 1_000),
            || {
                lab.attach_with_metric(plan::LTE, 1)?;
                wait_for("the record of the move", Duration::from_secs(5), || {
                    let last = records(&deployment)?.pop().context("no record")?;
                    Ok((last["to_interface"] == "lte" && last["outcome"] == "abandoned").then_some(()))
                })
            },
        )?;
        ensure_untouched(&streams)?;
        let status = deployment.status("mn")?;
        ensure!(status["state"] == "registered" && status["interface"] == "wifi", "{status}");
        Ok(())
    });
}

/// The link is up, but nothing crosses it any more in either direction: another network takes over.
#[test]
fn a_network_that_dies_with_its_link_up_is_left_for_another_within_three_seconds() {
    inside(|lab| {
        let longest_gap_ms = leaves(lab, &["iifname wifi", "oifname wifi"], Duration::from_secs(3))?;
        ensure!(longest_gap_ms < 3_000.0, "a gap of {longest_gap_ms} ms");
        Ok(())
    });
}

/// What goes out is lost, and what comes in comes as ever: that says nothing of the other direction.
#[test]
fn a_network_whose_uplink_alone_is_dead_is_left_for_another_within_five_seconds() {
    inside(|lab| leaves(lab, &["iifname wifi"], Duration::from_secs(5)).map(drop));
}

/// On the router what crosses `wifi` in these directions is dropped; within `limit` the node has to be on the other network, which is
/// there from the start. Gives the longest gap of the downlink.
pub(crate) fn leaves(lab: &Lab, dead: &[&str], limit: Duration) -> Result<f64> {
    let deployment = on_wifi(lab)?;
    let _servers = lab.serve_traffic()?;
    lab.attach_with_metric(plan::LTE, WORST + 1)?;
    lab.expect_warning("mn", "the home agent does not answer over this network");
    let streams = during(
        || lab.stream(plan::CN4, Duration::from_secs(9), 1_000),
        || {
            std::thread::sleep(Duration::from_secs(2));
            lab.run(
                plan::NET,
                &["nft", "add table inet dead; add chain inet dead silence { type filter hook forward priority 0; }"],
            )?;
            let rules: Vec<_> = dead.iter().map(|direction| format!("add rule inet dead silence {direction} drop")).collect();
            lab.run(plan::NET, &["nft", &rules.join("; ")])?;
            let since = Instant::now();
            deployment.wait_for_care_of(plan::LTE)?;
            eprintln!("on the other network after {:.1?}", since.elapsed());
            ensure!(since.elapsed() < limit, "that took {:?}", since.elapsed());
            Ok(())
        },
    )?;
    eprintln!("down: {:?}", streams.down);
    Ok(streams.down.longest_gap_ms)
}

#[test]
fn a_deprecated_address_is_left_without_a_lost_packet() {
    inside(|lab| is_left_once_it_is_deprecated(lab, plan::LTE));
}

/// The node's address on `access`, which has to be of IPv6.
pub(crate) fn is_left_once_it_is_deprecated(lab: &Lab, access: &str) -> Result<()> {
    let mut deployment = Deployment::with(lab, &Setup { in_memory: true, ..Setup::default() })?;
    lab.attach(access)?;
    deployment.mn_up(&[])?;
    let _servers = lab.serve_traffic()?;
    let [old, new] = lab.access(access)?.leases;
    let streams = during(
        || lab.stream(plan::CN6, Duration::from_secs(4), 1_000),
        || {
            std::thread::sleep(Duration::from_secs(1));
            lab.ip_batch(plan::MN, &format!("address add {new}/64 dev {access}"))?;
            lab.ip_batch(plan::MN, &format!("address change {old}/64 dev {access} preferred_lft 0 valid_lft 600"))?;
            wait_for("the binding to name the other address", Duration::from_secs(2), || {
                Ok(deployment.bindings()?.to_string().contains(&format!("\"{new}\"")).then_some(()))
            })
        },
    )?;
    ensure_untouched(&streams)?;
    let last = records(&deployment)?.pop().context("no record")?;
    ensure!(last["kind"] == "make-before-break" && last["outcome"] != "abandoned", "{last}");
    Ok(())
}
