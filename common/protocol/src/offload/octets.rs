//! Headers as offloads see them: fields at fixed places of octets that may be too few.

use crate::wire::checksum;

pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const IPV4_HEADER: usize = 20;
pub(super) const IPV6_HEADER: usize = 40;
pub(super) const TCP_HEADER: usize = 20;
pub(super) const UDP_HEADER: usize = 8;

/// Flags of TCP that matter here, in the octet behind the data offset (RFC 9293 section 3.1).
pub(super) mod tcp_flag {
    pub(in crate::offload) const FIN: u8 = 0x01;
    pub(in crate::offload) const PSH: u8 = 0x08;
    pub(in crate::offload) const ACK: u8 = 0x10;
    pub(in crate::offload) const CWR: u8 = 0x80;
}

/// Where in its header TCP's or UDP's checksum stands.
pub(super) const fn checksum_offset(protocol: u8) -> usize {
    if protocol == TCP { 16 } else { 6 }
}

/// The 16-bit number at `at`.
pub(super) fn get16(octets: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*octets.get(at..)?.first_chunk()?))
}

/// The 32-bit number at `at`.
pub(super) fn get32(octets: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*octets.get(at..)?.first_chunk()?))
}

/// Sets the 16-bit number at `at`, if it is there.
pub(super) fn put16(octets: &mut [u8], at: usize, value: u16) {
    if let Some(field) = octets.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *field = value.to_be_bytes();
    }
}

/// Sets the 32-bit number at `at`, if it is there.
pub(super) fn put32(octets: &mut [u8], at: usize, value: u32) {
    if let Some(field) = octets.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *field = value.to_be_bytes();
    }
}

/// The sum over the pseudo-header of either family (RFC 9293 section 3.1, RFC 8200 section 8.1), without the length. `None` when
/// the addresses are not all there.
pub(super) fn pseudo_sum(packet: &[u8], protocol: u8) -> Option<u64> {
    let addresses = match packet.first()? >> 4 {
        4 => packet.get(12..IPV4_HEADER),
        _ => packet.get(8..IPV6_HEADER),
    };
    Some(checksum::sum(addresses?) + u64::from(protocol))
}

/// A checksum as it is written where zero means that there is none (RFC 768).
pub(super) fn never_zero(checksum: u16) -> u16 {
    if checksum == 0 { 0xffff } else { checksum }
}
