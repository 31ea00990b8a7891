//! The process behind the emulator's device: takes packets, keeps each for as long as its link says, and gives it back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use net::offloads::Offloads;
use net::tun::Tun;
use protocol::tunnel::PacketBatch;
use protocol::tunnel::batch::MAX_PACKET;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::attacker::{Attack, Attacker};
use crate::link::Link;

/// The MTU of the lab's links.
const MTU: u16 = 1_500;
/// Packets taken at a time.
const BATCH: usize = 256;
/// Packets kept at a time: 300 Mbit/s of full packets for a second. Beyond it, as before a full buffer, they are dropped.
const QUEUE: usize = 25_000;

/// Carries packets of the device `name`, which it makes, until killed.
pub fn run(name: &str, link: Link, seed: u64, attack: Option<Attack>) -> Result<()> {
    let tun = Tun::create(name, MTU, Offloads::NONE)?;
    let mut queue = Queue { link, rng: StdRng::seed_from_u64(seed), kept: BTreeMap::new(), taken: 0, dropped: 0 };
    let mut attacker = attack.map(Attacker::new);
    let mut batch = PacketBatch::new(BATCH, BATCH * usize::from(MTU) + MAX_PACKET);
    loop {
        wait(&tun, queue.due())?;
        tun.read_batch(&mut batch).context("the device is gone")?;
        let now = Instant::now();
        for packet in batch.iter() {
            let theft = attacker.as_mut().map(|attacker| attacker.sees(packet)).transpose()?.flatten();
            tun.write_batch(theft.iter().filter_map(|theft| theft.copy.as_deref()));
            if theft.is_none_or(|theft| theft.original_goes_on) {
                queue.take(packet, now);
            }
        }
        batch.clear();
        let due = queue.give(Instant::now());
        // A packet for a network that was just taken away is nobody's.
        tun.write_batch(due.iter().map(Vec::as_slice));
    }
}

/// Waits for a packet, or until `due`.
fn wait(tun: &Tun, due: Option<Instant>) -> Result<()> {
    let left = due.map(|due| due.saturating_duration_since(Instant::now()));
    let timeout = left.map(Timespec::try_from).transpose().context("a delay without end")?;
    let mut descriptors = [PollFd::new(tun, PollFlags::IN)];
    match poll(&mut descriptors, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error).context("cannot wait for packets"),
    }
}

/// Packets under way, by when they arrive and in which order they came.
struct Queue {
    link: Link,
    rng: StdRng,
    kept: BTreeMap<(Instant, u64), Vec<u8>>,
    taken: u64,
    dropped: u64,
}

impl Queue {
    fn due(&self) -> Option<Instant> {
        self.kept.first_key_value().map(|((due, _), _)| *due)
    }

    fn take(&mut self, packet: &[u8], now: Instant) {
        for transit in self.link.transits(&mut self.rng) {
            if self.kept.len() == QUEUE {
                self.drop_one();
                return;
            }
            self.taken += 1;
            self.kept.insert((now + transit, self.taken), packet.to_vec());
        }
    }

    /// Says so now and then: a case that did not want a full buffer fails by it.
    fn drop_one(&mut self) {
        if self.dropped.is_power_of_two() || self.dropped == 0 {
            eprintln!("{} packets dropped: {QUEUE} are under way", self.dropped + 1);
        }
        self.dropped += 1;
    }

    /// Those that have arrived, in order.
    fn give(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let later = self.kept.split_off(&(now + Duration::from_nanos(1), 0));
        std::mem::replace(&mut self.kept, later).into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(link: Link) -> Queue {
        Queue { link, rng: StdRng::seed_from_u64(1), kept: BTreeMap::new(), taken: 0, dropped: 0 }
    }

    #[test]
    fn a_packet_comes_out_when_its_delay_has_passed_and_in_its_order() {
        let (mut queue, start) = (queue(Link::calm(Duration::from_millis(20))), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        queue.take(b"one", at(0));
        queue.take(b"two", at(0));
        queue.take(b"three", at(5));
        assert_eq!(queue.due(), Some(at(20)));
        assert!(queue.give(at(19)).is_empty());
        assert_eq!(queue.give(at(20)), [&b"one"[..], b"two"]);
        assert_eq!(queue.give(at(30)), [b"three"]);
        assert_eq!(queue.due(), None);
    }

    #[test]
    fn a_full_queue_takes_no_more_and_counts() {
        let (mut queue, start) = (queue(Link::calm(Duration::from_millis(20))), Instant::now());
        (0..QUEUE + 3).for_each(|_| queue.take(b"packet", start));
        assert_eq!((queue.kept.len(), queue.dropped), (QUEUE, 3));
    }
}
