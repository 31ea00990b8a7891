//! Inner packets that are longer than what their paths carry in one piece (RFC 2473 section 7).

use super::IcmpSources;
use crate::tunnel::DropReason;
use crate::tunnel::batch::Fragmentation;
use crate::wire::icmp;
use crate::wire::ip::InnerPacket;

/// What becomes of a packet whose segments are up to `len` octets long where `limit` come through. Its sender is told
/// ([`DropReason::TooBig`]) where he may be, and where somebody can tell him; else it goes in fragments outside.
///
/// # Errors
/// [`DropReason::TooBig`].
pub(super) fn judge(
    inner: &InnerPacket,
    packet: &[u8],
    len: usize,
    limit: u16,
    sources: &IcmpSources,
) -> Result<Fragmentation, DropReason> {
    if len <= usize::from(limit) {
        return Ok(Fragmentation::OnTheWay);
    }
    let (is_told, can_tell) = match inner.destination.is_ipv6() {
        // No IPv6 node has to send less than this.
        true => (len > usize::from(icmp::LEAST_IPV6_MTU), sources.ip6.is_some()),
        false => (packet.get(6).is_some_and(|flags| flags & DONT_FRAGMENT != 0), sources.ip4.is_some()),
    };
    if is_told && can_tell { Err(DropReason::TooBig) } else { Ok(Fragmentation::OnItsOwn) }
}

/// In the seventh octet of an IPv4 header.
const DONT_FRAGMENT: u8 = 0x40;
