//! What an operator does at the HAC while a node is up with traffic, and what becomes of the node.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::lab::deployment::{NAI, SOON};
use tests::lab::traffic::during;
use tests::lab::{Deployment, Lab, Setup, inside, plan, programs, wait_for};

use crate::setup;

/// A revocation is in force at a connected home agent within so long (PROFILE section 5).
const REVOKED: Duration = Duration::from_secs(1);
/// How long a stream runs into which an association is revoked.
const LOAD: Duration = Duration::from_secs(9);
/// Packets a second, each way.
const RATE: u32 = 500;
/// Traffic is back within so long after a revocation: two seconds of silence, Binding Updates that nobody answers, one MHAuth.
const BACK: Duration = Duration::from_secs(7);

/// A home agent that was dismissed tries again after 30 s, a quarter more or less, and its nodes come again in 5 s or so.
const RECORDED_AGAIN: Duration = Duration::from_secs(60);

/// What `mn` says of a HAC that answers it as if it were unknown.
const NOT_KNOWN: &str = "the HAC does not know this node by this key";

fn registered(lab: &Lab) -> Result<Deployment<'_>> {
    setup::registered_with(lab, &Setup { in_memory: true, ..Setup::default() })
}

/// A command of the HAC that succeeds; what it printed.
fn hac(deployment: &Deployment<'_>, words: &[&str]) -> Result<String> {
    let output = deployment.command("hac", words)?;
    let said = programs::said(&output);
    ensure!(output.status.success(), "hac {} failed: {said}", words.join(" "));
    Ok(said)
}

fn json(deployment: &Deployment<'_>, program: &str, words: &[&str]) -> Result<Value> {
    let (answer, code) = deployment.json(program, words)?;
    ensure!(code == Some(0), "{program} {} failed: {answer}", words.join(" "));
    Ok(answer)
}

/// SPIs in a list of `hac` or `ha`.
fn spis(deployment: &Deployment<'_>, program: &str, words: &[&str], list: &str) -> Result<Vec<String>> {
    let answer = json(deployment, program, words)?;
    let rows = answer[list].as_array().with_context(|| format!("no {list} in {answer}"))?;
    Ok(rows.iter().filter_map(|row| row["spi"].as_str().map(ToOwned::to_owned)).collect())
}

fn live(deployment: &Deployment<'_>) -> Result<Vec<String>> {
    spis(deployment, "hac", &["sa", "list"], "security_associations")
}

fn bound(deployment: &Deployment<'_>) -> Result<Vec<String>> {
    spis(deployment, "ha", &["bindings"], "bindings")
}

/// Waits until the home agent has neither these associations nor a binding under one; gives how long it took.
fn dropped(deployment: &Deployment<'_>, ended: &[String]) -> Result<Duration> {
    let since = Instant::now();
    wait_for("the home agent to drop what was revoked", SOON, || {
        let held = spis(deployment, "ha", &["sa", "list"], "security_associations")?;
        let bound = bound(deployment)?;
        let took = since.elapsed();
        Ok((!ended.iter().any(|spi| held.contains(spi) || bound.contains(spi))).then_some(took))
    })
}

/// The associations that were live end by `words`, and the home agent drops them in time.
fn revoke(deployment: &Deployment<'_>, words: &[&str]) -> Result<()> {
    let ended = live(deployment)?;
    ensure!(!ended.is_empty(), "nothing is live");
    let said = hac(deployment, words)?;
    ensure!(said.contains(&format!("ended         {} ", ended.len())), "hac {} said: {said}", words.join(" "));
    let took = dropped(deployment, &ended)?;
    eprintln!("hac {}: dropped after {} ms", words.join(" "), took.as_millis());
    ensure!(took < REVOKED, "the home agent held what was revoked for {took:?}");
    Ok(())
}

/// Waits until `mn status` says that the HAC does not know the node and that it goes on asking, and until nothing goes through.
fn shut_out(deployment: &Deployment<'_>, lab: &Lab) -> Result<()> {
    let since = Instant::now();
    wait_for("mn status to say that the node is not let in", SOON, || {
        // Who says nothing notices nothing.
        lab.ping(plan::MN, plan::CN4, 1)?;
        let status = deployment.status("mn")?;
        let says_why = status["last_error"].as_str().is_some_and(|error| error.contains(NOT_KNOWN));
        ensure!(status["state"] == "registering" && says_why, "its status is {status}");
        Ok(Some(()))
    })?;
    eprintln!("mn status says so after {} ms", since.elapsed().as_millis());
    for (from, to) in [(plan::MN, plan::CN6), (plan::MN, plan::CN4), (plan::CN, deployment.home_addresses()?[1])] {
        ensure!(lab.reaches(from, to, 1).is_err(), "{to} is reached from {from}");
    }
    ensure!(live(deployment)?.is_empty() && bound(deployment)?.is_empty(), "something is live");
    Ok(())
}

/// `hac subscriber add` or `rotate-psk`: the folder that it writes takes the place of the mobile node's.
fn new_folder(deployment: &Deployment<'_>, lab: &Lab, words: &[&str]) -> Result<PathBuf> {
    let folder = lab.folder().join("new");
    let (out, hac4) = (folder.to_str().context("no UTF-8")?, plan::HAC4.to_string());
    hac(deployment, &[words, &["--connect", &hac4, "--out", out]].concat())?;
    Ok(folder)
}

fn install(lab: &Lab, folder: &Path) -> Result<()> {
    for name in ["mn.toml", "ca.pem", "psk"] {
        std::fs::copy(folder.join(name), lab.folder().join("mn").join(name))?;
    }
    Ok(())
}

#[test]
fn a_node_whose_association_is_revoked_comes_back_by_itself() {
    inside(|lab| {
        let deployment = registered(lab)?;
        let _servers = lab.serve_traffic()?;
        lab.allow_warning("mn", "the home agent does not answer");
        let spi = live(&deployment)?.pop().context("nothing is live")?;
        let streams = during(
            || lab.stream(plan::CN6, LOAD, RATE),
            || {
                std::thread::sleep(Duration::from_secs(1));
                revoke(&deployment, &["sa", "revoke", &spi])
            },
        )?;
        let longest = BACK.as_secs_f64() * 1e3;
        let (up, down) = (streams.up.longest_gap_ms, streams.down.longest_gap_ms);
        eprintln!("silent for {up:.0} ms up, {down:.0} ms down");
        ensure!(up < longest && down < longest, "no recovery: {streams:?}");
        ensure!(up > 1e3 && down > 1e3, "was anything revoked? {streams:?}");
        ensure!(!live(&deployment)?.contains(&spi), "{spi} is live again");
        deployment.ping_everywhere()
    });
}

#[test]
fn a_disabled_subscriber_is_shut_out_and_comes_back_when_he_is_enabled() {
    inside(|lab| {
        let mut deployment = registered(lab)?;
        let home = deployment.home_addresses()?;
        lab.allow_warning("mn", "the home agent does not answer");
        lab.expect_warning("mn", NOT_KNOWN);
        revoke(&deployment, &["subscriber", "disable", NAI])?;
        shut_out(&deployment, lab)?;
        let since = Instant::now();
        hac(&deployment, &["subscriber", "enable", NAI])?;
        deployment.wait_until_registered(SOON)?;
        deployment.ping_everywhere()?;
        eprintln!("back {} ms after it was enabled", since.elapsed().as_millis());
        ensure!(deployment.home_addresses()? == home, "his home addresses are {:?} now", deployment.home_addresses()?);
        Ok(())
    });
}

#[test]
fn a_rotated_key_leaves_the_node_what_it_has_refuses_the_old_key_and_lets_the_new_folder_in() {
    inside(|lab| {
        let mut deployment = registered(lab)?;
        let before = live(&deployment)?;
        new_folder(&deployment, lab, &["subscriber", "rotate-psk", NAI])?;
        ensure!(live(&deployment)? == before, "a rotation without --revoke has ended something");
        lab.expect_warning("mn", NOT_KNOWN);
        let said = programs::said(&deployment.command("mn", &["renew"])?);
        ensure!(said.contains(NOT_KNOWN), "the old key is good for a renewal: {said}");
        deployment.ping_everywhere()?;
        // The key is lost: another, and nothing goes on under what it was given.
        lab.allow_warning("mn", "the home agent does not answer");
        let folder = lab.folder().join("revoked");
        let (out, hac4) = (folder.to_str().context("no UTF-8")?, plan::HAC4.to_string());
        revoke(&deployment, &["subscriber", "rotate-psk", NAI, "--revoke", "--connect", &hac4, "--out", out])?;
        shut_out(&deployment, lab)?;
        deployment.command("mn", &["down"])?;
        deployment.mn()?.wait(SOON)?;
        let up = deployment.command("mn", &["up"])?;
        ensure!(up.status.code() == Some(1) && programs::said(&up).contains(NOT_KNOWN), "mn up said {}", programs::said(&up));
        install(lab, &folder)?;
        deployment.mn_up(&[])?;
        deployment.ping_everywhere()
    });
}

#[test]
fn a_removed_subscriber_is_gone_and_one_of_the_same_name_is_another() {
    inside(|lab| {
        let mut deployment = registered(lab)?;
        let old = deployment.home_addresses()?;
        lab.allow_warning("mn", "the home agent does not answer");
        lab.expect_warning("mn", NOT_KNOWN);
        revoke(&deployment, &["subscriber", "remove", NAI])?;
        shut_out(&deployment, lab)?;
        let left = json(&deployment, "hac", &["subscriber", "list"])?;
        ensure!(left["subscribers"].as_array().is_some_and(Vec::is_empty), "still there: {left}");
        let ended = json(&deployment, "hac", &["sa", "list", "--all"])?;
        ensure!(ended["security_associations"][0]["subscriber"].is_null(), "somebody's: {ended}");
        deployment.command("mn", &["down"])?;
        deployment.mn()?.wait(SOON)?;
        let folder = new_folder(&deployment, lab, &["subscriber", "add", NAI])?;
        install(lab, &folder)?;
        deployment.mn_up(&[])?;
        deployment.ping_everywhere()?;
        let new = deployment.home_addresses()?;
        ensure!(!new.iter().any(|home| old.contains(home)), "{new:?} of {old:?} are given again");
        Ok(())
    });
}

#[test]
fn a_removed_home_agent_drops_everything_and_serves_again_once_it_is_recorded_anew() {
    inside(|lab| {
        let mut deployment = registered(lab)?;
        lab.expect_warning("ha", "dismissed: every SA and binding is dropped");
        lab.allow_warning("mn", "the home agent does not answer");
        lab.allow_warning("mn", "MHAuth failed");
        lab.allow_warning("hac", "an authenticated mobile node was refused");
        revoke(&deployment, &["ha", "remove", "ha1"])?;
        wait_for("the home agent to say why", SOON, || {
            let feed = deployment.status("ha")?["feed"].take();
            let says_why = feed["last_error"].as_str().is_some_and(|error| error.contains("run `hac ha add ha1`"));
            ensure!(feed["connected"] == false && says_why, "its feed is {feed}");
            Ok(Some(()))
        })?;
        ensure!(lab.reaches(plan::CN, deployment.home_addresses()?[1], 1).is_err(), "the node is reached");
        let (ha4, ha6, folder) = (plan::HA_OUTER4.to_string(), plan::HA_OUTER6.to_string(), lab.folder().join("ha-anew"));
        let out = folder.to_str().context("no UTF-8")?;
        let since = Instant::now();
        hac(&deployment, &["ha", "add", "ha1", "--address", &ha4, "--address", &ha6, "--out", out])?;
        wait_for("the home agent to be connected", RECORDED_AGAIN, || {
            let status = deployment.status("ha")?;
            ensure!(status["feed"]["connected"] == true, "its status is {status}");
            Ok(Some(()))
        })?;
        deployment.wait_until_registered(RECORDED_AGAIN)?;
        wait_for("packets to cross", SOON, || Ok(deployment.ping_everywhere().ok()))?;
        eprintln!("back {} ms after it was recorded anew", since.elapsed().as_millis());
        Ok(())
    });
}
