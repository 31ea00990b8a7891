//! HMAC-SHA1 (RFC 2104 with FIPS 180-4): one message with the library's compression function, many with a kernel that takes them
//! side by side.

mod lane;

use std::ops::Range;

use sha1::block_api::compress;
use zeroize::{Zeroize, ZeroizeOnDrop};

use self::lane::{Lane, Tail, octets};
use crate::sha1::{BLOCK, HASH, Kernel, MAX_LANES, State, States};

/// A key, as the chaining values after its two pads.
#[derive(Clone, ZeroizeOnDrop)]
pub struct HmacSha1 {
    inner: State,
    outer: State,
    #[zeroize(skip)]
    kernel: Option<Kernel>,
}

/// H(0) of FIPS 180-4 section 5.3.1.
const INITIAL: State = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0];
const INNER_PAD: u8 = 0x36;
const OUTER_PAD: u8 = 0x5C;

impl HmacSha1 {
    /// The key's states, and the kernel that is best here; `None` for a key longer than a block.
    pub fn new(key: &[u8]) -> Option<Self> {
        Self::with_kernel(key, Kernel::best())
    }

    /// As [`Self::new`], with the kernel given, or none.
    pub fn with_kernel(key: &[u8], kernel: Option<Kernel>) -> Option<Self> {
        let after = |pad: u8| {
            let mut block = [pad; BLOCK];
            block.get_mut(..key.len())?.iter_mut().zip(key).for_each(|(octet, key)| *octet ^= key);
            let mut state = INITIAL;
            compress(&mut state, &[block]);
            block.zeroize();
            Some(state)
        };
        Some(Self { inner: after(INNER_PAD)?, outer: after(OUTER_PAD)?, kernel })
    }

    /// The MAC of one message.
    pub fn tag(&self, message: &[u8]) -> [u8; HASH] {
        let (body, rest) = message.as_chunks();
        let (mut state, mut tail) = (self.inner, Tail::default());
        compress(&mut state, body);
        tail.set_end(rest, message.len());
        compress(&mut state, tail.pending());
        tail.set_hash(&state);
        state = self.outer;
        compress(&mut state, tail.pending());
        let tag = octets(&state);
        state.zeroize();
        tag
    }

    /// The MAC of each of `messages`, to its place in `tags`, which has at least as many. It goes fastest with the longest first.
    pub fn tags(&self, messages: &[&[u8]], tags: &mut [[u8; HASH]]) {
        let together = self.kernel.map_or(0..0, |kernel| worth_a_kernel(kernel, messages));
        for ((number, message), tag) in messages.iter().enumerate().zip(&mut *tags) {
            if !together.contains(&number) {
                *tag = self.tag(message);
            }
        }
        let Some(kernel) = self.kernel.filter(|_| !together.is_empty()) else { return };
        if let (Some(messages), Some(tags)) = (messages.get(together.clone()), tags.get_mut(together)) {
            self.tags_side_by_side(kernel, messages, tags);
        }
    }

    /// Each lane takes the next message as soon as it is through with one, so that long ones and short ones keep all lanes busy.
    fn tags_side_by_side(&self, kernel: Kernel, messages: &[&[u8]], tags: &mut [[u8; HASH]]) {
        let mut waiting = messages.iter().zip(tags);
        let mut states = [[0; MAX_LANES]; 5];
        let mut lanes: [Lane; MAX_LANES] = std::array::from_fn(|_| Lane::default());
        let lanes = lanes.get_mut(..kernel.lanes()).unwrap_or_default();
        loop {
            for (number, lane) in lanes.iter_mut().enumerate().filter(|(_, lane)| lane.pending().is_empty()) {
                if lane.reach(&column(&states, number)) {
                    set_column(&mut states, number, &self.outer);
                } else if let Some((message, tag)) = waiting.next() {
                    lane.take(message, tag);
                    set_column(&mut states, number, &self.inner);
                }
            }
            let Some(count) = compress_pending(kernel, &mut states, lanes) else { break };
            lanes.iter_mut().for_each(|lane| lane.advance(count));
        }
        states.zeroize();
    }
}

/// Takes from all lanes as many blocks as the shortest has, and says how many; `None` when all lanes are free. A free lane works on
/// another's blocks for nothing.
fn compress_pending(kernel: Kernel, states: &mut States<MAX_LANES>, lanes: &[Lane]) -> Option<usize> {
    let busy = lanes.iter().map(Lane::pending).filter(|pending| !pending.is_empty());
    let shortest = busy.min_by_key(|pending| pending.len())?;
    let mut blocks = [shortest; MAX_LANES];
    for (place, lane) in blocks.iter_mut().zip(lanes) {
        *place = lane.pending().get(..shortest.len()).unwrap_or(shortest);
    }
    kernel.compress(states, &blocks);
    Some(shortest.len())
}

/// Which of `messages` the kernel shall take: not those at the front that would keep one lane busy when the others are through, and
/// not those at the end that would fill but a few.
fn worth_a_kernel(kernel: Kernel, messages: &[&[u8]]) -> Range<usize> {
    let mut left = blocks_of(messages);
    let mut start = 0;
    for longest in messages.chunks(1).map(blocks_of) {
        if kernel.is_faster(left, longest) {
            break;
        }
        left -= longest;
        start += 1;
    }
    let few = (messages.len() - start) % kernel.lanes();
    let end = messages.len() - few;
    let last = messages.get(end..).unwrap_or_default();
    let is_worth_it = kernel.is_faster(blocks_of(last), blocks_of(last.get(..1).unwrap_or_default()));
    start..if is_worth_it { messages.len() } else { end }
}

/// Blocks of all of them together.
fn blocks_of(messages: &[&[u8]]) -> usize {
    messages.iter().map(|message| message.len() / BLOCK + 2).sum()
}

fn column(states: &States<MAX_LANES>, lane: usize) -> State {
    std::array::from_fn(|word| states[word][lane])
}

fn set_column(states: &mut States<MAX_LANES>, lane: usize, state: &State) {
    states.iter_mut().zip(state).for_each(|(word, value)| word[lane] = *value);
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit, Mac};
    use proptest::prelude::*;
    use sha1::Sha1;

    use super::*;

    const KEY: &[u8] = b"twenty octets of key";

    fn kernels() -> impl Iterator<Item = Option<Kernel>> {
        Kernel::available().map(Some).chain([None])
    }

    fn expected(key: &[u8], message: &[u8]) -> [u8; HASH] {
        Hmac::<Sha1>::new_from_slice(key).unwrap().chain_update(message).finalize().into_bytes().into()
    }

    fn tags(hmac: &HmacSha1, messages: &[&[u8]]) -> Vec<[u8; HASH]> {
        let mut tags = vec![[0; HASH]; messages.len()];
        hmac.tags(messages, &mut tags);
        tags
    }

    fn octets_of(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at * 31 + at / 251) as u8).collect()
    }

    /// RFC 2202 section 3, cases 1 and 2.
    #[test]
    fn the_test_cases_of_rfc_2202_come_out() {
        let cases: [(&[u8], &[u8], [u8; 4]); 2] = [
            (&[0x0b; 20], b"Hi There", [0xb6, 0x17, 0x31, 0x86]),
            (b"Jefe", b"what do ya want for nothing?", [0xef, 0xfc, 0xdf, 0x6a]),
        ];
        for kernel in kernels() {
            for (key, message, start) in cases {
                let hmac = HmacSha1::with_kernel(key, kernel).unwrap();
                assert!(hmac.tag(message).starts_with(&start));
                assert!(tags(&hmac, &[message; 16]).iter().all(|tag| tag.starts_with(&start)), "{kernel:?}");
            }
        }
    }

    #[test]
    fn a_message_of_any_length_has_the_tag_that_the_library_computes() {
        let message = octets_of(16_384);
        let all: Vec<usize> = (0..=16_384).collect();
        for kernel in kernels() {
            let hmac = HmacSha1::with_kernel(KEY, kernel).unwrap();
            for lengths in all.chunks(96) {
                let messages: Vec<_> = lengths.iter().map(|len| &message[..*len]).collect();
                for (message, tag) in messages.iter().zip(tags(&hmac, &messages)) {
                    assert_eq!(tag, expected(KEY, message), "{kernel:?}, {} octets", message.len());
                }
            }
        }
    }

    #[test]
    fn a_kernel_takes_full_rows_but_no_last_few_and_no_message_that_would_outlast_the_others() {
        let (long, packet, short) = (octets_of(65_536), octets_of(1_400), octets_of(64));
        for kernel in Kernel::available() {
            let lanes = kernel.lanes();
            let taken = |messages: &[&[u8]]| worth_a_kernel(kernel, messages);
            assert_eq!(taken(&vec![&packet[..]; lanes]), 0..lanes, "{kernel:?}");
            assert_eq!(taken(&vec![&packet[..]; 3 * lanes + 1]), 0..3 * lanes, "{kernel:?}");
            assert_eq!(taken(&vec![&short[..]; 2 * lanes]), 0..2 * lanes, "{kernel:?}");
            assert_eq!(taken(&[vec![&long[..]], vec![&packet; lanes]].concat()), 1..lanes + 1, "{kernel:?}");
            assert!(taken(&[&packet]).is_empty() && taken(&[&short, &short]).is_empty() && taken(&[]).is_empty(), "{kernel:?}");
        }
    }

    #[test]
    fn a_key_longer_than_a_block_is_refused() {
        assert!(HmacSha1::new(&[1; BLOCK]).is_some() && HmacSha1::new(&[1; BLOCK + 1]).is_none());
    }

    proptest! {
        #[test]
        fn messages_side_by_side_have_the_tags_that_they_have_alone(
            key in prop::collection::vec(any::<u8>(), 0..=BLOCK),
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..700), 0..70),
        ) {
            let messages: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
            for kernel in kernels() {
                let hmac = HmacSha1::with_kernel(&key, kernel).unwrap();
                for (message, tag) in messages.iter().zip(tags(&hmac, &messages)) {
                    prop_assert_eq!(tag, expected(&key, message));
                    prop_assert_eq!(tag, hmac.tag(message));
                }
            }
        }
    }
}
