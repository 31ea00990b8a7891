//! A node between two networks that come and go every second: it must not get stuck, and no packet may be unaccounted for.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::lab::traffic::during;
use tests::lab::traffic::tcp::Direction;
use tests::lab::{Deployment, Lab, Setup, inside, plan, wait_for};

/// The next one comes a second after this one came.
const APART: Duration = Duration::from_secs(1);
/// Of a soft change, both networks are there for so long; of a hard one, none.
const BETWEEN: Duration = Duration::from_millis(300);
/// Octets a second of a TCP connection each way.
const TCP_RATE: u64 = 500_000;
/// Packets a second each way, beside it.
const UDP_RATE: u32 = 500;
/// What is under way when the last change is over has come by then.
const QUIET: Duration = Duration::from_secs(10);

/// 16 unless the environment says otherwise; `make soak` says 600.
fn count() -> Result<u32> {
    let changes = std::env::var("HALTSEC_LAB_PING_PONG").unwrap_or_else(|_| "16".to_owned());
    changes.parse().with_context(|| format!("HALTSEC_LAB_PING_PONG={changes} is no number"))
}

#[test]
fn a_node_that_changes_networks_every_second_is_never_stuck_and_every_packet_is_accounted_for() {
    inside(|lab| {
        lab.translate(plan::WIFI)?;
        is_never_stuck(lab, count()?)
    });
}

/// Half the changes, between two networks of one kind.
pub(crate) fn between_networks_of_one_kind(lab: &Lab) -> Result<()> {
    is_never_stuck(lab, count()? / 2)
}

fn is_never_stuck(lab: &Lab, changes: u32) -> Result<()> {
    let mut deployment = Deployment::with(lab, &Setup { in_memory: true, ..Setup::default() })?;
    lab.attach(plan::WIFI)?;
    deployment.mn_up(&[])?;
    let _servers = lab.serve_traffic()?;
    let lasts = (APART + BETWEEN) * changes + Duration::from_secs(2);
    let octets = TCP_RATE * lasts.as_secs();
    let streams = during(
        || lab.stream(plan::CN6, lasts, UDP_RATE),
        || {
            std::thread::scope(|scope| {
                let up = scope.spawn(|| lab.transfer(Direction::Up, plan::CN4, octets, TCP_RATE));
                let down = scope.spawn(|| lab.transfer(Direction::Down, plan::CN6, octets, TCP_RATE));
                let changed = ping_pong(lab, changes);
                let transfers = [up, down].map(|one| one.join().map_err(|_| anyhow::anyhow!("a transfer's thread failed"))?);
                changed?;
                transfers.into_iter().collect::<Result<Vec<_>>>().map(drop)
            })
        },
    )?;
    eprintln!("up {:?}\ndown {:?}", streams.up, streams.down);
    ensure!(streams.up.duplicates == 0 && streams.down.duplicates == 0, "an application got a packet twice: {streams:?}");
    deployment.ping_everywhere()?;
    let balance = wait_for("every packet to be accounted for", QUIET, || balanced(&deployment))?;
    eprintln!("{balance}");
    let status = deployment.status("mn")?;
    ensure!(status["state"] == "registered" && status["renewals"] == 0 && status["last_error"].is_null(), "{status}");
    let agent = deployment.status("ha")?;
    ensure!(agent["security_associations"]["held"] == 1, "one run of MHAuth is enough: {agent}");
    let moves = status["moves"].as_u64().unwrap_or_default();
    ensure!(moves >= u64::from(changes), "{moves} moves");
    Ok(())
}

/// Changes networks, in turn so that the new one comes before the old one goes, and the other way round.
fn ping_pong(lab: &Lab, changes: u32) -> Result<()> {
    for (number, [from, to]) in (0..changes).zip([[plan::WIFI, plan::LTE], [plan::LTE, plan::WIFI]].into_iter().cycle()) {
        let is_soft = number / 2 % 2 == 0;
        if is_soft {
            lab.attach(to)?;
            std::thread::sleep(BETWEEN);
            lab.detach(from)?;
        } else {
            lab.detach(from)?;
            std::thread::sleep(BETWEEN);
            lab.attach(to)?;
        }
        std::thread::sleep(APART.saturating_sub(BETWEEN));
    }
    Ok(())
}

/// Of what one end sealed, the other end has opened all but what it knows to be missing.
fn balanced(deployment: &Deployment<'_>) -> Result<Option<String>> {
    let (node, agent) = (deployment.status("mn")?, deployment.status("ha")?);
    let count = |status: &Value, name: &str| status.pointer(name).and_then(Value::as_u64).with_context(|| name.to_owned());
    let node = |name: &str| count(&node, &format!("/counters/{name}_packets"));
    let agent = |name: &str| count(&agent, name);
    let up = [node("sent")?, agent("/received/packets")?, agent("/received/missing")?];
    let down = [agent("/sent/packets")?, node("received")?, node("missing")?];
    let is_balanced = [up, down].iter().all(|[sent, received, missing]| *sent == received + missing);
    Ok(is_balanced.then(|| format!("sent, received, missing: up {up:?}, down {down:?}")))
}
