//! `ha` and `mn` killed with SIGKILL under load and started again: no sequence number is used twice under a key, what was
//! captured before is worth nothing afterwards, and traffic is back after one 176 and one run of MHAuth.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::lab::deployment::{MN_TUN, SOON};
use tests::lab::pcap::{self, Datagram};
use tests::lab::traffic::during;
use tests::lab::{Deployment, Lab, Setup, inside, plan};

use crate::setup;
use crate::wire::Wire;

/// Packets a second, each way.
const RATE: u32 = 2_000;
/// How long the stream runs before a program is killed in it.
const BEFORE: Duration = Duration::from_millis(500);

/// Who is killed, and what brings traffic back.
struct Kill {
    victims: &'static [&'static str],
    /// How long the stream runs.
    load: Duration,
    /// Longer than this without a packet in one direction is no recovery, the time apart that the kernel needs to end a program and
    /// its device and to start it again. A node asks its home agent after two seconds of silence.
    longest_gap: Duration,
    /// How often the home agent says 176.
    reinitialisations: usize,
}

const HA: Kill =
    Kill { victims: &["ha"], load: Duration::from_secs(6), longest_gap: Duration::from_secs(5), reinitialisations: 1 };
const MN: Kill =
    Kill { victims: &["mn"], load: Duration::from_secs(3), longest_gap: Duration::from_secs(2), reinitialisations: 0 };
const BOTH: Kill = Kill { victims: &["ha", "mn"], ..MN };

/// A test for each setup.
macro_rules! come_through_kills {
    ($($test:ident: $suite:literal, $profile:literal, user data $user_data:literal;)*) => {$(
        #[test]
        fn $test() {
            let setup = Setup { suite: $suite, profile: $profile, user_data: $user_data, ..captured() };
            inside(|lab| killed_under_load(lab, &setup, &[HA, MN]));
        }
    )*};
}

come_through_kills! {
    aes_128_gcm: "AES_128_GCM", "rfc6618", user data "protected";
    chacha20_poly1305: "CHACHA20_POLY1305", "rfc6618", user data "protected";
    aes_128_cbc_sha: "AES_128_CBC_SHA", "rfc6618", user data "protected";
    aes_128_cbc_sha256: "AES_128_CBC_SHA256", "rfc6618", user data "protected";
    triple_des: "3DES_EDE_CBC_SHA", "rfc6618", user data "protected";
    null_sha: "NULL_SHA", "rfc6618", user data "protected";
    null_sha256: "NULL_SHA256", "rfc6618", user data "protected";
    aes_128_gcm_in_the_clear: "AES_128_GCM", "rfc6618", user data "clear";
    aes_128_cbc_sha_in_draft_04: "AES_128_CBC_SHA", "draft-04", user data "protected";
    aes_128_cbc_sha256_in_draft_04: "AES_128_CBC_SHA256", "draft-04", user data "protected";
    triple_des_in_draft_04: "3DES_EDE_CBC_SHA", "draft-04", user data "protected";
    null_sha_in_draft_04_in_the_clear: "NULL_SHA", "draft-04", user data "clear";
    null_sha256_in_draft_04_in_the_clear: "NULL_SHA256", "draft-04", user data "clear";
}

#[test]
fn both_at_once() {
    inside(|lab| killed_under_load(lab, &captured(), &[BOTH]));
}

/// Each datagram is to be captured, and sent again, by itself.
fn captured() -> Setup<'static> {
    Setup { in_memory: true, without_offloads: &["ha", "mn"], ..Setup::default() }
}

fn killed_under_load(lab: &Lab, setup: &Setup<'_>, kills: &[Kill]) -> Result<()> {
    let capture = lab.capture(plan::NET, plan::HA, "whole", 0, "udp port 7872")?;
    let mut deployment = setup::registered_with(lab, setup)?;
    let servers = lab.serve_traffic()?;
    for kill in kills {
        recovers(&mut deployment, lab, kill).with_context(|| format!("{:?} killed", kill.victims))?;
    }
    let wire = Wire::read(&capture.stop()?)?;
    let (datagrams, spis) = wire.size();
    eprintln!("{datagrams} datagrams under {spis} SPIs");
    ensure!(spis == 1 + kills.len(), "an SPI for each life was expected, and not {spis}");
    wire.check(setup)?;
    let expected: usize = kills.iter().map(|kill| kill.reinitialisations).sum();
    // A second one is right where MHAuth takes longer than the second for which the home agent does not repeat itself.
    let said = wire.reinitialisations(setup);
    ensure!((expected..=2 * expected).contains(&said), "{said} times 176, not {expected}");
    // An old stream would wake them.
    drop(servers);
    nothing_old_counts(&deployment, lab, &wire)?;
    deployment.ping_everywhere()
}

/// Under a stream: SIGKILL, a start, and traffic is back after one run of MHAuth.
fn recovers(deployment: &mut Deployment<'_>, lab: &Lab, kill: &Kill) -> Result<()> {
    let sessions = deployment.sessions()?;
    let mut away = Duration::ZERO;
    let streams = during(
        || lab.stream(plan::CN6, kill.load, RATE),
        || {
            std::thread::sleep(BEFORE);
            let killed = Instant::now();
            kill.victims.iter().try_for_each(|victim| deployment.program(victim)?.kill())?;
            for victim in kill.victims {
                deployment.program(victim)?.restart()?;
                // A node that asks the HAC before the home agent has its feed is told to come again in five seconds.
                if kill.victims.len() > 1 {
                    deployment.wait_until_serving()?;
                }
            }
            away = killed.elapsed();
            Ok(())
        },
    )?;
    deployment.wait_until_registered(SOON)?;
    let runs = deployment.sessions()? - sessions;
    ensure!(runs == 1, "{runs} runs of MHAuth: {}", deployment.status("hac")?);
    let longest = (kill.longest_gap + away).as_secs_f64() * 1e3;
    ensure!(streams.up.longest_gap_ms < longest && streams.down.longest_gap_ms < longest, "no recovery: {streams:?}");
    let (up, down) = (&streams.up, &streams.down);
    eprintln!(
        "{:?} killed among {} and {} packets, away for {} ms: silent for {:.0} ms up, {:.0} ms down",
        kill.victims,
        up.sent,
        down.sent,
        away.as_millis(),
        up.longest_gap_ms,
        down.longest_gap_ms
    );
    Ok(())
}

/// The whole capture, sent again to both ends: no binding moves, no MHAuth runs, and nothing is delivered. User data in the clear
/// has no protection but its address (PROFILE): what comes from where the latest valid Binding Update came from, or from
/// the home agent, is delivered again, and nothing else.
fn nothing_old_counts(deployment: &Deployment<'_>, lab: &Lab, wire: &Wire) -> Result<()> {
    let again = Again::new(deployment, lab)?;
    let file = lab.folder().join("again.pcap");
    wire.write(&file, |datagram| again.aim(datagram))?;
    let delivered = again.send("as-they-were", wire, &file)?;
    let expected = [wire.clear_udp(again.node), wire.clear_udp(again.home_agent)];
    ensure!(delivered == expected, "delivered up and down: {delivered:?}, not {expected:?}");
    if expected != [0, 0] {
        wire.write(&file, |datagram| {
            again.aim(datagram);
            datagram.from.set_port(datagram.from.port() ^ 1);
        })?;
        let delivered = again.send("from-elsewhere", wire, &file)?;
        ensure!(delivered == [0, 0], "delivered up and down from another port: {delivered:?}");
    }
    Ok(())
}

/// Somebody on the path who sends a capture again.
struct Again<'a> {
    deployment: &'a Deployment<'a>,
    lab: &'a Lab,
    home_agent: SocketAddr,
    /// Where the node is bound.
    node: SocketAddr,
}

impl<'a> Again<'a> {
    fn new(deployment: &'a Deployment<'a>, lab: &'a Lab) -> Result<Self> {
        let binding = deployment.steady_binding()?;
        let node = binding["remote"].as_str().context("no `remote`")?.parse()?;
        Ok(Self { deployment, lab, home_agent: SocketAddr::new(plan::HA_OUTER4.into(), plan::PORT), node })
    }

    /// What went to an earlier socket of the node goes to the present one.
    fn aim(&self, datagram: &mut Datagram) {
        if datagram.from == self.home_agent {
            datagram.to = self.node;
        }
    }

    /// Sends to both ends and gives how many inner packets came out up and down. All else is counted as dropped, but for
    /// signalling that was answered, and moves nothing.
    fn send(&self, how: &str, wire: &Wire, file: &Path) -> Result<[usize; 2]> {
        let state = || Ok::<_, anyhow::Error>((self.binding()?, self.deployment.sessions()?));
        let before = state()?;
        let up = self.send_to(file, ("ha", self.home_agent, wire.signalling(true)), (plan::CN, plan::HOME, how))?;
        let down = self.send_to(file, ("mn", self.node, wire.signalling(false)), (plan::MN, MN_TUN, how))?;
        let after = state()?;
        ensure!(after == before, "binding and sessions were {before:?} and are {after:?}");
        Ok([up, down])
    }

    /// Without what it has carried: whatever is delivered counts.
    fn binding(&self) -> Result<Value> {
        let mut binding = self.deployment.steady_binding()?;
        binding.as_object_mut().context("a binding is no object")?.retain(|name, _| name != "from_node" && name != "to_node");
        Ok(binding)
    }

    fn send_to(&self, file: &Path, to: (&str, SocketAddr, usize), inner: (&str, &str, &str)) -> Result<usize> {
        let (program, address, signalling) = to;
        let drops = self.deployment.all_drops(program)?;
        let watch = self.lab.capture(inner.0, inner.1, &format!("{}-{}", inner.0, inner.2), 0, "udp")?;
        let (file, address) = (file.to_str().context("no UTF-8")?, address.to_string());
        let sent = self.lab.labtool::<Value>(plan::NET, &["inject", file, "--to", &address])?;
        let sent = sent["sent"].as_u64().context("labtool told no number")?;
        setup::settle();
        let delivered = pcap::read(&watch.stop()?)?.len();
        let dropped = self.deployment.all_drops(program)? - drops;
        ensure!(
            sent > 1_000 && dropped + delivered as u64 + signalling as u64 >= sent,
            "{program}: of {sent} sent again, {signalling} of them signalling, {dropped} dropped and {delivered} delivered"
        );
        Ok(delivered)
    }
}
