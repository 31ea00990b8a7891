//! The node on its home link (RFC 6275 section 11.5.5): there it needs no tunnel, and its connections go on across its coming and going.
//! A link that only says that it is home gets nothing of it.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::lab::deployment::{MN_TUN, SOON, configuration, edit};
use tests::lab::traffic::{TCP_PORT, tcp};
use tests::lab::{Deployment, Lab, Setup, inside, plan, programs, wait_for};

/// The host's addresses in the home network, and what the node gets there besides its home addresses.
const HOST6: &str = "2001:db8:100::77";
const HOST4: &str = "10.9.0.77";
const GUEST6: &str = "2001:db8:100::abcd";
const GUEST4: &str = "10.9.0.78";

/// The home network on a link with three ends: the home agent, a host, which has the switch, and the node, whose end is down.
fn make_home_network(lab: &Lab) -> Result<()> {
    lab.ip_batch(plan::HA, "address add 2001:db8:100::1/64 dev home nodad\naddress add 10.9.0.1/24 dev home")?;
    lab.ip_batch(
        plan::CN,
        &format!(
            "address flush dev home
link add lan type bridge
link set home master lan
link add node type veth peer name home netns mn
link set node master lan
link set node up
link set lan up
address add {HOST6}/64 dev lan nodad
address add {HOST4}/24 dev lan
route replace default via 10.9.0.1 dev lan
route replace default via 2001:db8:100::1 dev lan"
        ),
    )?;
    edit(&configuration(lab, "ha")?, &["home-link"], plan::HOME.into())
}

/// The node's end is plugged in, as a router and a DHCP server of the home network would configure it.
fn plug_in(lab: &Lab) -> Result<()> {
    let gateways = "route add default via 10.9.0.1 dev home metric 50\nroute add default via 2001:db8:100::1 dev home metric 50";
    lab.ip_batch(
        plan::MN,
        &format!("link set home up\naddress add {GUEST6}/64 dev home nodad\naddress add {GUEST4}/24 dev home\n{gateways}"),
    )
}

fn unplug(lab: &Lab) -> Result<()> {
    lab.ip_batch(plan::MN, "address flush dev home\nlink set home down")
}

fn hosts() -> Result<[IpAddr; 2]> {
    Ok([HOST6.parse()?, HOST4.parse()?])
}

/// Both ways in both families; gives how many octets went through the tunnel's device meanwhile.
fn are_neighbours(lab: &Lab, homes: &[IpAddr], deployment: &Deployment<'_>) -> Result<u64> {
    let (out, back) = deployment.tunnel_octets()?;
    for home in homes {
        lab.reaches(plan::CN, *home, 5)?;
    }
    for host in hosts()? {
        lab.reaches(plan::MN, host, 5)?;
    }
    let (later_out, later_back) = deployment.tunnel_octets()?;
    Ok(later_out - out + later_back - back)
}

fn hardware(lab: &Lab, namespace: &str, interface: &str) -> Result<String> {
    let links: Value = serde_json::from_str(&lab.run(namespace, &["ip", "-j", "link", "show", "dev", interface])?)?;
    Ok(links[0]["address"].as_str().context("no hardware address")?.to_owned())
}

/// Whom the host sends to for each home address.
fn host_sends_to(lab: &Lab, homes: &[IpAddr], hardware: &str) -> Result<()> {
    for home in homes {
        let neighbour = lab.run(plan::CN, &["ip", "neighbour", "show", &home.to_string(), "dev", "lan"])?;
        ensure!(neighbour.contains(hardware), "the host takes {home} for {neighbour}, and not {hardware}");
    }
    Ok(())
}

fn proxies(lab: &Lab) -> Result<String> {
    lab.run(plan::HA, &["sh", "-c", "ip -6 neighbour show proxy; ip -4 neighbour show proxy"])
}

/// A transfer with the host from the node's home address, of so many seconds, a fifth of a megabyte in each.
fn transfer(lab: &Lab, direction: tcp::Direction, seconds: u64) -> Result<tcp::Transfer> {
    lab.transfer(direction, hosts()?[0], seconds * 200_000, 200_000)
}

fn comes_home(lab: &Lab, deployment: &Deployment<'_>) -> Result<Duration> {
    let plugged = Instant::now();
    plug_in(lab)?;
    deployment.wait_for_state("at-home")?;
    Ok(plugged.elapsed())
}

fn leaves(lab: &Lab, deployment: &mut Deployment<'_>) -> Result<Duration> {
    let unplugged = Instant::now();
    unplug(lab)?;
    deployment.wait_until_registered(SOON)?;
    Ok(unplugged.elapsed())
}

#[test]
fn a_node_that_comes_home_needs_no_tunnel_there_and_its_connections_go_on_both_ways() {
    inside(|lab| {
        lab.attach(plan::WIFI)?;
        let mut deployment = Deployment::configured(lab, &Setup::default(), make_home_network)?;
        deployment.mn_up(&[])?;
        let _server = lab.serve_traffic()?;
        let homes = deployment.home_addresses()?;
        ensure!(are_neighbours(lab, &homes, &deployment)? > 0, "the node is away: its packets go through the tunnel");
        host_sends_to(lab, &homes, &hardware(lab, plan::HA, plan::HOME)?)?;

        let transfers = std::thread::scope(|scope| {
            let running = [tcp::Direction::Up, tcp::Direction::Down].map(|way| scope.spawn(move || transfer(lab, way, 14)));
            let moved = (|| {
                let home = comes_home(lab, &deployment)?;
                eprintln!("at home after {home:?}");
                wait_for("the home agent to answer for nobody", SOON, || Ok(proxies(lab)?.is_empty().then_some(())))?;
                std::thread::sleep(Duration::from_secs(1));
                let tunnelled = are_neighbours(lab, &homes, &deployment)?;
                ensure!(tunnelled == 0, "{tunnelled} octets went through the tunnel at home");
                host_sends_to(lab, &homes, &hardware(lab, plan::MN, plan::HOME)?)?;
                ensure!(deployment.bindings()?["bindings"] == serde_json::json!([]), "{}", deployment.bindings()?);
                let away = leaves(lab, &mut deployment)?;
                eprintln!("registered elsewhere {away:?} after the link was gone");
                ensure!(are_neighbours(lab, &homes, &deployment)? > 0, "the node is away again");
                host_sends_to(lab, &homes, &hardware(lab, plan::HA, plan::HOME)?)
            })();
            let still_running = running.iter().all(|transfer| !transfer.is_finished());
            let ended = running.map(|transfer| transfer.join().map_err(|_| anyhow::anyhow!("a transfer's thread failed")));
            moved?;
            ensure!(still_running, "the transfers had ended before the node had come and gone");
            ended.into_iter().map(|ended| ended?).collect::<Result<Vec<_>>>()
        })?;
        ensure!(transfers.iter().all(|transfer| transfer.intact), "{transfers:?}");
        let status = deployment.status("mn")?;
        let kinds: Vec<_> = status["handovers"].as_array().into_iter().flatten().map(|one| one["kind"].as_str()).collect();
        ensure!(kinds.contains(&Some("return-home")), "the flight recorder has {kinds:?}");

        comes_home(lab, &deployment)?;
        let output = deployment.command("mn", &["down"])?;
        ensure!(output.status.success(), "mn down failed: {}", programs::said(&output));
        deployment.mn()?.wait(SOON)?;
        let left = lab.addresses(plan::MN, plan::HOME)?;
        ensure!(homes.iter().all(|home| !left.contains(home)), "the home link's interface still has {left:?}");
        Ok(())
    });
}

#[test]
fn a_link_that_says_it_is_home_and_is_not_gets_nothing_of_the_node() {
    inside(|lab| {
        lab.attach(plan::WIFI)?;
        let mut deployment = Deployment::configured(lab, &Setup::default(), make_home_network)?;
        deployment.mn_up(&[])?;
        let homes = deployment.home_addresses()?;
        let words = ["press", &SocketAddr::from((plan::CN6, 9)).to_string(), &format!("[{HOST6}]:{TCP_PORT}")].map(str::to_owned);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let _press = lab.spawn(plan::MN, "press", &programs::path("labtool")?, &words)?;
        let clear = lab.watch_for_clear("rogue")?;
        lab.expect_warning("mn", "is not the home link");
        lab.allow_warning("mn", "does not answer");

        // The network of `lte` says that the home prefixes are on it, and passes everything on with the sources that it has.
        lab.ip_batch(plan::NET, "address add 2001:db8:100::1/64 dev lte nodad\naddress add 10.9.0.1/24 dev lte")?;
        lab.ip_batch(
            plan::MN,
            &format!(
                "link set lte up\naddress add {GUEST6}/64 dev lte nodad\naddress add {GUEST4}/24 dev lte
route add default via 2001:db8:100::1 dev lte metric 1\nroute add default via 10.9.0.1 dev lte metric 1"
            ),
        )?;
        let found_out = wait_for("the node to find the link out", SOON, || {
            let log = std::fs::read_to_string(lab.folder().join("mn.log")).unwrap_or_default();
            Ok(log.contains("is not the home link").then_some(()))
        });
        found_out?;
        std::thread::sleep(Duration::from_secs(1));
        let status = deployment.status("mn")?;
        ensure!(status["state"] != "at-home", "{status}");
        for home in &homes {
            let there = lab.addresses(plan::MN, plan::LTE)?;
            ensure!(!there.contains(home), "the link has {home}");
        }
        ensure!(!lab.addresses(plan::MN, MN_TUN)?.is_empty(), "the tunnel stands");
        clear.stop()?.is_nothing()
    });
}
