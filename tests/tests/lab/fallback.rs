//! Access networks that let no UDP through, or nothing but port 443.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use service::logging::FILTER_VARIABLE;
use tests::lab::deployment::{SOON, configuration, edit};
use tests::lab::traffic::during;
use tests::lab::{Daemon, Deployment, Lab, Setup, inside, plan, programs, wait_for};

use crate::setup;

/// Octets of each transfer.
const OCTETS: u64 = 5_000_000;
const HTTPS: u16 = 443;
/// What a node that UDP does not answer may take to be registered over TLS.
const FALLEN_BACK_MS: f64 = 3_000.0;
/// And what a node that sends may take that hears nothing more over TLS: two seconds until it is sure, and three Binding Updates.
const BACK: Duration = Duration::from_secs(6);

/// Nothing of the tunnel's gets through, be it in or out.
const WITHOUT_UDP: &str = "
table inet blocked {
    chain forward {
        type filter hook forward priority 0
        iifname { wifi, lte } udp dport 7872 drop
        oifname { wifi, lte } udp sport 7872 drop
    }
}
";

/// Nothing but TCP to port 443 gets through.
const HTTPS_ALONE: &str = "
table inet blocked {
    chain forward {
        type filter hook forward priority 0
        iifname { wifi, lte } tcp dport 443 accept
        oifname { wifi, lte } tcp sport 443 accept
        iifname { wifi, lte } drop
        oifname { wifi, lte } drop
    }
}
";

fn block(lab: &Lab, rules: &str) -> Result<()> {
    programs::run_with_input(lab.command(plan::NET, "nft").args(["-f", "-"]), rules)
}

fn unblock(lab: &Lab) -> Result<()> {
    lab.run(plan::NET, &["nft", "delete", "table", "inet", "blocked"]).map(drop)
}

pub(crate) fn with_fallback() -> Setup<'static> {
    Setup { in_memory: true, fallback_port: Some(HTTPS), ..Setup::default() }
}

/// Waits until node and home agent agree on what carries the datagrams.
fn carried_by(deployment: &Deployment<'_>, transport: &str, remote: &str) -> Result<Value> {
    wait_for(&format!("datagrams to go over {transport}"), SOON, || {
        let (status, bindings) = (deployment.status("mn")?, deployment.bindings()?);
        let binding = &bindings["bindings"][0];
        let is_there = binding["remote"].as_str().is_some_and(|bound| bound.starts_with(remote));
        let agreed = status["transport"] == transport && binding["transport"] == transport && binding["proved"] == true;
        ensure!(agreed && is_there && status["state"] == "registered", "{status}\n{binding}");
        Ok(Some(status))
    })
}

fn carries(deployment: &Deployment<'_>, lab: &Lab) -> Result<()> {
    deployment.ping_everywhere()?;
    for to in [plan::CN6, plan::CN4] {
        lab.send(to, OCTETS)?;
        lab.fetch(to, OCTETS)?;
    }
    Ok(())
}

#[test]
fn where_udp_is_blocked_a_node_is_registered_over_tls_within_3_s_and_goes_back_to_udp_by_itself_without_a_loss() {
    inside(|lab| falls_back_and_comes_back(lab, &with_fallback()));
}

pub(crate) fn falls_back_and_comes_back(lab: &Lab, setup: &Setup<'_>) -> Result<()> {
    lab.allow_warning("mn", "the home agent does not answer");
    block(lab, WITHOUT_UDP)?;
    let deployment = setup::registered_with(lab, setup)?;
    let status = carried_by(&deployment, "tls", &seen_at(lab, plan::WIFI)?)?;
    let took = status["set_up_ms"].as_f64().context("no set_up_ms")?;
    eprintln!("registered over TLS {took} ms after the start");
    let is_translated = lab.seen_at(plan::WIFI)? != lab.care_of(plan::WIFI)?;
    ensure!(took <= FALLEN_BACK_MS && status["nat"] == is_translated, "{status}");
    let _servers = lab.serve_traffic()?;
    carries(&deployment, lab)?;
    back_on_udp(&deployment, lab)?;
    carries(&deployment, lab)?;
    block(lab, WITHOUT_UDP)?;
    onto_another_blocked_network(&deployment, lab)?;
    carries(&deployment, lab)
}

/// How the home agent's `remote` of a node on this network begins.
fn seen_at(lab: &Lab, access: &str) -> Result<String> {
    let address = lab.seen_at(access)?;
    Ok(if address.is_ipv4() { format!("{address}:") } else { format!("[{address}]:") })
}

fn back_on_udp(deployment: &Deployment<'_>, lab: &Lab) -> Result<()> {
    let streams = during(
        || lab.stream(plan::CN6, Duration::from_secs(14), 1_000),
        || {
            std::thread::sleep(Duration::from_millis(500));
            unblock(lab)?;
            carried_by(deployment, "udp", &seen_at(lab, plan::WIFI)?).map(drop)
        },
    )?;
    ensure!(streams.up.lost == 0 && streams.down.lost == 0, "packets were lost on the way back: {streams:?}");
    Ok(())
}

/// And the grace of the network before it.
fn onto_another_blocked_network(deployment: &Deployment<'_>, lab: &Lab) -> Result<()> {
    lab.attach(plan::LTE)?;
    let start = Instant::now();
    lab.detach(plan::WIFI)?;
    carried_by(deployment, "tls", &seen_at(lab, plan::LTE)?)?;
    let took = start.elapsed();
    eprintln!("over TLS {took:.1?} after a move");
    ensure!(took.as_secs_f64() * 1_000.0 <= FALLEN_BACK_MS, "a move onto a network without UDP took {took:.1?}");
    Ok(())
}

#[test]
fn where_port_443_alone_is_open_a_node_registers_who_sends_no_binding_update_is_closed_and_a_connection_gone_silent_is_left() {
    inside(|lab| {
        lab.allow_warning("mn", "the home agent does not answer");
        block(lab, HTTPS_ALONE)?;
        let deployment = setup::registered_with(lab, &Setup { port: HTTPS, ..with_fallback() })?;
        carried_by(&deployment, "tls", &seen_at(lab, plan::WIFI)?)?;
        deployment.ping_everywhere()?;
        says_nothing_of_worth(lab)?;
        let fallback = deployment.status("ha")?["fallback"].clone();
        let count = |name: &str| fallback[name].as_u64();
        ensure!((count("open"), count("unbound"), count("not_let_in")) == (Some(1), Some(1), Some(1)), "{fallback}");
        deployment.ping_everywhere()?;
        leaves_a_silent_connection(&deployment, lab)
    });
}

/// Something on the way has forgotten the connection, and says nothing of it; new ones get through.
fn leaves_a_silent_connection(deployment: &Deployment<'_>, lab: &Lab) -> Result<()> {
    let remote = || -> Result<SocketAddr> {
        let bindings = deployment.bindings()?;
        Ok(bindings["bindings"][0]["remote"].as_str().context("no remote")?.parse()?)
    };
    let before = remote()?;
    let port = before.port();
    let drops = format!("tcp sport {port} drop\ntcp dport {port} drop");
    block(lab, &format!("table inet silent {{\nchain forward {{\ntype filter hook forward priority -1\n{drops}\n}}\n}}"))?;
    let start = Instant::now();
    wait_for("packets to come back over another connection", SOON, || Ok(Some(lab.reaches(plan::MN, plan::CN6, 1)?)))?;
    let took = start.elapsed();
    eprintln!("over another connection {took:.1?} after the first had gone silent");
    ensure!(took <= BACK && remote()? != before, "it took {took:.1?}, from {before} to {}", remote()?);
    carried_by(deployment, "tls", &seen_at(lab, plan::WIFI)?).map(drop)
}

/// With a configuration that names another port, on which nothing listens then: 443 is systemd's.
#[test]
fn a_node_falls_back_over_a_socket_that_systemd_has_opened() {
    inside(|lab| {
        lab.allow_warning("mn", "the home agent does not answer");
        lab.attach(plan::WIFI)?;
        let mut deployment = Deployment::with(lab, &with_fallback())?;
        block(lab, WITHOUT_UDP)?;
        deployment.ha.terminate(SOON)?;
        edit(&configuration(lab, "ha")?, &["fallback", "listen"], vec![format!("[::]:{OTHER_PORT}")].into())?;
        deployment.ha = activated(lab)?;
        deployment.wait_until_serving()?;
        let listening = lab.run(plan::HA, &["cat", "/proc/net/tcp6"])?;
        ensure!(
            listening.contains(&format!(":{HTTPS:04X} ")) && !listening.contains(&format!(":{OTHER_PORT:04X} ")),
            "{listening}"
        );
        deployment.mn_up(&[])?;
        carried_by(&deployment, "tls", &seen_at(lab, plan::WIFI)?)?;
        let _servers = lab.serve_traffic()?;
        carries(&deployment, lab)
    });
}

const OTHER_PORT: u16 = 8443;

/// A home agent that is started by the first connection.
fn activated(lab: &Lab) -> Result<Daemon> {
    programs::require(&["systemd-socket-activate"])?;
    let (config, ha) = (configuration(lab, "ha")?, programs::path("ha")?);
    let [config, ha] = [&config, &ha].map(|path| path.to_str().context("no UTF-8"));
    let words =
        ["--listen", &HTTPS.to_string(), "--setenv", FILTER_VARIABLE, "--setenv", "NO_COLOR", ha?, "-c", config?, "serve"];
    let ha = lab.spawn(plan::HA, "ha", Path::new("systemd-socket-activate"), &words)?;
    let connection = format!("exec 3<> /dev/tcp/{}/{HTTPS}", plan::HA_OUTER4);
    wait_for("systemd to listen", SOON, || Ok(Some(lab.run(plan::NET, &["bash", "-c", &connection])?)))?;
    Ok(ha)
}

/// A stranger on the way sends a datagram of user data, framed as it should be, and waits to be closed.
fn says_nothing_of_worth(lab: &Lab) -> Result<()> {
    let frame = r"\000\010\020\000\020\001\000\000\000\001";
    let to = format!("{}:{HTTPS}", plan::HA_OUTER4);
    let start = Instant::now();
    lab.output(plan::NET, &["sh", "-c", &format!("printf '{frame}' | timeout 9 openssl s_client -quiet -connect {to}")])?;
    let took = start.elapsed();
    ensure!((1.9..4.0).contains(&took.as_secs_f64()), "it was closed after {took:.1?}");
    Ok(())
}
