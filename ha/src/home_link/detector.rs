//! Duplicate Address Detection for others (RFC 4862 section 5.4): which addresses are being looked for, and until when. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use super::Verdict;
use crate::home_agent::Detection;

/// What is being looked for: at most one detection of each node.
#[derive(Debug)]
pub(super) struct Detector {
    /// Probes for each address; with none nobody is asked.
    transmits: u32,
    /// From a probe to the next, or to the verdict.
    wait: Duration,
    running: BTreeMap<Ipv6Addr, Running>,
    due: BTreeSet<(Instant, Ipv6Addr)>,
}

#[derive(Debug)]
struct Running {
    detection: Detection,
    due: Instant,
    left: u32,
}

/// What is to be done now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Ask for each of these.
    Probe(Vec<IpAddr>),
    /// It is over.
    Verdict(Verdict),
}

impl Detector {
    pub(super) fn new(transmits: u32, wait: Duration) -> Self {
        Self { transmits, wait, running: BTreeMap::new(), due: BTreeSet::new() }
    }

    /// Begins; the first step is due at once. A node that wants another detection has no use for the one before.
    pub(super) fn begin(&mut self, detection: Detection, now: Instant) {
        let node = detection.node;
        self.end(node);
        self.running.insert(node, Running { detection, due: now, left: self.transmits });
        self.due.insert((now, node));
    }

    /// Somebody else claims `address`: gives the verdicts of those who wanted it.
    pub(super) fn claimed(&mut self, address: IpAddr) -> Vec<Verdict> {
        let wants = |running: &&Running| running.detection.addresses.contains(&address) && running.left < self.transmits;
        let nodes: Vec<_> = self.running.values().filter(wants).map(|running| running.detection.node).collect();
        nodes.into_iter().filter_map(|node| self.end(node)).map(|detection| (detection, vec![address])).collect()
    }

    /// When [`Self::next_step`] has something.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    /// What is due; called until `None`.
    pub(super) fn next_step(&mut self, now: Instant) -> Option<Step> {
        let (_, node) = self.due.first().copied().filter(|(due, _)| *due <= now)?;
        let running = self.running.get_mut(&node)?;
        if running.left == 0 {
            return self.end(node).map(|detection| Step::Verdict((detection, Vec::new())));
        }
        running.left -= 1;
        self.due.remove(&(running.due, node));
        running.due = now + self.wait;
        self.due.insert((running.due, node));
        Some(Step::Probe(running.detection.addresses.clone()))
    }

    fn end(&mut self, node: Ipv6Addr) -> Option<Detection> {
        let running = self.running.remove(&node)?;
        self.due.remove(&(running.due, node));
        Some(running.detection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_millis(1000);

    fn detection(last: u16) -> Detection {
        let node = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, last);
        Detection { node, addresses: vec![node.into(), [10, 9, 0, last as u8].into()] }
    }

    #[test]
    fn an_address_that_nobody_claims_is_free_after_each_probe_had_its_time() {
        let (mut detector, start) = (Detector::new(2, WAIT), Instant::now());
        detector.begin(detection(5), start);
        let addresses = detection(5).addresses;
        for probe in 0..2 {
            let now = start + WAIT * probe;
            assert_eq!(detector.next_due(), Some(now));
            assert_eq!(detector.next_step(now), Some(Step::Probe(addresses.clone())));
            assert_eq!(detector.next_step(now), None);
        }
        let verdict = Step::Verdict((detection(5), Vec::new()));
        assert_eq!(detector.next_step(start + WAIT * 2), Some(verdict));
        assert_eq!((detector.next_step(start + WAIT * 9), detector.next_due()), (None, None));
    }

    #[test]
    fn a_claim_ends_the_detection_of_who_wants_the_address_and_no_others() {
        let (mut detector, start) = (Detector::new(1, WAIT), Instant::now());
        detector.begin(detection(5), start);
        detector.begin(detection(6), start);
        let claimed = detection(6).addresses[1];
        assert_eq!(detector.claimed(claimed), [], "nobody has been asked yet");
        while detector.next_step(start).is_some() {}
        assert_eq!(detector.claimed(claimed), [(detection(6), vec![claimed])]);
        assert_eq!(detector.claimed(claimed), []);
        assert_eq!(detector.next_step(start + WAIT), Some(Step::Verdict((detection(5), Vec::new()))));
    }

    #[test]
    fn a_link_without_detection_is_free_at_once() {
        let (mut detector, start) = (Detector::new(0, WAIT), Instant::now());
        detector.begin(detection(5), start);
        assert_eq!(detector.next_step(start), Some(Step::Verdict((detection(5), Vec::new()))));
    }
}
