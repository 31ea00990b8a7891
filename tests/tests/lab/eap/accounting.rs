//! Accounting, as FreeRADIUS writes it down: who was where, and every octet that went through the tunnel.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use tests::lab::aaa::{AaaServer, Options, Reply};
use tests::lab::deployment::{HA_TUN, MN_TUN, NAI, SOON, edit};
use tests::lab::{Deployment, Lab, inside, plan, wait_for};

use super::{Node, deployment, leaves};

/// A record's attributes.
type Record = BTreeMap<String, String>;

/// A HAC that asks this server and tells it of sessions.
fn accounted<'lab>(lab: &'lab Lab, server: &AaaServer) -> Result<Deployment<'lab>> {
    let accounting = server.accounting_address().to_string();
    deployment(lab, &[server], |config| {
        edit(config, &["radius", "accounting"], vec![accounting].into())?;
        edit(config, &["radius", "timeout-seconds"], 2.into())
    })
}

/// The records of this kind, once there are so many of them.
fn records(server: &AaaServer, kind: &str, least: usize) -> Result<Vec<Record>> {
    wait_for("FreeRADIUS to be told", SOON, || {
        let records: Vec<_> = server.records().into_iter().filter(|record| record["Acct-Status-Type"] == kind).collect();
        Ok((records.len() >= least).then_some(records))
    })
}

fn number(record: &Record, name: &str) -> Result<u64> {
    let text = record.get(name).with_context(|| format!("no {name} in {record:?}"))?;
    text.parse().with_context(|| format!("{name} is {text}"))
}

/// Octets and packets that came out of the tunnel at one end: all that came, and nothing that the kernel there had to say.
fn came_out(lab: &Lab, host: &str, device: &str) -> Result<[u64; 2]> {
    let text = lab.run(host, &["ip", "-j", "-s", "link", "show", "dev", device])?;
    let links: serde_json::Value = serde_json::from_str(&text)?;
    let count = |what: &str| links[0]["stats64"]["rx"][what].as_u64().context("a count");
    Ok([count("bytes")?, count("packets")?])
}

#[test]
fn a_session_is_told_of_from_its_start_to_its_stop_with_every_octet() {
    inside(|lab| {
        let reply = Reply { class: Some("gold"), ..Reply::default() };
        let server = lab.freeradius(&Options { reply, ..Options::default() })?;
        let mut deployment = accounted(lab, &server)?;
        Node::by("ttls-mschapv2").configure(lab)?;
        deployment.mn_up(&[])?;
        let start = records(&server, "Start", 1)?.remove(0);
        ensure!(start["User-Name"] == NAI && start["Class"] == "0x676f6c64", "{start:?}");
        ensure!(start["Acct-Authentic"] == "RADIUS" && start["NAS-Port-Type"] == "Virtual", "{start:?}");
        let homes: Vec<_> = deployment.home_addresses()?.iter().map(ToString::to_string).collect();
        ensure!(
            [&start["Framed-IPv6-Address"], &start["Framed-IP-Address"]] == homes.iter().collect::<Vec<_>>()[..],
            "{start:?}"
        );
        deployment.ping_everywhere()?;
        let [[input_octets, input_packets], [output_octets, output_packets]] =
            [came_out(lab, plan::HA, HA_TUN)?, came_out(lab, plan::MN, MN_TUN)?];

        leaves(&mut deployment)?;
        let stop = records(&server, "Stop", 1)?.remove(0);
        ensure!(stop["Acct-Session-Id"] == start["Acct-Session-Id"] && stop["Class"] == start["Class"], "{stop:?}");
        ensure!(stop["Acct-Terminate-Cause"] == "User-Request", "{stop:?}");
        for (name, expected) in [
            ("Acct-Input-Octets", input_octets),
            ("Acct-Input-Packets", input_packets),
            ("Acct-Output-Octets", output_octets),
            ("Acct-Output-Packets", output_packets),
        ] {
            ensure!(number(&stop, name)? == expected && expected > 0, "{name}: {expected} came out, told was {stop:?}");
        }
        let waiting = || Ok((deployment.status("hac")?["waiting_sessions"] == 0).then_some(()));
        wait_for("nothing to wait any more", SOON, waiting)
    });
}

#[test]
fn what_a_paused_server_was_not_told_it_is_told_afterwards() {
    inside(|lab| {
        let server = lab.freeradius(&Options::default())?;
        let mut deployment = accounted(lab, &server)?;
        Node::by("ttls-mschapv2").configure(lab)?;
        deployment.mn_up(&[])?;
        records(&server, "Start", 1)?;
        server.pause()?;
        for warning in ["the AAA server does not answer", "no accounting server answers"] {
            lab.expect_warning("hac", warning);
        }
        lab.allow_warning("ha", "no subscription to the feed");
        leaves(&mut deployment)?;
        wait_for("the HAC to find it silent", SOON, || {
            Ok(deployment.hac.log().contains("no accounting server answers").then_some(()))
        })?;
        let hac = deployment.program("hac")?;
        hac.terminate(SOON)?;
        hac.restart()?;
        server.resume()?;
        let stop = records(&server, "Stop", 1)?;
        ensure!(stop[0]["Acct-Terminate-Cause"] == "User-Request", "{stop:?}");
        Ok(())
    });
}
