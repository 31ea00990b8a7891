//! `struct virtio_net_hdr` (VIRTIO 1.2 section 5.1.6), as a TUN device puts it in front of a packet: in the host's byte order.

/// What kind of segments a packet stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Segmentation {
    /// It is one.
    #[default]
    None,
    /// TCP over IPv4.
    Tcp4,
    /// TCP over IPv6.
    Tcp6,
    /// UDP over either, each datagram a packet of its own.
    Udp,
}

/// The header, without the fields that nobody may believe: the kernel's header length is wrong for forwarded packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VirtioHeader {
    /// What the packet stands for.
    pub segmentation: Segmentation,
    /// Whether its checksum has still to be computed: from [`Self::checksum_start`] to the end, the field holding the sum of the
    /// pseudo-header.
    pub needs_checksum: bool,
    /// Whether TCP's CWR is set in the first segment alone (`VIRTIO_NET_HDR_GSO_ECN`).
    pub has_cwr: bool,
    /// Octets of headers, as told; read by nobody, written for the kernel.
    pub header_len: u16,
    /// Octets of payload in each segment but the last.
    pub segment: u16,
    /// Where the transport header begins.
    pub checksum_start: u16,
    /// Where in it the checksum stands.
    pub checksum_offset: u16,
}

const NEEDS_CSUM: u8 = 1;
const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;
const GSO_UDP_L4: u8 = 5;
const GSO_ECN: u8 = 0x80;

impl VirtioHeader {
    /// Octets of the header.
    pub const LEN: usize = 10;

    /// Reads it. `None` for a kind of segments that was not asked for.
    pub fn parse(octets: &[u8; Self::LEN]) -> Option<Self> {
        let [flags, gso, h0, h1, s0, s1, c0, c1, o0, o1] = *octets;
        let segmentation = match gso & !GSO_ECN {
            GSO_NONE => Segmentation::None,
            GSO_TCPV4 => Segmentation::Tcp4,
            GSO_TCPV6 => Segmentation::Tcp6,
            GSO_UDP_L4 => Segmentation::Udp,
            _ => return None,
        };
        Some(Self {
            segmentation,
            needs_checksum: flags & NEEDS_CSUM != 0,
            has_cwr: gso & GSO_ECN != 0,
            header_len: u16::from_ne_bytes([h0, h1]),
            segment: u16::from_ne_bytes([s0, s1]),
            checksum_start: u16::from_ne_bytes([c0, c1]),
            checksum_offset: u16::from_ne_bytes([o0, o1]),
        })
    }

    /// Its octets.
    pub fn emit(&self) -> [u8; Self::LEN] {
        let gso = match self.segmentation {
            Segmentation::None => GSO_NONE,
            Segmentation::Tcp4 => GSO_TCPV4,
            Segmentation::Tcp6 => GSO_TCPV6,
            Segmentation::Udp => GSO_UDP_L4,
        };
        let ([h0, h1], [s0, s1]) = (self.header_len.to_ne_bytes(), self.segment.to_ne_bytes());
        let ([c0, c1], [o0, o1]) = (self.checksum_start.to_ne_bytes(), self.checksum_offset.to_ne_bytes());
        let flags = if self.needs_checksum { NEEDS_CSUM } else { 0 };
        let gso = if self.has_cwr { gso | GSO_ECN } else { gso };
        [flags, gso, h0, h1, s0, s1, c0, c1, o0, o1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_as_it_was_written() {
        for segmentation in [Segmentation::None, Segmentation::Tcp4, Segmentation::Tcp6, Segmentation::Udp] {
            for (needs_checksum, has_cwr) in [(false, false), (true, false), (true, true)] {
                let header = VirtioHeader {
                    segmentation,
                    needs_checksum,
                    has_cwr,
                    header_len: 54,
                    segment: 1_380,
                    checksum_start: 20,
                    checksum_offset: 16,
                };
                assert_eq!(VirtioHeader::parse(&header.emit()), Some(header));
            }
        }
        assert_eq!(VirtioHeader::default().emit(), [0; VirtioHeader::LEN]);
    }

    #[test]
    fn a_kind_of_segments_that_was_not_asked_for_is_none() {
        for gso in [2, 3, 6, 0x7f, 0xff] {
            let mut octets = [0; VirtioHeader::LEN];
            octets[1] = gso;
            assert_eq!(VirtioHeader::parse(&octets), None, "{gso}");
        }
    }
}
