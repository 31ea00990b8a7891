//! The host's name servers while the node is registered: with the real systemd-resolved and openresolv, in a Debian root.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tests::lab::debian::Debian;
use tests::lab::deployment::{SOON, edit};
use tests::lab::{Daemon, Deployment, Lab, NameServer, Setup, inside, plan, programs, wait_for};

const HAC: &str = "hac.example.org";
/// A name that only the name server behind the home agent knows, and its address.
const INSIDE: (&str, &str) = ("inside.example.com", "192.0.2.9");
/// What plain `su` leaves of root's path.
const BY_SU: &str = "PATH=/usr/bin:/bin";
/// Who takes the settings away sees them come back.
const ANEW: Duration = Duration::from_secs(1);
/// Where only a look at files tells.
const LOOKED_ANEW: Duration = Duration::from_secs(4);

/// HAC and home agent serve, the mobile node knows the HAC's name alone and the network's name server knows that; the one that is
/// granted is the correspondent node's.
pub(crate) struct Scene<'lab> {
    lab: &'lab Lab,
    network: NameServer,
    granted: Daemon,
    pub(crate) deployment: Deployment<'lab>,
}

fn scene(lab: &Lab) -> Result<Scene<'_>> {
    lab.attach(plan::WIFI)?;
    prepared(lab)
}

/// The same before there is a network.
pub(crate) fn prepared(lab: &Lab) -> Result<Scene<'_>> {
    let network = lab.name_server(&format!("host-record={HAC},{},{}", plan::HAC4, plan::HAC6))?;
    let granted = granted(lab)?;
    let setup = Setup { by_name: true, ..Setup::default() };
    let deployment = Deployment::configured(lab, &setup, |lab| {
        edit(&lab.folder().join("hac/hac.toml"), &["home", "dns"], vec![plan::CN4.to_string()].into())
    })?;
    Ok(Scene { lab, network, granted, deployment })
}

/// The name server behind the home agent.
fn granted(lab: &Lab) -> Result<Daemon> {
    let config = lab.folder().join("granted.conf");
    let (name, address) = INSIDE;
    let lines = format!(
        "no-resolv\nno-hosts\nuser=root\ngroup=root\nbind-interfaces\nlisten-address={}\nlog-queries\nhost-record={name},{address}\n\
         pid-file={}\n",
        plan::CN4,
        lab.folder().join("granted.pid").display()
    );
    std::fs::write(&config, lines)?;
    let mut daemon =
        lab.spawn(plan::CN, "granted", Path::new("dnsmasq"), &["--no-daemon", &format!("--conf-file={}", config.display())])?;
    wait_for("the name server behind the home agent", SOON, || {
        daemon.check_running()?;
        Ok(daemon.log().contains("started, version").then_some(()))
    })?;
    Ok(daemon)
}

impl Scene<'_> {
    pub(crate) fn is_through(&self, way: &str) -> Result<()> {
        wait_for(&format!("the host to be told through {way}"), SOON, || {
            let status = self.deployment.status("mn")?;
            ensure!(status["dns_through"] == way && status["dns_error"].is_null(), "its status is {status}");
            Ok(Some(()))
        })
    }

    /// The name of the inside is found, and the network's name server hears nothing of it.
    pub(crate) fn finds_the_inside(&self, debian: &Debian<'_>) -> Result<()> {
        let (name, address) = INSIDE;
        let found = debian.run(&["getent", "ahostsv4", name])?;
        ensure!(found.contains(address), "{name} is {found}");
        ensure!(self.granted.log().contains(&format!("query[A] {name} ")), "the name server behind the home agent was not asked");
        ensure!(!self.network.was_asked("A", name), "the network's name server was asked for {name}");
        Ok(())
    }

    /// New keys, for which the HAC's name is looked up in the network and nowhere else.
    pub(crate) fn renews(&self) -> Result<()> {
        let before = self.status_spi()?;
        let renewed = self.deployment.command("mn", &["renew"])?;
        ensure!(renewed.status.success(), "mn renew: {}", programs::said(&renewed));
        ensure!(self.status_spi()? != before);
        ensure!(!self.granted.log().contains(HAC), "the HAC's name was asked for inside");
        Ok(())
    }

    fn status_spi(&self) -> Result<String> {
        Ok(self.deployment.status("mn")?["spi"].to_string())
    }

    pub(crate) fn down(&mut self, debian: &Debian<'_>) -> Result<()> {
        let down = programs::output(debian.mn().arg("down"))?;
        ensure!(down.status.success(), "mn down: {}", programs::said(&down));
        self.deployment.mn()?.wait(SOON).map(drop)
    }
}

pub(crate) fn links(debian: &Debian<'_>) -> Result<String> {
    let dns = debian.run(&["resolvectl", "--no-pager", "dns"])?;
    Ok(format!("{dns}{}", debian.run(&["resolvectl", "--no-pager", "domain"])?))
}

/// Waits until systemd-resolved knows the granted server again; gives how long that took.
fn told_anew(debian: &Debian<'_>) -> Result<Duration> {
    let start = Instant::now();
    wait_for("the name servers to be set anew", SOON, || {
        let links = links(debian)?;
        let device = links.lines().find(|line| line.contains("(mn0)")).context("no mn0")?;
        Ok(device.contains(&plan::CN4.to_string()).then(|| start.elapsed()))
    })
}

#[test]
fn systemd_resolved_is_told_while_the_node_is_registered_and_has_forgotten_afterwards() {
    inside(|lab| {
        let mut scene = scene(lab)?;
        let debian = lab.debian()?;
        let mut resolved = debian.resolved()?;
        // What networkd or NetworkManager would say.
        debian.run(&["resolvectl", "dns", plan::WIFI, &plan::HAC4.to_string()])?;
        let before = links(&debian)?;
        scene.deployment.mn_up_by(debian.mn())?;
        scene.is_through("systemd-resolved")?;
        scene.finds_the_inside(&debian)?;
        scene.renews()?;

        // Elsewhere, with that network's servers.
        scene.lab.attach(plan::LTE)?;
        debian.run(&["resolvectl", "revert", plan::WIFI])?;
        debian.run(&["resolvectl", "dns", plan::LTE, &plan::HAC6.to_string()])?;
        scene.lab.detach(plan::WIFI)?;
        scene.deployment.wait_for_care_of(plan::LTE)?;
        scene.renews()?;
        scene.finds_the_inside(&debian)?;

        debian.run(&["resolvectl", "revert", "mn0"])?;
        let took = told_anew(&debian)?;
        eprintln!("reverted by somebody else: set anew after {took:.0?}");
        ensure!(took <= ANEW, "{took:?}");
        scene.lab.allow_warning("mn", "the host does not ask the name servers");
        resolved.kill()?;
        std::fs::remove_dir_all(debian.path("/run/systemd/resolve/netif"))?;
        resolved.restart()?;
        debian.wait_for_resolved()?;
        let took = told_anew(&debian)?;
        eprintln!("systemd-resolved started anew: set anew after {took:.0?}");
        ensure!(took <= ANEW, "{took:?}");
        debian.run(&["resolvectl", "dns", plan::LTE, &plan::HAC6.to_string()])?;
        scene.is_through("systemd-resolved")?;
        scene.finds_the_inside(&debian)?;

        scene.lab.attach(plan::WIFI)?;
        debian.run(&["resolvectl", "revert", plan::LTE])?;
        debian.run(&["resolvectl", "dns", plan::WIFI, &plan::HAC4.to_string()])?;
        scene.down(&debian)?;
        ensure!(links(&debian)? == before, "{} and not as before, {before}", links(&debian)?);
        scene.deployment.mn_up_by(debian.mn())?;
        scene.is_through("systemd-resolved")?;
        scene.deployment.mn()?.kill()?;
        wait_for("the link to be forgotten", SOON, || Ok((links(&debian)? == before).then_some(())))
    });
}

#[test]
fn openresolv_is_told_and_forgets_also_after_a_crash() {
    inside(|lab| {
        let mut scene = scene(lab)?;
        let debian = lab.debian()?;
        // As a DHCP client does.
        std::fs::remove_file(debian.path("/etc/resolv.conf"))?;
        let dhcp = format!("echo nameserver {} | resolvconf -a wifi.dhcp", plan::HAC4);
        debian.run(&["sh", "-ec", &dhcp])?;
        let before = debian.read("/etc/resolv.conf")?;
        ensure!(before.contains(&plan::HAC4.to_string()) && before.contains("resolvconf"), "{before}");
        let is_inside = |debian: &Debian<'_>| {
            let now = debian.read("/etc/resolv.conf")?;
            Ok::<_, anyhow::Error>(now.contains(&plan::CN4.to_string()) && !now.contains(&plan::HAC4.to_string()))
        };
        debian.install_openresolv()?;
        scene.deployment.mn_up_by(debian.mn_after(BY_SU))?;
        scene.is_through("resolvconf")?;
        ensure!(is_inside(&debian)?, "{}", debian.read("/etc/resolv.conf")?);
        scene.finds_the_inside(&debian)?;
        scene.renews()?;

        debian.run(&["resolvconf", "-d", "mn0.haltsec"])?;
        let start = Instant::now();
        wait_for("the entry to be made anew", SOON, || Ok(is_inside(&debian)?.then_some(())))?;
        ensure!(start.elapsed() <= LOOKED_ANEW, "{:?}", start.elapsed());

        scene.deployment.mn()?.kill()?;
        ensure!(is_inside(&debian)?, "a crash cannot put back");
        let down = programs::output(debian.mn_after(BY_SU).arg("down"))?;
        ensure!(down.status.success() && debian.read("/etc/resolv.conf")? == before, "{}", programs::said(&down));
        scene.deployment.mn()?.restart()?;
        scene.deployment.wait_until_registered(SOON)?;
        scene.is_through("resolvconf")?;
        cannot_be_put_back(&mut scene, &debian)?;
        ensure!(debian.read("/etc/resolv.conf")? == before, "{}", debian.read("/etc/resolv.conf")?);
        Ok(())
    });
}

/// Somebody has removed the program that was told: that holds up neither a node nor the end of its guard, and is said.
fn cannot_be_put_back(scene: &mut Scene<'_>, debian: &Debian<'_>) -> Result<()> {
    scene.deployment.mn()?.kill()?;
    debian.remove_openresolv()?;
    scene.lab.allow_warning("mn", "");
    scene.deployment.mn()?.restart()?;
    scene.deployment.wait_until_registered(SOON)?;
    wait_for("what is left to be shown", SOON, || {
        let status = scene.deployment.status("mn")?;
        Ok(status["dns_error"].as_str().is_some_and(|error| error.contains("not put back")).then_some(()))
    })?;
    let down = programs::output(debian.mn_after(BY_SU).arg("down"))?;
    let says = |down: &Output, words| down.status.code() == Some(1) && programs::said(down).contains(words);
    ensure!(says(&down, "left name servers that it had set; run `mn down` once more"), "{}", programs::said(&down));
    scene.deployment.mn()?.wait(SOON)?;
    debian.install_openresolv()?;
    scene.deployment.mn()?.restart()?;
    scene.deployment.wait_until_registered(SOON)?;
    scene.is_through("resolvconf")?;
    scene.deployment.mn()?.kill()?;
    debian.remove_openresolv()?;
    let down = programs::output(debian.mn_after(BY_SU).arg("down"))?;
    ensure!(says(&down, "resolvconf failed"), "{}", programs::said(&down));
    let tables = debian.run(&["nft", "list", "tables"])?;
    ensure!(!tables.contains("haltsec") && !Path::new("/run/haltsec/mn.sock").exists(), "the guard stays: {tables}");
    debian.install_openresolv()?;
    let down = programs::output(debian.mn_after(BY_SU).arg("down"))?;
    ensure!(down.status.success() && programs::said(&down).contains("put the name servers back"), "{}", programs::said(&down));
    Ok(())
}

#[test]
fn the_file_itself_is_written_only_where_the_operator_says_so_and_what_was_there_comes_back() {
    inside(|lab| {
        let mut scene = scene(lab)?;
        let debian = lab.debian()?;
        std::fs::remove_file(debian.path("/etc/resolv.conf"))?;
        let write = |server: &str| std::fs::write(debian.path("/etc/resolv.conf"), format!("nameserver {server}\n"));
        write(&plan::HAC4.to_string())?;
        let before = debian.read("/etc/resolv.conf")?;
        scene.deployment.mn_up_by(debian.mn())?;
        ensure!(scene.deployment.status("mn")?["dns_through"].is_null() && debian.read("/etc/resolv.conf")? == before);
        scene.down(&debian)?;

        edit(&lab.folder().join("mn/mn.toml"), &["dns", "mode"], "file".into())?;
        scene.deployment.mn_up_by(debian.mn_after("umask 077"))?;
        scene.is_through("/etc/resolv.conf")?;
        let mode = std::fs::metadata(debian.path("/etc/resolv.conf"))?.permissions().mode();
        ensure!(mode & 0o777 == 0o644, "programs of other users cannot read it: {mode:o}");
        scene.finds_the_inside(&debian)?;
        scene.renews()?;
        // A DHCP client of the next network.
        write(&plan::HAC6.to_string())?;
        wait_for("the file to be written anew", ANEW, || {
            Ok(debian.read("/etc/resolv.conf")?.contains(&plan::CN4.to_string()).then_some(()))
        })?;
        scene.deployment.mn()?.kill()?;
        let down = programs::output(debian.mn().arg("down"))?;
        ensure!(down.status.success(), "mn down: {}", programs::said(&down));
        ensure!(debian.read("/etc/resolv.conf")? == format!("nameserver {}\n", plan::HAC6));
        ensure!(!debian.path("/etc/resolv.conf.before-mn").exists());
        Ok(())
    });
}
