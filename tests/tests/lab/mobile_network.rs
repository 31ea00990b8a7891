//! A network behind the mobile node (RFC 3963): a host there knows of nothing, is reached at its own address, and moves along.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tests::lab::deployment::{self, SOON};
use tests::lab::traffic::during;
use tests::lab::traffic::tcp::Transfer;
use tests::lab::traffic::udp::Streams;
use tests::lab::traffic::{TCP_PORT, UDP_PORT};
use tests::lab::{Deployment, Lab, Setup, inside, plan, programs, wait_for};

use crate::setup::settle;

/// The namespace of the host behind the node.
const GUEST_HOST: &str = "guest";
/// The interface of both ends of the network there.
const LAN: &str = "lan";
const NETWORK: &str = "2001:db8:7::/64";
/// The host's address.
const GUEST: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 7, 0, 0, 0, 0, 5));
/// Packets a second each way, and for how long, with a move in the middle.
const RATE: u32 = 500;
const LENGTH: Duration = Duration::from_secs(6);
/// Octets of a transfer beside them.
const OCTETS: u64 = 5_000_000;

/// The network behind the node, and its host, as an operator sets them up; the node forwards.
fn attach_guest(lab: &Lab) -> Result<()> {
    lab.run(plan::MN, &["ip", "netns", "add", GUEST_HOST])?;
    lab.sysctls(GUEST_HOST, plan::SYSCTLS)?;
    lab.sysctls(plan::MN, &[("ipv6/conf/all/forwarding", "1")])?;
    lab.run(plan::MN, &["ip", "link", "add", LAN, "type", "veth", "peer", "name", LAN, "netns", GUEST_HOST])?;
    lab.ip_batch(plan::MN, "link set lan up\naddress add 2001:db8:7::1/64 dev lan nodad")?;
    lab.ip_batch(
        GUEST_HOST,
        "link set lo up\nlink set lan up\naddress add 2001:db8:7::5/64 dev lan nodad\nroute add default via 2001:db8:7::1",
    )
}

/// A registered mobile router on wifi.
fn router<'lab>(lab: &'lab Lab) -> Result<Deployment<'lab>> {
    lab.attach_with_metric(plan::WIFI, 2_000)?;
    attach_guest(lab)?;
    let setup = Setup { in_memory: true, ..Setup::default() };
    let mut deployment = Deployment::configured(lab, &setup, |lab| {
        let mut command = lab.command(plan::HAC, programs::path("hac")?);
        command.arg("-c").arg(deployment::configuration(lab, "hac")?);
        programs::run(command.args(["subscriber", "prefix", "add", deployment::NAI, NETWORK]))?;
        deployment::edit(&deployment::configuration(lab, "mn")?, &["mobile-router", "lan"], LAN.into())
    })?;
    deployment.mn_up(&[])?;
    Ok(deployment)
}

/// How the home agent's kernel reaches the host.
fn way_to_guest(lab: &Lab) -> Result<String> {
    let output = lab.output(plan::HA, &["ip", "-6", "route", "show", NETWORK])?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn wait_for_way(lab: &Lab, stands: bool) -> Result<()> {
    let what = if stands { "a route to the network" } else { "the route to the network to go" };
    wait_for(what, SOON, || Ok((way_to_guest(lab)?.contains("dev ha0") == stands).then_some(())))
}

#[test]
fn a_host_behind_the_node_talks_and_is_reached_moves_along_and_is_cut_off_with_the_tunnel() {
    inside(|lab| {
        let mut deployment = router(lab)?;
        wait_for_way(lab, true)?;
        ensure!(deployment.status("mn")?["mobile_network_prefixes"][0] == NETWORK, "{}", deployment.status("mn")?);
        ensure!(deployment.steady_binding()?["mobile_network_prefixes"][0] == NETWORK, "{}", deployment.bindings()?);
        lab.reaches(GUEST_HOST, plan::CN6, 3)?;
        lab.reaches(plan::CN, GUEST, 3)?;
        lab.reaches(plan::MN, GUEST, 3)?;
        deployment.ping_everywhere()?;
        moves_with_nothing_lost(lab, &deployment)?;
        nothing_leaves_in_the_clear(lab, &mut deployment)
    });
}

/// Packets both ways and a transfer, and amid them from wifi to lte: the new network comes before the old one goes.
fn moves_with_nothing_lost(lab: &Lab, deployment: &Deployment<'_>) -> Result<()> {
    let _servers = lab.serve_traffic()?;
    let udp = format!("[{}]:{UDP_PORT}", plan::CN6);
    let tcp = format!("[{}]:{TCP_PORT}", plan::CN6);
    let (seconds, rate) = (LENGTH.as_secs().to_string(), RATE.to_string());
    let streams: Streams = during(
        || lab.labtool(GUEST_HOST, &["udp-stream", "--to", &udp, "--seconds", &seconds, "--rate", &rate, "--octets", "200"]),
        || {
            std::thread::sleep(Duration::from_millis(500));
            lab.attach_with_metric(plan::LTE, 1_000)?;
            deployment.wait_for_care_of(plan::LTE)?;
            std::thread::sleep(Duration::from_millis(500));
            lab.detach(plan::WIFI)?;
            let transfer: Transfer = lab.labtool(GUEST_HOST, &["fetch", &OCTETS.to_string(), "--from", &tcp])?;
            ensure!(transfer.intact, "{transfer:?}");
            Ok(())
        },
    )?;
    for (way, stream) in [("up", &streams.up), ("down", &streams.down)] {
        ensure!(stream.received > 0 && stream.lost == 0 && stream.duplicates == 0, "{way}: {stream:?}");
    }
    lab.reaches(plan::CN, GUEST, 3).map(drop)
}

/// As long as the node is up the host's packets reach no access network, whatever route leads there; and after `mn down` the home agent
/// has no way to the network.
fn nothing_leaves_in_the_clear(lab: &Lab, deployment: &mut Deployment<'_>) -> Result<()> {
    let refused =
        |deployment: &Deployment<'_>| deployment.status("mn")?["guard"]["rejected"].as_u64().context("the guard counts nothing");
    // The host pretends to be somebody else.
    let before = deployment.drops("mn", "no-tunnel")?;
    lab.ip_batch(GUEST_HOST, "address add 2001:db8:77::5/64 dev lan nodad")?;
    let spoofed =
        lab.output(GUEST_HOST, &["ping", "-c", "3", "-i", "0.2", "-W", "1", "-I", "2001:db8:77::5", &plan::CN6.to_string()])?;
    ensure!(!spoofed.status.success(), "a source of nobody's is answered");
    ensure!(deployment.drops("mn", "no-tunnel")? >= before + 3, "what is of nobody's is not sent at all");
    lab.detach(plan::LTE)?;
    deployment.wait_for_state("detached")?;
    lab.attach(plan::WIFI)?;
    lab.run(plan::MN, &["ip", "-6", "route", "replace", "default", "dev", plan::WIFI])?;
    deployment.wait_until_registered(SOON)?;
    settle();
    lab.reaches(GUEST_HOST, plan::CN6, 3)?;
    // Past the table of the tunnel: what DHCP or a person might do.
    lab.run(plan::MN, &["ip", "-6", "rule", "add", "priority", "1", "iif", LAN, "lookup", "main"])?;
    let count = refused(deployment)?;
    let past = lab.output(GUEST_HOST, &["ping", "-c", "2", "-i", "0.2", "-W", "1", &plan::CN6.to_string()])?;
    ensure!(!past.status.success() && refused(deployment)? >= count + 2, "{}", programs::said(&past));
    lab.run(plan::MN, &["ip", "-6", "rule", "delete", "priority", "1"])?;
    let output = deployment.command("mn", &["down"])?;
    ensure!(output.status.success(), "mn down failed: {}", programs::said(&output));
    deployment.mn()?.wait(SOON)?;
    wait_for_way(lab, false)
}
