//! Random walks through the simulated world, held against a model of what it owes.
//!
//! A walk is decoded from octets, so that a seeded generator, libFuzzer and a committed regression are the same thing: two for
//! the `setting`, then two for each `transition`. Whatever happens, the `assertions` hold after every step and the `model`'s
//! promises are kept; at the end everything is set right, and within the `patience` of its machines packets cross both ways.

mod assertions;
mod attacker;
mod model;
mod packets;
mod patience;
mod setting;
mod shrink;
mod transition;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use mn::mobile_node::Phase;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{Access, Nat, World};
use crate::link::Link;
use assertions::{Broken, Seen};
use model::Model;
use setting::Setting;
use transition::{Transition, Way};

/// More transitions than this are not taken from one input: an input of libFuzzer's is to end.
const MOST_TRANSITIONS: usize = 64;
/// What an attacker sends has arrived by then, and what left both ends at the same time has not.
const ATTACK: Duration = Duration::from_millis(2);
/// How long the world runs before it is looked at again.
const SLICE: Duration = Duration::from_secs(30);

/// What was seen on a walk that kept every promise.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// The longest time that setting everything right took.
    pub longest_recovery: Duration,
    /// Packets that had to arrive, and did.
    pub promised: usize,
}

/// A walk that a generator draws.
pub fn random(seed: u64) -> Vec<u8> {
    let mut rng = StdRng::seed_from_u64(seed);
    let transitions = rng.random_range(5..=40);
    (0..setting::OCTETS + transitions * transition::OCTETS).map(|_| rng.random()).collect()
}

/// Walks.
///
/// # Panics
/// When a promise is broken, with the shortest walk that was found to break it.
pub fn walk(octets: &[u8]) -> Report {
    match attempt(octets) {
        Ok(report) => report,
        Err(_) => panic!("{}", explain(octets)),
    }
}

fn explain(octets: &[u8]) -> String {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let shortest = shrink::shrink(octets, |octets| attempt(octets).err());
    std::panic::set_hook(hook);
    let Some((octets, why)) = shortest else { return "a walk failed once, and not when it was tried again".to_owned() };
    let (setting, transitions) = decode(&octets);
    let steps: Vec<_> = transitions.iter().map(|transition| format!("  {transition:?}")).collect();
    format!("{why}\n{setting:?}\n{}\noctets: {octets:?}", steps.join("\n"))
}

/// One walk; what the machines themselves panic about is a broken promise too.
fn attempt(octets: &[u8]) -> Result<Report, Broken> {
    let (setting, transitions) = decode(octets);
    let walked = catch_unwind(AssertUnwindSafe(|| Walk::new(setting).run(&transitions)));
    walked.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default())
    })
}

fn decode(octets: &[u8]) -> (Setting, Vec<Transition>) {
    let (head, rest) = octets.split_at(octets.len().min(setting::OCTETS));
    let setting = Setting::decode([0, 1].map(|index| head.get(index).copied().unwrap_or_default()));
    let (transitions, _) = rest.as_chunks::<{ transition::OCTETS }>();
    (setting, transitions.iter().take(MOST_TRANSITIONS).map(|octets| Transition::decode(*octets)).collect())
}

/// A walk under way.
struct Walk {
    setting: Setting,
    world: World,
    model: Model,
    seen: Seen,
    /// Runs of MHAuth that were asked for since the last check.
    wanted: u32,
    report: Report,
}

impl Walk {
    fn new(setting: Setting) -> Self {
        let mut world = World::with(setting.options());
        world.mobile_node_boots();
        Self { setting, world, model: Model::new(), seen: Seen::default(), wanted: 1, report: Report::default() }
    }

    fn run(mut self, transitions: &[Transition]) -> Result<Report, Broken> {
        let kept = self.takes(transitions);
        // What has not been looked at yet, because a promise was broken before, is nobody's concern.
        self.world.watch.take("");
        kept.map(|()| self.report)
    }

    fn takes(&mut self, transitions: &[Transition]) -> Result<(), Broken> {
        for transition in transitions {
            self.happens(transition)?;
        }
        self.happens(&Transition::SetRight(&[Access::Wifi], super::DELAY))?;
        // It stays right: the node refreshes its binding, a NAT's mapping is kept alive, no run of MHAuth is hanging any more.
        for pause in [1, 600, 1] {
            self.happens(&Transition::Sends(Way::Up, 2, 8))?;
            self.happens(&Transition::Sends(Way::Down, 2, 8))?;
            self.happens(&Transition::Passes(Duration::from_secs(pause)))?;
        }
        Ok(())
    }

    fn happens(&mut self, transition: &Transition) -> Result<(), Broken> {
        let was_calm = self.is_calm();
        self.model.note(transition, self.world.elapsed(), self.sa_ends());
        if was_calm && !self.is_calm() {
            self.seen.packets.forget_promises();
        }
        self.act(transition)?;
        self.check()
    }

    fn act(&mut self, transition: &Transition) -> Result<(), Broken> {
        let world = &mut self.world;
        match *transition {
            Transition::Passes(duration) => return self.passes(duration),
            Transition::Sends(way, count, size) => (0..count).for_each(|_| _ = self.sends(way, size)),
            Transition::Attaches(access) => self.attaches_to(access),
            Transition::Nat(is_there) => {
                world.network.nat = is_there.then(|| Nat::new(super::WIFI, super::NAT_OUTER, super::NAT_LIFETIME));
            }
            Transition::NatForgets => world.nat_forgets_mappings(),
            Transition::Links(link) => world.network.change_links(|one| *one = link),
            Transition::NodeRenews => {
                self.wanted += 1;
                world.mobile_node_renews();
            }
            Transition::NodeBoots => self.boots(),
            Transition::NodeDies => world.mobile_node_dies(),
            Transition::NodeLeaves => world.mobile_node_leaves(),
            Transition::HomeAgentAsks => world.home_agent_asks_for_new_sas(),
            Transition::HomeAgentStarts => world.home_agent_restarts(),
            Transition::HomeAgentDies => world.home_agent_dies(),
            Transition::HacStarts => {
                world.hac_dies();
                world.hac_starts();
            }
            Transition::HacDies => world.hac_dies(),
            Transition::AaaAnswers(answers) => world.aaa.is_silent = !answers,
            Transition::Subscriber(is_enabled) => world.operator_enables_the_subscriber(is_enabled),
            Transition::Attacks(attack) => {
                self.seen.attacker.does(attack, world);
                world.runs_for(ATTACK);
            }
            Transition::SetRight(access, delay) => return self.sets_right(access, delay),
        }
        Ok(())
    }

    /// A fresh network is a fresh start for MHAuth.
    fn attaches_to(&mut self, access: &[Access]) {
        self.wanted += 1;
        self.world.attaches_to(access);
    }

    fn boots(&mut self) {
        self.wanted += 1;
        self.world.mobile_node_boots();
    }

    /// Looks at the world in between, so that what happens within a minute is seen.
    fn passes(&mut self, duration: Duration) -> Result<(), Broken> {
        let end = self.world.elapsed() + duration;
        while self.world.elapsed() < end {
            let (runs, was_calm) = (self.world.mhauth_runs(), self.is_calm());
            self.world.runs_for((end - self.world.elapsed()).min(SLICE));
            if self.world.mhauth_runs() > runs {
                self.model.renewed();
            }
            let Self { seen, world, setting, model, .. } = self;
            if was_calm { seen.check_calm(world, setting, model) } else { seen.check(world, setting, model, 0) }?;
        }
        Ok(())
    }

    /// An application sends a packet, if there is a home address yet.
    fn sends(&mut self, way: Way, size: usize) -> Option<Vec<u8>> {
        let packet = self.seen.packets.next(way, self.seen.home?, size);
        match way {
            Way::Up => self.world.mobile_node_sends(&packet),
            Way::Down => self.world.correspondent_sends(&packet),
        }
        if self.is_calm() {
            self.report.promised += 1;
            self.seen.packets.promise(self.world.elapsed() + self.model.link.delay, way, packet.clone());
        }
        Some(packet)
    }

    /// Everything runs and nothing is lost: packets cross in both directions in time.
    fn sets_right(&mut self, access: &[Access], delay: Duration) -> Result<(), Broken> {
        let (begun, longest) = (self.world.elapsed(), self.seen.patience.longest(self.model.may_be_refused));
        self.world.network.change_links(|link| *link = Link::calm(delay));
        if !self.world.controller.is_up() {
            self.world.hac_starts();
        }
        if self.world.gateway.is_none() {
            self.world.home_agent_starts();
        }
        self.world.aaa.is_silent = false;
        self.world.operator_enables_the_subscriber(true);
        self.attaches_to(access);
        while !(self.is_settled() & self.crosses(delay)? && self.is_settled()) {
            let took = self.world.elapsed() - begun;
            if took > longest {
                return Err(format!("no packets in both directions {} s after everything was set right", took.as_secs()));
            }
        }
        let took = self.world.elapsed() - begun;
        self.report.longest_recovery = self.report.longest_recovery.max(took);
        self.model.becomes_calm(self.world.elapsed(), self.sa_ends().unwrap_or_default());
        if self.world.exchange.is_none() {
            self.model.is_unhindered();
        }
        Ok(())
    }

    /// Sends one packet each way; whether both arrive. Who said goodbye, or was refused while he was disabled, is started again.
    fn crosses(&mut self, delay: Duration) -> Result<bool, Broken> {
        if self.world.node.is_none() {
            self.boots();
        }
        let (up, down) = (self.sends(Way::Up, 8), self.sends(Way::Down, 8));
        self.world.runs_for(Duration::from_millis(200).max(delay));
        self.check()?;
        let has_arrived = |way, packet: Option<Vec<u8>>| packet.is_some_and(|packet| self.seen.packets.has_arrived(way, &packet));
        Ok(has_arrived(Way::Up, up) && has_arrived(Way::Down, down))
    }

    /// Nothing of what was done before is still to come: the home agent hears the HAC, and the node has nothing in mind.
    fn is_settled(&self) -> bool {
        self.world.feed.next_arrival().is_none() && self.world.phase() == Some(Phase::Registered)
    }

    fn check(&mut self) -> Result<(), Broken> {
        let wanted = std::mem::take(&mut self.wanted);
        self.seen.check(&mut self.world, &self.setting, &self.model, wanted)
    }

    fn is_calm(&self) -> bool {
        self.model.is_calm(self.world.elapsed())
    }

    /// When the SA in use ends, and a little earlier: the binding under it is granted in units of 4 seconds.
    fn sa_ends(&self) -> Option<Duration> {
        let install = self.world.node.as_ref()?.machine.security_association()?;
        Some(install.valid_until.saturating_duration_since(self.world.start).saturating_sub(Duration::from_secs(10)))
    }
}
