//! A home link with a host on it, which takes the mobile node for a neighbour wherever that is.

use std::net::IpAddr;

use anyhow::{Result, ensure};
use tests::lab::deployment::{SOON, configuration, edit};
use tests::lab::traffic::during;
use tests::lab::{Deployment, Lab, Setup, inside, plan, wait_for};

/// The host's own addresses in the home network.
const HOST6: &str = "2001:db8:100::77";
const HOST4: &str = "10.9.0.77";

/// Echo requests across a move, ten a second, and how many of them may be lost: a network is gone in the midst of it.
const ACROSS: usize = 30;
const LOST: usize = 5;

/// The home network on the link between home agent and correspondent node, which is a host there; and the configuration that says so.
fn make_home_link_real(lab: &Lab) -> Result<()> {
    lab.ip_batch(plan::HA, "address add 2001:db8:100::1/64 dev home nodad\naddress add 10.9.0.1/24 dev home")?;
    lab.ip_batch(plan::CN, &format!("address add {HOST6}/64 dev home nodad\naddress add {HOST4}/24 dev home"))?;
    edit(&configuration(lab, "ha")?, &["home-link"], plan::HOME.into())
}

/// The host reaches both home addresses, and is reached.
fn are_neighbours(lab: &Lab, deployment: &Deployment<'_>) -> Result<()> {
    for home in deployment.home_addresses()? {
        lab.reaches(plan::CN, home, 3)?;
    }
    for host in [HOST6, HOST4] {
        lab.reaches(plan::MN, host.parse::<IpAddr>()?, 3)?;
    }
    let whom = lab.run(plan::CN, &["sh", "-c", "ip neighbour show dev home | grep -c FAILED || true"])?;
    ensure!(whom.trim() == "0", "the host has {whom} neighbours that do not answer");
    Ok(())
}

fn proxies(lab: &Lab) -> Result<String> {
    lab.run(plan::HA, &["sh", "-c", "ip -6 neighbour show proxy; ip -4 neighbour show proxy"])
}

#[test]
fn a_host_on_the_home_link_and_a_node_that_is_away_are_neighbours() {
    inside(|lab| {
        lab.attach(plan::WIFI)?;
        let mut deployment = Deployment::configured(lab, &Setup::default(), make_home_link_real)?;
        deployment.mn_up(&[])?;
        are_neighbours(lab, &deployment)?;
        for home in deployment.home_addresses()? {
            let to = if home.is_ipv6() { plan::LTE } else { plan::WIFI };
            let ping = during(|| lab.ping(plan::CN, home, ACROSS), || deployment.move_to(to))?;
            let answered = ping.milliseconds.len();
            eprintln!("{answered} of {ACROSS} echo requests to {home} were answered across a move");
            ensure!(answered + LOST >= ACROSS, "{home} across a move:\n{}", ping.text);
        }
        are_neighbours(lab, &deployment)?;
        ensure!(deployment.status("ha")?["home_link"]["answered_for"] == 2, "{}", deployment.status("ha")?);

        deployment.ha.kill()?;
        ensure!(!proxies(lab)?.is_empty(), "the kernel answers on");
        deployment.ha.restart()?;
        deployment.wait_until_serving()?;
        wait_for("the node to be bound again", SOON, || {
            let ping = lab.ping(plan::MN, HOST6.parse::<IpAddr>()?, 1)?;
            Ok((ping.milliseconds.len() == 1).then_some(()))
        })?;
        are_neighbours(lab, &deployment)?;

        let output = deployment.command("mn", &["down"])?;
        ensure!(output.status.success(), "mn down failed");
        deployment.mn()?.wait(SOON)?;
        wait_for("the home agent to answer for nobody", SOON, || Ok(proxies(lab)?.is_empty().then_some(())))
    });
}
