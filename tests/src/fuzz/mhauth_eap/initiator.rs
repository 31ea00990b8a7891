//! The mobile node's end, given a response.

use protocol::mhauth::Failure;
use protocol::mhauth::authenticator::Sender;
use protocol::mhauth::initiator::eap::{AwaitingDoneResponse, AwaitingMidResponse, AwaitingSelection, Step};
use protocol::profile::WireProfile;
use rand::rngs::StdRng;

use super::super::exchange::{self, KEY};
use super::script::start;
use super::{is_keyed, script};

/// What it waits for.
pub(super) enum Waiting {
    Selection(AwaitingSelection),
    Mid(AwaitingMidResponse),
    Done(AwaitingDoneResponse),
}

impl Waiting {
    pub(super) fn handle(self, response: &[u8], rng: &mut StdRng) -> Result<Step, Failure> {
        match self {
            Self::Selection(waiting) => waiting.handle(response, rng),
            Self::Mid(waiting) => waiting.handle(response, rng),
            Self::Done(waiting) => waiting.handle(response, rng),
        }
    }
}

/// The mobile node behind the first responses of the run.
fn mobile_node(profile: WireProfile, responses: usize) -> (Waiting, StdRng) {
    let (waiting, _, mut rng) = start(profile);
    let mut waiting = Waiting::Selection(waiting);
    for response in script(profile).responses.iter().take(responses) {
        waiting = match waiting.handle(response, &mut rng) {
            Ok(Step::Mid(next, _)) => Waiting::Mid(next),
            Ok(Step::Done(next, _)) => Waiting::Done(next),
            Ok(Step::Psk(..) | Step::Granted(_)) | Err(_) => unreachable!("the run's own response is not taken"),
        };
    }
    (waiting, rng)
}

/// What follows from a response has what it needs: the key "1" for another round, the server's proof for a Done, the MSK for a grant.
pub(super) fn check(profile: WireProfile, responses: usize, message: &[u8]) -> &'static str {
    let has_auth = |key: &[u8]| is_keyed(profile, key, Sender::Controller, message);
    let (one, msk) = (b"1".as_slice(), script(profile).msk());
    let (waiting, mut rng) = mobile_node(profile, responses);
    match waiting.handle(message, &mut rng) {
        Ok(Step::Mid(_, request)) => {
            assert!(has_auth(one) && responses < 3, "another round out of nothing");
            check_request(profile, responses, one, &request);
            "mid"
        }
        Ok(Step::Done(_, request)) => {
            assert!(has_auth(one) && responses >= 2, "the server had proved nothing");
            check_request(profile, responses, msk, &request);
            "done"
        }
        Ok(Step::Psk(_, request)) => {
            assert!(has_auth(&KEY) && responses == 0, "the pre-shared key was not selected");
            check_request(profile, responses, &KEY, &request);
            "psk"
        }
        Ok(Step::Granted(grant)) => {
            assert!(has_auth(msk) && responses == 3, "a grant without the key");
            exchange::check_grant(profile, &grant);
            "granted"
        }
        Err(Failure::Refused { status, authenticated, .. }) => {
            assert_ne!(status.code(), 200, "a success is no refusal");
            assert!(!authenticated || has_auth(msk) && responses == 3, "a hint is taken for more");
            "refused"
        }
        Err(Failure::Eap(_) | Failure::Rejected(_)) => "rejected",
    }
}

/// Our request has the next Identifier and the `auth` of this key.
fn check_request(profile: WireProfile, responses: usize, key: &[u8], request: &[u8]) {
    assert_eq!(request.get(1).map(|identifier| usize::from(*identifier)), Some(responses + 2), "another Identifier");
    assert!(is_keyed(profile, key, Sender::MobileNode, request), "a request of ours is keyed otherwise");
}
