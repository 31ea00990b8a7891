//! A link that takes nothing.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::udp::tests::set_up_a_link_that_takes_nothing;

const NODE: &str = "10.9.0.2";
const NEIGHBOUR: &str = "10.9.0.6";

/// Datagrams that come in one after the other, each when the one before is there.
const INBOUND: u32 = 1_000;

/// The mobile node sends to the neighbour, and its home agent to it.
fn send_into_a_link_that_takes_nothing(mn: &mut End, ha: &End) {
    set_up_a_link_that_takes_nothing();
    let options = SocketOptions { offloads: Offloads::ALL, ..SocketOptions::default() };
    mn.sockets = vec![Arc::new(UdpSocket::bind(SocketAddr::new(NODE.parse().unwrap(), 0), &options).unwrap())];
    mn.workers.add_sockets(SOCKET, &mn.sockets).unwrap();
    mn.bind_to(SocketAddr::new(NEIGHBOUR.parse().unwrap(), 7872), home(), spi());
    ha.bind_to(mn.address(), home(), spi());
}

/// Inner packets from the node, for as long as `body` runs.
fn while_the_node_sends(body: impl FnOnce() + Send) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let here = application(HOME6, "mn0");
            while !done.load(Relaxed) {
                here.send_to(&[7; 1_200], (CORRESPONDENT, 4000)).unwrap();
            }
        });
        let ended = scope.spawn(body).join();
        done.store(true, Relaxed);
        ended.unwrap();
    });
}

/// Each wait for room is 8 ms, and there are hundreds.
#[test]
fn what_comes_in_does_not_wait_for_what_goes_out() {
    in_a_tunnel(CipherSuite::Aes128Gcm, Offloads::ALL, ONE, |mut mn, ha| {
        send_into_a_link_that_takes_nothing(&mut mn, &ha);
        while_the_node_sends(|| {
            wait_for(|| mn.workers.io().unsent() > 0);
            let (here, there) = (application_at(HOME6, "mn0", 4001), application(CORRESPONDENT, "ha0"));
            let started = Instant::now();
            let mut octets = [0; 64];
            for number in 0..INBOUND {
                there.send_to(&number.to_be_bytes(), here.local_addr().unwrap()).unwrap();
                let len = here.recv(&mut octets).unwrap();
                assert_eq!(octets[..len], number.to_be_bytes());
            }
            let took = started.elapsed();
            assert!(took < Duration::from_millis(u64::from(INBOUND) * 4), "{took:?}");
        });
        assert_eq!(ha.lost(), []);
    });
}

#[test]
fn what_waited_goes_out_when_there_is_room_again() {
    in_a_tunnel(CipherSuite::Aes128Gcm, Offloads::ALL, ONE, |mut mn, ha| {
        send_into_a_link_that_takes_nothing(&mut mn, &ha);
        while_the_node_sends(|| wait_for(|| mn.workers.io().unsent() > 0));
        shell(&format!("ip neighbour replace {NEIGHBOUR} lladdr 02:00:00:00:00:09 nud permanent dev v0"));
        // The batch that waits meanwhile is sent or dropped, and then nothing is dropped any more.
        mn.settle();
        std::thread::sleep(Duration::from_millis(20));
        let (unsent, sent) = (mn.workers.io().unsent(), mn.counters.sent().0);
        let here = application(HOME6, "mn0");
        for number in 1..=200u64 {
            here.send_to(&[7; 1_200], (CORRESPONDENT, 4000)).unwrap();
            wait_for(|| mn.counters.sent().0 == sent + number);
        }
        assert_eq!(mn.workers.io().unsent(), unsent);
    });
}
