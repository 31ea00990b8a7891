//! The TCP connection under TLS: outside the tunnel's own routes, by its firewall mark.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpSocket, TcpStream};

use crate::udp::explain_mark;

/// From the last octet to the first question whether the other end is still there, and from one question to the next.
const KEEP_ALIVE: [Duration; 2] = [Duration::from_secs(30), Duration::from_secs(10)];
/// So many questions.
const QUESTIONS: u32 = 3;
/// A connection without a sign of life breaks after so long. Where this is set the kernel counts no questions: less would have a
/// connection break because one of them was lost.
const BREAKS_AFTER: Duration = Duration::from_secs(30 + 10 * QUESTIONS as u64);

/// Lets the kernel find out that the other end of a connection has gone: after a minute it breaks, be it idle (SO_KEEPALIVE) or with
/// octets outstanding (TCP_USER_TIMEOUT), of which the kernel asks no questions and which it would repeat for a quarter of an hour.
///
/// # Errors
/// The kernel's.
pub fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    let ([time, interval], socket) = (KEEP_ALIVE, SockRef::from(stream));
    socket.set_tcp_user_timeout(Some(BREAKS_AFTER))?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(time).with_interval(interval).with_retries(QUESTIONS))
}

/// Connects to `address` within `timeout`; `mark` keeps the connection out of the tunnel (SO_MARK, needs CAP_NET_ADMIN).
///
/// # Errors
/// The text names the address: refused, unreachable, or nothing within `timeout`.
pub async fn connect(address: SocketAddr, mark: Option<u32>, timeout: Duration) -> io::Result<TcpStream> {
    connect_from(None, address, mark, timeout).await
}

/// This end of a connection, where the kernel is not to choose it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalEnd {
    /// The only interface that it uses (SO_BINDTODEVICE).
    pub device: String,
    /// The address on it.
    pub address: IpAddr,
}

/// As [`connect`], from `local` where that is given.
///
/// # Errors
/// As for [`connect`]; or the interface or its address is gone.
pub async fn connect_from(
    local: Option<&LocalEnd>,
    address: SocketAddr,
    mark: Option<u32>,
    timeout: Duration,
) -> io::Result<TcpStream> {
    let without_family = |error| {
        let text = format!("cannot connect to {address}: {error}; is this kernel without that family (ipv6.disable=1)?");
        io::Error::new(io::Error::kind(&error), text)
    };
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP)).map_err(without_family)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if let Some(mark) = mark {
        socket.set_mark(mark).map_err(|error| explain_mark(&error, mark))?;
    }
    if let Some(LocalEnd { device, address }) = local {
        socket.bind_device(Some(device.as_bytes()))?;
        socket.bind(&SocketAddr::new(*address, 0).into())?;
    }
    let socket = TcpSocket::from_std_stream(socket.into());
    match tokio::time::timeout(timeout, socket.connect(address)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(io::Error::new(error.kind(), format!("cannot connect to {address}: {error}"))),
        Err(_) => {
            let text = format!(
                "cannot connect to {address}: no answer within {timeout:?}; is it the right address, is TCP let through?"
            );
            Err(io::Error::new(io::ErrorKind::TimedOut, text))
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn with_octets_outstanding_a_connection_breaks_as_late_as_an_idle_one_whose_questions_are_not_answered() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        keep_alive(&stream).unwrap();
        let socket = SockRef::from(&stream);
        let (time, interval) = (socket.tcp_keepalive_time().unwrap(), socket.tcp_keepalive_interval().unwrap());
        let questions = socket.tcp_keepalive_retries().unwrap();
        assert!(questions > 1, "one may be lost");
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(time + interval * questions));
    }
}
