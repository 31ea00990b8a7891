//! Security associations that are idle: what is folded, and what must not be lost by it.

use super::*;

/// A bound pair whose association holds for an hour.
fn lasting(suite: CipherSuite) -> Pair {
    let mut pair = Pair::bound(suite);
    for end in [&mut pair.mn, &mut pair.ha] {
        let valid_until = pair.now + Duration::from_secs(3_600);
        let install = Install::new(association(suite), valid_until, 0);
        end.apply(&Command::Uninstall(spi()), &mut pair.rng);
        end.apply(&Command::Install(Arc::new(install)), &mut pair.rng);
    }
    pair
}

/// Lets time pass, at the end of which each end has a batch that is not for the association.
fn idle(pair: &mut Pair, seconds: u64) {
    pair.now += Duration::from_secs(seconds);
    assert!(pair.mn_sends(&ipv6(CORRESPONDENT, HOME, 20)).is_empty(), "no tunnel");
    assert_eq!(pair.ha_receives(&[vec![0x55; 20]]).0, [Err(DropReason::UnassignedPType)]);
}

#[test]
fn after_five_idle_minutes_a_late_packet_is_lost_and_later_ones_are_taken_once() {
    for suite in CipherSuite::ALL {
        let mut pair = lasting(suite);
        let packet = ipv6(HOME, CORRESPONDENT, 20);
        let [first, late, second] = [(); 3].map(|()| pair.mn_sends(&packet));
        assert_eq!(pair.ha_receives(&[first, second.clone()].concat()).0, [Ok(packet.clone()), Ok(packet.clone())], "{suite}");
        idle(&mut pair, 301);
        for old in [&late, &second] {
            assert_eq!(pair.ha_receives(old).0, [Err(DropReason::ReplayedSequence)], "{suite}");
        }
        let next = pair.mn_sends(&packet);
        assert_eq!(next[0][4..8], [0, 0, 0, 3], "{suite}: no number is sent twice");
        assert_eq!(pair.ha_receives(&next).0, [Ok(packet)], "{suite}");
        assert_eq!(pair.ha_receives(&next).0, [Err(DropReason::ReplayedSequence)], "{suite}");
    }
}

#[test]
fn before_five_idle_minutes_a_late_packet_is_taken() {
    let mut pair = lasting(CipherSuite::Aes128CbcSha);
    let packet = ipv6(HOME, CORRESPONDENT, 20);
    let [late, in_time] = [(); 2].map(|()| pair.mn_sends(&packet));
    assert_eq!(pair.ha_receives(&in_time).0, [Ok(packet.clone())]);
    idle(&mut pair, 150);
    idle(&mut pair, 149);
    assert_eq!(pair.ha_receives(&late).0, [Ok(packet)]);
}

/// Whoever has no key makes the association compute, and moves nothing.
#[test]
fn rubbish_under_an_association_at_rest_loses_nothing() {
    for suite in CipherSuite::ALL {
        let mut pair = lasting(suite);
        let packet = ipv6(HOME, CORRESPONDENT, 20);
        let [late, in_time] = [(); 2].map(|()| pair.mn_sends(&packet));
        let mut rubbish = pair.mn_sends(&packet).remove(0);
        rubbish[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
        for _ in 0..3 {
            let refused = [Err(DropReason::WrongIcv), Err(DropReason::BadIv)];
            let (received, _) = pair.ha_receives(&[rubbish.clone()]);
            assert!(refused.contains(&received[0]), "{suite}: {received:?}");
        }
        assert_eq!(pair.ha_receives(&[in_time, late].concat()).0, [Ok(packet.clone()), Ok(packet)], "{suite}");
    }
}
