use std::time::Duration;

use fixture::{in_new_network_namespace, shell};
use protocol::sa::Spi;
use protocol::tunnel::{Path, ReceiveBatch, SendBatch};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::*;

const BOTH_FAMILIES: [&str; 2] = ["127.0.0.1:0", "[::1]:0"];

/// With each offload and without it.
const ON_AND_OFF: [Offloads; 4] = [
    Offloads::ALL,
    Offloads { udp_segment: false, ..Offloads::ALL },
    Offloads { udp_gro: false, ..Offloads::ALL },
    Offloads::NONE,
];

fn socket(local: &str) -> Arc<UdpSocket> {
    socket_with(local, Offloads::ALL)
}

fn socket_with(local: &str, offloads: Offloads) -> Arc<UdpSocket> {
    Arc::new(UdpSocket::bind(local.parse().unwrap(), &SocketOptions { offloads, ..SocketOptions::default() }).unwrap())
}

fn push(batch: &mut SendBatch, payload: &[u8], socket: u8, to: SocketAddr) {
    push_with_class(batch, payload, socket, to, 0);
}

fn push_with_class(batch: &mut SendBatch, payload: &[u8], socket: u8, to: SocketAddr, traffic_class: u8) {
    let range = batch.reserve(payload.len(), 1).unwrap();
    batch.slot(range.clone()).copy_from_slice(payload);
    batch.push(range, &Path::proved(SocketId(socket), to), traffic_class);
}

/// Datagrams with their traffic classes, as long as some wait.
fn receive_all(receiver: &mut Receiver, socket: &UdpSocket, batch: &mut ReceiveBatch) -> Vec<(u8, Vec<u8>)> {
    let mut all = Vec::new();
    wait_until_readable(socket);
    while receiver.receive(SocketId(9), socket, batch).unwrap().received > 0 {
        all.extend((0..batch.len()).map(|index| {
            let (received, octets) = batch.get_mut(index).unwrap();
            (received.traffic_class, octets.to_vec())
        }));
    }
    all
}

fn wait_until_readable(socket: &UdpSocket) {
    let timeout = Timespec::try_from(Duration::from_secs(5)).unwrap();
    assert_eq!(poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&timeout)), Ok(1));
}

fn receive(receiver: &mut Receiver, socket: &UdpSocket, batch: &mut ReceiveBatch) -> (ReceiveReport, Vec<(SocketAddr, Vec<u8>)>) {
    wait_until_readable(socket);
    let report = receiver.receive(SocketId(9), socket, batch).unwrap();
    let datagrams = (0..batch.len()).map(|index| {
        let (received, octets) = batch.get_mut(index).unwrap();
        assert_eq!(received.socket, SocketId(9));
        (received.from, octets.to_vec())
    });
    (report, datagrams.collect())
}

#[test]
fn a_batch_arrives_whole_and_in_order_in_both_families() {
    for (family, offloads) in BOTH_FAMILIES.into_iter().flat_map(|family| ON_AND_OFF.map(|offloads| (family, offloads))) {
        let (here, there) = (socket_with(family, offloads), socket_with(family, offloads));
        let mut sockets = Sockets::default();
        assert!(sockets.add(SocketId(0), here.clone()));
        let mut batch = SendBatch::new(256, 1 << 20);
        for number in 0..100u8 {
            push(&mut batch, &vec![number; 1 + usize::from(number) * 14], 0, there.local_addr());
        }
        let report = Sender::new().send(&batch, &sockets);
        assert_eq!((report.sent, report.failed), (100, 0), "{report:?}");

        let (mut receiver, mut arena) = (Receiver::new(), Receiver::new_batch());
        let (first, mut datagrams) = receive(&mut receiver, &there, &mut arena);
        let slots = if offloads.udp_gro { RECEIVE_RUNS } else { RECEIVE_DATAGRAMS };
        assert_eq!(first.received, slots, "one call takes as many as there are slots");
        while datagrams.len() < 100 {
            datagrams.extend(receive(&mut receiver, &there, &mut arena).1);
        }
        for (number, (from, octets)) in (0..100u8).zip(datagrams) {
            assert_eq!(from, here.local_addr());
            assert_eq!(octets, vec![number; 1 + usize::from(number) * 14]);
        }
        assert_eq!(receiver.receive(SocketId(9), &there, &mut arena).unwrap(), ReceiveReport::default());
    }
}

#[test]
fn runs_arrive_whole_whoever_of_the_two_knows_them() {
    for family in BOTH_FAMILIES {
        for (sending, receiving) in ON_AND_OFF.into_iter().flat_map(|sending| ON_AND_OFF.map(|receiving| (sending, receiving))) {
            let (here, there) = (socket_with(family, sending), socket_with(family, receiving));
            let mut sockets = Sockets::default();
            sockets.add(SocketId(0), here);
            let mut batch = SendBatch::new(256, 1 << 20);
            // 64 and 36 of one length and a shorter one behind, 44 and 6 of another; one alone.
            let lengths = [vec![300; 100], vec![299], vec![1_464; 50], vec![5]].concat();
            let payloads: Vec<Vec<u8>> = lengths.iter().zip(0u8..).map(|(len, number)| vec![number; *len]).collect();
            payloads.iter().for_each(|payload| push(&mut batch, payload, 0, there.local_addr()));
            assert_eq!(batch.runs().count(), 4);
            let report = Sender::new().send(&batch, &sockets);
            assert_eq!((report.sent, report.failed), (payloads.len(), 0), "{report:?}");
            let (mut receiver, mut arena) = (Receiver::new(), Receiver::new_batch());
            let datagrams = receive_all(&mut receiver, &there, &mut arena);
            assert!(datagrams.into_iter().map(|(_, octets)| octets).eq(payloads), "{sending:?} to {receiving:?}");
        }
    }
}

#[test]
fn a_run_is_one_message_where_both_ends_know_it() {
    let (here, there) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
    let mut sockets = Sockets::default();
    sockets.add(SocketId(0), here);
    let mut batch = SendBatch::new(256, 1 << 20);
    (0..40 * 60u32).for_each(|number| push(&mut batch, &[number as u8; 200], 0, there.local_addr()));
    assert_eq!(Sender::new().send(&batch, &sockets).sent, 2_400);
    let (report, _) = receive(&mut Receiver::new(), &there, &mut Receiver::new_batch());
    assert_eq!(report, ReceiveReport { received: RECEIVE_RUNS * 64, truncated: 0 }, "64 datagrams in each slot");
}

#[test]
fn the_traffic_class_crosses_in_both_families() {
    for (family, offloads) in BOTH_FAMILIES.into_iter().flat_map(|family| ON_AND_OFF.map(|offloads| (family, offloads))) {
        let (here, there) = (socket_with(family, offloads), socket_with(family, offloads));
        let mut sockets = Sockets::default();
        sockets.add(SocketId(0), here);
        let mut batch = SendBatch::new(1_024, 1 << 20);
        let classes: Vec<u8> = (0..=255).flat_map(|class| [class, class]).collect();
        classes.iter().for_each(|class| push_with_class(&mut batch, &[*class; 100], 0, there.local_addr(), *class));
        assert_eq!(Sender::new().send(&batch, &sockets).sent, 512);
        let datagrams = receive_all(&mut Receiver::new(), &there, &mut Receiver::new_batch());
        assert!(datagrams.iter().all(|(class, octets)| *octets == [*class; 100]), "{family} {offloads:?}");
        assert_eq!(datagrams.into_iter().map(|(class, _)| class).collect::<Vec<_>>(), classes);
    }
}

#[test]
fn a_socket_whose_way_out_cannot_cut_sends_each_datagram_by_itself() {
    let (here, there) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
    here.note_refusal(&io::Error::from_raw_os_error(libc::EMSGSIZE));
    assert!(here.sends_runs(), "that is about one run");
    here.note_refusal(&io::Error::from_raw_os_error(libc::EIO));
    assert!(!here.sends_runs());
    let mut sockets = Sockets::default();
    sockets.add(SocketId(0), here);
    let mut batch = SendBatch::new(8, 1 << 18);
    (0..100).for_each(|number| push(&mut batch, &[number; 500], 0, there.local_addr()));
    assert_eq!(Sender::new().send(&batch, &sockets).sent, 100);
    let datagrams = receive_all(&mut Receiver::new(), &there, &mut Receiver::new_batch());
    assert!(datagrams.iter().zip(0..100).all(|((_, octets), number)| *octets == [number; 500]) && datagrams.len() == 100);
}

#[test]
fn a_datagram_that_cannot_be_sent_is_skipped_and_the_others_go() {
    for family in BOTH_FAMILIES {
        let (here, there) = (socket(family), socket(family));
        let mut sockets = Sockets::default();
        sockets.add(SocketId(0), here);
        let mut batch = SendBatch::new(8, 1 << 18);
        let nowhere = SocketAddr::new(there.local_addr().ip(), 0);
        push(&mut batch, b"first", 0, there.local_addr());
        push(&mut batch, b"to port 0", 0, nowhere);
        push(&mut batch, &vec![0; 65_535], 0, there.local_addr());
        push(&mut batch, b"second", 0, there.local_addr());
        push(&mut batch, b"from no socket", 7, there.local_addr());
        push(&mut batch, b"third", 0, there.local_addr());
        let report = Sender::new().send(&batch, &sockets);
        assert_eq!((report.sent, report.failed), (3, 3), "{report:?}");

        let (_, datagrams) = receive(&mut Receiver::new(), &there, &mut Receiver::new_batch());
        let octets: Vec<_> = datagrams.iter().map(|(_, octets)| octets.as_slice()).collect();
        assert_eq!(octets, [b"first".as_slice(), b"second", b"third"]);
    }
}

#[test]
fn a_datagram_that_is_too_long_is_dropped_and_counted() {
    for offloads in ON_AND_OFF {
        let (here, there) = (socket_with("127.0.0.1:0", offloads), socket_with("127.0.0.1:0", offloads));
        let mut sockets = Sockets::default();
        sockets.add(SocketId(0), here);
        let mut batch = SendBatch::new(8, 1 << 18);
        for len in [MAX_DATAGRAM + 1, MAX_DATAGRAM + 1, MAX_DATAGRAM] {
            push(&mut batch, &vec![2; len], 0, there.local_addr());
        }
        assert_eq!(Sender::new().send(&batch, &sockets).sent, 3);
        let (report, datagrams) = receive(&mut Receiver::new(), &there, &mut Receiver::new_batch());
        assert_eq!(report, ReceiveReport { received: 1, truncated: 2 }, "{offloads:?}");
        assert_eq!(datagrams[0].1, vec![2; MAX_DATAGRAM]);
    }
}

#[test]
fn an_ipv6_socket_leaves_the_port_to_ipv4() {
    let six = socket("[::]:0");
    let four = UdpSocket::bind(SocketAddr::new([0, 0, 0, 0].into(), six.local_addr().port()), &SocketOptions::default());
    assert!(four.is_ok(), "{four:?}");
}

#[test]
fn an_address_that_is_not_here_and_a_device_that_is_not_there_are_named() {
    let error = UdpSocket::bind("192.0.2.1:0".parse().unwrap(), &SocketOptions::default()).unwrap_err().to_string();
    assert!(error.contains("192.0.2.1") && error.contains("no interface"), "{error}");
    let options = SocketOptions { device: Some("nowhere0".to_owned()), ..SocketOptions::default() };
    let error = UdpSocket::bind("127.0.0.1:0".parse().unwrap(), &options).unwrap_err().to_string();
    assert!(error.contains("nowhere0"), "{error}");
}

/// From 10.9.0.2: what waits for a neighbour that never answers stays charged to the sender's buffer.
pub(crate) fn set_up_a_link_that_takes_nothing() {
    for arguments in [
        "link set lo up",
        "link add v0 mtu 9000 type veth peer name v1",
        "link set v1 up",
        "link set v0 up",
        "address add 10.9.0.2/24 dev v0",
        "ntable change name arp_cache dev v0 queue 10000",
    ] {
        shell(&format!("ip {arguments}"));
    }
}

#[test]
fn a_full_send_buffer_keeps_the_rest_for_the_next_call_and_for_whoever_gives_it_up() {
    in_new_network_namespace(|| {
        set_up_a_link_that_takes_nothing();
        for (offloads, to) in ON_AND_OFF.into_iter().zip(["10.9.0.6", "10.9.0.7", "10.9.0.8", "10.9.0.9"]) {
            let mut sockets = Sockets::default();
            sockets.add(SocketId(0), socket_with("10.9.0.2:0", offloads));
            let mut batch = SendBatch::new(512, 512 * 8_000);
            for _ in 0..512 {
                push(&mut batch, &[0; 8_000], 0, SocketAddr::new(to.parse().unwrap(), 7872));
            }
            let mut sender = Sender::new();
            let first = sender.send(&batch, &sockets);
            assert!(first.sent > 0 && first.sent < 512 && first.full == Some(SocketId(0)), "{offloads:?} {first:?}");
            let none = sender.send(&batch, &sockets);
            assert_eq!((none.sent, none.failed, none.full), (0, 0, Some(SocketId(0))));
            // The neighbour turns up, and the buffer empties.
            shell(&format!("ip neighbour replace {to} lladdr 02:00:00:00:00:09 nud permanent dev v0"));
            let then = sender.send(&batch, &sockets);
            assert_eq!((first.sent + then.sent, then.failed, then.full), (512, 0, None), "{offloads:?}");
            shell(&format!("ip neighbour delete {to} dev v0"));
            let again = sender.send(&batch, &sockets);
            assert_eq!(again.sent + sender.drop_rest(&batch), 512, "{offloads:?} {again:?}");
        }
    });
}

#[test]
fn no_link_waits_for_another_that_takes_nothing() {
    in_new_network_namespace(|| {
        set_up_a_link_that_takes_nothing();
        for (offloads, to) in ON_AND_OFF.into_iter().zip(["10.9.0.6", "10.9.0.7", "10.9.0.8", "10.9.0.9"]) {
            let (mut sockets, other) = (Sockets::default(), socket_with("127.0.0.1:0", offloads));
            sockets.add(SocketId(0), socket_with("10.9.0.2:0", offloads));
            sockets.add(SocketId(1), socket_with("127.0.0.1:0", offloads));
            let (mut sender, mut receiver) = (Sender::new(), Receiver::new());
            let (mut send, mut received) = (SendBatch::new(128, 64 * 8_000), Receiver::new_batch());
            let (mut failed, mut arrived) = (0, 0);
            for _ in 0..20 {
                send.clear();
                for _ in 0..32 {
                    push(&mut send, &[0; 8_000], 0, SocketAddr::new(to.parse().unwrap(), 7872));
                    push(&mut send, &[1; 100], 1, other.local_addr());
                }
                let report = sender.send(&send, &sockets);
                assert_eq!((report.sent + report.failed, report.full), (64, None), "{offloads:?} {report:?}");
                failed += report.failed;
                arrived += receive_all(&mut receiver, &other, &mut received).len();
            }
            assert!(failed > 0 && failed < 20 * 32, "{offloads:?} {failed}");
            assert_eq!(arrived, 20 * 32, "{offloads:?}");
        }
    });
}

#[test]
fn marks_and_devices_are_set_where_the_process_may() {
    in_new_network_namespace(|| {
        let _tun = crate::tun::Tun::create("mn0", 1400, crate::offloads::Offloads::NONE).unwrap();
        let (device, receive_buffer) = (Some("mn0".to_owned()), 1 << 20);
        let options = SocketOptions { mark: Some(7872), device, receive_buffer, ..SocketOptions::default() };
        let socket = UdpSocket::bind("0.0.0.0:0".parse().unwrap(), &options).unwrap();
        assert_eq!(socket.socket.mark().unwrap(), 7872);
        assert_eq!(socket.socket.device().unwrap().as_deref(), Some(b"mn0".as_slice()));
        assert_eq!(socket.socket.recv_buffer_size().unwrap(), 2 * receive_buffer);
        assert_eq!(socket.socket.send_buffer_size().unwrap(), receive_buffer);
    });
}

#[test]
fn a_datagram_comes_to_the_socket_in_whose_share_its_sa_is() {
    in_new_network_namespace(|| {
        shell("ip link set lo up");
        for local in ["127.0.0.1:0", "[::1]:0"] {
            let local: SocketAddr = local.parse().unwrap();
            for count in [2, 3, 64] {
                let sockets = UdpSocket::bind_shares(local, &SocketOptions::default(), NonZeroU8::new(count).unwrap()).unwrap();
                let port = sockets[0].local_addr();
                assert!(sockets.len() == usize::from(count) && sockets.iter().all(|socket| socket.local_addr() == port));
                let sender = std::net::UdpSocket::bind(local).unwrap();
                let mut receiver = Receiver::new();
                let mut batch = Receiver::new_batch();
                for (spi, share) in (0x1000..0x1080).zip((0..Spi::CLASSES).cycle().map(|class| class % count)) {
                    let ptype_and_spi: u32 = 8 << 28 | spi;
                    sender.send_to(&[&ptype_and_spi.to_be_bytes()[..], &[0; 40]].concat(), port).unwrap();
                    let report = receiver.receive(SocketId(0), &sockets[usize::from(share)], &mut batch).unwrap();
                    assert_eq!(report.received, 1, "{spi:x} of {count}");
                }
                sender.send_to(&[1], port).unwrap();
                assert_eq!(receiver.receive(SocketId(0), &sockets[0], &mut batch).unwrap().received, 1, "too short to say");
            }
        }
    });
}

#[test]
fn a_port_that_another_has_is_not_shared_with_it() {
    in_new_network_namespace(|| {
        shell("ip link set lo up");
        let (options, two) = (SocketOptions::default(), NonZeroU8::new(2).unwrap());
        let first = UdpSocket::bind_shares("127.0.0.1:7872".parse().unwrap(), &options, two).unwrap();
        let error = UdpSocket::bind_shares(first[0].local_addr(), &options, two).unwrap_err();
        assert!(error.kind() == io::ErrorKind::AddrInUse && error.to_string().contains("another program"), "{error}");
    });
}

#[test]
fn room_follows_what_comes() {
    in_new_network_namespace(|| {
        shell("ip link set lo up");
        let (here, there) = (socket_with(BOTH_FAMILIES[0], Offloads::NONE), socket_with(BOTH_FAMILIES[0], Offloads::NONE));
        let (mut receiver, mut batch) = (Receiver::new(), Receiver::new_batch());
        let mut receive = || receiver.receive(SocketId(0), &there, &mut batch).unwrap().received;
        let send = |count| {
            for _ in 0..count {
                here.socket.send_to(b"octets", &SockAddr::from(there.local_addr())).unwrap();
            }
        };
        send(1);
        assert_eq!([receive(), receive()], [1, 0]);
        send(200);
        assert_eq!([receive(), receive(), receive(), receive(), receive()], [4, 8, 16, 32, 64], "twice as many each time");
        assert_eq!([receive(), receive(), receive()], [64, 12, 0], "and no more than there is");
    });
}
