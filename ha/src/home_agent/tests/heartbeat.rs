//! Heartbeats (RFC 5847), which a node sends to find out about a path.

use protocol::wire::mobility::{HeartbeatKind, PathMtu};

use super::*;

const ELSEWHERE: ([u8; 4], u16) = ([198, 51, 100, 99], 7_000);

impl Story {
    fn is_asked(&mut self, len: usize, lease: u32, from: SocketAddr) -> Said {
        let ends = Ends { source: self.sa.home.in_mobility_header(), destination: self.sa.home_agent.in_mobility_header() };
        let request = Heartbeat { kind: HeartbeatKind::Request, sequence: 9, path_mtu: Some(PathMtu(1_300)), len };
        let payload = MobilityMessage::Heartbeat(request).emit(ends);
        let (spi, sequence, next_header) = (self.sa.spi, self.next_number(), signalling::MOBILITY);
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
    for own in [[127, 0, 0, 1], [203, 0, 113, 1], [224, 0, 0, 1]] {
        assert!(Story::new().is_asked(24, 0, (own, 5_000).into()).is_nothing(), "{own:?}");
    }
    assert!(Story::new().is_asked(24, 1, ELSEWHERE.into()).is_nothing());
    let mut unnumbered = Story::with(SecurityAssociation { profile: WireProfile::Draft04, ..association(SPI) });
    assert!(unnumbered.is_asked(24, 0, ELSEWHERE.into()).is_nothing());
}
