//! Every order of eight requests up to the sixth, sent to a HAC, against a model that is written from RFC 6618 section 5.9 and knows no
//! states: it looks at what came before.

use std::collections::BTreeMap;

use super::*;
use crate::eap::tests::{Verdict, agree, walk};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Input {
    /// The right EAP packet; the third is the last.
    Mid,
    /// With another key than "1".
    MidUnderMsk,
    /// With the Identifier of the request before.
    MidAgain,
    /// The right EAP packet in a Done that is keyed with the MSK.
    Done,
    /// The same keyed with "1".
    DoneUnderOne,
    /// The same, keyed with the MSK, without a suite list.
    DoneWithoutSuites,
    /// A Done without an EAP packet, keyed with the MSK.
    BareDone,
    Init,
}

const ALPHABET: [Input; 8] = [
    Input::Mid,
    Input::MidUnderMsk,
    Input::MidAgain,
    Input::Done,
    Input::DoneUnderOne,
    Input::DoneWithoutSuites,
    Input::BareDone,
    Input::Init,
];

/// The model. A Done's own `auth` and proposal are looked at once the EAP server is content: before, it is answered like a Mid. Where it is
/// content with a Mid, a Done without a packet is what is left.
fn judge(before: &[Input], input: Input) -> Verdict {
    let is_told = before.len() == 3;
    let is_last = before.len() == 2;
    let goes = match input {
        Input::Mid => !is_told,
        Input::Done if is_last => return Verdict::Accepted,
        Input::BareDone if is_told => return Verdict::Accepted,
        Input::Done | Input::DoneUnderOne | Input::DoneWithoutSuites => before.len() < 2,
        Input::MidUnderMsk | Input::MidAgain | Input::BareDone | Input::Init => false,
    };
    if goes { Verdict::Goes } else { Verdict::Ended }
}

enum State {
    Running(Hac),
    Told(hac::AwaitingDone),
    Over,
}

/// Requests by what they are, their Identifier and that of the EAP packet: each is made once.
type Made = BTreeMap<(Input, u8, u8), Vec<u8>>;

/// Who sends these requests.
struct Requests<'a> {
    hac: State,
    identifier: u8,
    /// Of the last EAP request.
    packet: u8,
    made: &'a mut Made,
}

impl<'a> Requests<'a> {
    fn new(exchange: hac::AwaitingRequest, made: &'a mut Made) -> Self {
        Self { hac: State::Running(Hac { exchange, server: SHORT.server() }), identifier: 1, packet: 7, made }
    }

    fn send(&mut self, input: Input) -> Verdict {
        let hac = std::mem::replace(&mut self.hac, State::Over);
        if matches!(hac, State::Over) {
            return Verdict::Ended;
        }
        self.identifier += 1;
        let (identifier, packet) = (self.identifier, self.packet);
        let octets = self.made.entry((input, identifier, packet)).or_insert_with(|| make(input, identifier, packet));
        match hac {
            State::Running(hac) => {
                let answer = hac.handle(octets);
                self.answered(answer)
            }
            State::Told(hac) => hac.handle(octets).map_or(Verdict::Ended, |_| Verdict::Accepted),
            State::Over => Verdict::Ended,
        }
    }

    fn answered(&mut self, answer: Result<Answer, Refusal>) -> Verdict {
        match answer {
            Ok(Answer::Goes(hac, _)) => {
                (self.hac, self.packet) = (State::Running(hac), self.packet + 1);
                Verdict::Goes
            }
            Ok(Answer::Succeeds(received, key, success)) => match received.succeed(key, success) {
                Ok(hac::Succeeded::Authenticated(_)) => Verdict::Accepted,
                Ok(hac::Succeeded::Told(hac, _)) => {
                    self.hac = State::Told(hac);
                    Verdict::Goes
                }
                Err(_) => Verdict::Ended,
            },
            Ok(Answer::Fails(..)) => panic!("the EAP packets are right"),
            Err(_) => Verdict::Ended,
        }
    }
}

fn make(input: Input, identifier: u8, packet: u8) -> Vec<u8> {
    let kind = if packet == 7 { Type::IDENTITY } else { KIND };
    let packet = mid(&Packet::Response { identifier: packet, kind, data: ALICE.as_bytes() }.write());
    let (key, done) = (msk(), format!("{PROPOSAL}{packet}"));
    let sealed = |identifier, lines: &str, key: Key<'_>| sealed(identifier, lines, key, Sender::MobileNode, &by());
    match input {
        Input::Mid => sealed(identifier, &packet, Key::One),
        Input::MidUnderMsk => sealed(identifier, &packet, Key::Msk(&key)),
        Input::MidAgain => sealed(identifier - 1, &packet, Key::One),
        Input::Done => sealed(identifier, &done, Key::Msk(&key)),
        Input::DoneUnderOne => sealed(identifier, &done, Key::One),
        Input::DoneWithoutSuites => sealed(identifier, &format!("mip6-sas:1\r\n{packet}"), Key::Msk(&key)),
        Input::BareDone => sealed(identifier, PROPOSAL, Key::Msk(&key)),
        Input::Init => Node::start(eap_offer(SHORT.peer())).1,
    }
}

#[test]
fn a_hac_accepts_exactly_what_the_model_accepts_in_every_order_of_six_requests() {
    let exchange = Hac::begin(&Node::start(eap_offer(SHORT.peer())).1, SHORT.server()).0.exchange;
    let (mut made, mut accepted) = (Made::new(), 0_u32);
    let sequences = walk(&ALPHABET, 6, |sequence| {
        let mut requests = Requests::new(exchange.clone(), &mut made);
        agree(sequence, judge, |input| {
            let verdict = requests.send(input);
            accepted += u32::from(verdict == Verdict::Accepted);
            verdict
        });
    });
    // Two of the four kinds of requests with a packet, then Done, or Mid and a bare Done, each with all that may follow.
    assert_eq!((sequences, accepted), (262_144, 4 * 4 * 512 + 4 * 4 * 64));
}
