//! HMAC-SHA1 of messages of one length with each kernel that this processor has, and with none: what an association has on a
//! processor that lacks the wider ones.

use std::hint::black_box;
use std::time::{Duration, Instant};

use simd::hmac_sha1::HmacSha1;
use simd::sha1::{HASH, Kernel};

const AT_ONCE: [usize; 9] = [1, 2, 4, 5, 6, 8, 10, 16, 64];
/// Calls of which the time is taken together.
const CALLS: u32 = 10;

/// Prints a table with a column for each kernel.
pub(super) fn print_table(lengths: &[usize], rounds: usize, least: Duration) {
    let kernels: Vec<Option<Kernel>> = Kernel::available().map(Some).chain([None]).collect();
    let heads = kernels.iter().map(|kernel| kernel.map_or("one by one".to_owned(), |kernel| format!("{} lanes", kernel.lanes())));
    println!("One core; HMAC-SHA1, ns a message; the fastest of the calls in {rounds} x {} ms.\n", least.as_millis());
    println!("| octets | at once | {} |", heads.collect::<Vec<_>>().join(" | "));
    println!("|--:|--:|{}", "--:|".repeat(kernels.len()));
    for len in lengths {
        for at_once in AT_ONCE {
            let mut fastest = vec![f64::INFINITY; kernels.len()];
            for _ in 0..rounds {
                for (fastest, kernel) in fastest.iter_mut().zip(&kernels) {
                    *fastest = fastest.min(time(*kernel, *len, at_once, least));
                }
            }
            let cells = fastest.iter().map(|nanoseconds| format!("{nanoseconds:.0}")).collect::<Vec<_>>();
            println!("| {len} | {at_once} | {} |", cells.join(" | "));
        }
    }
}

/// Nanoseconds a message in the fastest of the calls that fill `least`.
fn time(kernel: Option<Kernel>, len: usize, at_once: usize, least: Duration) -> f64 {
    let Some(hmac) = HmacSha1::with_kernel(&[7; HASH], kernel) else { unreachable!("the key is shorter than a block") };
    let messages = vec![vec![0x55; len]; at_once];
    let messages: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
    let mut tags = vec![[0; HASH]; at_once];
    let (mut took, mut fastest) = (Duration::ZERO, Duration::MAX);
    while took < least {
        let start = Instant::now();
        for _ in 0..CALLS {
            hmac.tags(black_box(&messages), &mut tags);
            black_box(&tags);
        }
        let this = start.elapsed();
        took += this;
        fastest = fastest.min(this);
    }
    fastest.as_nanos() as f64 / f64::from(CALLS) / at_once as f64
}
