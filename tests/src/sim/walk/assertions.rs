//! What holds after every step of a walk, whatever was done to the world.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use feed::SessionReport;
use hac::store::QUARANTINE;
use protocol::addr::HomeAddresses;
use protocol::sa::UserData;

use super::SLICE;
use super::attacker::Attacker;
use super::model::Model;
use super::packets::Packets;
use super::patience::Patience;
use super::setting::Setting;
use super::transition::Way;
use crate::sim::World;

/// SAs of one subscriber (PROFILE section 4).
const MOST_SAS: usize = 4;
/// A move's socket, and those that are closing.
const MOST_SOCKETS: usize = 8;
/// User data to an address that is not proved (PROFILE section 4).
const UNPROVED: usize = 64 << 10;
/// Answers to one copied Binding Update and what is asked of the node in the ten minutes of a binding.
const SIGNALLING: usize = 4 << 10;
/// Runs of MHAuth in a minute that nobody but the machines want: a HAC to which no home agent is connected asks mobile nodes to
/// come again in 5 s, and they take a fifth less at least. All else leaves longer pauses.
const MOST_RUNS: u32 = 15;
const MINUTE: Duration = Duration::from_secs(60);
/// Binding Updates in a slice of time of a calm world: a renewal that both ends want, a refresh, and what a path check takes.
const MOST_UPDATES: u32 = 8;

/// What was seen so far.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) packets: Packets,
    pub(super) attacker: Attacker,
    /// Datagrams of the record that have been looked at.
    recorded: usize,
    pub(super) patience: Patience,
    /// The datagram of each SPI, direction and sequence number.
    numbers: BTreeMap<(u32, bool, u32), Vec<u8>>,
    /// Binding Updates, where they have numbers.
    updates: u32,
    /// User data that went as PType 0.
    clear: BTreeSet<Vec<u8>>,
    pub(super) home: Option<HomeAddresses>,
    /// Grants that have been looked at.
    granted: usize,
    /// When each SPI was given last.
    spis: BTreeMap<u32, Duration>,
    /// What was said last of each session, by SPI and number.
    sessions: BTreeMap<(u32, u32), SessionReport>,
    runs: u32,
    /// When, how many runs of MHAuth, and how many of them the walk itself wanted.
    minute: VecDeque<(Duration, u32, u32)>,
}

/// A promise that was broken.
pub(super) type Broken = String;

impl Seen {
    /// Looks at everything. `wanted`: runs of MHAuth that the walk has asked for since the last time.
    pub(super) fn check(&mut self, world: &mut World, setting: &Setting, model: &Model, wanted: u32) -> Result<(), Broken> {
        // First of all: under an SPI that is given again numbers begin anew.
        self.check_grants(world, setting)?;
        self.check_sessions(world)?;
        self.check_home(world)?;
        self.check_record(world, setting)?;
        self.check_deliveries(world, setting)?;
        check_sizes(world)?;
        self.check_runs(world, wanted)?;
        self.check_log(&world.watch.take(""), setting, model)?;
        let broken = self.packets.broken_promises(world.elapsed());
        ensure(broken.is_empty(), || format!("sent in a calm world and not arrived: {broken:?}"))
    }

    /// Looks at what happened in a slice of time in which the world was calm, beside everything else.
    pub(super) fn check_calm(&mut self, world: &mut World, setting: &Setting, model: &Model) -> Result<(), Broken> {
        let before = self.updates;
        self.check(world, setting, model, 0)?;
        let updates = self.updates - before;
        ensure(updates <= MOST_UPDATES, || format!("{updates} Binding Updates in at most {} s of a calm world", SLICE.as_secs()))
    }

    fn check_log(&mut self, lines: &[String], setting: &Setting, model: &Model) -> Result<(), Broken> {
        self.patience.failed(lines.iter().filter(|line| line.contains("MHAuth failed")).count());
        let unexplained = lines.iter().find(|line| !model.explains(line, setting.is_numbered()));
        ensure(unexplained.is_none(), || format!("nothing explains this line: {}", unexplained.cloned().unwrap_or_default()))
    }

    fn check_record(&mut self, world: &World, setting: &Setting) -> Result<(), Broken> {
        for sent in &world.network.record[self.recorded..] {
            if let Some(octets) = self.attacker.addresses.get_mut(&sent.to) {
                *octets += sent.octets.len();
                let (to, got) = (sent.to, *octets);
                ensure(got <= UNPROVED + SIGNALLING, || format!("{to}, where nobody proved to be, was sent {got} octets"))?;
            }
            if let Some(payload) = sent.octets.strip_prefix(&[0; 8]) {
                ensure(setting.user_data == UserData::Clear, || "protected user data went in the clear".to_owned())?;
                self.clear.insert(payload.to_vec());
            } else if setting.is_numbered() {
                let number = sent.number();
                // A Binding Update may go in several datagrams, which are the same.
                let is_first = !self.numbers.contains_key(&number);
                self.updates += u32::from(is_first && sent.is_signalling() && sent.is_up());
                let before = self.numbers.entry(number).or_insert_with(|| sent.octets.clone());
                ensure(*before == sent.octets, || format!("(SPI, uplink, number) {number:x?} numbers two datagrams"))?;
            } else {
                ensure(sent.is_signalling(), || "user data went under an SA without numbers".to_owned())?;
            }
        }
        self.recorded = world.network.record.len();
        Ok(())
    }

    fn check_deliveries(&mut self, world: &mut World, setting: &Setting) -> Result<(), Broken> {
        for (way, packet) in received(world) {
            match self.packets.deliver(way, packet.clone()) {
                Some(times) => {
                    // PType 0 has no number: what went in the clear may come twice.
                    let may_come_again = times == 1 || self.clear.contains(&packet);
                    ensure(may_come_again, || format!("a packet ({way:?}) was delivered {times} times"))?;
                }
                None => {
                    let is_forged = self.attacker.forged.iter().any(|payload| payload.starts_with(&packet));
                    let may_be_forged = setting.user_data == UserData::Clear && is_forged;
                    ensure(may_be_forged, || format!("a packet ({way:?}) was delivered that no application sent"))?;
                }
            }
        }
        Ok(())
    }

    fn check_home(&mut self, world: &World) -> Result<(), Broken> {
        let Some(home) = world.home() else { return Ok(()) };
        let known = *self.home.get_or_insert(home);
        ensure(known == home, || format!("the home addresses were {known:?} and are {home:?}"))
    }

    fn check_grants(&mut self, world: &World, setting: &Setting) -> Result<(), Broken> {
        for grant @ (at, spi) in &world.grants[self.granted..] {
            self.patience.granted(grant);
            if let Some(before) = self.spis.insert(spi.get(), *at) {
                // Both are whole seconds at the HAC.
                let free = before + setting.sa_lifetime + QUARANTINE - Duration::from_secs(1);
                ensure(free <= *at, || format!("SPI {spi} was given again too early"))?;
                self.numbers.retain(|(of, ..), _| *of != spi.get());
                self.sessions.retain(|(of, _), _| *of != spi.get());
            }
        }
        self.granted = world.grants.len();
        Ok(())
    }

    /// What is said of a session grows, until it has ended; whatever was lost and told again.
    fn check_sessions(&mut self, world: &mut World) -> Result<(), Broken> {
        for report in world.session_reports() {
            let before = self.sessions.insert((report.spi.get(), report.number), report);
            let Some(before) = before else { continue };
            let shrinks = before.age > report.age || before.traffic.since(report.traffic) != Default::default();
            let is_revived = before.ended.is_some() && before != report;
            ensure(!shrinks && !is_revived, || format!("of one session it was said {before:?} and then {report:?}"))?;
        }
        Ok(())
    }

    fn check_runs(&mut self, world: &World, wanted: u32) -> Result<(), Broken> {
        let (now, runs) = (world.elapsed(), world.mhauth_attempts());
        self.minute.push_back((now, runs - std::mem::replace(&mut self.runs, runs), wanted));
        // Each entry stands for what happened in the slice before it.
        while self.minute.front().is_some_and(|(at, ..)| *at + MINUTE < now + SLICE) {
            self.minute.pop_front();
        }
        let (runs, wanted) = self.minute.iter().fold((0, 0), |(runs, wanted), (_, more, asked)| (runs + more, wanted + asked));
        ensure(runs <= MOST_RUNS + wanted, || format!("{runs} runs of MHAuth within a minute, {wanted} of them wanted"))
    }
}

/// What the applications got since they were asked last.
fn received(world: &mut World) -> Vec<(Way, Vec<u8>)> {
    let up = world.correspondent_received().into_iter().map(|packet| (Way::Up, packet));
    let up: Vec<_> = up.collect();
    up.into_iter().chain(world.mobile_node_received().into_iter().map(|packet| (Way::Down, packet))).collect()
}

fn check_sizes(world: &mut World) -> Result<(), Broken> {
    let wall = world.wall();
    let live = world.controller.live_associations(wall);
    ensure(live <= MOST_SAS as u64, || format!("{live} SAs live at the HAC"))?;
    let associations = world.gateway.iter().flat_map(|gateway| gateway.home_agent.security_associations());
    let held = associations.filter(|held| held.install.valid_until > world.now).count();
    ensure(held <= MOST_SAS, || format!("the home agent holds {held} SAs that have not run out"))?;
    let sockets = world.node.as_ref().map_or(0, |node| node.sockets.len());
    ensure(sockets <= MOST_SOCKETS, || format!("the mobile node has {sockets} sockets open"))
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> Broken) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(otherwise()) }
}
