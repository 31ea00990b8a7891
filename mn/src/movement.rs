//! Movement detection (RFC 6275 section 11.5): which attachment to use, given those that are usable now.
//!
//! The question is "is the one that I use still usable, is another better?", never "did something change?": a change elsewhere
//! moves nothing.

use std::cmp::Ordering;

use protocol::addr::{CareOfAddress, HomeAddresses};

use crate::address_selection::Fit;
use crate::nat64::Reach;

/// A care-of address that could be used: valid, not tentative, with a route to the home agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The interface's index.
    pub interface: u32,
    /// The interface's name.
    pub name: String,
    /// The address on it.
    pub care_of: CareOfAddress,
    /// The metric of the route to the home agent: lower is better.
    pub metric: u32,
    /// The address is deprecated (RFC 4862 section 5.5.4): it still works, and is not taken into use.
    pub deprecated: bool,
}

impl Attachment {
    /// Whether both are one address on one interface; a changed metric alone is no move.
    pub fn is_same_place(&self, other: &Self) -> bool {
        self.interface == other.interface && self.care_of == other.care_of
    }

    /// Whether it is one of `attachments`.
    pub fn is_among(&self, attachments: &[Self]) -> bool {
        attachments.iter().any(|other| other.is_same_place(self))
    }
}

/// What decides between attachments, beside what they are.
#[derive(Clone, Copy, Debug)]
pub struct Preference<'a> {
    /// Where they have to lead.
    pub home_agent: &'a Reach,
    /// What is no care-of address, should an interface have it.
    pub home: HomeAddresses,
    /// Whether one that is in use is left while it works: the home agent can serve both for a while, so nothing is lost.
    pub leaves_for_better: bool,
    /// Whether the home agent has acknowledged the one that is in use.
    pub is_acknowledged: bool,
    /// Where the home agent has not answered of late: used where there is nothing else.
    pub avoided: &'a [Attachment],
}

/// The attachment to use: the current one, unless it is not usable any more or another is better; else of the interface with the lowest
/// metric the one that goes best with the home agent's address as seen from there, without a NAT64 before one, IPv6 before IPv4 (RFC 6724).
/// Equal ones are taken in their order. One from which the home agent has no address is of no use, and a home address is no care-of address.
pub fn choose<'a>(current: Option<&Attachment>, usable: &'a [Attachment], preference: &Preference<'_>) -> Option<&'a Attachment> {
    let candidates: Vec<Candidate<'a>> =
        usable.iter().filter_map(|attachment| preference.candidate(attachment, usable)).collect();
    let best = candidates.iter().min_by_key(|candidate| candidate.rank())?;
    let kept = current.and_then(|current| candidates.iter().find(|other| other.attachment.is_same_place(current)));
    Some(kept.filter(|kept| !preference.is_better(best, kept)).unwrap_or(best).attachment)
}

/// An attachment that leads to the home agent.
struct Candidate<'a> {
    attachment: &'a Attachment,
    avoided: bool,
    /// Of its interface's best route. Metrics of routes of different families say nothing of each other: the kernel gives a route that a
    /// router advertises 1024, whatever the network manager says of IPv4.
    metric: u32,
    /// It sends through a NAT64.
    translated: bool,
    fit: Fit,
}

impl Candidate<'_> {
    fn rank(&self) -> (bool, bool, bool, u32, bool, Fit) {
        (self.avoided, self.fit.other_scope, self.attachment.deprecated, self.metric, self.translated, self.fit)
    }

    /// Address and home agent's address are of different kinds: it may lead nowhere, though it looks right.
    fn is_odd(&self) -> bool {
        self.fit.other_scope || self.fit.other_label
    }
}

impl Preference<'_> {
    fn candidate<'a>(&self, attachment: &'a Attachment, usable: &[Attachment]) -> Option<Candidate<'a>> {
        let (interface, care_of) = (attachment.interface, attachment.care_of.0);
        let home_agent = self.home_agent.seen_from(interface, care_of).filter(|_| !self.home.contains(care_of))?;
        let leads_there =
            |other: &&Attachment| other.interface == interface && self.home_agent.seen_from(interface, other.care_of.0).is_some();
        let metrics = usable.iter().filter(leads_there).map(|other| other.metric);
        Some(Candidate {
            attachment,
            avoided: attachment.is_among(self.avoided),
            metric: metrics.min().unwrap_or(attachment.metric),
            translated: self.home_agent.is_through_nat64(interface, care_of),
            fit: Fit::of(care_of, home_agent),
        })
    }

    /// An address that works is not left for another one of the same interface that only stands before it in the order: a new temporary
    /// address each day is no reason to move.
    fn is_better(&self, best: &Candidate<'_>, kept: &Candidate<'_>) -> bool {
        let must = |candidate: &Candidate<'_>| (candidate.avoided, candidate.attachment.deprecated);
        match must(best).cmp(&must(kept)) {
            Ordering::Less => true,
            Ordering::Equal => {
                let costs_nothing = self.leaves_for_better || !self.is_acknowledged;
                self.leaves_for_better && best.metric < kept.metric || costs_nothing && kept.is_odd() && !best.is_odd()
            }
            Ordering::Greater => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::addr::HomeAgentAddresses;
    use protocol::nat64::Nat64Prefix;

    use super::*;
    use crate::nat64::Prefixes;

    fn attachment(interface: u32, ip: &str, metric: u32) -> Attachment {
        Attachment {
            interface,
            name: format!("if{interface}"),
            care_of: CareOfAddress(ip.parse().unwrap()),
            metric,
            deprecated: false,
        }
    }

    fn home_agent(ip6: Option<&str>, ip4: Option<&str>) -> Reach {
        let own = HomeAgentAddresses::new(ip6.map(|ip| ip.parse().unwrap()), ip4.map(|ip| ip.parse().unwrap()), 7872);
        Reach { home_agent: own.unwrap(), nat64: Prefixes::default() }
    }

    fn home_agent_at(ip6: &str) -> Reach {
        home_agent(Some(ip6), Some("203.0.113.1"))
    }

    fn of_both_families() -> Reach {
        home_agent(Some("2001:db8:f::1"), Some("203.0.113.1"))
    }

    fn preference(home_agent: &Reach) -> Preference<'_> {
        let home = HomeAddresses::new(Some("2001:db8:100::7".parse().unwrap()), Some([10, 9, 0, 7].into())).unwrap();
        Preference { home_agent, home, leaves_for_better: false, is_acknowledged: true, avoided: &[] }
    }

    #[test]
    fn a_better_attachment_is_moved_to_where_nothing_is_lost_by_it() {
        let (wifi, lte) = (attachment(1, "198.51.100.7", 600), attachment(2, "2001:db8:2::7", 700));
        let (home_agent, both) = (of_both_families(), [wifi.clone(), lte.clone()]);
        let better = Preference { leaves_for_better: true, ..preference(&home_agent) };
        assert_eq!(choose(Some(&lte), &both, &better), Some(&wifi));
        assert_eq!(choose(Some(&wifi), &both, &better), Some(&wifi));
        assert_eq!(choose(Some(&lte), &both, &Preference { avoided: std::slice::from_ref(&wifi), ..better }), Some(&lte));
        let equal = [attachment(1, "198.51.100.7", 700), lte.clone()];
        assert_eq!(choose(Some(&lte), &equal, &better), Some(&lte), "a tie is no reason to move");
        let of_lte = [wifi, attachment(2, "192.0.2.7", 100), attachment(2, "2001:db8:2::7", 1024)];
        assert_eq!(choose(Some(&of_lte[2]), &of_lte, &better), Some(&of_lte[2]), "the interface is the best one");
    }

    #[test]
    fn a_deprecated_address_is_left_for_one_that_is_not_and_used_where_there_is_no_other() {
        let old = Attachment { deprecated: true, ..attachment(1, "2001:db8:1::7", 100) };
        let new = attachment(1, "2001:db8:1::8", 100);
        let home_agent = of_both_families();
        let both = [old.clone(), new.clone()];
        assert_eq!(choose(Some(&old), &both, &preference(&home_agent)), Some(&new));
        assert_eq!(choose(Some(&old), &both[..1], &preference(&home_agent)), Some(&old));
        assert_eq!(choose(None, &both[..1], &preference(&home_agent)), Some(&old));
    }

    #[test]
    fn where_the_home_agent_did_not_answer_is_left_for_what_has_not_been_tried() {
        let (wifi, lte) = (attachment(1, "198.51.100.7", 100), attachment(2, "2001:db8:2::7", 700));
        let (home_agent, both) = (of_both_families(), [wifi.clone(), lte.clone()]);
        let avoiding = Preference { avoided: std::slice::from_ref(&wifi), ..preference(&home_agent) };
        assert_eq!(choose(Some(&wifi), &both, &avoiding), Some(&lte));
        assert_eq!(choose(Some(&wifi), &both[..1], &avoiding), Some(&wifi));
    }

    #[test]
    fn a_usable_attachment_is_kept_though_a_better_one_appears() {
        let (wifi, lte) = (attachment(1, "198.51.100.7", 600), attachment(2, "2001:db8:2::7", 100));
        let home_agent = of_both_families();
        assert_eq!(choose(Some(&wifi), &[lte.clone(), wifi.clone()], &preference(&home_agent)), Some(&wifi));
        assert_eq!(choose(Some(&wifi), std::slice::from_ref(&lte), &preference(&home_agent)), Some(&lte));
        assert_eq!(choose(None, &[wifi, lte.clone()], &preference(&home_agent)), Some(&lte));
        assert_eq!(choose(Some(&lte), &[], &preference(&home_agent)), None);
    }

    #[test]
    fn an_attachment_of_a_family_in_which_the_home_agent_has_no_address_is_of_no_use() {
        let (wifi, lte) = (attachment(1, "198.51.100.7", 600), attachment(2, "2001:db8:2::7", 100));
        let only_ip4 = home_agent(None, Some("203.0.113.1"));
        assert_eq!(choose(None, &[lte.clone(), wifi.clone()], &preference(&only_ip4)), Some(&wifi));
        assert_eq!(choose(Some(&lte), &[lte.clone(), wifi.clone()], &preference(&only_ip4)), Some(&wifi), "nor is it kept");
        assert_eq!(choose(None, std::slice::from_ref(&lte), &preference(&only_ip4)), None);
        let prefix = Nat64Prefix::new("2001:db8:64::".parse().unwrap(), 96).unwrap();
        let through_nat64 = Reach { nat64: Prefixes::new([(2, prefix)]), ..only_ip4 };
        assert_eq!(choose(None, std::slice::from_ref(&lte), &preference(&through_nat64)), Some(&lte), "a NAT64 leads there");
        let tie = [lte, attachment(2, "198.51.100.7", 100)];
        assert_eq!(choose(None, &tie, &preference(&through_nat64)), Some(&tie[1]), "native IPv4 is nearer");
    }

    #[test]
    fn another_address_on_the_same_interface_is_another_attachment() {
        let (old, new) = (attachment(1, "198.51.100.7", 600), attachment(1, "198.51.100.8", 600));
        assert_eq!(choose(Some(&old), std::slice::from_ref(&new), &preference(&of_both_families())), Some(&new));
    }
    #[test]
    fn on_one_interface_ipv6_is_taken_before_ipv4_whatever_the_metrics_of_the_two_families() {
        let both = [attachment(1, "198.51.100.7", 100), attachment(1, "2001:db8:2::7", 1024)];
        let home_agent = of_both_families();
        assert_eq!(choose(None, &both, &preference(&home_agent)), Some(&both[1]));
        let better = Preference { leaves_for_better: true, ..preference(&home_agent) };
        assert_eq!(choose(Some(&both[0]), &both, &better), Some(&both[0]), "IPv4 that works is not left for it");
        let private = home_agent_at("fd00:f::1");
        assert_eq!(choose(None, &both, &preference(&private)), Some(&both[0]), "from a global to a unique local address");
        let local = [both[0].clone(), attachment(1, "fd00:2::7", 1024)];
        assert_eq!(choose(None, &local, &preference(&private)), Some(&local[0]), "RFC 6724 section 2.1: precedence 35 and 3");
    }

    #[test]
    fn a_unique_local_address_is_left_for_a_global_one_where_it_has_not_proved_itself_or_that_costs_nothing() {
        let both = [attachment(1, "fd00:2::7", 100), attachment(1, "2001:db8:2::7", 100)];
        let home_agent = of_both_families();
        let chosen = |is_acknowledged, leaves_for_better| {
            let preference = Preference { is_acknowledged, leaves_for_better, ..preference(&home_agent) };
            choose(Some(&both[0]), &both, &preference).cloned().unwrap()
        };
        assert_eq!(choose(None, &both, &preference(&home_agent)), Some(&both[1]));
        assert_eq!(chosen(false, false), both[1]);
        assert_eq!(chosen(true, true), both[1]);
        assert_eq!(chosen(true, false), both[0], "the network translates it");
    }

    #[test]
    fn an_address_that_works_is_not_left_for_a_newer_one_of_the_same_kind() {
        let both = [attachment(1, "2001:db8:2::d5e3:7953", 100), attachment(1, "2001:db8:2::7", 100)];
        let home_agent = of_both_families();
        for (is_acknowledged, leaves_for_better) in [(false, false), (false, true), (true, false), (true, true)] {
            let preference = Preference { is_acknowledged, leaves_for_better, ..preference(&home_agent) };
            assert_eq!(choose(Some(&both[1]), &both, &preference), Some(&both[1]));
        }
        let old = Attachment { deprecated: true, ..both[1].clone() };
        assert_eq!(choose(Some(&old), &[both[0].clone(), old.clone()], &preference(&home_agent)), Some(&both[0]));
    }

    #[test]
    fn a_home_address_is_no_care_of_address_whichever_interface_has_it() {
        let home = attachment(1, "2001:db8:100::7", 1);
        let abroad = attachment(2, "198.51.100.7", 700);
        let home_agent = of_both_families();
        assert_eq!(choose(None, &[home.clone(), abroad.clone()], &preference(&home_agent)), Some(&abroad));
        assert_eq!(choose(None, &[home], &preference(&home_agent)), None);
    }
}
