//! Movement detection (RFC 6275 section 11.5): which attachment to use, given those that are usable now.
//!
//! The question is "is the one that I use still usable?", never "did something change?": a change elsewhere moves nothing.

use protocol::addr::{CareOfAddress, HomeAgentAddresses};

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
}

impl Attachment {
    /// Whether both are one address on one interface; a changed metric alone is no move.
    pub fn is_same_place(&self, other: &Self) -> bool {
        self.interface == other.interface && self.care_of == other.care_of
    }
}

/// The attachment to use: the current one while it is usable, else the one with the lowest metric. IPv6 wins a tie. One of a
/// family in which the home agent has no address is of no use.
pub fn choose<'a>(
    current: Option<&Attachment>,
    usable: &'a [Attachment],
    home_agent: &HomeAgentAddresses,
) -> Option<&'a Attachment> {
    let leads_there = |attachment: &&Attachment| home_agent.of_family(attachment.care_of.0).is_some();
    let candidates = usable.iter().filter(leads_there);
    let kept = current.and_then(|current| candidates.clone().find(|other| other.is_same_place(current)));
    kept.or_else(|| candidates.min_by_key(|attachment| (attachment.metric, attachment.care_of.0.is_ipv4())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attachment(interface: u32, ip: &str, metric: u32) -> Attachment {
        Attachment { interface, name: format!("if{interface}"), care_of: CareOfAddress(ip.parse().unwrap()), metric }
    }

    fn home_agent(ip6: Option<&str>, ip4: Option<&str>) -> HomeAgentAddresses {
        HomeAgentAddresses::new(ip6.map(|ip| ip.parse().unwrap()), ip4.map(|ip| ip.parse().unwrap()), 7872).unwrap()
    }

    fn of_both_families() -> HomeAgentAddresses {
        home_agent(Some("2001:db8:f::1"), Some("203.0.113.1"))
    }

    #[test]
    fn a_usable_attachment_is_kept_though_a_better_one_appears() {
        let (wifi, lte) = (attachment(1, "198.51.100.7", 600), attachment(2, "2001:db8:2::7", 100));
        let home_agent = of_both_families();
        assert_eq!(choose(Some(&wifi), &[lte.clone(), wifi.clone()], &home_agent), Some(&wifi));
        assert_eq!(choose(Some(&wifi), std::slice::from_ref(&lte), &home_agent), Some(&lte));
        assert_eq!(choose(None, &[wifi, lte.clone()], &home_agent), Some(&lte));
        assert_eq!(choose(Some(&lte), &[], &home_agent), None);
    }

    #[test]
    fn an_attachment_of_a_family_in_which_the_home_agent_has_no_address_is_of_no_use() {
        let (wifi, lte) = (attachment(1, "198.51.100.7", 600), attachment(2, "2001:db8:2::7", 100));
        let only_ip4 = home_agent(None, Some("203.0.113.1"));
        assert_eq!(choose(None, &[lte.clone(), wifi.clone()], &only_ip4), Some(&wifi));
        assert_eq!(choose(Some(&lte), &[lte.clone(), wifi.clone()], &only_ip4), Some(&wifi), "nor is it kept");
        assert_eq!(choose(None, &[lte], &only_ip4), None);
    }

    #[test]
    fn another_address_on_the_same_interface_is_another_attachment() {
        let (old, new) = (attachment(1, "198.51.100.7", 600), attachment(1, "198.51.100.8", 600));
        assert_eq!(choose(Some(&old), std::slice::from_ref(&new), &of_both_families()), Some(&new));
    }
}
