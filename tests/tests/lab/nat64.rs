//! A network without IPv4, and a HAC and a home agent that have nothing else: through the network's NAT64, as its name servers or its
//! router tell of it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use protocol::nat64::Nat64Prefix;
use tests::lab::deployment::SOON;
use tests::lab::{Deployment, Lab, Setup, inside, nat64, plan, wait_for};

/// Octets of each transfer.
const OCTETS: u64 = 1_000_000;
/// From `mn up` to the first registration.
const SET_UP_MS: f64 = 3_000.0;

fn prefix(network: &str, length: u8) -> Result<Nat64Prefix> {
    Nat64Prefix::new(network.parse()?, length).context("no NAT64's prefix")
}

/// What the clear watch does not count: what is for the HAC and the home agent behind one of these prefixes, and the node's look-ups.
fn own_packets(prefixes: &[Nat64Prefix]) -> String {
    let through = prefixes.iter().flat_map(|prefix| [plan::HA_OUTER4, plan::HAC4].map(|server| prefix.embed(server)));
    let through: Vec<_> = through.flatten().map(|server| format!("(dst host {server} and dst port {})", plan::PORT)).collect();
    format!("{} or (dst host {} and udp dst port 53)", through.join(" or "), plan::HAC6)
}

/// Says in its status through which NAT64 it goes, and is bound as the care-of address on `lte`, behind a NAT.
fn goes_through(deployment: &Deployment<'_>, prefix: Nat64Prefix) -> Result<()> {
    let remote = prefix.embed(plan::HA_OUTER4).context("no address")?.to_string();
    wait_for("the status to name the NAT64", SOON, || {
        let status = deployment.status("mn")?;
        let is_said = status["nat64"] == prefix.to_string().as_str() && status["home_agent"] == remote.as_str();
        ensure!(is_said && status["nat"] == true && status["state"] == "registered", "the status is {status}");
        Ok(Some(()))
    })?;
    let binding = deployment.steady_binding()?;
    let care_of = plan::LTE_CARE_OF.to_string();
    ensure!(binding["care_of"] == care_of.as_str() && binding["nat"] == true, "the binding is {binding}");
    ensure!(binding.to_string().contains(&plan::NAT_OUTER4.to_string()), "the home agent sees {binding}");
    Ok(())
}

fn works(lab: &Lab, deployment: &Deployment<'_>) -> Result<()> {
    deployment.ping_everywhere()?;
    for to in [plan::CN6, plan::CN4] {
        lab.send(to, OCTETS)?;
        lab.fetch(to, OCTETS)?;
    }
    Ok(())
}

/// Starts on `lte`, moves to `wifi` and back. `others` are told of besides, and may be tried.
fn starts_moves_and_comes_back(lab: &Lab, prefix: Nat64Prefix, others: &[Nat64Prefix]) -> Result<()> {
    lab.attach(plan::LTE)?;
    let mut deployment = Deployment::with(lab, &Setup { outer6: false, ..Setup::default() })?;
    let _servers = lab.serve_traffic()?;
    let clear = lab.watch_for_clear_but("nat64", &own_packets(&[&[prefix], others].concat()))?;
    deployment.mn_up(&[])?;
    let took = deployment.status("mn")?["set_up_ms"].as_f64().context("no `set_up_ms`")?;
    eprintln!("registered through {prefix} after {took} ms");
    ensure!(took < SET_UP_MS, "{took} ms");
    goes_through(&deployment, prefix)?;
    works(lab, &deployment)?;
    deployment.move_to(plan::WIFI)?;
    ensure!(deployment.status("mn")?["nat64"].is_null(), "IPv4 needs no NAT64");
    works(lab, &deployment)?;
    deployment.move_to(plan::LTE)?;
    goes_through(&deployment, prefix)?;
    works(lab, &deployment)?;
    clear.stop()?.is_nothing()
}

#[test]
fn through_the_nat64_that_name_servers_tell_of_a_node_without_ipv4_registers_moves_and_comes_back() {
    inside(|lab| {
        let prefix = prefix("2001:db8:64::", 96)?;
        let _nat64 = lab.nat64(prefix)?;
        let server = lab.name_server(&nat64::dns64(prefix))?;
        starts_moves_and_comes_back(lab, prefix, &[])?;
        ensure!(server.was_asked("AAAA", "ipv4only.arpa"), "nobody was asked");
        Ok(())
    });
}

/// What name servers say leads nowhere.
#[test]
fn the_prefix_that_a_router_advertises_comes_before_that_of_its_name_servers() {
    inside(|lab| {
        let advertised = prefix("2001:db8:64:100::", 56)?;
        let _nat64 = lab.nat64(advertised)?;
        let lie = prefix("2001:db8:dead::", 96)?;
        let _server = lab.name_server(&nat64::dns64(lie))?;
        let _router = lab.advertise_nat64(advertised, Duration::from_secs(1800))?;
        starts_moves_and_comes_back(lab, advertised, &[lie])
    });
}
