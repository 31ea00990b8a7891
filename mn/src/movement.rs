//! Movement detection (RFC 6275 section 11.5): which attachment to use, given those that are usable now.
//!
//! The question is "is the one that I use still usable, is another better?", never "did something change?": a change elsewhere
//! moves nothing.

use protocol::addr::CareOfAddress;

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
    /// Whether one that is in use is left while it works: the home agent can serve both for a while, so nothing is lost.
    pub leaves_for_better: bool,
    /// Where the home agent has not answered of late: used where there is nothing else.
    pub avoided: &'a [Attachment],
}

/// The attachment to use: the current one, unless it is not usable any more or another is better; else the one with the lowest
/// metric. Of those that tie one without a NAT64 wins, then IPv6. One from which the home agent has no address is of no use.
pub fn choose<'a>(current: Option<&Attachment>, usable: &'a [Attachment], preference: &Preference<'_>) -> Option<&'a Attachment> {
    let leads_there =
        |attachment: &&Attachment| preference.home_agent.seen_from(attachment.interface, attachment.care_of.0).is_some();
    let candidates: Vec<&Attachment> = usable.iter().filter(leads_there).collect();
    let best = *candidates.iter().min_by_key(|attachment| preference.rank(attachment))?;
    let kept = current.and_then(|current| candidates.iter().find(|other| other.is_same_place(current)));
    Some(kept.copied().filter(|kept| !preference.is_better(best, kept, &candidates)).unwrap_or(best))
}

impl Preference<'_> {
    fn rank(&self, attachment: &Attachment) -> (bool, bool, u32, bool, bool) {
        let (is_avoided, is_ip4) = (attachment.is_among(self.avoided), attachment.care_of.0.is_ipv4());
        let is_translated = self.home_agent.is_through_nat64(attachment.interface, attachment.care_of.0);
        (is_avoided, attachment.deprecated, attachment.metric, is_translated, is_ip4)
    }

    /// Interfaces are compared by their best route: on one interface there is nothing to gain from another address of its own.
    fn is_better(&self, best: &Attachment, kept: &Attachment, candidates: &[&Attachment]) -> bool {
        let (best_avoided, best_deprecated, ..) = self.rank(best);
        let (kept_avoided, kept_deprecated, ..) = self.rank(kept);
        let metric = |interface| candidates.iter().filter(|other| other.interface == interface).map(|other| other.metric).min();
        match (best_avoided, best_deprecated).cmp(&(kept_avoided, kept_deprecated)) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Equal => self.leaves_for_better && metric(best.interface) < metric(kept.interface),
            std::cmp::Ordering::Greater => false,
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

    fn of_both_families() -> Reach {
        home_agent(Some("2001:db8:f::1"), Some("203.0.113.1"))
    }

    fn preference(home_agent: &Reach) -> Preference<'_> {
        Preference { home_agent, leaves_for_better: false, avoided: &[] }
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
        // The kernel's metric of a route that a router advertises is 1024, whatever the network manager says of the other family.
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
}
