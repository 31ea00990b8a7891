//! The compression function of SHA-1 (FIPS 180-4 section 6.1.2) over several messages side by side: lane *i* of every vector
//! belongs to message *i*.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod rounds;

/// Octets that the compression function takes at once.
pub const BLOCK: usize = 64;
/// Octets of a hash.
pub const HASH: usize = 20;
/// The most lanes of any kernel.
pub const MAX_LANES: usize = 16;

/// The chaining value H of one message, in words.
pub type State = [u32; 5];
/// A block of a message.
pub type Block = [u8; BLOCK];
/// The chaining values of `N` messages: word by word, and in each word lane by lane.
pub type States<const N: usize> = [[u32; N]; 5];

/// A kernel that this processor can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel {
    kind: Kind,
    /// What a block of each lane takes, in tenths of the time in which the library hashes a block of one message.
    block: usize,
    /// What is beside that, in the same: filling the lanes and emptying them.
    beside: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl Kernel {
    /// With costs as measured on an AMD EPYC of the fourth generation, for 64 to 1,400 octets. Where the processor has SHA
    /// instructions the library has them too, and a kernel takes more of its blocks.
    fn new(kind: Kind) -> Self {
        let (block, beside) = match kind {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 if has_sha_instructions() => (44, 160),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => (19, 60),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 if has_sha_instructions() => (39, 130),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => (17, 50),
        };
        Self { kind, block, beside }
    }

    /// The widest kernel that this processor can run, if there is one.
    pub fn best() -> Option<Self> {
        Self::available().next()
    }

    /// Every kernel that this processor can run, the widest first.
    pub fn available() -> impl Iterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let kinds = [
            (is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw")).then_some(Kind::Avx512),
            is_x86_feature_detected!("avx2").then_some(Kind::Avx2),
        ];
        #[cfg(not(target_arch = "x86_64"))]
        let kinds = [None::<Kind>; 0];
        kinds.into_iter().flatten().map(Self::new)
    }

    /// How many messages it takes side by side, at most [`MAX_LANES`].
    pub fn lanes(self) -> usize {
        match self.kind {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => 16,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => 8,
        }
    }

    /// Whether HMACs of messages that have so many blocks together, and the longest of them so many, are sooner computed with this
    /// kernel than one after the other.
    pub(crate) fn is_faster(self, together: usize, longest: usize) -> bool {
        together * 10 > longest * self.block + self.beside
    }

    /// Takes as many blocks of each lane into its chaining value as the shortest of `blocks` has. Lanes from [`Self::lanes`] on
    /// are left alone.
    pub fn compress(self, states: &mut States<MAX_LANES>, blocks: &[&[Block]; MAX_LANES]) {
        match self.kind {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: only `available` makes this kind, and it found the instructions.
            Kind::Avx512 => unsafe { avx512::compress(states, blocks) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Kind::Avx2 => unsafe { avx2::compress(states, blocks) },
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn has_sha_instructions() -> bool {
    is_x86_feature_detected!("sha") && is_x86_feature_detected!("ssse3") && is_x86_feature_detected!("sse4.1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lane_hashes_its_own_blocks_and_no_more_than_the_shortest_has() {
        let message: Vec<Block> = (0..40u8).map(|number| std::array::from_fn(|at| number.wrapping_mul(41) ^ at as u8)).collect();
        for kernel in Kernel::available() {
            let before: States<MAX_LANES> = std::array::from_fn(|word| std::array::from_fn(|lane| (word * 99 + lane) as u32));
            let blocks: [&[Block]; MAX_LANES] = std::array::from_fn(|lane| &message[lane..lane + 3 + lane % 5]);
            let mut states = before;
            kernel.compress(&mut states, &blocks);
            for lane in 0..MAX_LANES {
                let mut expected = before.map(|word| word[lane]);
                if lane < kernel.lanes() {
                    sha1::block_api::compress(&mut expected, &blocks[lane][..3]);
                }
                assert_eq!(states.map(|word| word[lane]), expected, "{kernel:?}, lane {lane}");
            }
        }
    }
}
