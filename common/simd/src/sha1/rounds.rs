//! The 80 rounds, written once for vectors of any width.

/// The constants K of the four times 20 rounds (FIPS 180-4 section 4.2.1).
pub(super) const K: [u32; 4] = [0x5A82_7999, 0x6ED9_EBA1, 0x8F1B_BCDC, 0xCA62_C1D6];

/// The function `compress` of a kernel. Where it is called `Vector` is a type, `LANES` a constant, and `load`, `store`, `splat`,
/// `transpose`, `add`, `parity`, `choose`, `majority` and `rotate` are functions that need `$features`.
macro_rules! kernel {
    ($features:literal) => {
        /// Takes as many blocks of each lane into its chaining value as the shortest of `blocks` has.
        #[target_feature(enable = $features)]
        pub(super) fn compress(states: &mut States<MAX_LANES>, blocks: &[&[Block]; MAX_LANES]) {
            let blocks: [&[Block]; LANES] = std::array::from_fn(|lane| blocks[lane]);
            let count = blocks.iter().map(|blocks| blocks.len()).min().unwrap_or(0);
            let mut h: [Vector; 5] = std::array::from_fn(|word| load(&states[word]));
            for number in 0..count {
                h = compress_block(h, transpose(&blocks, number));
            }
            for (state, vector) in states.iter_mut().zip(h) {
                store(state, vector);
            }
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn compress_block(h: [Vector; 5], mut w: [Vector; 16]) -> [Vector; 5] {
            let mut v = h;
            crate::sha1::rounds::rounds!(v w choose 0: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
            crate::sha1::rounds::rounds!(v w choose 0: 16 17 18 19);
            crate::sha1::rounds::rounds!(v w parity 1: 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39);
            crate::sha1::rounds::rounds!(v w majority 2: 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59);
            crate::sha1::rounds::rounds!(v w parity 3: 60 61 62 63 64 65 66 67 68 69 70 71 72 73 74 75 76 77 78 79);
            std::array::from_fn(|word| add(h[word], v[word]))
        }

        /// Word `T` of the message schedule, which takes the place of word `T - 16`.
        #[inline]
        #[target_feature(enable = $features)]
        fn schedule<const T: usize>(w: &mut [Vector; 16]) -> Vector {
            if T >= 16 {
                let mixed = parity(w[(T + 13) % 16], w[(T + 8) % 16], w[(T + 2) % 16]);
                w[T % 16] = rotate::<1, 31>(xor(mixed, w[T % 16]));
            }
            w[T % 16]
        }
    };
}

/// Rounds of one function and one constant: a loop would keep the schedule in memory.
macro_rules! rounds {
    ($v:ident $w:ident $f:ident $k:literal: $($t:literal)*) => {
        $(
            let [a, b, c, d, e] = $v;
            let ready = add(add(e, splat(crate::sha1::rounds::K[$k])), schedule::<$t>(&mut $w));
            $v = [add(add(ready, $f(b, c, d)), rotate::<5, 27>(a)), a, rotate::<30, 2>(b), c, d];
        )*
    };
}

pub(super) use {kernel, rounds};
