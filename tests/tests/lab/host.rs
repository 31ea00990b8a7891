//! Beside the daemons that manage a host's network, systemd-networkd and NetworkManager, each in a booted Debian.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tests::lab::deployment::{MN_TUN, SOON};
use tests::lab::traffic::during;
use tests::lab::{Daemon, Debian, Deployment, Lab, plan, programs, wait_for};

mod name_servers;
mod network_manager;
mod networkd;

/// Within this time what a daemon has taken away is back.
const BACK: Duration = Duration::from_secs(1);
/// After a daemon's work is done: what it does late, and what the node does about it.
const AFTERWARDS: Duration = Duration::from_millis(1200);
/// The table of the node's routes.
const TABLE: &str = "7872";

/// A registered node that is a service of the system, once the system has made `wifi` usable.
fn registered<'lab>(lab: &'lab Lab, debian: &Debian<'_>) -> Result<Deployment<'lab>> {
    wait_for_address(lab, plan::WIFI)?;
    let mut deployment = Deployment::start(lab, "AES_128_GCM")?;
    deployment.mn_up_by(debian.mn_service())?;
    deployment.ping_everywhere()?;
    Ok(deployment)
}

/// Waits until a daemon has given an access network its address.
fn wait_for_address(lab: &Lab, access: &str) -> Result<()> {
    wait_for(&format!("an address on {access}"), SOON, || {
        let usable = ["ip", "-o", "address", "show", "dev", access, "scope", "global", "-tentative"];
        Ok((!lab.run(plan::MN, &usable)?.is_empty()).then_some(()))
    })
}

/// A program that sends to the correspondent node all the time, from whatever address the system gives it.
fn press(lab: &Lab) -> Result<Daemon> {
    let to = [plan::CN4, plan::CN6].map(|to| SocketAddr::new(to, 9).to_string());
    lab.spawn(plan::MN, "press", &programs::path("labtool")?, &["press", &to[0], &to[1]])
}

/// What the node has set: rules, its table's routes, its device's addresses.
fn own(lab: &Lab) -> Result<String> {
    let questions: [&[&str]; 5] = [
        &["-4", "rule", "show"],
        &["-6", "rule", "show"],
        &["-4", "route", "show", "table", TABLE],
        &["-6", "route", "show", "table", TABLE],
        &["address", "show", "dev", MN_TUN, "scope", "global"],
    ];
    let answers = questions.map(|question| {
        // A table without a route is none.
        let answer = lab.output(plan::MN, &[&["ip"], question].concat())?;
        Ok(String::from_utf8_lossy(&answer.stdout).into_owned())
    });
    answers.into_iter().collect()
}

fn reassertions(deployment: &Deployment<'_>) -> Result<u64> {
    deployment.status("mn")?["reassertions"].as_u64().context("no `reassertions`")
}

/// Has a daemon do something and looks all the while at what the node has set; fails where that is not whole for more than [`BACK`] in
/// one piece, or is not in the end.
fn disturbed_by(lab: &Lab, deployment: &Deployment<'_>, debian: &Debian<'_>, words: &[&str]) -> Result<()> {
    let (sentence, whole, before) = (words.join(" "), own(lab)?, reassertions(deployment)?);
    let longest = longest_gap(|| Ok(own(lab)? == whole), || debian.run(words).map(drop))?;
    eprintln!("{sentence}: not whole for {longest:.0?} at most, {} put back", reassertions(deployment)? - before);
    ensure!(own(lab)? == whole, "{sentence}: {} and not as before, {whole}", own(lab)?);
    ensure!(longest <= BACK, "{sentence}: not whole for {longest:?}");
    deployment.ping_everywhere().context(sentence)
}

/// The longest time, from the begin of `action` until [`AFTERWARDS`], from the begin of a look that found something missing to the begin
/// of the next that found everything whole, since a look takes a while; zero without such a one.
fn longest_gap(is_whole: impl Fn() -> Result<bool> + Sync, action: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let is_done = AtomicBool::new(false);
    let look = || {
        let (mut longest, mut missing_since) = (Duration::ZERO, None);
        while !is_done.load(Ordering::Relaxed) {
            let begun = Instant::now();
            let is_whole = is_whole()?;
            let since = *missing_since.get_or_insert(begun);
            longest = longest.max(begun - since);
            if is_whole {
                missing_since = None;
            }
        }
        Ok(longest)
    };
    during(look, || {
        let done = action();
        std::thread::sleep(AFTERWARDS);
        is_done.store(true, Ordering::Relaxed);
        done
    })
}
