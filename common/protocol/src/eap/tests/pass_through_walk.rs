//! Every order of eleven messages up to the sixth, from a peer and from a AAA server, against a model that is written from the RFCs.

use super::*;
use crate::eap::pass_through::{Kind, PassThrough};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    /// From the peer.
    Identity,
    EmptyIdentity,
    Response,
    ResponseToAnother,
    RequestOfPeer,
    /// From the AAA server.
    Request,
    Success,
    SuccessOfAnother,
    Failure,
    ResponseOfServer,
    GarbageOfServer,
}

const ALPHABET: [Input; 11] = [
    Input::Identity,
    Input::EmptyIdentity,
    Input::Response,
    Input::ResponseToAnother,
    Input::RequestOfPeer,
    Input::Request,
    Input::Success,
    Input::SuccessOfAnother,
    Input::Failure,
    Input::ResponseOfServer,
    Input::GarbageOfServer,
];

/// The model: the two take turns (RFC 3748 section 2: "lock step"), the peer's identity comes first, and a result answers a response
/// (section 4.2).
fn judge(before: &[Input], input: Input) -> Verdict {
    let is_peers_turn = before.len().is_multiple_of(2);
    let goes = match input {
        Input::Identity => is_peers_turn,
        Input::EmptyIdentity | Input::Response => is_peers_turn && !before.is_empty(),
        Input::Request => !is_peers_turn,
        Input::Success if !is_peers_turn => return Verdict::Accepted,
        Input::ResponseToAnother | Input::RequestOfPeer | Input::Success | Input::SuccessOfAnother => false,
        Input::Failure | Input::ResponseOfServer | Input::GarbageOfServer => false,
    };
    if goes { Verdict::Goes } else { Verdict::Ended }
}

/// A run, and the Identifier of the last request in it.
struct Ends {
    run: PassThrough,
    identifier: u8,
}

impl Ends {
    fn send(&mut self, input: Input) -> Verdict {
        let id = self.identifier;
        match input {
            Input::Identity => self.peer_sends(&response(id, Type::IDENTITY, ALICE.as_bytes())),
            Input::EmptyIdentity => self.peer_sends(&response(id, Type::IDENTITY, b"")),
            Input::Response => self.peer_sends(&response(id, FIRST, b"")),
            Input::ResponseToAnother => self.peer_sends(&response(id.wrapping_sub(1), FIRST, b"")),
            Input::RequestOfPeer => self.peer_sends(&request(id, FIRST, b"")),
            Input::Request => {
                self.identifier = id.wrapping_add(5);
                self.server_sends(&request(self.identifier, FIRST, b""))
            }
            Input::Success => self.server_sends(&success(id)),
            Input::SuccessOfAnother => self.server_sends(&success(id.wrapping_add(1))),
            Input::Failure => self.server_sends(&failure(id)),
            Input::ResponseOfServer => self.server_sends(&response(id, FIRST, b"")),
            Input::GarbageOfServer => self.server_sends(&[3, id, 0, 5, 0]),
        }
    }

    fn peer_sends(&mut self, packet: &[u8]) -> Verdict {
        if self.run.handle_response(packet).is_ok() { Verdict::Goes } else { Verdict::Ended }
    }

    fn server_sends(&mut self, packet: &[u8]) -> Verdict {
        match self.run.handle_from_server(packet) {
            Ok(Kind::Request) => Verdict::Goes,
            Ok(Kind::Success) => Verdict::Accepted,
            Ok(Kind::Failure) | Err(_) => Verdict::Ended,
        }
    }
}

#[test]
fn a_pass_through_accepts_exactly_what_the_model_accepts_in_every_order_of_six_messages() {
    let mut accepted = 0_u32;
    let sequences = walk(&ALPHABET, 6, |sequence| {
        let mut ends = Ends { run: PassThrough::new(250), identifier: 250 };
        agree(sequence, judge, |input| {
            let verdict = ends.send(input);
            accepted += u32::from(verdict == Verdict::Accepted);
            verdict
        });
    });
    // Success is the second, fourth or sixth message; each round before it has one of three responses.
    assert_eq!((sequences, accepted), (1_771_561, 11_u32.pow(4) + 3 * 11 * 11 + 9));
}
