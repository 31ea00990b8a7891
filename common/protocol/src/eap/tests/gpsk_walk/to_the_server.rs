//! What comes to the server.

use super::*;
use crate::eap::authenticator::{Authenticator, Step};

const BOB: &str = "bob@example.org";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Identity,
    Nak,
    /// What an honest peer says to the server's last message.
    Honest,
    /// What Bob says to it, with Alice's key and his own name.
    Bob,
    SecondForged,
    SecondRecorded,
    FourthForged,
    FourthRecorded,
    /// The server's own message.
    Mirrored,
    Fail,
}

impl Input {
    const ALL: [Self; 10] = [
        Self::Identity,
        Self::Nak,
        Self::Honest,
        Self::Bob,
        Self::SecondForged,
        Self::SecondRecorded,
        Self::FourthForged,
        Self::FourthRecorded,
        Self::Mirrored,
        Self::Fail,
    ];
}

struct Attacker<'a> {
    world: &'a mut World,
    server: Authenticator,
    alice: GpskPeer,
    bob: GpskPeer,
    /// The server's last Type-Data.
    said: Vec<u8>,
    rand_server: [u8; RAND_LEN],
    identifier: u8,
}

impl<'a> Attacker<'a> {
    fn new(world: &'a mut World) -> Self {
        let server = Authenticator::new(0, vec![Box::new(server())]);
        let (alice, bob) = (peer_of(ALICE), peer_of(BOB));
        Self { world, server, alice, bob, said: Vec::new(), rand_server: ATTACKERS_RAND, identifier: 0 }
    }

    /// Whether the server accepts, which is Alice.
    fn send(&mut self, input: Input) -> bool {
        let id = self.identifier;
        let gpsk = |data: &[u8]| response(id, Type::GPSK, data);
        let packet = match input {
            Input::Identity => response(id, Type::IDENTITY, ALICE.as_bytes()),
            Input::Nak => response(id, Type::NAK, &[Type::GPSK.0]),
            Input::Honest => gpsk(&answer(&mut self.alice, &self.said, &mut self.world.rng)),
            Input::Bob => gpsk(&answer(&mut self.bob, &self.said, &mut self.world.rng)),
            Input::SecondForged => gpsk(&self.forged_second()),
            Input::SecondRecorded => gpsk(&self.world.recorded[1]),
            Input::FourthForged => gpsk(&write_gpsk4(&self.forged_keys())),
            Input::FourthRecorded => gpsk(&self.world.recorded[3]),
            Input::Mirrored => gpsk(&self.said),
            Input::Fail => gpsk(&FailureCode::AUTHENTICATION.write_fail()),
        };
        match self.server.handle(&packet, &mut self.world.around()) {
            Step::Request(packet) => {
                let Ok(Packet::Request { identifier, data, .. }) = Packet::parse(&packet) else { panic!("no request") };
                (self.identifier, self.said) = (identifier, data.to_vec());
                if let Ok(Message::Gpsk1(first)) = parse(&self.said) {
                    self.rand_server = *first.rand_server;
                }
                false
            }
            Step::Success { identity, .. } => identity == ALICE,
            Step::Failure { .. } => false,
        }
    }

    fn forged_keys(&self) -> Keys {
        forged_keys(&ATTACKERS_RAND, &self.rand_server)
    }

    fn forged_second(&self) -> Vec<u8> {
        let suites = &Suite::ALL.map(Suite::octets).concat();
        let (id_peer, id_server, rand_server) = (ALICE.as_bytes(), HAC.as_bytes(), &self.rand_server);
        let suite = Suite::HmacSha256.octets();
        Gpsk2 { id_peer, id_server, rand_peer: &ATTACKERS_RAND, rand_server, suites, suite }.write(&self.forged_keys())
    }
}

fn answer(peer: &mut GpskPeer, said: &[u8], rng: &mut StdRng) -> Vec<u8> {
    peer.handle(0, said, rng).map_or(Vec::new(), |reply| reply.data)
}

#[test]
fn a_server_believes_nobody_but_the_peer_in_every_order_of_five_messages() {
    let (mut world, mut accepted) = (World::new(), 0_u32);
    let sequences = walk(&Input::ALL, 5, |sequence| {
        let mut attacker = Attacker::new(&mut world);
        for (at, input) in sequence.iter().enumerate() {
            let accepts = attacker.send(*input);
            let expected = sequence[..=at] == [Input::Identity, Input::Honest, Input::Honest];
            assert_eq!(accepts, expected, "{:?}", &sequence[..=at]);
            accepted += u32::from(accepts);
        }
    });
    assert_eq!((sequences, accepted), (100_000, 100));
}
