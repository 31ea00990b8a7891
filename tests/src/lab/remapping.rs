//! What it costs that a translator forgets its mappings, told by the packets themselves: a stream of a packet a millisecond each way,
//! captured at the mobile node's tunnel device and at the correspondent node.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result};

use super::deployment::MN_TUN;
use super::handover::{KEPT, STREAM, Seen};
use super::kernel_events::now;
use super::traffic::UDP_PORT;
use super::{Lab, Nat, plan, programs};

/// What is sent so long before and after belongs to one loss of the mappings.
const AROUND: Duration = Duration::from_millis(500);

/// What became of one loss of all mappings.
#[derive(Clone, Copy, Debug)]
pub struct Remapping {
    /// From the first packet that the node sent and that went through a new mapping, until the node gets one that was sent since.
    pub downlink: Duration,
    /// Packets of the node that were lost around it.
    pub lost_up: usize,
    /// Packets for the node that were lost around it.
    pub lost_down: usize,
}

impl Lab {
    /// Streams between the registered mobile node and `correspondent`, lets the translator forget `count` times, `apart`, and gives
    /// what became of each time.
    pub fn measured_remappings(
        &self,
        nat: &Nat<'_>,
        correspondent: IpAddr,
        count: usize,
        apart: Duration,
    ) -> Result<Vec<Remapping>> {
        let name = if correspondent.is_ipv6() { "6" } else { "4" };
        let node = self.capture(plan::MN, MN_TUN, &format!("node{name}"), KEPT, STREAM)?;
        let other = self.capture(plan::CN, plan::HOME, &format!("correspondent{name}"), KEPT, STREAM)?;
        let to = std::net::SocketAddr::new(correspondent, UDP_PORT).to_string();
        let words = ["udp-stream", "--to", &to, "--seconds", "36000"];
        let stream = self.spawn(plan::MN, &format!("udp-stream{name}"), &programs::path("labtool")?, &words)?;
        std::thread::sleep(apart);
        let mut forgotten = Vec::new();
        for _ in 0..count {
            forgotten.push(now());
            nat.forget_mappings()?;
            std::thread::sleep(apart);
        }
        drop(stream);
        let (node, other) = (Seen::read(&node.stop()?)?, Seen::read(&other.stop()?)?);
        forgotten
            .into_iter()
            .map(|at| judge(at, &node, &other).with_context(|| format!("what was forgotten at {at:?}")))
            .collect()
    }
}

/// The mappings are gone with the first packet for the node that is lost: between it and the translator there is no delay.
fn judge(forgotten: Duration, node: &Seen, other: &Seen) -> Result<Remapping> {
    let (lost_up, lost_down) = (lost(&node.up, &other.up, forgotten), lost(&other.down, &node.down, forgotten));
    let gone = lost_down.iter().copied().min().unwrap_or(forgotten);
    let first = other.up.iter().find(|(_, arrived)| **arrived >= gone).map(|(number, _)| number);
    let sent = first.and_then(|number| node.up.get(number)).context("no packet of the node went through since")?;
    let sent_since = other.down.iter().filter(|(_, sent)| **sent >= gone).map(|(number, _)| number);
    let back =
        sent_since.filter_map(|number| node.down.get(number)).min().context("no packet for the node went through since")?;
    Ok(Remapping { downlink: back.saturating_sub(*sent), lost_up: lost_up.len(), lost_down: lost_down.len() })
}

/// When each was sent that was lost.
fn lost(sent: &BTreeMap<u64, Duration>, arrived: &BTreeMap<u64, Duration>, around: Duration) -> Vec<Duration> {
    let around = around.saturating_sub(AROUND)..around + AROUND;
    sent.iter().filter(|&(number, at)| around.contains(at) && !arrived.contains_key(number)).map(|(_, at)| *at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(up: &[(u64, u64)], down: &[(u64, u64)]) -> Seen {
        let [up, down] = [up, down].map(|way| way.iter().map(|(number, ms)| (*number, Duration::from_millis(*ms))).collect());
        Seen { up, down }
    }

    #[test]
    fn time_counts_from_the_packet_that_makes_the_new_mapping_to_the_first_one_that_was_sent_since() {
        let node = seen(&[(1, 960), (2, 981), (3, 982), (4, 990)], &[(7, 1_010), (9, 1_060)]);
        let other = seen(&[(1, 980), (2, 1_001), (4, 1_010)], &[(7, 996), (8, 1_000), (9, 1_040)]);
        let judged = judge(Duration::from_millis(995), &node, &other).unwrap();
        assert_eq!((judged.downlink, judged.lost_up, judged.lost_down), (Duration::from_millis(1_060 - 981), 1, 1));
        assert!(judge(Duration::from_millis(2_000), &node, &other).is_err());
    }
}
