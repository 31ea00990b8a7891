//! What is told of sessions, when, and how often.

use feed::SessionEnd::{Deregistered, SaEnded, Superseded};
use protocol::sa::inbound::InboundSa;
use protocol::sa::outbound::OutboundSa;
use protocol::sa::{CipherSuite, Role};
use protocol::tunnel::{Install, Volume};

use super::ended::{ARRIVED_AFTER, MAX_ENDED};
use super::*;

const INTERVAL: Duration = Duration::from_secs(600);
const PACKET: Volume = Volume { packets: 1, octets: 60 };

/// Sessions, and SAs that carry packets.
struct Story {
    sessions: Sessions,
    now: Instant,
}

/// An SA whose halves count.
struct Sa {
    install: Arc<Install>,
    from_node: InboundSa,
    to_node: OutboundSa,
}

impl Sa {
    fn new(number: u32, now: Instant) -> Self {
        let install = Arc::new(fixture::install(fixture::association(spi(number), CipherSuite::NullSha), now));
        let from_node = InboundSa::new(&install, Role::HomeAgent).unwrap();
        let to_node = OutboundSa::new(&install, Role::HomeAgent).unwrap();
        Self { install, from_node, to_node }
    }

    fn spi(&self) -> Spi {
        self.install.sa.spi
    }

    /// So many of [`PACKET`] each way.
    fn carries(&self, from_node: u64, to_node: u64) {
        (0..from_node).for_each(|_| self.from_node.count_user_data(PACKET));
        (0..to_node).for_each(|_| self.to_node.count_user_data(PACKET));
    }
}

impl Story {
    /// A HAC wants to hear of sessions.
    fn new() -> Self {
        let mut story = Self::unheard();
        story.sessions.begin_subscription(Some(INTERVAL), story.now);
        story
    }

    /// Nobody does.
    fn unheard() -> Self {
        Self { sessions: Sessions::default(), now: Instant::now() }
    }

    fn sa(&self, number: u32) -> Sa {
        Sa::new(number, self.now)
    }

    fn begins(&mut self, sa: &Sa) {
        self.sessions.begin(sa.spi(), &sa.install.traffic, at(5000), self.now);
    }

    fn ends(&mut self, sa: &Sa, why: SessionEnd) {
        self.sessions.end(sa.spi(), why, self.now);
    }

    fn subscribes(&mut self) {
        self.sessions.begin_subscription(Some(INTERVAL), self.now);
    }

    /// What is due is told, message by message.
    fn told(&mut self) -> Vec<Vec<SessionReport>> {
        let mut messages = Vec::new();
        while self.sessions.next_due().is_some_and(|due| due <= self.now) {
            let message = self.sessions.take(self.now);
            messages.extend(Some(message).filter(|message| !message.is_empty()));
        }
        messages
    }

    /// SPI, number, packets each way and end of each report that is due.
    fn reports(&mut self) -> Vec<(u32, u32, [u64; 2], Option<SessionEnd>)> {
        let reports = self.told().concat();
        reports.iter().for_each(assert_octets);
        let row = |report: &SessionReport| {
            let packets = [report.traffic.from_node, report.traffic.to_node].map(|volume| volume.packets);
            (report.spi.get(), report.number, packets, report.ended)
        };
        reports.iter().map(row).collect()
    }

    fn passes(&mut self, time: Duration) {
        self.now += time;
    }

    /// Until the figures of what has ended can be read.
    fn settles(&mut self) {
        self.passes(SETTLING);
    }
}

fn assert_octets(report: &SessionReport) {
    for Volume { packets, octets } in [report.traffic.from_node, report.traffic.to_node] {
        assert_eq!(octets, packets * PACKET.octets);
    }
}

fn spi(number: u32) -> Spi {
    Spi::new(number).unwrap()
}

fn at(port: u16) -> SocketAddr {
    ([198, 51, 100, 7], port).into()
}

#[test]
fn a_session_is_told_of_at_once_once_an_interval_and_when_it_has_ended_a_while_ago() {
    let mut story = Story::new();
    let sa = story.sa(1);
    story.begins(&sa);
    assert_eq!(story.reports(), [(1, 1, [0, 0], None)]);
    assert!(story.reports().is_empty());
    sa.carries(2, 3);
    story.passes(INTERVAL);
    assert_eq!(story.reports(), [(1, 1, [2, 3], None)]);
    sa.carries(1, 0);
    story.passes(INTERVAL);
    assert_eq!(story.reports(), [(1, 1, [3, 3], None)], "all since it began");
    story.ends(&sa, Deregistered);
    sa.carries(0, 1);
    assert!(story.reports().is_empty());
    story.settles();
    sa.carries(7, 0);
    assert_eq!(story.reports(), [(1, 1, [10, 4], Some(Deregistered))], "what the halves still had in their hands counts");
    story.passes(INTERVAL * 3);
    assert!(story.reports().is_empty() && story.sessions.next_due().is_none(), "that was said last of it");
}

#[test]
fn a_report_says_how_old_a_session_is_and_where_its_node_is_and_that_of_its_end_where_and_when_it_ended() {
    let mut story = Story::new();
    let sa = story.sa(1);
    story.begins(&sa);
    story.told();
    story.sessions.note_care_of(sa.spi(), "[::ffff:192.0.2.1]:6000".parse().unwrap());
    story.passes(INTERVAL);
    let report = story.told().concat()[0];
    assert_eq!((report.care_of, report.age), (([192, 0, 2, 1], 6000).into(), INTERVAL), "an IPv4 address is one");
    story.sessions.note_care_of(sa.spi(), at(7000));
    story.passes(Duration::from_secs(5));
    story.ends(&sa, Deregistered);
    story.sessions.note_care_of(sa.spi(), at(8000));
    story.passes(INTERVAL);
    let report = story.told().concat()[0];
    assert_eq!((report.care_of, report.age), (at(7000), INTERVAL + Duration::from_secs(5)));
}

#[test]
fn the_next_session_under_an_sa_has_the_next_number_and_its_own_figures_and_each_packet_is_told_of_once() {
    let mut story = Story::new();
    let sa = story.sa(1);
    sa.carries(1, 0);
    story.begins(&sa);
    assert_eq!(story.reports(), [(1, 1, [1, 0], None)], "what has overtaken the Binding Update is the first one's");
    sa.carries(2, 0);
    story.ends(&sa, Deregistered);
    sa.carries(4, 0);
    // The node is back before the figures are read.
    story.begins(&sa);
    sa.carries(8, 0);
    assert_eq!(story.reports(), [(1, 1, [7, 0], Some(Deregistered)), (1, 2, [8, 0], None)]);
    story.ends(&sa, Deregistered);
    story.settles();
    assert_eq!(story.reports(), [(1, 2, [8, 0], Some(Deregistered))]);
    sa.carries(16, 0);
    story.begins(&sa);
    assert_eq!(story.reports(), [(1, 3, [16, 0], None)]);
}

#[test]
fn a_session_that_ends_before_anybody_was_told_of_it_is_told_of_once() {
    let mut story = Story::new();
    let sa = story.sa(1);
    story.begins(&sa);
    story.ends(&sa, Deregistered);
    story.settles();
    assert_eq!(story.reports(), [(1, 1, [0, 0], Some(Deregistered))]);
}

#[test]
fn an_end_without_a_session_and_a_second_one_are_nothing() {
    let mut story = Story::new();
    let sa = story.sa(1);
    story.ends(&sa, SaEnded);
    story.begins(&sa);
    story.ends(&sa, Superseded);
    story.ends(&sa, SaEnded);
    story.settles();
    assert_eq!(story.reports(), [(1, 1, [0, 0], Some(Superseded))]);
}

#[test]
fn when_the_sa_is_gone_its_session_is_told_of_all_the_same_and_nothing_of_it_stays() {
    let mut story = Story::new();
    let (first, second) = (story.sa(1), story.sa(2));
    for sa in [&first, &second] {
        story.begins(sa);
        sa.carries(1, 1);
    }
    story.ends(&first, Deregistered);
    story.settles();
    story.told();
    story.sessions.forget(first.spi());
    story.ends(&second, SaEnded);
    story.sessions.forget(second.spi());
    second.carries(1, 0);
    story.settles();
    assert_eq!(story.reports(), [(2, 1, [2, 1], Some(SaEnded))]);
    assert!(story.sessions.of.is_empty() && story.sessions.settling.is_empty());
    assert_eq!(
        [&first, &second].map(|sa| Arc::strong_count(&sa.install.traffic)),
        [2, 2],
        "the SA's own and that of its receiving half"
    );
}

#[test]
fn a_subscription_begins_with_all_that_go_on_in_messages_that_the_hac_takes_and_they_come_spread_over_the_interval() {
    let mut story = Story::new();
    let sas: Vec<_> = (1..=600).map(|number| story.sa(number)).collect();
    sas.iter().for_each(|sa| story.begins(sa));
    story.told();
    story.subscribes();
    assert_eq!(story.told().iter().map(Vec::len).collect::<Vec<_>>(), [256, 256, 88]);
    let mut in_each_minute = [0; 10];
    for count in &mut in_each_minute {
        story.passes(INTERVAL / 10);
        *count = story.told().concat().len();
    }
    assert!(in_each_minute.iter().all(|count| (50..=70).contains(count)), "{in_each_minute:?}");
    assert_eq!(in_each_minute.iter().sum::<usize>(), 600);
}

#[test]
fn an_end_that_may_not_have_arrived_is_told_again_with_the_same_figures_and_one_that_has_is_not() {
    let mut story = Story::new();
    let (first, second) = (story.sa(1), story.sa(2));
    for sa in [&first, &second] {
        story.begins(sa);
        story.ends(sa, Deregistered);
        story.settles();
        assert_eq!(story.reports().len(), 1);
        story.passes(ARRIVED_AFTER / 2);
        story.sessions.note_alive(story.now);
    }
    first.carries(5, 0);
    second.carries(5, 0);
    // Away for long: nobody says that the subscription lives.
    story.passes(ARRIVED_AFTER * 10);
    story.subscribes();
    assert_eq!(story.reports(), [(2, 1, [0, 0], Some(Deregistered))], "the first was told 30 s before the last sign of life");
    story.passes(ARRIVED_AFTER);
    story.sessions.note_alive(story.now);
    story.subscribes();
    assert!(story.reports().is_empty());
}

#[test]
fn the_ends_that_are_told_again_come_before_those_that_nobody_was_told_of() {
    let mut story = Story::new();
    let sas = [1, 2, 3].map(|number| story.sa(number));
    sas.iter().for_each(|sa| story.begins(sa));
    story.told();
    for sa in &sas[..2] {
        story.ends(sa, Deregistered);
    }
    story.settles();
    assert_eq!(story.reports().len(), 2);
    story.ends(&sas[2], Superseded);
    story.settles();
    story.subscribes();
    let expected = [(1, Deregistered), (2, Deregistered), (3, Superseded)];
    assert_eq!(story.reports(), expected.map(|(spi, why)| (spi, 1, [0, 0], Some(why))));
}

#[test]
fn where_nobody_wants_to_hear_of_sessions_nothing_is_kept_but_what_lists_show() {
    let mut story = Story::unheard();
    let sa = story.sa(1);
    story.begins(&sa);
    sa.carries(2, 1);
    assert_eq!(story.sessions.traffic(sa.spi()).from_node, Volume { packets: 2, octets: 120 });
    assert_eq!((story.sessions.next_due(), story.told()), (None, vec![]));
    story.ends(&sa, Deregistered);
    assert_eq!(story.sessions.traffic(sa.spi()), Traffic::default(), "it carries nothing any more");
    story.settles();
    story.begins(&sa);
    sa.carries(0, 4);
    assert_eq!(story.sessions.traffic(sa.spi()).to_node, Volume { packets: 4, octets: 240 }, "of this one");
    story.subscribes();
    assert_eq!(story.reports(), [(1, 2, [0, 4], None)], "from here on somebody does, and hears nothing of what has ended");
    story.ends(&sa, Deregistered);
    story.settles();
    story.sessions.begin_subscription(None, story.now);
    assert_eq!((story.sessions.next_due(), story.told()), (None, vec![]));
    story.subscribes();
    assert!(story.told().is_empty(), "what was to be told when nobody wanted it any more is given up");
}

#[test]
fn more_ends_than_are_kept_cost_the_oldest_and_are_warned_of_once() {
    let mut story = Story::new();
    let sa = story.sa(1);
    let (_, lines) = fixture::logged(|| {
        for _ in 0..MAX_ENDED + 3 {
            story.begins(&sa);
            story.ends(&sa, Deregistered);
        }
        story.settles();
        story.told().concat()
    });
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert!(line.contains("WARN") && line.contains("oldest are given up"), "{line}");
    let (numbers, lines) = fixture::logged(|| {
        story.subscribes();
        story.told().concat().iter().map(|report| report.number).collect::<Vec<_>>()
    });
    assert_eq!((numbers.len(), numbers[0]), (MAX_ENDED, 4));
    assert!(lines.iter().all(|line| !line.contains("WARN")), "{lines:?}");
    // Those that were told are the first to go, and nobody misses them.
    let (_, lines) = fixture::logged(|| {
        story.begins(&sa);
        story.ends(&sa, Deregistered);
        story.settles();
        story.told()
    });
    assert!(lines.is_empty(), "{lines:?}");
}
