//! One half of a security association between two packets: at rest, or awake with its key schedules and replay window.
//!
//! At rest it is the keys as they were delivered, which both halves and control share, and a few numbers. It wakes with the first
//! packet and is folded when none has come for long: see [`super::sad`].

use std::sync::Arc;
use std::time::Instant;

use super::Role;
use super::cipher::KeyError;
use super::wear::Wear;
use crate::tunnel::Install;

/// What a half has to remember at rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rest {
    /// Outbound, the next sequence number. Inbound, one above the highest that was received: from there on numbers are taken, below
    /// none.
    pub(super) next: u64,
    pub(super) wear: Wear,
}

/// The awake form of a half.
pub trait Half: Sized {
    /// What a half remembers before its first packet.
    fn first(install: &Install) -> Rest;

    /// Expands the keys of this half at the end `role`.
    ///
    /// # Errors
    /// When the keys do not fit the suite.
    fn wake(install: &Install, role: Role, rest: Rest) -> Result<Self, KeyError>;

    /// What has to be remembered of it.
    fn rest(&self) -> Rest;

    /// Whether anything was sent, or found authentic, since this was asked last.
    fn was_used(&mut self) -> bool;
}

/// A half in its place.
pub(super) struct Place<H> {
    pub(super) install: Arc<Install>,
    pub(super) state: State<H>,
}

/// Either form.
pub(super) enum State<H> {
    Rest(Rest),
    Awake(Box<Awake<H>>),
}

/// The awake form, and when it was seen in use last.
pub(super) struct Awake<H> {
    pub(super) half: H,
    pub(super) seen: Option<Instant>,
}

impl<H: Half> Awake<H> {
    /// Whether it was used since this was asked last; if so, when it was seen in use is to be written down anew.
    pub(super) fn was_used(&mut self) -> bool {
        let was_used = self.half.was_used();
        if was_used {
            self.seen = None;
        }
        was_used
    }
}

impl<H: Half> Place<H> {
    /// At rest, before its first packet. The keys are tried, and let go again.
    ///
    /// # Errors
    /// When the keys do not fit the suite.
    pub(super) fn new(install: &Arc<Install>, role: Role) -> Result<Self, KeyError> {
        let rest = H::first(install);
        H::wake(install, role, rest)?;
        Ok(Self { install: install.clone(), state: State::Rest(rest) })
    }

    /// Goes back to rest: the schedules are wiped, the numbers are kept.
    pub(super) fn fold(&mut self) {
        if let State::Awake(awake) = &self.state {
            self.state = State::Rest(awake.half.rest());
        }
    }
}
