//! How long each of many moves took, told by the packets themselves: a stream of a packet a millisecond each way, captured
//! where the mobile node's kernel has it (its tunnel device) and where the correspondent node has it.
//!
//! A move is a hard one: the network or the address in use goes, for a moment there is none, then the other comes. Its time counts
//! from the kernel's report that the new care-of address is usable.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::deployment::MN_TUN;
use super::kernel_events::now;
use super::topology::KERNEL;
use super::traffic::udp;
use super::{Lab, pcap, plan, wait_for};
use crate::lab::traffic::UDP_PORT;

/// Octets of a captured packet that are kept: all, since several of the stream may be one packet to the kernel.
pub(super) const KEPT: u32 = 0;
pub(super) const STREAM: &str = "udp port 5002";
/// How long the node is without any network.
const WITHOUT: Duration = Duration::from_millis(200);
/// What is sent so shortly before the next move counts for that.
const UNDER_WAY: Duration = Duration::from_millis(200);

/// What became of one move.
#[derive(Clone, Debug)]
pub struct Move {
    /// Where it went.
    pub to: &'static str,
    /// From the usable care-of address to the first packet that the node sent and that arrived; `None`: none until the next move.
    pub uplink: Option<Duration>,
    /// From the usable care-of address to the first packet that arrived at the node.
    pub downlink: Option<Duration>,
    /// From the loss of the network in use to the usable care-of address.
    pub hole: Duration,
    /// Packets lost in all, those sent while there was no network and those that were under way when it went too: up and down.
    pub lost: [usize; 2],
}

/// When a move began (the network in use went), when its care-of address was usable, and when the next move began.
#[derive(Clone, Copy, Debug)]
struct Period {
    to: &'static str,
    began: Duration,
    usable: Duration,
    end: Duration,
}

/// Where the node is: on a network, under an address.
#[derive(Clone, Copy)]
struct Place {
    access: &'static str,
    care_of: IpAddr,
}

impl Lab {
    /// Moves the registered mobile node to and fro between the two networks, `count` times, lets it `stay` where it came, and gives
    /// what became of each move. It is on `wifi` at first.
    pub fn measured_moves(&self, count: usize, stay: Duration) -> Result<Vec<Move>> {
        let place = |access| Ok::<_, anyhow::Error>(Place { access, care_of: self.care_of(access)? });
        self.measured(
            [place(plan::LTE)?, place(plan::WIFI)?],
            count,
            |from, to| {
                self.detach(from.access)?;
                std::thread::sleep(WITHOUT);
                self.attach(to.access)
            },
            stay,
        )
    }

    /// The same where the node stays on the network that it is on, and its lease there changes: the address goes, and another
    /// comes. A `detected` one of IPv6 is optimistic (RFC 4429) for the second in which the kernel looks for who has it too; else the
    /// kernel does not look.
    pub fn measured_leases(&self, access: &'static str, count: usize, stay: Duration, detected: bool) -> Result<Vec<Move>> {
        let [first, second] = self.access(access)?.leases;
        if detected {
            let names = ["accept_dad", "optimistic_dad", "use_optimistic"].map(|name| format!("ipv6/conf/{access}/{name}"));
            self.sysctls(plan::MN, &names.each_ref().map(|name| (name.as_str(), "1")))?;
        }
        self.measured(
            [second, first].map(|care_of| Place { access, care_of }),
            count,
            |_, to| {
                self.ip_batch(plan::MN, &format!("address flush dev {access} scope global"))?;
                std::thread::sleep(WITHOUT);
                let lines = self.lease(access, to.care_of)?;
                self.ip_batch(plan::MN, &if detected { lines.replacen('\n', " optimistic\n", 1) } else { lines })
            },
            stay,
        )
    }

    fn measured(
        &self,
        places: [Place; 2],
        count: usize,
        change: impl Fn(Place, Place) -> Result<()>,
        stay: Duration,
    ) -> Result<Vec<Move>> {
        let node = self.capture(plan::MN, MN_TUN, "node", KEPT, STREAM)?;
        let correspondent = self.capture(plan::CN, plan::HOME, "correspondent", KEPT, STREAM)?;
        let to = format!("[{}]:{UDP_PORT}", plan::CN6);
        let labtool = super::programs::path("labtool")?;
        let stream = self.spawn(plan::MN, "udp-stream", &labtool, &["udp-stream", "--to", &to, "--seconds", "36000"])?;
        std::thread::sleep(stay);
        let periods = self.move_to_and_fro(places, count, change, stay)?;
        drop(stream);
        let (node, correspondent) = (Seen::read(&node.stop()?)?, Seen::read(&correspondent.stop()?)?);
        Ok(periods.into_iter().map(|period| judge(period, &node, &correspondent)).collect())
    }

    fn move_to_and_fro(
        &self,
        [first, second]: [Place; 2],
        count: usize,
        change: impl Fn(Place, Place) -> Result<()>,
        stay: Duration,
    ) -> Result<Vec<Period>> {
        let events = self.kernel_events(plan::MN)?;
        let mut periods: Vec<Period> = Vec::new();
        for [from, to] in [[second, first], [first, second]].into_iter().cycle().take(count) {
            let began = now();
            periods.iter_mut().rev().take(1).for_each(|before| before.end = began);
            change(from, to)?;
            let what = format!("the kernel to report {} as usable", to.care_of);
            let usable = wait_for(&what, KERNEL, || Ok(events.usable(to.access, to.care_of, began)))?;
            std::thread::sleep((usable + stay).saturating_sub(now()));
            periods.push(Period { to: to.access, began, usable, end: now() });
        }
        Ok(periods)
    }
}

/// The stream's packets at one place: when each was there first.
pub(super) struct Seen {
    pub(super) up: BTreeMap<u64, Duration>,
    pub(super) down: BTreeMap<u64, Duration>,
}

impl Seen {
    pub(super) fn read(capture: &Path) -> Result<Self> {
        let mut seen = Self { up: BTreeMap::new(), down: BTreeMap::new() };
        for (at, datagram) in pcap::read_timed(capture)? {
            let way = if datagram.to.port() == UDP_PORT { &mut seen.up } else { &mut seen.down };
            for number in udp::numbers(&datagram.payload) {
                way.entry(number).or_insert(at);
            }
        }
        Ok(seen)
    }
}

fn judge(period: Period, node: &Seen, correspondent: &Seen) -> Move {
    let during = |at: &&Duration| (period.usable..period.end).contains(*at);
    let got_through = node.up.iter().filter(|(number, _)| correspondent.up.contains_key(number)).map(|(_, at)| at);
    let uplink = got_through.filter(during).min().copied();
    // A router that looks for a neighbour keeps a few packets for it, and hands over what it kept when the node was here before.
    let sent_since = |number: &u64| correspondent.down.get(number).is_some_and(|sent| *sent >= period.began);
    let arrived = node.down.iter().filter(|(number, _)| sent_since(number)).map(|(_, at)| at);
    let downlink = arrived.filter(during).min().copied();
    let since = period.began.saturating_sub(UNDER_WAY);
    let lost = [lost(&node.up, &correspondent.up, since, period.end), lost(&correspondent.down, &node.down, since, period.end)];
    let took = |at: Duration| at - period.usable;
    let hole = period.usable.saturating_sub(period.began);
    Move { to: period.to, hole, uplink: uplink.map(took), downlink: downlink.map(took), lost }
}

/// How many packets that were sent after `since`, and not just before `end`, never arrived.
fn lost(sent: &BTreeMap<u64, Duration>, arrived: &BTreeMap<u64, Duration>, since: Duration, end: Duration) -> usize {
    let then = since..end.saturating_sub(UNDER_WAY);
    sent.iter().filter(|&(number, at)| then.contains(at) && !arrived.contains_key(number)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Duration {
        Duration::from_secs(1_000) + Duration::from_millis(ms)
    }

    fn seen(up: &[(u64, u64)], down: &[(u64, u64)]) -> Seen {
        let [up, down] = [up, down].map(|way| way.iter().map(|(number, ms)| (*number, at(*ms))).collect());
        Seen { up, down }
    }

    #[test]
    fn a_move_counts_from_the_usable_address_to_the_first_packet_that_got_through_and_what_never_came_is_lost() {
        let period = Period { to: plan::LTE, began: at(75), usable: at(100), end: at(1_000) };
        let node = seen(&[(1, 90), (2, 101), (3, 103), (4, 104), (5, 105), (6, 900)], &[(7, 110), (8, 140), (9, 150), (11, 160)]);
        let correspondent = seen(&[(1, 91), (3, 123), (5, 125)], &[(7, 70), (8, 74), (9, 130), (10, 151), (11, 152), (12, 950)]);
        let judged = judge(period, &node, &correspondent);
        assert_eq!((judged.uplink, judged.downlink), (Some(Duration::from_millis(3)), Some(Duration::from_millis(50))));
        assert_eq!((judged.hole, judged.lost), (Duration::from_millis(25), [2, 1]), "what came late is not lost");
    }

    #[test]
    fn a_move_after_which_nothing_gets_through_has_no_time() {
        let period = Period { to: plan::WIFI, began: at(0), usable: at(100), end: at(1_000) };
        let judged = judge(period, &seen(&[(1, 200)], &[(2, 50)]), &seen(&[], &[(2, 40)]));
        assert_eq!((judged.uplink, judged.downlink, judged.lost), (None, None, [1, 0]));
    }
}
