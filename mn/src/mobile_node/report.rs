//! What an operator hears of the node, each thing once: WARN for what somebody should look at, INFO for what has changed,
//! DEBUG for each message of signalling.

use std::fmt::Display;
use std::time::Duration;

use protocol::sa::Spi;
use protocol::tunnel::Install;
use protocol::wire::mobility::{BindingAcknowledgement, Status};

use super::Registered;

/// What was said already and holds still.
#[derive(Debug, Default)]
pub(super) struct Report {
    is_unanswered: bool,
    refused: Option<Status>,
}

impl Report {
    /// MHAuth gave this SA.
    pub(super) fn granted(install: &Install) {
        let sa = &install.sa;
        tracing::info!(spi = %sa.spi, suite = %sa.suite, "authenticated: the HAC gave a security association");
    }

    /// MHAuth failed for this reason, which names its own remedy; it is tried again after `pause`.
    pub(super) fn bootstrap_failed(reason: &dyn Display, pause: Duration) {
        tracing::warn!(%reason, again_in_ms = pause.as_millis(), "MHAuth failed; it will be tried again");
    }

    /// The network that a run of MHAuth went over is gone.
    pub(super) fn bootstrap_abandoned() {
        tracing::info!("the network that MHAuth ran over is gone: it is run anew as soon as there is one");
    }

    /// MHAuth has not reached the HAC in the way that is left.
    pub(super) fn bootstrap_goes_another_way() {
        tracing::info!("another NAT64 is known: MHAuth, which has not reached the HAC, is run anew");
    }

    /// The machine was asleep for so long, or the process stopped.
    pub(super) fn resumed(slept: Duration) {
        tracing::info!(slept_s = slept.as_secs(), "awake again: the binding and the keys are looked after anew");
    }

    /// There is no usable network any more.
    pub(super) fn detached() {
        tracing::info!("no usable network any more: the node registers again as soon as there is one");
    }

    /// Nothing comes back over this network.
    pub(super) fn does_not_lead(interface: &str) {
        tracing::warn!(
            interface,
            "the home agent does not answer over this network: another one, or its other address family, is used until it does; does it let UDP to the home agent \
             through?"
        );
    }

    /// A Binding Update goes out, so often so far.
    pub(super) fn updating(spi: Spi, sequence: u16, transmissions: u32) {
        tracing::debug!(%spi, sequence, transmissions, "a Binding Update is sent");
    }

    /// A Binding Acknowledgement has come, whatever it means.
    pub(super) fn acknowledged(spi: Spi, acknowledgement: &BindingAcknowledgement) {
        let (sequence, status) = (acknowledgement.sequence, acknowledgement.status);
        tracing::debug!(%spi, sequence, %status, "a Binding Acknowledgement has come");
    }

    /// UDP is not answered on this network, and the connection over TLS stands.
    pub(super) fn falling_back() {
        tracing::info!("the home agent is not heard over UDP on this network: packets go over TLS until it is");
    }

    /// The connection over TLS has broken off.
    pub(super) fn fallback_lost() {
        tracing::info!("the connection over TLS to the home agent is lost: it is asked over UDP again");
    }

    /// The home agent has answered that this is the home link.
    pub(super) fn at_home(interface: &str) {
        tracing::info!(interface, "at home: packets go without the tunnel");
    }

    /// It has not, or said otherwise.
    pub(super) fn not_home(interface: &str, status: Option<Status>) {
        let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        tracing::warn!(
            interface,
            answer = status,
            "this link has the home network's prefix and is not the home link, or the home agent does not answer there: the node stays \
             behind its tunnel; who advertises that prefix?"
        );
    }

    /// UDP is answered again.
    pub(super) fn back_on_udp() {
        tracing::info!("the home agent is heard over UDP: packets go over UDP again");
    }

    /// So many Binding Updates got no answer that MHAuth is run anew.
    pub(super) fn unanswered(&mut self, install: &Install, interface: &str) {
        if !std::mem::replace(&mut self.is_unanswered, true) {
            tracing::warn!(
                spi = %install.sa.spi,
                interface,
                "the home agent does not answer: Binding Updates go on, and MHAuth is run for a new security association; is \
                 the home agent running, and does this network let UDP to it through?"
            );
        }
    }

    /// The home agent refused the binding.
    pub(super) fn refused(&mut self, status: Status) {
        if self.refused.replace(status) != Some(status) {
            tracing::warn!(
                %status,
                "the home agent refused the binding; it is asked again: its operator can tell why by the status"
            );
        }
    }

    /// The home agent refused the binding for the sake of the networks behind the node.
    pub(super) fn refused_as_router(status: Status) {
        tracing::warn!(
            %status,
            "the home agent does not forward to the network behind this node, which registers without it: ask the home agent's operator \
             by the status"
        );
    }

    /// The home agent has accepted the binding and said nothing of the networks behind the node.
    pub(super) fn not_forwarded() {
        tracing::warn!("the home agent knows no networks behind nodes (RFC 3963): this node is registered without its own");
    }

    /// The home agent has acknowledged a registration; `before` is the last one of the same attachment and SA, if there is one.
    pub(super) fn registered(&mut self, registered: &Registered, before: Option<&Registered>) {
        let Self { is_unanswered, refused } = std::mem::take(self);
        let is_known = before.is_some_and(|before| before.nat == registered.nat) && !is_unanswered && refused.is_none();
        let (interface, took_ms, nat) = (&registered.attachment.name, registered.took.as_millis(), registered.nat);
        if is_known {
            tracing::debug!(interface, took_ms, nat, "the binding was refreshed");
        } else {
            tracing::info!(interface, took_ms, nat, "registered at the home agent");
        }
    }

    /// The home agent does not bind the IPv4 home address, and that is new.
    pub(super) fn ipv4_refused(registered: &Registered, before: Option<&Registered>) {
        let is_known = before.is_some_and(|before| before.ipv4_refused == registered.ipv4_refused);
        if let Some(reason) = registered.ipv4_refused.filter(|_| !is_known) {
            tracing::warn!(
                %reason,
                "the home agent did not bind the IPv4 home address, so its packets go without the tunnel: ask the home agent's \
                 operator, by this reason"
            );
        }
    }
}
