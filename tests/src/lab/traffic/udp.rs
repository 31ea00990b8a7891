//! A numbered UDP stream both ways, to measure what a move costs: the longest gap between two arrivals, and losses.
//!
//! ```text
//!   octets 0-3 "HSLT"   4 kind   5-7 zero   8-15 session   16-23 number (kind stream) or count sent (kind stop)
//! ```
//! The client sends `stream` packets, the server sends its own to where the latest one came from; `stop` ends the session and
//! is answered by `report`, whose JSON follows the header.

use std::collections::HashSet;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

const MAGIC: &[u8; 4] = b"HSLT";
const HEADER: usize = 24;
const STREAM: u8 = 0;
const STOP: u8 = 1;
const REPORT: u8 = 2;
/// How often the client asks for the report, and how often it asks again.
const STOP_EVERY: Duration = Duration::from_millis(200);
const STOPS: u32 = 50;
/// A session without packets for so long is over for the server.
const ABANDONED: Duration = Duration::from_secs(60);

/// One direction of a stream, as its receiver saw it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OneWay {
    /// Packets that the sender sent.
    pub sent: u64,
    /// Packets that arrived, each counted once.
    pub received: u64,
    /// Packets that never arrived.
    pub lost: u64,
    /// Packets that arrived more than once.
    pub duplicates: u64,
    /// The longest time between two arrivals, or between the last arrival and the end.
    pub longest_gap_ms: f64,
    /// When, in seconds after the first arrival, the longest gap began.
    pub gap_began_s: f64,
}

/// Both directions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Streams {
    /// Client to server.
    pub up: OneWay,
    /// Server to client.
    pub down: OneWay,
}

/// What a receiver has seen.
#[derive(Debug, Default)]
struct Arrivals {
    numbers: HashSet<u64>,
    duplicates: u64,
    first: Option<Instant>,
    last: Option<Instant>,
    gap: Duration,
    gap_began: Duration,
}

impl Arrivals {
    fn note(&mut self, number: u64, now: Instant) {
        self.end(now);
        if !self.numbers.insert(number) {
            self.duplicates += 1;
        }
        self.first.get_or_insert(now);
        self.last = Some(now);
    }

    /// Takes the time since the last arrival as a gap.
    fn end(&mut self, now: Instant) {
        let Some((first, last)) = self.first.zip(self.last) else { return };
        if now.duration_since(last) > self.gap {
            self.gap = now.duration_since(last);
            self.gap_began = last.duration_since(first);
        }
    }

    fn report(&self, sent: u64) -> OneWay {
        let received = self.numbers.len() as u64;
        OneWay {
            sent,
            received,
            lost: sent.saturating_sub(received),
            duplicates: self.duplicates,
            longest_gap_ms: self.gap.as_secs_f64() * 1e3,
            gap_began_s: self.gap_began.as_secs_f64(),
        }
    }
}

/// Serves one session at a time; a packet of a new session ends the one before. Returns only on an error.
pub fn serve(listen: SocketAddr, rate: u32) -> Result<()> {
    let socket = UdpSocket::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
    let mut session: Option<Session> = None;
    let mut octets = [0; 2048];
    loop {
        let (length, from) = socket.recv_from(&mut octets).context("cannot receive")?;
        let now = Instant::now();
        let Some((kind, id, number)) = parse(&octets[..length]) else { continue };
        if session.as_ref().is_none_or(|session| session.id != id) {
            session = Some(Session::start(id, socket.try_clone()?, from, rate));
        }
        let Some(session) = session.as_mut() else { continue };
        session.sender.set_peer(from);
        match kind {
            STREAM => session.arrivals.note(number, now),
            STOP => socket.send_to(&session.stop(number, now)?, from).map(drop).unwrap_or_default(),
            _ => {}
        }
    }
}

/// Streams for `length` at `rate` packets a second and gives what both ends saw.
pub fn stream(server: SocketAddr, length: Duration, rate: u32) -> Result<Streams> {
    let any: SocketAddr = if server.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = UdpSocket::bind(any).context("cannot bind")?;
    socket.set_read_timeout(Some(Duration::from_millis(50)))?;
    let id = rand::random();
    let sender = Sender::start(id, socket.try_clone()?, server, rate);
    let mut arrivals = Arrivals::default();
    let end = Instant::now() + length;
    while Instant::now() < end {
        receive(&socket, id, &mut arrivals)?;
    }
    let sent = sender.stop();
    arrivals.end(Instant::now());
    for _ in 0..STOPS {
        let _ = socket.send_to(&packet(STOP, id, sent, &[]), server);
        let next = Instant::now() + STOP_EVERY;
        while Instant::now() < next {
            if let Some((up, sent)) = receive(&socket, id, &mut arrivals)? {
                return Ok(Streams { up, down: arrivals.report(sent) });
            }
        }
    }
    anyhow::bail!("{server} gave no report; {} of its packets arrived", arrivals.numbers.len())
}

/// Takes one packet; gives the report and the number of packets that the server sent, when it is one.
fn receive(socket: &UdpSocket, id: u64, arrivals: &mut Arrivals) -> Result<Option<(OneWay, u64)>> {
    let mut octets = [0; 2048];
    // A refusal (ICMP) or a vanished route is part of a move; the streams' numbers tell what it cost.
    let Ok(length) = socket.recv(&mut octets) else { return Ok(None) };
    match parse(&octets[..length]) {
        Some((STREAM, session, number)) if session == id => arrivals.note(number, Instant::now()),
        Some((REPORT, session, sent)) if session == id => {
            let up = serde_json::from_slice(&octets[HEADER..length]).context("the report is no JSON")?;
            return Ok(Some((up, sent)));
        }
        _ => {}
    }
    Ok(None)
}

/// A session at the server.
struct Session {
    id: u64,
    arrivals: Arrivals,
    sender: Sender,
    report: Option<OneWay>,
}

impl Session {
    fn start(id: u64, socket: UdpSocket, peer: SocketAddr, rate: u32) -> Self {
        Self { id, arrivals: Arrivals::default(), sender: Sender::start(id, socket, peer, rate), report: None }
    }

    /// Ends the sending and gives the report; the same one when asked again.
    fn stop(&mut self, sent: u64, now: Instant) -> Result<Vec<u8>> {
        let count = self.sender.stop();
        if self.report.is_none() {
            self.arrivals.end(now);
        }
        let report = self.report.get_or_insert_with(|| self.arrivals.report(sent));
        Ok(packet(REPORT, self.id, count, &serde_json::to_vec(report)?))
    }
}

/// A thread that sends numbered packets; ended when dropped.
struct Sender {
    peer: Arc<Mutex<SocketAddr>>,
    sent: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Sender {
    fn start(id: u64, socket: UdpSocket, peer: SocketAddr, rate: u32) -> Self {
        let sender = Self { peer: Arc::new(Mutex::new(peer)), sent: Arc::default(), stop: Arc::default() };
        let (peer, sent, stop) = (Arc::clone(&sender.peer), Arc::clone(&sender.sent), Arc::clone(&sender.stop));
        std::thread::spawn(move || {
            let start = Instant::now();
            while !stop.load(Ordering::SeqCst) && start.elapsed() < ABANDONED * 60 {
                let number = sent.fetch_add(1, Ordering::SeqCst);
                let to = *peer.lock().unwrap_or_else(PoisonError::into_inner);
                let _ = socket.send_to(&packet(STREAM, id, number, &[]), to);
                let due = Duration::from_secs(1).mul_f64((number + 1) as f64 / f64::from(rate));
                std::thread::sleep(due.saturating_sub(start.elapsed()));
            }
        });
        sender
    }

    fn set_peer(&self, peer: SocketAddr) {
        *self.peer.lock().unwrap_or_else(PoisonError::into_inner) = peer;
    }

    /// Ends the sending and tells how many packets were sent.
    fn stop(&self) -> u64 {
        self.stop.store(true, Ordering::SeqCst);
        self.sent.load(Ordering::SeqCst)
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

fn packet(kind: u8, session: u64, number: u64, rest: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(HEADER + rest.len());
    octets.extend(MAGIC);
    octets.extend([kind, 0, 0, 0]);
    octets.extend(session.to_be_bytes());
    octets.extend(number.to_be_bytes());
    octets.extend(rest);
    octets
}

fn parse(octets: &[u8]) -> Option<(u8, u64, u64)> {
    let rest = octets.strip_prefix(MAGIC)?;
    let number = |at: usize| rest.get(at..at + 8)?.first_chunk::<8>().map(|octets| u64::from_be_bytes(*octets));
    Some((*rest.first()?, number(4)?, number(12)?))
}

/// Fails unless a one-way stream carried packets at all.
pub fn check_carried(name: &str, stream: &OneWay) -> Result<()> {
    ensure!(stream.received > 0, "no packet of the {name} stream arrived: {stream:?}");
    Ok(())
}
