//! A network that lets nothing through before a login: the node says so, and a window lets the login through and nothing else.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::lab::traffic::portal::{LOGIN, WELCOME};
use tests::lab::{Deployment, Lab, Setup, inside, plan, programs, wait_for};

const PORTAL: u16 = 8080;
/// The goal for what is shown of a network that does not carry.
const SHOWN: Duration = Duration::from_secs(5);
/// After the login, until packets flow.
const REGISTERED: Duration = Duration::from_secs(5);

const WEB: &str = "tcp dport 80";
const ALL_TCP: &str = "meta l4proto tcp";

/// Nothing goes past the router of `wifi`, and what is `taken` comes to the portal's web server.
fn close(lab: &Lab, taken: &str) -> Result<()> {
    let rules = format!(
        "
        add table ip portal
        add chain ip portal answers {{ type nat hook prerouting priority dstnat; }}
        add rule ip portal answers iifname wifi {taken} redirect to :8080
        add chain ip portal forward {{ type filter hook forward priority 0; }}
        add rule ip portal forward iifname wifi drop
        add rule ip portal forward oifname wifi drop"
    );
    rules.trim().lines().try_for_each(|rule| lab.run(plan::NET, &["nft", rule.trim()]).map(drop))
}

fn open(lab: &Lab) -> Result<()> {
    lab.run(plan::NET, &["nft", "delete table ip portal"]).map(drop)
}

/// The page that the node shows, when it shows one.
fn shown(deployment: &Deployment<'_>) -> Result<Option<String>> {
    Ok(deployment.status("mn")?["captive_portal"]["url"].as_str().map(str::to_owned))
}

fn is_noticed(deployment: &Deployment<'_>, limit: Duration) -> Result<()> {
    let login = format!("http://{}:{PORTAL}{LOGIN}", plan::ROUTER4);
    wait_for("the portal to be noticed", limit, || Ok(shown(deployment)?.filter(|page| *page == login).map(drop)))
}

fn window(deployment: &Deployment<'_>) -> Result<(Value, Option<i32>)> {
    deployment.json("mn", &["portal"])
}

/// What comes back for a request to `at` in the node's namespace.
fn asks(lab: &Lab, at: &str, request: &str) -> Result<String> {
    let (host, port) = at.rsplit_once(':').context("no port")?;
    let script = format!("exec 3<>/dev/tcp/{host}/{port} && printf '{request}\\r\\n\\r\\n' >&3 && timeout 5 cat <&3");
    let output = lab.output(plan::MN, &["bash", "-c", &script])?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_login_that_a_network_wants_is_noticed_and_its_window_opens_nothing_else() {
    inside(|lab| {
        let mut deployment = Deployment::with(lab, &Setup { in_memory: true, ..Setup::default() })?;
        lab.allow_warning("mn", "");
        close(lab, ALL_TCP)?;
        let _portal = lab.serve(plan::NET, "serve-portal", PORTAL)?;
        lab.attach(plan::WIFI)?;
        deployment.mn_start(&[])?;
        is_noticed(&deployment, SHOWN)?;
        wait_for("the node to say who answers in the HAC's place", SHOWN, || {
            let status = deployment.status("mn")?;
            Ok(status["last_error"].as_str().is_some_and(|error| error.contains("does not speak TLS")).then_some(()))
        })?;

        let clear = lab.watch_for_clear_but("window", &format!("tcp port 80 or tcp port {PORTAL}"))?;
        let behind = [plan::CN4, IpAddr::from(plan::HAC4)].map(|ip| format!("{ip}:53"));
        let words: Vec<_> = ["press"].into_iter().chain(behind.iter().map(String::as_str)).collect();
        let pressing = lab.spawn(plan::MN, "press", &programs::path("labtool")?, &words)?;
        let (opened, _) = window(&deployment)?;
        let proxy = opened["proxy"].as_str().with_context(|| format!("no proxy: {opened}"))?.to_owned();
        ensure!(window(&deployment)?.0["proxy"] == proxy, "it is open already");
        let direct = format!("{}:{PORTAL}", plan::ROUTER4);
        ensure!(
            asks(lab, &direct, &format!("GET {LOGIN} HTTP/1.1"))?.is_empty(),
            "past the window the guard lets nothing through"
        );
        let anything = asks(lab, &proxy, &format!("GET http://{}/anything HTTP/1.1", plan::HAC4))?;
        ensure!(anything.starts_with("HTTP/1.1 302"), "{anything}");
        let login = asks(lab, &proxy, &format!("GET http://{direct}{LOGIN} HTTP/1.1"))?;
        ensure!(login.ends_with(WELCOME), "{login}");
        let tunnelled = asks(lab, &proxy, &format!("CONNECT {direct} HTTP/1.1\\r\\n\\r\\nGET {LOGIN} HTTP/1.1"))?;
        ensure!(tunnelled.starts_with("HTTP/1.1 200 Connection established") && tunnelled.ends_with(WELCOME), "{tunnelled}");
        drop(pressing);
        let leaked = clear.stop()?;
        ensure!(leaked.packets == 0, "with the window open something else leaves: {leaked:?}");

        open(lab)?;
        deployment.wait_until_registered(REGISTERED)?;
        deployment.ping_everywhere()?;
        wait_for("the window to close", SHOWN, || {
            Ok(asks(lab, &proxy, "GET http://192.0.2.2/ HTTP/1.1")?.is_empty().then_some(()))
        })?;
        ensure!(shown(&deployment)?.is_none(), "the portal is shown still");
        let (refused, code) = window(&deployment)?;
        ensure!(code == Some(1) && refused["error"].as_str().is_some_and(|why| why.contains("registered")), "{refused}");
        runs_out(lab, &deployment)
    });
}

/// What was paid for is used up in the midst of everything.
fn runs_out(lab: &Lab, deployment: &Deployment<'_>) -> Result<()> {
    close(lab, WEB)?;
    let ping = lab.spawn(plan::MN, "ping", "ping".as_ref(), &["-i", "0.2", &plan::CN4.to_string()])?;
    is_noticed(deployment, 2 * SHOWN)?;
    open(lab)?;
    wait_for("the node to be registered", REGISTERED, || {
        Ok((deployment.status("mn")?["state"] == "registered" && shown(deployment)?.is_none()).then_some(()))
    })?;
    drop(ping);
    deployment.ping_everywhere()
}
