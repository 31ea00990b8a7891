use std::net::Ipv4Addr;

use protocol::addr::CareOfAddress;

use super::*;

const LTE: u32 = 3;

fn prefix(network: &str) -> Nat64Prefix {
    Nat64Prefix::new(network.parse().unwrap(), 96).unwrap()
}

fn said(network: &str, seconds: u64) -> Pref64 {
    Pref64 { prefix: prefix(network), lifetime: Duration::from_secs(seconds) }
}

fn at(care_of: &str) -> Attachment {
    let care_of = CareOfAddress(care_of.parse().unwrap());
    Attachment { interface: LTE, name: "lte".to_owned(), care_of, metric: 1024, deprecated: false }
}

/// A table, and the time.
struct Story {
    table: Table,
    now: Instant,
}

impl Story {
    /// In a network without IPv4.
    fn new() -> Self {
        let mut story = Self { table: Table::default(), now: Instant::now() };
        story.is_at(&["2001:db8:1::2"]);
        story
    }

    fn is_at(&mut self, care_of: &[&str]) {
        let attachments: Vec<_> = care_of.iter().map(|care_of| at(care_of)).collect();
        self.table.follow(&[LTE], &attachments, self.now);
    }

    fn passes(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    fn question(&mut self) -> Option<Question> {
        self.table.poll_question(self.now)
    }

    fn is_answered(&mut self, answer: Answer) {
        let question = self.question().expect("nothing is asked");
        self.table.take(&question, answer, self.now);
    }

    fn finds(&mut self, network: &str, seconds: u64) {
        self.is_answered(Answer::Found(vec![prefix(network)], Duration::from_secs(seconds)));
    }

    /// What is used on the interface.
    fn used(&self) -> Option<Ipv6Addr> {
        self.table.prefixes(self.now).embed(LTE, Ipv4Addr::new(203, 0, 113, 2))
    }

    fn uses(&self, network: &str) -> bool {
        self.used().is_some() && self.used() == prefix(network).embed(Ipv4Addr::new(203, 0, 113, 2))
    }
}

#[test]
fn a_network_without_ipv4_is_asked_once_and_again_ten_seconds_before_the_answers_time_is_over() {
    let mut story = Story::new();
    assert!(!story.table.is_settled(story.now));
    let question = story.question().unwrap();
    assert_eq!((question.interface, question.name.as_str(), story.question()), (LTE, "lte", None));
    assert!(!story.table.is_settled(story.now), "it is being asked");
    story.table.take(&question, Answer::Found(vec![prefix("2001:db8:64::")], Duration::from_secs(600)), story.now);
    assert!(story.table.is_settled(story.now) && story.uses("2001:db8:64::"));
    assert_eq!(story.table.due(story.now), Some(story.now + Duration::from_secs(590)));
    story.passes(589);
    assert_eq!(story.question(), None);
    story.passes(1);
    story.finds("2001:db8:65::", 600);
    assert!(story.uses("2001:db8:65::"));
}

#[test]
fn an_answers_time_is_within_a_minute_and_a_day() {
    for (says, waits) in [(0, 50), (30, 50), (1_000_000_000, 86_390)] {
        let mut story = Story::new();
        story.finds("2001:db8:64::", says);
        assert_eq!(story.table.due(story.now), Some(story.now + Duration::from_secs(waits)), "{says} s");
    }
}

#[test]
fn an_answer_is_used_for_an_hour_beyond_its_time_while_no_other_comes_and_one_without_prefix_ends_it() {
    let mut story = Story::new();
    story.finds("2001:db8:64::", 60);
    story.passes(50);
    story.is_answered(Answer::Unanswered);
    story.passes(3_600);
    assert!(story.uses("2001:db8:64::"));
    story.is_answered(Answer::Unanswered);
    story.passes(10);
    assert_eq!(story.used(), None, "an hour is over");

    let mut story = Story::new();
    story.finds("2001:db8:64::", 60);
    story.passes(50);
    story.is_answered(Answer::Nothing(Duration::from_secs(300)));
    assert_eq!((story.used(), story.table.due(story.now)), (None, Some(story.now + Duration::from_secs(300))));
}

#[test]
fn a_question_that_nobody_answers_is_asked_again_with_longer_and_longer_pauses() {
    let mut story = Story::new();
    for pause in [2, 4, 8, 16, 32, 60, 60] {
        story.is_answered(Answer::Unanswered);
        assert!(story.table.is_settled(story.now), "nobody waits for it any more");
        assert_eq!(story.table.due(story.now), Some(story.now + Duration::from_secs(pause)));
        story.passes(pause);
    }
}

#[test]
fn what_a_router_advertises_comes_before_what_name_servers_answer_until_its_lifetime_ends_or_it_takes_it_back() {
    let mut story = Story::new();
    story.finds("2001:db8:64::", 86_400);
    story.table.hear(LTE, said("2001:db8:65::", 600), story.now);
    assert!(story.uses("2001:db8:65::"));
    story.passes(300);
    story.table.hear(LTE, said("2001:db8:65::", 600), story.now);
    story.passes(400);
    assert!(story.uses("2001:db8:65::"), "it was said again");
    story.passes(200);
    assert!(story.uses("2001:db8:64::"), "its lifetime is over");
    story.table.hear(LTE, said("2001:db8:65::", 600), story.now);
    story.table.hear(LTE, said("2001:db8:65::", 0), story.now);
    assert!(story.uses("2001:db8:64::"), "it was taken back");
}

#[test]
fn where_a_router_has_said_it_nobody_is_asked_and_the_first_of_several_is_used() {
    let mut story = Story { table: Table::default(), now: Instant::now() };
    story.table.hear(LTE, said("2001:db8:65::", 600), story.now);
    story.table.hear(LTE, said("2001:db8:66::", 600), story.now);
    story.is_at(&["2001:db8:1::2"]);
    assert!(story.table.is_settled(story.now) && story.uses("2001:db8:65::"));
    assert_eq!((story.question(), story.table.due(story.now)), (None, Some(story.now + Duration::from_secs(600))));
    story.table.hear(LTE, said("2001:db8:65::", 0), story.now);
    assert!(story.uses("2001:db8:66::"));
    story.passes(600);
    assert!(story.used().is_none() && story.question().is_some());
}

#[test]
fn another_network_is_asked_anew_and_what_was_answered_in_the_one_before_holds_no_more() {
    let mut story = Story::new();
    story.finds("2001:db8:64::", 86_400);
    story.is_at(&["2001:db8:1::3", "2001:db8:1::2"]);
    story.is_at(&[]);
    story.is_at(&["2001:db8:1::3"]);
    assert!(story.uses("2001:db8:64::") && story.question().is_none(), "another address of the same network");
    story.is_at(&["2001:db8:2::2"]);
    assert_eq!(story.used(), None);
    let of_second = story.question().unwrap();
    story.is_at(&["2001:db8:3::2"]);
    story.table.take(&of_second, Answer::Found(vec![prefix("2001:db8:65::")], Duration::from_secs(600)), story.now);
    assert_eq!(story.used(), None, "a late answer of a network that is left");
    story.finds("2001:db8:66::", 600);
    story.table.hear(LTE, said("2001:db8:67::", 600), story.now);
    story.table.follow(&[], &[], story.now);
    assert_eq!((story.used(), story.table.due(story.now)), (None, None), "the link is down");
}

#[test]
fn where_there_is_ipv4_nobody_is_asked_and_ipv4_that_comes_later_ends_nothing() {
    let mut story = Story { table: Table::default(), now: Instant::now() };
    story.is_at(&["2001:db8:1::2", "198.51.100.2"]);
    assert!(story.table.is_settled(story.now) && story.question().is_none());
    let mut story = Story::new();
    story.finds("2001:db8:64::", 600);
    story.is_at(&["2001:db8:1::2", "198.51.100.2"]);
    assert!(story.uses("2001:db8:64::"));
    story.passes(590);
    story.finds("2001:db8:64::", 600);
}

#[test]
fn a_question_that_was_lost_is_asked_again() {
    let mut story = Story::new();
    assert!(story.question().is_some() && story.question().is_none());
    story.table.ask_again(story.now);
    assert!(story.question().is_some());
}

#[test]
fn there_are_bounds() {
    let mut story = Story::new();
    for number in 0..100 {
        story.table.hear(LTE, said(&format!("2001:db8:{number:x}::"), 600), story.now);
        story.table.hear(100 + number, said("2001:db8:64::", 600), story.now);
    }
    assert_eq!(story.table.interfaces.len(), MAX_INTERFACES);
    assert_eq!(story.table.interfaces[&LTE].advertised.len(), MAX_PREFIXES);
}
