//! Programs of a host that know nothing of a tunnel: UDP and TCP to every destination again and again, by whatever route and
//! from each given source, whatever the system says to it.

use std::io::Write;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::Result;
use socket2::{Domain, Protocol, Socket, Type};

/// Between two rounds.
const PAUSE: Duration = Duration::from_millis(5);
/// TCP connections that are kept open, or being opened, at a time.
const CONNECTIONS: usize = 64;

/// Presses until killed.
///
/// # Errors
/// Never; what is refused is tried again.
pub fn press(destinations: &[SocketAddr], sources: &[IpAddr]) -> Result<()> {
    let mut connections: Vec<Socket> = Vec::new();
    loop {
        for to in destinations {
            let of_family = sources.iter().filter(|source| source.is_ipv4() == to.is_ipv4()).copied().map(Some);
            for from in of_family.chain([None]) {
                let _refused = datagram(*to, from);
                connections.extend(connection(*to, from).ok());
            }
        }
        for connection in &mut connections {
            let _refused = connection.write(b"in the clear");
        }
        let excess = connections.len().saturating_sub(CONNECTIONS);
        connections.drain(..excess);
        std::thread::sleep(PAUSE);
    }
}

fn any(to: SocketAddr) -> SocketAddr {
    if to.is_ipv4() { SocketAddr::from(([0; 4], 0)) } else { SocketAddr::from(([0; 16], 0)) }
}

fn local(to: SocketAddr, from: Option<IpAddr>) -> SocketAddr {
    from.map_or_else(|| any(to), |from| SocketAddr::new(from, 0))
}

fn datagram(to: SocketAddr, from: Option<IpAddr>) -> std::io::Result<usize> {
    UdpSocket::bind(local(to, from))?.send_to(b"in the clear", to)
}

/// A connection that is being opened: nobody waits for it.
fn connection(to: SocketAddr, from: Option<IpAddr>) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.bind(&local(to, from).into())?;
    match socket.connect(&to.into()) {
        Err(error) if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => Err(error),
        _ => Ok(socket),
    }
}
