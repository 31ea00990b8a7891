//! After `mn down`, or after a crash and the next `mn down`, addresses, routes, rules and devices are as before.

use anyhow::{Context, Result, ensure};
use tests::lab::deployment::SOON;
use tests::lab::snapshot::Snapshot;
use tests::lab::{Deployment, Lab, inside, plan, programs, wait_for};

/// A registered mobile node, and what its namespace was before `mn up`.
fn before_and_up(lab: &Lab) -> Result<(Snapshot, Deployment<'_>)> {
    lab.attach(plan::WIFI)?;
    lab.attach(plan::LTE)?;
    lab.reaches(plan::MN, plan::HA_OUTER4.into(), 1)?;
    let mut deployment = Deployment::start(lab, "AES_128_GCM")?;
    let before = Snapshot::take(lab, plan::MN)?;
    deployment.mn_up(&[])?;
    deployment.ping_everywhere()?;
    let up = Snapshot::take(lab, plan::MN)?;
    ensure!(before.difference(&up).is_some(), "mn up changed nothing: the comparison compares nothing");
    Ok((before, deployment))
}

fn down(deployment: &Deployment<'_>) -> Result<()> {
    let output = deployment.command("mn", &["down"])?;
    ensure!(output.status.success(), "mn down failed: {}", programs::said(&output));
    Ok(())
}

fn is_as_before(lab: &Lab, before: &Snapshot) -> Result<()> {
    match before.difference(&Snapshot::take(lab, plan::MN)?) {
        None => Ok(()),
        Some(difference) => anyhow::bail!("the mobile node's network is not as before:\n{difference}"),
    }
}

#[test]
fn mn_down_leaves_the_network_as_it_was() {
    inside(|lab| {
        let (before, mut deployment) = before_and_up(lab)?;
        down(&deployment)?;
        deployment.mn()?.wait(SOON)?;
        is_as_before(lab, &before)
    });
}

#[test]
fn sigterm_leaves_the_network_as_it_was() {
    inside(|lab| {
        let (before, mut deployment) = before_and_up(lab)?;
        let status = deployment.mn()?.terminate(SOON)?;
        ensure!(status.success(), "mn ended with {status}");
        is_as_before(lab, &before)
    });
}

#[test]
fn mn_down_after_a_crash_leaves_the_network_as_it_was() {
    inside(|lab| {
        let (before, mut deployment) = before_and_up(lab)?;
        deployment.mn()?.kill()?;
        down(&deployment)?;
        is_as_before(lab, &before)?;
        // And a second `mn down` finds nothing to do, and does no harm.
        deployment.command("mn", &["down"])?;
        is_as_before(lab, &before)
    });
}

#[test]
fn mn_up_after_a_crash_works_and_its_mn_down_leaves_the_network_as_it_was() {
    inside(|lab| {
        let (before, mut deployment) = before_and_up(lab)?;
        deployment.mn()?.kill()?;
        deployment.mn()?.restart()?;
        deployment.wait_until_registered(SOON)?;
        deployment.ping_everywhere()?;
        down(&deployment)?;
        deployment.mn()?.wait(SOON)?;
        is_as_before(lab, &before)
    });
}

#[test]
fn a_home_agent_that_ends_leaves_no_device_and_no_route() {
    inside(|lab| {
        lab.attach(plan::WIFI)?;
        let before = Snapshot::take(lab, plan::HA)?;
        let mut deployment = Deployment::start(lab, "AES_128_GCM")?;
        deployment.mn_up(&[])?;
        let status = deployment.ha.terminate(SOON)?;
        ensure!(status.success(), "ha ended with {status}");
        let difference = wait_for("the home agent's network to be as before", SOON, || {
            let now = Snapshot::take(lab, plan::HA)?;
            let difference = before.difference(&now);
            Ok(difference.is_none().then_some(()).map(|()| String::new()))
        });
        difference.context("routes, rules or devices are left behind").map(drop)
    });
}
