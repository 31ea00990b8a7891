//! HAC, home agent and mobile node set up by their own commands and running in the lab, as an operator would do it.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::{Daemon, Lab, plan, programs, wait_for};
use crate::schema::Schema;

/// The subscriber of every lab.
pub const NAI: &str = "alice@example.org";
/// The home agent's and the mobile node's TUN devices, as configured by default.
pub const HA_TUN: &str = "ha0";
/// See [`HA_TUN`].
pub const MN_TUN: &str = "mn0";
/// Programs start and stop within this time, on a busy machine too.
pub const SOON: Duration = Duration::from_secs(20);

/// What a deployment is to be, in the words of configuration and command line.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    /// The one suite that the HAC grants and the mobile node offers.
    pub suite: &'a str,
    /// `rfc6618` or `draft-04`, at both ends.
    pub profile: &'a str,
    /// `protected` or `clear`, at both ends: `mip6-sas`.
    pub user_data: &'a str,
    /// IPv6 home addresses, if there are any.
    pub pool6: Option<&'a str>,
    /// IPv4 home addresses, if there are any.
    pub pool4: Option<&'a str>,
    /// Whether home agent and HAC have IPv6 addresses outside, besides IPv4.
    pub outer6: bool,
    /// The HAC's TCP port.
    pub port: u16,
    /// The home agent's TCP port for datagrams over TLS, if it has one.
    pub fallback_port: Option<u16>,
    /// Whether the mobile node is told the HAC's name alone, and neither its addresses nor its port.
    pub by_name: bool,
    /// Whether the HAC's folder is in memory: a commit then waits for no disk that captures are written to at the same time.
    pub in_memory: bool,
    /// The ends, `ha` and `mn`, whose offloads are off: a capture on one host shows as one packet what the kernel handles as one.
    pub without_offloads: &'a [&'a str],
    /// The ends, `ha` and `mn`, that are told how many workers they have.
    pub workers: &'a [(&'a str, u8)],
    /// Whether what waits for a tunnel at either end, while no processor is free for it, may be half a second's worth: for cases that count
    /// what their own doings lose.
    pub deep_queues: bool,
}

/// Octets of a tunnel's UDP socket and packets of its device, where queues are deep.
const DEEP: (i64, &str) = (16 << 20, "5000");

impl Default for Setup<'_> {
    /// What a HAC and a mobile node do that were told nothing: AES_128_GCM as in RFC 6618, home addresses of both families.
    fn default() -> Self {
        let (pool6, pool4) = (Some(plan::POOL6), Some(plan::POOL4));
        Self {
            suite: "AES_128_GCM",
            profile: "rfc6618",
            user_data: "protected",
            pool6,
            pool4,
            outer6: true,
            port: plan::PORT,
            fallback_port: None,
            by_name: false,
            in_memory: false,
            without_offloads: &[],
            workers: &[],
            deep_queues: false,
        }
    }
}

/// The three programs of a lab.
#[derive(Debug)]
pub struct Deployment<'lab> {
    lab: &'lab Lab,
    /// Correspondent node's addresses of the families that have home addresses, IPv6 first.
    pub correspondents: Vec<IpAddr>,
    deep_queues: bool,
    // Ended in this order: who is left behind would complain.
    /// `mn up --foreground`, once started.
    pub mn: Option<Daemon>,
    /// `ha serve`.
    pub ha: Daemon,
    /// `hac serve`.
    pub hac: Daemon,
}

impl<'lab> Deployment<'lab> {
    /// [`with`](Self::with) one suite and defaults.
    pub fn start(lab: &'lab Lab, suite: &str) -> Result<Self> {
        Self::with(lab, &Setup { suite, ..Setup::default() })
    }

    /// Initialises a HAC as `setup` says, adds one home agent and one subscriber, and starts HAC and home agent. Returns when
    /// the home agent has connected to the feed.
    pub fn with(lab: &'lab Lab, setup: &Setup<'_>) -> Result<Self> {
        Self::configured(lab, setup, |_| Ok(()))
    }

    /// [`with`](Self::with), and between the commands that write the configuration and the start of the programs what `change` does to it.
    pub fn configured(lab: &'lab Lab, setup: &Setup<'_>, change: impl FnOnce(&Lab) -> Result<()>) -> Result<Self> {
        provision(lab, setup)?;
        change(lab)?;
        let mut hac = lab.spawn(plan::HAC, "hac", &programs::path("hac")?, &["-c", &file(lab, "hac", "hac.toml")?, "serve"])?;
        wait_for("hac to serve", SOON, || {
            hac.check_running()?;
            Ok((status(lab, "hac")?["running"] == true).then_some(()))
        })?;
        let ha = lab.spawn(plan::HA, "ha", &programs::path("ha")?, &["-c", &file(lab, "ha", "ha.toml")?, "serve"])?;
        let correspondents = [setup.pool6.map(|_| plan::CN6), setup.pool4.map(|_| plan::CN4)].into_iter().flatten().collect();
        let deep_queues = setup.deep_queues;
        let mut deployment = Self { lab, correspondents, deep_queues, mn: None, ha, hac };
        deployment.wait_until_serving()?;
        deployment.deepen_queue(plan::HA, HA_TUN)?;
        Ok(deployment)
    }

    /// Waits until both servers answer and the home agent's device stands.
    pub fn wait_until_serving(&mut self) -> Result<()> {
        wait_for("hac and ha to serve", SOON, || {
            self.hac.check_running()?;
            self.ha.check_running()?;
            let status = self.status("ha")?;
            ensure!(status["feed"]["connected"] == true, "the status of ha is {status}");
            ensure!(!self.lab.addresses(plan::HA, HA_TUN)?.is_empty(), "{HA_TUN} has no address");
            Ok((self.status("hac")?["running"] == true).then_some(()))
        })
    }

    /// Starts `mn up --foreground` with extra environment, and waits until it is registered.
    pub fn mn_up(&mut self, environment: &[(&str, &Path)]) -> Result<()> {
        self.mn_start(environment)?;
        self.wait_until_registered(SOON)?;
        self.deepen_queue(plan::MN, MN_TUN)
    }

    fn deepen_queue(&self, host: &str, device: &str) -> Result<()> {
        if self.deep_queues {
            self.lab.run(host, &["ip", "link", "set", "dev", device, "txqueuelen", DEEP.1])?;
        }
        Ok(())
    }

    /// Starts it, and does not wait.
    pub fn mn_start(&mut self, environment: &[(&str, &Path)]) -> Result<()> {
        let mut command = self.lab.command(plan::MN, programs::path("mn")?);
        command.args(["-c", &file(self.lab, "mn", "mn.toml")?]).envs(environment.iter().copied());
        self.mn_start_by(command)
    }

    /// The same with an `mn` that has been told of its configuration, until it is registered.
    pub fn mn_up_by(&mut self, mn: Command) -> Result<()> {
        self.mn_start_by(mn)?;
        self.wait_until_registered(SOON)
    }

    fn mn_start_by(&mut self, mut mn: Command) -> Result<()> {
        mn.args(["up", "--foreground"]);
        self.mn = Some(Daemon::start("mn", mn, self.lab.folder())?);
        Ok(())
    }

    /// Waits for `mn status` to say this state, with the leak guard standing.
    pub fn wait_for_state(&self, state: &str) -> Result<()> {
        wait_for(&format!("mn to be {state}"), SOON, || {
            let output = command(self.lab, "mn", &["status", "--json"])?;
            let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            ensure!(status["state"] == state && status["guard"]["standing"] == true, "its status is {status}");
            Ok(Some(()))
        })
    }

    /// Waits for `mn status` to say `registered`; fails at once when `mn` ends.
    pub fn wait_until_registered(&mut self, limit: Duration) -> Result<()> {
        let mn = self.mn.as_mut().context("mn was not started")?;
        let lab = self.lab;
        let registered = wait_for("mn to be registered", limit, || {
            if mn.check_running().is_err() {
                return Ok(Some(false));
            }
            let status = status(lab, "mn")?;
            ensure!(status["state"] == "registered", "its status is {status}");
            Ok(Some(true))
        })?;
        if !registered {
            mn.check_running()?;
        }
        Ok(())
    }

    /// The running `mn`.
    pub fn mn(&mut self) -> Result<&mut Daemon> {
        self.mn.as_mut().context("mn was not started")
    }

    /// The running `hac`, `ha` or `mn`.
    pub fn program(&mut self, name: &str) -> Result<&mut Daemon> {
        match name {
            "hac" => Ok(&mut self.hac),
            "ha" => Ok(&mut self.ha),
            _ => self.mn(),
        }
    }

    /// Runs a command of `hac`, `ha` or `mn` with its configuration, whatever its exit status.
    pub fn command(&self, program: &str, words: &[&str]) -> Result<Output> {
        command(self.lab, program, words)
    }

    /// `status --json` of a program.
    pub fn status(&self, program: &str) -> Result<Value> {
        status(self.lab, program)
    }

    /// What a command prints with `--json`, found to be as its page says; and its exit code.
    pub fn json(&self, program: &str, words: &[&str]) -> Result<(Value, Option<i32>)> {
        let (object, output) = run_json(self.lab, program, words)?;
        Ok((object, output.status.code()))
    }

    /// `ha bindings --json`.
    pub fn bindings(&self) -> Result<Value> {
        json(self.lab, "ha", &["bindings"])
    }

    /// The binding, without the fields that only the clock moves: what must not change when a packet is refused.
    pub fn steady_binding(&self) -> Result<Value> {
        let bindings = self.bindings()?;
        let list = bindings["bindings"].as_array().context("`ha bindings --json` has no list `bindings`")?;
        let [binding] = &list[..] else { bail!("one binding was expected, and not {bindings}") };
        let mut binding = binding.clone();
        binding.as_object_mut().context("a binding is no object")?.retain(|name, _| name != "seconds_left");
        Ok(binding)
    }

    /// MHAuth runs at the HAC since it started, however they ended. Waits until none is open: a node has what it wants before
    /// the HAC has counted.
    pub fn sessions(&self) -> Result<u64> {
        wait_for("the HAC's sessions to end", SOON, || {
            let status = self.status("hac")?;
            let sessions = status["sessions"].as_object().with_context(|| format!("no `sessions` in {status}"))?;
            let count = || sessions.values().filter_map(Value::as_u64).sum();
            Ok(sessions.get("open").is_some_and(|open| *open == 0).then(count))
        })
    }

    /// How many packets `program` (`ha` or `mn`) dropped, for whatever reason.
    pub fn all_drops(&self, program: &str) -> Result<u64> {
        let status = self.status(program)?;
        let by_reason = find(&status, if program == "ha" { "drops" } else { "dropped" }).and_then(Value::as_object);
        Ok(by_reason.with_context(|| format!("{program} counts no drops: {status}"))?.values().filter_map(Value::as_u64).sum())
    }

    /// How many packets `program` dropped for a reason, by the reason's label; 0 for one that did not occur.
    pub fn drops(&self, program: &str, reason: &str) -> Result<u64> {
        Ok(find(&self.status(program)?, reason).and_then(Value::as_u64).unwrap_or(0))
    }

    /// Waits until the binding names the mobile node's care-of address on an access network.
    pub fn wait_for_care_of(&self, access: &str) -> Result<()> {
        let care_of = self.lab.care_of(access)?;
        wait_for(&format!("the binding to name {care_of}"), SOON, || {
            let bindings = self.bindings()?.to_string();
            ensure!(bindings.contains(&format!("\"{care_of}\"")), "the bindings are {bindings}");
            Ok(Some(()))
        })
    }

    /// Moves the mobile node: the new network comes before the old one goes. Returns when the binding has moved.
    pub fn move_to(&self, access: &str) -> Result<()> {
        self.lab.attach(access)?;
        self.lab.detach(if access == plan::WIFI { plan::LTE } else { plan::WIFI })?;
        self.wait_for_care_of(access)
    }

    /// Echoes of every family that has home addresses, from the mobile node to the correspondent node and back.
    pub fn ping_everywhere(&self) -> Result<()> {
        for to in &self.correspondents {
            self.lab.reaches(plan::MN, *to, 3)?;
        }
        for home in self.home_addresses()? {
            self.lab.reaches(plan::CN, home, 3)?;
        }
        Ok(())
    }

    /// Octets that went through the mobile node's tunnel device so far: out and in.
    pub fn tunnel_octets(&self) -> Result<(u64, u64)> {
        let text = self.lab.run(plan::MN, &["ip", "-j", "-s", "link", "show", "dev", MN_TUN])?;
        let links: Value = serde_json::from_str(&text).context("`ip -j` printed no JSON")?;
        let octets = |way: &str| links[0]["stats64"][way]["bytes"].as_u64();
        octets("tx").zip(octets("rx")).with_context(|| format!("`ip -s` printed {text}"))
    }

    /// The mobile node's home addresses, as its device has them: one of each family that the pools have, IPv6 first.
    pub fn home_addresses(&self) -> Result<Vec<IpAddr>> {
        let mut homes = self.lab.addresses(plan::MN, MN_TUN)?;
        homes.sort_by_key(IpAddr::is_ipv4);
        let same_families = homes.iter().map(IpAddr::is_ipv4).eq(self.correspondents.iter().map(IpAddr::is_ipv4));
        ensure!(same_families, "{MN_TUN} has {homes:?}, but there are pools for {:?}", self.correspondents);
        Ok(homes)
    }
}

/// Writes configuration, certificates and keys with the programs' own commands, then edits what the lab needs otherwise.
fn provision(lab: &Lab, setup: &Setup<'_>) -> Result<()> {
    let (hac, ha, mn) = (folder(lab, "hac")?, folder(lab, "ha")?, folder(lab, "mn")?);
    if setup.in_memory {
        std::fs::create_dir(&hac)?;
        programs::run(Command::new("mount").args(["-t", "tmpfs", "-o", "mode=0700,size=64m", "tmpfs", &hac]))?;
    }
    let config = file(lab, "hac", "hac.toml")?;
    let (ha4, ha6) = (plan::HA_OUTER4.to_string(), plan::HA_OUTER6.to_string());
    let feed = format!("{}:7873", plan::HAC4);
    let listen = format!("[::]:{}", setup.port);
    let mut init = vec!["init", "--dir", &hac, "--listen", &listen];
    init.extend(setup.pool6.iter().flat_map(|pool| ["--pool6", pool]));
    init.extend(setup.pool4.iter().flat_map(|pool| ["--pool4", pool]));
    hac_command(lab, &init)?;
    edit(Path::new(&config), &["policy", "suites"], vec![setup.suite].into())?;
    let mut add_ha = vec!["-c", &config, "ha", "add", "ha1", "--address", &ha4, "--feed", &feed, "--out", &ha];
    if setup.outer6 {
        add_ha.extend(["--address", &ha6]);
    }
    let fallback_port = setup.fallback_port.map(|port| port.to_string());
    add_ha.extend(fallback_port.iter().flat_map(|port| ["--fallback-port", port]));
    hac_command(lab, &add_ha)?;
    add_subscriber(lab, setup, &config, &mn)?;
    for end in setup.without_offloads {
        edit(&configuration(lab, end)?, &["tunnel", "offloads"], false.into())?;
    }
    for (end, count) in setup.workers {
        edit(&configuration(lab, end)?, &["tunnel", "workers"], i64::from(*count).into())?;
    }
    if setup.deep_queues {
        ["ha", "mn"].iter().try_for_each(|end| edit(&configuration(lab, end)?, &["tunnel", "receive-buffer"], DEEP.0.into()))?;
    }
    let mn_config = PathBuf::from(file(lab, "mn", "mn.toml")?);
    if setup.by_name {
        return remove(&mn_config, &["hac", "port"]);
    }
    let mut addresses = vec![plan::HAC4.to_string()];
    addresses.extend(setup.outer6.then(|| plan::HAC6.to_string()));
    edit(&mn_config, &["hac", "addresses"], addresses.into())
}

/// `hac subscriber add`, with the options of what is not the default.
fn add_subscriber(lab: &Lab, setup: &Setup<'_>, config: &str, out: &str) -> Result<()> {
    let connect = format!("{}:{}", plan::HAC4, setup.port);
    let mut words = vec!["-c", config, "subscriber", "add", NAI, "--out", out];
    if !setup.by_name {
        words.extend(["--connect", &connect]);
    }
    let usual = Setup::default();
    let own = (setup.profile, setup.user_data) != (usual.profile, usual.user_data);
    if own {
        words.extend(["--profile", setup.profile, "--suite", setup.suite, "--user-data", setup.user_data]);
    }
    hac_command(lab, &words)
}

/// Sets one key of a TOML file.
pub fn edit(path: &Path, keys: &[&str], value: toml::Value) -> Result<()> {
    change(path, keys, Some(value))
}

/// Takes one key out of a TOML file, if it is there.
pub fn remove(path: &Path, keys: &[&str]) -> Result<()> {
    change(path, keys, None)
}

fn change(path: &Path, keys: &[&str], value: Option<toml::Value>) -> Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut table: toml::Table = text.parse().with_context(|| format!("{} is no TOML", path.display()))?;
    let (last, parents) = keys.split_last().context("no key")?;
    let mut at = &mut table;
    for key in parents {
        let entry = at.entry((*key).to_owned()).or_insert_with(|| toml::Table::new().into());
        at = entry.as_table_mut().with_context(|| format!("{key} of {} is no table", path.display()))?;
    }
    match value {
        Some(value) => at.insert((*last).to_owned(), value),
        None => at.remove(*last),
    };
    std::fs::write(path, toml::to_string(&table)?).with_context(|| format!("cannot write {}", path.display()))
}

fn hac_command(lab: &Lab, words: &[&str]) -> Result<()> {
    let mut command = lab.command(plan::HAC, programs::path("hac")?);
    programs::run(command.args(words)).map(drop)
}

fn folder(lab: &Lab, name: &str) -> Result<String> {
    lab.folder().join(name).into_os_string().into_string().ok().context("the lab's folder is no UTF-8")
}

/// The configuration of a program.
pub fn configuration(lab: &Lab, program: &str) -> Result<PathBuf> {
    Ok(PathBuf::from(file(lab, program, &format!("{program}.toml"))?))
}

fn file(lab: &Lab, program: &str, name: &str) -> Result<String> {
    Ok(format!("{}/{name}", folder(lab, program)?))
}

/// Runs a command of a program with its configuration, in the program's namespace.
pub fn command(lab: &Lab, program: &str, words: &[&str]) -> Result<Output> {
    // What hangs would hang the lab.
    let mut command: Command = lab.command(program, "timeout");
    command
        .args(["--kill-after=5", "60"])
        .arg(programs::path(program)?)
        .args(["-c", &file(lab, program, &format!("{program}.toml"))?])
        .args(words);
    programs::output(&mut command)
}

fn status(lab: &Lab, program: &str) -> Result<Value> {
    json(lab, program, &["status"])
}

fn json(lab: &Lab, program: &str, words: &[&str]) -> Result<Value> {
    let (object, output) = run_json(lab, program, words)?;
    ensure!(output.status.success(), "{program} {} failed: {}", words.join(" "), programs::said(&output));
    Ok(object)
}

/// What a command prints with `--json`, found to be as its page says, whether it succeeds or not.
fn run_json(lab: &Lab, program: &str, words: &[&str]) -> Result<(Value, Output)> {
    let sentence = format!("{program} {}", words.join(" "));
    let output = command(lab, program, &[words, &["--json"]].concat())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let object: Value =
        serde_json::from_str(&text).with_context(|| format!("{sentence} --json printed no JSON: {}", programs::said(&output)))?;
    ensure!(object.get("error").is_none() == output.status.success(), "{sentence} ended with {} and {object}", output.status);
    let differences = Schema::of_the_manual()?.differences(&sentence, &object)?;
    ensure!(differences.is_empty(), "docs/manual/json.md says otherwise:\n{}\n{object}", differences.join("\n"));
    Ok((object, output))
}

/// The first value under `key`, at any depth.
fn find<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Object(map) => map.get(key).or_else(|| map.values().find_map(|value| find(value, key))),
        Value::Array(values) => values.iter().find_map(|value| find(value, key)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}
