//! The lab proves itself before it judges others: links, isolation, measuring tools, and that a failure is seen as one.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

mod aaa;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::lab::snapshot::Snapshot;
use tests::lab::{Lab, inside, plan};

const SOON: Duration = Duration::from_secs(10);

fn labtool(lab: &Lab, namespace: &str, words: &[&str]) -> Result<Value> {
    lab.labtool(namespace, words)
}

#[test]
fn the_mobile_node_reaches_ha_and_hac_over_the_attached_network_only() {
    inside(|lab| {
        let ha4 = IpAddr::V4(plan::HA_OUTER4);
        let ha6 = IpAddr::V6(plan::HA_OUTER6);
        ensure!(lab.ping(plan::MN, ha4, 1)?.milliseconds.is_empty(), "reachable before an access network is attached");
        lab.attach(plan::WIFI)?;
        lab.reaches(plan::MN, ha4, 2)?;
        lab.reaches(plan::MN, IpAddr::V4(plan::HAC4), 1)?;
        ensure!(lab.ping(plan::MN, ha6, 1)?.milliseconds.is_empty(), "wifi carries IPv6");
        lab.attach(plan::LTE)?;
        lab.reaches(plan::MN, ha6, 2)?;
        lab.reaches(plan::MN, IpAddr::V6(plan::HAC6), 1)?;
        lab.detach(plan::WIFI)?;
        ensure!(lab.ping(plan::MN, ha4, 1)?.milliseconds.is_empty(), "reachable over a detached network");
        lab.reaches(plan::MN, ha6, 1)?;
        ensure!(lab.addresses(plan::MN, plan::WIFI)?.is_empty(), "a detached network keeps its address");
        Ok(())
    });
}

#[test]
fn the_home_link_joins_correspondent_node_and_home_agent_and_nobody_else() {
    inside(|lab| {
        for (home_agent, from_net) in [("192.0.2.1", plan::CN4), ("2001:db8:2::1", plan::CN6)] {
            lab.reaches(plan::CN, home_agent.parse()?, 1)?;
            ensure!(lab.ping(plan::NET, from_net, 1)?.milliseconds.is_empty(), "the router reaches the home link");
        }
        Ok(())
    });
}

#[test]
fn a_transfer_tells_octets_time_and_checksum() {
    inside(|lab| {
        lab.attach(plan::LTE)?;
        let _server = lab.serve(plan::HA, "serve-tcp", 5001)?;
        let to = format!("[{}]:5001", plan::HA_OUTER6);
        for words in [["send", "3000001", "--to", &to], ["fetch", "3000001", "--from", &to]] {
            let transfer = labtool(lab, plan::MN, &words)?;
            ensure!(transfer["intact"] == true && transfer["octets"] == 3_000_001, "{transfer}");
            ensure!(transfer["megabits-per-second"].as_f64().unwrap_or(0.0) > 1.0, "{transfer}");
        }
        Ok(())
    });
}

#[test]
fn a_stream_sees_the_gap_that_a_dead_link_makes() {
    inside(|lab| {
        lab.attach(plan::WIFI)?;
        let _server = lab.serve(plan::HA, "serve-udp", 5002)?;
        let to = format!("{}:5002", plan::HA_OUTER4);
        let start = Instant::now();
        let quiet = labtool(lab, plan::MN, &["udp-stream", "--to", &to, "--seconds", "1"])?;
        // Each end sends until it hears of the end, which is later on a busy machine; never more than one in a millisecond.
        let most = 1 + start.elapsed().as_millis() as u64;
        for direction in ["up", "down"] {
            let received = quiet[direction]["received"].as_u64().unwrap_or(0);
            ensure!((500..=most).contains(&received), "1 kHz for a second, {most} at most: {quiet}");
            ensure!(quiet[direction]["lost"].as_u64().unwrap_or(99) <= 20, "{quiet}");
        }
        let stream = std::thread::scope(|scope| {
            let stream = scope.spawn(|| labtool(lab, plan::MN, &["udp-stream", "--to", &to, "--seconds", "2"]));
            std::thread::sleep(Duration::from_millis(700));
            lab.run(plan::NET, &["ip", "link", "set", "wifi", "down"])?;
            std::thread::sleep(Duration::from_millis(400));
            lab.run(plan::NET, &["ip", "link", "set", "wifi", "up"])?;
            stream.join().map_err(|_| anyhow::anyhow!("labtool's thread failed"))?
        })?;
        for direction in ["up", "down"] {
            let gap = stream[direction]["longest-gap-ms"].as_f64().unwrap_or(0.0);
            // Once the link is back the kernel may still wait seconds before it asks for its neighbour again.
            ensure!((350.0..5_000.0).contains(&gap), "{stream}");
        }
        // The other way the kernel holds packets back for a while instead of dropping them. What was lost is a share of what was
        // sent: 0.4 of 2 seconds, and a sender that is not let run sends less.
        let count = |name: &str| stream["down"][name].as_u64().unwrap_or(0);
        ensure!(count("sent") > 1_000 && count("lost") > count("sent") / 8, "{stream}");
        Ok(())
    });
}

#[test]
fn a_translator_shows_its_own_address_and_forgets_its_ports_between_two_packets() {
    inside(|lab| {
        lab.attach(plan::WIFI)?;
        let nat = lab.translate(plan::WIFI)?;
        lab.reaches(plan::MN, IpAddr::V4(plan::HA_OUTER4), 1)?;
        let _server = lab.serve(plan::HA, "serve-udp", 5002)?;
        let to = format!("{}:5002", plan::HA_OUTER4);
        let capture = lab.capture(plan::HA, plan::OUTER, "outside", 64, "udp port 5002")?;
        let stream = std::thread::scope(|scope| {
            let stream = scope.spawn(|| labtool(lab, plan::MN, &["udp-stream", "--to", &to, "--seconds", "2"]));
            std::thread::sleep(Duration::from_secs(1));
            nat.forget_mappings()?;
            stream.join().map_err(|_| anyhow::anyhow!("labtool's thread failed"))?
        })?;
        let file = capture.stop()?;
        let sources = sources(&file, 5002)?;
        ensure!(sources.len() == 2, "two ports, one after the other, were expected and not {sources:?}");
        ensure!(sources.iter().all(|source| source.ip() == plan::NAT_OUTER4), "not the translator's address: {sources:?}");
        ensure!(stream["up"]["lost"] == 0, "what goes out is never lost: {stream}");
        // The old port is dead, silently; the new one is not.
        for (source, dead) in [(sources[0], true), (sources[1], false)] {
            let (before, file) = (nat.unmapped()?, file.to_str().context("no UTF-8")?);
            let sent = labtool(lab, plan::HA, &["inject", file, "--to", &source.to_string()])?["sent"].as_u64().unwrap_or(0);
            ensure!(sent > 100 && nat.unmapped()? - before == if dead { sent } else { 0 }, "{sent} sent to {source}");
        }
        Ok(())
    });
}

#[test]
fn a_translator_forgets_a_port_that_was_silent() {
    inside(|lab| {
        lab.attach(plan::WIFI)?;
        let nat = lab.translate(plan::WIFI)?;
        nat.keep_mappings_for(Duration::from_secs(1))?;
        let _server = lab.serve(plan::HA, "serve-udp", 5002)?;
        let to = format!("{}:5002", plan::HA_OUTER4);
        let capture = lab.capture(plan::HA, plan::OUTER, "outside", 64, "udp port 5002")?;
        labtool(lab, plan::MN, &["udp-stream", "--to", &to, "--seconds", "0.3"])?;
        let file = capture.stop()?;
        let source = *sources(&file, 5002)?.first().context("nothing arrived")?;
        ensure!(nat.unmapped()? == 0, "forgotten while in use");
        std::thread::sleep(Duration::from_millis(1_500));
        labtool(lab, plan::HA, &["inject", file.to_str().context("no UTF-8")?, "--to", &source.to_string()])?;
        ensure!(nat.unmapped()? > 100, "{source} still leads to the mobile node");
        Ok(())
    });
}

/// The distinct sources of what went to a port, in the order of their first datagrams.
fn sources(capture: &std::path::Path, port: u16) -> Result<Vec<std::net::SocketAddr>> {
    let mut sources = Vec::new();
    for datagram in tests::lab::pcap::read(capture)?.iter().filter(|datagram| datagram.to.port() == port) {
        if !sources.contains(&datagram.from) {
            sources.push(datagram.from);
        }
    }
    Ok(sources)
}

#[test]
fn captured_datagrams_are_sent_again_with_their_own_source() {
    inside(|lab| {
        lab.attach(plan::WIFI)?;
        let mut server = lab.serve(plan::HA, "serve-udp", 7872)?;
        let to = format!("{}:7872", plan::HA_OUTER4);
        let capture = lab.capture(plan::NET, plan::HA, "first", 0, "udp port 7872")?;
        labtool(lab, plan::MN, &["udp-stream", "--to", &to, "--seconds", "0.2"])?;
        let file = capture.stop()?;
        server.kill()?;
        let sent = tests::lab::pcap::read(&file)?.iter().filter(|datagram| datagram.to.to_string() == to).count();
        ensure!(sent > 50, "only {sent} datagrams were captured");
        let again = lab.capture(plan::HA, plan::OUTER, "again", 0, "udp dst port 7872")?;
        let path = file.to_str().context("no UTF-8")?;
        let report = labtool(lab, plan::NET, &["inject", path, "--to", &to])?;
        ensure!(report["sent"] == sent, "{report}");
        let seen = tests::lab::pcap::read(&again.stop()?)?;
        ensure!(seen.len() == sent, "{} of {sent} came", seen.len());
        ensure!(seen.iter().all(|datagram| datagram.from.ip() == plan::WIFI_CARE_OF), "another source: {:?}", seen.first());
        Ok(())
    });
}

#[test]
fn a_snapshot_sees_an_address_a_route_and_a_rule() {
    inside(|lab| {
        let before = Snapshot::take(lab, plan::MN)?;
        ensure!(before.difference(&Snapshot::take(lab, plan::MN)?).is_none(), "two snapshots at rest differ");
        for (add, remove) in [
            ("address add 10.0.0.1/32 dev lo", "address del 10.0.0.1/32 dev lo"),
            ("route add blackhole 2001:db8:9::/64 table 99", "route del blackhole 2001:db8:9::/64 table 99"),
            ("-6 rule add fwmark 9 table 99", "-6 rule del fwmark 9 table 99"),
        ] {
            for (words, equal) in [(add, false), (remove, true)] {
                lab.run(plan::MN, &[&["ip"], &words.split(' ').collect::<Vec<_>>()[..]].concat())?;
                let difference = before.difference(&Snapshot::take(lab, plan::MN)?);
                ensure!(difference.is_none() == equal, "after {words}: {difference:?}");
            }
        }
        Ok(())
    });
}

#[test]
fn a_program_that_dies_is_named_with_its_log() {
    inside(|lab| {
        let mut daemon = lab.spawn(plan::CN, "short", std::path::Path::new("sh"), &["-c", "echo last words; exit 3"])?;
        daemon.wait(SOON)?;
        let error = daemon.check_running().err().context("it is said to run")?.to_string();
        ensure!(error.contains("short") && error.contains("last words"), "{error}");
        Ok(())
    });
}

/// Starts a program that logs as ours do, and ends.
fn complain(lab: &Lab, name: &str, words: &str) -> Result<()> {
    let line = format!("echo '2026-01-01T00:00:00.000001Z  WARN {name}: {words}'");
    lab.spawn(plan::CN, name, std::path::Path::new("sh"), &["-c", &line])?.wait(SOON).map(drop)
}

#[test]
fn a_warning_that_is_expected_or_allowed_fails_nothing() {
    inside(|lab| {
        lab.expect_warning("ha", "no subscription");
        lab.allow_warning("mn", "MHAuth failed");
        complain(lab, "ha", "no subscription to the feed")?;
        complain(lab, "ha", "no subscription to the feed, again")
    });
}

#[test]
fn a_warning_that_nobody_expects_fails_the_test() {
    let message = failure(|| {
        inside(|lab| {
            complain(lab, "ha", "no subscription, too early")?;
            lab.expect_warning("ha", "no subscription");
            complain(lab, "ha", "no subscription, as expected")?;
            complain(lab, "mn", "no subscription, by another program")
        });
    });
    let unexpected: Vec<_> = message.lines().filter(|line| line.starts_with("unexpected: ")).collect();
    for (words, is_unexpected) in [("too early", true), ("as expected", false), ("by another program", true)] {
        assert_eq!(unexpected.iter().any(|line| line.ends_with(words)), is_unexpected, "{words}: {message}");
    }
}

#[test]
fn an_expected_warning_that_does_not_come_fails_the_test() {
    let message = failure(|| {
        inside(|lab| {
            lab.expect_warning("ha", "no subscription");
            Ok(())
        });
    });
    assert!(message.contains("expected, but it did not come: ha:"), "{message}");
}

#[test]
fn a_key_or_a_name_in_a_log_fails_the_test() {
    let message = failure(|| {
        inside(|lab| {
            std::fs::write(lab.folder().join("psk"), "1f2e3d4c5b6a7988".repeat(4))?;
            let lines = "echo '2026-01-01T00:00:00.000001Z TRACE mn: 5B6A79881F2E3D4C5B6A79881F2E3D4C'; \
                         echo '2026-01-01T00:00:00.000001Z  INFO mn: alice@example.org is there'; \
                         echo '2026-01-01T00:00:00.000001Z DEBUG mn: alice@example.org is there'";
            lab.spawn(plan::CN, "mn", std::path::Path::new("sh"), &["-c", lines])?.wait(SOON).map(drop)
        });
    });
    let told: std::collections::BTreeSet<_> = message.lines().filter(|line| line.starts_with("mn: ")).collect();
    let has = |part: &str| told.iter().filter(|line| line.contains(part)).count();
    assert_eq!(
        (told.len(), has("psk stands in it"), has("above DEBUG: 2026-01-01T00:00:00.000001Z  INFO")),
        (2, 1, 1),
        "{message}"
    );
}

#[test]
fn a_body_that_fails_fails_the_test_and_its_folder_is_kept() {
    let message = failure(|| inside(|_| anyhow::bail!("on purpose")));
    assert!(message.contains("on purpose") && message.contains("the lab failed"), "{message}");
}

#[test]
fn a_body_that_never_runs_fails_the_test() {
    let message = failure(helper_of_another_name);
    assert!(message.contains("without a verdict"), "{message}");
}

/// `inside` called here asks for a test of this function's name; there is none, so no test runs inside.
fn helper_of_another_name() {
    inside(|_| Ok(()));
}

/// The message of a failed lab, whose folder was kept and is removed now. Inside the lab the message names no folder.
fn failure(test: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let panic = std::panic::catch_unwind(test).expect_err("it succeeded");
    let message = panic.downcast::<String>().expect("a panic with a message");
    let folder = message.rsplit(' ').next().expect("a last word");
    assert!(folder.contains("haltsec-lab-"), "{message}");
    std::fs::remove_dir_all(folder).expect("the folder is kept");
    *message
}
