//! Sealing and opening datagrams at once, by suite, length and number, beside what libraries and kernels alone take for the same
//! octets in the same run. A Markdown table; an argument picks suites by a part of their name, `--quick` measures less, `--kernels` shows
//! instead what each kernel of the processor makes of HMAC-SHA1.
#![allow(clippy::print_stdout, reason = "a table is what it is for")]

mod bare;
mod kernels;

use std::hint::black_box;
use std::time::{Duration, Instant};

use protocol::sa::cipher::{Transform, layout};
use protocol::sa::{CipherSuite, DirectionKeys, Secret, Spi};
use protocol::wire::envelope::{Envelope, PType};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::bare::Bare;

const LENGTHS: [usize; 3] = [64, 512, 1400];
const BATCHES: [usize; 4] = [1, 8, 32, 64];
/// Datagrams that a pass goes through, in batches: what one read of a super packet gives, and more than the first cache holds.
const DATAGRAMS: usize = 64;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (rounds, least) = if arguments.iter().any(|argument| argument == "--quick") { (3, 1) } else { (9, 5) };
    let least = Duration::from_millis(least);
    if arguments.iter().any(|argument| argument == "--kernels") {
        return kernels::print_table(&LENGTHS, rounds, least);
    }
    let names: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |suite: &CipherSuite| names.is_empty() || names.iter().any(|name| suite.name().contains(name.as_str()));
    println!("One core; medians of {rounds} rounds; \"of bare\" is the bare loop's time over this one's, paired by round.\n");
    println!("| suite | octets | at once | seal ns | Gbit/s | of bare | open ns | Gbit/s | of bare |");
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|");
    for suite in CipherSuite::ALL.into_iter().filter(wanted) {
        for len in LENGTHS {
            for batch in BATCHES {
                let (seal, open) = Subject::new(suite, len, batch).measure(rounds, least);
                println!("| {} | {len} | {batch} | {} | {} |", suite.name(), seal.cells(len), open.cells(len));
            }
        }
    }
}

/// What is measured: one suite, length and number at once.
struct Subject {
    transform: Transform,
    bare: Bare,
    batch: usize,
    laid_out: Vec<Vec<u8>>,
    sealed: Vec<Vec<u8>>,
    work: Vec<Vec<u8>>,
}

impl Subject {
    fn new(suite: CipherSuite, len: usize, batch: usize) -> Self {
        let (Ok(transform), Some(bare)) = (Transform::new(suite, &keys(suite)), Bare::new(suite)) else {
            unreachable!("the keys fit")
        };
        let laid_out: Vec<Vec<u8>> = (0..DATAGRAMS).map(|number| lay_out(suite, len, number as u32)).collect();
        let mut sealed = laid_out.clone();
        sealed.chunks_mut(batch).for_each(|datagrams| transform.seal_many(&mut slices(datagrams)));
        let work = sealed.clone();
        Self { transform, bare, batch, laid_out, sealed, work }
    }

    fn measure(&mut self, rounds: usize, least: Duration) -> (Figures, Figures) {
        let (mut seal, mut open) = (Figures::default(), Figures::default());
        for _ in 0..rounds {
            seal.ours.push(self.time(least, Self::seal));
            seal.bare.push(self.time(least, Self::seal_bare));
            open.ours.push(self.time(least, Self::open));
            open.bare.push(self.time(least, Self::open_bare));
        }
        (seal, open)
    }

    /// Nanoseconds a datagram in the fastest of the passes that fill `least`: the others were interrupted. What prepares a pass is
    /// not measured.
    fn time(&mut self, least: Duration, pass: fn(&mut Self) -> Duration) -> f64 {
        let (mut took, mut fastest) = (Duration::ZERO, Duration::MAX);
        while took < least {
            let this = pass(self);
            took += this;
            fastest = fastest.min(this);
        }
        fastest.as_nanos() as f64 / DATAGRAMS as f64
    }

    fn seal(&mut self) -> Duration {
        let (transform, batch) = (&self.transform, self.batch);
        timed(&mut self.work, &self.laid_out, batch, |datagrams| transform.seal_many(datagrams))
    }

    fn seal_bare(&mut self) -> Duration {
        let (bare, batch) = (&mut self.bare, self.batch);
        timed(&mut self.work, &self.laid_out, batch, |datagrams| bare.seal(datagrams))
    }

    fn open(&mut self) -> Duration {
        let (transform, batch) = (&self.transform, self.batch);
        let mut results = vec![Ok(()); batch];
        timed(&mut self.work, &self.sealed, batch, |datagrams| {
            transform.verify_many(datagrams, &mut results);
            transform.decrypt_many(datagrams);
            assert!(black_box(&results).iter().all(Result::is_ok), "what was sealed does not open");
        })
    }

    fn open_bare(&mut self) -> Duration {
        let (bare, batch) = (&mut self.bare, self.batch);
        timed(&mut self.work, &self.sealed, batch, |datagrams| bare.open(datagrams))
    }
}

/// Copies `from` to `work` and takes the time of `handle` over the copies, `batch` at once.
fn timed(work: &mut [Vec<u8>], from: &[Vec<u8>], batch: usize, mut handle: impl FnMut(&mut [&mut [u8]])) -> Duration {
    work.iter_mut().zip(from).for_each(|(work, from)| work.copy_from_slice(from));
    let mut slices = slices(work);
    let start = Instant::now();
    slices.chunks_mut(batch).for_each(&mut handle);
    start.elapsed()
}

/// Nanoseconds a datagram, a figure for each round.
#[derive(Default)]
struct Figures {
    ours: Vec<f64>,
    bare: Vec<f64>,
}

impl Figures {
    fn cells(&self, len: usize) -> String {
        let ours = median(self.ours.clone());
        let share = median(self.ours.iter().zip(&self.bare).map(|(ours, bare)| bare / ours).collect());
        format!("{ours:.0} | {:.1} | {:.0} %", len as f64 * 8.0 / ours, share * 100.0)
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

fn slices(datagrams: &mut [Vec<u8>]) -> Vec<&mut [u8]> {
    datagrams.iter_mut().map(Vec::as_mut_slice).collect()
}

fn keys(suite: CipherSuite) -> DirectionKeys {
    let key = |len: usize, first: u8| Secret::new((first..=u8::MAX).take(len).collect());
    DirectionKeys::new(&key(suite.integrity_key_len(), 1), &key(suite.encryption_key_len(), 60))
}

fn lay_out(suite: CipherSuite, len: usize, number: u32) -> Vec<u8> {
    let Some(spi) = Spi::new(0x123_4567) else { unreachable!("the constant is in range") };
    let head = Envelope::emit(PType::Protected, spi, number);
    let mut datagram = vec![0; layout::sealed_len(suite, len)];
    layout::frame(suite, head, 41, len, &mut StdRng::seed_from_u64(number.into()), &mut datagram).fill(0x55);
    datagram
}
