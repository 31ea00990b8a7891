//! Binding Updates as a home agent judges them, each row with what RFC 6275 or RFC 6618 says of it.

use std::net::SocketAddr;

use protocol::addr::{HomeAddresses, HomeAgentAddresses};
use protocol::profile::WireProfile;
use protocol::sa::{CipherSuite, DirectionKeys, Secret, SecurityAssociation, UserData};
use protocol::tunnel::SocketId;
use protocol::wire::mobility::{CareOf, Ipv4Home};

use super::*;

const SPI: u32 = 0x1234;
const CARE_OF: [u8; 4] = [198, 51, 100, 7];

struct Story {
    ha: HomeAgent,
    counters: Arc<Counters>,
    now: Instant,
}

impl Story {
    fn new() -> Self {
        let counters = Arc::new(Counters::default());
        let config = HomeAgentConfig { longest_binding: Duration::from_secs(600), own_addresses: vec![[203, 0, 113, 1].into()] };
        let mut story = Self { ha: HomeAgent::new(config, counters.clone()), counters, now: Instant::now() };
        story.install(SPI, 0);
        story
    }

    fn install(&mut self, spi: u32, lease: u32) {
        let valid_until = self.now + Duration::from_secs(1000);
        self.ha.handle_sa(Arc::new(Install { sa: association(spi), valid_until, lease }));
        assert!(matches!(self.ha.poll_command(), Some(Command::Install(_))));
    }

    /// Hands a Binding Update in; gives the answers' statuses, sequence numbers and lifetimes, and the other commands.
    fn receives(&mut self, update: BindingUpdate) -> (Vec<(u8, u16, u16)>, Vec<Command>) {
        self.receives_from(update, (CARE_OF, 5000).into(), SPI, 0)
    }

    fn receives_from(
        &mut self,
        update: BindingUpdate,
        from: SocketAddr,
        spi: u32,
        lease: u32,
    ) -> (Vec<(u8, u16, u16)>, Vec<Command>) {
        let sa = association(spi);
        let home = sa.home.in_mobility_header();
        let ends = Ends { source: home, destination: sa.home_agent.in_mobility_header() };
        let header = MobilityMessage::BindingUpdate(update).emit(ends);
        let payload = signalling::behind_home_address_option(home, &header);
        let next_header = signalling::DESTINATION_OPTIONS;
        let received = SignallingReceived { spi: sa.spi, sequence: 0, socket: SocketId(0), from, next_header, payload, lease };
        self.ha.handle_event(&Event::Signalling(received), self.now, &mut rand::rng());
        self.answers()
    }

    fn answers(&mut self) -> (Vec<(u8, u16, u16)>, Vec<Command>) {
        let (mut answers, mut others) = (Vec::new(), Vec::new());
        while let Some(command) = self.ha.poll_command() {
            if let Command::Signal { next_header, payload, .. } = command {
                answers.push(answer(next_header, &payload));
            } else {
                others.push(command);
            }
        }
        (answers, others)
    }
}

fn answer(next_header: u8, payload: &[u8]) -> (u8, u16, u16) {
    let sa = association(SPI);
    let home = sa.home.in_mobility_header();
    let parsed = Signalling::parse(next_header, payload).unwrap();
    assert_eq!(parsed.routing_header, Some(home));
    let ends = Ends { source: sa.home_agent.in_mobility_header(), destination: home };
    match MobilityMessage::parse(parsed.mobility_header, ends) {
        Ok(MobilityMessage::BindingAcknowledgement(ba)) => (ba.status.0, ba.sequence, ba.lifetime.units()),
        other => panic!("{other:?} is no Binding Acknowledgement"),
    }
}

fn association(spi: u32) -> SecurityAssociation {
    let keys = DirectionKeys { integrity: Secret::new(vec![7; 20]), encryption: Secret::empty() };
    SecurityAssociation {
        spi: Spi::new(spi).unwrap_or_else(|| Spi::new(0x1000).unwrap()),
        suite: CipherSuite::NullSha,
        profile: WireProfile::Rfc6618,
        user_data: UserData::Protected,
        mn_to_ha: keys.clone(),
        ha_to_mn: keys,
        home: HomeAddresses::new(Some("2001:db8:100::7".parse().unwrap()), Some([10, 9, 0, 7].into())).unwrap(),
        home_agent: HomeAgentAddresses::new(Some("2001:db8:f::1".parse().unwrap()), None, 7872).unwrap(),
    }
}

fn update(sequence: u16) -> BindingUpdate {
    BindingUpdate {
        sequence,
        acknowledge: true,
        home_registration: true,
        lifetime: Lifetime::from_units(300),
        care_of: Some(CareOf::Ip4(CARE_OF.into())),
        ipv4_home: Some(Ipv4Home { prefix_len: 32, address: [0, 0, 0, 0].into() }),
        path_check: None,
    }
}

#[test]
fn a_good_binding_update_moves_the_downlink_first_and_is_then_acknowledged() {
    let mut story = Story::new();
    let (answers, commands) = story.receives(update(5));
    assert_eq!(answers, [(0, 5, 150)], "600 s is the longest lifetime");
    let [Command::Move { home, paths, .. }] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!(home.ip4(), Some([10, 9, 0, 7].into()), "0.0.0.0 stands for the SA's own");
    assert_eq!(paths.iter().next().unwrap().remote, (CARE_OF, 5000).into());
}

#[test]
fn an_old_sequence_number_is_answered_with_the_last_one_and_moves_nothing() {
    let mut story = Story::new();
    story.receives(update(5));
    for old in [5, 4, 32_773] {
        let (answers, commands) = story.receives(update(old));
        assert_eq!((answers, commands.len()), (vec![(135, 5, 0)], 0), "{old}");
    }
}

#[test]
fn the_last_sequence_number_outlives_the_binding() {
    let mut story = Story::new();
    story.receives(update(5));
    let (answers, commands) = story.receives(BindingUpdate { lifetime: Lifetime::ZERO, ..update(6) });
    assert_eq!(answers, [(0, 6, 0)]);
    assert!(matches!(commands[..], [Command::Remove(_)]));
    assert_eq!(story.receives(update(6)).0, [(135, 6, 0)]);
}

#[test]
fn lifetime_zero_without_a_binding_is_answered_with_133() {
    let mut story = Story::new();
    assert_eq!(story.receives(BindingUpdate { lifetime: Lifetime::ZERO, ..update(1) }).0, [(133, 1, 0)]);
}

#[test]
fn updates_without_h_or_a_or_a_care_of_address_or_for_a_foreign_ipv4_home_are_dropped_and_counted() {
    let foreign = Ipv4Home { prefix_len: 32, address: [10, 9, 0, 8].into() };
    let rows = [
        (BindingUpdate { home_registration: false, ..update(1) }, DropReason::MalformedSignalling),
        (BindingUpdate { acknowledge: false, ..update(1) }, DropReason::MalformedSignalling),
        (BindingUpdate { care_of: None, ..update(1) }, DropReason::MalformedSignalling),
        (BindingUpdate { ipv4_home: Some(foreign), ..update(1) }, DropReason::SpoofedHomeAddress),
    ];
    for (update, reason) in rows {
        let mut story = Story::new();
        let (answers, commands) = story.receives(update);
        assert_eq!((answers.len(), commands.len(), story.counters.dropped(reason)), (0, 0, 1), "{reason}");
    }
}

#[test]
fn a_care_of_address_that_is_not_the_outer_source_or_is_the_home_agents_own_is_refused_with_174() {
    for ip in [[198, 51, 100, 8], [203, 0, 113, 1], [224, 0, 0, 1], [127, 0, 0, 1], [0, 0, 0, 0]] {
        let mut story = Story::new();
        let update = BindingUpdate { care_of: Some(CareOf::Ip4(ip.into())), ..update(1) };
        let from = if ip == [198, 51, 100, 8] { CARE_OF } else { ip };
        let (answers, commands) = story.receives_from(update, (from, 5000).into(), SPI, 0);
        assert_eq!((answers, commands.len()), (vec![(174, 1, 0)], 0), "{ip:?}");
    }
}

#[test]
fn a_spoofed_home_address_option_is_dropped() {
    let mut story = Story::new();
    let sa = association(SPI);
    let ends = Ends { source: sa.home.in_mobility_header(), destination: sa.home_agent.in_mobility_header() };
    let header = MobilityMessage::BindingUpdate(update(1)).emit(ends);
    let payload = signalling::behind_home_address_option("2001:db8:100::8".parse().unwrap(), &header);
    let received = SignallingReceived {
        spi: sa.spi,
        sequence: 0,
        socket: SocketId(0),
        from: (CARE_OF, 5000).into(),
        next_header: signalling::DESTINATION_OPTIONS,
        payload,
        lease: 0,
    };
    story.ha.handle_event(&Event::Signalling(received), story.now, &mut rand::rng());
    assert!(story.ha.poll_command().is_none());
    assert_eq!(story.counters.dropped(DropReason::SpoofedHomeAddress), 1);
}

#[test]
fn under_a_lease_above_zero_an_update_is_answered_with_176_alone_once_a_second() {
    let mut story = Story::new();
    let (answers, commands) = story.receives_from(update(1), (CARE_OF, 5000).into(), SPI, 1);
    assert_eq!((answers, commands.len()), (vec![(176, 1, 0)], 0));
    assert_eq!(story.receives_from(update(2), (CARE_OF, 5000).into(), SPI, 1).0, []);
    story.now += Duration::from_secs(1);
    assert_eq!(story.receives_from(update(3), (CARE_OF, 5000).into(), SPI, 1).0, [(176, 3, 0)]);
}

#[test]
fn a_binding_ends_when_its_lifetime_does_and_a_refresh_prolongs_it() {
    let mut story = Story::new();
    story.receives(update(1));
    story.now += Duration::from_secs(500);
    story.receives(update(2));
    story.now += Duration::from_secs(150);
    story.ha.handle_timeout(story.now);
    assert_eq!(story.ha.bindings().count(), 1, "firing early does nothing");
    let (due, name) = story.ha.poll_timeout().unwrap();
    assert_eq!(name, TimerName("binding ends"));
    story.ha.handle_timeout(due);
    assert!(matches!(story.answers().1[..], [Command::Remove(_)]));
}

#[test]
fn a_binding_never_outlives_its_sa() {
    let mut story = Story::new();
    story.now += Duration::from_secs(900);
    assert_eq!(story.receives(update(1)).0, [(0, 1, 25)]);
}

#[test]
fn an_update_under_a_new_sa_moves_the_downlink_to_it_and_retires_the_old_one_after_a_minute() {
    let mut story = Story::new();
    story.receives(update(1));
    story.install(SPI + 1, 0);
    let (_, commands) = story.receives_from(update(1), (CARE_OF, 5000).into(), 0, 0);
    assert!(commands.is_empty(), "an unknown SPI does nothing");
    let (answers, commands) = story.receives_from(update(1), (CARE_OF, 5000).into(), SPI + 1, 0);
    assert_eq!(answers, [(0, 1, 150)]);
    assert!(matches!(commands[..], [Command::Move { sending, .. }] if sending == Spi::new(SPI + 1).unwrap()));
    story.ha.handle_timeout(story.now + Duration::from_secs(59));
    assert_eq!(story.answers().1.len(), 0);
    story.ha.handle_timeout(story.now + Duration::from_secs(60));
    assert!(matches!(story.answers().1[..], [Command::Uninstall(spi)] if spi == Spi::new(SPI).unwrap()));
    assert_eq!(story.ha.bindings().count(), 1);
}

#[test]
fn a_revoked_sa_takes_its_binding_along() {
    let mut story = Story::new();
    story.receives(update(1));
    story.ha.handle_sa_end(Spi::new(SPI).unwrap());
    assert!(matches!(story.answers().1[..], [Command::Remove(_), Command::Uninstall(_)]));
    assert_eq!(story.receives(update(2)).0, []);
}
