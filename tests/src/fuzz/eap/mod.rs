//! EAP: packets as octets, and whole runs in which one end is ours and the other says what the input has.

mod authenticator;
mod key_holder;
mod peer;

use protocol::eap::method::gpsk::{GpskPeer, GpskServer};
use protocol::eap::method::md5::Md5;
use protocol::eap::method::{Directory, PeerMethod};
use protocol::eap::packet::MAX_LEN;
use protocol::eap::{MAX_REQUESTS, MethodError, Packet};
use protocol::sa::Secret;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::pieces;

pub use authenticator::authenticator;
pub(super) use key_holder::signed;
pub use peer::peer;

/// The first octet's bit that says that our end is the authenticator, with EAP-GPSK; else it is the peer, with EAP-GPSK and EAP-MD5.
pub const AUTHENTICATOR: u8 = 0x01;
/// The first octet's bit that says that the other end has the pre-shared key: each message of EAP-GPSK gets its right MAC.
pub const KEYED: u8 = 0x02;

/// The subscriber whom the key is of.
pub const ALICE: &str = "alice@example.org";
/// The server's name.
pub const SERVER: &str = "hac.example.org";
/// Of both ends' random octets, which are always the same.
const SEED: u64 = 3748;
/// The most packets of one input: some more than a run may take.
const MOST: usize = MAX_REQUESTS as usize + 14;

/// The first octet: [`AUTHENTICATOR`], [`KEYED`]. Then packets, each behind its length, that our end is given in their order.
pub fn eap(data: &[u8]) {
    succeeds(data);
}

/// As [`eap`]: whether the run ended in success.
pub fn succeeds(data: &[u8]) -> bool {
    let Some((first, rest)) = data.split_first() else { return false };
    let packets: Vec<&[u8]> = pieces::split(rest, MOST).collect();
    packets.iter().for_each(|packet| check_round_trip(packet));
    let is_keyed = first & KEYED != 0;
    if first & AUTHENTICATOR == 0 { peer::run(&packets, is_keyed) } else { authenticator::run(&packets, is_keyed) }
}

/// A packet is written as it was read, without its padding.
fn check_round_trip(octets: &[u8]) {
    let Ok(packet) = Packet::parse(octets) else { return };
    let written = packet.write();
    assert!(octets.starts_with(&written) && written.len() <= MAX_LEN, "a packet is written otherwise than it was read");
    assert_eq!(Packet::parse(&written), Ok(packet), "a packet is not read as it was written");
}

/// The key that the two ends share.
pub fn psk() -> Secret {
    Secret::new((0..32).collect())
}

/// The key of our end where the other has none: no input has a MAC under it.
fn unshared_psk() -> Secret {
    Secret::new(vec![0xc4; 32])
}

/// The peer's methods, best first.
fn peer_methods(psk: Secret) -> Vec<Box<dyn PeerMethod>> {
    match GpskPeer::new(ALICE, psk) {
        Ok(gpsk) => vec![Box::new(gpsk), Box::new(Md5::new(Secret::new(b"sesame".to_vec())))],
        Err(error) => unreachable!("{error}"),
    }
}

/// The server's one method.
fn gpsk_server() -> GpskServer {
    match GpskServer::new(SERVER) {
        Ok(server) => server,
        Err(error) => unreachable!("{error}"),
    }
}

/// [`ALICE`] with this key; others have a pseudo-key.
pub struct Subscribers(pub Secret);

impl Directory for Subscribers {
    fn pre_shared_key(&mut self, identity: &str) -> Result<Secret, MethodError> {
        Ok(if identity == ALICE { self.0.clone() } else { Secret::new(vec![0xee; 32]) })
    }
}

/// Random octets, the same each time.
pub fn rng() -> StdRng {
    StdRng::seed_from_u64(SEED)
}
