//! Several entry-points and exit-points of one end at once.

use std::num::NonZeroU8;
use std::thread;

use super::*;

const COUNT: u8 = 4;

/// The halves of a home agent that [`COUNT`] workers have, and one mobile node with its binding.
struct Shared {
    pair: Pair,
    workers: Vec<Ends>,
}

impl Shared {
    fn new(suite: CipherSuite) -> Self {
        let mut pair = Pair::bound(suite);
        let install = Arc::new(Install::new(association(suite), pair.now + Duration::from_secs(100), 0));
        let workers = Share::all_of(NonZeroU8::new(COUNT).unwrap()).map(|share| {
            let Ends { entry, exit, counters } = Ends::new(Role::HomeAgent, IcmpSources::default());
            let mut ends = Ends { entry: entry.for_share(share), exit: exit.for_share(share), counters };
            for command in [Command::Install(install.clone()), bind(5000)] {
                assert!(ends.apply(&command, &mut pair.rng).is_empty());
            }
            ends
        });
        let workers = workers.collect();
        Self { pair, workers }
    }

    fn own(&self) -> usize {
        usize::from(spi().class() % COUNT)
    }
}

#[test]
fn whatever_worker_sends_no_number_comes_twice_and_the_node_takes_all() {
    for suite in CipherSuite::ALL {
        let Shared { mut pair, mut workers, .. } = Shared::new(suite);
        let packet = ipv6(CORRESPONDENT, HOME, 20);
        let mut sent = Vec::new();
        for turn in [0, 1, 1, 3, 2, 0, 3] {
            sent.extend(send(&mut workers[turn], pair.now, &mut pair.rng, &packet).0);
        }
        let numbers: Vec<_> = sent.iter().map(|datagram| u32::from_be_bytes(datagram[4..8].try_into().unwrap())).collect();
        assert_eq!(numbers, (0..7).collect::<Vec<_>>(), "{suite}");
        sent.reverse();
        assert_eq!(receive(&mut pair.mn, pair.now, &sent).0, vec![Ok(packet.clone()); 7], "{suite}");
    }
}

/// Each in a thread of its own, with batches of its own length.
#[test]
fn workers_that_send_at_once_lose_nothing() {
    const EACH: usize = 64;
    let Shared { mut pair, mut workers, .. } = Shared::new(CipherSuite::Aes128Gcm);
    let (now, packet) = (pair.now, ipv6(CORRESPONDENT, HOME, 20));
    let sent: Vec<Vec<u8>> = thread::scope(|scope| {
        let threads: Vec<_> = workers
            .iter_mut()
            .enumerate()
            .map(|(index, worker)| {
                let packet = &packet;
                scope.spawn(move || sends(worker, now, packet, 1 + index * 5, EACH))
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(sent.len(), EACH * usize::from(COUNT));
    let mut taken = Vec::new();
    for datagrams in sent.chunks(16) {
        taken.extend(receive(&mut pair.mn, now, datagrams).0);
    }
    assert_eq!(taken, vec![Ok(packet); sent.len()]);
}

fn sends(worker: &mut Ends, now: Instant, packet: &[u8], batch: usize, count: usize) -> Vec<Vec<u8>> {
    let (mut rng, mut sent) = (StdRng::seed_from_u64(batch as u64), Vec::new());
    while sent.len() < count {
        let mut packets = PacketBatch::new(batch, 65_536);
        (sent.len()..count).take(batch).for_each(|_| assert!(packets.push(packet)));
        let (mut out, mut replies) = (SendBatch::new(16, 65_536), PacketBatch::new(1, 2_000));
        let rest = worker.entry.handle_packets(&packets, Place::default(), now, &mut rng, &mut out, &mut replies);
        assert_eq!(rest, None);
        sent.extend(out.iter().map(|(_, octets)| octets.to_vec()));
    }
    sent
}

#[test]
fn what_control_sends_goes_out_once() {
    let Shared { mut pair, mut workers, .. } = Shared::new(CipherSuite::Aes128CbcSha);
    let path = Path::proved(SocketId(0), MOBILE_NODE.into());
    for command in [
        Command::Keepalive { spi: spi(), path: path.clone() },
        Command::Signal { spi: spi(), paths: Paths::one(path.clone()), next_header: 135, payload: vec![1; 16] },
    ] {
        let sent: Vec<_> = workers.iter_mut().map(|worker| worker.apply(&command, &mut pair.rng).iter().count()).collect();
        assert_eq!(sent, [0, 0, 0, 1], "SPI {} of four", spi());
    }
}

#[test]
fn an_sa_is_open_at_one_worker_and_the_others_pass_on_what_names_it() {
    let mut shared = Shared::new(CipherSuite::Aes128Gcm);
    let (packet, own) = (ipv6(HOME, CORRESPONDENT, 20), shared.own());
    let datagrams = [shared.pair.mn_sends(&packet), vec![vec![0; 3]], shared.pair.mn_sends(&packet)].concat();
    for index in (0..COUNT).map(usize::from).filter(|index| *index != own) {
        let (mut batch, mut verdicts) = (ReceiveBatch::new(4, 65_536), Vec::new());
        for datagram in &datagrams {
            assert!(batch.copy_in(datagram, SocketId(0), MOBILE_NODE.into()));
        }
        shared.workers[index].exit.handle_datagrams(&mut batch, shared.pair.now, &mut verdicts);
        let pass_on = Verdict::PassOn(own as u8);
        assert_eq!(verdicts, [pass_on.clone(), Verdict::Drop(DropReason::Truncated), pass_on]);
        for (at, datagram) in datagrams.iter().enumerate() {
            assert_eq!(batch.get_mut(at).unwrap().1, datagram, "as it came");
        }
    }
    let replayed = Err(DropReason::ReplayedSequence);
    let taken = receive(&mut shared.workers[own], shared.pair.now, &[datagrams[0].clone(), datagrams[0].clone()]).0;
    assert_eq!(taken, [Ok(packet), replayed]);
}

/// Whoever makes a home agent send elsewhere gets no more because it has many cores; nor by a Binding Update more from there.
#[test]
fn an_unproved_place_gets_its_allowance_once_from_all_workers() {
    let mut shared = Shared::new(CipherSuite::Aes128Gcm);
    let (now, packet) = (shared.pair.now, ipv6(CORRESPONDENT, HOME, 60));
    let mut sent = 0;
    for _ in 0..3 {
        let path = Path { allowance: Allowance::octets(1_000), ..Path::proved(SocketId(0), MOBILE_NODE.into()) };
        let moved =
            Command::Move { home: home(), paths: Paths::one(path), encapsulation: Encapsulation::ProtectedUdp, sending: spi() };
        for worker in &mut shared.workers {
            worker.apply(&moved, &mut shared.pair.rng);
        }
        for turn in 0..8 {
            let worker = &mut shared.workers[turn % usize::from(COUNT)];
            sent += send(worker, now, &mut shared.pair.rng, &packet)
                .0
                .iter()
                .map(|sent| sent.len() + allowance::HEADERS as usize)
                .sum::<usize>();
        }
    }
    assert!(sent > 800 && sent <= 1_000, "{sent} octets");
}

#[test]
fn icmp_errors_of_all_workers_are_no_more_than_one_would_send() {
    let mut shared = Shared::new(CipherSuite::Aes128Gcm);
    let icmp = IcmpSources { ip6: Some("2001:db8:100::1".parse().unwrap()), ip4: None };
    let to_nobody = ipv6(CORRESPONDENT, "2001:db8:100::9999".parse().unwrap(), 20);
    let replies: usize = Share::all_of(NonZeroU8::new(COUNT).unwrap())
        .map(|share| {
            let Ends { entry, exit, counters } = Ends::new(Role::HomeAgent, icmp);
            let mut ends = Ends { entry: entry.for_share(share), exit, counters };
            let each = (0..200).map(|_| send(&mut ends, shared.pair.now, &mut shared.pair.rng, &to_nobody).1.len());
            each.sum::<usize>()
        })
        .sum();
    assert_eq!(replies, 48, "50 at once, in four equal parts");
}
