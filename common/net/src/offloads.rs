//! What may be left to the kernel in bulk: many segments or datagrams with one system call.

/// Which offloads to use. Each that the kernel does not have is done without, and the log says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offloads {
    /// The kernel and a TUN device hand each other many segments of one flow as one packet (`IFF_VNET_HDR`).
    pub tun_segments: bool,
    /// Datagrams of one length to one place are sent as one (`UDP_SEGMENT`).
    pub udp_segment: bool,
    /// Datagrams of one length from one place are received as one (`UDP_GRO`).
    pub udp_gro: bool,
}

impl Offloads {
    /// Whatever there is.
    pub const ALL: Self = Self { tun_segments: true, udp_segment: true, udp_gro: true };

    /// None: each packet and each datagram by itself.
    pub const NONE: Self = Self { tun_segments: false, udp_segment: false, udp_gro: false };

    /// [`Self::ALL`] or [`Self::NONE`], as a configuration says.
    pub const fn all_or_none(are_on: bool) -> Self {
        if are_on { Self::ALL } else { Self::NONE }
    }
}

impl Default for Offloads {
    fn default() -> Self {
        Self::ALL
    }
}
