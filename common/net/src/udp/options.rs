//! Socket options of the tunnel's outer sockets.
//!
//! **Path MTU.** A sealed packet that is too long for the path has to arrive in fragments: refusing it here
//! (`IP_PMTUDISC_DO`) would drop it without the inner sender hearing of it.
//!
//! - IPv4: `IP_PMTUDISC_OMIT`. Don't Fragment stays clear, so any router may fragment and no filtered ICMP message can make a
//!   black hole; learned path MTUs are ignored, so no forged one can make us send small fragments. A wrongly reassembled
//!   datagram fails its ICV.
//! - IPv6: `IPV6_PMTUDISC_WANT`. Routers cannot fragment; the kernel learns from Packet Too Big and fragments here. Ignoring
//!   these messages would be the black hole. A forged one costs speed only: the floor is 1,280 octets.
//!
//! A probe of the path goes with `PROBE`: Don't Fragment is set, and no learned path MTU stops it.

use std::ffi::{c_int, c_void};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use protocol::tunnel::batch::Fragmentation;
use rustix::net::sockopt;
use socket2::Socket;

use super::SocketOptions;

pub(super) fn set(socket: &Socket, local: SocketAddr, options: &SocketOptions) -> io::Result<()> {
    set_way(socket, options)?;
    set_path_mtu_discovery(socket.as_fd(), local)?;
    set_buffers(socket, options.receive_buffer)
}

/// Which routes and which interface what is sent takes.
pub(super) fn set_way(socket: &Socket, options: &SocketOptions) -> io::Result<()> {
    if let Some(mark) = options.mark {
        socket.set_mark(mark).map_err(|error| explain_mark(&error, mark))?;
    }
    if let Some(device) = &options.device {
        socket.bind_device(Some(device.as_bytes())).map_err(|error| {
            let text = format!(
                "cannot bind a socket to the interface {device:?}: {error}; see with `ip link` whether it exists, and run as root or \
                 with CAP_NET_RAW"
            );
            io::Error::new(error.kind(), text)
        })?;
    }
    Ok(())
}

/// Has the outer header's Traffic Class told of each datagram. A kernel without it tells of none.
pub(super) fn tell_traffic_class(socket: &Socket, local: SocketAddr) {
    let (level, name) = match local {
        SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_RECVTOS),
        SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS),
    };
    if let Err(error) = set_int(socket.as_fd(), level, name, 1) {
        tracing::info!(%local, %error, "the kernel does not tell the outer Traffic Class: congestion outside is not seen inside");
    }
}

/// Whether the kernel knows UDP_SEGMENT (Linux 4.18); 0 octets, which is set here, means no cutting.
pub(super) fn can_send_runs(socket: &Socket, local: SocketAddr) -> bool {
    let set = set_int(socket.as_fd(), libc::SOL_UDP, libc::UDP_SEGMENT, 0);
    if let Err(error) = &set {
        tracing::info!(%local, %error, "the kernel has no UDP_SEGMENT: each datagram is sent by itself");
    }
    set.is_ok()
}

/// Asks for datagrams as they came together (Linux 5.0). `false` where the kernel cannot.
pub(super) fn receive_runs(socket: &Socket, local: SocketAddr) -> bool {
    let set = set_int(socket.as_fd(), libc::SOL_UDP, libc::UDP_GRO, 1);
    if let Err(error) = &set {
        tracing::info!(%local, %error, "the kernel has no UDP_GRO: each datagram is received by itself");
    }
    set.is_ok()
}

/// An error of SO_MARK, with what to do.
pub(crate) fn explain_mark(error: &io::Error, mark: u32) -> io::Error {
    let text = format!("cannot set the firewall mark {mark} on a socket: {error}; run as root or with CAP_NET_ADMIN");
    io::Error::new(error.kind(), text)
}

/// The privileged options pass the administrator's limits (`net.core.rmem_max`); without the right the limits hold.
fn set_buffers(socket: &Socket, receive: usize) -> io::Result<()> {
    let send = receive / 2;
    if sockopt::set_socket_recv_buffer_size_force(socket, receive).is_err() {
        socket.set_recv_buffer_size(receive)?;
    }
    if sockopt::set_socket_send_buffer_size_force(socket, send).is_err() {
        socket.set_send_buffer_size(send)?;
    }
    Ok(())
}

/// How datagrams that are too long are treated from now on.
pub(super) fn set_fragmentation(fd: BorrowedFd<'_>, local: SocketAddr, fragmentation: Fragmentation) -> io::Result<()> {
    let is_probe = fragmentation == Fragmentation::Never;
    if let SocketAddr::V4(_) = local {
        let value = if is_probe { libc::IP_PMTUDISC_PROBE } else { libc::IP_PMTUDISC_OMIT };
        return set_int(fd, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, value);
    }
    let value = if is_probe { libc::IPV6_PMTUDISC_PROBE } else { libc::IPV6_PMTUDISC_WANT };
    set_int(fd, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, value)
}

fn set_path_mtu_discovery(fd: BorrowedFd<'_>, local: SocketAddr) -> io::Result<()> {
    let (level, name, value) = match local {
        SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_OMIT),
        SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_WANT),
    };
    set_int(fd, level, name, value)
}

/// An option whose value is a C `int`.
pub(super) fn set_int(fd: BorrowedFd<'_>, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    let (data, len) = (std::ptr::from_ref::<c_int>(&value).cast::<c_void>(), size_of::<c_int>() as libc::socklen_t);
    // SAFETY: the descriptor is open, and `data` and `len` name an int that lives through the call.
    let result = unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, data, len) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::time::{Duration, Instant};

    use fixture::{in_new_network_namespace, shell};
    use protocol::tunnel::batch::MAX_PACKET;
    use protocol::tunnel::{PacketBatch, Path, SendBatch, SocketId};

    use super::super::{Sender, Sockets, UdpSocket};
    use super::*;
    use crate::offloads::Offloads;
    use crate::tun::Tun;

    /// A link of 1,500 octets whose packets the test sees: a TUN device.
    struct Link {
        tun: Tun,
        sockets: Sockets,
        to: SocketAddr,
    }

    impl Link {
        fn new(own: &str, to: &str) -> Self {
            let tun = Tun::create("link0", 1500, Offloads::NONE).unwrap();
            shell(&format!("ip link set link0 up && ip address add {own} dev link0 nodad"));
            let local = SocketAddr::new(own.split('/').next().unwrap().parse().unwrap(), 7872);
            let mut sockets = Sockets::default();
            sockets.add(SocketId(0), UdpSocket::bind(local, &SocketOptions::default()).unwrap().into());
            Self { tun, sockets, to: SocketAddr::new(to.parse().unwrap(), 7872) }
        }

        /// The packets that a datagram of `len` octets becomes.
        fn send(&self, len: usize) -> Vec<Vec<u8>> {
            self.send_run(&[len])
        }

        /// The packets that datagrams of these lengths become.
        fn send_run(&self, lengths: &[usize]) -> Vec<Vec<u8>> {
            let mut packets = PacketBatch::new(64, 3 * MAX_PACKET);
            self.tun.read_batch(&mut packets).unwrap();
            packets.clear();
            let mut batch = SendBatch::new(lengths.len(), MAX_PACKET);
            for len in lengths {
                let range = batch.reserve(*len, 1).unwrap();
                batch.push(range, &Path::proved(SocketId(0), self.to), 0);
            }
            let report = Sender::new().send(&batch, &self.sockets);
            assert_eq!((report.sent, report.last_error.map(|error| error.kind())), (lengths.len(), None::<ErrorKind>));
            assert!(self.sockets.iter().all(|(_, socket)| socket.sends_runs()));
            self.tun.read_batch(&mut packets).unwrap();
            // Not what the kernel says of itself (router solicitation, multicast listener reports).
            let is_ours = |packet: &&[u8]| packet[0] >> 4 == 4 || packet[24] != 0xff;
            packets.iter().filter(is_ours).map(<[u8]>::to_vec).collect()
        }

        fn receive(&self, packet: &[u8]) {
            assert_eq!(self.tun.write_batch(std::iter::once(packet)).written, 1);
        }
    }

    impl Link {
        fn send_as(&self, fragmentation: Fragmentation, len: usize) -> Result<Vec<Vec<u8>>, i32> {
            let mut batch = SendBatch::new(2, MAX_PACKET);
            let range = batch.reserve(len, 1).unwrap();
            batch.push_as(fragmentation, range, &Path::proved(SocketId(0), self.to), 0);
            let report = Sender::new().send(&batch, &self.sockets);
            if let Some(error) = report.last_error {
                return Err(error.raw_os_error().unwrap());
            }
            let mut packets = PacketBatch::new(64, 3 * MAX_PACKET);
            self.tun.read_batch(&mut packets).unwrap();
            Ok(packets.iter().filter(|packet| packet[0] >> 4 == 4 || packet[24] != 0xff).map(<[u8]>::to_vec).collect())
        }
    }

    fn checksum(octets: &[u8]) -> [u8; 2] {
        let mut sum: u32 = octets.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum();
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        (!(sum as u16)).to_be_bytes()
    }

    /// Sent by the router `from`, about `packet`.
    fn packet_too_big(from: &[u8; 16], mtu: u32, packet: &[u8]) -> Vec<u8> {
        let quoted = &packet[..packet.len().min(1_232)];
        let mut icmp = [&[2, 0, 0, 0][..], &mtu.to_be_bytes(), quoted].concat();
        let addresses = [from, &packet[8..24]].concat();
        let pseudo_header = [&addresses[..], &(icmp.len() as u32).to_be_bytes(), &[0, 0, 0, 58]].concat();
        let sum = checksum(&[&pseudo_header[..], &icmp].concat());
        icmp[2..4].copy_from_slice(&sum);
        let length = (icmp.len() as u16).to_be_bytes();
        [&[0x60, 0, 0, 0][..], &length, &[58, 64], &addresses, &icmp].concat()
    }

    fn fragmentation_needed(from: [u8; 4], mtu: u16, packet: &[u8]) -> Vec<u8> {
        let mut icmp = [&[3, 4, 0, 0, 0, 0][..], &mtu.to_be_bytes(), &packet[..28]].concat();
        let sum = checksum(&icmp);
        icmp[2..4].copy_from_slice(&sum);
        let length = (20 + icmp.len() as u16).to_be_bytes();
        let mut header = [&[0x45, 0][..], &length, &[0, 0, 0, 0, 64, 1, 0, 0], &from, &packet[12..16]].concat();
        let sum = checksum(&header);
        header[10..12].copy_from_slice(&sum);
        [header, icmp].concat()
    }

    #[test]
    fn ipv4_may_be_fragmented_by_any_router_and_believes_no_icmp() {
        in_new_network_namespace(|| {
            let link = Link::new("192.0.2.1/24", "192.0.2.9");
            let dont_fragment = |packet: &Vec<u8>| packet[6] & 0x40 != 0;
            let whole = link.send(1_400);
            assert_eq!(whole.len(), 1);
            assert!(!whole.iter().any(dont_fragment));
            assert_eq!(link.send(3_000).len(), 3, "longer than the interface: fragments, not an error");
            assert_eq!(link.send_run(&[1_400, 1_400, 9]).len(), 3);
            assert_eq!(link.send_run(&[3_000, 3_000, 1_000]).len(), 7, "nor is it one for a run");
            link.receive(&fragmentation_needed([192, 0, 2, 254], 600, &whole[0]));
            assert_eq!(link.send(1_400).len(), 1);
        });
    }

    #[test]
    fn ipv6_is_fragmented_here_when_a_router_says_so() {
        in_new_network_namespace(|| {
            let link = Link::new("2001:db8:f::1/64", "2001:db8:f::9");
            let whole = link.send(1_400);
            assert_eq!(whole.len(), 1);
            assert_eq!(link.send(3_000).len(), 3);
            assert_eq!(link.send_run(&[1_400, 1_400, 9]).len(), 3);
            assert_eq!(link.send_run(&[3_000, 3_000, 1_000]).len(), 7);
            let router = [0x20, 1, 0xd, 0xb8, 0, 0xf, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfe];
            // A router says so of every packet that is too long; a kernel under load does not heed each.
            let deadline = Instant::now() + Duration::from_secs(5);
            let mut fragments = whole;
            while fragments.len() == 1 && Instant::now() < deadline {
                link.receive(&packet_too_big(&router, 1_280, &fragments[0]));
                fragments = link.send(1_400);
            }
            assert_eq!(fragments.len(), 2);
            assert!(fragments.iter().all(|packet| packet[6] == 44 && packet.len() <= 1_280));
        });
    }

    #[test]
    fn a_probe_is_never_fragmented_and_only_it_is_not() {
        in_new_network_namespace(|| {
            let link = Link::new("192.0.2.1/24", "192.0.2.9");
            let probe = link.send_as(Fragmentation::Never, 1_472).unwrap();
            assert_eq!((probe.len(), probe[0].len(), probe[0][6] & 0x40), (1, 1_500, 0x40));
            assert_eq!(link.send_as(Fragmentation::Never, 1_473), Err(libc::EMSGSIZE));
            assert_eq!((link.send(1_400)[0][6] & 0x40, link.send(3_000).len()), (0, 3));
        });
    }

    #[test]
    fn over_ipv6_a_probe_passes_what_was_learned_and_nothing_else_does() {
        in_new_network_namespace(|| {
            let link = Link::new("2001:db8:f::1/64", "2001:db8:f::9");
            shell("ip -6 route add 2001:db8:f::9/128 dev link0 mtu 1300");
            assert_eq!(link.send(1_400).len(), 2);
            let probe = link.send_as(Fragmentation::Never, 1_452).unwrap();
            assert_eq!((probe.len(), probe[0].len(), probe[0][6]), (1, 1_500, 17));
            assert_eq!(link.send_as(Fragmentation::Never, 1_453), Err(libc::EMSGSIZE));
            assert_eq!(link.send(1_400).len(), 2);
        });
    }

    #[test]
    fn over_ipv6_what_is_too_long_on_its_own_goes_in_fragments_of_1280_octets_whatever_no_router_says() {
        in_new_network_namespace(|| {
            let link = Link::new("2001:db8:f::1/64", "2001:db8:f::9");
            let shortest = link.send_as(Fragmentation::OnItsOwn, 1_232).unwrap();
            assert_eq!((shortest.len(), shortest[0].len(), shortest[0][6]), (1, 1_280, 17));
            let fragments = link.send_as(Fragmentation::OnItsOwn, 1_316).unwrap();
            let lengths: Vec<_> = fragments.iter().map(|packet| (packet[6], packet.len())).collect();
            assert_eq!(lengths, [(44, 1_280), (44, 48 + 8 + 1_316 - 1_232)]);
            assert_eq!(link.send(1_316).len(), 1, "nor is anything else cut because of it");
        });
    }
}
