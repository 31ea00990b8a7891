//! The Debian root booted: its systemd is the first process of a PID namespace, with mounts and a control group of its own, in the
//! mobile node's network namespace. Needs root: who has one user alone is given no control group.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::{Debian, SOON, System, Users, mount, text};
use crate::lab::{Daemon, Lab, plan, programs, wait_for};

/// Run in the lab's mount namespace with the root, the lab's name and the rest of the command: enters a control group of its own.
const ENTER: &str = "#!/bin/sh -e
groups=$1/tmp/control-groups
mkdir $groups
mount -t cgroup2 cgroup2 $groups
mkdir $groups/$2
echo $$ > $groups/$2/cgroup.procs
shift 2
exec \"$@\"
";

/// Run in the namespaces of the new system, with the root. What systemd would set of the kernel it cannot but for the network. Without
/// `/sys` to write to there is no udev to wait for, and of the devices there is nothing that could be spoilt.
const INIT: &str = "#!/bin/sh -e
umount -l $1/proc $1/dev
umount $1/tmp/control-groups
mount -t proc proc $1/proc
mount --bind $1/proc/sys $1/proc/sys
mount --bind $1/proc/sys/net $1/proc/sys/net
mount -o remount,bind,ro $1/proc/sys
mount -t sysfs -o ro sysfs $1/sys
mount -t cgroup2 cgroup2 $1/sys/fs/cgroup
mount -t tmpfs -o mode=0755 tmpfs $1/dev
mkdir $1/dev/net $1/dev/shm $1/dev/pts $1/dev/mqueue
for device in null zero full random urandom tty net/tun; do
  touch $1/dev/$device
  mount --bind /dev/$device $1/dev/$device
done
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts $1/dev/pts
ln -s pts/ptmx $1/dev/ptmx
for folder in log tmp lib/systemd lib/NetworkManager; do
  mount -t tmpfs -o mode=0755 tmpfs $1/var/$folder
done
mount -o remount,bind,ro $1
cd $1
pivot_root . mnt
umount -l /mnt
container=lab exec /lib/systemd/systemd --log-target=journal --show-status=0
";

/// What a machine does when it starts and this one must not, or need not.
const MASKED: &[&str] = &[
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "kmod-static-nodes.service",
    "ldconfig.service",
    "modprobe@.service",
    "NetworkManager-dispatcher.service",
    "proc-sys-fs-binfmt_misc.automount",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-ask-password-console.path",
    "systemd-ask-password-wall.path",
    "systemd-binfmt.service",
    "systemd-firstboot.service",
    "systemd-hwdb-update.service",
    "systemd-journal-catalog-update.service",
    "systemd-journal-flush.service",
    "systemd-journald-audit.socket",
    "systemd-machine-id-commit.service",
    "systemd-modules-load.service",
    "systemd-network-generator.service",
    "systemd-random-seed.service",
    "systemd-remount-fs.service",
    "systemd-sysctl.service",
    "systemd-sysusers.service",
    "systemd-tmpfiles-setup-dev.service",
    "systemd-tmpfiles-setup.service",
    "systemd-udev-trigger.service",
    "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket",
    "systemd-udevd.service",
    "systemd-update-done.service",
    "systemd-update-utmp.service",
];
/// Those of the daemons that a case may want; the others are masked too.
const DAEMONS: [&str; 3] = ["systemd-resolved.service", "systemd-networkd.service", "NetworkManager.service"];
/// What is started.
const TARGET: &str = "lab.target";

/// The system's first process and its control group.
#[derive(Debug)]
pub(super) struct Booted {
    init: Daemon,
    pid: u32,
}

impl Lab {
    /// Boots the root with these of its daemons, named as units, once `configure` has written what they are to find in the root's `/etc`.
    /// Returns when they run.
    pub fn boot(&self, daemons: &[&str], configure: impl FnOnce(&Path) -> Result<()>) -> Result<Debian<'_>> {
        let users = fs::read_to_string("/proc/self/uid_map")?;
        ensure!(users.split_whitespace().nth(2) != Some("1"), "a booted system needs root: run this case as root");
        let root = mount(self, Users::Own)?;
        ensure!(root.join("usr/sbin/NetworkManager").exists(), "the Debian root is an old one: run `make debian-root`");
        let etc = root.join("etc");
        units(&etc.join("systemd/system"), daemons)?;
        configure(&etc)?;
        script(&root, "enter", ENTER)?;
        script(&root, "init", INIT)?;
        let started = Instant::now();
        let (enter, init) = (root.join("tmp/enter"), root.join("tmp/init"));
        let unshare =
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--cgroup", "--uts", "--ipc", "--propagation", "private"];
        let words = [&[text(&root)?, self.name()?][..], &unshare, &[text(&init)?, text(&root)?]].concat();
        let mut init = self.spawn(plan::MN, "init", &enter, &words)?;
        let pid = wait_for("the first process of the system", SOON, || {
            init.check_running()?;
            first_process(init.pid())
        })?;
        let mut debian = Debian { lab: self, root, system: System::Booted(Booted { init, pid }) };
        debian.wait_until_booted(daemons)?;
        eprintln!("booted after {:.0?}", started.elapsed());
        Ok(debian)
    }

    /// The last part of the folder's path, which no other lab has.
    fn name(&self) -> Result<&str> {
        self.folder().file_name().and_then(std::ffi::OsStr::to_str).context("the lab's folder has no name")
    }
}

impl Debian<'_> {
    fn wait_until_booted(&mut self, daemons: &[&str]) -> Result<()> {
        wait_for("the system to be up", SOON, || {
            if let System::Booted(booted) = &mut self.system {
                booted.init.check_running()?;
            }
            let active = self.output(&[&["systemctl", "is-active", TARGET], daemons].concat())?;
            let said = programs::said(&active);
            // One that is active is enough for its exit status.
            let count = said.lines().filter(|state| *state == "active").count();
            ensure!(count == daemons.len() + 1, "systemctl says of {TARGET}, {}: {said}", daemons.join(", "));
            Ok(Some(()))
        })
    }
}

impl Booted {
    /// A command in the system, as one of its own processes.
    pub(super) fn command(&self, lab: &Lab) -> Command {
        let mut command = lab.command(plan::MN, "nsenter");
        command.arg(format!("--target={}", self.pid)).args(["--mount", "--pid", "--"]);
        command
    }

    /// Ends the system and removes its control group; what its daemons have said is in the lab's folder then.
    pub(super) fn end(&mut self, lab: &Lab, root: &Path) -> Result<()> {
        let journal = programs::output(self.command(lab).args(["journalctl", "--no-pager", "--output=short-precise"]))?;
        fs::write(lab.folder().join("journal.log"), journal.stdout)?;
        self.init.kill()?;
        let own = root.join("tmp/control-groups").join(lab.name()?);
        wait_for("the control group to be empty", SOON, || {
            let find =
                programs::output(Command::new("find").arg(&own).args(["-depth", "-type", "d", "-exec", "rmdir", "{}", ";"]))?;
            ensure!(!own.exists(), "{}", programs::said(&find));
            Ok(Some(()))
        })
    }
}

/// The child that has become systemd; the scripts before it have other children for a moment.
fn first_process(parent: u32) -> Result<Option<u32>> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"))?;
    let Ok(child) = children.trim().parse() else { return Ok(None) };
    let is_systemd = fs::read_to_string(format!("/proc/{child}/comm")).is_ok_and(|name| name.trim() == "systemd");
    Ok(is_systemd.then_some(child))
}

/// The target that is booted, and what is not to be started by anybody.
fn units(folder: &Path, daemons: &[&str]) -> Result<()> {
    let started = daemons.join(" ");
    fs::write(folder.join(TARGET), format!("[Unit]\nWants=dbus.socket {started}\nAfter=dbus.socket {started}\n"))?;
    link(Path::new(TARGET), &folder.join("default.target"))?;
    for unit in MASKED.iter().chain(DAEMONS.iter().filter(|daemon| !daemons.contains(daemon))) {
        link(Path::new("/dev/null"), &folder.join(unit))?;
    }
    Ok(())
}

fn link(target: &Path, link: &Path) -> Result<()> {
    let _none_yet = fs::remove_file(link);
    symlink(target, link).with_context(|| format!("cannot make {}", link.display()))
}

fn script(root: &Path, name: &str, lines: &str) -> Result<()> {
    let path = root.join("tmp").join(name);
    fs::write(&path, lines)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}
