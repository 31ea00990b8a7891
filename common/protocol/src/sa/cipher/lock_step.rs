//! What the block ciphers have in common that take several datagrams at once.

use aes::Aes128;
use cipher::Block;

/// Octets of a block of AES.
pub(super) const BLOCK: usize = 16;

/// Chains that advance together. A processor has two AES units, and an encryption passes each of them ten times, with a wait of
/// four cycles in between: eight chains would just keep them busy, sixteen do while others are loaded and stored.
pub(super) const CHAINS: usize = 16;

/// As one vector: a loop over slices becomes sixteen loads, which the AES unit waits for.
#[inline(always)]
pub(super) fn xor(block: &mut Block<Aes128>, other: &[u8; BLOCK]) {
    let sum: [u8; BLOCK] = std::array::from_fn(|at| block.0[at] ^ other[at]);
    block.0 = sum;
}
