//! A machine that slept, as far as a lab can tell: the process is stopped, the clock jumps, logind says so.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tests::lab::deployment::{SOON, edit};
use tests::lab::{Daemon, Deployment, Lab, Setup, inside, plan, programs, wait_for};

use crate::setup;

/// Longer than a tick may be late.
pub(crate) const STOPPED: Duration = Duration::from_millis(4_200);
/// After the machine is awake and the link is up.
const BACK: Duration = Duration::from_secs(1);
/// With a run of MHAuth in it, after the clock has jumped, which is looked at twice a second.
const BACK_UNDER_NEW_KEYS: Duration = Duration::from_millis(1_500);
/// Of the machine's own clock, in the case where keys end: more than the HAC's shortest lifetime.
const SLEPT: u64 = 8 * 3600;

/// How often the node has found that the machine slept.
fn resumes(deployment: &Deployment<'_>) -> Result<u64> {
    deployment.status("mn")?["resumes"].as_u64().context("no `resumes`")
}

fn wait_for_resumes(deployment: &Deployment<'_>, count: u64) -> Result<()> {
    wait_for(&format!("{count} resumptions"), SOON, || Ok((resumes(deployment)? == count).then_some(())))
}

/// An echo that comes back, and how long that took from `since` on.
fn back_since(lab: &Lab, since: Instant) -> Result<Duration> {
    let to = plan::CN6.to_string();
    wait_for("an echo through the tunnel", SOON, || {
        let ping = lab.output(plan::MN, &["ping", "-n", "-c", "1", "-W", "0.1", &to])?;
        Ok(ping.status.success().then(|| since.elapsed()))
    })
}

#[test]
fn a_node_that_was_stopped_and_wakes_on_another_network_has_traffic_within_a_second() {
    inside(|lab| wakes_on_another_network(lab, STOPPED));
}

/// After it was stopped for so long.
pub(crate) fn wakes_on_another_network(lab: &Lab, stopped: Duration) -> Result<()> {
    let mut deployment = setup::registered(lab, "AES_128_GCM")?;
    let sessions = deployment.sessions()?;
    deployment.mn()?.signal("STOP")?;
    lab.detach(plan::WIFI)?;
    lab.attach(plan::LTE)?;
    std::thread::sleep(stopped);
    let awake = Instant::now();
    deployment.mn()?.signal("CONT")?;
    let took = back_since(lab, awake)?;
    eprintln!("stopped for {stopped:?} and moved: back after {took:.0?}");
    ensure!(took <= BACK, "{took:?}");
    wait_for_resumes(&deployment, 1)?;
    deployment.wait_for_care_of(plan::LTE)?;
    deployment.ping_everywhere()?;
    ensure!(deployment.sessions()? == sessions, "MHAuth was run, though the keys hold");
    Ok(())
}

#[test]
fn keys_that_ended_by_the_clock_that_counts_sleep_cost_one_run_of_mhauth() {
    inside(|lab| {
        let slept = lab.folder().join("slept");
        std::fs::write(&slept, "0")?;
        lab.attach(plan::WIFI)?;
        let mut deployment = Deployment::configured(lab, &Setup { in_memory: true, ..Setup::default() }, |lab| {
            edit(&lab.folder().join("hac/hac.toml"), &["policy", "sa-lifetime-seconds"], 3600.into())
        })?;
        deployment.mn_up(&[("HALTSEC_LAB_SLEPT", &slept)])?;
        let (sessions, spi) = (deployment.sessions()?, deployment.status("mn")?["spi"].clone());
        jump(&slept, SLEPT)?;
        let awake = Instant::now();
        wait_for("other keys", SOON, || Ok((deployment.status("mn")?["spi"] != spi).then_some(())))?;
        let took = back_since(lab, awake)?;
        eprintln!("the keys ended during sleep: back after {took:.0?}");
        ensure!(took <= BACK_UNDER_NEW_KEYS, "{took:?}");
        ensure!(deployment.sessions()? == sessions + 1, "{} runs of MHAuth more", deployment.sessions()? - sessions);
        wait_for_resumes(&deployment, 1)?;
        setup::settle();
        deployment.ping_everywhere()?;
        ensure!(deployment.sessions()? == sessions + 1);
        // A short sleep after it, with keys that hold: the binding is looked after, and nothing else.
        jump(&slept, SLEPT + 60)?;
        wait_for_resumes(&deployment, 2)?;
        wait_for("the binding", SOON, || Ok((deployment.status("mn")?["state"] == "registered").then_some(())))?;
        deployment.ping_everywhere()?;
        ensure!(deployment.sessions()? == sessions + 1);
        Ok(())
    });
}

/// In one step: a file that is half written would be another time.
fn jump(clock: &Path, seconds: u64) -> Result<()> {
    let new = clock.with_extension("new");
    std::fs::write(&new, seconds.to_string())?;
    std::fs::rename(&new, clock)?;
    Ok(())
}

#[test]
fn what_logind_says_of_sleep_is_heard() {
    inside(|lab| {
        let (_bus, address) = bus(lab)?;
        lab.attach(plan::WIFI)?;
        let mut deployment = Deployment::start(lab, "AES_128_GCM")?;
        deployment.mn_up(&[("DBUS_SYSTEM_BUS_ADDRESS", Path::new(&address))])?;
        let logind = Logind::on(&address)?;
        let listens = || Ok(deployment.mn.as_ref().context("no mn")?.log().contains("listening to logind").then_some(()));
        wait_for("mn to listen", SOON, listens)?;
        logind.says(false)?;
        logind.says(true)?;
        lab.detach(plan::WIFI)?;
        lab.attach(plan::WIFI)?;
        setup::settle();
        ensure!(resumes(&deployment)? == 0, "it counts when the machine is awake again");
        logind.says(false)?;
        wait_for_resumes(&deployment, 1)?;
        ensure!(deployment.mn()?.log().contains("noticed_by=logind"));
        deployment.ping_everywhere()
    });
}

/// A system bus of the lab's own, and its address.
fn bus(lab: &Lab) -> Result<(Daemon, String)> {
    programs::require(&["dbus-daemon"])?;
    let socket: PathBuf = lab.folder().join("bus");
    let (address, config) = (format!("unix:path={}", socket.display()), lab.folder().join("bus.conf"));
    std::fs::write(
        &config,
        format!(
            "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
             \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n<busconfig><type>system</type><listen>{address}</listen>\
             <auth>EXTERNAL</auth><policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/>\
             <allow own=\"*\"/><allow user=\"*\"/></policy></busconfig>"
        ),
    )?;
    let file = format!("--config-file={}", config.display());
    let daemon = lab.spawn(plan::MN, "bus", Path::new("dbus-daemon"), &[&file, "--nofork"])?;
    wait_for("the bus", SOON, || Ok(socket.exists().then_some(())))?;
    Ok((daemon, address))
}

/// A program with logind's name on the bus.
struct Logind {
    runtime: tokio::runtime::Runtime,
    bus: zbus::Connection,
}

impl Logind {
    fn on(address: &str) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let bus = runtime.block_on(async {
            let bus = zbus::connection::Builder::address(address).build().await?;
            bus.request_name("org.freedesktop.login1").await?;
            Ok::<_, zbus::Error>(bus)
        })?;
        Ok(Self { runtime, bus })
    }

    /// The machine goes to sleep, or is awake again.
    fn says(&self, going: bool) -> Result<()> {
        let (path, interface, body) = ("/org/freedesktop/login1", "org.freedesktop.login1.Manager", (going,));
        let said = self.bus.emit_signal(None::<&str>, path, interface, "PrepareForSleep", &body);
        Ok(self.runtime.block_on(said)?)
    }
}
