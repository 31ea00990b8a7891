//! Tests of the three machines: their rules in sentences with methods that follow a script, every order of messages against a model, and
//! EAP-GPSK from end to end. How every order is walked serves the tests of MHAuth too.

mod any_octets;
mod authenticator_rules;
mod authenticator_walk;
mod gpsk_runs;
mod gpsk_walk;
mod pass_through_rules;
mod pass_through_walk;
mod passwords;
mod peer_rules;
mod peer_walk;

use std::fmt::Debug;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_core::CryptoRng;

use super::method::{Around, Directory, PeerMethod, Progress, Reply, ServerMethod, ServerStep};
use super::{EapError, MAX_IDENTITY_LEN, MAX_REQUESTS, MethodError, Msk, Packet, Type};
use crate::sa::Secret;

const ALICE: &str = "alice@example.org";
/// Two types that no method of ours has.
const FIRST: Type = Type(90);
const SECOND: Type = Type(91);
/// Type-Data at which a scripted method answers with a failure.
const REFUSE: &[u8] = b"refuse";
/// Type-Data at which a scripted method ends the run.
const BREAK: &[u8] = b"break";

fn rng() -> StdRng {
    StdRng::seed_from_u64(7)
}

fn msk() -> Option<Msk> {
    Msk::new(&Secret::new(vec![0x5a; 64]))
}

fn request(identifier: u8, kind: Type, data: &[u8]) -> Vec<u8> {
    Packet::Request { identifier, kind, data }.write()
}

fn response(identifier: u8, kind: Type, data: &[u8]) -> Vec<u8> {
    Packet::Response { identifier, kind, data }.write()
}

fn success(identifier: u8) -> Vec<u8> {
    Packet::Success { identifier }.write()
}

fn failure(identifier: u8) -> Vec<u8> {
    Packet::Failure { identifier }.write()
}

/// A peer's method that says in each round what its script has there, and the last of it from then on.
struct ScriptedPeer {
    kind: Type,
    script: &'static [Progress],
    round: usize,
}

impl ScriptedPeer {
    fn boxed(kind: Type, script: &'static [Progress]) -> Box<dyn PeerMethod> {
        Box::new(Self { kind, script, round: 0 })
    }
}

impl PeerMethod for ScriptedPeer {
    fn kind(&self) -> Type {
        self.kind
    }

    fn handle(&mut self, identifier: u8, data: &[u8], _rng: &mut dyn CryptoRng) -> Result<Reply, MethodError> {
        let progress = match data {
            BREAK => return Err(MethodError::Malformed),
            REFUSE => Progress::Failed(MethodError::Refused),
            _ => self.script[self.round.min(self.script.len() - 1)],
        };
        self.round += 1;
        Ok(Reply { data: vec![identifier], progress })
    }

    fn msk(&self) -> Option<Msk> {
        msk()
    }
}

/// A server's method that authenticates [`ALICE`] with the response to its last request.
struct ScriptedServer {
    kind: Type,
    requests: usize,
}

impl ScriptedServer {
    fn boxed(kind: Type, requests: usize) -> Box<dyn ServerMethod> {
        Box::new(Self { kind, requests })
    }
}

impl ServerMethod for ScriptedServer {
    fn kind(&self) -> Type {
        self.kind
    }

    fn start(&mut self, _around: &mut Around<'_>) -> Vec<u8> {
        self.requests -= 1;
        b"first".to_vec()
    }

    fn handle(&mut self, data: &[u8], _around: &mut Around<'_>) -> Result<ServerStep, MethodError> {
        if data == BREAK {
            return Err(MethodError::Malformed);
        }
        let Some(left) = self.requests.checked_sub(1) else {
            return Ok(ServerStep::Authenticated { identity: ALICE.into(), msk: msk() });
        };
        self.requests = left;
        Ok(ServerStep::Request(b"next".to_vec()))
    }
}

/// Alice with this key; others have a pseudo-key.
struct Subscribers(Secret);

impl Directory for Subscribers {
    fn pre_shared_key(&mut self, identity: &str) -> Result<Secret, MethodError> {
        Ok(if identity == ALICE { self.0.clone() } else { Secret::new(vec![0xee; 32]) })
    }
}

/// What a machine does with one more message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It answers, and more must come.
    Goes,
    /// It answers, and that may be the last.
    MayEnd,
    /// Success.
    Accepted,
    /// The run is over.
    Ended,
}

/// Calls `check` with every sequence of `depth` inputs out of `alphabet`, and gives how many there were. All shorter ones are beginnings
/// of these.
pub(crate) fn walk<I: Copy>(alphabet: &[I], depth: u32, mut check: impl FnMut(&[I])) -> usize {
    let mut sequence = Vec::new();
    let sequences = alphabet.len().pow(depth);
    for number in 0..sequences {
        sequence.clear();
        sequence.extend((0..depth).map(|place| alphabet[number / alphabet.len().pow(place) % alphabet.len()]));
        check(&sequence);
    }
    sequences
}

/// Whether `step`, a machine, says to each input of a sequence what the model says: `judge` gets the inputs before it, none of which has
/// ended the run, and the input.
pub(crate) fn agree<I: Copy + Debug>(sequence: &[I], judge: impl Fn(&[I], I) -> Verdict, mut step: impl FnMut(I) -> Verdict) {
    let mut is_running = true;
    for (at, input) in sequence.iter().enumerate() {
        let expected = if is_running { judge(&sequence[..at], *input) } else { Verdict::Ended };
        assert_eq!(step(*input), expected, "{:?}", &sequence[..=at]);
        is_running &= matches!(expected, Verdict::Goes | Verdict::MayEnd);
    }
}
