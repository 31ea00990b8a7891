//! A socket that sends whole IPv6 and ARP packets on one Ethernet link, and hears who claims an address there (`packet(7)`): for
//! whoever speaks for another's address.

use std::io;
use std::net::IpAddr;

use protocol::wire::neighbour::{self, ARP, HardwareAddress, IPV6, LinkPacket};
use socket2::{Domain, SockAddr, SockFilter, Socket, Type};
use tokio::io::unix::AsyncFd;

/// A neighbour message with a few options; what is longer is cut, and then claims nothing.
const LONGEST: usize = 512;

/// The end of a link.
#[derive(Debug)]
pub struct LinkSocket {
    ipv6: AsyncFd<Socket>,
    arp: AsyncFd<Socket>,
    interface: u32,
    hardware: HardwareAddress,
}

impl LinkSocket {
    /// On the Ethernet link `interface`, whose own hardware address is `hardware`. Needs a tokio runtime and CAP_NET_RAW.
    ///
    /// # Errors
    /// The interface is gone, or CAP_NET_RAW is missing.
    pub fn open(interface: u32, hardware: HardwareAddress) -> io::Result<Self> {
        let ipv6 = bound(interface, IPV6, &neighbour_messages())?;
        let arp = bound(interface, ARP, &[])?;
        Ok(Self { ipv6, arp, interface, hardware })
    }

    /// Sends one packet.
    ///
    /// # Errors
    /// The link is down or gone, or its queue is full.
    pub fn send(&self, packet: &LinkPacket) -> io::Result<()> {
        let to = address(self.interface, packet.ethertype, Some(packet.to))?;
        self.ipv6.get_ref().send_to(&packet.octets, &to)?;
        Ok(())
    }

    /// The next address that somebody else claims (RFC 4862 section 5.4, RFC 5227 section 2.1.1). Safe to cancel.
    ///
    /// # Errors
    /// The link is gone.
    pub async fn claimed(&self) -> io::Result<IpAddr> {
        let arp = |packet: &[u8]| neighbour::claimed_in_arp(packet, self.hardware).map(IpAddr::V4);
        tokio::select! {
            claimed = heard(&self.ipv6, |packet| neighbour::claimed_in_ipv6(packet).map(IpAddr::V6)) => claimed,
            claimed = heard(&self.arp, arp) => claimed,
        }
    }
}

async fn heard(socket: &AsyncFd<Socket>, claimed: impl Fn(&[u8]) -> Option<IpAddr>) -> io::Result<IpAddr> {
    let mut octets = [0; LONGEST];
    loop {
        let mut ready = socket.readable().await?;
        match ready.try_io(|socket| read(socket.get_ref(), &mut octets)) {
            Ok(Ok(len)) => {
                if let Some(address) = octets.get(..len).and_then(&claimed) {
                    return Ok(address);
                }
            }
            // Said once, when the link goes down; the socket hears again when it is up.
            Ok(Err(error)) if error.raw_os_error() == Some(libc::ENETDOWN) => {}
            Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(Err(error)) => return Err(error),
            Err(_would_block) => {}
        }
    }
}

fn read(mut socket: &Socket, octets: &mut [u8]) -> io::Result<usize> {
    io::Read::read(&mut socket, octets)
}

/// It hears nothing before it is bound, and then nothing that does not pass the filter.
fn bound(interface: u32, ethertype: u16, filter: &[SockFilter]) -> io::Result<AsyncFd<Socket>> {
    let socket = Socket::new(Domain::PACKET, Type::DGRAM, None)?;
    socket.set_nonblocking(true)?;
    if !filter.is_empty() {
        socket.attach_filter(filter)?;
    }
    socket.bind(&address(interface, ethertype, None)?)?;
    // SAFETY: a `Socket` names one descriptor from its making to its end, closes it when it is dropped, and is dropped by none but
    // this `AsyncFd`.
    Ok(unsafe { AsyncFd::register(socket) }?)
}

fn address(interface: u32, ethertype: u16, to: Option<HardwareAddress>) -> io::Result<SockAddr> {
    let mut link = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as libc::c_ushort,
        sll_protocol: ethertype.to_be(),
        sll_ifindex: i32::try_from(interface).map_err(|_| io::ErrorKind::InvalidInput)?,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    if let Some(to) = to {
        link.sll_halen = to.len() as u8;
        link.sll_addr[..to.len()].copy_from_slice(&to);
    }
    // SAFETY: the storage is aligned for, and as long as, the longest address of any family; what is written is a whole address of the
    // family that it says, as long as `len` says.
    let ((), address) = unsafe {
        SockAddr::try_init(|storage, len| {
            storage.cast::<libc::sockaddr_ll>().write(link);
            *len = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
            Ok(())
        })
    }?;
    Ok(address)
}

/// Passes Neighbor Solicitations and Advertisements that no router has passed on; the link's other packets cost a look at their
/// headers.
fn neighbour_messages() -> [SockFilter; 7] {
    const LOAD_OCTET: u32 = libc::BPF_LD | libc::BPF_B | libc::BPF_ABS;
    const LOAD_PAIR: u32 = libc::BPF_LD | libc::BPF_H | libc::BPF_ABS;
    const IS: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    const RETURN: u32 = libc::BPF_RET | libc::BPF_K;
    let instruction = |code: u32, k, jt, jf| SockFilter::new(code as u16, jt, jf, k);
    [
        // Next header ICMPv6 and hop limit 255.
        instruction(LOAD_PAIR, 6, 0, 0),
        instruction(IS, 58 << 8 | 255, 0, 4),
        instruction(LOAD_OCTET, 40, 0, 0),
        instruction(IS, 135, 1, 0),
        instruction(IS, 136, 0, 1),
        instruction(RETURN, LONGEST as u32, 0, 0),
        instruction(RETURN, 0, 0, 0),
    ]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fixture::{in_new_network_namespace_async, shell};
    use protocol::wire::neighbour::{LinkEnd, announcement, probe};
    use tokio::time::timeout;

    use super::*;
    use crate::link_names::index_of;

    const HOME: HardwareAddress = [2, 0, 0, 0, 0, 1];
    const FAR: HardwareAddress = [2, 0, 0, 0, 0, 9];

    fn ends() -> (LinkSocket, LinkSocket) {
        shell("ip link add home address 02:00:00:00:00:01 type veth peer name far address 02:00:00:00:00:09");
        shell("ip link set home up && ip link set far up");
        let open = |name, hardware| LinkSocket::open(index_of(name).unwrap(), hardware).unwrap();
        (open("home", HOME), open("far", FAR))
    }

    async fn hears(socket: &LinkSocket, address: IpAddr) -> bool {
        let claims = async { while socket.claimed().await.unwrap() != address {} };
        timeout(Duration::from_millis(500), claims).await.is_ok()
    }

    #[test]
    fn each_end_hears_what_the_other_claims_and_nothing_of_its_own() {
        in_new_network_namespace_async(|| async {
            let (home, far) = ends();
            let end = LinkEnd { hardware: FAR, ip6: Some("fe80::9".parse().unwrap()) };
            for address in ["2001:db8:100::5", "10.9.0.5"].map(|text| text.parse::<IpAddr>().unwrap()) {
                for packet in [probe(address, FAR), announcement(address, end).unwrap()] {
                    far.send(&packet).unwrap();
                    assert!(hears(&home, address).await, "{packet:?}");
                    assert!(!hears(&far, address).await, "{packet:?}");
                }
            }
        });
    }

    #[test]
    fn a_link_that_was_down_is_heard_again_and_one_that_is_gone_is_an_error() {
        in_new_network_namespace_async(|| async {
            let (home, far) = ends();
            let address = "2001:db8:100::5".parse().unwrap();
            shell("ip link set home down && ip link set home up");
            // Until the link carries, the kernel drops what is sent.
            let mut heard = false;
            for _ in 0..20 {
                far.send(&probe(address, FAR)).unwrap();
                heard = heard || hears(&home, address).await;
                if heard {
                    break;
                }
            }
            assert!(heard);
            shell("ip link del home");
            assert!(home.send(&probe(address, HOME)).is_err());
        });
    }
}
