//! systemd-networkd, which takes away rules, routes and addresses that it has not made.

use anyhow::{Result, ensure};
use tests::lab::debian::networks;
use tests::lab::deployment::SOON;
use tests::lab::{inside, plan, programs};

use super::{disturbed_by, press, reassertions, registered, wait_for_address};

#[test]
fn what_networkd_takes_away_is_back_within_a_second_and_nothing_leaves_in_the_clear_meanwhile() {
    inside(|lab| {
        let debian = lab.boot(&["systemd-networkd.service"], networks::of_networkd)?;
        let mut deployment = registered(lab, &debian)?;
        wait_for_address(lab, plan::LTE)?;
        let _press = press(lab)?;
        let clear = lab.watch_for_clear("networkd")?;
        lab.expect_warning("mn", "somebody else took away what the tunnel needs");
        let before = reassertions(&deployment)?;
        for access in [plan::WIFI, plan::LTE] {
            disturbed_by(lab, &deployment, &debian, &["networkctl", "reconfigure", access])?;
        }
        ensure!(reassertions(&deployment)? > before, "networkd has taken nothing away");
        disturbed_by(lab, &deployment, &debian, &["networkctl", "reload"])?;
        disturbed_by(lab, &deployment, &debian, &["systemctl", "restart", "systemd-networkd"])?;
        clear.stop()?.is_nothing()?;
        is_left_alone(&debian.run(&["networkctl", "--no-pager", "--no-legend", "list"])?)?;

        let down = programs::output(debian.mn().arg("down"))?;
        ensure!(down.status.success(), "mn down: {}", programs::said(&down));
        deployment.mn()?.wait(SOON).map(drop)
    });
}

/// The node's device, in networkd's list.
fn is_left_alone(list: &str) -> Result<()> {
    let is_unmanaged = list.lines().any(|line| line.contains(" mn0 ") && line.contains("unmanaged"));
    ensure!(is_unmanaged, "networkd has taken mn0 for its own:\n{list}");
    Ok(())
}
