//! Every order of eleven messages up to the sixth, sent to an authenticator, against a model that is written from the RFCs.

use super::*;
use crate::eap::authenticator::{Authenticator, Step};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Identity,
    EmptyIdentity,
    /// A Nak that wants the second method.
    NakForSecond,
    /// A Nak that wants what the authenticator does not have.
    NakForOther,
    /// A response of the first method, whose second authenticates.
    First,
    /// A response of the second method, whose first authenticates.
    Second,
    /// A response at which the proposed method fails.
    Break,
    /// A right response but for its Identifier.
    OfAnother,
    Request,
    Success,
    Garbage,
}

const ALPHABET: [Input; 11] = [
    Input::Identity,
    Input::EmptyIdentity,
    Input::NakForSecond,
    Input::NakForOther,
    Input::First,
    Input::Second,
    Input::Break,
    Input::OfAnother,
    Input::Request,
    Input::Success,
    Input::Garbage,
];

/// The model. The run begins with the identity (RFC 3748 section 2), and a Nak answers the first request of a method (section 5.3.1).
fn judge(before: &[Input], input: Input) -> Verdict {
    let has = |wanted| before.contains(&wanted);
    let (has_nak, has_begun) = (has(Input::NakForSecond), has(Input::First));
    let goes = match input {
        Input::Identity => before.is_empty(),
        Input::NakForSecond => !before.is_empty() && !has_nak && !has_begun,
        Input::First if has_begun => return Verdict::Accepted,
        Input::First => !before.is_empty() && !has_nak,
        Input::Second if has_nak => return Verdict::Accepted,
        Input::Second | Input::EmptyIdentity | Input::NakForOther | Input::Break => false,
        Input::OfAnother | Input::Request | Input::Success | Input::Garbage => false,
    };
    if goes { Verdict::Goes } else { Verdict::Ended }
}

/// Who sends these messages.
struct Sender {
    authenticator: Authenticator,
    rng: StdRng,
    directory: Subscribers,
    identifier: u8,
    proposed: Type,
}

impl Sender {
    fn new() -> Self {
        let authenticator = Authenticator::new(0, vec![ScriptedServer::boxed(FIRST, 2), ScriptedServer::boxed(SECOND, 1)]);
        Self { authenticator, rng: rng(), directory: Subscribers(Secret::empty()), identifier: 0, proposed: FIRST }
    }

    fn send(&mut self, input: Input) -> Verdict {
        let id = self.identifier;
        let packet = match input {
            Input::Identity => response(id, Type::IDENTITY, ALICE.as_bytes()),
            Input::EmptyIdentity => response(id, Type::IDENTITY, b""),
            Input::NakForSecond => response(id, Type::NAK, &[SECOND.0]),
            Input::NakForOther => response(id, Type::NAK, &[13]),
            Input::First => response(id, FIRST, b""),
            Input::Second => response(id, SECOND, b""),
            Input::Break => response(id, self.proposed, BREAK),
            Input::OfAnother => response(id.wrapping_sub(1), self.proposed, b""),
            Input::Request => request(id, self.proposed, b""),
            Input::Success => success(id),
            Input::Garbage => vec![2, id, 0, 4],
        };
        let mut around = Around { rng: &mut self.rng, directory: &mut self.directory };
        match self.authenticator.handle(&packet, &mut around) {
            Step::Request(packet) => {
                let Ok(Packet::Request { identifier, kind, .. }) = Packet::parse(&packet) else { panic!("no request") };
                assert_eq!(identifier, id + 1);
                (self.identifier, self.proposed) = (identifier, kind);
                Verdict::Goes
            }
            Step::Success { packet, .. } => {
                assert_eq!(packet, success(id));
                Verdict::Accepted
            }
            Step::Failure { packet, .. } => {
                assert_eq!(packet, failure(id));
                Verdict::Ended
            }
        }
    }
}

#[test]
fn an_authenticator_accepts_exactly_what_the_model_accepts_in_every_order_of_six_messages() {
    let mut accepted = 0_u32;
    let sequences = walk(&ALPHABET, 6, |sequence| {
        let mut sender = Sender::new();
        agree(sequence, judge, |input| {
            let verdict = sender.send(input);
            accepted += u32::from(verdict == Verdict::Accepted);
            verdict
        });
    });
    // Identity, First, First and Identity, Nak, Second, each with all that may follow.
    assert_eq!((sequences, accepted), (1_771_561, 2 * 11 * 11 * 11));
}
