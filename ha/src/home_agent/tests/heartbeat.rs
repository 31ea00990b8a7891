//! Heartbeats (RFC 5847), which a node sends to find out about a path.

use protocol::wire::mobility::{HeartbeatKind, PathMtu};

use super::*;

const ELSEWHERE: ([u8; 4], u16) = ([198, 51, 100, 99], 7_000);

impl Story {
    fn is_asked(&mut self, len: usize, lease: u32, from: SocketAddr) -> Said {
        self.is_told(1_300, len, lease, from)
    }

    fn is_told(&mut self, octets: u16, len: usize, lease: u32, from: SocketAddr) -> Said {
        let number = self.next_number();
        self.is_told_under(number, octets, len, lease, from)
    }

    fn is_told_under(&mut self, sequence: u32, octets: u16, len: usize, lease: u32, from: SocketAddr) -> Said {
        let ends = Ends { source: self.sa.home.in_mobility_header(), destination: self.sa.home_agent.in_mobility_header() };
        let request = Heartbeat { kind: HeartbeatKind::Request, sequence: 9, path_mtu: Some(PathMtu(octets)), len };
        let payload = MobilityMessage::Heartbeat(request).emit(ends);
        let (spi, next_header) = (self.sa.spi, signalling::MOBILITY);
        self.hears(Event::Signalling(SignallingReceived {
            spi,
            sequence,
            socket: SocketId(0),
            from,
            next_header,
            payload,
            lease,
        }))
    }
}

#[test]
fn a_request_is_answered_where_it_came_from_in_its_length_whether_the_node_is_bound_there_or_not() {
    let mut story = Story::new();
    for is_bound in [false, true] {
        if is_bound {
            story.receives(update(1));
        }
        for len in [24, 1_416, Heartbeat::MAX_LEN] {
            let said = story.is_asked(len, 0, ELSEWHERE.into());
            let [(to, heartbeat)] = said.heartbeats[..] else { panic!("not one answer: {said:?}") };
            assert_eq!(to, ELSEWHERE.into());
            assert_eq!((heartbeat.kind, heartbeat.sequence, heartbeat.len), (HeartbeatKind::Response, 9, len));
            assert!(said.others.is_empty(), "the downlink stays: {said:?}");
        }
    }
}

#[test]
fn so_many_requests_are_answered_at_once_and_then_fifty_a_second() {
    let mut story = Story::new();
    let mut answers = |seconds| {
        story.passes(seconds);
        (0..200).map(|_| story.is_asked(1_416, 0, ELSEWHERE.into()).heartbeats.len()).sum::<usize>()
    };
    assert_eq!([answers(0), answers(0), answers(10)], [32, 0, 32]);
    assert_eq!(story.counters.dropped(DropReason::HeartbeatNotAnswered), 600 - 64);
}

#[test]
fn what_comes_from_nowhere_or_may_be_a_copy_gets_no_answer() {
    for own in [[127, 0, 0, 1], [203, 0, 113, 1], [224, 0, 0, 1], [10, 9, 0, 7]] {
        assert!(Story::new().is_asked(24, 0, (own, 5_000).into()).is_nothing(), "{own:?}");
    }
    assert!(Story::new().is_asked(24, 1, ELSEWHERE.into()).is_nothing());
    let mut unnumbered = Story::with(SecurityAssociation { profile: WireProfile::Draft04, ..association(SPI) });
    assert!(unnumbered.is_asked(24, 0, ELSEWHERE.into()).is_nothing());
}

const NONE: [u16; 0] = [];

/// The limits that the halves are told of.
fn limits(said: &Said) -> Vec<u16> {
    let limit = |command: &Command| if let Command::PathMtu { mtu, .. } = command { Some(*mtu) } else { None };
    said.others.iter().filter_map(limit).collect()
}

#[test]
fn what_a_node_says_of_the_path_in_use_limits_what_is_sent_to_it_and_is_said_again_when_it_moves() {
    let mut story = Story::new();
    let here = SocketAddr::from((CARE_OF, 5000));
    assert_eq!(limits(&story.is_told(1_400, 24, 0, here)), NONE, "nothing is bound");
    assert_eq!(limits(&story.receives(update(1))), NONE, "nothing is known");
    assert_eq!(limits(&story.is_told(1_400, 24, 0, ELSEWHERE.into())), NONE, "not the path in use");
    assert_eq!(limits(&story.is_told(1_400, 24, 0, here)), [1_400]);
    assert_eq!(limits(&story.is_told(1_400, 24, 0, here)), NONE, "known");
    assert_eq!(limits(&story.is_told(1_200, 24, 0, here)), [1_200]);
    assert_eq!(limits(&story.receives(update(2))), [1_200]);
    assert_eq!(limits(&story.is_told(9, 24, 0, here)), [1_150]);
}

#[test]
fn what_was_said_earlier_and_comes_later_is_not_heeded() {
    let mut story = Story::new();
    let here = SocketAddr::from((CARE_OF, 5000));
    story.receives(update(1));
    assert_eq!(limits(&story.is_told_under(20, 1_300, 24, 0, here)), [1_300]);
    assert_eq!(limits(&story.is_told_under(19, 1_400, 24, 0, here)), NONE);
}
