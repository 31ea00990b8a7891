//! Captured datagrams sent again with the addresses and ports that they had, as somebody on the path can.
//!
//! Packets go out through a raw socket with a header of their own, so the source may be anybody's; checksums are made anew.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use socket2::{Domain, Protocol, Socket, Type};

use crate::lab::pcap::{self, Datagram};

/// IPPROTO_RAW: what is sent starts with the IP header.
const RAW: i32 = 255;
/// Enough of a pause, after so many packets, that a socket with default buffers keeps up.
const BURST: usize = 32;
const PAUSE: Duration = Duration::from_millis(2);

/// What is done to a datagram before it is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// Nothing: a replay.
    Replay,
    /// Addresses and ports change places: a reflection.
    Reflect,
    /// One bit in the middle of the payload is inverted.
    FlipBit,
    /// The sequence number is 1,000 higher: as fresh as it is unauthentic.
    Forge,
    /// PType 1 or 8 becomes the unassigned 2.
    Unassigned,
    /// The SPI is another one.
    OtherSpi,
    /// The last octet is cut off.
    Truncate,
    /// A PType 0 packet with an inner IPv6 packet from the pool.
    Clear,
}

impl std::str::FromStr for Mutation {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        Ok(match name {
            "replay" => Self::Replay,
            "reflect" => Self::Reflect,
            "flip-bit" => Self::FlipBit,
            "forge" => Self::Forge,
            "unassigned" => Self::Unassigned,
            "other-spi" => Self::OtherSpi,
            "truncate" => Self::Truncate,
            "clear" => Self::Clear,
            _ => bail!("unknown mutation {name:?}: replay, reflect, flip-bit, forge, unassigned, other-spi, truncate or clear"),
        })
    }
}

/// Sends every datagram of a capture that went to `port` of `to`, changed, and gives their number.
pub fn inject(capture: &Path, to: SocketAddr, mutation: Mutation, inner: Option<(Ipv6Addr, Ipv6Addr)>) -> Result<usize> {
    let chosen: Vec<_> = pcap::read(capture)?.into_iter().filter(|datagram| datagram.to == to).collect();
    let domain = if to.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(RAW))).context("cannot open a raw socket")?;
    for (index, datagram) in chosen.iter().enumerate() {
        let changed = mutate(datagram.clone(), mutation, inner)?;
        let destination = SocketAddr::new(changed.to.ip(), 0);
        socket.send_to(&pcap::ip_packet(&changed)?, &destination.into()).with_context(|| format!("cannot send to {to}"))?;
        if index % BURST == BURST - 1 {
            std::thread::sleep(PAUSE);
        }
    }
    Ok(chosen.len())
}

fn mutate(mut datagram: Datagram, mutation: Mutation, inner: Option<(Ipv6Addr, Ipv6Addr)>) -> Result<Datagram> {
    let payload = &mut datagram.payload;
    let middle = payload.len() / 2;
    match mutation {
        Mutation::Replay => {}
        Mutation::Reflect => std::mem::swap(&mut datagram.from, &mut datagram.to),
        Mutation::FlipBit => payload[middle.max(8)] ^= 0x10,
        Mutation::Forge => {
            let (_, sequence) = datagram.envelope().context("too short for an envelope")?;
            datagram.payload[4..8].copy_from_slice(&sequence.wrapping_add(1_000).to_be_bytes());
        }
        Mutation::Unassigned => payload[0] = payload[0] & 0x0f | 0x20,
        Mutation::OtherSpi => payload[3] ^= 0xff,
        Mutation::Truncate => drop(payload.pop()),
        Mutation::Clear => *payload = clear(inner.context("a PType 0 packet needs inner addresses")?)?,
    }
    Ok(datagram)
}

/// Eight zero octets and an inner UDP packet to the discard port.
fn clear((from, to): (Ipv6Addr, Ipv6Addr)) -> Result<Vec<u8>> {
    let from = SocketAddr::new(IpAddr::V6(from), 9);
    let inner = Datagram { from, to: SocketAddr::new(IpAddr::V6(to), 9), payload: b"in the clear".to_vec() };
    let mut payload = vec![0; 8];
    payload.extend(pcap::ip_packet(&inner)?);
    Ok(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram() -> Datagram {
        let payload = vec![0x11, 2, 3, 4, 0, 0, 0, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17];
        Datagram { from: "192.0.2.1:1".parse().unwrap(), to: "192.0.2.2:2".parse().unwrap(), payload }
    }

    fn mutated(mutation: Mutation) -> Datagram {
        let inner = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
        mutate(datagram(), mutation, Some(inner)).unwrap()
    }

    #[test]
    fn each_mutation_changes_what_its_name_says() {
        assert_eq!(mutated(Mutation::Replay), datagram());
        assert_eq!(mutated(Mutation::Reflect).to, datagram().from);
        assert_eq!(mutated(Mutation::Forge).envelope(), Some((0x1102_0304, 1_005)));
        assert_eq!(mutated(Mutation::Unassigned).envelope(), Some((0x2102_0304, 5)));
        assert_eq!(mutated(Mutation::OtherSpi).envelope(), Some((0x1102_03fb, 5)));
        assert_eq!(mutated(Mutation::Truncate).payload.len(), 19);
        assert_eq!(mutated(Mutation::Clear).payload[..9], [0, 0, 0, 0, 0, 0, 0, 0, 0x60]);
        let flipped = mutated(Mutation::FlipBit);
        assert_eq!(flipped.envelope(), datagram().envelope());
        assert_ne!(flipped.payload, datagram().payload);
    }
}
