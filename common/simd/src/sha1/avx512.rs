//! 16 lanes, a word of all of them in one register of 512 bits.

use std::arch::x86_64::*;

use super::rounds::kernel;
use super::{Block, MAX_LANES, States};

type Vector = __m512i;
const LANES: usize = 16;

kernel!("avx512f,avx512bw");

#[inline]
#[target_feature(enable = "avx512f")]
fn load(lanes: &[u32; MAX_LANES]) -> Vector {
    // SAFETY: the reference is to 64 octets, and the load wants no alignment.
    unsafe { _mm512_loadu_si512(lanes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(lanes: &mut [u32; MAX_LANES], vector: Vector) {
    // SAFETY: the reference is to 64 octets, and the store wants no alignment.
    unsafe { _mm512_storeu_si512(lanes.as_mut_ptr().cast(), vector) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn splat(word: u32) -> Vector {
    _mm512_set1_epi32(word.cast_signed())
}

#[inline]
#[target_feature(enable = "avx512f")]
fn add(x: Vector, y: Vector) -> Vector {
    _mm512_add_epi32(x, y)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor(x: Vector, y: Vector) -> Vector {
    _mm512_xor_si512(x, y)
}

/// x ⊕ y ⊕ z.
#[inline]
#[target_feature(enable = "avx512f")]
fn parity(x: Vector, y: Vector, z: Vector) -> Vector {
    _mm512_ternarylogic_epi32::<0x96>(x, y, z)
}

/// y where x has a one, z elsewhere.
#[inline]
#[target_feature(enable = "avx512f")]
fn choose(x: Vector, y: Vector, z: Vector) -> Vector {
    _mm512_ternarylogic_epi32::<0xCA>(x, y, z)
}

/// What two of three say.
#[inline]
#[target_feature(enable = "avx512f")]
fn majority(x: Vector, y: Vector, z: Vector) -> Vector {
    _mm512_ternarylogic_epi32::<0xE8>(x, y, z)
}

/// To the left by `LEFT` bits; `RIGHT` is what is left of 32.
#[inline]
#[target_feature(enable = "avx512f")]
fn rotate<const LEFT: i32, const RIGHT: u32>(x: Vector) -> Vector {
    _mm512_rol_epi32::<LEFT>(x)
}

/// Block `number` of every lane, word by word. It must be below the length of the shortest.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn transpose(blocks: &[&[Block]; LANES], number: usize) -> [Vector; 16] {
    let swap = _mm512_broadcast_i32x4(_mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12));
    let rows: [Vector; LANES] = std::array::from_fn(|lane| {
        let block: &Block = &blocks[lane][number];
        // SAFETY: the reference is to 64 octets, and the load wants no alignment.
        let row = unsafe { _mm512_loadu_si512(block.as_ptr().cast()) };
        _mm512_shuffle_epi8(row, swap)
    });
    // Quarter k of fours[j][g]: word 4k + j of the lanes 4g to 4g + 3.
    let mut fours = [[rows[0]; 4]; 4];
    for group in 0..4 {
        let [r0, r1, r2, r3] = [0, 1, 2, 3].map(|lane| rows[4 * group + lane]);
        let (low, low_next) = (_mm512_unpacklo_epi32(r0, r1), _mm512_unpacklo_epi32(r2, r3));
        let (high, high_next) = (_mm512_unpackhi_epi32(r0, r1), _mm512_unpackhi_epi32(r2, r3));
        fours[0][group] = _mm512_unpacklo_epi64(low, low_next);
        fours[1][group] = _mm512_unpackhi_epi64(low, low_next);
        fours[2][group] = _mm512_unpacklo_epi64(high, high_next);
        fours[3][group] = _mm512_unpackhi_epi64(high, high_next);
    }
    let mut words = rows;
    for (word, [g0, g1, g2, g3]) in fours.into_iter().enumerate() {
        let (even, even_next) = (_mm512_shuffle_i32x4::<0x88>(g0, g1), _mm512_shuffle_i32x4::<0x88>(g2, g3));
        let (odd, odd_next) = (_mm512_shuffle_i32x4::<0xDD>(g0, g1), _mm512_shuffle_i32x4::<0xDD>(g2, g3));
        words[word] = _mm512_shuffle_i32x4::<0x88>(even, even_next);
        words[word + 4] = _mm512_shuffle_i32x4::<0x88>(odd, odd_next);
        words[word + 8] = _mm512_shuffle_i32x4::<0xDD>(even, even_next);
        words[word + 12] = _mm512_shuffle_i32x4::<0xDD>(odd, odd_next);
    }
    words
}
