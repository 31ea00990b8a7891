//! Router advertisements (RFC 4861 section 4.2): of somebody who wants to read along (RFC 4191), and of a NAT64 (RFC 8781). Octets as they
//! are on the wire.

use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use protocol::wire::pref64::Pref64;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// Sent so often, as a router does that was just switched on.
const TIMES: usize = 3;
const PAUSE: Duration = Duration::from_millis(100);
/// Seconds for which everything in it holds.
const LIFETIME: u16 = 1800;
/// Router preference "high" (RFC 4191 section 2.1).
const HIGH: u8 = 0b0000_1000;
/// On-link and autonomous (RFC 4861 section 4.6.2).
const ON_LINK_AND_AUTONOMOUS: u8 = 0b1100_0000;
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// Says on `interface` (by its index) that here is the best default router, that `prefix`/64 is on the link, with an address for
/// everybody, and that this router is the way to `prefix`/`length` by a route of its own.
///
/// # Errors
/// No raw socket, or the interface is gone.
pub fn advertise(interface: u32, prefix: Ipv6Addr, length: u8) -> Result<()> {
    ensure!((65..=128).contains(&length), "a route more specific than the prefix has 65 to 128 bits");
    let (socket, everybody) = open(interface)?;
    for _ in 0..TIMES {
        socket.send_to(&message(prefix, length), &everybody).context("cannot send a router advertisement")?;
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// Says on `interface`, again and again until killed, that a NAT64 with this prefix is there, as `said` has it; and nothing else: this is
/// no router.
///
/// # Errors
/// No raw socket, or the interface is gone.
pub fn advertise_nat64(interface: u32, said: Pref64) -> Result<()> {
    let (socket, everybody) = open(interface)?;
    let octets = [&[134, 0, 0, 0][..], &[0; 12], &said.emit()].concat();
    loop {
        // While the link is down it goes nowhere.
        let _down = socket.send_to(&octets, &everybody);
        std::thread::sleep(PAUSE);
    }
}

fn open(interface: u32) -> Result<(Socket, SockAddr)> {
    let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6)).context("no raw socket")?;
    socket.set_multicast_hops_v6(255)?;
    socket.set_multicast_if_v6(interface)?;
    Ok((socket, SocketAddrV6::new(ALL_NODES, 0, 0, interface).into()))
}

/// The checksum is the kernel's to fill in (RFC 3542 section 3.1).
fn message(prefix: Ipv6Addr, length: u8) -> Vec<u8> {
    let lifetime = u32::from(LIFETIME).to_be_bytes();
    let mut octets = vec![134, 0, 0, 0, 64, HIGH];
    octets.extend(LIFETIME.to_be_bytes());
    octets.extend([0; 8]);
    // Prefix Information.
    octets.extend([3, 4, 64, ON_LINK_AND_AUTONOMOUS]);
    octets.extend(lifetime);
    octets.extend(lifetime);
    octets.extend([0; 4]);
    octets.extend(prefix.octets());
    // Route Information.
    octets.extend([24, 3, length, HIGH]);
    octets.extend(lifetime);
    octets.extend(prefix.octets());
    octets
}
