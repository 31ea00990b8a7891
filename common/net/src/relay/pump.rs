//! Both directions of one relay, until its stream ends.

use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep_until};

use super::RelayCounters;
use super::frame::{BadLength, Decoder, MOST};
use super::outbox::Outbox;

/// A peer that takes nothing for so long has gone, or means no good.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);
/// Datagrams taken from the socket before the stream gets a turn.
const TURN: usize = 32;

/// How a relay ended.
#[derive(Debug, thiserror::Error)]
pub enum RelayEnd {
    /// The peer has closed.
    #[error("the peer closed the connection")]
    Closed,
    /// Stream or socket failed.
    #[error("the connection broke off: {0}")]
    Broken(#[from] io::Error),
    /// The peer does not speak as a relay does.
    #[error("the peer sent {0}")]
    BadLength(#[from] BadLength),
    /// The peer takes nothing any more.
    #[error("the peer took nothing for {WRITE_DEADLINE:?}")]
    Stalled,
}

/// Passes datagrams between `stream` and `socket`, which is connected, until the stream ends. Into the tunnel goes what `may_pass`.
pub async fn pump<S: AsyncRead + AsyncWrite>(
    stream: S,
    socket: &UdpSocket,
    may_pass: impl FnMut(&[u8]) -> bool,
    counters: &RelayCounters,
) -> RelayEnd {
    pump_within(WRITE_DEADLINE, stream, socket, may_pass, counters).await
}

async fn pump_within<S: AsyncRead + AsyncWrite>(
    deadline: Duration,
    stream: S,
    socket: &UdpSocket,
    may_pass: impl FnMut(&[u8]) -> bool,
    counters: &RelayCounters,
) -> RelayEnd {
    let (mut reader, mut writer) = tokio::io::split(stream);
    tokio::select! {
        end = from_stream(&mut reader, socket, may_pass, counters) => end,
        end = to_stream(&mut writer, socket, deadline, counters) => end,
    }
}

async fn from_stream(
    stream: &mut (impl AsyncRead + Unpin),
    socket: &UdpSocket,
    mut may_pass: impl FnMut(&[u8]) -> bool,
    counters: &RelayCounters,
) -> RelayEnd {
    // Before the first look at a socket every attempt would say that it has no room.
    if let Err(error) = socket.writable().await {
        return error.into();
    }
    let mut decoder = Decoder::default();
    loop {
        loop {
            let counter = match decoder.take() {
                Ok(Some(datagram)) if !may_pass(datagram) => &counters.refused,
                Ok(Some(datagram)) if socket.try_send(datagram).is_ok() => &counters.from_stream,
                Ok(Some(_)) => &counters.dropped,
                Ok(None) => break,
                Err(error) => return error.into(),
            };
            counter.fetch_add(1, Relaxed);
        }
        match stream.read(decoder.room()).await {
            Ok(0) => return RelayEnd::Closed,
            Ok(octets) => decoder.filled(octets),
            Err(error) => return error.into(),
        }
    }
}

async fn to_stream(
    stream: &mut (impl AsyncWrite + Unpin),
    socket: &UdpSocket,
    deadline: Duration,
    counters: &RelayCounters,
) -> RelayEnd {
    let (mut outbox, mut datagram) = (Outbox::default(), vec![0; MOST + 1]);
    let (mut is_flushed, mut progress) = (true, Instant::now());
    loop {
        let is_idle = is_flushed && outbox.waiting().is_empty();
        if is_idle {
            progress = Instant::now();
        }
        tokio::select! {
            ready = socket.readable() => {
                if let Err(error) = ready {
                    return error.into();
                }
                fill(&mut outbox, socket, &mut datagram, counters);
            }
            written = write(stream, outbox.waiting()), if !is_idle => match written {
                Ok(octets) => {
                    is_flushed = outbox.waiting().is_empty();
                    outbox.written(octets);
                    progress = Instant::now();
                }
                Err(error) => return error.into(),
            },
            () = sleep_until(progress + deadline), if !is_idle => return RelayEnd::Stalled,
        }
    }
}

/// Gives the stream octets, or where there are none has it send what it holds. Nothing is lost where this is dropped half-way.
async fn write(stream: &mut (impl AsyncWrite + Unpin), waiting: &[u8]) -> io::Result<usize> {
    if waiting.is_empty() {
        return stream.flush().await.map(|()| 0);
    }
    match stream.write(waiting).await {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        written => written,
    }
}

/// Takes what the socket has, for a turn. That its peer is not there (any more) is told as an error of the next attempt, and is none
/// of the stream.
fn fill(outbox: &mut Outbox, socket: &UdpSocket, datagram: &mut [u8], counters: &RelayCounters) {
    for _ in 0..TURN {
        match socket.try_recv(datagram) {
            Ok(octets) => {
                let is_taken = outbox.push(datagram.get(..octets).unwrap_or_default());
                let counter = if is_taken { &counters.to_stream } else { &counters.dropped };
                counter.fetch_add(1, Relaxed);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use tokio::io::{DuplexStream, duplex};
    use tokio::time::timeout;

    use super::super::frame::prefix;
    use super::*;

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// The relay's socket and the tunnel's, connected to each other.
    async fn sockets() -> (UdpSocket, UdpSocket) {
        let (relay, tunnel) = (super::super::bind(LOCAL).await.unwrap(), super::super::bind(LOCAL).await.unwrap());
        relay.connect(tunnel.local_addr().unwrap()).await.unwrap();
        tunnel.connect(relay.local_addr().unwrap()).await.unwrap();
        (relay, tunnel)
    }

    async fn received(socket: &UdpSocket) -> Vec<u8> {
        let mut datagram = [0; 2000];
        let octets = timeout(Duration::from_secs(5), socket.recv(&mut datagram)).await.unwrap().unwrap();
        datagram[..octets].to_vec()
    }

    async fn say(peer: &mut DuplexStream, datagram: &[u8]) {
        peer.write_all(&prefix(datagram.len()).unwrap()).await.unwrap();
        peer.write_all(datagram).await.unwrap();
    }

    #[tokio::test]
    async fn datagrams_cross_both_ways_as_they_were_until_the_peer_closes() {
        let ((relay, tunnel), (mut peer, stream), counters) = (sockets().await, duplex(1 << 16), RelayCounters::default());
        let talk = async {
            for fill in 1..=100 {
                say(&mut peer, &vec![fill; 8 + usize::from(fill)]).await;
                assert_eq!(received(&tunnel).await, vec![fill; 8 + usize::from(fill)]);
                tunnel.send(&[fill; 1400]).await.unwrap();
                let mut framed = [0; 1402];
                peer.read_exact(&mut framed).await.unwrap();
                assert_eq!((&framed[..2], &framed[2..]), (&1400_u16.to_be_bytes()[..], &[fill; 1400][..]));
            }
            drop(peer);
        };
        let (end, ()) = tokio::join!(pump(stream, &relay, |_| true, &counters), talk);
        assert!(matches!(end, RelayEnd::Closed), "{end}");
        assert_eq!((counters.from_stream(), counters.to_stream(), counters.dropped(), counters.refused()), (100, 100, 0, 0));
    }

    #[tokio::test]
    async fn what_may_not_pass_is_counted_and_what_a_stranger_sends_to_the_socket_goes_nowhere() {
        let ((relay, tunnel), (mut peer, stream), counters) = (sockets().await, duplex(1 << 16), RelayCounters::default());
        let at = relay.local_addr().unwrap();
        let talk = async {
            say(&mut peer, &[1; 20]).await;
            say(&mut peer, &[2; 20]).await;
            assert_eq!(received(&tunnel).await, [2; 20]);
            super::super::bind(LOCAL).await.unwrap().send_to(&[3; 20], at).await.unwrap();
            tunnel.send(&[4; 20]).await.unwrap();
            let mut framed = [0; 22];
            peer.read_exact(&mut framed).await.unwrap();
            assert_eq!(framed[2..], [4; 20]);
            drop(peer);
        };
        tokio::join!(pump(stream, &relay, |datagram| datagram[0] == 2, &counters), talk);
        assert_eq!((counters.from_stream(), counters.to_stream(), counters.refused()), (1, 1, 1));
    }

    #[tokio::test]
    async fn a_full_queue_drops_and_holds_up_neither_the_tunnel_nor_the_other_direction() {
        let ((relay, tunnel), (mut peer, stream), counters) = (sockets().await, duplex(1 << 10), RelayCounters::default());
        let talk = async {
            for number in 0..200 {
                tunnel.send(&[9; 1400]).await.unwrap();
                if number % 10 == 0 {
                    say(&mut peer, &[1; 20]).await;
                    assert_eq!(received(&tunnel).await, [1; 20], "the other direction goes on");
                }
            }
            while counters.to_stream() + counters.dropped() < 200 {
                tokio::task::yield_now().await;
            }
            drop(peer);
        };
        tokio::join!(pump(stream, &relay, |_| true, &counters), talk);
        let held = super::super::CAPACITY / 1402;
        assert!((held as u64..=held as u64 + 2).contains(&counters.to_stream()), "{counters:?}");
    }

    #[tokio::test]
    async fn a_peer_that_takes_nothing_is_left() {
        let ((relay, tunnel), (_peer, stream), counters) = (sockets().await, duplex(16), RelayCounters::default());
        tunnel.send(&[9; 1400]).await.unwrap();
        let deadline = Duration::from_millis(200);
        let end = pump_within(deadline, stream, &relay, |_| true, &counters);
        assert!(matches!(timeout(Duration::from_secs(5), end).await.unwrap(), RelayEnd::Stalled));
    }

    #[tokio::test]
    async fn a_peer_that_has_nothing_to_take_is_kept() {
        let ((relay, _tunnel), (_peer, stream), counters) = (sockets().await, duplex(16), RelayCounters::default());
        let end = pump_within(Duration::from_millis(50), stream, &relay, |_| true, &counters);
        assert!(timeout(Duration::from_millis(300), end).await.is_err());
    }

    #[tokio::test]
    async fn a_peer_that_speaks_otherwise_is_left_at_once() {
        let ((relay, _tunnel), (mut peer, stream), counters) = (sockets().await, duplex(1 << 10), RelayCounters::default());
        peer.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        let end = pump(stream, &relay, |_| true, &counters).await;
        assert!(matches!(end, RelayEnd::BadLength(BadLength(0x4745))), "{end}");
    }
}
