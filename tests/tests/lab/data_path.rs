//! What the data path does to packets beyond carrying them.

use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use protocol::tunnel::DropReason;
use tests::lab::programs::{self, said};
use tests::lab::{Deployment, Lab, Setup, inside, plan};

use crate::setup;

/// Not among them: what the kernel says by itself on a new device, which may not cross, and the copies of a first Binding Update.
const REASONS: [DropReason; 5] = [
    DropReason::BadInnerPacket,
    DropReason::BatchFull,
    DropReason::WrongIcv,
    DropReason::OutsideWindow,
    DropReason::CongestionNotEct,
];
/// Octets of each transfer.
const OCTETS: u64 = 20_000_000;

/// RFC 2473 section 7.1: whoever sends packets that are too big for the tunnel hears of it, and of how long they may be.
#[test]
fn a_packet_too_big_for_the_tunnel_is_answered_with_the_tunnels_mtu_in_both_families() {
    inside(|lab| {
        let deployment = setup::registered(lab, "AES_128_GCM")?;
        let mtu = mtu(lab)?;
        for home in deployment.home_addresses()? {
            let fits = mtu - if home.is_ipv4() { 28 } else { 48 };
            ping(lab, home, fits)?;
            let error = ping(lab, home, fits + 1).err().context("one octet more passes")?.to_string();
            ensure!(error.contains(&format!("mtu = {mtu}")) || error.contains(&format!("mtu={mtu}")), "{home}: {error}");
        }
        no_drops(&deployment)
    });
}

/// Of the home agent's device.
fn mtu(lab: &Lab) -> Result<usize> {
    let link = lab.run(plan::HA, &["ip", "-o", "link", "show", "dev", "ha0"])?;
    let mtu = link.split_whitespace().skip_while(|word| *word != "mtu").nth(1);
    Ok(mtu.with_context(|| format!("no MTU in {link}"))?.parse()?)
}

/// From the correspondent node, with Don't Fragment; the error is what the command said.
fn ping(lab: &Lab, to: IpAddr, payload: usize) -> Result<()> {
    let (to, size) = (to.to_string(), payload.to_string());
    let output = lab.output(plan::CN, &["ping", "-n", "-c", "1", "-W", "2", "-M", "do", "-s", &size, &to])?;
    ensure!(output.status.success(), "{}", said(&output));
    Ok(())
}

/// For no reason that a packet of these tests could give.
fn no_drops(deployment: &Deployment<'_>) -> Result<()> {
    for program in ["mn", "ha"] {
        for reason in REASONS {
            let drops = deployment.drops(program, reason.label())?;
            ensure!(drops == 0, "{program} dropped {drops}: {reason}");
        }
    }
    Ok(())
}

/// A kernel without segments is no reason to be without a tunnel.
#[test]
fn without_offloads_at_both_ends_the_same_job_is_done() {
    inside(|lab| job_without_offloads(lab, &["ha", "mn"]));
}

#[test]
fn an_end_without_offloads_understands_one_that_has_them() {
    inside(|lab| job_without_offloads(lab, &["mn"]));
}

fn job_without_offloads(lab: &Lab, ends: &[&str]) -> Result<()> {
    let deployment = setup::registered_with(lab, &Setup { without_offloads: ends, ..Setup::default() })?;
    deployment.ping_everywhere()?;
    let _servers = lab.serve_traffic()?;
    for correspondent in [plan::CN6, plan::CN4] {
        lab.send(correspondent, OCTETS)?;
        lab.fetch(correspondent, OCTETS)?;
    }
    no_drops(&deployment)
}

const CONGESTED: &str = "
table inet congestion {
    chain forward {
        type filter hook forward priority 0
        udp dport 7872 ip ecn ect0 ip ecn set ce
    }
}
";

/// A router between the ends marks what goes through it; the correspondent's own kernel counts what arrives marked (RFC 6040).
#[test]
fn congestion_that_a_router_marks_outside_arrives_inside_of_packets_whose_transport_has_ecn() {
    inside(|lab| {
        let deployment = setup::registered(lab, "AES_128_CBC_SHA")?;
        programs::run_with_input(lab.command(plan::NET, "nft").args(["-f", "-"]), CONGESTED)?;
        let marked = || -> Result<u64> {
            let counters = lab.run(plan::CN, &["cat", "/proc/net/netstat"])?;
            counter(&counters, "IpExt:", "InCEPkts")
        };
        let before = marked()?;
        let ect0 = "2";
        lab.run(plan::MN, &["ping", "-n", "-c", "3", "-i", "0.2", "-Q", ect0, &plan::CN4.to_string()])?;
        ensure!(marked()? >= before + 3, "{} arrived marked", marked()? - before);
        let between = marked()?;
        lab.run(plan::MN, &["ping", "-n", "-c", "3", "-i", "0.2", &plan::CN4.to_string()])?;
        ensure!(marked()? == between, "packets without ECN are marked");
        no_drops(&deployment)
    });
}

/// From the kernel's two-line tables: names, then numbers.
fn counter(table: &str, row: &str, name: &str) -> Result<u64> {
    let mut lines = table.lines().filter_map(|line| line.strip_prefix(row));
    let (names, numbers) = (lines.next().context("no names")?, lines.next().context("no numbers")?);
    let number = names.split_whitespace().zip(numbers.split_whitespace()).find(|(this, _)| *this == name);
    Ok(number.with_context(|| format!("no {name} in {names}"))?.1.parse()?)
}
