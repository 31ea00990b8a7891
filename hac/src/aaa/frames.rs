//! Cuts what a connection delivers into RADIUS packets: each says its own Length (RFC 2865 section 3). Pure: `port` reads.

use super::packet::{HEADER_LEN, MAX_LEN};

/// A Length that no packet has: whatever follows cannot be found (RFC 6613 section 2.6.4: the connection MUST be closed).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it sent a packet whose Length is {0}, and a packet has {HEADER_LEN} to {MAX_LEN} octets: does it speak RADIUS at this port?"
)]
pub struct WrongLength(pub usize);

/// What has come and is no whole packet yet. Holds what was pushed last and less than a packet more.
#[derive(Debug, Default)]
pub struct Frames {
    octets: Vec<u8>,
}

impl Frames {
    /// Octets that follow those before.
    pub fn push(&mut self, octets: &[u8]) {
        self.octets.extend(octets);
    }

    /// The next whole packet, `None` until more has come.
    ///
    /// # Errors
    /// There will be none any more, whatever comes.
    pub fn take(&mut self) -> Result<Option<Vec<u8>>, WrongLength> {
        let Some((&[_, _, high, low], _)) = self.octets.split_first_chunk::<4>() else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if !(HEADER_LEN..=MAX_LEN).contains(&length) {
            return Err(WrongLength(length));
        }
        if self.octets.len() < length {
            return Ok(None);
        }
        let rest = self.octets.split_off(length);
        Ok(Some(std::mem::replace(&mut self.octets, rest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(identifier: u8, length: u16) -> Vec<u8> {
        let [high, low] = length.to_be_bytes();
        let mut octets = vec![2, identifier, high, low];
        octets.resize(usize::from(length).max(4), identifier);
        octets
    }

    #[test]
    fn packets_come_whole_however_they_are_cut() {
        let packets = [packet(1, 20), packet(2, 4096), packet(3, 21)];
        let all = packets.concat();
        for size in [1, 2, 3, 7, 19, 20, 4096, all.len()] {
            let (mut frames, mut taken) = (Frames::default(), Vec::new());
            for piece in all.chunks(size) {
                frames.push(piece);
                while let Some(packet) = frames.take().unwrap() {
                    taken.push(packet);
                }
            }
            assert_eq!(taken, packets, "pieces of {size}");
        }
    }

    #[test]
    fn a_length_out_of_bounds_ends_it_as_soon_as_it_is_there_and_for_good() {
        for length in [0, 3, 19, 4097, 5000, u16::MAX] {
            let mut frames = Frames::default();
            let octets = packet(1, length);
            frames.push(&octets[..3]);
            assert_eq!(frames.take(), Ok(None));
            frames.push(&octets[3..4]);
            for _ in 0..2 {
                assert_eq!(frames.take(), Err(WrongLength(length.into())));
                frames.push(&packet(2, 20));
            }
        }
    }
}
