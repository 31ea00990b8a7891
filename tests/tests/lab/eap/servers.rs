//! AAA servers that fail, and what they say of time: the node is told within the configured limit, and comes back by itself.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tests::lab::aaa::{Options, Reply, SECRET};
use tests::lab::deployment::{SOON, edit};
use tests::lab::{Deployment, inside, wait_for};
use tests::link::Link;

use super::{Node, associations, carries, deployment, endings, last_error, leaves, requests, start, write_secret};

/// What the HAC waits for one server in these cases, seconds.
const LIMIT: u64 = 2;
/// What all the rest of a run takes on a busy machine.
const REST: Duration = Duration::from_secs(3);
/// The port of a second server.
const OTHER_PORT: u16 = 1814;

const SILENT: &str = "the AAA server does not answer";
const NOT_AUTHENTICATED: &str = "a mobile node is not authenticated";

/// How many sessions ended in this way.
fn ended(deployment: &Deployment<'_>, ending: &str) -> Result<u64> {
    let endings = endings(deployment)?;
    endings.into_iter().find(|(name, _)| name == ending).map(|(_, count)| count).with_context(|| format!("no count of {ending}"))
}

#[test]
fn a_paused_server_ends_a_run_within_the_limit_and_the_node_comes_again_by_itself() {
    inside(|lab| {
        let server = lab.freeradius(&Options::default())?;
        let mut deployment =
            deployment(lab, &[&server], |config| edit(config, &["radius", "timeout-seconds"], i64::try_from(LIMIT)?.into()))?;
        server.pause()?;
        for warning in [SILENT, NOT_AUTHENTICATED] {
            lab.expect_warning("hac", warning);
        }
        lab.expect_warning("mn", "MHAuth failed");
        let begun = Instant::now();
        start(lab, &mut deployment, &Node::by("ttls-pap"))?;
        let error = last_error(&mut deployment)?;
        let took = begun.elapsed();
        ensure!(error.contains("504") && error.contains("tries again by itself"), "{error}");
        ensure!((Duration::from_secs(LIMIT)..Duration::from_secs(LIMIT) + REST).contains(&took), "it took {took:?}");
        server.resume()?;
        deployment.wait_until_registered(SOON)?;
        ensure!(ended(&deployment, "504")? >= 1 && associations(&deployment)?.len() == 1);
        deployment.ping_everywhere()?;
        leaves(&mut deployment)
    });
}

#[test]
fn of_two_servers_the_second_is_asked_while_the_first_is_silent_and_the_first_again_afterwards() {
    inside(|lab| {
        let first = lab.freeradius(&Options::default())?;
        let second = lab.freeradius(&Options { port: OTHER_PORT, ..Options::default() })?;
        let mut deployment = deployment(lab, &[&first, &second], |config| {
            edit(config, &["radius", "timeout-seconds"], i64::try_from(LIMIT)?.into())?;
            edit(config, &["radius", "status-server"], true.into())
        })?;
        let node = Node::by("ttls-mschapv2");
        node.configure(lab)?;
        first.pause()?;
        lab.expect_warning("hac", SILENT);
        let begun = Instant::now();
        deployment.mn_up(&[])?;
        let took = begun.elapsed();
        leaves(&mut deployment)?;
        ensure!((Duration::from_secs(LIMIT)..Duration::from_secs(LIMIT) + REST).contains(&took), "it took {took:?}");
        carries(lab, &mut deployment, &node)?;
        let turns = deployment.hac.log().matches("the next AAA server is asked").count();
        ensure!(turns == 1, "a node waited for a server that was known to be dead: {turns} turns");

        first.resume()?;
        wait_for("the HAC to hear of the first server", SOON, || {
            Ok(deployment.hac.log().contains("the AAA server answers again").then_some(()))
        })?;
        let before = (requests(&first), requests(&second));
        carries(lab, &mut deployment, &node)?;
        ensure!(requests(&first) > before.0 && requests(&second) == before.1, "the first server is not the first any more");
        Ok(())
    });
}

#[test]
fn a_server_that_is_killed_between_two_rounds_ends_the_run_and_serves_the_next() {
    inside(|lab| {
        let mut server = lab.freeradius(&Options::default())?;
        let mut deployment = deployment(lab, &[&server], |config| edit(config, &["radius", "timeout-seconds"], 5.into()))?;
        // A round takes 200 ms: long enough to come between two.
        let delay = Duration::from_millis(100);
        let mut emulator = lab.emulate(&Link::calm(delay), 1)?;
        lab.expect_warning("mn", "MHAuth failed");
        for warning in [SILENT, NOT_AUTHENTICATED] {
            lab.allow_warning("hac", warning);
        }
        start(lab, &mut deployment, &Node::by("peap-mschapv2"))?;
        wait_for("two rounds", SOON, || Ok((requests(&server) >= 2).then_some(())))?;
        server.restart()?;
        let error = last_error(&mut deployment)?;
        ensure!(ended(&deployment, "200")? == 0, "the run was over before the server was killed: {error}");
        ensure!(ended(&deployment, "401")? + ended(&deployment, "504")? > 0, "the HAC did not refuse: {error}");
        deployment.wait_until_registered(SOON)?;
        ensure!(ended(&deployment, "200")? == 1 && associations(&deployment)?.len() == 1);
        deployment.ping_everywhere()?;
        leaves(&mut deployment)?;
        emulator.check()
    });
}

#[test]
fn another_secret_than_the_servers_is_named_by_the_hac() {
    inside(|lab| {
        let server = lab.freeradius(&Options::default())?;
        let mut deployment = deployment(lab, &[&server], |config| {
            write_secret(lab, "another secret than that")?;
            edit(config, &["radius", "timeout-seconds"], 1.into())
        })?;
        lab.expect_warning("hac", SILENT);
        lab.expect_warning("hac", "the same secret");
        lab.expect_warning("mn", "MHAuth failed");
        start(lab, &mut deployment, &Node::by("ttls-pap"))?;
        let error = last_error(&mut deployment)?;
        ensure!(error.contains("504"), "{error}");
        ensure!(ended(&deployment, "504")? > 0 && associations(&deployment)?.is_empty());
        write_secret(lab, SECRET)?;
        lab.allow_warning("ha", "no subscription to the feed");
        deployment.hac.terminate(SOON)?;
        deployment.hac.restart()?;
        deployment.wait_until_serving()?;
        deployment.wait_until_registered(SOON)?;
        deployment.ping_everywhere()?;
        leaves(&mut deployment)
    });
}

#[test]
fn an_association_lives_no_longer_than_the_server_says_and_is_renewed_before() {
    inside(|lab| {
        let with =
            |seconds| Options { reply: Reply { session_timeout: Some(seconds), ..Reply::default() }, ..Options::default() };
        let server = lab.freeradius(&with(120))?;
        let mut deployment = deployment(lab, &[&server], |_| Ok(()))?;
        Node::by("ttls-pap").configure(lab)?;
        deployment.mn_up(&[])?;
        let left = |one: &serde_json::Value| one["seconds_left"].as_u64().filter(|_| one["state"] == "live");
        let live: Vec<_> = associations(&deployment)?.iter().filter_map(left).collect();
        ensure!(matches!(live[..], [100..=120]), "Session-Timeout 120 gave {live:?}");
        ensure!(deployment.status("mn")?["sa_seconds_left"].as_u64().is_some_and(|left| left <= 120));

        drop(server);
        let server = lab.freeradius(&with(8))?;
        ensure!(deployment.command("mn", &["renew"])?.status.success(), "no renewal by hand");
        let asked = requests(&server);
        let spi = deployment.status("mn")?["spi"].clone();
        wait_for("the node to renew its association of 8 s", Duration::from_secs(8), || {
            let status = deployment.status("mn")?;
            ensure!(status["state"] == "registered", "{status}");
            Ok((status["spi"] != spi).then_some(()))
        })?;
        ensure!(requests(&server) > asked, "renewed without the server");
        deployment.ping_everywhere()?;
        leaves(&mut deployment)
    });
}
