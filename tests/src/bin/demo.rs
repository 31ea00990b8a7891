//! `make demo`: the main job in network namespaces, step by step, and a table of what was measured.
#![allow(clippy::print_stdout, reason = "a command-line program prints what it does")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Parser;
use tests::lab::deployment::SOON;
use tests::lab::snapshot::Snapshot;
use tests::lab::traffic::{during, tcp, udp};
use tests::lab::{Deployment, Lab, plan, program_inside, wait_for};

/// A mobile node authenticates, registers at its home agent, carries traffic and moves; in network namespaces of its own.
#[derive(Clone, Parser)]
struct Arguments {
    /// The cipher suite that the HAC grants
    #[arg(long, default_value = "AES_128_GCM")]
    suite: String,
    /// Megabytes of each TCP transfer
    #[arg(long, default_value_t = 200)]
    megabytes: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match program_inside(|lab| demo(lab, &arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the demo failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Rows of the table: what, and how much.
struct Table(Vec<(String, String)>);

impl Table {
    fn row(&mut self, what: impl Into<String>, value: String) {
        self.0.push((what.into(), value));
    }

    fn print(&self) {
        let width = self.0.iter().map(|(what, _)| what.chars().count()).max().unwrap_or(0);
        println!();
        for (what, value) in &self.0 {
            println!("  {what:width$}  {value}");
        }
    }
}

fn demo(lab: &Lab, arguments: &Arguments) -> Result<()> {
    let octets = arguments.megabytes * 1_000_000;
    let mut table = Table(Vec::new());
    println!("The lab: mn with two access networks (wifi: IPv4 only, lte: IPv6 only), net (a router), ha, hac, cn");
    // A link that was never up differs from one that was.
    lab.attach(plan::LTE)?;
    lab.detach(plan::LTE)?;
    lab.attach(plan::WIFI)?;
    let before = Snapshot::take(lab, plan::MN)?;
    let start = Instant::now();
    let mut deployment = Deployment::start(lab, &arguments.suite)?;
    step(&format!("hac init, ha add, subscriber add; hac and ha serve ({:.1} s)", start.elapsed().as_secs_f64()));

    set_up(&mut deployment, &mut table)?;
    round_trips(&deployment, lab, &mut table)?;
    let _servers = lab.serve_traffic()?;
    transfers(&mut deployment, lab, plan::WIFI, octets, &mut table)?;
    move_under_stream(&deployment, lab, &mut table)?;
    transfers(&mut deployment, lab, plan::LTE, octets, &mut table)?;
    move_under_transfer(&deployment, lab, octets, &mut table)?;
    down(&mut deployment, lab, &before)?;
    table.print();
    Ok(())
}

fn step(what: &str) {
    println!("- {what}");
}

/// `mn up` until registered.
fn set_up(deployment: &mut Deployment<'_>, table: &mut Table) -> Result<()> {
    let start = Instant::now();
    deployment.mn_up(&[])?;
    let elapsed = start.elapsed();
    let homes: Vec<_> = deployment.home_addresses()?.iter().map(ToString::to_string).collect();
    let homes = homes.join(" and ");
    step(&format!("mn up on wifi: authenticated with its pre-shared key and registered; home addresses {homes}"));
    table.row("set-up, mn up to registered", format!("{:.0} ms", elapsed.as_secs_f64() * 1e3));
    Ok(())
}

/// Echoes to the home agent outside the tunnel, and to the correspondent node through it.
fn round_trips(deployment: &Deployment<'_>, lab: &Lab, table: &mut Table) -> Result<()> {
    deployment.ping_everywhere()?;
    for (what, to) in [
        ("RTT mn to ha, no tunnel", plan::HA_OUTER4.into()),
        ("RTT mn to cn, IPv6 in IPv4", plan::CN6),
        ("RTT mn to cn, IPv4 in IPv4", plan::CN4),
    ] {
        let median = lab.reaches(plan::MN, to, 20)?.median().unwrap_or(f64::NAN);
        table.row(what, format!("{median:.3} ms (median of 20)"));
    }
    step("cn answers pings of both families through the tunnel, and mn answers cn's");
    Ok(())
}

/// A transfer each way on one access network, with the CPU time of both tunnel ends.
fn transfers(deployment: &mut Deployment<'_>, lab: &Lab, access: &str, octets: u64, table: &mut Table) -> Result<()> {
    let (to, families) = if access == plan::WIFI { (plan::CN6, "IPv6 in IPv4") } else { (plan::CN4, "IPv4 in IPv6") };
    for direction in [tcp::Direction::Up, tcp::Direction::Down] {
        let before = cpu(deployment)?;
        let (transfer, way) = match direction {
            tcp::Direction::Up => (lab.send(to, octets)?, "mn to cn"),
            tcp::Direction::Down => (lab.fetch(to, octets)?, "cn to mn"),
        };
        let after = cpu(deployment)?;
        let gigabytes = octets as f64 / 1e9;
        let seconds = |index: usize| (after[index] - before[index]) / gigabytes;
        step(&format!("{} MB of TCP, {way}, {families}: SHA-256 is right", octets / 1_000_000));
        let rate = transfer.megabits_per_second;
        let cost = format!("CPU s/GB: mn {:.1}, ha {:.1}", seconds(0), seconds(1));
        table.row(format!("TCP {way}, {families}"), format!("{rate:.0} Mbit/s; {cost}"));
    }
    Ok(())
}

/// CPU seconds of `mn` and `ha` so far.
fn cpu(deployment: &mut Deployment<'_>) -> Result<[f64; 2]> {
    Ok([deployment.mn()?.cpu_seconds()?, deployment.ha.cpu_seconds()?])
}

/// wifi to lte under a stream of 1,000 packets a second each way: lte comes, then wifi goes.
fn move_under_stream(deployment: &Deployment<'_>, lab: &Lab, table: &mut Table) -> Result<()> {
    let streams = during(
        || lab.stream(plan::CN6, Duration::from_secs(5), 1_000),
        || {
            std::thread::sleep(Duration::from_secs(2));
            deployment.move_to(plan::LTE)
        },
    )?;
    step("moved from wifi to lte under a stream of 1,000 packets a second each way");
    for (way, stream) in [("mn to cn", &streams.up), ("cn to mn", &streams.down)] {
        udp::check_carried(way, stream)?;
        table.row(
            format!("move wifi to lte, {way}"),
            format!("longest gap {:.0} ms, {} of {} packets lost", stream.longest_gap_ms, stream.lost, stream.sent),
        );
    }
    Ok(())
}

/// lte to wifi when a third of a transfer has gone.
fn move_under_transfer(deployment: &Deployment<'_>, lab: &Lab, octets: u64, table: &mut Table) -> Result<()> {
    let (before, _) = deployment.tunnel_octets()?;
    let transfer = during(
        || lab.send(plan::CN6, octets),
        || {
            wait_for("a third of the transfer", Duration::from_secs(120), || {
                Ok((deployment.tunnel_octets()?.0 > before + octets / 3).then_some(()))
            })?;
            lab.attach(plan::WIFI)?;
            lab.detach(plan::LTE)
        },
    )?;
    deployment.wait_for_care_of(plan::WIFI)?;
    step("moved from lte to wifi in the middle of a transfer: the connection went on, SHA-256 is right");
    table.row("TCP mn to cn through a move", format!("{:.0} Mbit/s", transfer.megabits_per_second));
    Ok(())
}

/// `mn down`, and nothing is left behind.
fn down(deployment: &mut Deployment<'_>, lab: &Lab, before: &Snapshot) -> Result<()> {
    let output = deployment.command("mn", &["down"])?;
    anyhow::ensure!(output.status.success(), "mn down failed: {}", tests::lab::programs::said(&output));
    deployment.mn()?.wait(SOON)?;
    if let Some(difference) = before.difference(&Snapshot::take(lab, plan::MN)?) {
        anyhow::bail!("mn down left something behind:\n{difference}");
    }
    step("mn down: links, addresses, routes and rules of mn are as before");
    Ok(())
}
