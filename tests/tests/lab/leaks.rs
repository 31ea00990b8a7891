//! Nothing that is to go through the tunnel leaves beside it, whatever the node is doing, whatever the network hands out and
//! whoever takes away what leads there: octets in the clear are counted on the access networks while programs press on.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tests::lab::deployment::SOON;
use tests::lab::mix::Family;
use tests::lab::snapshot::Snapshot;
use tests::lab::traffic::TCP_PORT;
use tests::lab::{Daemon, Deployment, Lab, inside, plan, programs, wait_for};

use crate::setup;

/// Of the cases whose suite does not matter.
pub(crate) const SUITE: &str = "AES_128_GCM";
/// How long programs press on in each state.
const A_WHILE: Duration = Duration::from_millis(500);
/// Within this time somebody else's work is undone.
const BACK: Duration = Duration::from_secs(1);
/// A private network that the access network has besides, with a name server.
const PRIVATE: [&str; 2] = ["192.168.7.2", "192.168.7.1"];

/// The care-of addresses of both networks.
fn care_of(lab: &Lab) -> Result<[IpAddr; 2]> {
    Ok([lab.care_of(plan::WIFI)?, lab.care_of(plan::LTE)?])
}

pub(crate) fn press(lab: &Lab, to: &[SocketAddr], from: &[IpAddr]) -> Result<Daemon> {
    let mut words = vec!["press".to_owned()];
    words.extend(to.iter().map(ToString::to_string));
    words.extend(from.iter().flat_map(|from| ["--from".to_owned(), from.to_string()]));
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    lab.spawn(plan::MN, "press", &programs::path("labtool")?, &words)
}

/// Behind the tunnel, by every port.
pub(crate) fn behind() -> [SocketAddr; 4] {
    [(plan::CN4, 9), (plan::CN6, 9), (plan::CN4, 53), (plan::CN6, 53)].map(SocketAddr::from)
}

pub(crate) fn a_while() {
    std::thread::sleep(A_WHILE);
}

/// What they press is seen when nothing holds it.
fn it_would_be_seen(lab: &Lab) -> Result<()> {
    let clear = lab.watch_for_clear("without")?;
    a_while();
    let leaked = clear.stop()?;
    ensure!(leaked.packets > 10, "without a node nothing is seen: {leaked:?}");
    Ok(())
}

/// Transfers past the tunnel that would last for minutes, each way.
fn open_connections(lab: &Lab) -> Result<[Daemon; 2]> {
    let hac = if lab.family(plan::WIFI) == Family::Ipv4 { plan::HAC4.into() } else { plan::HAC6.into() };
    let server = SocketAddr::new(hac, TCP_PORT).to_string();
    let transfer = |verb, preposition| {
        let words = [verb, "100000000", preposition, &server, "--rate", "200000"];
        lab.spawn(plan::MN, verb, &programs::path("labtool")?, &words)
    };
    let transfers = [transfer("send", "--to")?, transfer("fetch", "--from")?];
    wait_for("the transfers to begin", SOON, || {
        let connections = lab.run(plan::MN, &["cat", "/proc/net/tcp", "/proc/net/tcp6"])?;
        Ok((connections.matches(&format!(":{TCP_PORT:04X} 01 ")).count() == 2).then_some(()))
    })?;
    Ok(transfers)
}

fn may_complain(lab: &Lab) {
    for program in ["mn", "ha", "hac"] {
        lab.allow_warning(program, "");
    }
}

fn is_as_before(lab: &Lab, before: &Snapshot, what: &str) -> Result<()> {
    wait_for("the addresses of a network that came back", SOON, || {
        Ok(lab.run(plan::MN, &["ip", "-6", "-o", "address", "show", "tentative"])?.is_empty().then_some(()))
    })?;
    let difference = before.difference(&Snapshot::take(lab, plan::MN)?);
    ensure!(difference.is_none(), "{what}: the network is not as before:\n{}", difference.unwrap_or_default());
    Ok(())
}

/// Killed, pressed on for a while, and started again.
fn killed(deployment: &mut Deployment<'_>) -> Result<()> {
    a_while();
    deployment.mn()?.kill()?;
    a_while();
    deployment.mn()?.restart()
}

#[test]
fn nothing_leaves_in_the_clear_in_any_state_nor_after_sigkill_in_it_and_mn_down_puts_everything_back() {
    inside(|lab| killed_in_each_state(lab, SUITE));
}

pub(crate) fn killed_in_each_state(lab: &Lab, suite: &str) -> Result<()> {
    for access in [plan::WIFI, plan::LTE] {
        lab.attach(access)?;
    }
    lab.detach(plan::LTE)?;
    let mut deployment = Deployment::start(lab, suite)?;
    let before = Snapshot::take(lab, plan::MN)?;
    may_complain(lab);
    let _press = press(lab, &behind(), &care_of(lab)?)?;
    it_would_be_seen(lab)?;
    let _server = lab.serve(plan::HAC, "serve-tcp", TCP_PORT)?;
    let mut open = open_connections(lab)?;

    deployment.hac.kill()?;
    deployment.mn_start(&[])?;
    deployment.wait_for_state("bootstrapping")?;
    let clear = lab.watch_for_clear("with")?;
    for transfer in &mut open {
        ensure!(!transfer.wait(SOON)?.success(), "a transfer that began in the clear came to its end");
    }
    killed(&mut deployment)?;
    deployment.wait_for_state("bootstrapping")?;
    answered_by_another(lab, &mut deployment)?;
    deployment.hac.restart()?;
    deployment.wait_until_serving()?;
    deployment.wait_until_registered(SOON)?;
    deployment.ping_everywhere()?;
    killed(&mut deployment)?;
    deployment.wait_until_registered(SOON)?;

    deployment.ha.kill()?;
    move_from_to(lab, plan::WIFI, plan::LTE)?;
    deployment.wait_for_state("registering")?;
    killed(&mut deployment)?;
    serve_again(&mut deployment)?;
    lab.detach(plan::LTE)?;
    deployment.wait_for_state("detached")?;
    a_while();
    deployment.mn()?.kill()?;
    lab.attach(plan::WIFI)?;
    a_while();
    deployment.mn()?.restart()?;
    deployment.wait_until_registered(SOON)?;
    deployment.ha.kill()?;
    deployment.mn()?.signal("TERM")?;
    deployment.wait_for_state("leaving")?;
    a_while();
    deployment.mn()?.kill()?;
    a_while();
    clear.stop()?.is_nothing()?;

    let down = deployment.command("mn", &["down"])?;
    ensure!(programs::said(&down).contains("and the leak guard"), "{}", programs::said(&down));
    is_as_before(lab, &before, "mn down after SIGKILL")
}

fn move_from_to(lab: &Lab, from: &str, to: &str) -> Result<()> {
    lab.attach(to)?;
    lab.detach(from)
}

/// A home agent that was killed comes back, and the node is bound again.
fn serve_again(deployment: &mut Deployment<'_>) -> Result<()> {
    deployment.ha.restart()?;
    deployment.wait_until_serving()?;
    deployment.wait_until_registered(SOON)
}

fn ended_by_sigterm(deployment: &mut Deployment<'_>, state: &str) -> Result<()> {
    deployment.wait_for_state(state)?;
    let status = deployment.mn()?.terminate(SOON)?;
    ensure!(status.success(), "{state}: mn ended with {status}");
    Ok(())
}

/// Killed and started again in a network that answers in the HAC's place: whoever is on the way ends no node.
fn answered_by_another(lab: &Lab, deployment: &mut Deployment<'_>) -> Result<()> {
    let _another = lab.serve(plan::HAC, "serve-portal", plan::PORT)?;
    killed(deployment)?;
    wait_for("the node to say that it does not trust who answers", SOON, || {
        let status = deployment.status("mn")?;
        Ok(status["last_error"].as_str().is_some_and(|error| error.contains("was not trusted")).then_some(()))
    })?;
    a_while();
    deployment.mn()?.check_running()?;
    deployment.wait_for_state("bootstrapping")
}

#[test]
fn sigterm_puts_everything_back_in_each_state() {
    inside(|lab| terminated_in_each_state(lab, SUITE));
}

pub(crate) fn terminated_in_each_state(lab: &Lab, suite: &str) -> Result<()> {
    for access in [plan::WIFI, plan::LTE] {
        lab.attach(access)?;
    }
    lab.detach(plan::LTE)?;
    let mut deployment = Deployment::start(lab, suite)?;
    let before = Snapshot::take(lab, plan::MN)?;
    may_complain(lab);
    deployment.hac.kill()?;
    deployment.mn_start(&[])?;
    ended_by_sigterm(&mut deployment, "bootstrapping")?;
    is_as_before(lab, &before, "bootstrapping")?;

    deployment.hac.restart()?;
    deployment.wait_until_serving()?;
    deployment.mn()?.restart()?;
    ended_by_sigterm(&mut deployment, "registered")?;
    is_as_before(lab, &before, "registered")?;

    deployment.mn()?.restart()?;
    deployment.wait_until_registered(SOON)?;
    lab.detach(plan::WIFI)?;
    ended_by_sigterm(&mut deployment, "detached")?;
    lab.attach(plan::WIFI)?;
    is_as_before(lab, &before, "detached")?;

    deployment.mn()?.restart()?;
    deployment.wait_until_registered(SOON)?;
    deployment.ha.kill()?;
    move_from_to(lab, plan::WIFI, plan::LTE)?;
    deployment.wait_for_state("registering")?;
    deployment.mn()?.signal("TERM")?;
    // A second signal while it leaves changes nothing.
    ended_by_sigterm(&mut deployment, "leaving")?;
    move_from_to(lab, plan::LTE, plan::WIFI)?;
    is_as_before(lab, &before, "registering and leaving")
}

#[test]
fn routes_routers_and_name_servers_that_a_network_hands_out_lead_nothing_past_the_tunnel() {
    inside(|lab| handed_out_by_a_rogue(lab, SUITE));
}

pub(crate) fn handed_out_by_a_rogue(lab: &Lab, suite: &str) -> Result<()> {
    lab.attach(plan::LTE)?;
    let deployment = setup::registered(lab, suite)?;
    let clear = lab.watch_for_clear("rogue")?;
    let name_servers = [lab.access(plan::WIFI)?.router, PRIVATE[1], lab.access(plan::LTE)?.router].map(str::parse::<IpAddr>);
    let mut to = behind().to_vec();
    for server in name_servers {
        to.push(SocketAddr::new(server?, 53));
    }
    let [wifi, lte] = care_of(lab)?;
    let _press = press(lab, &to, &[wifi, lte, PRIVATE[0].parse()?])?;
    hand_out_routes(lab)?;
    advertise_a_router(lab)?;
    deployment.ping_everywhere()?;
    a_while();
    deployment.ping_everywhere()?;
    clear.stop()?.is_nothing()?;
    let guard = &deployment.status("mn")?["guard"];
    let counts = ["rejected", "rejected_dns"].map(|count| guard[count].as_u64().unwrap_or_default());
    ensure!(counts[0] > counts[1] && counts[1] > 0, "the guard has counted {guard}");
    // What is private and on the link needs no tunnel.
    lab.reaches(plan::MN, PRIVATE[1].parse()?, 1).map(drop)
}

/// What a client does with options 1, 3 and 121 of a DHCP server that wants to read along (CVE-2024-3661).
fn hand_out_routes(lab: &Lab) -> Result<()> {
    let [own, router] = PRIVATE;
    lab.ip_batch(plan::NET, &format!("address add {router}/24 dev wifi"))?;
    lab.ip_batch(
        plan::MN,
        &format!(
            "address add {own}/24 dev wifi
route add 0.0.0.0/1 via {router} dev wifi
route add 128.0.0.0/1 via {router} dev wifi
route add 192.0.2.0/24 via {router} dev wifi
route add 192.0.2.2/32 via {router} dev wifi
route add 10.0.0.0/8 dev wifi scope link"
        ),
    )
}

/// And with a router that is the best default, the way to the correspondent node, and has it on its link.
fn advertise_a_router(lab: &Lab) -> Result<()> {
    lab.sysctls(plan::MN, &[("ipv6/conf/lte/accept_ra", "2"), ("ipv6/conf/lte/accept_ra_rt_info_max_plen", "128")])?;
    let line = lab.run(plan::NET, &["ip", "-o", "link", "show", "dev", plan::LTE])?;
    let index = line.split(':').next().context("no index")?;
    let labtool = programs::path("labtool")?;
    programs::run(lab.command(plan::NET, &labtool).args(["advertise", index, &plan::CN6.to_string()]))?;
    wait_for("the mobile node to believe the router", SOON, || {
        let routes = lab.run(plan::MN, &["ip", "-6", "route", "show", "dev", "lte"])?;
        let believed = ["2001:db8:2::2 via", "2001:db8:2::/64 proto kernel"].iter().all(|route| routes.contains(route));
        let before = usize::from(lab.family(plan::LTE) == Family::Ipv6);
        ensure!(believed && routes.matches("default via").count() == before + 1, "it has {routes}");
        Ok(Some(()))
    })
}

#[test]
fn what_comes_for_a_home_address_past_the_tunnel_is_dropped() {
    inside(|lab| {
        lab.attach(plan::LTE)?;
        let deployment = setup::registered(lab, SUITE)?;
        for home in deployment.home_addresses()? {
            let care_of = if home.is_ipv4() { plan::WIFI_CARE_OF } else { plan::LTE_CARE_OF };
            lab.reaches(plan::CN, home, 1)?;
            lab.run(plan::NET, &["ip", "route", "replace", &home.to_string(), "via", &care_of.to_string()])?;
            let before = deployment.status("mn")?["guard"]["injected"].as_u64().context("no count")?;
            let ping = lab.ping(plan::HAC, home, 2)?;
            ensure!(ping.milliseconds.is_empty(), "{home} past the tunnel:\n{}", ping.text);
            let after = deployment.status("mn")?["guard"]["injected"].as_u64().context("no count")?;
            ensure!(after >= before + 2, "{home}: {before} dropped before, {after} after");
            lab.run(plan::NET, &["ip", "route", "delete", &home.to_string()])?;
        }
        Ok(())
    });
}

/// What takes away something that the tunnel needs, and what then shows that it is back.
const TAKEN: [&str; 7] = [
    "ip rule flush; ip rule add lookup main priority 32766; ip rule add lookup default priority 32767",
    "ip -6 rule flush; ip -6 rule add lookup main priority 32766",
    "ip route flush table 7872; ip -6 route flush table 7872",
    "ip address flush dev mn0 scope global",
    "ip link set mn0 down",
    "nft flush ruleset",
    // As `systemctl restart nftables` does, and it may be while the guard comes back.
    "for pause in 0.02 0.03 0.04 0.05 0.06 0; do nft flush ruleset; sleep $pause; done",
];

#[test]
fn what_somebody_else_takes_away_is_back_within_a_second_and_nothing_leaves_in_the_clear_meanwhile() {
    inside(|lab| {
        let deployment = setup::registered(lab, SUITE)?;
        let _press = press(lab, &behind(), &[])?;
        let clear = lab.watch_for_clear("taken")?;
        lab.expect_warning("mn", "somebody else took away what the tunnel needs");
        let whole = || Snapshot::take(lab, plan::MN);
        let before = whole()?;
        for (number, taken) in TAKEN.iter().enumerate() {
            lab.run(plan::MN, &["sh", "-ec", taken])?;
            let (begun, mut looked) = (Instant::now(), Instant::now());
            wait_for(&format!("what is gone after `{taken}` to be back"), SOON, || {
                // A look takes a while.
                looked = Instant::now();
                let difference = before.difference(&whole()?);
                ensure!(difference.is_none(), "{}", difference.unwrap_or_default());
                Ok(Some(()))
            })?;
            let took = looked - begun;
            eprintln!("{taken}: back after {} ms", took.as_millis());
            ensure!(took <= BACK, "{taken}: back after {took:?}");
            let count = deployment.status("mn")?["reassertions"].as_u64().context("no count")?;
            ensure!(count > number as u64, "{taken}: {count} counted");
            deployment.ping_everywhere()?;
        }
        clear.stop()?.is_nothing()
    });
}
