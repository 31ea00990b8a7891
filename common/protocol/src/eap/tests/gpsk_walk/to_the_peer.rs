//! What comes to the peer.

use super::*;
use crate::eap::peer::{Peer, Step};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Identity,
    Notification,
    Repeated,
    /// The honest server's GPSK-1.
    First,
    /// The same with the weaker suite alone.
    FirstWeaker,
    FirstForged,
    /// What the honest server says to the peer's last message.
    Third,
    ThirdForged,
    ThirdRecorded,
    /// The peer's own message.
    Mirrored,
    Fail,
    Success,
}

impl Input {
    const ALL: [Self; 12] = [
        Self::Identity,
        Self::Notification,
        Self::Repeated,
        Self::First,
        Self::FirstWeaker,
        Self::FirstForged,
        Self::Third,
        Self::ThirdForged,
        Self::ThirdRecorded,
        Self::Mirrored,
        Self::Fail,
        Self::Success,
    ];
}

/// The model: whether a peer accepts after these messages.
fn peer_accepts(sequence: &[Input]) -> bool {
    let Some((Input::Success, before)) = sequence.split_last() else { return false };
    let changes_nothing = |input: &&Input| !matches!(input, Input::Notification | Input::Repeated);
    let method = before.iter().filter(changes_nothing).skip_while(|input| **input == Input::Identity);
    before.first() != Some(&Input::Repeated) && method.eq(&[Input::First, Input::Third])
}

struct Attacker<'a> {
    world: &'a mut World,
    peer: Peer,
    server: GpskServer,
    first: Vec<u8>,
    /// The peer's last Type-Data.
    said: Vec<u8>,
    identifier: u8,
    last: Vec<u8>,
}

impl<'a> Attacker<'a> {
    fn new(world: &'a mut World) -> Self {
        let mut server = server();
        let first = server.start(&mut world.around());
        let peer = Peer::new(ALICE, vec![Box::new(peer_of(ALICE))]).unwrap();
        Self { world, peer, server, first, said: Vec::new(), identifier: 0, last: Vec::new() }
    }

    /// Whether the peer accepts.
    fn send(&mut self, input: Input) -> bool {
        let packet = match input {
            Input::Success => success(self.identifier),
            Input::Repeated => self.last.clone(),
            Input::Identity => self.next(Type::IDENTITY, b""),
            Input::Notification => self.next(Type::NOTIFICATION, b""),
            Input::First => self.next(Type::GPSK, &self.first.clone()),
            Input::FirstWeaker => self.changed_first(|first| Gpsk1 { suites: &[0, 0, 0, 0, 0, 1], ..first }),
            Input::FirstForged => self.changed_first(|first| Gpsk1 { rand_server: &ATTACKERS_RAND, ..first }),
            Input::Third => self.honest_third(),
            Input::ThirdForged => self.forged_third(),
            Input::ThirdRecorded => self.next(Type::GPSK, &self.world.recorded[2].clone()),
            Input::Mirrored => self.next(Type::GPSK, &self.said.clone()),
            Input::Fail => self.next(Type::GPSK, &FailureCode::AUTHENTICATION.write_fail()),
        };
        let step = self.peer.handle(&packet, &mut self.world.rng);
        if let Ok(Step::Respond(packet) | Step::RespondLast(packet)) = &step
            && let Ok(Packet::Response { kind: Type::GPSK, data, .. }) = Packet::parse(packet)
        {
            self.said = data.to_vec();
        }
        step == Ok(Step::Succeeded)
    }

    fn next(&mut self, kind: Type, data: &[u8]) -> Vec<u8> {
        self.identifier += 1;
        self.last = request(self.identifier, kind, data);
        self.last.clone()
    }

    fn changed_first(&mut self, change: impl Fn(Gpsk1<'_>) -> Gpsk1<'_>) -> Vec<u8> {
        let Ok(Message::Gpsk1(first)) = parse(&self.first) else { panic!("no GPSK-1") };
        let data = change(first).write();
        self.next(Type::GPSK, &data)
    }

    fn honest_third(&mut self) -> Vec<u8> {
        let data = match self.server.handle(&self.said, &mut self.world.around()) {
            Ok(ServerStep::Request(data)) => data,
            Ok(ServerStep::Authenticated { .. }) | Err(_) => Vec::new(),
        };
        self.next(Type::GPSK, &data)
    }

    fn forged_third(&mut self) -> Vec<u8> {
        let said = self.said.clone();
        let Ok(Message::Gpsk2(second, _)) = parse(&said) else { return self.next(Type::GPSK, b"") };
        let Gpsk2 { rand_peer, rand_server, id_server, suite, .. } = second;
        let data = Gpsk3 { rand_peer, rand_server, id_server, suite }.write(&forged_keys(rand_peer, rand_server));
        self.next(Type::GPSK, &data)
    }
}

#[test]
fn a_peer_believes_nobody_but_the_server_in_every_order_of_five_messages() {
    let (mut world, mut accepted) = (World::new(), 0_u32);
    let sequences = walk(&Input::ALL, 5, |sequence| {
        let mut attacker = Attacker::new(&mut world);
        for (at, input) in sequence.iter().enumerate() {
            let accepts = attacker.send(*input);
            assert_eq!(accepts, peer_accepts(&sequence[..=at]), "{:?}", &sequence[..=at]);
            accepted += u32::from(accepts);
        }
    });
    // Success as the third to the fifth message, which 1, 6 and 26 ways lead to, each with all that may follow.
    assert_eq!((sequences, accepted), (248_832, 144 + 6 * 12 + 26));
}
