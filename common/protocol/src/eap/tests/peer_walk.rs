//! Every order of eleven messages up to the sixth, sent to a peer, against a model that is written from the RFCs and knows no states: it
//! looks at what came before.

use super::*;
use crate::eap::peer::{Peer, Step};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Identity,
    Notification,
    /// A request of our method, which needs three: after the second it may end, after the third it must.
    Method,
    /// A request that our method answers with a failure.
    Refusal,
    /// A request of a method that is not ours.
    Foreign,
    /// The last request once more.
    Repeated,
    Success,
    SuccessOfAnother,
    Failure,
    Response,
    Garbage,
}

const ALPHABET: [Input; 11] = [
    Input::Identity,
    Input::Notification,
    Input::Method,
    Input::Refusal,
    Input::Foreign,
    Input::Repeated,
    Input::Success,
    Input::SuccessOfAnother,
    Input::Failure,
    Input::Response,
    Input::Garbage,
];

/// The model.
fn judge(before: &[Input], input: Input) -> Verdict {
    let count = |wanted| before.iter().filter(|input| **input == wanted).count();
    let (rounds, has_failed) = (count(Input::Method), count(Input::Refusal) > 0);
    let may_end = rounds >= 2 && !has_failed;
    let goes_on = if may_end { Verdict::MayEnd } else { Verdict::Goes };
    match input {
        // RFC 3748 section 5.2: at any time.
        Input::Notification => goes_on,
        // RFC 3748 section 2.1: nothing of another type once a method has begun; section 5.3.1: a Nak before.
        Input::Identity | Input::Foreign if rounds == 0 && !has_failed => Verdict::Goes,
        // RFC 3748 section 2.1: no request after the last round. A method that has failed has none (RFC 4137 section 4.2).
        Input::Method | Input::Refusal if has_failed || rounds == 3 => Verdict::Ended,
        Input::Method if rounds > 0 => Verdict::MayEnd,
        Input::Method | Input::Refusal => Verdict::Goes,
        // RFC 3748 section 4.1: answered like the first time.
        Input::Repeated if !before.is_empty() => goes_on,
        // RFC 3748 section 4.2: when the method allows it, with the Identifier of the last response.
        Input::Success if may_end => Verdict::Accepted,
        Input::Identity | Input::Foreign | Input::Repeated | Input::Success => Verdict::Ended,
        Input::SuccessOfAnother | Input::Failure | Input::Response | Input::Garbage => Verdict::Ended,
    }
}

/// Who sends these messages.
struct Sender {
    peer: Peer,
    rng: StdRng,
    identifier: u8,
    last: Vec<u8>,
}

impl Sender {
    fn new() -> Self {
        let script = &[Progress::Continue, Progress::MayEnd, Progress::Done];
        let peer = Peer::new(ALICE, vec![ScriptedPeer::boxed(FIRST, script)]).unwrap();
        Self { peer, rng: rng(), identifier: 0, last: Vec::new() }
    }

    fn send(&mut self, input: Input) -> Verdict {
        let packet = match input {
            Input::Identity => self.next(Type::IDENTITY, b""),
            Input::Notification => self.next(Type::NOTIFICATION, b""),
            Input::Method => self.next(FIRST, b""),
            Input::Refusal => self.next(FIRST, REFUSE),
            Input::Foreign => self.next(SECOND, b""),
            Input::Repeated => self.last.clone(),
            Input::Success => success(self.identifier),
            Input::SuccessOfAnother => success(self.identifier.wrapping_sub(1)),
            Input::Failure => failure(self.identifier),
            Input::Response => response(self.identifier, FIRST, b""),
            Input::Garbage => vec![1, self.identifier, 0, 4],
        };
        match self.peer.handle(&packet, &mut self.rng) {
            Ok(Step::Respond(_)) => Verdict::Goes,
            Ok(Step::RespondLast(_)) => Verdict::MayEnd,
            Ok(Step::Succeeded) => Verdict::Accepted,
            Err(_) => Verdict::Ended,
        }
    }

    fn next(&mut self, kind: Type, data: &[u8]) -> Vec<u8> {
        self.identifier += 1;
        self.last = request(self.identifier, kind, data);
        self.last.clone()
    }
}

#[test]
fn a_peer_accepts_exactly_what_the_model_accepts_in_every_order_of_six_messages() {
    let mut accepted = 0_u32;
    let sequences = walk(&ALPHABET, 6, |sequence| {
        let mut sender = Sender::new();
        agree(sequence, judge, |input| {
            let verdict = sender.send(input);
            let has_key = matches!(verdict, Verdict::MayEnd | Verdict::Accepted);
            assert_eq!(sender.peer.msk().is_some(), has_key, "{sequence:?} at {input:?}");
            accepted += u32::from(verdict == Verdict::Accepted);
            verdict
        });
    });
    // Success as the third to the sixth message, which 1, 8, 45 and 218 ways lead to, each with all that may follow.
    assert_eq!((sequences, accepted), (1_771_561, 1331 + 8 * 121 + 45 * 11 + 218));
}
