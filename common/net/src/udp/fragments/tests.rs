//! What is cut is whole again at the other end, whoever puts it together.

use std::net::UdpSocket;
use std::time::Duration;

use fixture::{in_new_network_namespace, shell};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;

fn address(ip: &str, port: u16) -> SocketAddrV6 {
    SocketAddrV6::new(ip.parse().unwrap(), port, 0, 0)
}

fn fragments(traffic_class: u8, datagram: &[u8]) -> Vec<Vec<u8>> {
    let (from, to) = (address("2001:db8:f::2", 7_872), address("2001:db8:1::9", 40_001));
    let cut = Cut { from, to, traffic_class, identification: 0x0102_0304, datagram };
    let fragment = |index| {
        let mut room = [0; LONGEST];
        let len = cut.write(index, &mut room).unwrap();
        room[..len].to_vec()
    };
    (0..cut.count()).map(fragment).collect()
}

fn word(octets: &[u8], at: usize) -> usize {
    usize::from(u16::from_be_bytes([octets[at], octets[at + 1]]))
}

/// The UDP packet that a receiver makes of fragments (RFC 8200 section 4.5).
fn reassembled(fragments: &[Vec<u8>]) -> Vec<u8> {
    let mut whole = Vec::new();
    for (index, fragment) in fragments.iter().enumerate() {
        assert!(fragment.len() <= 1_280 && word(fragment, 4) == fragment.len() - 40, "{}", fragment.len());
        assert_eq!((fragment[6], fragment[40], &fragment[44..48]), (44, 17, &[1, 2, 3, 4][..]));
        let (offset, more) = (word(fragment, 42) & !7, word(fragment, 42) & 7);
        assert_eq!((offset, more), (whole.len(), usize::from(index + 1 < fragments.len())), "no gap and no overlap");
        whole.extend(&fragment[48..]);
    }
    whole
}

#[test]
fn fragments_make_up_the_datagram_with_a_right_checksum() {
    let mut rng = StdRng::seed_from_u64(7);
    for len in (0..9_000).step_by(7).chain([1_224, 1_225, 2_456, 2_457, 65_527]) {
        let mut datagram = vec![0; len];
        rng.fill_bytes(&mut datagram);
        let traffic_class = len as u8;
        let fragments = fragments(traffic_class, &datagram);
        let whole = reassembled(&fragments);
        assert_eq!(&whole[8..], &datagram[..]);
        assert_eq!((word(&whole, 0), word(&whole, 2), word(&whole, 4)), (7_872, 40_001, whole.len()));
        let [from, to] = ["2001:db8:f::2", "2001:db8:1::9"].map(|ip| ip.parse().unwrap());
        assert!(checksum::is_right(from, to, UDP, &whole), "{len}");
        assert!(fragments.iter().all(|fragment| word(fragment, 0) == 0x6000 | usize::from(traffic_class) << 4));
    }
}

#[test]
fn a_datagram_that_udp_cannot_carry_is_none() {
    let (from, to) = (address("::1", 1), address("::1", 2));
    let datagram = vec![0; 65_528];
    let cut = Cut { from, to, traffic_class: 0, identification: 0, datagram: &datagram };
    assert_eq!(cut.write(0, &mut [0; LONGEST]), None);
}

#[test]
fn a_checksum_of_zero_is_sent_as_all_ones() {
    let sums: Vec<_> = (0..=u16::MAX).map(|data| word(&fragments(0, &data.to_be_bytes())[0], 54)).collect();
    assert!(!sums.contains(&0) && sums.contains(&0xffff));
}

/// The kernel checks UDP's checksum too.
#[test]
fn the_kernel_at_the_other_end_puts_them_together() {
    in_new_network_namespace(|| {
        shell("ip link set lo up");
        let receiver = UdpSocket::bind("[::1]:0").unwrap();
        receiver.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let fragmenter = Fragmenter::open(address("::1", 7_872), &SocketOptions::default()).unwrap();
        for len in [1_233, 1_316, 2_456, 9_001] {
            let datagram: Vec<u8> = (0..len).map(|index| (index % 251) as u8).collect();
            assert!(Fragmenter::is_for(len));
            fragmenter.send(receiver.local_addr().unwrap(), 0, &datagram).unwrap();
            let mut room = vec![0; 10_000];
            let (received, from) = receiver.recv_from(&mut room).unwrap();
            assert_eq!((&room[..received], from), (&datagram[..], "[::1]:7872".parse().unwrap()));
        }
        assert!(!Fragmenter::is_for(1_232));
    });
}
