//! Datagrams on a stream: each behind its length, 16 bits in network byte order. Pure.

use crate::MAX_SEALING_OVERHEAD;
use crate::tun::MAX_MTU;

/// Octets of the length.
pub const PREFIX_LEN: usize = 2;
/// Octets of the shortest datagram: an envelope with nothing in it (RFC 6618 section 6.1).
pub const LEAST: usize = 8;
/// Octets of the longest: the largest inner packet of any device, sealed.
pub const MOST: usize = MAX_MTU as usize + MAX_SEALING_OVERHEAD;

/// What is read of a stream at once: several datagrams of an ordinary path, and always one of the longest.
const BUFFER: usize = 16 << 10;

/// A length that no datagram has; what follows it means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a datagram of {0} octets: {LEAST} to {MOST} are possible")]
pub struct BadLength(pub u16);

/// The length that goes before a datagram of `len` octets; `None` where it is too short or too long.
pub fn prefix(len: usize) -> Option<[u8; PREFIX_LEN]> {
    u16::try_from(len).ok().filter(|_| (LEAST..=MOST).contains(&len)).map(u16::to_be_bytes)
}

/// Cuts a stream into datagrams, however it arrives. Holds one buffer and makes no other.
pub struct Decoder {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { buffer: vec![0; BUFFER].into_boxed_slice(), start: 0, end: 0 }
    }
}

impl Decoder {
    /// Room for what comes next of the stream. Never empty once [`Self::take`] has given `None`.
    pub fn room(&mut self) -> &mut [u8] {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// So many octets of [`Self::room`] hold something now.
    pub fn filled(&mut self, octets: usize) {
        self.end = self.end.saturating_add(octets).min(self.buffer.len());
    }

    /// The next whole datagram; `None` until more has come.
    ///
    /// # Errors
    /// [`BadLength`], also again.
    pub fn take(&mut self) -> Result<Option<&[u8]>, BadLength> {
        let held = self.buffer.get(self.start..self.end).unwrap_or_default();
        let Some((prefix, rest)) = held.split_first_chunk::<PREFIX_LEN>() else { return Ok(None) };
        let length = u16::from_be_bytes(*prefix);
        if !(LEAST..=MOST).contains(&usize::from(length)) {
            return Err(BadLength(length));
        }
        let Some(datagram) = rest.get(..usize::from(length)) else { return Ok(None) };
        self.start += PREFIX_LEN + datagram.len();
        Ok(Some(datagram))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All datagrams of a stream that arrives in pieces of `size` octets, and how it ended.
    fn cut(stream: &[u8], size: usize) -> (Vec<Vec<u8>>, Option<BadLength>) {
        let (mut decoder, mut datagrams) = (Decoder::default(), Vec::new());
        let mut left = stream;
        while !left.is_empty() {
            let room = decoder.room();
            let octets = size.min(room.len()).min(left.len());
            let (piece, rest) = left.split_at(octets);
            room[..octets].copy_from_slice(piece);
            left = rest;
            decoder.filled(octets);
            loop {
                match decoder.take() {
                    Ok(Some(datagram)) => datagrams.push(datagram.to_vec()),
                    Ok(None) => break,
                    Err(error) => return (datagrams, Some(error)),
                }
            }
        }
        (datagrams, None)
    }

    fn framed(datagram: &[u8]) -> Vec<u8> {
        [&prefix(datagram.len()).unwrap()[..], datagram].concat()
    }

    #[test]
    fn datagrams_of_every_length_come_out_as_they_went_in_however_they_arrive() {
        let datagrams: Vec<Vec<u8>> =
            [LEAST, 1400, MOST, 9, MOST, MOST].iter().zip(1..).map(|(len, fill)| vec![fill; *len]).collect();
        let stream: Vec<u8> = datagrams.iter().flat_map(|datagram| framed(datagram)).collect();
        for size in [1, 2, 3, 7, 1000, MOST, MOST + 1] {
            assert_eq!(cut(&stream, size), (datagrams.clone(), None), "{size}");
        }
    }

    #[test]
    fn a_length_out_of_bounds_ends_the_stream_behind_what_was_whole() {
        let good = framed(&[1; 20]);
        for length in [0, 1, LEAST as u16 - 1, MOST as u16 + 1, u16::MAX] {
            let stream = [&good[..], &length.to_be_bytes(), &[0; 30]].concat();
            assert_eq!(cut(&stream, 5), (vec![vec![1; 20]], Some(BadLength(length))));
        }
        assert_eq!((prefix(LEAST - 1), prefix(MOST + 1), prefix(1 << 17)), (None, None, None));
    }

    #[test]
    fn there_is_room_for_the_longest_datagram_whatever_was_before() {
        let mut decoder = Decoder::default();
        for _ in 0..10_000 {
            assert_eq!(decoder.take(), Ok(None));
            let room = decoder.room();
            assert!(!room.is_empty());
            let len = room.len().min(1_000);
            let piece = framed(&[7; 700]);
            room[..len].copy_from_slice(&[&piece[..], &piece[..]].concat()[..len]);
            // Whole frames alone, so that the next turn begins with a length.
            decoder.filled(piece.len());
            assert_eq!(decoder.take(), Ok(Some(&[7; 700][..])));
        }
    }
}
