//! Binding Refresh Requests (RFC 6275 section 6.1.2): to a node that is seen where it is not bound, and to one that is to get a
//! new security association.

use std::time::{Duration, Instant};

use protocol::sa::Spi;
use protocol::tunnel::{Command, Path, Paths, Sighting};
use protocol::wire::mobility::{BindingRefreshRequest, Ends, MobilityMessage, PathToken};
use protocol::wire::signalling;
use rand::CryptoRng;

use super::HomeAgent;
use super::held_sa::HeldSa;
use super::timers::Timer;
use crate::binding_cache::PathProof;
use crate::path_check::{self, Sighted};
use crate::renewal;
use crate::unproved::SeenAt;

/// When all nodes are to get new SAs they are asked one after the other, so that the HAC does not see all of them at once.
const PACE: Duration = Duration::from_millis(10);

/// Which SAs are to be renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// This one.
    One(Spi),
    /// Every one.
    All,
}

/// What became of a wish for new SAs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// SAs under which every Binding Update is answered with 176 as well from now on.
    pub wanted: usize,
    /// Those of them whose nodes are bound, and get a Binding Refresh Request.
    pub bound: usize,
    /// Until the last of these has got its first one.
    pub takes: Duration,
}

impl HomeAgent {
    /// Asks the nodes for new SAs, since an operator wants it. SAs of an earlier process and those that a newer one has
    /// superseded are left out: a Binding Update under them is answered with 176 in any case.
    pub fn ask_for_new_sa(&mut self, which: Which, now: Instant) -> Asked {
        let spis: Vec<Spi> = match which {
            Which::One(spi) => vec![spi],
            Which::All => self.sas.keys().copied().collect(),
        };
        let mut asked = Asked::default();
        let mut due = now;
        for spi in spis {
            let Some(held) = self.sas.get_mut(&spi).filter(|held| held.may_be_renewed()) else { continue };
            held.renewal.begin();
            asked.wanted += 1;
            if self.cache.get(held.home()).is_some_and(|binding| binding.spi == spi) {
                self.timers.set(Timer::AskForNewSa(spi), due);
                asked.bound += 1;
                asked.takes = due.saturating_duration_since(now);
                due += PACE;
            }
        }
        self.handle_timeout(now);
        asked
    }

    /// An SA is wearing out. Under a later lease that is how it was born, and its node is told to renew it anyway.
    pub(super) fn handle_wear(&mut self, spi: Spi, now: Instant) {
        let Some(held) = self.sas.get(&spi).filter(|held| held.may_be_renewed() && !held.renewal.is_wanted()) else { return };
        let due = renewal::earliest(held.sa().suite, held.installed, now);
        self.timers.set(Timer::AskForNewSa(spi), due);
        self.handle_timeout(now);
    }

    /// Asks the node for a new SA, and again until a Binding Update comes. One that is not bound under it cannot be asked; its
    /// next Binding Update is answered accordingly.
    pub(super) fn ask(&mut self, spi: Spi, now: Instant) {
        let Some(held) = self.sas.get_mut(&spi) else { return };
        if !held.renewal.is_wanted() {
            held.renewal.begin();
        }
        let Some(binding) = self.cache.get(held.home()).filter(|binding| binding.spi == spi) else { return };
        self.commands.push_back(refresh_request(held, binding.latest.path(), None));
        self.timers.set(Timer::AskForNewSa(spi), held.renewal.next_request(now));
    }

    /// The node is told with 176 that it is to get a new SA. Should it not hear that, it is asked once more.
    pub(super) fn ask_again_later(&mut self, spi: Spi, now: Instant) {
        if let Some(held) = self.sas.get_mut(&spi) {
            self.timers.set(Timer::AskForNewSa(spi), held.renewal.answered(now));
        }
    }

    /// A node's packets come from somewhere else than its binding says, or from where it has not proved to be yet.
    pub(super) fn handle_sighting(&mut self, sighting: &Sighting, now: Instant, rng: &mut impl CryptoRng) {
        // A relay that has ended is nobody's place either.
        if !self.may_be_at(sighting.spi, sighting.from) {
            return;
        }
        let Some(held) = self.sas.get_mut(&sighting.spi) else { return };
        let home = held.home();
        if self.relays.is_anothers(sighting.from, home) {
            return;
        }
        let Some(binding) = self.cache.get_mut(home) else { return };
        match path_check::judge_sighting(sighting, binding, held.knows_token) {
            Sighted::Nothing => {}
            Sighted::Proof => {
                let there = binding.care_ofs_mut().filter(|care_of| care_of.path().leads_to(sighting.socket, sighting.from));
                there.for_each(|care_of| care_of.proof = PathProof::Proved);
                held.unproved.proved((sighting.socket, sighting.from));
                self.move_downlink(home);
            }
            Sighted::Elsewhere => {
                if held.refresh.allow(now) {
                    let seen = SeenAt::of(sighting, held.seen_at, rng);
                    held.seen_at = Some(seen);
                    let is_alone = binding.is_proved_beside(seen.place);
                    held.unproved.begin(seen.place, is_alone, now);
                    let path = Path::proved(sighting.socket, sighting.from);
                    self.commands.push_back(refresh_request(held, path, Some(seen.token)));
                    self.move_downlink(home);
                }
            }
        }
    }
}

/// A bare Mobility Header: RFC 6275 section 6.1 wants no routing header with it.
fn refresh_request(held: &HeldSa, path: Path, path_check: Option<PathToken>) -> Command {
    let ends = Ends { source: held.sa().home_agent.in_mobility_header(), destination: held.home() };
    let payload = MobilityMessage::BindingRefreshRequest(BindingRefreshRequest { path_check }).emit(ends);
    Command::Signal { spi: held.sa().spi, paths: Paths::one(path), next_header: signalling::MOBILITY, payload }
}
