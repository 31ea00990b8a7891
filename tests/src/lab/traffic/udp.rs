//! A numbered UDP stream both ways, to measure what a move or a renewal costs: packets lost, and the longest gap between two
//! arrivals.
//!
//! ```text
//!   octets 0-3 "HSLT"   4 kind   5 zero   6-7 length   8-15 session   16-23 number (kind stream) or count sent (kind stop)
//!   24-27 packets a second
//! ```
//! The client sends `stream` packets; the server sends its own, as many a second and as long, to where the latest one came
//! from. `stop` ends the session and is answered by `report`, whose JSON follows the header.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::net::sockopt;
use serde::{Deserialize, Serialize};

use super::arrivals::Arrivals;
pub use super::arrivals::OneWay;

const MAGIC: &[u8; 4] = b"HSLT";
const HEADER: usize = 28;
const STREAM: u8 = 0;
const STOP: u8 = 1;
const REPORT: u8 = 2;
/// Longer than any packet that crosses a link of the lab.
const LONGEST: usize = 2048;
/// How often the client asks for the report, and how often it asks again.
const STOP_EVERY: Duration = Duration::from_millis(200);
const STOPS: u32 = 50;
/// A session without packets for so long is over for the server.
const ABANDONED: Duration = Duration::from_secs(60);
/// Packets that are due within so much time go together: a sender that sleeps before each is late at 10,000 a second.
const TICK: Duration = Duration::from_millis(1);
/// A sender that was not let run goes on from here instead of sending all that it missed at once.
const LATEST: Duration = Duration::from_millis(5);
/// Octets of a socket's buffers: half a second at 100 Mbit/s, so that what is lost was not lost here.
const BUFFER: usize = 8 << 20;

/// Both directions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Streams {
    /// Client to server.
    pub up: OneWay,
    /// Server to client.
    pub down: OneWay,
}

/// What each end sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Packets a second.
    pub rate: u32,
    /// UDP payload of each; at least the header is sent.
    pub octets: u16,
}

/// Serves one session at a time; a packet of a new session ends the one before. Returns only on an error.
pub fn serve(listen: SocketAddr) -> Result<()> {
    let socket = bind(listen)?;
    let mut session: Option<Session> = None;
    let mut octets = [0; LONGEST];
    loop {
        let (length, from) = socket.recv_from(&mut octets).context("cannot receive")?;
        let now = Instant::now();
        let Some(header) = Header::parse(&octets[..length]) else { continue };
        if session.as_ref().is_none_or(|session| session.id != header.session) {
            session = Some(Session::start(header.session, socket.try_clone()?, from, header.load));
        }
        let Some(session) = session.as_mut() else { continue };
        session.sender.set_peer(from);
        match header.kind {
            STREAM => session.arrivals.note(header.number, now),
            STOP => socket.send_to(&session.stop(header.number, now)?, from).map(drop).unwrap_or_default(),
            _ => {}
        }
    }
}

/// Streams for `length` and gives what both ends saw.
pub fn stream(server: SocketAddr, length: Duration, load: Load) -> Result<Streams> {
    let socket = bind(if server.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() })?;
    socket.set_read_timeout(Some(Duration::from_millis(50)))?;
    let session = rand::random();
    let mut sender = Sender::start(session, socket.try_clone()?, server, load);
    let mut arrivals = Arrivals::default();
    let end = Instant::now() + length;
    while Instant::now() < end {
        receive(&socket, session, &mut arrivals)?;
    }
    let number = sender.stop();
    arrivals.end(Instant::now());
    for asked in 0..STOPS {
        let _ = socket.send_to(&Header { kind: STOP, session, number, load }.emit(&[]), server);
        let next = Instant::now() + STOP_EVERY;
        while Instant::now() < next {
            // The first report may have been made before the last packets came, in either direction.
            let report = receive(&socket, session, &mut arrivals)?;
            if let Some((up, sent)) = report.filter(|_| asked > 0) {
                return Ok(Streams { up, down: arrivals.report(sent) });
            }
        }
    }
    anyhow::bail!("{server} gave no report; of its packets {:?}", arrivals.report(0))
}

/// Takes one packet; gives the report and the number of packets that the server sent, when it is one.
fn receive(socket: &UdpSocket, session: u64, arrivals: &mut Arrivals) -> Result<Option<(OneWay, u64)>> {
    let mut octets = [0; LONGEST];
    // A refusal (ICMP) or a vanished route is part of a move; the streams' numbers tell what it cost.
    let Ok(length) = socket.recv(&mut octets) else { return Ok(None) };
    let Some(header) = Header::parse(&octets[..length]).filter(|header| header.session == session) else { return Ok(None) };
    match header.kind {
        STREAM => arrivals.note(header.number, Instant::now()),
        REPORT => {
            let up = serde_json::from_slice(&octets[HEADER..length]).context("the report is no JSON")?;
            return Ok(Some((up, header.number)));
        }
        _ => {}
    }
    Ok(None)
}

/// A socket with large buffers; beyond the administrator's limits where that is allowed.
fn bind(local: SocketAddr) -> Result<UdpSocket> {
    let socket = UdpSocket::bind(local).with_context(|| format!("cannot bind to {local}"))?;
    let forced = sockopt::set_socket_recv_buffer_size_force(&socket, BUFFER);
    forced.or_else(|_| sockopt::set_socket_recv_buffer_size(&socket, BUFFER)).context("cannot set a buffer's size")?;
    sockopt::set_socket_send_buffer_size(&socket, BUFFER).context("cannot set a buffer's size")?;
    Ok(socket)
}

/// A session at the server.
struct Session {
    id: u64,
    arrivals: Arrivals,
    sender: Sender,
    ended: bool,
}

impl Session {
    fn start(id: u64, socket: UdpSocket, peer: SocketAddr, load: Load) -> Self {
        Self { id, arrivals: Arrivals::default(), sender: Sender::start(id, socket, peer, load), ended: false }
    }

    /// Ends the sending, when asked for the first time, and gives the report.
    fn stop(&mut self, sent: u64, now: Instant) -> Result<Vec<u8>> {
        let number = self.sender.stop();
        if !self.ended {
            self.arrivals.end(now);
            self.ended = true;
        }
        let report = serde_json::to_vec(&self.arrivals.report(sent))?;
        Ok(Header { kind: REPORT, session: self.id, number, load: self.sender.load }.emit(&report))
    }
}

/// A thread that sends numbered packets; ended when dropped.
struct Sender {
    load: Load,
    peer: Arc<Mutex<SocketAddr>>,
    sent: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sender {
    fn start(session: u64, socket: UdpSocket, peer: SocketAddr, load: Load) -> Self {
        let (peer, sent, stop) = (Arc::new(Mutex::new(peer)), Arc::default(), Arc::default());
        let thread = {
            let (peer, sent, stop) = (Arc::clone(&peer), Arc::clone(&sent), Arc::clone(&stop));
            std::thread::spawn(move || send(session, &socket, &peer, load, &sent, &stop))
        };
        Self { load, peer, sent, stop, thread: Some(thread) }
    }

    fn set_peer(&self, peer: SocketAddr) {
        *self.peer.lock().unwrap_or_else(PoisonError::into_inner) = peer;
    }

    /// Ends the sending and tells how many packets were sent.
    fn stop(&mut self) -> u64 {
        self.stop.store(true, Ordering::SeqCst);
        // What it is just sending must not come behind what is sent next.
        let _ = self.thread.take().map(JoinHandle::join);
        self.sent.load(Ordering::SeqCst)
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

fn send(session: u64, socket: &UdpSocket, peer: &Mutex<SocketAddr>, load: Load, sent: &AtomicU64, stop: &AtomicBool) {
    let interval = Duration::from_secs(1) / load.rate.max(1);
    let padding = vec![0; usize::from(load.octets).min(LONGEST).saturating_sub(HEADER)];
    let start = Instant::now();
    let mut due = start;
    while !stop.load(Ordering::SeqCst) && start.elapsed() < ABANDONED * 60 {
        let now = Instant::now();
        due = due.max(now.checked_sub(LATEST).unwrap_or(due));
        let to = *peer.lock().unwrap_or_else(PoisonError::into_inner);
        while due <= now {
            let number = sent.fetch_add(1, Ordering::SeqCst);
            let _ = socket.send_to(&Header { kind: STREAM, session, number, load }.emit(&padding), to);
            due += interval;
        }
        std::thread::sleep(interval.max(TICK).saturating_sub(now.elapsed()));
    }
}

/// The numbers of the packets of a stream in a captured UDP payload: a capture shows what the kernel handles as one packet.
pub fn numbers(payload: &[u8]) -> impl Iterator<Item = u64> {
    let mut rest = payload;
    std::iter::from_fn(move || {
        let header = Header::parse(rest).filter(|header| header.kind == STREAM)?;
        rest = rest.get(usize::from(header.load.octets).max(HEADER)..).unwrap_or_default();
        Some(header.number)
    })
}

struct Header {
    kind: u8,
    session: u64,
    number: u64,
    load: Load,
}

impl Header {
    fn emit(&self, rest: &[u8]) -> Vec<u8> {
        let mut octets = Vec::with_capacity(HEADER + rest.len());
        octets.extend(MAGIC);
        octets.extend([self.kind, 0]);
        octets.extend(self.load.octets.to_be_bytes());
        octets.extend(self.session.to_be_bytes());
        octets.extend(self.number.to_be_bytes());
        octets.extend(self.load.rate.to_be_bytes());
        octets.extend(rest);
        octets
    }

    fn parse(octets: &[u8]) -> Option<Self> {
        let (header, _) = octets.split_first_chunk::<HEADER>()?;
        let [m0, m1, m2, m3, kind, _, l0, l1, numbers @ ..] = *header;
        let (session, rest) = numbers.split_first_chunk::<8>()?;
        let (number, rate) = rest.split_first_chunk::<8>()?;
        let load = Load { octets: u16::from_be_bytes([l0, l1]), rate: u32::from_be_bytes(rate.try_into().ok()?) };
        let (session, number) = (u64::from_be_bytes(*session), u64::from_be_bytes(*number));
        ([m0, m1, m2, m3] == *MAGIC).then_some(Self { kind, session, number, load })
    }
}

/// Fails unless a one-way stream carried packets at all.
pub fn check_carried(name: &str, stream: &OneWay) -> Result<()> {
    ensure!(stream.received > 0, "no packet of the {name} stream arrived: {stream:?}");
    Ok(())
}
