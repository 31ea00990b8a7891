use std::mem::size_of;

use super::*;
use crate::addr::{HomeAddresses, HomeAgentAddresses};
use crate::features::Features;
use crate::prefixes::MobileNetworkPrefixes;
use crate::profile::WireProfile;
use crate::sa::cipher::KeyError;
use crate::sa::inbound::InboundSa;
use crate::sa::outbound::OutboundSa;
use crate::sa::{CipherSuite, DirectionKeys, SecurityAssociation, UserData};

/// A half that counts what it was used for.
struct Counter(u64, bool);

impl Counter {
    fn work(&mut self) {
        *self = Self(self.0 + 1, true);
    }
}

impl Half for Counter {
    type Rest = u64;

    fn wake(_: &Arc<Install>, _: Role, rest: u64) -> Result<Self, KeyError> {
        Ok(Self(rest, false))
    }

    fn rest(&mut self) -> u64 {
        self.0
    }

    fn was_used(&mut self) -> bool {
        std::mem::take(&mut self.1)
    }
}

fn start() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
    Instant::now()
}

fn install(spi: Spi, suite: CipherSuite) -> Arc<Install> {
    let sa = SecurityAssociation {
        spi,
        suite,
        profile: WireProfile::Rfc6618,
        user_data: UserData::Protected,
        mn_to_ha: DirectionKeys::counting_from(1, CipherSuite::Aes128Gcm),
        ha_to_mn: DirectionKeys::counting_from(0x80, CipherSuite::Aes128Gcm),
        home: HomeAddresses::new(None, Some([10, 9, 0, 7].into())).unwrap(),
        home_agent: HomeAgentAddresses::new(None, Some([203, 0, 113, 1].into()), 7872).unwrap(),
        features: Features::NONE,
        prefixes: MobileNetworkPrefixes::default(),
    };
    Arc::new(Install::new(sa, start(), 0))
}

fn spis(count: u32) -> impl Iterator<Item = Spi> {
    (0..count).map(|number| Spi::new(0x0c0_0000 + number).unwrap())
}

/// So many, each used once.
fn used(count: u32) -> Sad<Counter> {
    let mut sad = Sad::<Counter>::new(Role::HomeAgent);
    for spi in spis(count) {
        assert!(sad.insert(&install(spi, CipherSuite::Aes128Gcm)));
        sad.get_mut(spi).unwrap().work();
    }
    sad.settle();
    sad
}

#[test]
fn an_sa_that_is_installed_again_keeps_its_state_and_one_that_was_removed_has_none() {
    let mut sad = used(1);
    let spi = spis(1).next().unwrap();
    assert!(!sad.insert(&install(spi, CipherSuite::Aes128Gcm)));
    assert_eq!(sad.get_mut(spi).map(|counter| counter.0), Some(1));
    assert_eq!((sad.remove(spi), sad.remove(spi), sad.len()), (true, false, 0));
    assert!(sad.get_mut(spi).is_none() && sad.get(spi).is_none());
    assert!(sad.insert(&install(spi, CipherSuite::Aes128Gcm)));
    assert_eq!(sad.get_mut(spi).map(|counter| counter.0), Some(0));
}

#[test]
fn every_spi_of_the_plan_has_a_place_of_its_own() {
    let mut sad = Sad::<Counter>::new(Role::HomeAgent);
    let spis = [4096, 4097, 4160, 0x40_0000, 0xfff_ffff].map(|value| Spi::new(value).unwrap());
    for spi in spis {
        assert!(sad.insert(&install(spi, CipherSuite::Aes128Gcm)));
    }
    assert!(spis.iter().all(|spi| sad.get(*spi).is_some_and(|install| install.sa.spi == *spi)));
    assert_eq!(sad.len(), 5);
}

#[test]
fn keys_that_do_not_fit_their_suite_are_not_installed() {
    let spi = spis(1).next().unwrap();
    assert!(!Sad::<InboundSa>::new(Role::HomeAgent).insert(&install(spi, CipherSuite::Aes128CbcSha)));
    assert!(!Sad::<OutboundSa>::new(Role::HomeAgent).insert(&install(spi, CipherSuite::Aes128CbcSha)));
    assert!(Sad::<InboundSa>::new(Role::HomeAgent).insert(&install(spi, CipherSuite::Aes128Gcm)));
}

/// What a home agent with a million nodes multiplies by a million.
#[test]
fn a_place_has_24_and_16_octets_and_what_is_awake_less_than_2_kibibytes() {
    assert_eq!((size_of::<Option<Place<InboundSa>>>(), size_of::<Option<Place<OutboundSa>>>()), (24, 16));
    assert!(size_of::<Awake<InboundSa>>() < 1_024 && size_of::<Awake<OutboundSa>>() < 1_024, "and what they point to");
}

#[test]
fn an_sa_that_woke_for_nothing_is_at_rest_behind_the_batch() {
    let mut sad = Sad::<Counter>::new(Role::HomeAgent);
    for spi in spis(100) {
        sad.insert(&install(spi, CipherSuite::Aes128Gcm));
        let counter = sad.get_mut(spi).unwrap();
        if spi.number() == 7 {
            counter.work();
        }
    }
    assert_eq!(sad.awake(), 100);
    sad.settle();
    assert_eq!(sad.awake(), 1);
    sad.settle();
    assert_eq!(sad.awake(), 1, "it has been proved");
}

#[test]
fn an_sa_is_folded_when_it_was_idle_for_five_minutes_and_keeps_its_numbers() {
    let mut sad = used(3);
    let (start, all) = (start(), spis(3).collect::<Vec<_>>());
    for seconds in 0..=299 {
        if seconds % 100 == 0 {
            sad.get_mut(all[1]).unwrap().work();
        }
        sad.sweep(start + Duration::from_secs(seconds));
        assert_eq!(sad.awake(), 3, "after {seconds} s");
    }
    for seconds in 300..=360 {
        sad.sweep(start + Duration::from_secs(seconds));
    }
    assert_eq!(sad.awake(), 1, "those that were idle are folded within a round");
    assert_eq!(all.iter().map(|spi| sad.get_mut(*spi).unwrap().0).collect::<Vec<_>>(), [1, 4, 1]);
}

#[test]
fn few_sas_are_looked_at_with_one_batch_and_all_within_a_round() {
    let count = 10_000;
    let mut sad = used(count);
    let start = start();
    let mut at = start;
    while at < start + ROUND {
        sad.sweep(at);
        at += Duration::from_millis(1);
    }
    let idle_at = start + ROUND + IDLE;
    sad.sweep(idle_at);
    assert_eq!(sad.awake(), count as usize - LOOKS, "one batch folds so many");
    sad.sweep(idle_at);
    assert_eq!(sad.awake(), count as usize - LOOKS, "and the next is not due yet");
    let mut at = idle_at;
    while at < idle_at + ROUND {
        sad.sweep(at);
        at += Duration::from_millis(10);
    }
    assert!(sad.awake() < 3 * LOOKS, "{} are left", sad.awake());
}

#[test]
fn no_more_stay_awake_than_there_is_room_for_and_none_loses_its_numbers() {
    let mut sad = used(0);
    sad.most_awake = 50;
    for round in 1..=3 {
        for spi in spis(200) {
            sad.insert(&install(spi, CipherSuite::Aes128Gcm));
            let counter = sad.get_mut(spi).unwrap();
            counter.work();
            assert_eq!(counter.0, round);
            sad.settle();
            assert!(sad.awake() <= 50);
        }
    }
}

#[test]
fn what_is_in_use_stays_awake_when_others_need_room() {
    let mut sad = used(0);
    sad.most_awake = 50;
    let busy = spis(1).next().unwrap();
    sad.insert(&install(busy, CipherSuite::Aes128Gcm));
    let mut folded = 0;
    for spi in spis(2_000).skip(1) {
        folded += usize::from(matches!(find(&mut sad.blocks, busy).unwrap().state, State::Rest(_)));
        sad.get_mut(busy).unwrap().work();
        sad.insert(&install(spi, CipherSuite::Aes128Gcm));
        sad.get_mut(spi).unwrap().work();
        sad.settle();
    }
    assert!(folded < 50, "folded {folded} times");
}

#[test]
fn an_sa_that_is_removed_while_awake_leaves_nothing_that_is_looked_at_for_ever() {
    let mut sad = used(10);
    spis(10).for_each(|spi| _ = sad.remove(spi));
    let start = start();
    (0..=60).for_each(|seconds| sad.sweep(start + Duration::from_secs(seconds)));
    assert_eq!(sad.awake(), 0);
}
