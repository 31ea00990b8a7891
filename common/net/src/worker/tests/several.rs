//! Several workers at each end: nothing is lost, nothing is taken twice, and what is one flow stays in order.

use std::net::{Ipv4Addr, UdpSocket as StdSocket};
use std::sync::atomic::{AtomicBool, AtomicU32};

use fixture::HOME4;

use super::forwarding::{CORRESPONDENT4, Host, in_a_world};
use super::*;

/// Flows of one direction, each with a socket of its own at both ends.
const FLOWS: u16 = 8;
/// Datagrams of each.
const STREAM: u32 = 4_000;
/// How many of them are under way at once, so that what overtakes finds something to overtake; less than the sockets keep.
const UNDER_WAY: u32 = 24;

#[test]
fn four_workers_at_each_end_forward_what_one_does() {
    in_a_world(CipherSuite::Aes128Gcm, Offloads::ALL, FOUR, |world| world.carries_all_and_drops_nothing());
}

#[test]
fn four_workers_at_each_end_forward_under_aes_cbc() {
    in_a_world(CipherSuite::Aes128CbcSha, Offloads::ALL, FOUR, |world| world.carries_all_and_drops_nothing());
}

#[test]
fn two_workers_at_each_end_forward_without_offloads() {
    in_a_world(CipherSuite::Aes128Gcm, Offloads::NONE, TWO, |world| world.carries_all_and_drops_nothing());
}

/// The workers have one socket in common, as where the kernel cannot steer: whoever receives passes on.
#[test]
fn a_datagram_that_comes_to_another_worker_is_passed_on_and_nothing_is_lost() {
    in_a_tunnel(CipherSuite::Aes128Gcm, Offloads::NONE, FOUR, |mut mn, mut ha| {
        for end in [&mut mn, &mut ha] {
            let options = SocketOptions { offloads: Offloads::NONE, ..SocketOptions::default() };
            end.sockets = vec![Arc::new(UdpSocket::bind("127.0.0.1:0".parse().unwrap(), &options).unwrap())];
            end.workers.add_sockets(SOCKET, &end.sockets).unwrap();
        }
        mn.bind_to(ha.address(), home(), spi());
        ha.bind_to(mn.address(), home(), spi());
        let (here, there) = (application(HOME6, "mn0"), application(CORRESPONDENT, "ha0"));
        let mut octets = [0; 64];
        for number in 0..2_000u32 {
            here.send_to(&number.to_be_bytes(), (CORRESPONDENT, 4000)).unwrap();
            let (len, from) = there.recv_from(&mut octets).unwrap();
            assert_eq!(octets[..len], number.to_be_bytes());
            there.send_to(&octets[..len], from).unwrap();
            let len = here.recv(&mut octets).unwrap();
            assert_eq!(octets[..len], number.to_be_bytes());
        }
        assert_eq!([mn.lost(), ha.lost()], [[], []]);
    });
}

/// While both ends change to one new SA after the other, of the class of the first.
#[test]
fn flows_stay_in_order_across_renewals_and_lose_nothing() {
    in_a_world(CipherSuite::Aes128Gcm, Offloads::ALL, FOUR, |world| {
        let home = HomeAddresses::new(Some(HOME6), Some(HOME4)).unwrap();
        let done = AtomicBool::new(false);
        let renewals = std::thread::scope(|scope| {
            let renewing = scope.spawn(|| {
                let mut renewals = 0;
                while !done.load(Relaxed) {
                    renewals += 1;
                    let next = Spi::new(spi().get() + renewals * u32::from(Spi::CLASSES)).unwrap();
                    renew(&world.mn, &world.ha, next, CipherSuite::Aes128Gcm, home);
                    std::thread::sleep(Duration::from_millis(5));
                }
                renewals
            });
            let flows = (0..FLOWS).flat_map(|flow| {
                let (node, correspondent) = ((&world.node, HOME4), (&world.correspondent, CORRESPONDENT4));
                // Of different ports, so that neither steers the other.
                [(node, correspondent, 5_000 + flow), (correspondent, node, 6_000 + flow)]
            });
            let flows: Vec<_> = flows.map(|(from, to, port)| scope.spawn(move || stays_in_order(from, to, port))).collect();
            let ended: Vec<_> = flows.into_iter().map(|flow| flow.join()).collect();
            done.store(true, Relaxed);
            ended.into_iter().for_each(Result::unwrap);
            renewing.join().unwrap()
        });
        assert!(renewals >= 10, "{renewals} renewals");
        assert_eq!([world.mn.lost(), world.ha.lost()], [[], []]);
    });
}

/// Numbered datagrams, in a stream that does not end between renewals.
fn stays_in_order(from: (&Host, Ipv4Addr), to: (&Host, Ipv4Addr), port: u16) {
    let [sending, receiving] = [from, to].map(|(host, address)| host.inside(|| StdSocket::bind((address, port)).unwrap()));
    receiving.set_read_timeout(Some(WAIT)).unwrap();
    let (arrived, is_over) = (AtomicU32::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..STREAM {
                while number - arrived.load(Relaxed) >= UNDER_WAY && !is_over.load(Relaxed) {
                    std::thread::sleep(Duration::from_micros(200));
                }
                assert_eq!(sending.send_to(&number.to_be_bytes(), (to.1, port)).unwrap(), 4);
            }
        });
        let receives = scope.spawn(|| {
            let mut octets = [0; 64];
            for number in 0..STREAM {
                let len = receiving.recv(&mut octets).unwrap_or_else(|error| panic!("{number}: {error}"));
                assert_eq!(octets[..len], number.to_be_bytes(), "in order");
                arrived.store(number + 1, Relaxed);
            }
        });
        let received = receives.join();
        is_over.store(true, Relaxed);
        received.unwrap();
    });
}
