//! What the data path does to packets beyond carrying them.

use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use tests::lab::programs::said;
use tests::lab::{Deployment, Lab, inside, plan};

use crate::setup;

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

fn no_drops(deployment: &Deployment<'_>) -> Result<()> {
    for program in ["mn", "ha"] {
        let drops = deployment.all_drops(program).context("the counters")?;
        ensure!(drops == 0, "{program} dropped {drops}");
    }
    Ok(())
}
