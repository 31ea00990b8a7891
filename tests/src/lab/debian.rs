//! A Debian system beside the lab's programs, for the daemons that make a host's `/etc/resolv.conf`: `make debian-root` has made it under
//! `target/debian`, and a lab sees it with a `/run` and an `/etc` of its own, so that nothing of it is changed.
//!
//! Its daemons are started by themselves on a system bus of their own, in the mobile node's namespace, or all of it is booted; the
//! mobile node runs in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};

use service::logging::FILTER_VARIABLE;

use super::deployment::SOON;
use super::logs::KEY_EXPORT;
use super::{Daemon, Lab, plan, programs, wait_for};

mod boot;
pub mod networks;

use boot::Booted;

/// Of the system bus, within the root.
const BUS: &str = "run/dbus/system_bus_socket";
/// Of the mobile node, within the root.
const CONFIGURATION: [&str; 2] = ["-c", "/tmp/lab/mn/mn.toml"];
/// Where openresolv is, which cannot be installed beside systemd-resolved.
const PATH: &str = "PATH=/opt/openresolv/sbin:/usr/sbin:/usr/bin:/sbin:/bin";
const DAEMONS_USERS: [&str; 2] = ["systemd-resolve", "messagebus"];

/// A mounted root with a system bus.
#[derive(Debug)]
pub struct Debian<'lab> {
    lab: &'lab Lab,
    root: PathBuf,
    system: System,
}

/// Who [`DAEMONS_USERS`] are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Users {
    /// Themselves.
    Own,
    /// Root under other names: a rootless lab has one user alone.
    Root,
}

/// What runs in it.
#[derive(Debug)]
enum System {
    /// The bus, and what a case starts.
    Bus { _daemon: Daemon },
    /// All of it.
    Booted(Booted),
}

impl Lab {
    /// Mounts the root and starts its system bus.
    pub fn debian(&self) -> Result<Debian<'_>> {
        let root = mount(self, Users::Root)?;
        let words = [text(&root)?, "dbus-daemon", "--system", "--nofork", "--nopidfile"];
        let bus = self.spawn(plan::MN, "dbus", Path::new("chroot"), &words)?;
        wait_for("the system bus", SOON, || Ok(root.join(BUS).exists().then_some(())))?;
        Ok(Debian { lab: self, root, system: System::Bus { _daemon: bus } })
    }
}

impl Debian<'_> {
    /// A command of the root in the mobile node's namespace.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = match &self.system {
            System::Bus { .. } => {
                let mut command = self.lab.command(plan::MN, "chroot");
                command.arg(&self.root);
                command
            }
            System::Booted(booted) => booted.command(self.lab),
        };
        command.args(["env", PATH, &format!("HALTSEC_LAB_ESP_SA=/tmp/lab/{KEY_EXPORT}")]).arg(program);
        command
    }

    /// `mn` in the root, without arguments but for its configuration.
    pub fn mn(&self) -> Command {
        let mut command = self.command("/tmp/mn");
        command.args(CONFIGURATION);
        command
    }

    /// The same from a shell in which `before` was run.
    pub fn mn_after(&self, before: &str) -> Command {
        let mut command = self.command("sh");
        command.args(["-ec", &format!("{before}; exec /tmp/mn \"$@\""), "mn"]).args(CONFIGURATION);
        command
    }

    /// openresolv where Debian installs it, in a folder of the administrator's.
    pub fn install_openresolv(&self) -> Result<()> {
        let [folder, own] = ["usr/sbin", "opt/openresolv/sbin"].map(|folder| self.root.join(folder));
        let layers = format!("lowerdir={}:{}", text(&own)?, text(&folder)?);
        programs::run(Command::new("mount").args(["-t", "overlay", "-o", &layers, "overlay"]).arg(folder)).map(drop)
    }

    /// Takes it away again.
    pub fn remove_openresolv(&self) -> Result<()> {
        programs::run(Command::new("umount").arg(self.root.join("usr/sbin"))).map(drop)
    }

    /// `mn` as a node that stays, as a service of the system where one is booted: then this command is not its process, and ends
    /// with it.
    pub fn mn_service(&self) -> Command {
        if let System::Bus { .. } = &self.system {
            return self.mn();
        }
        let mut command = self.command("systemd-run");
        command.args(["--unit=mn", "--wait", "--pipe", "--quiet", "--collect", "--setenv=NO_COLOR=1"]);
        command.args([&format!("--setenv={FILTER_VARIABLE}"), "--setenv=HALTSEC_LAB_ESP_SA", "/tmp/mn"]).args(CONFIGURATION);
        command
    }

    /// Runs a command to its end; fails with what it said unless it succeeds.
    pub fn run(&self, words: &[&str]) -> Result<String> {
        let (program, arguments) = words.split_first().context("an empty command")?;
        programs::run(self.command(program).args(arguments))
    }

    /// Runs a command to its end, whatever its exit status.
    pub fn output(&self, words: &[&str]) -> Result<Output> {
        let (program, arguments) = words.split_first().context("an empty command")?;
        programs::output(self.command(program).args(arguments))
    }

    /// Starts systemd-resolved; returns when it answers.
    pub fn resolved(&self) -> Result<Daemon> {
        let words = [text(&self.root)?, "/lib/systemd/systemd-resolved"];
        let daemon = self.lab.spawn(plan::MN, "resolved", Path::new("chroot"), &words)?;
        self.wait_for_resolved()?;
        Ok(daemon)
    }

    /// Waits until systemd-resolved answers on the bus.
    pub fn wait_for_resolved(&self) -> Result<()> {
        wait_for("systemd-resolved to answer", SOON, || Ok(Some(self.run(&["resolvectl", "--no-pager", "dns"])?))).map(drop)
    }

    /// A file of the root as it is now.
    pub fn read(&self, path: &str) -> Result<String> {
        let path = self.path(path);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    /// Where a file of the root is, seen from outside; links within it lead elsewhere from there.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }
}

impl Drop for Debian<'_> {
    fn drop(&mut self) {
        if let System::Booted(booted) = &mut self.system
            && let Err(error) = booted.end(self.lab, &self.root)
        {
            eprintln!("the booted system did not end as it should: {error:#}");
        }
    }
}

fn mount(lab: &Lab, users: Users) -> Result<PathBuf> {
    let mn = programs::path("mn")?;
    let made = mn.parent().and_then(Path::parent).context("no target folder")?.join("debian");
    ensure!(made.join("made").exists(), "{} is missing: run `make debian-root` first", made.display());
    let root = lab.folder().join("debian");
    fs::create_dir(&root)?;
    let bind = |from: &Path, to: &str| programs::run(Command::new("mount").arg("--bind").args([from, &root.join(to)])).map(drop);
    bind(&made, "")?;
    for own in ["run", "tmp"] {
        programs::run(Command::new("mount").args(["-t", "tmpfs", "-o", "mode=0755", "tmpfs"]).arg(root.join(own)))?;
    }
    own_etc(&root, &made, users)?;
    for folder in ["run/dbus", "run/systemd", "run/haltsec", "tmp/lab"] {
        fs::create_dir_all(root.join(folder))?;
    }
    fs::write(root.join("tmp/mn"), "")?;
    bind(&mn, "tmp/mn")?;
    bind(lab.folder(), "tmp/lab")?;
    bind(Path::new("/run/haltsec"), "run/haltsec")?;
    // Devices and processes are the lab's.
    for outside in ["dev", "proc"] {
        programs::run(Command::new("mount").arg("--rbind").args([&Path::new("/").join(outside), &root.join(outside)]))?;
    }
    Ok(root)
}

/// A copy of what every user may read, in memory.
fn own_etc(root: &Path, made: &Path, users: Users) -> Result<()> {
    let etc = root.join("etc");
    programs::run(Command::new("mount").args(["-t", "tmpfs", "-o", "mode=0755", "tmpfs"]).arg(&etc))?;
    let copied = programs::output(Command::new("cp").args(["-r", "--preserve=mode,links"]).arg(made.join("etc/.")).arg(&etc))?;
    ensure!(etc.join("dbus-1").exists(), "cannot copy /etc: {}", programs::said(&copied));
    let files = if users == Users::Root { &["passwd", "group"][..] } else { &[] };
    for file in files {
        let lines = fs::read_to_string(etc.join(file))?;
        fs::write(etc.join(file), lines.lines().map(as_root).collect::<String>())?;
    }
    Ok(())
}

/// A line of `passwd` or `group`, in which a daemon's user is root under another name.
fn as_root(line: &str) -> String {
    let mut fields: Vec<_> = line.split(':').collect();
    if DAEMONS_USERS.contains(&fields[0]) {
        let ids = if fields.len() > 4 { 2..4 } else { 2..3 };
        fields[ids].fill("0");
    }
    format!("{}\n", fields.join(":"))
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("the lab's folder is no UTF-8")
}
