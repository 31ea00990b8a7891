//! Control messages (`cmsg(3)`): what the kernel is told of a datagram besides its octets, and what it tells.

use std::ffi::c_int;
use std::net::SocketAddr;

/// Octets in front of a message's data.
const HEADER: usize = align(size_of::<libc::cmsghdr>());

/// Room for a number of segments' octets and a traffic class, and for a third message that nobody asked for.
pub(super) const CAPACITY: usize = 3 * space(size_of::<c_int>());

const _: () = assert!(align_of::<Control>() >= align_of::<libc::cmsghdr>());

/// The control messages of one datagram, where and as the kernel reads or writes them.
#[repr(C, align(8))]
#[derive(Clone, Debug)]
pub(super) struct Control {
    octets: [u8; CAPACITY],
    used: usize,
}

/// What the kernel tells of a received message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// Octets of each datagram but the last, where there are several.
    pub(super) segment: Option<usize>,
    /// The outer header's Traffic Class, or Type of Service.
    pub(super) traffic_class: u8,
}

impl Control {
    /// Without messages.
    pub(super) const fn new() -> Self {
        Self { octets: [0; CAPACITY], used: 0 }
    }

    /// Says that every `segment` octets are a datagram (`UDP_SEGMENT`).
    pub(super) fn put_segment(&mut self, segment: u16) {
        self.put(libc::SOL_UDP, libc::UDP_SEGMENT, &segment.to_ne_bytes());
    }

    /// Sets the outer header's Traffic Class, or Type of Service.
    pub(super) fn put_traffic_class(&mut self, to: SocketAddr, traffic_class: u8) {
        let (level, kind) = match to {
            SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_TOS),
            SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_TCLASS),
        };
        self.put(level, kind, &c_int::from(traffic_class).to_ne_bytes());
    }

    /// The same for one datagram.
    pub(super) fn without_segment(&self) -> Self {
        let mut other = Self::new();
        let mut rest = self.octets.get(..self.used).unwrap_or_default();
        while let Some((header, data, behind)) = split(rest) {
            if header.cmsg_level != libc::SOL_UDP {
                other.put(header.cmsg_level, header.cmsg_type, data);
            }
            rest = behind;
        }
        other
    }

    /// Where the kernel finds the messages, and their octets.
    pub(super) fn written(&mut self) -> (*mut libc::c_void, usize) {
        (self.octets.as_mut_ptr().cast(), self.used)
    }

    /// Where the kernel may write messages, and room for them.
    pub(super) fn room(&mut self) -> (*mut libc::c_void, usize) {
        (self.octets.as_mut_ptr().cast(), CAPACITY)
    }

    /// What the kernel has written into the first `len` octets of [`Self::room`].
    pub(super) fn told(&self, len: usize) -> Told {
        let mut told = Told::default();
        let mut rest = self.octets.get(..len).unwrap_or_default();
        while let Some((header, data, behind)) = split(rest) {
            match (header.cmsg_level, header.cmsg_type) {
                (libc::SOL_UDP, libc::UDP_GRO) => told.segment = int(data).and_then(|segment| usize::try_from(segment).ok()),
                (libc::IPPROTO_IP, libc::IP_TOS) => told.traffic_class = data.first().copied().unwrap_or_default(),
                (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => told.traffic_class = int(data).unwrap_or_default() as u8,
                _ => {}
            }
            rest = behind;
        }
        told
    }

    /// A message that has no room is not written; [`CAPACITY`] is enough for all that are.
    fn put(&mut self, level: c_int, kind: c_int, data: &[u8]) {
        let Some(to) = self.octets.get_mut(self.used..).and_then(|rest| rest.get_mut(..space(data.len()))) else { return };
        // SAFETY: cmsghdr is a C structure of integers without invariants; all zeroes is a value of it.
        let mut header: libc::cmsghdr = unsafe { std::mem::zeroed() };
        header.cmsg_len = (HEADER + data.len()) as _;
        header.cmsg_level = level;
        header.cmsg_type = kind;
        // SAFETY: `to` has at least HEADER octets, as many as a cmsghdr or more, and nothing else refers to them; the write need
        // not be aligned.
        unsafe { to.as_mut_ptr().cast::<libc::cmsghdr>().write_unaligned(header) };
        to.iter_mut().skip(HEADER).zip(data).for_each(|(to, octet)| *to = *octet);
        self.used += space(data.len());
    }
}

/// The first message of `octets`, its data, and what is behind it.
fn split(octets: &[u8]) -> Option<(libc::cmsghdr, &[u8], &[u8])> {
    if octets.len() < HEADER {
        return None;
    }
    // SAFETY: there are HEADER octets, as many as a cmsghdr or more; any octets are a value of this C structure of integers, and
    // the read need not be aligned.
    let header = unsafe { octets.as_ptr().cast::<libc::cmsghdr>().read_unaligned() };
    let len: usize = header.cmsg_len as _;
    let data = octets.get(HEADER..len)?;
    Some((header, data, octets.get(align(len)..).unwrap_or_default()))
}

fn int(data: &[u8]) -> Option<c_int> {
    data.first_chunk().map(|octets| c_int::from_ne_bytes(*octets))
}

/// Octets of a message with `data` octets of data, up to the next one (CMSG_SPACE).
const fn space(data: usize) -> usize {
    HEADER + align(data)
}

/// CMSG_ALIGN; a length of the kernel's that is absurd stays one.
const fn align(len: usize) -> usize {
    len.saturating_add(size_of::<usize>() - 1) & !(size_of::<usize>() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);
    const V6: SocketAddr = SocketAddr::new(std::net::IpAddr::V6(std::net::Ipv6Addr::LOCALHOST), 1);

    fn told(messages: &[(c_int, c_int, &[u8])]) -> Told {
        let mut control = Control::new();
        messages.iter().for_each(|(level, kind, data)| control.put(*level, *kind, data));
        control.told(control.used)
    }

    #[test]
    fn lengths_are_those_of_the_c_library() {
        for len in 0..64 {
            // SAFETY: both compute a number from a number.
            assert_eq!((HEADER + len, space(len)), unsafe {
                (libc::CMSG_LEN(len as u32) as usize, libc::CMSG_SPACE(len as u32) as usize)
            });
        }
    }

    #[test]
    fn what_the_kernel_tells_is_understood_in_any_order() {
        let segment = 1_464i32.to_ne_bytes();
        let tos = (libc::IPPROTO_IP, libc::IP_TOS, [0xb9].as_slice());
        let class = 0x2ei32.to_ne_bytes();
        let class = (libc::IPPROTO_IPV6, libc::IPV6_TCLASS, class.as_slice());
        let gro = (libc::SOL_UDP, libc::UDP_GRO, segment.as_slice());
        assert_eq!(told(&[]), Told::default());
        assert_eq!(told(&[tos, gro]), Told { segment: Some(1_464), traffic_class: 0xb9 });
        assert_eq!(told(&[gro, class]), Told { segment: Some(1_464), traffic_class: 0x2e });
        assert_eq!(told(&[(libc::SOL_SOCKET, 7, &[1, 2, 3]), class]), Told { segment: None, traffic_class: 0x2e });
    }

    #[test]
    fn what_is_written_has_the_kernels_form_in_both_families() {
        for (to, level, kind) in [(V4, libc::IPPROTO_IP, libc::IP_TOS), (V6, libc::IPPROTO_IPV6, libc::IPV6_TCLASS)] {
            let mut control = Control::new();
            control.put_segment(1_464);
            control.put_traffic_class(to, 0xb9);
            assert_eq!(control.written().1, 2 * space(4));
            let (header, data, rest) = split(&control.octets[..control.used]).unwrap();
            assert_eq!(
                (header.cmsg_level, header.cmsg_type, data),
                (libc::SOL_UDP, libc::UDP_SEGMENT, &1_464u16.to_ne_bytes()[..])
            );
            let (header, data, _) = split(rest).unwrap();
            assert_eq!((header.cmsg_level, header.cmsg_type, data), (level, kind, &0xb9i32.to_ne_bytes()[..]));
        }
    }

    #[test]
    fn lengths_that_lie_end_the_messages() {
        let mut control = Control::new();
        control.put_segment(1_464);
        for len in [0, 1, HEADER - 1, CAPACITY + 1, usize::MAX] {
            control.octets[..size_of::<usize>()].copy_from_slice(&len.to_ne_bytes());
            assert_eq!(control.told(CAPACITY), Told::default(), "{len}");
        }
        assert_eq!(control.told(CAPACITY + 1), Told::default());
    }

    #[test]
    fn a_message_without_room_is_not_written() {
        let mut control = Control::new();
        (0..4).for_each(|_| control.put_segment(1));
        assert_eq!(control.used, CAPACITY);
    }
}
