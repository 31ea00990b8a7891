//! What is known of the NAT64 behind each interface, and until when. What routers advertise comes before what name servers answer
//! (RFC 8781 section 5.2), and both hold for their interface alone. Pure.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use protocol::nat64::Nat64Prefix;
use protocol::wire::pref64::Pref64;

use super::Prefixes;
use crate::movement::Attachment;

/// Interfaces of which something is remembered: more than a host has networks.
const MAX_INTERFACES: usize = 16;
/// Prefixes of one interface and one source: networks have one, and several while they change it.
const MAX_PREFIXES: usize = 4;
/// An answer is asked for again so long before its time is over (RFC 7050 section 3).
const EARLY: Duration = Duration::from_secs(10);
/// An answer's own time within bounds: who says 0 s is not asked all the time, and who says years is asked some day.
const LEAST: Duration = Duration::from_secs(60);
const MOST: Duration = Duration::from_secs(24 * 3600);
/// An answer is used beyond its time while no other comes: a name server that fails ends no session (as RFC 8767 has it).
const STALE: Duration = Duration::from_secs(3600);
/// Between questions that nobody answers: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What a look-up has given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// These prefixes, for so long.
    Found(Vec<Nat64Prefix>, Duration),
    /// There is no DNS64, for so long.
    Nothing(Duration),
    /// No name server has answered.
    Unanswered,
}

/// A look-up to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    /// The interface's index.
    pub(super) interface: u32,
    /// Its name.
    pub(super) name: String,
    /// Of which network: an answer that comes after a move says nothing.
    pub(super) network: u64,
}

/// All that is known.
#[derive(Debug, Default)]
pub(super) struct Table {
    interfaces: BTreeMap<u32, Interface>,
    networks: u64,
}

#[derive(Debug)]
struct Interface {
    name: String,
    /// The networks of its IPv6 care-of addresses, as far as it has any, else of the last ones.
    links: Vec<[u8; 8]>,
    has_ip6: bool,
    has_ip4: bool,
    network: u64,
    advertised: Vec<(Nat64Prefix, Instant)>,
    answered: Vec<Nat64Prefix>,
    answered_until: Instant,
    /// When the next question is due; `None` while one is asked.
    ask_at: Option<Instant>,
    pause: Duration,
    /// Whether the first question in this network is over.
    is_settled: bool,
}

impl Table {
    /// The interfaces that are `up`, and the attachments that lead anywhere. Of an interface that is down nothing is known any more, and
    /// what was answered in another network holds no more.
    pub(super) fn follow(&mut self, up: &[u32], attachments: &[Attachment], now: Instant) {
        self.interfaces.retain(|index, _| up.contains(index));
        for index in up {
            let of_interface = || attachments.iter().filter(|attachment| attachment.interface == *index);
            let links: Vec<_> = of_interface().filter_map(|attachment| link_of(attachment.care_of.0)).collect();
            let name = of_interface().map(|attachment| attachment.name.clone()).next().unwrap_or_default();
            let has_ip4 = of_interface().any(|attachment| attachment.care_of.0.is_ipv4());
            let is_known = self.interfaces.contains_key(index);
            if !is_known && links.is_empty() {
                continue;
            }
            let next = self.networks + 1;
            let Some(interface) = self.interface(*index, now) else { continue };
            let is_elsewhere = !links.is_empty() && !links.iter().any(|link| interface.links.contains(link));
            (interface.name, interface.has_ip6, interface.has_ip4) = (name, !links.is_empty(), has_ip4);
            if !links.is_empty() {
                interface.links = links;
            }
            if is_elsewhere {
                interface.move_to(next, now);
                self.networks = next;
            }
        }
    }

    /// The interface is down: nothing is known of it any more.
    pub(super) fn forget(&mut self, interface: u32) {
        self.interfaces.remove(&interface);
    }

    /// A router has said this on `interface`.
    pub(super) fn hear(&mut self, interface: u32, said: Pref64, now: Instant) {
        let Some(interface) = self.interface(interface, now) else { return };
        let until = now + said.lifetime;
        interface.advertised.retain(|(_, until)| *until > now);
        if let Some((_, known)) = interface.advertised.iter_mut().find(|(prefix, _)| *prefix == said.prefix) {
            *known = until;
        } else if interface.advertised.len() < MAX_PREFIXES {
            interface.advertised.push((said.prefix, until));
        }
        interface.advertised.retain(|(_, until)| *until > now);
    }

    /// A question that is due, which counts as asked from here on.
    pub(super) fn poll_question(&mut self, now: Instant) -> Option<Question> {
        let is_due = |interface: &Interface| interface.due_at(now).is_some_and(|at| at <= now);
        let (index, interface) = self.interfaces.iter_mut().find(|(_, interface)| is_due(interface))?;
        interface.ask_at = None;
        Some(Question { interface: *index, name: interface.name.clone(), network: interface.network })
    }

    /// Nothing is being asked any more, whatever was.
    pub(super) fn ask_again(&mut self, now: Instant) {
        for interface in self.interfaces.values_mut() {
            interface.ask_at.get_or_insert(now);
        }
    }

    /// The answer to `question`.
    pub(super) fn take(&mut self, question: &Question, answer: Answer, now: Instant) {
        let Some(interface) = self.interfaces.get_mut(&question.interface) else { return };
        if interface.network != question.network {
            return;
        }
        interface.is_settled = true;
        let wait = match answer {
            Answer::Found(mut prefixes, time) => {
                prefixes.truncate(MAX_PREFIXES);
                let time = time.clamp(LEAST, MOST);
                interface.answered = prefixes;
                interface.answered_until = now + time + STALE;
                interface.pause = FIRST_PAUSE;
                time.saturating_sub(EARLY)
            }
            Answer::Nothing(time) => {
                interface.answered.clear();
                interface.pause = FIRST_PAUSE;
                time.clamp(LEAST, MOST)
            }
            Answer::Unanswered => {
                let pause = interface.pause;
                interface.pause = (pause * 2).min(LONGEST_PAUSE);
                pause
            }
        };
        interface.ask_at = Some(now + wait);
    }

    /// What may be used now.
    pub(super) fn prefixes(&self, now: Instant) -> Prefixes {
        let known = |(index, interface): (&u32, &Interface)| {
            interface.usable(now).into_iter().map(|prefix| (*index, prefix)).collect::<Vec<_>>()
        };
        Prefixes::new(self.interfaces.iter().flat_map(known))
    }

    /// Whether nothing is being asked for the first time.
    pub(super) fn is_settled(&self, now: Instant) -> bool {
        self.interfaces.values().all(|interface| interface.is_settled || !interface.asks(now))
    }

    /// When a question is due or something is not known any more.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let ends = |interface: &Interface| {
            let answered = (!interface.answered.is_empty()).then_some(interface.answered_until);
            interface.advertised.iter().map(|(_, until)| *until).chain(answered).filter(|at| *at > now).min()
        };
        self.interfaces.values().flat_map(|interface| [interface.due_at(now), ends(interface)]).flatten().min()
    }

    fn interface(&mut self, index: u32, now: Instant) -> Option<&mut Interface> {
        if self.interfaces.len() >= MAX_INTERFACES && !self.interfaces.contains_key(&index) {
            return None;
        }
        Some(self.interfaces.entry(index).or_insert_with(|| Interface::new(now)))
    }
}

impl Interface {
    fn new(now: Instant) -> Self {
        Self {
            name: String::new(),
            links: Vec::new(),
            has_ip6: false,
            has_ip4: false,
            network: 0,
            advertised: Vec::new(),
            answered: Vec::new(),
            answered_until: now,
            ask_at: None,
            pause: FIRST_PAUSE,
            is_settled: false,
        }
    }

    fn move_to(&mut self, network: u64, now: Instant) {
        self.network = network;
        self.answered.clear();
        self.ask_at = Some(now);
        self.pause = FIRST_PAUSE;
        self.is_settled = false;
    }

    /// Whether name servers are to be asked: IPv4 is missing, or came to what was found before, and no router has said it.
    fn asks(&self, now: Instant) -> bool {
        let is_advertised = self.advertised.iter().any(|(_, until)| *until > now);
        self.has_ip6 && !is_advertised && (!self.has_ip4 || !self.answered.is_empty())
    }

    fn due_at(&self, now: Instant) -> Option<Instant> {
        self.ask_at.filter(|_| self.asks(now))
    }

    fn usable(&self, now: Instant) -> Vec<Nat64Prefix> {
        let advertised: Vec<_> = self.advertised.iter().filter(|(_, until)| *until > now).map(|(prefix, _)| *prefix).collect();
        if advertised.is_empty() && self.answered_until > now { self.answered.clone() } else { advertised }
    }
}

/// The /64 of an IPv6 address.
fn link_of(address: IpAddr) -> Option<[u8; 8]> {
    let IpAddr::V6(address) = address else { return None };
    Ipv6Addr::octets(&address).first_chunk().copied()
}

#[cfg(test)]
mod tests;
