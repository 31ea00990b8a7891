//! Explicit Congestion Notification at a tunnel's exit (RFC 6040 section 4.2): what a router on the path has said in the outer header
//! goes on in the inner one. The inner DSCP stays as it is.

use super::ip::InnerPacket;
use crate::tunnel::DropReason;

/// The two bits of ECN in a Traffic Class or Type of Service.
const FIELD: u8 = 0b11;
/// Not ECN-capable transport.
const NOT_ECT: u8 = 0b00;
/// Congestion experienced.
const CE: u8 = 0b11;

/// Gives `packet`, whose header is `inner`, the ECN field that the outer header's `traffic_class` leaves it with, and corrects the
/// checksum of an IPv4 header.
///
/// # Errors
/// [`DropReason::CongestionNotEct`] where the path is congested and the transport hears of it by losses alone.
pub fn decapsulate(inner: &InnerPacket, traffic_class: u8, packet: &mut [u8]) -> Result<(), DropReason> {
    let arrived = inner.traffic_class & FIELD;
    let outgoing = outgoing(arrived, traffic_class & FIELD)?;
    if outgoing != arrived {
        InnerPacket::set_traffic_class(packet, inner.traffic_class & !FIELD | outgoing);
    }
    Ok(())
}

/// Figure 4 of RFC 6040: the more severe of the two, but a transport without ECN keeps none.
fn outgoing(inner: u8, outer: u8) -> Result<u8, DropReason> {
    match (inner, outer) {
        (NOT_ECT, CE) => Err(DropReason::CongestionNotEct),
        (NOT_ECT, _) => Ok(NOT_ECT),
        _ if severity(outer) > severity(inner) => Ok(outer),
        _ => Ok(inner),
    }
}

/// From Not-ECT, 0, by ECT(0) and ECT(1) to CE, 3: the code points, but for ECT(0) being `10` and ECT(1) `01`.
fn severity(ecn: u8) -> u8 {
    (ecn << 1 | ecn >> 1) & FIELD
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::checksum;

    const ECT_0: u8 = 0b10;
    const ECT_1: u8 = 0b01;
    /// A DSCP that is there to be kept: EF.
    const DSCP: u8 = 46 << 2;

    /// Figure 4, row by row: inner Not-ECT, ECT(0), ECT(1), CE; outer Not-ECT, ECT(0), ECT(1), CE in each.
    const FIGURE_4: [(u8, [Option<u8>; 4]); 4] = [
        (NOT_ECT, [Some(NOT_ECT), Some(NOT_ECT), Some(NOT_ECT), None]),
        (ECT_0, [Some(ECT_0), Some(ECT_0), Some(ECT_1), Some(CE)]),
        (ECT_1, [Some(ECT_1), Some(ECT_1), Some(ECT_1), Some(CE)]),
        (CE, [Some(CE), Some(CE), Some(CE), Some(CE)]),
    ];

    fn ipv6(traffic_class: u8) -> Vec<u8> {
        let mut packet = vec![0x60 | traffic_class >> 4, traffic_class << 4 | 0x0a, 0xbc, 0xde, 0, 4, 17, 64];
        packet.extend([0x20; 32]);
        packet.extend([1, 2, 3, 4]);
        packet
    }

    fn ipv4(traffic_class: u8, identification: u16) -> Vec<u8> {
        let mut packet = vec![0x45, traffic_class, 0, 24];
        packet.extend(identification.to_be_bytes());
        packet.extend([0, 0, 64, 17, 0, 0, 10, 9, 0, 7, 192, 0, 2, 9]);
        let sum = checksum::bare(&packet);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        packet.extend([1, 2, 3, 4]);
        packet
    }

    fn assert_all_combinations(packet: impl Fn(u8) -> Vec<u8>) {
        for (inner, row) in FIGURE_4 {
            for (outer, expected) in [NOT_ECT, ECT_0, ECT_1, CE].into_iter().zip(row) {
                let mut arrived = packet(DSCP | inner);
                let header = InnerPacket::parse(&arrived).unwrap();
                let result = decapsulate(&header, 0b1010_1000 | outer, &mut arrived);
                let expected = expected.map(|ecn| packet(DSCP | ecn)).ok_or(DropReason::CongestionNotEct);
                assert_eq!(result.map(|()| arrived), expected, "inner {inner:02b}, outer {outer:02b}");
            }
        }
    }

    #[test]
    fn each_combination_of_inner_and_outer_comes_out_as_figure_4_says_and_the_inner_dscp_stays() {
        assert_all_combinations(ipv6);
        for identification in 0..=u16::MAX {
            if identification % 257 == 0 || identification > 0xff00 {
                assert_all_combinations(|traffic_class| ipv4(traffic_class, identification));
            }
        }
    }

    #[test]
    fn a_header_checksum_that_was_wrong_stays_wrong() {
        let mut packet = ipv4(DSCP | ECT_0, 7);
        packet[11] ^= 0x20;
        let header = InnerPacket::parse(&packet).unwrap();
        assert_eq!(decapsulate(&header, CE, &mut packet), Ok(()));
        assert_eq!(packet[1], DSCP | CE);
        assert_ne!(checksum::bare(&packet[..20]), 0);
    }
}
