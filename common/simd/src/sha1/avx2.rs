//! Eight lanes, a word of all of them in one register of 256 bits.

use std::arch::x86_64::*;

use super::rounds::kernel;
use super::{Block, MAX_LANES, States};

type Vector = __m256i;
const LANES: usize = 8;

kernel!("avx2");

#[inline]
#[target_feature(enable = "avx2")]
fn load(lanes: &[u32; MAX_LANES]) -> Vector {
    // SAFETY: the reference is to 64 octets, of which the first 32 are loaded, and the load wants no alignment.
    unsafe { _mm256_loadu_si256(lanes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(lanes: &mut [u32; MAX_LANES], vector: Vector) {
    // SAFETY: the reference is to 64 octets, of which the first 32 are stored, and the store wants no alignment.
    unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), vector) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn splat(word: u32) -> Vector {
    _mm256_set1_epi32(word.cast_signed())
}

#[inline]
#[target_feature(enable = "avx2")]
fn add(x: Vector, y: Vector) -> Vector {
    _mm256_add_epi32(x, y)
}

#[inline]
#[target_feature(enable = "avx2")]
fn xor(x: Vector, y: Vector) -> Vector {
    _mm256_xor_si256(x, y)
}

/// x ⊕ y ⊕ z.
#[inline]
#[target_feature(enable = "avx2")]
fn parity(x: Vector, y: Vector, z: Vector) -> Vector {
    xor(xor(x, y), z)
}

/// y where x has a one, z elsewhere.
#[inline]
#[target_feature(enable = "avx2")]
fn choose(x: Vector, y: Vector, z: Vector) -> Vector {
    xor(z, _mm256_and_si256(x, xor(y, z)))
}

/// What two of three say.
#[inline]
#[target_feature(enable = "avx2")]
fn majority(x: Vector, y: Vector, z: Vector) -> Vector {
    _mm256_or_si256(_mm256_and_si256(x, y), _mm256_and_si256(z, _mm256_or_si256(x, y)))
}

/// To the left by `LEFT` bits; `RIGHT` is what is left of 32.
#[inline]
#[target_feature(enable = "avx2")]
fn rotate<const LEFT: i32, const RIGHT: i32>(x: Vector) -> Vector {
    _mm256_or_si256(_mm256_slli_epi32::<LEFT>(x), _mm256_srli_epi32::<RIGHT>(x))
}

/// Block `number` of every lane, word by word. It must be below the length of the shortest.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose(blocks: &[&[Block]; LANES], number: usize) -> [Vector; 16] {
    let [first, second] = [0, 1].map(|half| eight_words(blocks, number, half));
    std::array::from_fn(|word| if word < 8 { first[word] } else { second[word - 8] })
}

/// Half of a block: `half` is 0 or 1.
#[inline]
#[target_feature(enable = "avx2")]
fn eight_words(blocks: &[&[Block]; LANES], number: usize, half: usize) -> [Vector; 8] {
    let swap = _mm256_broadcastsi128_si256(_mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12));
    let rows: [Vector; LANES] = std::array::from_fn(|lane| {
        let octets: &[u8; 32] = &blocks[lane][number].as_chunks().0[half];
        // SAFETY: the reference is to 32 octets, and the load wants no alignment.
        let row = unsafe { _mm256_loadu_si256(octets.as_ptr().cast()) };
        _mm256_shuffle_epi8(row, swap)
    });
    // Half k of fours[j][g]: word 4k + j of the lanes 4g to 4g + 3.
    let mut fours = [[rows[0]; 2]; 4];
    for group in 0..2 {
        let [r0, r1, r2, r3] = [0, 1, 2, 3].map(|lane| rows[4 * group + lane]);
        let (low, low_next) = (_mm256_unpacklo_epi32(r0, r1), _mm256_unpacklo_epi32(r2, r3));
        let (high, high_next) = (_mm256_unpackhi_epi32(r0, r1), _mm256_unpackhi_epi32(r2, r3));
        fours[0][group] = _mm256_unpacklo_epi64(low, low_next);
        fours[1][group] = _mm256_unpackhi_epi64(low, low_next);
        fours[2][group] = _mm256_unpacklo_epi64(high, high_next);
        fours[3][group] = _mm256_unpackhi_epi64(high, high_next);
    }
    let mut words = rows;
    for (word, [g0, g1]) in fours.into_iter().enumerate() {
        words[word] = _mm256_permute2x128_si256::<0x20>(g0, g1);
        words[word + 4] = _mm256_permute2x128_si256::<0x31>(g0, g1);
    }
    words
}
