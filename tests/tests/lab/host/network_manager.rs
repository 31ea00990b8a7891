//! NetworkManager, which makes and ends connections on its interfaces and counts the tunnel's device as somebody else's.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tests::lab::debian::networks;
use tests::lab::deployment::MN_TUN;
use tests::lab::traffic::during;
use tests::lab::{Debian, inside, plan};

use super::{disturbed_by, press, reassertions, registered};

const UNIT: &str = "NetworkManager.service";
/// Packets a second of the stream, and how many a move may cost: those of 100 ms.
const RATE: u32 = 500;
const LOST: u64 = 50;

#[test]
fn what_networkmanager_does_leaves_the_tunnel_whole_or_is_undone_within_a_second() {
    inside(|lab| {
        let debian = lab.boot(&[UNIT], |etc| networks::of_network_manager(etc, "none"))?;
        let deployment = registered(lab, &debian)?;
        let _press = press(lab)?;
        let clear = lab.watch_for_clear("network-manager")?;
        lab.allow_warning("mn", "somebody else took away what the tunnel needs");
        let disturbed = |words: &[&str]| disturbed_by(lab, &deployment, &debian, words);
        for words in [
            &["nmcli", "device", "reapply", plan::WIFI][..],
            &["nmcli", "connection", "up", plan::WIFI],
            &["systemctl", "restart", UNIT],
        ] {
            disturbed(words)?;
            ensure!(state(&debian, MN_TUN)?.contains("external"), "after {words:?} mn0 is {}", state(&debian, MN_TUN)?);
        }
        // By a person who thinks that the device is NetworkManager's.
        let before = reassertions(&deployment)?;
        disturbed(&["nmcli", "device", "disconnect", MN_TUN])?;
        ensure!(reassertions(&deployment)? > before, "it has taken nothing away");
        clear.stop()?.is_nothing()
    });
}

#[test]
fn a_node_moves_with_networkmanagers_connections_and_its_streams_go_on() {
    inside(|lab| {
        let debian = lab.boot(&[UNIT], |etc| networks::of_network_manager(etc, "none"))?;
        let deployment = registered(lab, &debian)?;
        let _servers = lab.serve_traffic()?;
        let streams = during(
            || lab.stream(plan::CN6, Duration::from_secs(6), RATE),
            || {
                debian.run(&["nmcli", "connection", "up", plan::LTE])?;
                debian.run(&["nmcli", "device", "disconnect", plan::WIFI])?;
                deployment.wait_for_care_of(plan::LTE)
            },
        )?;
        eprintln!("moved by NetworkManager: {} lost up, {} down", streams.up.lost, streams.down.lost);
        ensure!(streams.up.lost <= LOST && streams.down.lost <= LOST, "{streams:?}");
        deployment.ping_everywhere()?;
        debian.run(&["nmcli", "connection", "up", plan::WIFI])?;
        debian.run(&["nmcli", "device", "disconnect", plan::LTE])?;
        deployment.wait_for_care_of(plan::WIFI)?;
        deployment.ping_everywhere()
    });
}

/// How NetworkManager sees a device.
fn state(debian: &Debian<'_>, device: &str) -> Result<String> {
    let list = debian.run(&["nmcli", "--terse", "--fields", "DEVICE,STATE", "device"])?;
    let line = list.lines().find(|line| line.starts_with(&format!("{device}:")));
    Ok(line.with_context(|| format!("no {device} in {list}"))?.to_owned())
}
