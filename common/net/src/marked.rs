//! UDP sockets of the control plane that stay out of the tunnel by their firewall mark, such as those of DNS look-ups. What
//! carries packets is in [`udp`](crate::udp).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::UdpSocket;

use crate::udp::explain_mark;

/// A socket bound to `local`, and to the interface `device` where one is named, as a link-local peer needs it; `mark` keeps what it
/// sends out of the tunnel (SO_MARK, needs CAP_NET_ADMIN).
///
/// # Errors
/// The kernel's, of the kind that it has; for the mark the text says what to do.
pub fn bind_udp(local: SocketAddr, mark: u32, device: Option<&str>) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_mark(mark).map_err(|error| explain_mark(&error, mark))?;
    if let Some(device) = device {
        socket.bind_device(Some(device.as_bytes()))?;
    }
    socket.bind(&SockAddr::from(local))?;
    UdpSocket::from_std(socket.into())
}

/// Any port: nothing is sent.
const DISCARD: u16 = 9;

/// The address that packets to `destination` with this mark would have as their source; `None` where no route leads there, or CAP_NET_ADMIN
/// is missing.
pub fn source_towards(destination: IpAddr, mark: u32) -> Option<IpAddr> {
    let any = if destination.is_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { IpAddr::V4(Ipv4Addr::UNSPECIFIED) };
    let socket = Socket::new(Domain::for_address(SocketAddr::new(any, 0)), Type::DGRAM, Some(Protocol::UDP)).ok()?;
    socket.set_mark(mark).ok()?;
    socket.connect(&SockAddr::from(SocketAddr::new(destination, DISCARD))).ok()?;
    Some(socket.local_addr().ok()?.as_socket()?.ip())
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddrV6;
    use std::time::Duration;

    use fixture::{in_new_network_namespace_async, shell};
    use tokio::time::timeout;

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
            let marked = bind_udp("0.0.0.0:0".parse().unwrap(), 7872, None).unwrap();
            assert_eq!(marked.send_to(b"query", "192.0.2.1:53").await.unwrap(), 5);
            let mut octets = [0; 9];
            assert_eq!(there.recv(&mut octets).await.unwrap(), 5);
        });
    }

    #[test]
    fn the_source_towards_a_destination_is_that_of_the_route_for_what_is_marked() {
        in_new_network_namespace_async(|| async {
            shell("ip link set lo up && ip link add wifi type veth peer name far && ip link set far up && ip link set wifi up");
            shell("ip address add 198.51.100.7/24 dev wifi && ip address add 10.9.0.7/32 dev lo");
            shell("ip route add default dev wifi && ip route add default dev lo src 10.9.0.7 table 7");
            shell("ip rule add not fwmark 7872 lookup 7 priority 7");
            let towards = |text: &str, mark| source_towards(text.parse().unwrap(), mark);
            assert_eq!(towards("203.0.113.1", 7872), Some([198, 51, 100, 7].into()));
            assert_eq!(towards("203.0.113.1", 1), Some([10, 9, 0, 7].into()));
            assert_eq!(towards("2001:db8::1", 7872), None);
        });
    }

    /// Two links, and at the other end of each somebody with the same address.
    #[test]
    fn a_link_local_peer_is_reached_over_the_interface_that_is_named() {
        in_new_network_namespace_async(|| async {
            shell("ip link set lo up && echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad");
            let address = |scope| SocketAddrV6::new("fe80::2".parse().unwrap(), 53, 0, scope);
            let mut peers = Vec::new();
            for link in ["wifi", "lte"] {
                shell(&format!(
                    "ip link add {link} type veth peer name {link}-far && ip link set {link}-far up && ip link set {link} up"
                ));
                shell(&format!("ip address add fe80::1/64 dev {link} nodad && ip address add fe80::2/64 dev {link}-far nodad"));
                let index = shell(&format!("ip -oneline link show {link}-far")).split(':').next().unwrap().parse().unwrap();
                peers.push(UdpSocket::bind(address(index)).await.unwrap());
            }
            for (link, peer) in ["wifi", "lte"].into_iter().zip(peers) {
                let socket = bind_udp("[::]:0".parse().unwrap(), 7872, Some(link)).unwrap();
                let mut octets = [0; 9];
                // A link that was set up a moment ago may not carry yet.
                let received = timeout(Duration::from_secs(5), async {
                    loop {
                        let _not_yet = socket.send_to(link.as_bytes(), address(0)).await;
                        if let Ok(received) = timeout(Duration::from_millis(100), peer.recv(&mut octets)).await {
                            break received;
                        }
                    }
                });
                let received = received.await.expect("arrives").unwrap();
                assert_eq!(&octets[..received], link.as_bytes());
            }
        });
    }

    #[test]
    fn a_port_that_is_taken_is_told_by_its_kind_so_that_another_is_drawn() {
        in_new_network_namespace_async(|| async {
            shell("ip link set lo up");
            let local = "127.0.0.1:4053".parse().unwrap();
            let _taken = bind_udp(local, 7872, None).unwrap();
            assert_eq!(bind_udp(local, 7872, None).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        });
    }
}
