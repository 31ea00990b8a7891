//! After `mn down`, or after a crash and the next `mn down`, addresses, routes, rules, devices and files are as before. Of a node in
//! the background the log stays.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tests::lab::deployment::SOON;
use tests::lab::snapshot::Snapshot;
use tests::lab::{Deployment, Lab, inside, plan, programs, wait_for};

/// Where programs leave their sockets and logs.
const RUN: &str = "/run/haltsec";
/// The log of a node in the background.
const LOG: &str = "/run/haltsec/mn.log";

/// A mobile node's network, the files that it could have made, and the resolver's configuration, which is nobody's to change.
struct Host {
    network: Snapshot,
    files: BTreeMap<PathBuf, Option<Vec<u8>>>,
}

impl Host {
    fn take(lab: &Lab) -> Result<Self> {
        let mut files = BTreeMap::from([(PathBuf::from("/etc/resolv.conf"), std::fs::read("/etc/resolv.conf").ok())]);
        for folder in [Path::new(RUN), &lab.folder().join("mn")] {
            for entry in std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
                files.insert(entry?.path(), None);
            }
        }
        Ok(Self { network: Snapshot::take(lab, plan::MN)?, files })
    }

    fn is_as_before(&self, lab: &Lab) -> Result<()> {
        self.is_as_before_but_for(lab, &[])
    }

    /// Nothing more and nothing less, but these files.
    fn is_as_before_but_for(&self, lab: &Lab, left: &[&str]) -> Result<()> {
        let now = Self::take(lab)?;
        if let Some(difference) = self.network.difference(&now.network) {
            anyhow::bail!("the mobile node's network is not as before:\n{difference}");
        }
        let mut expected = self.files.clone();
        expected.extend(left.iter().map(|file| (PathBuf::from(file), None)));
        ensure!(now.files == expected, "{:?} were expected, and not {:?}", expected.keys(), now.files.keys());
        Ok(())
    }
}

/// HAC and home agent serve, the mobile node has both its networks; and what its host is then.
fn before(lab: &Lab) -> Result<(Host, Deployment<'_>)> {
    lab.attach(plan::WIFI)?;
    lab.attach(plan::LTE)?;
    lab.reaches(plan::MN, plan::HA_OUTER4.into(), 1)?;
    let deployment = Deployment::start(lab, "AES_128_GCM")?;
    Ok((Host::take(lab)?, deployment))
}

/// A registered mobile node, and what its host was before `mn up`.
fn before_and_up(lab: &Lab) -> Result<(Host, Deployment<'_>)> {
    let (before, mut deployment) = before(lab)?;
    deployment.mn_up(&[])?;
    deployment.ping_everywhere()?;
    ensure!(before.is_as_before(lab).is_err(), "mn up changed nothing: the comparison compares nothing");
    let up = Host::take(lab)?;
    ensure!(up.files.keys().any(|file| file.ends_with("mn.sock")), "no control socket: files are not compared");
    Ok((before, deployment))
}

/// A mobile node in the background, registered; gives its process id.
fn up_in_background(deployment: &Deployment<'_>) -> Result<u32> {
    let output = deployment.command("mn", &["up"])?;
    ensure!(output.status.success(), "mn up failed: {}", programs::said(&output));
    let is_node =
        |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.ends_with("--foreground\0"));
    let processes = std::fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    processes.collect::<Vec<u32>>().into_iter().find(is_node).context("mn up left no process in the background")
}

fn down(deployment: &Deployment<'_>) -> Result<()> {
    let output = deployment.command("mn", &["down"])?;
    ensure!(output.status.success(), "mn down failed: {}", programs::said(&output));
    Ok(())
}

#[test]
fn mn_down_leaves_the_network_as_it_was() {
    inside(|lab| {
        let (before, mut deployment) = before_and_up(lab)?;
        down(&deployment)?;
        deployment.mn()?.wait(SOON)?;
        before.is_as_before(lab)
    });
}

#[test]
fn sigterm_leaves_the_network_as_it_was() {
    inside(|lab| {
        let (before, mut deployment) = before_and_up(lab)?;
        let status = deployment.mn()?.terminate(SOON)?;
        ensure!(status.success(), "mn ended with {status}");
        before.is_as_before(lab)
    });
}

#[test]
fn mn_down_after_a_crash_leaves_the_network_as_it_was() {
    inside(|lab| {
        let (before, mut deployment) = before_and_up(lab)?;
        deployment.mn()?.kill()?;
        down(&deployment)?;
        before.is_as_before(lab)?;
        // And a second `mn down` finds nothing to do, and does no harm.
        deployment.command("mn", &["down"])?;
        before.is_as_before(lab)
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
        before.is_as_before(lab)
    });
}

#[test]
fn a_node_in_the_background_leaves_its_log_and_nothing_else() {
    inside(|lab| {
        let (before, deployment) = before(lab)?;
        up_in_background(&deployment)?;
        deployment.ping_everywhere()?;
        down(&deployment)?;
        before.is_as_before_but_for(lab, &[LOG])?;
        // Up and killed, it leaves no more than that behind the next `mn down`.
        let node = up_in_background(&deployment)?;
        programs::run(std::process::Command::new("kill").args(["-KILL", &node.to_string()]))?;
        wait_for("the node to be gone", SOON, || Ok((!deployment.command("mn", &["status"])?.status.success()).then_some(())))?;
        down(&deployment)?;
        before.is_as_before_but_for(lab, &[LOG])
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
