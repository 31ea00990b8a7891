//! Bursts of small UDP packets, paced or as fast as they go, counted where they arrive: how many a second get through.
//!
//! ```text
//!   octets 0-3 "HBST"   4 kind: 0 packet, 1 end   5-7 zero   8-15 session
//! ```
//! What belongs to another session is not counted: packets of an earlier burst may still be on their way.

use std::io::{ErrorKind, IoSlice};
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::io::Errno;
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, sendmmsg, sockopt};
use serde::{Deserialize, Serialize};

const MAGIC: &[u8; 4] = b"HBST";
const HEADER: usize = 16;
const PACKET: u8 = 0;
const END: u8 = 1;
/// Packets a system call at most.
const BATCH: usize = 64;
/// Paced packets that are due within so much time go together, since a sleep costs more than a packet.
const TICK: Duration = Duration::from_micros(500);
/// A sender that was not let run goes on from here instead of sending all that it missed at once.
const LATEST: Duration = Duration::from_millis(5);
/// Until the first packet.
const PATIENCE: Duration = Duration::from_secs(10);
/// A burst is over when nothing came for so long, in case its end was lost.
const SILENCE: Duration = Duration::from_millis(600);
/// Ends that are sent, and the time before each: what queued up in a tunnel comes first.
const ENDS: [Duration; 5] = [Duration::from_millis(150), TICK, TICK, TICK, Duration::from_millis(50)];
/// Octets of the receiving socket's buffer: some 10,000 small packets, as the kernel counts them.
const BUFFER: usize = 8 << 20;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Packets a second; 0: as many as go.
    pub rate: f64,
    /// UDP payload of each; at least the header is sent.
    pub octets: usize,
    /// For how long.
    pub length: Duration,
}

/// What a burst came to at one end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Count {
    /// Packets sent, or received.
    pub packets: u64,
    /// From the first packet to the last.
    pub seconds: f64,
}

/// A socket that a burst may come to.
pub fn listen(listen: SocketAddr) -> Result<UdpSocket> {
    let socket = UdpSocket::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
    // Beyond the limit of the system only for root; the lab's own network namespaces let it.
    let forced = sockopt::set_socket_recv_buffer_size_force(&socket, BUFFER);
    forced.or_else(|_| sockopt::set_socket_recv_buffer_size(&socket, BUFFER)).context("cannot size a socket's buffer")?;
    Ok(socket)
}

/// Counts what comes of `session`, until its end or silence. No packet at all is an error.
pub fn receive(socket: &UdpSocket, session: u64) -> Result<Count> {
    let mut buffer = [0; HEADER];
    let mut packets = 0;
    let mut seen: Option<(Instant, Instant)> = None;
    socket.set_read_timeout(Some(PATIENCE))?;
    loop {
        match socket.recv(&mut buffer) {
            Ok(HEADER) if buffer == header(PACKET, session) => {
                let now = Instant::now();
                if seen.is_none() {
                    socket.set_read_timeout(Some(SILENCE))?;
                }
                seen = Some((seen.map_or(now, |(first, _)| first), now));
                packets += 1;
            }
            Ok(HEADER) if buffer == header(END, session) => break,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context("cannot receive"),
        }
    }
    let (first, last) = seen.context("nothing came")?;
    Ok(Count { packets, seconds: (last - first).as_secs_f64() })
}

/// Sends one burst and its end.
pub fn send(to: SocketAddr, session: u64, load: Load) -> Result<Count> {
    ensure!(load.rate >= 0.0 && load.rate.is_finite(), "{} packets a second: write 0 or more", load.rate);
    let any: SocketAddr = if to.is_ipv6() { "[::]:0".parse()? } else { "0.0.0.0:0".parse()? };
    let socket = UdpSocket::bind(any)?;
    socket.connect(to).with_context(|| format!("cannot send to {to}"))?;
    let mut packet = vec![0; load.octets.max(HEADER)];
    packet[..HEADER].copy_from_slice(&header(PACKET, session));
    let count = send_packets(&socket, &packet, load)?;
    for pause in ENDS {
        std::thread::sleep(pause);
        // One that is refused is no harm: there are more, and the receiver does without.
        let _ = socket.send(&header(END, session));
    }
    Ok(count)
}

fn send_packets(socket: &UdpSocket, packet: &[u8], load: Load) -> Result<Count> {
    let together = if load.rate == 0.0 { BATCH } else { (load.rate * TICK.as_secs_f64()) as usize };
    let together = together.clamp(1, BATCH);
    let interval = if load.rate == 0.0 { Duration::ZERO } else { Duration::from_secs_f64(together as f64 / load.rate) };
    let payload = [IoSlice::new(packet)];
    let mut controls: Vec<_> = (0..together).map(|_| SendAncillaryBuffer::default()).collect();
    let mut messages: Vec<_> = controls.iter_mut().map(|control| MMsgHdr::new(&payload, control)).collect();
    let start = Instant::now();
    let (mut due, mut packets) = (start, 0);
    loop {
        let now = Instant::now();
        if now - start >= load.length {
            return Ok(Count { packets, seconds: (now - start).as_secs_f64() });
        }
        if now < due {
            std::thread::sleep(due - now);
            continue;
        }
        due = due.max(now.checked_sub(LATEST).unwrap_or(start)) + interval;
        match sendmmsg(socket, &mut messages, SendFlags::empty()) {
            Ok(sent) => packets += sent as u64,
            // Full queues, and an end that is not there yet: such packets were not sent.
            Err(Errno::NOBUFS | Errno::AGAIN | Errno::CONNREFUSED | Errno::INTR) => {}
            Err(error) => return Err(error).context("cannot send"),
        }
    }
}

fn header(kind: u8, session: u64) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..4].copy_from_slice(MAGIC);
    header[4] = kind;
    header[8..].copy_from_slice(&session.to_be_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paced_burst_arrives_and_keeps_its_rate() {
        let socket = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let to = socket.local_addr().unwrap();
        let stranger =
            std::thread::spawn(move || send(to, 2, Load { rate: 1_000.0, octets: 64, length: Duration::from_millis(200) }));
        let load = Load { rate: 5_000.0, octets: 64, length: Duration::from_secs(1) };
        let sender = std::thread::spawn(move || send(to, 1, load));
        let received = receive(&socket, 1).unwrap();
        let sent = sender.join().unwrap().unwrap();
        stranger.join().unwrap().unwrap();
        assert_eq!(received.packets, sent.packets, "of this session, all and no other");
        assert!((1_000..=5_100).contains(&sent.packets), "{} packets in a second at 5,000 a second", sent.packets);
    }

    #[test]
    fn a_burst_that_nobody_sends_is_an_error_and_not_a_rate_of_nothing() {
        let socket = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let to = socket.local_addr().unwrap();
        let ended = UdpSocket::bind("127.0.0.1:0").unwrap();
        ended.send_to(&header(END, 7), to).unwrap();
        assert!(receive(&socket, 7).is_err());
    }
}
