//! UDP sockets of the control plane that stay out of the tunnel by their firewall mark, such as those of DNS look-ups. What
//! carries packets is in [`udp`](crate::udp).

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::UdpSocket;

use crate::udp::explain_mark;

/// A socket bound to `local`; `mark` keeps what it sends out of the tunnel (SO_MARK, needs CAP_NET_ADMIN).
///
/// # Errors
/// The kernel's, of the kind that it has; for the mark the text says what to do.
pub fn bind_udp(local: SocketAddr, mark: u32) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_mark(mark).map_err(|error| explain_mark(&error, mark))?;
    socket.bind(&SockAddr::from(local))?;
    UdpSocket::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use fixture::{in_new_network_namespace_async, shell};

    use super::*;

    /// Table 7 is a black hole for all but what is marked, as a tunnel is whose other end is gone.
    #[test]
    fn what_is_marked_goes_past_routes_that_lead_everything_else_away() {
        in_new_network_namespace_async(|| async {
            shell("ip link set lo up && ip address add 192.0.2.1/32 dev lo");
            shell("ip rule del priority 0 && ip rule add priority 9 lookup local");
            shell("ip route add blackhole default table 7 && ip rule add not fwmark 7872 lookup 7 priority 7");
            let there = UdpSocket::bind("192.0.2.1:53").await.unwrap();
            let unmarked = UdpSocket::bind("0.0.0.0:0").await.unwrap();
            assert!(unmarked.send_to(b"lost", "192.0.2.1:53").await.is_err(), "the black hole takes nothing");
            let marked = bind_udp("0.0.0.0:0".parse().unwrap(), 7872).unwrap();
            assert_eq!(marked.send_to(b"query", "192.0.2.1:53").await.unwrap(), 5);
            let mut octets = [0; 9];
            assert_eq!(there.recv(&mut octets).await.unwrap(), 5);
        });
    }

    #[test]
    fn a_port_that_is_taken_is_told_by_its_kind_so_that_another_is_drawn() {
        in_new_network_namespace_async(|| async {
            shell("ip link set lo up");
            let local = "127.0.0.1:4053".parse().unwrap();
            let _taken = bind_udp(local, 7872).unwrap();
            assert_eq!(bind_udp(local, 7872).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        });
    }
}
