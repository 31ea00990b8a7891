//! A program that stays, with its log in the lab's folder. Ended when dropped.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{programs, wait_for};

/// Ticks a second in `/proc/PID/stat`: USER_HZ, 100 on every architecture that Debian has.
const USER_HZ: f64 = 100.0;

/// A running program of a lab.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    command: Command,
    child: Child,
    log: PathBuf,
}

impl Daemon {
    pub(super) fn start(name: &str, mut command: Command, folder: &Path) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let child = spawn(&mut command, &log)?;
        Ok(Self { name: name.to_owned(), command, child, log })
    }

    /// The program's process id, of the lab's PID namespace.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the program wrote so far, of all its runs.
    pub fn log(&self) -> String {
        std::fs::read(&self.log).map(|octets| String::from_utf8_lossy(&octets).into_owned()).unwrap_or_default()
    }

    /// Fails, with the log, when the program has ended.
    pub fn check_running(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended with {status}:\n{}", self.name, self.log()),
        }
    }

    /// SIGKILL: no clean-up of the program's own.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill().with_context(|| format!("cannot kill {}", self.name))?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, and the exit status; SIGKILL and an error when the program does not end within `limit`.
    pub fn terminate(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.signal("TERM")?;
        let ended = self.wait(limit);
        if ended.is_err() {
            self.kill()?;
        }
        ended
    }

    /// Sends a signal, by its name without `SIG`.
    pub fn signal(&self, name: &str) -> Result<()> {
        programs::run(Command::new("sh").args(["-c", &format!("kill -{name} {}", self.pid())])).map(drop)
    }

    /// Waits for the program to end by itself.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let what = format!("{} to end", self.name);
        wait_for(&what, limit, || Ok(self.child.try_wait()?))
    }

    /// Starts the program again, with the same arguments, after it has ended. The log goes on.
    pub fn restart(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_none() {
            bail!("{} still runs", self.name);
        }
        self.child = spawn(&mut self.command, &self.log)?;
        Ok(())
    }

    /// CPU time of all threads so far, user and system, in seconds.
    pub fn cpu_seconds(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).context("no such process")?;
        let (_, fields) = stat.rsplit_once(") ").context("/proc/PID/stat has another form")?;
        let fields: Vec<_> = fields.split(' ').collect();
        let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
        let (user, system) = ticks(11).zip(ticks(12)).context("/proc/PID/stat has another form")?;
        Ok((user + system) as f64 / USER_HZ)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(command: &mut Command, log: &Path) -> Result<Child> {
    let log = OpenOptions::new().create(true).append(true).open(log).context("cannot write a log")?;
    command.env("NO_COLOR", "1").stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    command.spawn().with_context(|| format!("cannot start {}", programs::sentence(command)))
}
