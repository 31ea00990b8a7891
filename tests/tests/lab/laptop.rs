//! A laptop as distributions set it up: it takes a packet only by the interface by which it would answer (RFC 3704 section 2.2).
//! IPv4 by the kernel's own filter, both families by the nftables rule that firewalld has.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, bail, ensure};
use tests::lab::deployment::SOON;
use tests::lab::snapshot::Snapshot;
use tests::lab::traffic::tcp::Transfer;
use tests::lab::traffic::udp::Streams;
use tests::lab::traffic::{TCP_PORT, UDP_PORT, during};
use tests::lab::{Daemon, Deployment, Lab, inside, plan, programs, wait_for};

use crate::setup;

/// Octets of each transfer.
const OCTETS: u64 = 5_000_000;

/// As in firewalld's table; the counter is for these cases. Connections are tracked before the node comes, so that what somebody
/// else has begun is known.
const FIREWALL: &str = "
table inet laptop {
    counter refused { }
    chain prerouting {
        type filter hook prerouting priority raw + 10;
        icmpv6 type { nd-router-advert, nd-neighbor-solicit } accept
        fib saddr . mark . iif oif missing counter name refused drop
    }
    chain input {
        type filter hook input priority filter + 10;
        ct state { established, related } accept
    }
}
";

fn filter_strictly(lab: &Lab) -> Result<()> {
    programs::require(&["nft"])?;
    lab.run(plan::MN, &["sh", "-ec", "for file in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 1 > $file; done"])?;
    programs::run_with_input(lab.command(plan::MN, "nft").args(["-f", "-"]), FIREWALL).map(drop)
}

/// What a laptop offers on its own addresses.
fn serve_on_the_laptop(lab: &Lab) -> Result<Daemon> {
    let service = lab.spawn(plan::MN, "service", &programs::path("labtool")?, &["serve-tcp", &format!("[::]:{TCP_PORT}")])?;
    wait_for("the laptop's service to listen", SOON, || {
        let sockets = lab.run(plan::MN, &["cat", "/proc/net/tcp6"])?;
        Ok(sockets.contains(&format!(":{TCP_PORT:04X} ")).then_some(()))
    })?;
    Ok(service)
}

/// A host on the access network, and one far away, fetch from and send to the laptop's address there, past the tunnel.
fn is_reached_past_the_tunnel(lab: &Lab, deployment: &Deployment<'_>, care_of: IpAddr) -> Result<()> {
    let service = SocketAddr::new(care_of, TCP_PORT).to_string();
    let (before, _) = deployment.tunnel_octets()?;
    for neighbour in [plan::NET, plan::HAC] {
        for words in [["fetch", &OCTETS.to_string(), "--from", &service], ["send", &OCTETS.to_string(), "--to", &service]] {
            let transfer: Transfer = lab.labtool(neighbour, &words)?;
            ensure!(transfer.intact, "{} from {neighbour}: {transfer:?}", words.join(" "));
        }
    }
    let (after, _) = deployment.tunnel_octets()?;
    ensure!(after - before < OCTETS / 10, "answers went into the tunnel: {before} octets before, {after} after");
    Ok(())
}

/// What comes for a home address from far away comes through the tunnel, or not at all: the leak guard is asked before the filter.
fn refuses_what_comes_past_the_tunnel(lab: &Lab, deployment: &Deployment<'_>, care_of: IpAddr) -> Result<()> {
    for home in deployment.home_addresses()?.into_iter().filter(|home| home.is_ipv4() == care_of.is_ipv4()) {
        lab.run(plan::NET, &["ip", "route", "replace", &home.to_string(), "via", &care_of.to_string()])?;
        let dropped = || Ok::<_, anyhow::Error>(refused(lab)? + injected(deployment)?);
        let before = dropped()?;
        let ping = lab.ping(plan::HAC, home, 2)?;
        lab.run(plan::NET, &["ip", "route", "delete", &home.to_string()])?;
        ensure!(ping.milliseconds.is_empty() && dropped()? >= before + 2, "{home} past the tunnel:\n{}", ping.text);
    }
    Ok(())
}

fn injected(deployment: &Deployment<'_>) -> Result<u64> {
    deployment.status("mn")?["guard"]["injected"].as_u64().context("the guard counts nothing")
}

fn refused(lab: &Lab) -> Result<u64> {
    let text = lab.run(plan::MN, &["nft", "-j", "list", "counters", "table", "inet", "laptop"])?;
    let answer: serde_json::Value = serde_json::from_str(&text)?;
    let mut rows = answer["nftables"].as_array().into_iter().flatten();
    rows.find_map(|row| row["counter"]["packets"].as_u64()).with_context(|| format!("`nft -j` printed {text}"))
}

#[test]
fn a_laptop_that_filters_strictly_by_reverse_path_talks_moves_and_serves_its_neighbours() {
    inside(|lab| {
        filter_strictly(lab)?;
        let mut deployment = setup::registered(lab, "AES_128_GCM")?;
        let _servers = lab.serve_traffic()?;
        let _service = serve_on_the_laptop(lab)?;
        for (access, care_of) in [(plan::WIFI, plan::WIFI_CARE_OF), (plan::LTE, plan::LTE_CARE_OF)] {
            if access != plan::WIFI {
                deployment.move_to(access)?;
            }
            deployment.ping_everywhere()?;
            for to in [plan::CN6, plan::CN4] {
                lab.send(to, OCTETS)?;
                lab.fetch(to, OCTETS)?;
            }
            is_reached_past_the_tunnel(lab, &deployment, care_of)?;
            refuses_what_comes_past_the_tunnel(lab, &deployment, care_of)?;
        }
        let output = deployment.command("mn", &["down"])?;
        ensure!(output.status.success(), "mn down failed: {}", programs::said(&output));
        deployment.mn()?.wait(SOON).map(drop)
    });
}

#[test]
fn what_talks_past_the_tunnel_does_not_notice_it_come_and_go() {
    inside(|lab| {
        filter_strictly(lab)?;
        lab.attach(plan::WIFI)?;
        let mut deployment = Deployment::start(lab, "AES_128_GCM")?;
        let service = SocketAddr::new(plan::WIFI_CARE_OF, UDP_PORT).to_string();
        let _service = lab.spawn(plan::MN, "service", &programs::path("labtool")?, &["serve-udp", &service])?;
        wait_for("the laptop's service to listen", SOON, || {
            Ok(lab.run(plan::MN, &["cat", "/proc/net/udp"])?.contains(&format!(":{UDP_PORT:04X} ")).then_some(()))
        })?;
        let before = Snapshot::take(lab, plan::MN)?;
        let stream = ["udp-stream", "--to", &service, "--seconds", "6", "--rate", "500", "--octets", "0"];
        let streams = during(
            || lab.labtool::<Streams>(plan::HAC, &stream),
            || {
                deployment.mn_up(&[])?;
                deployment.ping_everywhere()?;
                let output = deployment.command("mn", &["down"])?;
                ensure!(output.status.success(), "mn down failed: {}", programs::said(&output));
                deployment.mn()?.wait(SOON).map(drop)
            },
        )?;
        ensure!(streams.up.lost == 0 && streams.down.lost == 0, "{streams:?}");
        match before.difference(&Snapshot::take(lab, plan::MN)?) {
            None => Ok(()),
            Some(difference) => bail!("the laptop's network is not as before:\n{difference}"),
        }
    });
}
