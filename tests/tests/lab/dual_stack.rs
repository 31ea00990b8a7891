//! Both address families on one interface (RFC 5555 section 4.4.1): IPv6 first, IPv4 where nothing comes back over IPv6, and back.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::lab::traffic::during;
use tests::lab::{Deployment, Lab, Setup, inside, plan, wait_for};

/// The node's IPv4 address on the network that has IPv6 by the plan.
const CARE_OF4: &str = "198.51.101.2";
/// After this the node asks whether IPv6 leads to the home agent again.
const ASKED_AGAIN: Duration = Duration::from_secs(60);
/// `make soak` sets it: the way back takes a minute.
const LONG: &str = "HALTSEC_LAB_WAY_BACK";

/// IPv4 has the better metric, which says nothing.
fn attach(lab: &Lab) -> Result<()> {
    lab.ip_batch(plan::NET, "address add 198.51.101.1/24 dev lte")?;
    lab.attach(plan::LTE)?;
    lab.ip_batch(plan::MN, "address add 198.51.101.2/24 dev lte\nroute add default via 198.51.101.1 dev lte metric 1")
}

/// Datagrams to the home agent over IPv6 are dropped without a word, those of everybody else are not.
fn silence(lab: &Lab) -> Result<()> {
    lab.run(plan::NET, &["nft", "add table ip6 dead; add chain ip6 dead silence { type filter hook prerouting priority 0; }"])?;
    lab.run(plan::NET, &["nft", "add rule ip6 dead silence iifname lte udp dport 7872 drop"])?;
    lab.expect_warning("mn", "the home agent does not answer over this network");
    Ok(())
}

fn care_of(deployment: &Deployment<'_>) -> Result<Value> {
    Ok(deployment.status("mn")?["care_of"].clone())
}

fn wait_for_ipv4(deployment: &Deployment<'_>) -> Result<()> {
    wait_for("the binding to name the IPv4 address", Duration::from_secs(10), || {
        Ok(deployment.bindings()?.to_string().contains(&format!("\"{CARE_OF4}\"")).then_some(()))
    })
}

#[test]
fn where_ipv6_to_the_home_agent_is_silent_from_the_start_the_node_registers_over_ipv4_within_three_seconds() {
    inside(|lab| {
        let mut deployment = Deployment::with(lab, &Setup { in_memory: true, ..Setup::default() })?;
        attach(lab)?;
        silence(lab)?;
        let since = Instant::now();
        deployment.mn_up(&[])?;
        eprintln!("registered after {:.1?}, its start and MHAuth included", since.elapsed());
        ensure!(care_of(&deployment)? == CARE_OF4, "{}", care_of(&deployment)?);
        let (answer, _) = deployment.json("mn", &["handovers"])?;
        let first = answer["handovers"][0].clone();
        ensure!(since.elapsed() < Duration::from_secs(3), "that took {:?}: {first}", since.elapsed());
        deployment.ping_everywhere()
    });
}

#[test]
fn when_ipv6_to_the_home_agent_falls_silent_the_node_is_on_ipv4_within_five_seconds() {
    inside(|lab| {
        let mut deployment = Deployment::with(lab, &Setup { in_memory: true, ..Setup::default() })?;
        attach(lab)?;
        deployment.mn_up(&[])?;
        ensure!(care_of(&deployment)? == plan::LTE_CARE_OF.to_string(), "{}", care_of(&deployment)?);
        let _servers = lab.serve_traffic()?;
        let streams = during(
            || lab.stream(plan::CN6, Duration::from_secs(6), 1_000),
            || {
                std::thread::sleep(Duration::from_secs(1));
                silence(lab)?;
                let since = Instant::now();
                wait_for_ipv4(&deployment)?;
                eprintln!("on IPv4 after {:.1?}", since.elapsed());
                ensure!(since.elapsed() < Duration::from_secs(5), "that took {:?}", since.elapsed());
                Ok(())
            },
        )?;
        eprintln!("up: {:?}\ndown: {:?}", streams.up, streams.down);
        if std::env::var_os(LONG).is_some() { comes_back(lab, &deployment) } else { Ok(()) }
    });
}

/// IPv6 carries again, and nobody says so: a minute after it was left it is asked about, and used again over both.
fn comes_back(lab: &Lab, deployment: &Deployment<'_>) -> Result<()> {
    lab.run(plan::NET, &["nft", "delete table ip6 dead"])?;
    let since = Instant::now();
    let streams = during(
        || lab.stream(plan::CN6, ASKED_AGAIN + Duration::from_secs(10), 1_000),
        || {
            wait_for("IPv6 to be used again", ASKED_AGAIN + Duration::from_secs(5), || {
                Ok((care_of(deployment)? == plan::LTE_CARE_OF.to_string()).then_some(()))
            })?;
            eprintln!("back on IPv6 {:.1?} after it carried again", since.elapsed());
            Ok(())
        },
    )?;
    eprintln!("up: {:?}\ndown: {:?}", streams.up, streams.down);
    for stream in [&streams.up, &streams.down] {
        ensure!(stream.lost == 0 && stream.duplicates == 0, "{stream:?}");
    }
    let (answer, _) = deployment.json("mn", &["handovers"])?;
    let last = answer["handovers"].as_array().and_then(|all| all.last()).cloned().context("no record")?;
    ensure!(last["kind"] == "make-before-break" && last["outcome"] != "abandoned", "{last}");
    Ok(())
}
