//! Nodes that are back on a home link that is real (RFC 6275 sections 10.3.2 and 11.5.5): a Binding Update with a lifetime of 0 and the
//! home address for its care-of address.
//!
//! A node that hears "you are home" lays its tunnel down, so it must hear it nowhere else. What the node says comes over UDP from
//! another address than its home address. That has to be an address of the link, and the node has to give a token back that went there:
//! the kernel sends to an address of the link on that link alone, so who forges such a source elsewhere never sees the token, and the
//! binding stands (`docs/why/home-link.md`).

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use ipnet::IpNet;
use protocol::sa::SecurityAssociation;
use protocol::time::Lifetime;
use protocol::tunnel::{Install, SignallingReceived};
use protocol::wire::mobility::{BindingAcknowledgement, BindingUpdate, CareOf, PathToken, Status};
use rand::CryptoRng;

use super::HomeAgent;
use crate::binding_cache::Binding;
use crate::registration::Decision;
use crate::unproved::SeenAt;

impl HomeAgent {
    /// The home link's own prefixes, from now on: from within them nodes may say that they are home.
    pub fn set_on_link(&mut self, prefixes: Vec<IpNet>) {
        self.on_link = prefixes;
    }

    /// What becomes of `decision` where the node says that it is home; `None` where it was asked to show it first. Without a home link
    /// it is a farewell like any other.
    pub(super) fn meet(
        &mut self,
        decision: Decision,
        update: &BindingUpdate,
        received: &SignallingReceived,
        now: Instant,
        rng: &mut impl CryptoRng,
    ) -> Option<Decision> {
        let install = self.sas.get(&received.spi).map(|held| held.install.clone())?;
        if self.on_link.is_empty() || !is_return(update, &install.sa) {
            return Some(decision);
        }
        let is_bound = match decision {
            Decision::Deregister(_) => true,
            Decision::Refuse(Status::NOT_HOME_AGENT, _) => false,
            Decision::Register(_) | Decision::Refuse(..) => return Some(decision),
        };
        if !self.is_on_link(received.from) || !self.may_come_home(&install.sa) {
            tracing::info!(spi = %received.spi, "a mobile node takes itself for home and is not on the home link: refused");
            return Some(Decision::Refuse(Status::ADMINISTRATIVELY_PROHIBITED, update.sequence));
        }
        if is_bound && !self.has_shown_itself(update, received) {
            self.ask_to_show_itself(update, received, &install, now, rng);
            return None;
        }
        Some(if is_bound { Decision::Deregister(None) } else { decision })
    }

    /// An address that answers on the link, and no home address, which leads into a tunnel.
    fn is_on_link(&self, from: SocketAddr) -> bool {
        let IpAddr::V6(ip) = from.ip() else { return false };
        let is_there = self.on_link.iter().any(|prefix| prefix.contains(&IpAddr::V6(ip)));
        is_there && !self.cache.leads_to_a_node(from.ip()) && !self.config.own_addresses.contains(&from.ip())
    }

    /// A node goes home with all of its addresses, or not at all; and what is for the networks behind a router is passed on here.
    fn may_come_home(&self, sa: &SecurityAssociation) -> bool {
        let is_router = self.cache.get(sa.home.in_mobility_header()).is_some_and(Binding::is_router);
        !is_router && sa.home.iter().all(|home| self.detections.covers(home.0))
    }

    fn has_shown_itself(&self, update: &BindingUpdate, received: &SignallingReceived) -> bool {
        let seen = self.sas.get(&received.spi).and_then(|held| held.seen_at);
        let seen = seen.filter(|seen| seen.place == (received.socket, received.from));
        seen.is_some_and(|seen| update.path_check == Some(seen.token))
    }

    /// As where a node is seen elsewhere than it is bound: what is for it goes there as well, as far as its budget lets it.
    fn ask_to_show_itself(
        &mut self,
        update: &BindingUpdate,
        received: &SignallingReceived,
        install: &Install,
        now: Instant,
        rng: &mut impl CryptoRng,
    ) {
        let Some(held) = self.sas.get_mut(&received.spi) else { return };
        let place = (received.socket, received.from);
        let seen = held.seen_at.filter(|seen| seen.place == place).unwrap_or_else(|| {
            let mut token = [0; 8];
            rng.fill_bytes(&mut token);
            SeenAt { place, token: PathToken(token) }
        });
        held.seen_at = Some(seen);
        let home = held.home();
        let is_alone = self.cache.get(home).is_none_or(|binding| binding.is_proved_beside(place));
        held.unproved.begin(place, is_alone, now);
        self.move_downlink(home);
        let asked = BindingAcknowledgement::new(Status::REASON_UNSPECIFIED, update.sequence, Lifetime::ZERO);
        self.answer(received, install, update, BindingAcknowledgement { path_check: Some(seen.token), ..asked });
    }
}

/// Section 11.5.5: the care-of address is the home address.
fn is_return(update: &BindingUpdate, sa: &SecurityAssociation) -> bool {
    let home = sa.home.ip6().map(CareOf::Ip6);
    update.lifetime == Lifetime::ZERO && home.is_some() && update.care_of == home
}
