//! The run that takes both ends to their states.

use std::sync::LazyLock;

use protocol::eap::Msk;
use protocol::eap::authenticator::{Authenticator, Step as EapStep};
use protocol::eap::method::Around;
use protocol::mhauth::initiator::eap::{AwaitingSelection, Step};
use protocol::mhauth::initiator::{EapOffer, eap as initiator};
use protocol::mhauth::responder::AwaitingInit;
use protocol::mhauth::responder::eap::{AwaitingDone, AwaitingRequest, Succeeded};
use protocol::mhauth::{Failure, Method};
use protocol::profile::WireProfile;
use protocol::sa::{CipherSuite, UserData};
use protocol::wire::container::{self, Container};
use protocol::wire::header::{Headers, Name};
use rand::rngs::StdRng;

use super::super::eap::{self, Subscribers};
use super::super::exchange::{binding, grant, psk, resealed};
use super::Sender;
use super::initiator::Waiting;

/// All messages of a run, and the HAC behind each request but the last.
pub struct Script {
    /// Init, Mid with the identity, Mid with GPSK-2, Done with GPSK-4.
    pub requests: [Vec<u8>; 4],
    /// Identity, GPSK-1, GPSK-3, the grant.
    pub responses: [Vec<u8>; 4],
    /// GPSK-4 in a Mid, where the mobile node might have had it, and the answer to that: EAP-Success.
    pub in_mid: [Vec<u8>; 2],
    pub(super) hacs: [AwaitingRequest; 3],
    pub(super) hac_told: AwaitingDone,
    msk: Msk,
}

/// The run in this profile.
pub fn script(profile: WireProfile) -> &'static Script {
    static RFC6618: LazyLock<Script> = LazyLock::new(|| Script::of(WireProfile::Rfc6618));
    static DRAFT_04: LazyLock<Script> = LazyLock::new(|| Script::of(WireProfile::Draft04));
    match profile {
        WireProfile::Rfc6618 => &RFC6618,
        WireProfile::Draft04 => &DRAFT_04,
    }
}

/// A mobile node that offers both methods, behind its first request.
pub(super) fn start(profile: WireProfile) -> (AwaitingSelection, Vec<u8>, StdRng) {
    let (Ok(mn_id), mut rng) = (eap::ALICE.parse(), eap::rng()) else { unreachable!("the name is a NAI") };
    let (suites, user_data) = (CipherSuite::ALL.to_vec(), UserData::Protected);
    let offer = EapOffer { mn_id, peer: eap::peer(eap::psk()), psk: Some(psk()), profile, suites, user_data };
    let (waiting, request) = initiator::start(offer, binding(), &mut rng);
    (waiting, request, rng)
}

impl Script {
    /// The session's MSK.
    pub fn msk(&self) -> &[u8] {
        self.msk.expose()
    }

    fn of(profile: WireProfile) -> Self {
        let (waiting, init, mut rng) = start(profile);
        let mut server = Server::new();
        let (behind_init, identity) = server.begin(profile, &init);
        let (waiting, mid) = next(Waiting::Selection(waiting).handle(&identity, &mut rng));
        let (behind_mid, gpsk1) = server.answer(&behind_init, &mid);
        let (waiting, gpsk2) = next(waiting.handle(&gpsk1, &mut rng));
        let (awaiting_done, gpsk3) = server.answer(&behind_mid, &gpsk2);
        let (_, done) = next(waiting.handle(&gpsk3, &mut rng));
        let (success, msk) = server.accept(&awaiting_done, &done);
        let gpsk4 = mid_of(profile, &done);
        let Succeeded::Told(hac_told, told) = succeed(&awaiting_done, &gpsk4, &success, &msk) else { unreachable!("a Mid") };
        let Succeeded::Authenticated(hac) = succeed(&awaiting_done, &done, &success, &msk) else { unreachable!("a Done") };
        Self {
            requests: [init, mid, gpsk2, done],
            responses: [identity, gpsk1, gpsk3, hac.grant(&grant(profile, CipherSuite::Aes128CbcSha))],
            in_mid: [gpsk4, told],
            hacs: [behind_init, behind_mid, awaiting_done],
            hac_told,
            msk,
        }
    }
}

/// The mobile node's next request, and what it then waits for.
fn next(step: Result<Step, Failure>) -> (Waiting, Vec<u8>) {
    match step {
        Ok(Step::Mid(waiting, request)) => (Waiting::Mid(waiting), request),
        Ok(Step::Done(waiting, request)) => (Waiting::Done(waiting), request),
        Ok(Step::Psk(..) | Step::Granted(_)) => unreachable!("a run with EAP goes on with EAP"),
        Err(failure) => unreachable!("our own response is not taken: {failure}"),
    }
}

fn succeed(hac: &AwaitingRequest, request: &[u8], success: &[u8], msk: &Msk) -> Succeeded {
    match hac.clone().handle(request).and_then(|received| received.succeed(Some(msk.clone()), success.to_vec())) {
        Ok(succeeded) => succeeded,
        Err(refusal) => unreachable!("our own request is refused: {refusal:?}"),
    }
}

/// A Mid with the EAP packet of a Done.
fn mid_of(profile: WireProfile, done: &[u8]) -> Vec<u8> {
    let headers = Container::parse(done).ok().and_then(|done| Headers::parse(done.content).ok());
    let packet = headers.as_ref().and_then(|headers| headers.get(Name::EapPayload)).unwrap_or_default();
    let content = [b"eap-payload:", packet, b"\r\nauth:00\r\n"].concat();
    let header = container::header(done[1], u16::try_from(content.len()).unwrap_or_default());
    resealed(profile, b"1", &[&header[..], &content].concat(), Sender::MobileNode)
}

/// The EAP server within the HAC.
struct Server(Authenticator);

impl Server {
    fn new() -> Self {
        Self(eap::authenticator())
    }

    fn begin(&self, profile: WireProfile, init: &[u8]) -> (AwaitingRequest, Vec<u8>) {
        match AwaitingInit::new(profile, binding()).with(&Method::ALL).handle(init) {
            Ok(received) => received.begin_eap(&self.0.request_identity()),
            Err(refusal) => unreachable!("our own Init is refused: {refusal:?}"),
        }
    }

    fn answer(&mut self, hac: &AwaitingRequest, request: &[u8]) -> (AwaitingRequest, Vec<u8>) {
        let received = hac.clone().handle(request);
        match received.map(|received| (self.handle(received.packet()), received)) {
            Ok((EapStep::Request(packet), received)) => received.respond(&packet),
            Ok((step, _)) => unreachable!("EAP ends early: {step:?}"),
            Err(refusal) => unreachable!("our own request is refused: {refusal:?}"),
        }
    }

    fn accept(&mut self, hac: &AwaitingRequest, done: &[u8]) -> (Vec<u8>, Msk) {
        match hac.clone().handle(done).map(|received| self.handle(received.packet())) {
            Ok(EapStep::Success { packet, msk: Some(msk), .. }) => (packet, msk),
            Ok(step) => unreachable!("EAP does not succeed: {step:?}"),
            Err(refusal) => unreachable!("our own Done is refused: {refusal:?}"),
        }
    }

    fn handle(&mut self, packet: &[u8]) -> EapStep {
        self.0.handle(packet, &mut Around { rng: &mut eap::rng(), directory: &mut Subscribers(eap::psk()) })
    }
}
