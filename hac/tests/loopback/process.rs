//! The program `hac serve` as a process of its own, which can be killed as a power cut would: without a word.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use super::*;

const SIGKILL: i32 = 9;
/// Ticks a second in `/proc/PID/stat`: 100 on every architecture that Debian has.
const USER_HZ: f64 = 100.0;

/// A HAC that serves; it dies with the value.
pub(super) struct Process {
    child: Child,
    log: Option<JoinHandle<Vec<String>>>,
    /// Where mobile nodes connect.
    pub(super) mobile_nodes: SocketAddr,
    /// Where home agents connect.
    pub(super) home_agents: SocketAddr,
}

impl Process {
    /// Starts it and waits until it says where it serves.
    pub(super) fn start(world: &World) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hac"));
        command.args(["-c", &world.text("hac/hac.toml"), "serve"]).env("HALTSEC_LOG", "info");
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let mut said = Vec::new();
        let serves = lines.by_ref().inspect(|line| said.push(line.clone())).find(|line| line.contains("serves"));
        let serves = serves.unwrap_or_else(|| panic!("it ended before it served: {said:?}"));
        let address = |key: &str| {
            let value = serves.split(&format!("{key}=")).nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
            value.trim_matches(['[', ']']).parse().unwrap()
        };
        let (mobile_nodes, home_agents) = (address("mobile_nodes"), address("home_agents"));
        let log = Some(std::thread::spawn(move || lines.collect()));
        Self { child, log, mobile_nodes, home_agents }
    }

    /// Seconds of CPU that it takes while `work` is done.
    pub(super) async fn cpu_of(&self, work: impl Future<Output = ()>) -> f64 {
        let before = self.ticks();
        work.await;
        (self.ticks() - before) as f64 / USER_HZ
    }

    /// Of user and system, since its start.
    fn ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let behind_the_name = stat.rsplit_once(") ").unwrap().1;
        behind_the_name.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
    }

    /// Memory that it has now.
    pub(super) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Sends SIGKILL, waits for its end and gives what it logged.
    pub(super) fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        assert_eq!(self.child.wait().unwrap().signal(), Some(SIGKILL), "it ran until now");
        self.log.take().unwrap().join().unwrap()
    }
}

impl Drop for Process {
    /// After a test that failed, or that has no more use for it.
    fn drop(&mut self) {
        if self.log.is_some() {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
    }
}
