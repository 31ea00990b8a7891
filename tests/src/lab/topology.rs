//! The lab's namespaces and links, and what can be done in them. Made by [`enter`](super::enter), given to every body.

use std::fs::OpenOptions;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use service::logging::FILTER_VARIABLE;

use super::logs::{Expectations, KEY_EXPORT};
use super::{Daemon, Mix, plan, programs, wait_for};

/// What the kernel does by and by is done by then: it takes down the namespaces of other tests with the same lock, and slowly where the
/// machine is busy.
pub(super) const KERNEL: Duration = Duration::from_secs(30);

/// What the programs log: their own words, and what libraries have to complain of.
const LEVELS: &str = "info,hac=debug,ha=debug,mn=debug,protocol=debug,net=debug,feed=debug,service=debug";

/// A running lab. All of it ends with the process.
#[derive(Debug)]
pub struct Lab {
    folder: PathBuf,
    pub(super) expectations: Expectations,
    everything_is_logged: AtomicBool,
    pub(super) mix: OnceLock<Mix>,
}

impl Lab {
    /// Builds the plan in the namespaces that the caller was put into. `folder` takes logs and captures.
    pub(super) fn new(folder: &Path) -> Result<Self> {
        let (folder, everything_is_logged) = (folder.to_owned(), AtomicBool::new(false));
        let lab = Self { folder, expectations: Expectations::default(), everything_is_logged, mix: OnceLock::new() };
        own_run().context("cannot build a lab here; it must be entered with `lab::inside`")?;
        check_tun()?;
        for namespace in plan::NAMESPACES {
            programs::run(Command::new("ip").args(["netns", "add", namespace]))?;
            lab.sysctls(namespace, plan::SYSCTLS)?;
        }
        for namespace in [plan::NET, plan::HA] {
            lab.sysctls(namespace, plan::FORWARDING)?;
        }
        programs::run_with_input(Command::new("ip").args(["-batch", "-"]), plan::LINKS)?;
        for (namespace, lines) in plan::ADDRESSES {
            lab.ip_batch(namespace, lines)?;
        }
        for (namespace, interface) in plan::STEADY {
            lab.wait_until_awake(namespace, interface)?;
        }
        Ok(lab)
    }

    /// Where logs, captures and the programs' state are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// From here on programs are started with every level of every library in their logs.
    pub fn log_everything(&self) {
        self.everything_is_logged.store(true, Ordering::Relaxed);
    }

    /// A command that runs in a namespace; its process is the program itself. An `mn` of the build feature `lab` exports its keys,
    /// which no log may have.
    pub fn command(&self, namespace: &str, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        let level = if self.everything_is_logged.load(Ordering::Relaxed) { "trace" } else { LEVELS };
        command.env(FILTER_VARIABLE, level).env("HALTSEC_LAB_ESP_SA", self.folder.join(KEY_EXPORT));
        command.arg(format!("--net=/run/netns/{namespace}")).arg("--").arg(program);
        command
    }

    /// Runs a command in a namespace to its end; fails with what it said unless it succeeds.
    pub fn run(&self, namespace: &str, words: &[&str]) -> Result<String> {
        programs::run(&mut self.words(namespace, words)?)
    }

    /// Runs a command in a namespace to its end, whatever its exit status.
    pub fn output(&self, namespace: &str, words: &[&str]) -> Result<Output> {
        programs::output(&mut self.words(namespace, words)?)
    }

    fn words(&self, namespace: &str, words: &[&str]) -> Result<Command> {
        let (program, arguments) = words.split_first().context("an empty command")?;
        let mut command = self.command(namespace, program);
        command.args(arguments);
        Ok(command)
    }

    /// Starts a program that stays; `name` names its log.
    pub fn spawn(&self, namespace: &str, name: &str, program: &Path, arguments: &[&str]) -> Result<Daemon> {
        let mut command = self.command(namespace, program);
        command.args(arguments);
        Daemon::start(name, command, &self.folder)
    }

    /// Brings an access network of the mobile node up: link, address, default route. Returns when the address can be used.
    pub fn attach(&self, access: &str) -> Result<()> {
        self.configure(access, &self.lease(access, self.care_of(access)?)?)
    }

    /// The same, with a metric: the lower, the better.
    pub fn attach_with_metric(&self, access: &str, metric: u32) -> Result<()> {
        let lines = self.access(access)?.lease(access, self.care_of(access)?);
        self.configure(access, &format!("{lines} metric {metric}"))
    }

    fn configure(&self, access: &str, lines: &str) -> Result<()> {
        self.ip_batch(plan::MN, &format!("link set {access} up"))?;
        self.wait_until_awake(plan::NET, access)?;
        self.ip_batch(plan::MN, lines)?;
        wait_for(&format!("an address on {access}"), KERNEL, || {
            let tentative =
                self.run(plan::MN, &["ip", "-6", "-o", "address", "show", "dev", access, "scope", "global", "tentative"])?;
            Ok(tentative.is_empty().then_some(()))
        })
    }

    /// Takes an access network away: address, then link.
    pub fn detach(&self, access: &str) -> Result<()> {
        self.ip_batch(plan::MN, &format!("address flush dev {access}\nlink set {access} down"))
    }

    /// Hands lines to `ip -batch` in a namespace.
    pub fn ip_batch(&self, namespace: &str, lines: &str) -> Result<()> {
        programs::run_with_input(self.command(namespace, "ip").args(["-batch", "-"]), lines)
    }

    /// The global addresses of an interface, in the kernel's order; empty when there is no such interface.
    pub fn addresses(&self, namespace: &str, interface: &str) -> Result<Vec<IpAddr>> {
        let output = self.output(namespace, &["ip", "-j", "address", "show", "dev", interface, "scope", "global"])?;
        if !output.status.success() {
            return Ok(Vec::new());
        }
        let interfaces: serde_json::Value = serde_json::from_slice(&output.stdout).context("`ip -j` printed no JSON")?;
        let addresses = interfaces.as_array().into_iter().flatten().filter_map(|link| link["addr_info"].as_array()).flatten();
        addresses.filter_map(|info| info["local"].as_str()).map(|text| Ok(text.parse()?)).collect()
    }

    /// Waits until an interface hears. Of two ends that are set up the second one wakes a moment after the first, and a question
    /// for its address that comes before is asked again a second later.
    fn wait_until_awake(&self, namespace: &str, interface: &str) -> Result<()> {
        wait_for(&format!("{interface} of {namespace} to be up"), KERNEL, || {
            let link = self.run(namespace, &["ip", "-o", "link", "show", "dev", interface])?;
            Ok(link.contains("state UP").then_some(()))
        })
    }

    /// Writes settings of a namespace, by their paths under `/proc/sys/net`.
    pub fn sysctls(&self, namespace: &str, settings: &[(&str, &str)]) -> Result<()> {
        let lines: String = settings.iter().map(|(name, value)| format!("echo {value} > /proc/sys/net/{name}\n")).collect();
        programs::run(self.command(namespace, "sh").args(["-ec", &lines])).map(drop)
    }
}

/// Gives this mount namespace a `/run` of its own, for `ip netns` and the control sockets.
fn own_run() -> Result<()> {
    ensure!(std::process::id() == 1, "this process is not PID 1 of a namespace of its own");
    programs::run(Command::new("mount").args(["--make-rprivate", "/"]))?;
    programs::run(Command::new("mount").args(["-t", "tmpfs", "-o", "mode=0755,size=64m", "tmpfs", "/run"]))?;
    std::fs::create_dir_all("/run/haltsec").context("cannot make /run/haltsec")
}

/// The tunnels need the TUN device.
fn check_tun() -> Result<()> {
    let tun = OpenOptions::new().read(true).write(true).open("/dev/net/tun");
    tun.map(drop).context(
        "cannot open /dev/net/tun for reading and writing: run as root, or let this user open it (`chmod 666 /dev/net/tun`, \
         the mode that Debian's udev gives it); in a container, pass the device through",
    )
}
