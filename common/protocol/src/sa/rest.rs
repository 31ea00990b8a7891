//! One half of a security association between two packets: at rest, or awake with its key schedules and replay window.
//!
//! At rest it is the keys as they were delivered, which both halves and control share, and a few numbers. It wakes with the first
//! packet and is folded when none has come for long: see [`super::sad`].

use std::sync::Arc;
use std::time::Instant;

use super::Role;
use super::cipher::KeyError;
use crate::tunnel::Install;

/// The awake form of a half.
pub trait Half: Sized {
    /// What it has to remember at rest, beside what was installed. The default is that before its first packet.
    type Rest: Default;

    /// Expands the keys of this half at the end `role`.
    ///
    /// # Errors
    /// When the keys do not fit the suite.
    fn wake(install: &Arc<Install>, role: Role, rest: Self::Rest) -> Result<Self, KeyError>;

    /// What has to be remembered of it, which is not used any more.
    fn rest(&mut self) -> Self::Rest;

    /// Whether anything was sent, or found authentic, since this was asked last.
    fn was_used(&mut self) -> bool;
}

/// A half in its place.
pub(super) struct Place<H: Half> {
    pub(super) install: Arc<Install>,
    pub(super) state: State<H>,
}

/// Either form.
pub(super) enum State<H: Half> {
    Rest(H::Rest),
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
        H::wake(install, role, H::Rest::default())?;
        Ok(Self { install: install.clone(), state: State::Rest(H::Rest::default()) })
    }

    /// Goes back to rest: the schedules are wiped, the numbers are kept.
    pub(super) fn fold(&mut self) {
        if let State::Awake(awake) = &mut self.state {
            self.state = State::Rest(awake.half.rest());
        }
    }
}
