//! Datagrams over IPv6 in fragments that are made here (RFC 8200 section 4.5), none longer than what every path carries.
//!
//! Linux fragments a UDP datagram to what it has heard in a Packet Too Big, and never to a size that a program knows: `IPV6_MTU` counts
//! for what is longer than the route's MTU alone. Where these messages are filtered, an inner packet that nobody may be told to make
//! shorter would be lost, and RFC 2473 section 7.1 wants it in fragments. So its outer headers are written here, and each fragment goes
//! through a raw socket. It is a rare way: what can be made shorter is.

use std::io;
use std::net::{SocketAddr, SocketAddrV6};

use protocol::wire::checksum;
use rand::TryRng;
use rand::rngs::SysRng;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::{SocketOptions, options};

/// No IPv6 link carries less (RFC 8200 section 5).
const LONGEST: usize = 1_280;
const IPV6_HEADER: usize = 40;
const FRAGMENT_HEADER: usize = 8;
const UDP_HEADER: usize = 8;
/// Octets of each fragment behind its headers, but of the last one: a multiple of 8.
const PART: usize = LONGEST - IPV6_HEADER - FRAGMENT_HEADER;
const FRAGMENT: u8 = 44;
const UDP: u8 = 17;
/// The recommended default (RFC 1700), and Linux's.
const HOP_LIMIT: u8 = 64;

const _: () = assert!(PART.is_multiple_of(8));

/// Sends what a UDP socket over IPv6 has to send in fragments.
#[derive(Debug)]
pub(super) struct Fragmenter {
    raw: Socket,
    local: SocketAddrV6,
}

impl Fragmenter {
    /// For a UDP socket that is bound to `local`, and set as `options` say.
    ///
    /// # Errors
    /// CAP_NET_RAW is missing.
    pub(super) fn open(local: SocketAddrV6, options: &SocketOptions) -> io::Result<Self> {
        let raw = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW)))?;
        raw.set_nonblocking(true)?;
        // It only sends; what somebody may send to this protocol number is not kept.
        raw.set_recv_buffer_size(0)?;
        options::set_way(&raw, options)?;
        raw.bind(&without_port(local))?;
        Ok(Self { raw, local })
    }

    /// Whether a datagram of `len` octets has to be cut.
    pub(super) fn is_for(len: usize) -> bool {
        IPV6_HEADER + UDP_HEADER + len > LONGEST
    }

    /// Sends `datagram` to `to`. Never waits.
    ///
    /// # Errors
    /// The kernel did not take a fragment: the datagram is lost.
    pub(super) fn send(&self, to: SocketAddr, traffic_class: u8, datagram: &[u8]) -> io::Result<()> {
        let SocketAddr::V6(to) = to else { return Err(io::ErrorKind::InvalidInput.into()) };
        // Drawn anew, so that nobody who sees one knows the next (RFC 7739 section 5.3).
        let identification = SysRng.try_next_u32().map_err(io::Error::other)?;
        let (to_address, mut fragment) = (without_port(to), [0; LONGEST]);
        let cut = Cut { from: self.local, to, traffic_class, identification, datagram };
        for index in 0..cut.count() {
            let len = cut.write(index, &mut fragment).ok_or(io::ErrorKind::InvalidInput)?;
            self.raw.send_to(fragment.get(..len).unwrap_or_default(), &to_address)?;
        }
        Ok(())
    }
}

/// A raw socket takes no port.
fn without_port(address: SocketAddrV6) -> SockAddr {
    SockAddr::from(SocketAddrV6::new(*address.ip(), 0, 0, address.scope_id()))
}

/// A datagram with all that its headers say.
struct Cut<'a> {
    from: SocketAddrV6,
    to: SocketAddrV6,
    traffic_class: u8,
    identification: u32,
    datagram: &'a [u8],
}

impl Cut<'_> {
    fn len(&self) -> usize {
        UDP_HEADER + self.datagram.len()
    }

    /// How many fragments it becomes.
    fn count(&self) -> usize {
        self.len().div_ceil(PART)
    }

    /// Writes one of them, and gives its length. `None` for a datagram that is too long for UDP.
    fn write(&self, index: usize, to: &mut [u8; LONGEST]) -> Option<usize> {
        let offset = index.checked_mul(PART)?;
        let len = self.len().checked_sub(offset)?.min(PART);
        let is_last = offset + len == self.len();
        let (headers, payload) = to.split_at_mut(IPV6_HEADER + FRAGMENT_HEADER);
        // A part is shorter than 65,536 octets; an offset is a multiple of 8, and its last bit says that more follow.
        let offset_and_flag = u16::try_from(offset).ok()? | u16::from(!is_last);
        headers.get_mut(..IPV6_HEADER)?.copy_from_slice(&self.ipv6_header(u16::try_from(FRAGMENT_HEADER + len).ok()?));
        headers.get_mut(IPV6_HEADER..)?.copy_from_slice(&self.fragment_header(offset_and_flag));
        let payload = payload.get_mut(..len)?;
        if index == 0 {
            let (header, data) = payload.split_at_mut(UDP_HEADER);
            header.copy_from_slice(&self.udp_header()?);
            data.copy_from_slice(self.datagram.get(..data.len())?);
        } else {
            payload.copy_from_slice(self.datagram.get(offset - UDP_HEADER..)?.get(..len)?);
        }
        Some(IPV6_HEADER + FRAGMENT_HEADER + len)
    }

    fn ipv6_header(&self, payload: u16) -> [u8; IPV6_HEADER] {
        let mut header = [0; IPV6_HEADER];
        let [len_high, len_low] = payload.to_be_bytes();
        let start = [0x60 | self.traffic_class >> 4, self.traffic_class << 4, 0, 0, len_high, len_low, FRAGMENT, HOP_LIMIT];
        let addresses = [self.from, self.to].map(|address| address.ip().octets());
        let octets = start.iter().chain(addresses.as_flattened());
        header.iter_mut().zip(octets).for_each(|(to, octet)| *to = *octet);
        header
    }

    fn fragment_header(&self, offset_and_flag: u16) -> [u8; FRAGMENT_HEADER] {
        let ([offset_high, offset_low], [i0, i1, i2, i3]) = (offset_and_flag.to_be_bytes(), self.identification.to_be_bytes());
        [UDP, 0, offset_high, offset_low, i0, i1, i2, i3]
    }

    fn udp_header(&self) -> Option<[u8; UDP_HEADER]> {
        let len = u16::try_from(self.len()).ok()?;
        let words = [self.from.port(), self.to.port(), len, self.checksum(len)];
        let [[f0, f1], [t0, t1], [l0, l1], [c0, c1]] = words.map(u16::to_be_bytes);
        Some([f0, f1, t0, t1, l0, l1, c0, c1])
    }

    /// Over pseudo-header, header of `len` octets and data, and data; never 0, which would mean none (RFC 8200 section 8.1).
    fn checksum(&self, len: u16) -> u16 {
        let of_data = checksum::with_pseudo_header(*self.from.ip(), *self.to.ip(), UDP, self.datagram);
        let with_length = checksum::updated(of_data, len - UDP_HEADER as u16, len);
        let words = [self.from.port(), self.to.port(), len];
        match words.into_iter().fold(with_length, |sum, word| checksum::updated(sum, 0, word)) {
            0 => u16::MAX,
            checksum => checksum,
        }
    }
}

#[cfg(test)]
mod tests;
