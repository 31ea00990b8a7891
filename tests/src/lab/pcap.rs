//! Captures as dumpcap writes them (pcap, microseconds, either byte order), read down to UDP datagrams, and written for tests.
//!
//! Link types: Ethernet (1) and raw IP (101). IPv6 extension headers are not followed: the tunnel's outer packets have none.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;
const ETHERNET: u32 = 1;
const RAW_IP: u32 = 101;
const UDP: u8 = 17;

/// A UDP datagram of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Where it came from.
    pub from: SocketAddr,
    /// Where it went.
    pub to: SocketAddr,
    /// The UDP payload, or as much of it as was captured.
    pub payload: Vec<u8>,
}

impl Datagram {
    /// PType and SPI, and the sequence number, of a datagram between mobile node and home agent (RFC 6618 section 6.1).
    pub fn envelope(&self) -> Option<(u32, u32)> {
        let (word, rest) = self.payload.split_first_chunk::<4>()?;
        Some((u32::from_be_bytes(*word), u32::from_be_bytes(*rest.first_chunk()?)))
    }
}

/// Reads every UDP datagram of a capture. A last record that was cut short (the writer still runs) is left out.
pub fn read(path: &Path) -> Result<Vec<Datagram>> {
    Ok(read_timed(path)?.into_iter().map(|(_, datagram)| datagram).collect())
}

/// The same, each with the time since 1970 at which it crossed the interface, by the kernel's clock.
pub fn read_timed(path: &Path) -> Result<Vec<(Duration, Datagram)>> {
    let octets = fs::read(path).with_context(|| format!("cannot read the capture {}", path.display()))?;
    parse(&octets).with_context(|| format!("cannot read the capture {}", path.display()))
}

/// How long each packet of a capture was, with its link header.
pub fn sizes(path: &Path) -> Result<Vec<u32>> {
    let octets = fs::read(path).with_context(|| format!("cannot read the capture {}", path.display()))?;
    let (_, records) = records(&octets).with_context(|| format!("cannot read the capture {}", path.display()))?;
    Ok(records.into_iter().map(|record| record.length).collect())
}

fn parse(octets: &[u8]) -> Result<Vec<(Duration, Datagram)>> {
    let (link_header, records) = records(octets)?;
    let read = |record: Record<'_>| Some((record.time, record.octets.get(link_header..).and_then(read_packet)?));
    Ok(records.into_iter().filter_map(read).collect())
}

/// A packet as it was captured.
struct Record<'a> {
    time: Duration,
    /// On the link.
    length: u32,
    /// As much of it as was kept.
    octets: &'a [u8],
}

/// The length of the link's header, and each packet.
fn records(octets: &[u8]) -> Result<(usize, Vec<Record<'_>>)> {
    ensure!(octets.len() >= FILE_HEADER, "it has no header");
    let swapped = match octets[..4] {
        [0xd4, 0xc3, 0xb2, 0xa1] => false,
        [0xa1, 0xb2, 0xc3, 0xd4] => true,
        _ => bail!("it is no pcap file with microseconds"),
    };
    let word = |at: usize| {
        let mut four = [0; 4];
        four.copy_from_slice(&octets[at..at + 4]);
        if swapped { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
    };
    let link_header = match word(20) {
        ETHERNET => 14,
        RAW_IP => 0,
        other => bail!("link type {other} is neither Ethernet nor raw IP"),
    };
    let mut records = Vec::new();
    let mut at = FILE_HEADER;
    while at + RECORD_HEADER <= octets.len() {
        let start = at + RECORD_HEADER;
        let end = start + word(at + 8) as usize;
        if end > octets.len() {
            break;
        }
        let time = Duration::new(word(at).into(), 0) + Duration::from_micros(word(at + 4).into());
        records.push(Record { time, length: word(at + 12), octets: &octets[start..end] });
        at = end;
    }
    Ok((link_header, records))
}

/// The UDP datagram in an IP packet, if there is one.
pub fn read_packet(packet: &[u8]) -> Option<Datagram> {
    let (from, to, udp): (IpAddr, IpAddr, &[u8]) = match packet.first()? >> 4 {
        4 => {
            let header = usize::from(packet[0] & 0xf) * 4;
            let address = |at| packet.get(at..at + 4)?.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets).into());
            (*packet.get(9)? == UDP).then_some((address(12)?, address(16)?, packet.get(header..)?))?
        }
        6 => {
            let address = |at| packet.get(at..at + 16)?.first_chunk::<16>().map(|octets| Ipv6Addr::from(*octets).into());
            (*packet.get(6)? == UDP).then_some((address(8)?, address(24)?, packet.get(40..)?))?
        }
        _ => return None,
    };
    let port = |at| udp.get(at..at + 2)?.first_chunk::<2>().map(|octets| u16::from_be_bytes(*octets));
    let (source, destination, length) = (port(0)?, port(2)?, usize::from(port(4)?));
    let payload = udp.get(8..length.min(udp.len()))?.to_vec();
    Some(Datagram { from: SocketAddr::new(from, source), to: SocketAddr::new(to, destination), payload })
}

/// An IP packet with one UDP datagram in it, both checksums right.
pub fn ip_packet(datagram: &Datagram) -> Result<Vec<u8>> {
    let length = u16::try_from(8 + datagram.payload.len()).context("the payload is too long for UDP")?;
    let mut udp = Vec::with_capacity(usize::from(length));
    udp.extend(datagram.from.port().to_be_bytes());
    udp.extend(datagram.to.port().to_be_bytes());
    udp.extend(length.to_be_bytes());
    udp.extend([0, 0]);
    udp.extend(&datagram.payload);
    let addresses = match (datagram.from.ip(), datagram.to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => [from.octets(), to.octets()].concat(),
        (IpAddr::V6(from), IpAddr::V6(to)) => [from.octets(), to.octets()].concat(),
        _ => bail!("{} and {} are of two families", datagram.from, datagram.to),
    };
    // RFC 768: a sum of zero is sent as all ones.
    let sum = match checksum(&[&addresses, &[0, UDP], &length.to_be_bytes(), &udp]) {
        0 => 0xffff,
        sum => sum,
    };
    udp[6..8].copy_from_slice(&sum.to_be_bytes());
    let mut packet = if datagram.from.is_ipv4() { ipv4_header(&addresses, length)? } else { ipv6_header(&addresses, length) };
    packet.extend(udp);
    Ok(packet)
}

fn ipv4_header(addresses: &[u8], payload: u16) -> Result<Vec<u8>> {
    let total = payload.checked_add(20).context("the payload is too long for IPv4")?;
    let mut header = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, UDP, 0, 0];
    header[2..4].copy_from_slice(&total.to_be_bytes());
    header.extend(addresses);
    let sum = checksum(&[&header]);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    Ok(header)
}

fn ipv6_header(addresses: &[u8], payload: u16) -> Vec<u8> {
    let mut header = vec![0x60, 0, 0, 0, 0, 0, UDP, 64];
    header[4..6].copy_from_slice(&payload.to_be_bytes());
    header.extend(addresses);
    header
}

/// The Internet checksum (RFC 1071) over parts of which all but the last have an even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u32;
    for pair in parts.iter().flat_map(|part| part.chunks(2)) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Writes datagrams as a capture of raw IP packets.
pub fn write(path: &Path, datagrams: &[Datagram]) -> Result<()> {
    let mut octets = Vec::new();
    for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 262_144, RAW_IP] {
        octets.extend(u32::to_le_bytes(word));
    }
    for datagram in datagrams {
        let packet = ip_packet(datagram)?;
        let length = packet.len() as u32;
        for word in [0, 0, length, length] {
            octets.extend(u32::to_le_bytes(word));
        }
        octets.extend(packet);
    }
    fs::write(path, octets).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(from: &str, to: &str, payload: &[u8]) -> Datagram {
        Datagram { from: from.parse().unwrap(), to: to.parse().unwrap(), payload: payload.to_vec() }
    }

    #[test]
    fn what_is_written_is_read_again_in_both_families() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pcap");
        let datagrams = [
            datagram("198.51.100.2:40000", "203.0.113.2:7872", &[0x81, 0x23, 0x45, 0x67, 0, 0, 0, 7, 9]),
            datagram("[2001:db8::1]:7872", "[2001:db8::2]:40000", b"odd"),
        ];
        write(&path, &datagrams).unwrap();
        assert_eq!(read(&path).unwrap(), datagrams);
        assert_eq!(datagrams[0].envelope(), Some((0x8123_4567, 7)));
        assert_eq!(datagrams[1].envelope(), None);
    }

    #[test]
    fn a_record_cut_short_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pcap");
        let one = datagram("198.51.100.2:1", "203.0.113.2:2", b"payload");
        write(&path, &[one.clone(), one.clone()]).unwrap();
        let octets = fs::read(&path).unwrap();
        assert_eq!(parse(&octets[..octets.len() - 1]).unwrap(), [(Duration::ZERO, one)]);
    }

    #[test]
    fn both_checksums_of_a_packet_are_right() {
        let packet = ip_packet(&datagram("198.51.100.2:1", "203.0.113.2:2", b"payload")).unwrap();
        assert_eq!(checksum(&[&packet[..20]]), 0);
        let length = ((packet.len() - 20) as u16).to_be_bytes();
        assert_eq!(checksum(&[&packet[12..20], &[0, UDP], &length, &packet[20..]]), 0);
    }
}
