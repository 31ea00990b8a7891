//! TCP connections that somebody else opened to this host before the guard stood, and that it goes on answering.
//!
//! Connection tracking that begins in the midst of a connection takes for its opener whoever says something first. So the
//! kernel's own list decides (`/proc/net/tcp`, `/proc/net/tcp6`; proc(5)): a connection at a port that is listened at was
//! opened by the other end.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// More than these go on only if they begin anew.
const MAX_CONNECTIONS: usize = 4096;
/// States of `net/tcp_states.h`, in hexadecimal.
const ESTABLISHED: &str = "01";
const LISTEN: &str = "0A";

/// Own end and other end of each such connection of this network namespace. What cannot be read is none.
pub(super) fn connections() -> Vec<(SocketAddr, SocketAddr)> {
    let lists = ["/proc/self/net/tcp", "/proc/self/net/tcp6"].map(|file| std::fs::read_to_string(file).unwrap_or_default());
    answered(lists.iter().flat_map(|list| list.lines().skip(1)))
}

fn answered<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<(SocketAddr, SocketAddr)> {
    let (mut listening, mut established) = (BTreeSet::new(), Vec::new());
    for line in lines {
        let mut fields = line.split_whitespace().skip(1);
        let ends = (fields.next().and_then(end), fields.next().and_then(end));
        let (Some(own), Some(other)) = ends else { continue };
        match fields.next() {
            Some(LISTEN) => drop(listening.insert(own.port())),
            Some(ESTABLISHED) if !own.ip().is_loopback() => established.push((own, other)),
            _ => {}
        }
    }
    established.retain(|(own, _)| listening.contains(&own.port()));
    established.truncate(MAX_CONNECTIONS);
    established
}

/// `ADDRESS:PORT`: the address in words of 32 bits, each in the host's byte order.
fn end(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut octets = Vec::new();
    for at in (0..address.len()).step_by(8) {
        octets.extend(u32::from_str_radix(address.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    }
    let ip = match <[u8; 4]>::try_from(&octets[..]) {
        Ok(octets) => IpAddr::V4(Ipv4Addr::from(octets)),
        Err(_) => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(&octets[..]).ok()?)).to_canonical(),
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LITTLE_ENDIAN: &str = "\
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 626 1 0 100 0 0 10 0
   1: 026433C6:0016 097100CB:C000 01 00000000:00000000 00:00000000 00000000     0        0 627 1 0 100 0 0 10 0
   2: 026433C6:9C40 050000CB:01BB 01 00000000:00000000 00:00000000 00000000     0        0 628 1 0 100 0 0 10 0
   3: 0100007F:0016 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 629 1 0 100 0 0 10 0
   4: 0000000000000000FFFF0000026433C6:0016 0000000000000000FFFF0000097100CB:C002 01 00000000:00000000 00:00000000
   5: B80D0120000001000000000002000000:0016 B80D0120000077000000000005000000:C003 01 00000000:00000000 00:00000000
   6: nonsense
   7: 026433C6:0016 097100CB 01";

    #[test]
    #[cfg(target_endian = "little")]
    fn a_connection_at_a_port_that_is_listened_at_is_answered_and_no_other() {
        let found: Vec<_> = answered(LITTLE_ENDIAN.lines()).iter().map(|(own, other)| format!("{own} {other}")).collect();
        assert_eq!(
            found,
            [
                "198.51.100.2:22 203.0.113.9:49152",
                "198.51.100.2:22 203.0.113.9:49154",
                "[2001:db8:1::2]:22 [2001:db8:77::5]:49155",
            ]
        );
    }
}
