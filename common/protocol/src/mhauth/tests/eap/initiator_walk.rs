//! Every order of eight responses up to the sixth, sent to a node, against a model that is written from RFC 6618 section 5.9 and knows no
//! states: it looks at what came before.

use std::collections::BTreeMap;

use super::*;
use crate::eap::tests::{Verdict, agree, walk};

/// Another round after the first Done, and after the second.
const LONG: Script = Script { says: &[Progress::Continue, Progress::MayEnd, Progress::MayEnd, Progress::Done], ..SHORT };

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Input {
    /// The method's next request, in the form that has its place. The second may be the last, the fourth is.
    Request,
    /// The same, keyed for another channel.
    RequestElsewhere,
    /// The same in answer to another request.
    RequestLate,
    Success,
    Failure,
    /// A grant with EAP-Success, keyed with the MSK.
    Grant,
    /// A grant without, keyed with the MSK.
    BareGrant,
    /// A grant with EAP-Success, keyed with "1".
    GrantUnderOne,
}

const ALPHABET: [Input; 8] = [
    Input::Request,
    Input::RequestElsewhere,
    Input::RequestLate,
    Input::Success,
    Input::Failure,
    Input::Grant,
    Input::BareGrant,
    Input::GrantUnderOne,
];

/// The model: a Mid is answered by [`Verdict::Goes`], Done sent with [`Verdict::MayEnd`].
fn judge(before: &[Input], input: Input) -> Verdict {
    let rounds = before.iter().filter(|input| **input == Input::Request).count();
    let (has_sent_done, is_told) = (rounds >= 2, before.contains(&Input::Success));
    match input {
        Input::Request if is_told || rounds == 4 => Verdict::Ended,
        Input::Request if rounds == 0 => Verdict::Goes,
        Input::Request => Verdict::MayEnd,
        // A Success that the method does not permit yet (RFC 3748 section 4.2), or a second one.
        Input::Success if has_sent_done && !is_told => Verdict::MayEnd,
        Input::Grant if has_sent_done => Verdict::Accepted,
        Input::BareGrant if is_told => Verdict::Accepted,
        Input::RequestElsewhere | Input::RequestLate | Input::Success | Input::Failure => Verdict::Ended,
        Input::Grant | Input::BareGrant | Input::GrantUnderOne => Verdict::Ended,
    }
}

/// Responses by what they are, their Identifier and that of the last EAP request: each is made once.
type Made = BTreeMap<(Input, u8, u8), Vec<u8>>;

/// Who sends these responses.
struct Responses<'a> {
    node: Option<Node>,
    identifier: u8,
    /// Of the last EAP request.
    packet: u8,
    made: &'a mut Made,
}

impl<'a> Responses<'a> {
    fn new(made: &'a mut Made) -> Self {
        Self { node: Some(Node::start(eap_offer(LONG.peer())).0), identifier: 1, packet: 0, made }
    }

    fn send(&mut self, input: Input) -> Verdict {
        let Some(node) = self.node.take() else { return Verdict::Ended };
        let (identifier, packet) = (self.identifier, self.packet);
        let octets = self.made.entry((input, identifier, packet)).or_insert_with(|| make(input, identifier, packet));
        self.packet += u8::from(input == Input::Request);
        match node.handle(octets) {
            Ok(node::Step::Mid(node, request)) => self.goes(Node::InMid(node), &request, Verdict::Goes),
            Ok(node::Step::Done(node, request)) => self.goes(Node::InDone(node), &request, Verdict::MayEnd),
            Ok(node::Step::Granted(_)) => Verdict::Accepted,
            Ok(node::Step::Psk(..)) => panic!("no key was offered"),
            Err(_) => Verdict::Ended,
        }
    }

    fn goes(&mut self, node: Node, request: &[u8], verdict: Verdict) -> Verdict {
        assert_eq!(request[1], self.identifier + 1);
        (self.node, self.identifier) = (Some(node), request[1]);
        verdict
    }
}

fn make(input: Input, identifier: u8, packet: u8) -> Vec<u8> {
    let key = msk();
    let first = if identifier == 1 { "auth-method:eap\r\n" } else { "" };
    let one = |identifier, packet: &[u8], by: &Authenticator| {
        sealed(identifier, &format!("{first}{}", mid(packet)), Key::One, Sender::Controller, by)
    };
    let result = success(packet);
    let grant = lines(&Ready::scripted(SHORT).authenticated().1.grant(&grant(CipherSuite::Aes128Gcm)));
    let grant = |packet: &str, key: Key<'_>| {
        sealed(identifier, &grant.replace(&mid(&success(9)), packet), key, Sender::Controller, &by())
    };
    match input {
        Input::Request => one(identifier, &request(packet + 1), &by()),
        Input::RequestElsewhere => one(identifier, &request(packet + 1), &elsewhere()),
        Input::RequestLate => one(identifier - 1, &request(packet + 1), &by()),
        Input::Success => one(identifier, &result, &by()),
        Input::Failure => one(identifier, &failure(packet), &by()),
        Input::Grant => grant(&mid(&result), Key::Msk(&key)),
        Input::BareGrant => grant("", Key::Msk(&key)),
        Input::GrantUnderOne => grant(&mid(&result), Key::One),
    }
}

#[test]
fn a_node_accepts_exactly_what_the_model_accepts_in_every_order_of_six_responses() {
    let (mut made, mut accepted) = (Made::new(), 0_u32);
    let sequences = walk(&ALPHABET, 6, |sequence| {
        let mut responses = Responses::new(&mut made);
        agree(sequence, judge, |input| {
            let verdict = responses.send(input);
            accepted += u32::from(verdict == Verdict::Accepted);
            verdict
        });
    });
    // A grant behind two, three or four requests, and two kinds of grants behind these and a Success, each with all that may follow.
    assert_eq!((sequences, accepted), (262_144, 512 + 64 + 8 + 2 * (64 + 8 + 1)));
}
