//! An attacker who has no key sends real messages of EAP-GPSK in any order: forged ones, those of a run before, and those of this run, in
//! which the other end is honest. An end accepts when all that counts came from the other end, and in order.

mod to_the_peer;
mod to_the_server;

use super::*;
use crate::eap::method::gpsk::message::{FailureCode, Gpsk1, Gpsk2, Gpsk3, Message, parse, write_gpsk4};
use crate::eap::method::gpsk::{GpskPeer, GpskServer, Keys, RAND_LEN, Seed, Suite};

const HAC: &str = "hac.example.org";
const ATTACKERS_RAND: [u8; RAND_LEN] = [0x66; RAND_LEN];

fn psk() -> Secret {
    Secret::new((0..32).collect())
}

fn peer_of(identity: &str) -> GpskPeer {
    GpskPeer::new(identity, psk()).unwrap()
}

fn server() -> GpskServer {
    GpskServer::new(HAC).unwrap()
}

/// Keys of Alice's that the attacker makes up, for these two nonces.
fn forged_keys(rand_peer: &[u8; RAND_LEN], rand_server: &[u8; RAND_LEN]) -> Keys {
    let seed = Seed { rand_peer, id_peer: ALICE.as_bytes(), rand_server, id_server: HAC.as_bytes() };
    Keys::derive(Suite::HmacSha256, &Secret::new(vec![0x66; 32]), &seed).unwrap()
}

/// What is the same in all sequences: the source of nonces, the directory, and what GPSK-1 to 4 were in a run before.
struct World {
    rng: StdRng,
    directory: Subscribers,
    recorded: [Vec<u8>; 4],
}

impl World {
    fn new() -> Self {
        let (mut rng, mut directory) = (rng(), Subscribers(psk()));
        let (mut peer, mut server) = (peer_of(ALICE), server());
        let first = server.start(&mut Around { rng: &mut rng, directory: &mut directory });
        let second = peer.handle(0, &first, &mut rng).unwrap().data;
        let third = server.handle(&second, &mut Around { rng: &mut rng, directory: &mut directory });
        let Ok(ServerStep::Request(third)) = third else { panic!("no GPSK-3") };
        let fourth = peer.handle(0, &third, &mut rng).unwrap().data;
        Self { rng, directory, recorded: [first, second, third, fourth] }
    }

    fn around(&mut self) -> Around<'_> {
        Around { rng: &mut self.rng, directory: &mut self.directory }
    }
}
