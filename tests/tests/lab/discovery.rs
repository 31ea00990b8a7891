//! How the mobile node finds its HAC: a real name server, and a network in which not every address is reached.

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tests::lab::deployment::SOON;
use tests::lab::{Daemon, Deployment, Lab, NameServer, Setup, inside, plan, programs, wait_for};

use crate::refusals;

const NAME: &str = "hac.example.org";
const SRV: &str = "_mipv6tls._tcp.hac.example.org";
/// The HAC's port in the cases with an SRV record: one that a node can only know from there.
const OTHER_PORT: u16 = 8872;
/// On the HAC's link, where nobody has them.
const NOBODY4: &str = "203.0.113.30";
const NOBODY6: &str = "2001:db8:c::30";

/// A line of dnsmasq's configuration: both addresses of the HAC for a name.
fn hac_is_called(name: &str) -> String {
    format!("host-record={name},{},{}\n", plan::HAC4, plan::HAC6)
}

/// HAC and home agent serve, a mobile node on `wifi` knows the HAC's name alone and is not started.
fn by_name<'lab>(lab: &'lab Lab, port: u16, records: &str) -> Result<(NameServer, Deployment<'lab>)> {
    lab.attach(plan::WIFI)?;
    let server = lab.name_server(records)?;
    let deployment = Deployment::with(lab, &Setup { by_name: true, port, in_memory: true, ..Setup::default() })?;
    Ok((server, deployment))
}

fn set_up_ms(deployment: &Deployment<'_>) -> Result<f64> {
    deployment.status("mn")?["set_up_ms"].as_f64().context("no `set_up_ms`")
}

fn renews(deployment: &Deployment<'_>) -> Result<()> {
    let renewed = deployment.command("mn", &["renew"])?;
    ensure!(renewed.status.success(), "mn renew: {}", programs::said(&renewed));
    Ok(())
}

/// A file of the mobile node's folder.
fn mn_file(lab: &Lab, name: &str) -> PathBuf {
    lab.folder().join("mn").join(name)
}

#[test]
fn the_hac_is_where_its_srv_record_says_and_a_first_target_that_is_dead_costs_two_seconds() {
    inside(|lab| {
        let records = format!(
            "srv-host={SRV},dead.example.org,{OTHER_PORT},10,5\nsrv-host={SRV},hac1.example.org,{OTHER_PORT},20,5\n\
             host-record=dead.example.org,{NOBODY4},{NOBODY6}\n{}host-record={NAME},{NOBODY4}\n",
            hac_is_called("hac1.example.org")
        );
        let (server, mut deployment) = by_name(lab, OTHER_PORT, &records)?;
        deployment.mn_up(&[])?;
        deployment.ping_everywhere()?;
        let took = set_up_ms(&deployment)?;
        ensure!((2_000.0..3_500.0).contains(&took), "{took} ms: the second priority is tried after 2 s");
        ensure!(!server.was_asked("A", NAME), "the name's own address was asked for, though there is an SRV record");
        Ok(())
    });
}

#[test]
fn without_an_srv_record_the_names_addresses_are_raced_and_the_last_good_one_comes_first() {
    inside(|lab| {
        lab.attach(plan::LTE)?;
        // An alias leads on and changes nothing about whom the certificate must be for.
        let records = format!("cname={NAME},hac1.example.org\n{}", hac_is_called("hac1.example.org"));
        let (server, mut deployment) = by_name(lab, plan::PORT, &records)?;
        let swallowed = Counter::new(lab, plan::NET, &format!("ip6 daddr {} tcp dport {}", plan::HAC6, plan::PORT), "drop")?;
        deployment.mn_up(&[])?;
        deployment.ping_everywhere()?;
        let took = set_up_ms(&deployment)?;
        ensure!((250.0..1_900.0).contains(&took), "{took} ms: IPv6 is given a quarter of a second");
        ensure!(server.was_asked("SRV", SRV), "no SRV record was asked for");
        let before = swallowed.packets()?;
        ensure!(before > 0, "IPv6 was not tried first");
        renews(&deployment)?;
        ensure!(swallowed.packets()? == before, "the address of the last grant was not the first to be tried");
        Ok(())
    });
}

/// Whoever can forge DNS could send the node to a host of his that has a good certificate: for another name.
#[test]
fn a_certificate_for_the_srv_targets_name_is_refused() {
    inside(|lab| {
        let target = "hac1.example.org";
        let records = format!("srv-host={SRV},{target},{OTHER_PORT}\n{}", hac_is_called(target));
        let (_server, mut deployment) = by_name(lab, OTHER_PORT, &records)?;
        refusals::issue(&lab.folder().join("hac"), target, "relay")?;
        lab.expect_warning("ha", "no subscription to the feed");
        deployment.hac.kill()?;
        let mut relay = refusals::relay(lab, plan::HAC, &format!("{}:{OTHER_PORT}", plan::HAC4))?;
        refusals::up_says(lab, &deployment, &[&format!("certificate is for {target}")])?;
        relay.kill()?;
        deployment.hac.restart()?;
        deployment.wait_until_serving()?;
        deployment.mn_up(&[])?;
        deployment.ping_everywhere()
    });
}

/// The tunnel's routes lead everything into it, and the name server is not reached from a home address.
#[test]
fn look_ups_go_past_the_tunnel_and_when_they_get_no_answer_the_last_one_holds() {
    inside(|lab| {
        let (mut server, mut deployment) = by_name(lab, plan::PORT, &hac_is_called(NAME))?;
        deployment.mn_up(&[])?;
        deployment.ping_everywhere()?;
        let into_tunnel = Counter::new(lab, plan::MN, "oifname \"mn0\" udp dport 53", "accept")?;
        let past_it = Counter::new(lab, plan::MN, "oifname \"wifi\" udp dport 53", "accept")?;
        lab.run(plan::MN, &["bash", "-c", &format!("echo ours > /dev/udp/{}/53", plan::HAC4)])?;
        ensure!((into_tunnel.packets()?, past_it.packets()?) == (1, 0), "what has no mark does not go into the tunnel");
        renews(&deployment)?;
        ensure!(into_tunnel.packets()? == 1, "a query went into the tunnel");
        ensure!(past_it.packets()? >= 3, "SRV, AAAA and A were not asked for");
        server.stop()?;
        renews(&deployment)?;
        ensure!(deployment.mn()?.log().contains("the HAC's addresses of the last look-up are tried"), "not told in the log");
        deployment.ping_everywhere()
    });
}

#[test]
fn the_hosts_file_comes_before_dns_and_an_srv_query_without_an_answer_is_not_the_end() {
    inside(|lab| {
        let nowhere = format!("server=/{SRV}/{NOBODY4}\n");
        let (mut server, mut deployment) = by_name(lab, plan::PORT, &format!("{nowhere}host-record={NAME},{NOBODY4}\n"))?;
        lab.etc("hosts", &format!("{} {NAME}\n", plan::HAC4))?;
        deployment.mn_up(&[])?;
        ensure!(!server.was_asked("SRV", SRV) && !server.was_asked("A", NAME), "DNS was asked for what the hosts file has");
        lab.etc("hosts", "")?;
        server.serve(&format!("{nowhere}{}", hac_is_called(NAME)))?;
        renews(&deployment)?;
        ensure!(server.was_asked("SRV", SRV) && server.was_asked("A", NAME), "DNS was not asked");
        ensure!(deployment.mn()?.log().contains("no answer about the HAC's SRV record"), "not told in the log");
        Ok(())
    });
}

#[test]
fn what_keeps_the_hac_from_being_found_is_said_with_its_remedy() {
    inside(|lab| {
        let (mut server, deployment) = by_name(lab, plan::PORT, "")?;
        lab.expect_warning("mn", "MHAuth failed");
        let _node = node(lab)?;
        let name_server = plan::HAC4.to_string();
        says(lab, &deployment, &["DNS has no such name", SRV, &name_server, "correct `name` in [hac]"])?;
        server.serve(&format!("srv-host={SRV}\n"))?;
        says(lab, &deployment, &["this service is not offered there", SRV])?;
        server.serve(&format!("srv-host={SRV},hac1.example.org,{OTHER_PORT}\n"))?;
        says(lab, &deployment, &["its SRV record names no host that has an address", "hac1.example.org"])?;
        server.serve(&format!("txt-record={NAME},nothing else\n"))?;
        says(lab, &deployment, &["DNS has no address for it"])?;
        server.stop()?;
        says(lab, &deployment, &["the look-up failed: no answer", &name_server, "/etc/resolv.conf"])?;
        server.serve(&format!("host-record={NAME},{NOBODY4},{NOBODY6}\n"))?;
        says(lab, &deployment, &["cannot reach the HAC at any of its addresses", NOBODY4, NOBODY6])?;
        server.serve(&hac_is_called(NAME))?;
        try_again(lab)?;
        wait_for("mn to be registered", SOON, || Ok((deployment.status("mn")?["state"] == "registered").then_some(())))?;
        deployment.ping_everywhere()
    });
}

/// `mn up --foreground`, which need not register.
fn node(lab: &Lab) -> Result<Daemon> {
    let config = mn_file(lab, "mn.toml");
    let words = ["-c", config.to_str().context("no UTF-8")?, "up", "--foreground"];
    lab.spawn(plan::MN, "mn", &programs::path("mn")?, &words)
}

/// Lets the node try again at once, until it says so.
fn says(lab: &Lab, deployment: &Deployment<'_>, parts: &[&str]) -> Result<()> {
    wait_for(&format!("an error with {parts:?}"), SOON, || {
        let status = deployment.status("mn")?;
        let said = status["last_error"].as_str().unwrap_or_default();
        if !parts.iter().all(|part| said.contains(part)) {
            try_again(lab)?;
            bail!("the last error is: {said}");
        }
        Ok(Some(()))
    })
}

/// `mn renew`, which is not waited for: an error that is the same as before ends it only after half a minute.
fn try_again(lab: &Lab) -> Result<()> {
    let (program, config) = (programs::path("mn")?, mn_file(lab, "mn.toml"));
    let mut command = lab.command(plan::MN, "timeout");
    programs::output(command.arg("0.5").arg(program).arg("-c").arg(config).arg("renew")).map(drop)
}

/// Packets that a namespace sends or forwards, and what is done with them.
struct Counter<'lab> {
    lab: &'lab Lab,
    namespace: &'static str,
    table: String,
}

impl<'lab> Counter<'lab> {
    fn new(lab: &'lab Lab, namespace: &'static str, matching: &str, verdict: &str) -> Result<Self> {
        programs::require(&["nft"])?;
        let hook = if namespace == plan::NET { "forward" } else { "output" };
        let name: String = matching.chars().filter(char::is_ascii_alphanumeric).collect();
        let rules = format!(
            "table inet {name} {{ chain counted {{ type filter hook {hook} priority 0; {matching} counter {verdict}; }}; }}"
        );
        lab.run(namespace, &["nft", &rules])?;
        Ok(Self { lab, namespace, table: name })
    }

    fn packets(&self) -> Result<u64> {
        let text = self.lab.run(self.namespace, &["nft", "-j", "list", "table", "inet", &self.table])?;
        let answer: Value = serde_json::from_str(&text).context("`nft -j` printed no JSON")?;
        let rows = answer["nftables"].as_array().into_iter().flatten();
        let mut statements = rows.filter_map(|row| row["rule"]["expr"].as_array()).flatten();
        let packets = statements.find_map(|statement| statement["counter"]["packets"].as_u64());
        packets.with_context(|| format!("`nft -j list table` printed {text}"))
    }
}
