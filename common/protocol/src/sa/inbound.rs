//! The receiving half of a security association: window check, ICV, window mark, decryption, padding, in this order
//! (RFC 4303 section 3.4).

use std::ops::Range;
use std::time::{Duration, Instant};

use super::Role;
use super::cipher::{KeyLengthError, Transform, layout};
use super::replay::ReplayWindow;
use crate::addr::HomeAddresses;
use crate::tunnel::{DropReason, Install};
use crate::wire::envelope::PType;

/// Keys and replay window of one direction, owned by an exit-point.
pub struct InboundSa {
    transform: Transform,
    window: ReplayWindow,
    home: HomeAddresses,
    closes: Instant,
    lease: u32,
}

/// How long an SA still opens packets after its validity has ended.
const GRACE: Duration = Duration::from_secs(60);

/// What an opened datagram holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Where the payload stands in the datagram.
    pub payload: Range<usize>,
    /// The trailer's Next Header.
    pub next_header: u8,
}

impl InboundSa {
    /// The receiving half of `install` at the end `role`.
    ///
    /// # Errors
    /// When the keys do not fit the suite.
    pub fn new(install: &Install, role: Role) -> Result<Self, KeyLengthError> {
        let sa = &install.sa;
        Ok(Self {
            transform: Transform::new(sa.suite, sa.keys(role.receives()))?,
            window: ReplayWindow::default(),
            home: sa.home,
            closes: install.valid_until + GRACE,
            lease: install.lease,
        })
    }

    /// Authenticates and decrypts in place. The window moves only when the ICV is right.
    ///
    /// # Errors
    /// The reason to drop the datagram.
    pub fn open(&mut self, ptype: PType, sequence: u32, datagram: &mut [u8], now: Instant) -> Result<Opened, DropReason> {
        if now >= self.closes {
            return Err(DropReason::SaExpired);
        }
        // The replay window was lost with the process that had it: no user data, and control answers 176 alone.
        if self.lease > 0 && ptype != PType::MobilityHeader {
            return Err(DropReason::ReplayStateLost);
        }
        self.window.check(sequence)?;
        self.transform.verify(datagram)?;
        self.window.mark(sequence)?;
        self.transform.decrypt(datagram);
        let (payload, next_header) = layout::payload(self.transform.suite(), datagram)?;
        Ok(Opened { payload, next_header })
    }

    /// The home addresses that inner packets must name.
    pub fn home(&self) -> &HomeAddresses {
        &self.home
    }

    /// The lease under which the SA was delivered.
    pub fn lease(&self) -> u32 {
        self.lease
    }
}
