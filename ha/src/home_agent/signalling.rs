//! Binding Updates: from an authentic PType 8 payload to the binding and its Binding Acknowledgements.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use protocol::sa::Spi;
use protocol::time::Lifetime;
use protocol::tunnel::{Command, DropReason, Install, Path, Paths, SignallingReceived};
use protocol::wire::mobility::{
    BindingAcknowledgement, BindingUpdate, Ends, MobilityMessage, NatDetection, PathToken, Status, sequence,
};
use protocol::wire::signalling::{self, Signalling};
use rand::CryptoRng;

use super::held_sa::HeldSa;
use super::{Binding, HomeAgent};
use crate::binding_cache::{CareOfBinding, PathProof};
use crate::path_check::{self, Arrival};
use crate::registration::{self, Circumstances, Decision, Registration, identifier};
use crate::unproved::Place;

/// NATKATIMEOUT of RFC 5555 section 6: after so long without a packet a node keeps its NAT's mapping alive.
const NAT_REFRESH_SECONDS: u32 = 110;
/// RFC 5555 section 3.2.2: no keepalives are needed.
const NO_NAT: u32 = u32::MAX;

impl HomeAgent {
    /// Takes an authentic PType 8 payload. What is not a good Binding Update is counted.
    pub(super) fn handle_signalling(&mut self, received: &SignallingReceived, now: Instant, rng: &mut impl CryptoRng) {
        if let Err(reason) = self.handle_mobility_header(received, now, rng) {
            self.counters.count_drop(reason);
        }
    }

    fn handle_mobility_header(
        &mut self,
        received: &SignallingReceived,
        now: Instant,
        rng: &mut impl CryptoRng,
    ) -> Result<(), DropReason> {
        let held = self.sas.get(&received.spi).ok_or(DropReason::UnknownSpi)?;
        let home = held.home();
        let parsed = Signalling::parse(received.next_header, &received.payload)?;
        if parsed.routing_header.is_some() {
            return Err(DropReason::MalformedSignalling);
        }
        // RFC 6275 section 10.3.1: the SA identifies the home address. A bare header means the SA's own.
        if parsed.home_address_option.is_some_and(|address| address != home) {
            return Err(DropReason::SpoofedHomeAddress);
        }
        let ends = Ends { source: home, destination: held.sa().home_agent.in_mobility_header() };
        match MobilityMessage::parse(parsed.mobility_header, ends)? {
            MobilityMessage::BindingUpdate(update) => self.handle_binding_update(&update, received, now, rng),
            MobilityMessage::Heartbeat(heartbeat) => self.handle_heartbeat(&heartbeat, received, now),
            MobilityMessage::BindingRefreshRequest(_)
            | MobilityMessage::BindingAcknowledgement(_)
            | MobilityMessage::BindingError(_) => Err(DropReason::UnexpectedMobilityHeader),
        }
    }

    fn handle_binding_update(
        &mut self,
        update: &BindingUpdate,
        received: &SignallingReceived,
        now: Instant,
        rng: &mut impl CryptoRng,
    ) -> Result<(), DropReason> {
        let held = self.sas.get_mut(&received.spi).ok_or(DropReason::UnknownSpi)?;
        let install = held.install.clone();
        // A counter is known or the SA is not used: with the replay state lost, 176 is all that is said.
        if received.lease > 0 {
            if !held.reinit.allow(now) {
                return Err(DropReason::ReplayStateLost);
            }
            self.acknowledge(received, &install, update, Status::REINIT_SA_WITH_HAC, update.sequence);
            return Ok(());
        }
        // What was sent before does nothing but draw a 135, so whoever repeats it where packets are not numbered takes no place of the
        // node's own.
        let is_new = held.last_sequence.is_none_or(|last| sequence::is_newer(update.sequence, last));
        if is_new && !held.updates.allow(now) {
            return Err(DropReason::SignallingTooOften);
        }
        self.take(update, received, &[], now, rng)
    }

    /// Judges a Binding Update and does what follows, unless somebody has to look on the home link first for another address than those
    /// that are `known` to be nobody else's.
    pub(super) fn take(
        &mut self,
        update: &BindingUpdate,
        received: &SignallingReceived,
        known: &[IpAddr],
        now: Instant,
        rng: &mut impl CryptoRng,
    ) -> Result<(), DropReason> {
        let decision = self.judge(update, received, now)?;
        let Some(decision) = self.meet(decision, update, received, now, rng) else { return Ok(()) };
        let waits = match &decision {
            Decision::Register(registration) => self.awaits_detection(&registration.home, known, update, received),
            Decision::Deregister(_) | Decision::Refuse(..) => false,
        };
        if !waits {
            self.act(decision, update, received, now, rng);
        }
        Ok(())
    }

    /// Does what was decided about a Binding Update.
    fn act(
        &mut self,
        decision: Decision,
        update: &BindingUpdate,
        received: &SignallingReceived,
        now: Instant,
        rng: &mut impl CryptoRng,
    ) {
        let Some(held) = self.sas.get_mut(&received.spi) else { return };
        if !matches!(decision, Decision::Refuse(..)) {
            held.last_sequence = Some(update.sequence);
            held.knows_token |= update.has_option_of_ours();
        }
        let (home, install) = (held.home(), held.install.clone());
        if update.lifetime == Lifetime::ZERO {
            self.detections.forget(home);
        }
        match decision {
            Decision::Register(registration) => self.register(&registration, update, received, now, rng),
            Decision::Deregister(id) => {
                self.deregister(home, id, now);
                self.acknowledge(received, &install, update, Status::ACCEPTED, update.sequence);
            }
            Decision::Refuse(status, sequence) => self.acknowledge(received, &install, update, status, sequence),
        }
    }

    fn judge(&self, update: &BindingUpdate, received: &SignallingReceived, now: Instant) -> Result<Decision, DropReason> {
        let held = self.sas.get(&received.spi).ok_or(DropReason::UnknownSpi)?;
        let given = Circumstances {
            install: &held.install,
            last_sequence: held.last_sequence,
            before: self.cache.get(held.home()),
            is_superseded: self.is_superseded(held),
            from: self.relays.seen_from(received.from),
            longest: self.config.longest_binding,
            nowhere: self.nowhere(),
        };
        registration::judge(update, &given, now)
    }

    /// Whether the node has registered under an SA that came later than this one.
    fn is_superseded(&self, held: &HeldSa) -> bool {
        let other = self.cache.get(held.home()).and_then(|binding| self.sas.get(&binding.spi));
        held.is_superseded || other.is_some_and(|other| other.installed > held.installed)
    }

    /// Binds, acknowledges, and says when a new SA is wanted.
    fn register(
        &mut self,
        registration: &Registration,
        update: &BindingUpdate,
        received: &SignallingReceived,
        now: Instant,
        rng: &mut impl CryptoRng,
    ) {
        self.inherit(received.spi);
        let Some(held) = self.sas.get(&received.spi) else { return };
        let (home, install, is_renewal_wanted) = (held.home(), held.install.clone(), held.renewal.is_wanted());
        let place = (received.socket, received.from);
        let relayed = self.relays.remote_of(received.from);
        let arrival = Arrival {
            path: Path::proved(received.socket, received.from),
            is_relayed: relayed.is_some(),
            care_of: registration.care_of,
            token: update.path_check,
            asked_with: held.seen_at.filter(|seen| seen.place == place).map(|seen| seen.token),
            before: self.cache.get(home).and_then(|binding| binding.before(registration.id, update.overwrite)),
            update_proves: !held.has_authentic_data() && !held.knows_token,
        };
        let proof = path_check::judge(&arrival, rng);
        let is_alone = self.cache.get(home).is_none_or(|before| {
            let mut beside = before.beside(registration.id, update.overwrite, received.spi);
            !beside.any(|care_of| care_of.is_unproved_beside(place))
        });
        self.note_place(received.spi, place, is_alone, &proof, now);
        let binding = binding(registration, received, relayed, proof, now);
        let acknowledgement = acknowledgement(&binding.latest, registration, update.sequence);
        self.bind(home, binding, update.overwrite, now);
        self.note_relay(received.from, home);
        self.limit_downlink(received.spi);
        self.answer(received, &install, update, acknowledgement);
        if let Some(highest) = update.received {
            self.resend(received.spi, highest, now);
        }
        if is_renewal_wanted {
            self.ask_again_later(received.spi, now);
            self.acknowledge(received, &install, update, Status::REINIT_SA_WITH_HAC, update.sequence);
        }
    }

    /// A new SA of the node begins with what the path check knows of it under the one before. With another budget whoever keeps Binding
    /// Updates away would get one with each SA; and what proves nothing once a node knows the token is to prove nothing later.
    fn inherit(&mut self, spi: Spi) {
        let home = self.sas.get(&spi).map(HeldSa::home);
        let before = home.and_then(|home| self.cache.get(home)).map(|binding| binding.spi).filter(|before| *before != spi);
        let Some(before) = before.and_then(|before| self.sas.get_mut(&before)) else { return };
        let (unproved, knows_token) = (std::mem::take(&mut before.unproved), before.knows_token);
        if let Some(held) = self.sas.get_mut(&spi) {
            held.unproved = unproved;
            held.knows_token |= knows_token;
        }
    }

    /// What may go where a Binding Update came from, which is the only place that is not proved, or not. Where the node was seen before is
    /// of no interest any more.
    fn note_place(&mut self, spi: Spi, place: Place, is_alone: bool, proof: &PathProof, now: Instant) {
        let Some(held) = self.sas.get_mut(&spi) else { return };
        held.seen_at = None;
        match proof {
            PathProof::Proved => held.unproved.proved(place),
            PathProof::Awaited { .. } => held.unproved.begin(place, is_alone, now),
        }
    }

    /// Answers with a lifetime of 0 and without any option of its own.
    pub(super) fn acknowledge(
        &mut self,
        received: &SignallingReceived,
        install: &Install,
        update: &BindingUpdate,
        status: Status,
        sequence: u16,
    ) {
        self.answer(received, install, update, BindingAcknowledgement::new(status, sequence, Lifetime::ZERO));
    }

    /// Sends a Binding Acknowledgement to where the Binding Update came from, about the same of the node's bindings.
    pub(super) fn answer(
        &mut self,
        received: &SignallingReceived,
        install: &Install,
        update: &BindingUpdate,
        message: BindingAcknowledgement,
    ) {
        let message = BindingAcknowledgement { identifier: identifier::to_acknowledge(update), ..message };
        tracing::debug!(spi = %received.spi, sequence = message.sequence, status = %message.status, "a Binding Update is answered");
        let home = install.sa.home.in_mobility_header();
        let ends = Ends { source: install.sa.home_agent.in_mobility_header(), destination: home };
        let header = MobilityMessage::BindingAcknowledgement(message).emit(ends);
        self.commands.push_back(Command::Signal {
            spi: received.spi,
            paths: Paths::one(Path::proved(received.socket, received.from)),
            next_header: signalling::ROUTING,
            payload: signalling::behind_routing_header(home, &header),
        });
    }
}

fn binding(
    registration: &Registration,
    received: &SignallingReceived,
    relayed: Option<SocketAddr>,
    proof: PathProof,
    now: Instant,
) -> Binding {
    let lifetime = registration.lifetime.duration();
    let latest = CareOfBinding {
        id: registration.id,
        care_of: registration.care_of,
        socket: received.socket,
        remote: received.from,
        relayed,
        number: received.sequence,
        proof,
        expires: now + lifetime,
    };
    let prefixes = registration.prefixes.clone();
    Binding { home: registration.home, spi: received.spi, latest, others: Vec::new(), lifetime, moves: 0, prefixes }
}

fn acknowledgement(binding: &CareOfBinding, registration: &Registration, sequence: u16) -> BindingAcknowledgement {
    BindingAcknowledgement {
        ipv4_address: registration.ipv4,
        nat: Some(NatDetection { refresh_seconds: if binding.has_nat() { NAT_REFRESH_SECONDS } else { NO_NAT } }),
        path_check: token(&binding.proof),
        mobile_router: !registration.prefixes.is_empty(),
        ..BindingAcknowledgement::new(Status::ACCEPTED, sequence, registration.lifetime)
    }
}

fn token(proof: &PathProof) -> Option<PathToken> {
    match proof {
        PathProof::Awaited { token, .. } => Some(*token),
        PathProof::Proved => None,
    }
}
