use std::net::SocketAddr;
use std::ops::Range;

use crate::tunnel::{Path, Paths, SocketId};

/// The most datagrams of one [`Run`]: what one `UDP_SEGMENT` takes on every kernel that has it.
pub const MAX_RUN_DATAGRAMS: usize = 64;

/// The most octets of one [`Run`]: what one UDP message may hold over IPv4, the narrower family.
pub const MAX_RUN_OCTETS: usize = super::MAX_PACKET - 20 - 8;

/// What becomes of a datagram that is longer than its path carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fragmentation {
    /// Whoever finds that out fragments it, if he may: a router over IPv4, the kernel over IPv6.
    #[default]
    OnTheWay,
    /// It is lost.
    Never,
    /// As [`Self::OnTheWay`], in a message of its own: the kernel fragments nothing that it cuts from a longer message.
    OnItsOwn,
}

/// Datagrams to one place, one behind the other in the batch: all of the same length, but the last, which may be shorter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Their octets in the batch; two paths of one datagram name the same.
    pub range: Range<usize>,
    /// Octets of each but the last.
    pub datagram: usize,
    /// The socket to send from.
    pub socket: SocketId,
    /// Where to.
    pub to: SocketAddr,
    /// The outer header's Traffic Class, or IPv4's Type of Service: DSCP and ECN.
    pub traffic_class: u8,
    /// What becomes of one that is too long.
    pub fragmentation: Fragmentation,
}

impl Run {
    /// How many datagrams.
    pub fn datagrams(&self) -> usize {
        self.range.len().div_ceil(self.datagram.max(1))
    }

    fn leads_where(&self, path: &Path) -> bool {
        path.leads_to(self.socket, self.to)
    }

    /// Whether a datagram at `next` may be its next one.
    fn takes(&self, next: &Range<usize>, traffic_class: u8, fragmentation: Fragmentation) -> bool {
        // The kernel never both cuts a message and fragments what it is cut into.
        [self.fragmentation, fragmentation] == [Fragmentation::OnTheWay; 2]
            && self.range.end == next.start
            && self.range.len().is_multiple_of(self.datagram)
            && next.len() <= self.datagram
            && self.traffic_class == traffic_class
            && self.datagrams() < MAX_RUN_DATAGRAMS
            && self.range.len() + next.len() <= MAX_RUN_OCTETS
    }
}

/// Datagrams to send; an inner packet is copied to its place once and sealed there.
#[derive(Debug)]
pub struct SendBatch {
    octets: Vec<u8>,
    runs: Vec<Run>,
    /// How many of them do not grow any more.
    ended: usize,
    used: usize,
    max_runs: usize,
}

impl SendBatch {
    /// Room for `max_runs` runs of `octets` in all; a datagram that does not continue one is a run of its own.
    pub fn new(max_runs: usize, octets: usize) -> Self {
        Self { octets: vec![0; octets], runs: Vec::with_capacity(max_runs), ended: 0, used: 0, max_runs }
    }

    /// Forgets all datagrams.
    pub fn clear(&mut self) {
        self.runs.clear();
        self.ended = 0;
        self.used = 0;
    }

    /// What is added from now on stands behind all that is here: whoever has sent some of it may go on where it was.
    pub fn end_runs(&mut self) {
        self.ended = self.runs.len();
    }

    /// Room for a datagram of `len` octets on `sendings` paths; `None` when the batch is full.
    pub fn reserve(&mut self, len: usize, sendings: usize) -> Option<Range<usize>> {
        let end = self.used.checked_add(len)?;
        if end > self.octets.len() || self.runs.len() + sendings > self.max_runs {
            return None;
        }
        let range = self.used..end;
        self.used = end;
        Some(range)
    }

    /// The octets of a reserved range.
    pub fn slot(&mut self, range: Range<usize>) -> &mut [u8] {
        self.octets.get_mut(range).unwrap_or_default()
    }

    /// The whole arena, to seal in place.
    pub fn arena(&mut self) -> &mut [u8] {
        &mut self.octets
    }

    /// Sends the datagram at `range` on `path`, behind what was sent there before.
    pub fn push(&mut self, range: Range<usize>, path: &Path, traffic_class: u8) {
        self.push_as(Fragmentation::OnTheWay, range, path, traffic_class);
    }

    /// The same, with a wish for what becomes of it where it is too long.
    pub fn push_as(&mut self, fragmentation: Fragmentation, range: Range<usize>, path: &Path, traffic_class: u8) {
        // The runs of one datagram's paths stand side by side; the latest of a path is the only one that may grow.
        let latest = self.runs.iter_mut().skip(self.ended).rev().take(Paths::MAX).find(|run| run.leads_where(path));
        match latest.filter(|run| run.takes(&range, traffic_class, fragmentation)) {
            Some(run) => run.range.end = range.end,
            None => {
                let (datagram, socket, to) = (range.len(), path.socket, path.remote);
                self.runs.push(Run { datagram, range, socket, to, traffic_class, fragmentation });
            }
        }
    }

    /// Each run with its octets, in order.
    pub fn runs(&self) -> impl Iterator<Item = (&Run, &[u8])> {
        self.runs.iter().filter_map(|run| Some((run, self.octets.get(run.range.clone())?)))
    }

    /// Each datagram with the run that it belongs to.
    pub fn iter(&self) -> impl Iterator<Item = (&Run, &[u8])> {
        self.runs().flat_map(|(run, octets)| octets.chunks(run.datagram.max(1)).map(move |datagram| (run, datagram)))
    }

    /// Octets that are in use.
    pub fn used(&self) -> usize {
        self.used
    }

    /// How many datagrams, each once a path.
    pub fn len(&self) -> usize {
        self.runs.iter().map(Run::datagrams).sum()
    }

    /// Whether there are no datagrams.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(port: u16) -> Path {
        Path::proved(SocketId(0), ([127, 0, 0, 1], port).into())
    }

    fn push(batch: &mut SendBatch, len: usize, ports: &[u16], traffic_class: u8) {
        let range = batch.reserve(len, ports.len()).unwrap();
        batch.slot(range.clone()).fill(len as u8);
        ports.iter().for_each(|port| batch.push(range.clone(), &path(*port), traffic_class));
    }

    fn runs(batch: &SendBatch) -> Vec<(u16, usize, usize)> {
        batch.runs().map(|(run, octets)| (run.to.port(), run.datagram, octets.len())).collect()
    }

    #[test]
    fn one_sealed_datagram_is_sent_on_each_of_its_paths() {
        let mut batch = SendBatch::new(2, 16);
        push(&mut batch, 4, &[1, 2], 0);
        let sent: Vec<_> = batch.iter().map(|(run, octets)| (run.to.port(), octets)).collect();
        assert_eq!(sent, [(1, [4; 4].as_slice()), (2, &[4; 4])]);
        assert_eq!(batch.reserve(1, 1), None);
    }

    #[test]
    fn datagrams_of_one_length_to_one_place_are_one_run_which_a_shorter_one_ends() {
        let mut batch = SendBatch::new(8, 100);
        for (len, ports) in [(9, &[1, 2][..]), (9, &[1, 2]), (5, &[1, 2]), (5, &[1]), (9, &[1])] {
            push(&mut batch, len, ports, 0);
        }
        assert_eq!(runs(&batch), [(1, 9, 23), (2, 9, 23), (1, 5, 5), (1, 9, 9)], "a longer one begins another");
        assert_eq!(batch.iter().filter(|(run, _)| run.to.port() == 1).map(|(_, octets)| octets.len()).sum::<usize>(), 37);
    }

    #[test]
    fn a_run_has_one_traffic_class_and_keeps_the_order_of_its_place() {
        let mut batch = SendBatch::new(8, 100);
        for traffic_class in [0, 2, 2, 0] {
            push(&mut batch, 9, &[1], traffic_class);
        }
        assert_eq!(runs(&batch), [(1, 9, 9), (1, 9, 18), (1, 9, 9)]);
    }

    #[test]
    fn runs_that_have_ended_do_not_grow() {
        let mut batch = SendBatch::new(8, 100);
        push(&mut batch, 9, &[1, 2], 0);
        batch.end_runs();
        (0..2).for_each(|_| push(&mut batch, 9, &[1], 0));
        assert_eq!(runs(&batch), [(1, 9, 9), (2, 9, 9), (1, 9, 18)]);
        batch.clear();
        (0..2).for_each(|_| push(&mut batch, 9, &[1], 0));
        assert_eq!(runs(&batch), [(1, 9, 18)]);
    }

    #[test]
    fn a_run_is_no_longer_than_one_message_of_the_kernel() {
        let mut batch = SendBatch::new(8, 1 << 18);
        (0..65).for_each(|_| push(&mut batch, 100, &[1], 0));
        (0..45).for_each(|_| push(&mut batch, 1_464, &[1], 0));
        assert_eq!(runs(&batch), [(1, 100, 6_400), (1, 100, 100), (1, 1_464, 44 * 1_464), (1, 1_464, 1_464)]);
    }
}
