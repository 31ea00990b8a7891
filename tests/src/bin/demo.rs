//! `make demo`: the main job in network namespaces, step by step, and a table of what was measured.
#![allow(clippy::print_stdout, reason = "a command-line program prints what it does")]

use std::net::IpAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use tests::lab::deployment::SOON;
use tests::lab::snapshot::Snapshot;
use tests::lab::traffic::{during, tcp, udp};
use tests::lab::{Deployment, Lab, Nat, plan, program_inside, programs, wait_for};

/// A mobile node authenticates, registers at its home agent, carries traffic and moves; in network namespaces of its own.
#[derive(Clone, Parser)]
struct Arguments {
    /// The cipher suite that the HAC grants
    #[arg(long, default_value = "AES_128_GCM")]
    suite: String,
    /// Megabytes of each TCP transfer
    #[arg(long, default_value_t = 200)]
    megabytes: u64,
    /// No address translation between wifi and the home agent
    #[arg(long)]
    no_nat: bool,
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

/// Metric of the first network: each that comes is better.
const WORST: u32 = 1_000;
/// For so long both networks of a move are up.
const BOTH: Duration = Duration::from_millis(500);

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
    let wifi = if arguments.no_nat { "IPv4 only" } else { "IPv4 only, behind a NAT" };
    println!("The lab: mn with two access networks (wifi: {wifi}; lte: IPv6 only), net (a router), ha, hac, cn");
    let nat = if arguments.no_nat { None } else { Some(lab.translate(plan::WIFI)?) };
    // A link that was never up differs from one that was.
    lab.attach(plan::LTE)?;
    lab.detach(plan::LTE)?;
    lab.attach_with_metric(plan::WIFI, WORST)?;
    let before = Snapshot::take(lab, plan::MN)?;
    let start = Instant::now();
    let mut deployment = Deployment::start(lab, &arguments.suite)?;
    step(&format!("hac init, ha add, subscriber add; hac and ha serve ({:.1} s)", start.elapsed().as_secs_f64()));

    set_up(&mut deployment, &mut table)?;
    round_trips(&deployment, lab, &mut table)?;
    let _servers = lab.serve_traffic()?;
    transfers(&mut deployment, lab, plan::WIFI, octets, &mut table)?;
    moves(&deployment, lab, &mut table)?;
    transfers(&mut deployment, lab, plan::LTE, octets, &mut table)?;
    move_under_transfer(&deployment, lab, octets, &mut table)?;
    if let Some(nat) = &nat {
        remapping(&deployment, lab, nat, &mut table)?;
    }
    renewals(&deployment, lab, &mut table)?;
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
    step("mn up on wifi: authenticated with its pre-shared key and registered");
    step(&format!("home addresses {}; ha sends to {}", homes.join(" and "), remote(deployment)?));
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

/// The outer address and port that the home agent sends to.
fn remote(deployment: &Deployment<'_>) -> Result<String> {
    let bindings = deployment.bindings()?;
    Ok(bindings["bindings"][0]["remote"].as_str().context("there is no binding")?.to_owned())
}

/// wifi, lte, wifi under a stream, each network better than the one before, which goes half a second later; then lte, when wifi has gone.
fn moves(deployment: &Deployment<'_>, lab: &Lab, table: &mut Table) -> Result<()> {
    for (metric, (to, from, family)) in
        (1..).zip([(plan::LTE, plan::WIFI, plan::CN6), (plan::WIFI, plan::LTE, plan::CN4)]).map(|(n, one)| (WORST - n, one))
    {
        let streams = under_stream(lab, family, || {
            lab.attach_with_metric(to, metric)?;
            std::thread::sleep(BOTH);
            lab.detach(from)
        })?;
        table.row(format!("move {from} to {to}, {}", name(family)), format!("{}; {}", cost(&streams)?, recorded(deployment)?));
    }
    let streams = under_stream(lab, plan::CN4, || {
        lab.detach(plan::WIFI)?;
        lab.attach(plan::LTE)
    })?;
    table.row("wifi breaks, then lte comes, IPv4", format!("{}; {}", cost(&streams)?, recorded(deployment)?));
    step(
        "moved from wifi to lte and back, both up for 500 ms, and to lte after a break, under streams of 1,000 packets a second each way",
    );
    Ok(())
}

/// The last move as the node recorded it, in milliseconds after the kernel's event.
fn recorded(deployment: &Deployment<'_>) -> Result<String> {
    let (answer, _) = deployment.json("mn", &["handovers"])?;
    let last = answer["handovers"].as_array().and_then(|all| all.last()).context("mn has recorded no move")?;
    let after = |name: &str| last[name].as_f64().map_or_else(|| "-".to_owned(), |milliseconds| format!("{milliseconds:.1}"));
    let (update, acknowledged, heard) = (after("update_ms"), after("acknowledged_ms"), after("first_downlink_ms"));
    Ok(format!("BU {update}, BA {acknowledged}, downlink {heard} ms after the event"))
}

/// The translator maps the node anew; nobody tells the node.
fn remapping(deployment: &Deployment<'_>, lab: &Lab, nat: &Nat<'_>, table: &mut Table) -> Result<()> {
    let before = remote(deployment)?;
    let streams = under_stream(lab, plan::CN6, || nat.forget_mappings())?;
    let after = remote(deployment)?;
    ensure!(before != after, "ha still sends to {before}");
    step(&format!("the NAT forgot its mapping: ha asked for a Binding Update and sends to {after} instead of {before}"));
    table.row("NAT maps anew, IPv6", cost(&streams)?);
    Ok(())
}

/// New security associations, asked for by each end.
fn renewals(deployment: &Deployment<'_>, lab: &Lab, table: &mut Table) -> Result<()> {
    let asked: [(&str, &str, &[&str]); 2] =
        [("mn renew", "mn", &["renew"]), ("ha sa renew --all", "ha", &["sa", "renew", "--all"])];
    for (what, program, words) in asked {
        let streams = under_stream(lab, plan::CN6, || {
            let output = deployment.command(program, words)?;
            ensure!(output.status.success(), "{what} failed: {}", programs::said(&output));
            Ok(())
        })?;
        table.row(format!("{what}, IPv6"), cost(&streams)?);
    }
    step("new keys and SPI, asked for by mn and by ha");
    Ok(())
}

/// Does something one second into three seconds of a stream of 1,000 packets a second each way.
fn under_stream(lab: &Lab, to: IpAddr, body: impl FnOnce() -> Result<()>) -> Result<udp::Streams> {
    during(
        || lab.stream(to, Duration::from_secs(3), 1_000),
        || {
            std::thread::sleep(Duration::from_secs(1));
            body()
        },
    )
}

fn name(family: IpAddr) -> &'static str {
    if family.is_ipv6() { "IPv6" } else { "IPv4" }
}

/// What it cost, mn to cn and cn to mn.
fn cost(streams: &udp::Streams) -> Result<String> {
    let (up, down) = (&streams.up, &streams.down);
    udp::check_carried("mn to cn", up)?;
    udp::check_carried("cn to mn", down)?;
    let gaps = format!("longest gap {:.0} ms up, {:.0} ms down", up.longest_gap_ms, down.longest_gap_ms);
    Ok(format!("{gaps}; lost {} of {} and {} of {}", up.lost, up.sent, down.lost, down.sent))
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
            lab.attach_with_metric(plan::WIFI, WORST)?;
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
    ensure!(output.status.success(), "mn down failed: {}", programs::said(&output));
    deployment.mn()?.wait(SOON)?;
    if let Some(difference) = before.difference(&Snapshot::take(lab, plan::MN)?) {
        anyhow::bail!("mn down left something behind:\n{difference}");
    }
    step("mn down: links, addresses, routes and rules of mn are as before");
    Ok(())
}
