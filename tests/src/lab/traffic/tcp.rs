//! A TCP transfer whose octets are proved by SHA-256 at both ends.
//!
//! The client opens a connection and sends one line, `up OCTETS SEED RATE` or `down OCTETS SEED RATE`. The sending end sends that many
//! octets of a generator. Up, the server answers with the SHA-256 of what it saw, one line; down, the octets come first and
//! the hash of the sender follows them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const CHUNK: usize = 64 * 1024;
/// A transfer that stands still for so long has failed.
const STALLED: Duration = Duration::from_secs(60);
/// The longest line: `down`, three numbers of 64 bits; half of what is read.
const MAX_LINE: u64 = 72;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// How much.
    pub octets: u64,
    /// Where the generator starts.
    pub seed: u64,
    /// Octets a second at most; 0: as many as go.
    pub rate: u64,
}

/// Which way the octets go, as the client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// From client to server.
    Up,
    /// From server to client.
    Down,
}

/// What a transfer came to.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Transfer {
    /// Which way the octets went.
    pub direction: Direction,
    /// How many.
    pub octets: u64,
    /// From the first octet sent to the last one acknowledged (up) or received (down).
    pub seconds: f64,
    /// Payload only.
    pub megabits_per_second: f64,
    /// Of what was sent.
    pub sha256_sent: String,
    /// Of what arrived.
    pub sha256_received: String,
    /// Both are the same.
    pub intact: bool,
}

/// Serves every connection in a thread of its own; returns only on an error.
pub fn serve(listen: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
    for stream in listener.incoming() {
        let stream = stream.context("cannot accept")?;
        std::thread::spawn(move || {
            if let Err(error) = serve_one(stream) {
                eprintln!("a transfer failed: {error:#}");
            }
        });
    }
    Ok(())
}

/// Makes one transfer with a server; an error when it stalls or breaks, a report that is not `intact` when octets differ.
pub fn transfer(server: SocketAddr, direction: Direction, content: Content) -> Result<Transfer> {
    let stream = TcpStream::connect_timeout(&server, STALLED).with_context(|| format!("cannot connect to {server}"))?;
    let mut reader = prepare(&stream)?;
    let verb = if direction == Direction::Up { "up" } else { "down" };
    let Content { octets, seed, rate } = content;
    writeln!(&stream, "{verb} {octets} {seed} {rate}")?;
    let start = Instant::now();
    let (sent, received) = match direction {
        Direction::Up => {
            let sent = send(&stream, content)?;
            (sent, read_line(&mut reader)?)
        }
        Direction::Down => {
            let received = receive(&mut reader, octets)?;
            (read_line(&mut reader)?, received)
        }
    };
    let seconds = start.elapsed().as_secs_f64();
    Ok(Transfer {
        direction,
        octets,
        seconds,
        megabits_per_second: octets as f64 * 8.0 / 1e6 / seconds,
        intact: sent == received,
        sha256_sent: sent,
        sha256_received: received,
    })
}

fn serve_one(stream: TcpStream) -> Result<()> {
    let mut reader = prepare(&stream)?;
    let line = read_line(&mut reader)?;
    let words: Vec<_> = line.split(' ').collect();
    let [verb, octets, seed, rate] = words[..] else { bail!("a request has four words, not {line:?}") };
    let content = Content { octets: octets.parse()?, seed: seed.parse()?, rate: rate.parse()? };
    let hash = match verb {
        "up" => receive(&mut reader, content.octets)?,
        "down" => send(&stream, content)?,
        _ => bail!("a request starts with up or down, not {line:?}"),
    };
    writeln!(&stream, "{hash}")?;
    Ok(())
}

fn prepare(stream: &TcpStream) -> Result<BufReader<TcpStream>> {
    stream.set_read_timeout(Some(STALLED))?;
    stream.set_write_timeout(Some(STALLED))?;
    Ok(BufReader::with_capacity(CHUNK, stream.try_clone()?))
}

fn read_line(reader: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    reader.take(2 * MAX_LINE).read_line(&mut line).context("the other end said nothing")?;
    ensure!(line.ends_with('\n'), "the other end closed the connection");
    Ok(line.trim_end().to_owned())
}

fn send(mut stream: &TcpStream, Content { octets, seed, rate }: Content) -> Result<String> {
    let (mut generator, start) = (Generator(seed | 1), Instant::now());
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    let mut left = octets;
    while left > 0 {
        if rate > 0 {
            let due = Duration::from_secs_f64((octets - left) as f64 / rate as f64);
            std::thread::sleep(due.saturating_sub(start.elapsed()));
        }
        generator.fill(&mut chunk);
        let part = &chunk[..CHUNK.min(usize::try_from(left).unwrap_or(CHUNK))];
        hash.update(part);
        stream.write_all(part).with_context(|| format!("broken with {left} of {octets} octets to go"))?;
        left -= part.len() as u64;
    }
    Ok(hex::encode(hash.finalize()))
}

fn receive(reader: &mut impl BufRead, octets: u64) -> Result<String> {
    let mut hash = Sha256::new();
    let mut left = octets;
    while left > 0 {
        let available = reader.fill_buf().with_context(|| format!("broken with {left} of {octets} octets to go"))?;
        ensure!(!available.is_empty(), "the other end closed with {left} of {octets} octets to go");
        let taken = available.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        hash.update(&available[..taken]);
        reader.consume(taken);
        left -= taken as u64;
    }
    Ok(hex::encode(hash.finalize()))
}

/// xorshift64*: octets that no link compresses and no reordering leaves the same.
struct Generator(u64);

impl Generator {
    fn fill(&mut self, chunk: &mut [u8]) {
        for word in chunk.chunks_exact_mut(8) {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            word.copy_from_slice(&self.0.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server on a free port of the loopback.
    fn server() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = serve_one(stream.unwrap());
            }
        });
        address
    }

    #[test]
    fn octets_arrive_as_they_were_sent_both_ways() {
        let server = server();
        for direction in [Direction::Up, Direction::Down] {
            let transfer = transfer(server, direction, Content { octets: 1_000_003, seed: 7, rate: 0 }).unwrap();
            assert!(transfer.intact, "{transfer:?}");
            assert_eq!(transfer.sha256_received.len(), 64);
        }
    }

    #[test]
    fn a_rate_is_not_exceeded_either_way() {
        let server = server();
        for direction in [Direction::Up, Direction::Down] {
            let transfer = transfer(server, direction, Content { octets: 1_000_000, seed: 7, rate: 5_000_000 }).unwrap();
            assert!(transfer.intact && transfer.seconds >= 0.15, "all but the last chunk take 0.18 s: {transfer:?}");
        }
    }

    #[test]
    fn one_changed_octet_is_seen() {
        let mut octets = vec![0; CHUNK];
        Generator(8 | 1).fill(&mut octets);
        let right = receive(&mut &octets[..], CHUNK as u64).unwrap();
        octets[CHUNK / 2] ^= 1;
        assert_ne!(receive(&mut &octets[..], CHUNK as u64).unwrap(), right);
    }

    #[test]
    fn a_connection_that_ends_early_is_an_error() {
        assert!(receive(&mut &b"abc"[..], 4).unwrap_err().to_string().contains("1 of 4 octets to go"));
    }
}
