use std::time::Duration;

use fixture::{in_new_network_namespace, shell};
use protocol::tunnel::{Path, ReceiveBatch, SendBatch};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::*;

const BOTH_FAMILIES: [&str; 2] = ["127.0.0.1:0", "[::1]:0"];

fn socket(local: &str) -> Arc<UdpSocket> {
    Arc::new(UdpSocket::bind(local.parse().unwrap(), &SocketOptions::default()).unwrap())
}

fn push(batch: &mut SendBatch, payload: &[u8], socket: u8, to: SocketAddr) {
    let range = batch.reserve(payload.len(), 1).unwrap();
    batch.slot(range.clone()).copy_from_slice(payload);
    batch.push(range, &Path::proved(SocketId(socket), to), 0);
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
    for family in BOTH_FAMILIES {
        let (here, there) = (socket(family), socket(family));
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
        assert_eq!(first.received, RECEIVE_DATAGRAMS, "one call takes as many as there are slots");
        datagrams.extend(receive(&mut receiver, &there, &mut arena).1);
        assert_eq!(datagrams.len(), 100);
        for (number, (from, octets)) in (0..100u8).zip(datagrams) {
            assert_eq!(from, here.local_addr());
            assert_eq!(octets, vec![number; 1 + usize::from(number) * 14]);
        }
        assert_eq!(receiver.receive(SocketId(9), &there, &mut arena).unwrap(), ReceiveReport::default());
    }
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
fn a_datagram_longer_than_a_slot_is_dropped_and_counted() {
    let (here, there) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
    let mut sockets = Sockets::default();
    sockets.add(SocketId(0), here);
    let mut batch = SendBatch::new(8, 1 << 18);
    push(&mut batch, &vec![1; MAX_DATAGRAM + 1], 0, there.local_addr());
    push(&mut batch, &vec![2; MAX_DATAGRAM], 0, there.local_addr());
    assert_eq!(Sender::new().send(&batch, &sockets).sent, 2);
    let (report, datagrams) = receive(&mut Receiver::new(), &there, &mut Receiver::new_batch());
    assert_eq!(report, ReceiveReport { received: 1, truncated: 1 });
    assert_eq!(datagrams[0].1, vec![2; MAX_DATAGRAM]);
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

#[test]
fn a_full_send_buffer_drops_the_rest_of_the_run_and_does_not_hang() {
    in_new_network_namespace(|| {
        // What waits for a neighbour that never answers stays charged to the sender's buffer.
        for arguments in [
            "link add v0 type veth peer name v1",
            "link set v1 up",
            "link set v0 up",
            "address add 10.9.0.2/24 dev v0",
            "ntable change name arp_cache dev v0 queue 10000",
        ] {
            shell(&format!("ip {arguments}"));
        }
        let mut sockets = Sockets::default();
        sockets.add(SocketId(0), socket("10.9.0.2:0"));
        let mut batch = SendBatch::new(512, 512 * 8_000);
        for _ in 0..512 {
            push(&mut batch, &[0; 8_000], 0, "10.9.0.9:7872".parse().unwrap());
        }
        let started = std::time::Instant::now();
        let report = Sender::new().send(&batch, &sockets);
        assert_eq!(report.sent + report.failed, 512);
        assert!(report.sent > 0 && report.failed > 0, "{report:?}");
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    });
}

#[test]
fn marks_and_devices_are_set_where_the_process_may() {
    in_new_network_namespace(|| {
        let _tun = crate::tun::Tun::create("mn0", 1400, crate::offloads::Offloads::NONE).unwrap();
        let options = SocketOptions { mark: Some(7872), device: Some("mn0".to_owned()) };
        let socket = UdpSocket::bind("0.0.0.0:0".parse().unwrap(), &options).unwrap();
        assert_eq!(socket.socket.mark().unwrap(), 7872);
        assert_eq!(socket.socket.device().unwrap().as_deref(), Some(b"mn0".as_slice()));
        assert_eq!(socket.socket.recv_buffer_size().unwrap(), 2 * RECEIVE_BUFFER);
        assert_eq!(socket.socket.send_buffer_size().unwrap(), 2 * SEND_BUFFER);
    });
}
