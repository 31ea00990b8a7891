//! What waits to be written to a stream: framed datagrams, whole or not at all, in a buffer that never grows.

use super::frame::prefix;

/// Octets that wait at most: with as much again in the kernel ([`super::UNSENT`]), what a link of 10 Mbit/s carries in 100 ms. More
/// would only make everything late.
pub const CAPACITY: usize = 64 << 10;

/// A queue of framed datagrams.
pub struct Outbox {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Default for Outbox {
    fn default() -> Self {
        Self { buffer: vec![0; CAPACITY].into_boxed_slice(), start: 0, end: 0 }
    }
}

impl Outbox {
    /// Takes a datagram; `false` where there is no room for the whole of it, or it has a length that no datagram has.
    pub fn push(&mut self, datagram: &[u8]) -> bool {
        let Some(prefix) = prefix(datagram.len()) else { return false };
        let len = prefix.len() + datagram.len();
        if self.buffer.len() - (self.end - self.start) < len {
            return false;
        }
        if self.buffer.len() - self.end < len {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let Some(place) = self.buffer.get_mut(self.end..self.end + len) else { return false };
        let (front, rest) = place.split_at_mut(prefix.len());
        front.copy_from_slice(&prefix);
        rest.copy_from_slice(datagram);
        self.end += len;
        true
    }

    /// What is to be written next.
    pub fn waiting(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// So many octets of it were written.
    pub fn written(&mut self, octets: usize) {
        self.start = self.start.saturating_add(octets).min(self.end);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::{Decoder, LEAST, MOST};
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_whole_and_the_rest_comes_out_in_order() {
        let mut outbox = Outbox::default();
        let taken = (0..100).filter(|fill| outbox.push(&[*fill; 1400])).count();
        assert_eq!(taken, CAPACITY / 1402);
        assert!(outbox.push(&[0xff; LEAST]), "a short one may fit yet");
        outbox.written(1402);
        assert!(outbox.push(&[0xfe; 1400]), "room is found again at the front");
        let (mut decoder, mut fills) = (Decoder::default(), Vec::new());
        while !outbox.waiting().is_empty() {
            let room = decoder.room();
            let len = room.len().min(outbox.waiting().len()).min(999);
            room[..len].copy_from_slice(&outbox.waiting()[..len]);
            decoder.filled(len);
            outbox.written(len);
            while let Some(datagram) = decoder.take().unwrap() {
                fills.push(datagram[0]);
            }
        }
        assert_eq!(fills, (1..taken as u8).chain([0xff, 0xfe]).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_no_datagram_is_not_taken() {
        let mut outbox = Outbox::default();
        assert!(!outbox.push(&[0; LEAST - 1]) && !outbox.push(&vec![0; MOST + 1]) && outbox.waiting().is_empty());
        assert!(outbox.push(&vec![0; MOST]));
    }
}
