//! Coming home and leaving again (RFC 6275 section 11.5.5), where the home agent has a home link.
//!
//! A link with the home prefixes on it says that it is home, and whoever runs a network can have his link say so. The node believes the
//! home agent alone: it sends its farewell, a Binding Update with a lifetime of 0 and the home address for its care-of address, from
//! another address of the link, and is home when that is accepted, or answered with 133 because there is no binding. Until then, and
//! when the answer is another or none, it is away and behind its tunnel. At home it asks again from time to time, and what is not
//! answered ends it: so a link that was changed without the kernel's noticing is left.

use std::time::{Duration, Instant};

use protocol::addr::CareOfAddress;
use protocol::features::Features;
use protocol::tunnel::{Command, SocketId};
use protocol::wire::mobility::{BindingAcknowledgement, Status};

use super::report::Report;
use super::{Action, MobileNode};
use crate::binding_update_list::Outcome;
use crate::home_link::{self, HomeLink, OnLink};
use crate::movement::Attachment;
use crate::uplink::Uplink;

/// At home the node asks so often whether it is.
pub(super) const ASKS_EVERY: Duration = Duration::from_secs(60);
/// A link that is not home, whatever it says, is not asked about again for so long.
const REFUSED: Duration = Duration::from_secs(60);
/// One that was home and has fallen silent is sooner: a home agent may have been started again.
const SILENT: Duration = Duration::from_secs(5);
/// Links that are remembered for that: the oldest is forgotten first.
const MOST_REFUSED: usize = 16;
/// Questions without an answer before the node takes a link for not home; and so many once it is.
const ATTEMPTS: u32 = 2;
const ATTEMPTS_AT_HOME: u32 = 3;
/// And for how long there has to be none: a Neighbor Solicitation for the home agent that was lost is repeated after a second (RFC 4861
/// section 10, RETRANS_TIMER).
const PATIENCE: Duration = Duration::from_millis(1_200);
/// Tokens that are given back in a row.
const MOST_TOKENS: u32 = 3;

/// What is to be done on the home link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HomeStep {
    /// The home agent has answered on this link: the home address has to answer there from now on.
    Arrive(HomeLink),
    /// The node is home: its packets go out there, and everybody on the link is told.
    Enter(HomeLink, Detect),
    /// The routers of the link are others.
    Follow(HomeLink),
    /// The home agent has said again that the node is home.
    Stay,
    /// The node is away again: its packets go into the tunnel.
    Leave,
}

/// Whether the node has to look first whether another has its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detect {
    /// The home agent has kept it until now.
    No,
    /// There was no binding: "it SHOULD perform DAD".
    First,
}

/// Where the node is.
#[derive(Debug, Default)]
enum Place {
    #[default]
    Away,
    /// The home agent is asked whether this is home.
    Asking(HomeLink),
    AtHome(HomeLink),
}

/// What the node knows of the home link.
#[derive(Debug, Default)]
pub(super) struct Home {
    on_link: Vec<OnLink>,
    place: Place,
    /// Interfaces, and until when their links are not asked about.
    refused: Vec<(Instant, u32)>,
    tokens: u32,
}

impl Home {
    fn link(&self) -> Option<&HomeLink> {
        match &self.place {
            Place::Away => None,
            Place::Asking(link) | Place::AtHome(link) => Some(link),
        }
    }
}

impl MobileNode {
    /// What the kernel's routes say of the links now. To be said before [`MobileNode::handle_attachments`].
    pub fn note_links(&mut self, on_link: Vec<OnLink>) {
        self.home.on_link = on_link;
    }

    /// Whether the node is home.
    pub fn is_at_home(&self) -> bool {
        matches!(self.home.place, Place::AtHome(_))
    }

    /// Whether its Binding Updates say that it is.
    pub(super) fn says_that_it_is_home(&self) -> bool {
        !self.leaving && self.home.link().is_some()
    }

    /// The care-of address of such a Binding Update.
    pub(super) fn home_as_care_of(&self) -> Option<CareOfAddress> {
        let link = self.home.link().filter(|_| !self.leaving)?;
        link.home.ip6().map(|home| CareOfAddress(home.into()))
    }

    /// Its own home addresses are nowhere to be cared of.
    pub(super) fn without_home_addresses(&self, mut usable: Vec<Attachment>) -> Vec<Attachment> {
        if let Some(install) = &self.sa {
            usable.retain(|attachment| !install.sa.home.contains(attachment.care_of.0));
        }
        usable
    }

    /// A link that says that it is home and has not been found out yet. A router stays behind its tunnel: only there are the networks
    /// behind it reached.
    pub(super) fn home_in_sight(&self) -> Option<HomeLink> {
        let sa = &self.sa.as_ref()?.sa;
        let may = sa.features.has(Features::HOME_LINK) && sa.home_agent.ip6().is_some() && sa.is_numbered() && !self.is_router();
        let usable: Vec<Attachment> = self.usable.iter().filter(|one| !self.is_refused(one)).cloned().collect();
        let kept = self.home.link().map(|link| &link.attachment);
        let kept = kept.or(self.handover.current().map(|(_, attachment)| attachment));
        home_link::find(&sa.home, &self.home.on_link, &usable, kept).filter(|_| may && self.sa_ends.is_some())
    }

    fn is_refused(&self, attachment: &Attachment) -> bool {
        self.home.refused.iter().any(|(_, interface)| *interface == attachment.interface)
    }

    /// Looks whether the link in use is home still, or says so only now. `true` when the node has to register anew where it is.
    pub(super) fn follow_home(&mut self, now: Instant) -> bool {
        let Home { refused, on_link, .. } = &mut self.home;
        // What was unplugged meanwhile may be another.
        refused.retain(|(until, interface)| *until > now && on_link.iter().any(|on_link| on_link.interface == *interface));
        let sight = self.home_in_sight();
        match (&mut self.home.place, sight) {
            (Place::Away, Some(link)) => self.begins_to_ask(link),
            (Place::Away, None) => false,
            (Place::Asking(known), Some(link)) if known.is_same(&link) => {
                *known = link;
                false
            }
            (Place::AtHome(known), Some(link)) if known.is_same(&link) => {
                if *known != link {
                    *known = link.clone();
                    self.actions.push_back(Action::Home(HomeStep::Follow(link)));
                }
                false
            }
            (Place::Asking(_) | Place::AtHome(_), _) => {
                self.leave_home();
                true
            }
        }
    }

    /// The attachment in use is on a link that says it is home, as it has not before.
    fn begins_to_ask(&mut self, link: HomeLink) -> bool {
        let is_here = self.handover.current().is_some_and(|(_, current)| current.is_same_place(&link.attachment));
        if is_here {
            self.ask_whether_this_is_home(link);
        }
        is_here
    }

    fn ask_whether_this_is_home(&mut self, link: HomeLink) {
        self.home.tokens = 0;
        self.home.place = Place::Asking(link);
    }

    /// Another attachment is in use: perhaps it is home.
    pub(super) fn arrive(&mut self) {
        self.leave_home();
        let sight = self.home_in_sight();
        sight.into_iter().for_each(|link| _ = self.begins_to_ask(link));
    }

    /// Away again, or away still.
    pub(super) fn leave_home(&mut self) {
        if !matches!(self.home.place, Place::Away) {
            self.home.place = Place::Away;
            self.uplink = Uplink::default();
            self.registration.pause();
            self.is_found_here = false;
            self.actions.push_back(Action::Home(HomeStep::Leave));
        }
    }

    /// What the home agent says to a node that says that it is home. `false` where it says what it says to everybody.
    pub(super) fn handle_answer_at_home(
        &mut self,
        acknowledgement: &BindingAcknowledgement,
        outcome: Outcome,
        socket: SocketId,
        now: Instant,
    ) -> bool {
        let is_here = self.handover.current().is_some_and(|(current, _)| *current == socket);
        match outcome {
            Outcome::Accepted { .. } | Outcome::Refused(_) if !is_here => {}
            Outcome::Accepted { .. } => self.is_home(Detect::No, socket, now),
            Outcome::Refused(Status::NOT_HOME_AGENT) => self.is_home(Detect::First, socket, now),
            Outcome::Refused(_) if self.gives_token_back(acknowledgement, socket) => self.send_binding_update(true, now),
            Outcome::Refused(status) => self.is_not_home(Some(status), now),
            Outcome::SendAgain | Outcome::Reinitialise | Outcome::Ignored => return false,
        }
        true
    }

    /// The home agent is on this link, since its token has come here; it will let go of the address as soon as it has that back.
    fn gives_token_back(&mut self, acknowledgement: &BindingAcknowledgement, socket: SocketId) -> bool {
        let Place::Asking(link) = &self.home.place else { return false };
        let (Some(token), Some(path)) = (acknowledgement.path_check, self.path()) else { return false };
        if self.home.tokens == MOST_TOKENS {
            return false;
        }
        self.home.tokens += 1;
        self.actions.push_back(Action::Home(HomeStep::Arrive(link.clone())));
        self.path_check.acknowledged(socket, path, Some(token)).is_some()
    }

    fn is_home(&mut self, detect: Detect, socket: SocketId, now: Instant) {
        self.registration.pause();
        self.registration.ask_at(now + ASKS_EVERY);
        if let Place::Asking(link) = &self.home.place {
            let link = link.clone();
            Report::at_home(&link.attachment.name);
            self.home.place = Place::AtHome(link.clone());
            self.actions.push_back(Action::Home(HomeStep::Enter(link.clone(), detect)));
            self.actions.push_back(Action::Command(Command::Remove(link.home)));
            self.lay_tunnel_down(socket, now);
        } else {
            self.actions.push_back(Action::Home(HomeStep::Stay));
        }
        self.superseded.successor_is_bound(now);
    }

    /// Nothing goes through it, and nothing is kept alive.
    fn lay_tunnel_down(&mut self, socket: SocketId, now: Instant) {
        self.uplink = Uplink::default();
        self.path_check.forget();
        self.mtu.leave();
        self.keepalive.stop();
        self.leave_fallback(now);
        self.move_ends = None;
        self.registered = None;
        (self.is_bound_here, self.is_found_here) = (false, true);
        self.recorder.returned();
        self.recorder.acknowledged(socket, now);
        self.handover.ask_no_more(now);
        if self.handover.release(now) {
            self.recorder.ended(now);
        }
    }

    /// This link is not home, whatever it says: the node registers there as anywhere else, or where it is better.
    fn is_not_home(&mut self, status: Option<Status>, now: Instant) {
        let Some(attachment) = self.home.link().map(|link| link.attachment.clone()) else { return };
        Report::not_home(&attachment.name, status);
        if self.home.refused.len() == MOST_REFUSED {
            self.home.refused.remove(0);
        }
        let pause = if self.is_at_home() && status.is_none() { SILENT } else { REFUSED };
        self.home.refused.push((now + pause, attachment.interface));
        self.leave_home();
        self.follow_movement(now);
        if self.handover.current().is_some_and(|(_, current)| current.is_same_place(&attachment)) {
            self.leave_path(now);
            self.register(now);
        }
    }

    /// The addresses could not be taken on the home link: another node has one, or the link is gone.
    pub fn handle_home_refused(&mut self, now: Instant) {
        self.is_not_home(None, now);
    }

    /// Nobody has answered that the node is home. `true` when it takes itself for away now.
    pub(super) fn is_home_silent(&mut self, unanswered: u32, now: Instant) -> bool {
        let is_over = match self.home.place {
            Place::Away => false,
            Place::Asking(_) => unanswered >= ATTEMPTS,
            Place::AtHome(_) => unanswered >= ATTEMPTS_AT_HOME,
        };
        let is_long = self.registration.waits_for(now) >= PATIENCE;
        let is_silent = is_over && is_long && self.says_that_it_is_home() && !self.registration.is_heard();
        if is_silent {
            self.is_not_home(None, now);
        }
        is_silent
    }
}
