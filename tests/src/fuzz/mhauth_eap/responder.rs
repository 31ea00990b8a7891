//! The HAC's end, given a request.

use protocol::eap::Msk;
use protocol::eap::packet::{MAX_LEN, Packet};
use protocol::mhauth::authenticator::Sender;
use protocol::mhauth::responder::eap::{Received, Succeeded};
use protocol::mhauth::{Rejection, Status};
use protocol::profile::WireProfile;
use protocol::sa::Secret;
use protocol::wire::container::Container;
use protocol::wire::header::{Headers, Name};

use super::super::exchange::{check_authenticated, check_refusal};
use super::{is_keyed, script};

/// EAP-Success as the EAP server might send it.
const SUCCESS: Packet<'static> = Packet::Success { identifier: 9 };

/// A request goes on, or is refused, under the key that it must have.
pub(super) fn check(profile: WireProfile, requests: usize, message: &[u8]) -> &'static str {
    let hac = &script(profile).hacs[requests - 1];
    let received = || hac.clone().handle(message);
    match received() {
        Ok(received) => check_round(profile, received, message),
        Err(refusal) => {
            check_refusal(profile, &refusal, b"1");
            return "refused";
        }
    }
    received().iter().for_each(|received| {
        let failure = Packet::Failure { identifier: 9 }.write();
        check_refusal(profile, &received.understudy().refuse(Status::NotAuthenticated, None, Some(&failure)), b"1");
    });
    let msk = Msk::new(&Secret::new(script(profile).msk().to_vec()));
    let succeed = |msk| received().and_then(|received| received.succeed(msk, SUCCESS.write()));
    check_success(profile, succeed(None), message, b"1");
    check_success(profile, succeed(msk), message, script(profile).msk())
}

/// The EAP server has another request.
fn check_round(profile: WireProfile, received: Received, message: &[u8]) {
    let is_known = is_done(message) || is_keyed(profile, b"1", Sender::MobileNode, message);
    assert!(is_known && received.packet().len() <= MAX_LEN, "a request without its `auth`, or a packet too long");
    let (next, response) = received.respond(&[1, 9, 0, 5, 1]);
    assert!(is_keyed(profile, b"1", Sender::Controller, &response), "a response of ours is keyed otherwise");
    let again = next.handle(message).err().and_then(|refusal| refusal.rejection);
    assert_eq!(again, Some(Rejection::Identifier), "a request is taken twice");
}

/// The EAP server is content: Done is authenticated by its `auth` alone, and Mid is no Done.
fn check_success(
    profile: WireProfile,
    succeeded: Result<Succeeded, protocol::mhauth::Refusal>,
    message: &[u8],
    key: &[u8],
) -> &'static str {
    match succeeded {
        Ok(Succeeded::Authenticated(hac)) => {
            let is_proved = is_done(message) && is_keyed(profile, key, Sender::MobileNode, message);
            assert!(is_proved, "authenticated without the key");
            check_authenticated(profile, hac);
            "authenticated"
        }
        Ok(Succeeded::Told(next, response)) => {
            assert!(!is_done(message) && is_keyed(profile, b"1", Sender::Controller, &response), "told otherwise");
            let again = next.handle(message).err().and_then(|refusal| refusal.rejection);
            assert_eq!(again, Some(Rejection::Identifier), "a request is taken twice");
            "told"
        }
        Err(refusal) => {
            assert!(is_done(message), "a Mid is refused after EAP-Success");
            check_refusal(profile, &refusal, key);
            "refused"
        }
    }
}

/// Behind EAP-Success there is only a Done without EAP.
pub(super) fn check_told(profile: WireProfile, message: &[u8]) -> &'static str {
    let key = script(profile).msk();
    match script(profile).hac_told.clone().handle(message) {
        Ok(hac) => {
            assert!(is_done(message) && is_keyed(profile, key, Sender::MobileNode, message), "authenticated without the key");
            check_authenticated(profile, hac);
            "authenticated"
        }
        Err(refusal) => {
            check_refusal(profile, &refusal, key);
            "refused"
        }
    }
}

fn is_done(message: &[u8]) -> bool {
    let headers = Container::parse(message).ok().and_then(|container| Headers::parse(container.content).ok());
    headers.is_some_and(|headers| headers.has(Name::Sas) || headers.has(Name::SuiteList))
}
