//! What may be left to the kernel in bulk: many segments or datagrams with one system call.

use std::sync::Arc;

use crate::tun::TunSegments;
use crate::udp::UdpSocket;

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

/// What is in use, for people and `--json`: `tso`, `uso` (the TUN device), `udp-segment`, `udp-gro` (all of these sockets).
pub fn in_use<'a>(segments: TunSegments, sockets: impl Iterator<Item = &'a Arc<UdpSocket>>) -> Vec<&'static str> {
    let sockets: Vec<_> = sockets.collect();
    let all = |have: fn(&UdpSocket) -> bool| !sockets.is_empty() && sockets.iter().all(|socket| have(socket));
    let each = [
        ("tso", segments >= TunSegments::Tcp),
        ("uso", segments >= TunSegments::TcpAndUdp),
        ("udp-segment", all(UdpSocket::sends_runs)),
        ("udp-gro", all(UdpSocket::receives_runs)),
    ];
    each.into_iter().filter_map(|(name, is_used)| is_used.then_some(name)).collect()
}

#[cfg(test)]
mod tests {
    use fixture::{in_new_network_namespace, shell};

    use super::*;
    use crate::udp::SocketOptions;

    #[test]
    fn what_is_in_use_is_what_the_device_and_every_socket_have() {
        in_new_network_namespace(|| {
            shell("ip link set lo up");
            let socket = |offloads| {
                let options = SocketOptions { offloads, ..SocketOptions::default() };
                Arc::new(UdpSocket::bind("127.0.0.1:0".parse().unwrap(), &options).unwrap())
            };
            let whole = socket(Offloads::ALL);
            let some = socket(Offloads { udp_gro: false, ..Offloads::ALL });
            let in_use = |segments, sockets: &[&Arc<UdpSocket>]| super::in_use(segments, sockets.iter().copied());
            assert_eq!(in_use(TunSegments::TcpAndUdp, &[&whole]), ["tso", "uso", "udp-segment", "udp-gro"]);
            assert_eq!(in_use(TunSegments::Tcp, &[&whole, &some]), ["tso", "udp-segment"]);
            assert_eq!(in_use(TunSegments::None, &[]), [""; 0], "no socket yet");
        });
    }
}
