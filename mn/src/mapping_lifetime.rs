//! How long a NAT keeps a mapping that nothing uses: learnt on each network, by longer and longer silences.
//!
//! Pure. A silence is tried that is half as long again as the longest one that a mapping has outlived, until one is lost; then once or
//! twice one between the two. What was learnt is kept for the latest [`NETWORKS`] networks as long as the node runs.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use crate::movement::Attachment;

/// What any NAT is believed to keep a mapping for: half of the 30 s that the worst usual ones do.
const SAFE: Duration = Duration::from_secs(15);
/// Not even a NAT that always forgets makes a node send more often.
pub const SHORTEST: Duration = Duration::from_secs(10);
/// The node looks at its counters twice a second, so that a silence is that much longer than it was to be, or a look more.
const MARGIN: Duration = Duration::from_secs(1);
/// Networks that are remembered.
pub const NETWORKS: usize = 16;

/// A network as the node can tell it from others: where two have the same addresses on one interface, the second one's losses
/// correct what the first one taught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    interface: u32,
    prefix: IpAddr,
}

impl Network {
    /// That of an attachment: its interface, and a prefix of the usual length around its address (/64, /24).
    pub fn of(attachment: &Attachment) -> Self {
        let prefix = match attachment.care_of.0 {
            IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() >> 64 << 64).into()),
            IpAddr::V4(ip) => IpAddr::V4((ip.to_bits() >> 8 << 8).into()),
        };
        Self { interface: attachment.interface, prefix }
    }
}

/// How long the node may be silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// So long.
    pub every: Duration,
    /// Whether it is longer than what is known to hold.
    pub is_trial: bool,
}

/// What is known of the networks that were used lately, the one in use last.
#[derive(Debug, Default)]
pub struct MappingLifetimes(VecDeque<Learnt>);

#[derive(Debug)]
struct Learnt {
    network: Network,
    /// The longest silence that a mapping has outlived.
    holds: Duration,
    /// The shortest in which one was lost, longer than `holds`.
    fails: Option<Duration>,
    /// One was lost in a silence that others had outlived: perhaps the NAT was restarted.
    is_doubted: bool,
}

impl MappingLifetimes {
    /// The node is in this network.
    pub fn enter(&mut self, network: Network) {
        let known = self.0.iter().position(|learnt| learnt.network == network).and_then(|index| self.0.remove(index));
        if self.0.len() == NETWORKS {
            self.0.pop_front();
        }
        self.0.push_back(known.unwrap_or(Learnt { network, holds: SAFE, fails: None, is_doubted: false }));
    }

    /// How long the node may be silent, and never longer than `most`.
    pub fn interval(&self, most: Duration) -> Interval {
        let Some(Learnt { holds, fails, .. }) = self.0.back() else { return Interval { every: SAFE.min(most), is_trial: false } };
        let trial = match fails {
            None => Some(*holds * 3 / 2),
            // Below a quarter more, what could be gained is less than what a loss costs.
            Some(fails) if *fails * 4 > *holds * 5 => Some((*holds + *fails) / 2),
            Some(_) => None,
        };
        match trial.filter(|_| *holds < most) {
            Some(trial) => Interval { every: trial.min(most), is_trial: true },
            None => Interval { every: (*holds - MARGIN).max(SHORTEST).min(most), is_trial: false },
        }
    }

    /// A mapping has outlived a silence.
    pub fn survived(&mut self, silence: Duration) {
        let Some(learnt) = self.0.back_mut() else { return };
        learnt.is_doubted = false;
        learnt.holds = learnt.holds.max(silence);
        learnt.fails = learnt.fails.filter(|fails| *fails > learnt.holds);
    }

    /// A mapping has outlived a silence in which another was lost before: that was no sign of a shorter lifetime.
    pub fn held(&mut self) {
        if let Some(learnt) = self.0.back_mut() {
            learnt.is_doubted = false;
        }
    }

    /// A mapping was lost in a silence. In one that others have outlived only the second loss in a row is believed.
    pub fn lost(&mut self, silence: Duration) {
        let Some(learnt) = self.0.back_mut() else { return };
        if silence > learnt.holds {
            learnt.fails = Some(learnt.fails.map_or(silence, |fails| fails.min(silence)));
        } else if !std::mem::replace(&mut learnt.is_doubted, true) {
            return;
        } else {
            learnt.fails = Some(silence.max(SHORTEST));
            learnt.holds = (silence / 2).max(SHORTEST);
        }
        learnt.is_doubted = false;
    }
}

#[cfg(test)]
mod tests {
    use protocol::addr::CareOfAddress;

    use super::*;

    const MOST: Duration = Duration::from_secs(110);

    fn network(interface: u32, ip: &str) -> Network {
        let care_of = CareOfAddress(ip.parse().unwrap());
        Network::of(&Attachment { interface, name: "if".to_owned(), care_of, metric: 0, deprecated: false })
    }

    /// What the node comes to where mappings live so long, the silences in which it was lost, and after how many trials.
    fn learns(lifetimes: &mut MappingLifetimes, lifetime: u64, most: Duration) -> (u64, Vec<u64>, usize) {
        let (mut lost, mut trials) = (Vec::new(), 0);
        loop {
            let Interval { every, is_trial } = lifetimes.interval(most);
            if !is_trial {
                return (every.as_secs(), lost, trials);
            }
            trials += 1;
            if every < Duration::from_secs(lifetime) {
                lifetimes.survived(every);
            } else {
                lost.push(every.as_secs());
                lifetimes.lost(every);
            }
        }
    }

    fn entered() -> MappingLifetimes {
        let mut lifetimes = MappingLifetimes::default();
        lifetimes.enter(network(1, "198.51.100.7"));
        lifetimes
    }

    #[test]
    fn silences_grow_until_one_is_too_long_or_the_home_agent_wants_no_longer_one() {
        let rows = [(20, 17, vec![22], 2), (30, 27, vec![33], 3), (60, 49, vec![75, 63], 5), (120, 109, vec![], 5)];
        for (lifetime, every, lost, trials) in rows {
            assert_eq!(learns(&mut entered(), lifetime, MOST), (every, lost, trials), "{lifetime} s");
        }
        let longest = Duration::from_secs(600);
        assert_eq!(learns(&mut entered(), 120, longest), (112, vec![170, 142], 7));
        assert_eq!(learns(&mut entered(), 300, longest).0, 255);
    }

    #[test]
    fn no_silence_is_longer_than_the_home_agent_wants_though_a_longer_one_holds() {
        let mut lifetimes = entered();
        lifetimes.survived(Duration::from_secs(100));
        assert_eq!(lifetimes.interval(Duration::from_secs(30)).every, Duration::from_secs(30));
    }

    #[test]
    fn one_loss_may_be_a_restart_and_two_in_a_row_are_a_shorter_lifetime() {
        let (mut lifetimes, minute) = (entered(), Duration::from_secs(60));
        lifetimes.survived(minute);
        lifetimes.lost(minute);
        lifetimes.survived(minute);
        lifetimes.lost(minute);
        lifetimes.held();
        lifetimes.lost(minute);
        assert!(lifetimes.interval(MOST).every >= minute);
        lifetimes.lost(minute);
        let (every, ..) = learns(&mut lifetimes, 40, MOST);
        assert!((30..40).contains(&every), "{every} s");
    }

    #[test]
    fn where_every_mapping_is_lost_the_shortest_silence_is_left() {
        let mut lifetimes = entered();
        for _ in 0..20 {
            let silence = lifetimes.interval(MOST).every;
            lifetimes.lost(silence);
        }
        assert_eq!(lifetimes.interval(MOST).every, SHORTEST);
    }

    #[test]
    fn each_network_has_its_own_and_the_latest_sixteen_are_remembered() {
        let mut lifetimes = entered();
        lifetimes.survived(Duration::from_secs(105));
        lifetimes.lost(MOST);
        let learnt = lifetimes.interval(MOST);
        lifetimes.enter(network(2, "198.51.100.7"));
        assert_ne!(lifetimes.interval(MOST), learnt, "another interface");
        lifetimes.enter(network(1, "198.51.101.7"));
        assert_ne!(lifetimes.interval(MOST), learnt, "another prefix");
        lifetimes.enter(network(1, "198.51.100.99"));
        assert_eq!(lifetimes.interval(MOST), learnt, "another address there");
        (10..).take(NETWORKS - 1).for_each(|interface| lifetimes.enter(network(interface, "2001:db8::7")));
        lifetimes.enter(network(1, "198.51.100.7"));
        assert_eq!(lifetimes.interval(MOST), learnt);
        (10..).take(NETWORKS).for_each(|interface| lifetimes.enter(network(interface, "2001:db8::7")));
        lifetimes.enter(network(1, "198.51.100.7"));
        assert_ne!(lifetimes.interval(MOST), learnt, "it was too long ago");
        assert_eq!(lifetimes.0.len(), NETWORKS);
    }
}
