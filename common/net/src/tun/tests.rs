use std::io;
use std::num::NonZeroU8;

use fixture::{in_new_network_namespace, shell};
use protocol::offload::{Merged, Segmentation, VirtioHeader};
use protocol::tunnel::PacketBatch;
use protocol::tunnel::batch::MAX_PACKET;

use super::*;
use crate::offloads::Offloads;

const ON_AND_OFF: [Offloads; 2] = [Offloads::ALL, Offloads::NONE];

#[test]
fn names_and_mtus_that_no_tunnel_can_have_are_refused_before_anything_is_opened() {
    for name in ["", "a-name-of-16-oct", "a/b", "a b", "tun%d", ".", ".."] {
        assert_eq!(Tun::create(name, 1400, Offloads::ALL).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{name:?}");
    }
    for mtu in [0, 1279, 9001] {
        assert!(Tun::create("mn0", mtu, Offloads::ALL).unwrap_err().to_string().contains("1280"));
    }
}

#[test]
fn a_device_has_the_mtu_asked_for_and_goes_with_its_owner() {
    in_new_network_namespace(|| {
        for offloads in ON_AND_OFF {
            let tun = Tun::create("mn0", 1380, offloads).unwrap();
            assert!(tun.index() > 0);
            assert_eq!(std::fs::read_to_string("/proc/net/dev").unwrap().matches("mn0:").count(), 1);
            let error = Tun::create("mn0", 1380, offloads).unwrap_err().to_string();
            assert!(error.contains("exists already"), "{error}");
            drop(tun);
            assert!(!std::fs::read_to_string("/proc/net/dev").unwrap().contains("mn0:"));
            Tun::create("mn0", 1380, offloads).unwrap();
        }
    });
}

#[test]
fn a_device_without_offloads_has_none() {
    in_new_network_namespace(|| {
        assert_eq!(Tun::create("mn0", 1380, Offloads::NONE).unwrap().segments(), TunSegments::None);
        assert!(Tun::create("mn1", 1380, Offloads::ALL).unwrap().segments() >= TunSegments::Tcp, "Linux has had them since 2.6");
    });
}

#[test]
fn what_the_kernel_sends_into_the_device_is_read_in_one_batch() {
    in_new_network_namespace(|| {
        for offloads in ON_AND_OFF {
            let tun = up_with_address("mn0", offloads);
            let socket = application(1000);
            for payload in [b"one".as_slice(), b"two", b"three"] {
                socket.send_to(payload, "10.9.0.77:2000").unwrap();
            }
            let mut batch = PacketBatch::new(16, 2 * MAX_PACKET);
            let report = tun.read_batch(&mut batch).unwrap();
            assert_eq!(report, ReadReport { read: batch.len(), dropped: 0 });
            let payloads: Vec<&[u8]> = batch.iter().filter(|packet| packet[0] >> 4 == 4).map(|packet| &packet[28..]).collect();
            assert_eq!(payloads, [b"one".as_slice(), b"two", b"three"]);
            assert_eq!(tun.read_batch(&mut batch).unwrap(), ReadReport::default(), "nothing more, and no waiting");
        }
    });
}

#[test]
fn a_packet_that_stands_for_many_is_read_as_one_and_ends_the_batch() {
    in_new_network_namespace(|| {
        let tun = up_with_address("mn0", Offloads::ALL);
        if tun.segments() < TunSegments::TcpAndUdp {
            eprintln!("not checked: this kernel has no USO (Linux 6.2)");
            return;
        }
        let socket = application(1000);
        socket.send_to(b"before", "10.9.0.77:2000").unwrap();
        crate::udp::cut_what_it_sends(&socket, 1_000);
        socket.send_to(&[7; 4_500], "10.9.0.77:2000").unwrap();
        socket.send_to(b"behind", "10.9.0.77:2000").unwrap();
        let mut batch = PacketBatch::new(16, 4 * MAX_PACKET);
        tun.read_batch(&mut batch).unwrap();
        let (header, packet) = batch.get(batch.len() - 1).unwrap();
        assert_eq!((header.segmentation, header.segment, header.needs_checksum), (Segmentation::Udp, 1_000, true));
        assert_eq!((header.checksum_start, header.checksum_offset), (20, 6));
        assert_eq!((packet.len(), &packet[28..]), (4_528, [7; 4_500].as_slice()));
        assert_eq!(tun.read_batch(&mut batch).unwrap().read, 1);
        assert_eq!(&batch.get(batch.len() - 1).unwrap().1[28..], b"behind");
    });
}

#[test]
fn a_batch_that_might_cut_a_packet_reads_none() {
    in_new_network_namespace(|| {
        for offloads in ON_AND_OFF {
            let tun = up_with_address("mn0", offloads);
            application(1000).send_to(b"one", "10.9.0.77:2000").unwrap();
            let mut batch = PacketBatch::new(16, MAX_PACKET - 1);
            assert_eq!(tun.read_batch(&mut batch).unwrap().read, 0);
            assert!(tun.read_batch(&mut PacketBatch::new(16, 2 * MAX_PACKET)).unwrap().read > 0);
        }
    });
}

#[test]
fn a_bad_packet_does_not_end_a_write_batch() {
    in_new_network_namespace(|| {
        for offloads in ON_AND_OFF {
            let tun = up_with_address("mn0", offloads);
            let socket = application(2000);
            let good = [(&b"first"[..], 1), (b"last", 2)].map(|(payload, id)| udp_packet(&[payload], id));
            let report = tun.write_batch([good[0].as_slice(), &[0xff; 20], &good[1]].into_iter());
            assert_eq!((report.written, report.failed), (2, 1), "{report:?}");
            expect(&socket, &[b"first", b"last"]);
        }
    });
}

#[test]
fn a_group_is_written_with_one_call_and_arrives_as_the_packets_that_it_was() {
    in_new_network_namespace(|| {
        let tun = up_with_address("mn0", Offloads::ALL);
        if tun.segments() < TunSegments::TcpAndUdp {
            eprintln!("not checked: this kernel has no USO (Linux 6.2)");
            return;
        }
        let socket = application(2000);
        let payloads = [[1; 900].as_slice(), &[2; 900], &[3; 900], &[4; 5]];
        let mut head = udp_packet(&payloads, 9);
        let pseudo_header = [&head[12..20], &[0, 17], &head[24..26]].concat();
        head[26..28].copy_from_slice(&sum(&pseudo_header).to_be_bytes());
        // In the arena the packets' own headers stand between the payloads.
        let arena =
            [&[0; 13], &head[..928], &[0; 28], &head[928..1_828], &[0; 28], &head[1_828..2_728], &[0; 28], &head[2_728..]]
                .concat();
        let parts = [13..941, 969..1_869, 1_897..2_797, 2_825..2_830];
        let header = VirtioHeader {
            segmentation: Segmentation::Udp,
            needs_checksum: true,
            has_cwr: false,
            header_len: 28,
            segment: 900,
            checksum_start: 20,
            checksum_offset: 6,
        };
        assert_eq!(tun.write_group(&arena, &Merged { header, parts: &parts }), Ok(VirtioHeader::LEN + head.len()));
        expect(&socket, &payloads);
        let too_many = vec![0..1; 65];
        assert_eq!(tun.write_group(&arena, &Merged { header, parts: &too_many }), Err(rustix::io::Errno::MSGSIZE));
    });
}

/// From 10.9.0.77 port 1000 to 10.9.0.2 port 2000, without a UDP checksum (RFC 768 allows it).
fn udp_packet(payload: &[&[u8]], id: u8) -> Vec<u8> {
    let payload = payload.concat();
    let [high, low] = (28 + payload.len() as u16).to_be_bytes();
    let mut packet = vec![0x45, 0, high, low, 0, id, 0, 0, 64, 17, 0, 0, 10, 9, 0, 77, 10, 9, 0, 2];
    let checksum = !sum(&packet);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    packet.extend([1000u16, 2000, 8 + payload.len() as u16, 0].iter().flat_map(|word| word.to_be_bytes()));
    packet.extend(payload);
    packet
}

fn sum(octets: &[u8]) -> u16 {
    let sum: u32 = octets.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    ((sum & 0xffff) + (sum >> 16)) as u16
}

fn expect(socket: &std::net::UdpSocket, payloads: &[&[u8]]) {
    let mut octets = [0; 2_000];
    for payload in payloads {
        let len = socket.recv(&mut octets).unwrap();
        assert_eq!(&octets[..len], *payload);
    }
}

fn application(port: u16) -> std::net::UdpSocket {
    let socket = std::net::UdpSocket::bind(("10.9.0.2", port)).unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
    socket
}

fn up_with_address(name: &str, offloads: Offloads) -> Tun {
    let tun = Tun::create(name, 1400, offloads).unwrap();
    shell(&format!("ip address add 10.9.0.2/24 dev {name} && ip link set {name} up"));
    tun
}

#[test]
fn what_the_kernel_sends_is_spread_over_the_queues_and_follows_the_one_that_wrote_its_other_direction() {
    in_new_network_namespace(|| {
        for offloads in ON_AND_OFF {
            let queues = Tun::create_queues("mn0", 1400, offloads, NonZeroU8::new(4).unwrap()).unwrap();
            shell("ip address add 10.9.0.2/24 dev mn0 && ip link set mn0 up");
            let read = |queue: &Tun| {
                let mut batch = PacketBatch::new(16, 2 * MAX_PACKET);
                queue.read_batch(&mut batch).unwrap();
                batch.iter().filter(|packet| packet[0] >> 4 == 4).map(<[u8]>::to_vec).collect::<Vec<_>>()
            };
            queues.each.iter().for_each(|queue| _ = read(queue));
            let mut used = [false; 4];
            for port in 1_000..1_016 {
                let socket = application(port);
                let sent_to = || {
                    socket.send_to(b"question", "10.9.0.77:2000").unwrap();
                    let read: Vec<_> = queues.each.iter().map(|queue| read(queue)).collect();
                    assert_eq!(read.iter().map(Vec::len).sum::<usize>(), 1);
                    let at = read.iter().position(|packets| !packets.is_empty()).unwrap();
                    (at, read[at][0].clone())
                };
                let (first, mut packet) = sent_to();
                used[first] = true;
                let other = (first + 1) % 4;
                packet[12..20].rotate_left(4);
                packet[20..24].rotate_left(2);
                assert_eq!(queues.each[other].write_batch([&*packet].into_iter()).written, 1);
                assert_eq!(sent_to().0, other, "the queue that wrote the answer");
            }
            assert!(used.iter().filter(|used| **used).count() > 1, "16 flows in one queue of four");
        }
    });
}
