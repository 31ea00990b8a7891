//! A home agent that gets a Binding Update under an SPI that it does not know.

use super::*;
use crate::sa::spi::SpiBlocks;
use crate::tunnel::look_up::REMEMBERED;

/// A home agent that knows the blocks of its group and not the node's SA; and the node's Binding Updates, two of the size of
/// our mobile node's.
fn unknown(suite: CipherSuite) -> (Pair, Vec<Vec<u8>>) {
    let mut pair = Pair::bound(suite);
    pair.ha.apply(&Command::Uninstall(spi()), &mut pair.rng);
    pair.ha.apply(&Command::LookUpIn([spi().block()].into_iter().collect()), &mut pair.rng);
    let paths = Paths::one(Path::proved(SocketId(0), ([198, 51, 100, 1], 7872).into()));
    let signal = |pair: &mut Pair, payload| {
        let paths = paths.clone();
        pair.mn_commands(&Command::Signal { spi: spi(), paths, next_header: signalling::MOBILITY, payload })
    };
    let datagrams = [24, 80].into_iter().flat_map(|len| signal(&mut pair, vec![1; len])).collect();
    (pair, datagrams)
}

#[test]
fn what_may_be_a_binding_update_is_looked_up_once_under_each_suite_and_counted_as_unknown() {
    for suite in CipherSuite::ALL {
        let (mut pair, datagrams) = unknown(suite);
        let (dropped, events) = pair.ha_receives(&datagrams);
        assert_eq!(dropped, [Err(DropReason::UnknownSpi), Err(DropReason::UnknownSpi)], "{suite}");
        assert_eq!(events, [Event::LookUp(spi())], "{suite}");
        pair.now += REMEMBERED;
        assert_eq!(pair.ha_receives(&datagrams[1..]).1, [Event::LookUp(spi())], "{suite}: the longer one, ten seconds later");
    }
}

#[test]
fn user_data_an_spi_out_of_every_block_and_whatever_comes_to_a_mobile_node_is_not_looked_up() {
    let (mut pair, datagrams) = unknown(CipherSuite::Aes128Gcm);
    let data = pair.mn_sends(&ipv6(HOME, CORRESPONDENT, 20));
    assert_eq!(pair.ha_receives(&data), (vec![Err(DropReason::UnknownSpi)], vec![]));
    pair.ha.apply(&Command::LookUpIn(SpiBlocks::default()), &mut pair.rng);
    assert_eq!(pair.ha_receives(&datagrams).1, []);
    pair.mn.apply(&Command::Uninstall(spi()), &mut pair.rng);
    pair.mn.apply(&Command::LookUpIn([spi().block()].into_iter().collect()), &mut pair.rng);
    assert_eq!(receive(&mut pair.mn, pair.now, &datagrams).1, []);
}

#[test]
fn an_sa_that_came_after_a_look_up_opens_the_binding_update_that_is_sent_again() {
    let (mut pair, datagrams) = unknown(CipherSuite::Aes128Gcm);
    assert_eq!(pair.ha_receives(&datagrams[..1]).1, [Event::LookUp(spi())]);
    let (sa, valid_until) = (association(CipherSuite::Aes128Gcm), pair.now + Duration::from_secs(100));
    pair.ha.apply(&Command::Install(Arc::new(Install::new(sa, valid_until, 0))), &mut pair.rng);
    let (dropped, events) = pair.ha_receives(&datagrams[1..]);
    assert!(dropped.is_empty() && matches!(&events[..], [Event::Signalling(_)]), "{events:?}");
}
