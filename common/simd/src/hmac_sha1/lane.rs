//! What one lane of a kernel has to hash next: the whole blocks of a message, its padded end, and the outer hash over the result.

use crate::sha1::{BLOCK, Block, HASH, State};

/// A lane: free, or with a message on its way to a tag.
#[derive(Default)]
pub(super) struct Lane<'a> {
    body: &'a [Block],
    tail: Tail,
    is_outer: bool,
    tag: Option<&'a mut [u8; HASH]>,
}

impl<'a> Lane<'a> {
    /// Begins with a message.
    pub(super) fn take(&mut self, message: &'a [u8], tag: &'a mut [u8; HASH]) {
        let (body, rest) = message.as_chunks();
        self.tail.set_end(rest, message.len());
        (self.body, self.is_outer, self.tag) = (body, false, Some(tag));
    }

    /// The blocks to hash next; none when the lane is free, or has [reached](Self::reach) something.
    pub(super) fn pending(&self) -> &[Block] {
        if self.body.is_empty() { self.tail.pending() } else { self.body }
    }

    /// Says that so many of the pending blocks were hashed.
    pub(super) fn advance(&mut self, count: usize) {
        if self.body.is_empty() {
            self.tail.hashed += count;
        } else {
            self.body = self.body.get(count..).unwrap_or_default();
        }
    }

    /// With nothing pending: true when `state` is an inner hash, over which the outer one is pending now; otherwise `state` is the
    /// tag, if there was a message, and the lane is free.
    pub(super) fn reach(&mut self, state: &State) -> bool {
        let Some(tag) = self.tag.as_mut() else { return false };
        if self.is_outer {
            **tag = octets(state);
            self.tag = None;
            return false;
        }
        self.tail.set_hash(state);
        self.is_outer = true;
        true
    }
}

/// The last octets of a message, padded to one or two blocks (FIPS 180-4 section 5.1.1). At first there is nothing to hash.
pub(super) struct Tail {
    blocks: [Block; 2],
    count: usize,
    hashed: usize,
}

/// A one bit and the length.
const LEAST_PADDING: usize = 1 + size_of::<u64>();

impl Tail {
    /// From less than a block of `rest`, the end of `len` octets that stand behind a block with the key.
    pub(super) fn set_end(&mut self, rest: &[u8], len: usize) {
        (self.count, self.hashed) = (if rest.len() + LEAST_PADDING > BLOCK { 2 } else { 1 }, 0);
        let (padded, _) = self.blocks.as_flattened_mut().split_at_mut(self.count * BLOCK);
        let (place, padding) = padded.split_at_mut(rest.len());
        place.copy_from_slice(rest);
        padding.fill(0);
        padding[0] = 0x80;
        if let Some(bits) = padding.last_chunk_mut() {
            *bits = bits_behind_key(len);
        }
    }

    /// From an inner hash, which stands behind a block with the key.
    pub(super) fn set_hash(&mut self, inner: &State) {
        let block = &mut self.blocks[0];
        *block = [0; BLOCK];
        block[..HASH].copy_from_slice(&octets(inner));
        block[HASH] = 0x80;
        block[BLOCK - size_of::<u64>()..].copy_from_slice(&bits_behind_key(HASH));
        (self.count, self.hashed) = (1, 0);
    }

    /// The blocks that are not hashed yet.
    pub(super) fn pending(&self) -> &[Block] {
        self.blocks.get(self.hashed..self.count).unwrap_or_default()
    }
}

impl Default for Tail {
    fn default() -> Self {
        Self { blocks: [[0; BLOCK]; 2], count: 0, hashed: 0 }
    }
}

/// The length in bits of a block and `len` octets, as the padding names it.
fn bits_behind_key(len: usize) -> [u8; 8] {
    ((BLOCK + len) as u64 * 8).to_be_bytes()
}

/// A chaining value as it is sent.
pub(super) fn octets(state: &State) -> [u8; HASH] {
    let mut octets = [0; HASH];
    for (place, word) in octets.as_chunks_mut().0.iter_mut().zip(state) {
        *place = word.to_be_bytes();
    }
    octets
}
