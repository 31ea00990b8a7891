//! What a batch is cut into: datagrams of one SA that stand side by side.

use crate::sa::Spi;
use crate::sa::cipher::LANES;
use crate::sa::inbound::{Opened, Sealed};
use crate::tunnel::DropReason;
use crate::tunnel::batch::Received;
use crate::wire::envelope::{Envelope, PType};

/// What a datagram says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// PType 0.
    Clear,
    /// PType 1 or 8 under this SPI, with this sequence number.
    Sealed(Spi, PType, u32),
}

impl Kind {
    /// # Errors
    /// When no SA has to be asked what becomes of it.
    pub(super) fn of(datagram: &[u8]) -> Result<Self, DropReason> {
        let envelope = Envelope::parse(datagram).ok_or(DropReason::Truncated)?;
        match envelope.ptype.ok_or(DropReason::UnassignedPType)? {
            PType::Clear => Ok(Self::Clear),
            ptype @ (PType::Protected | PType::MobilityHeader) => {
                Ok(Self::Sealed(Spi::new(envelope.spi).ok_or(DropReason::UnknownSpi)?, ptype, envelope.sequence))
            }
        }
    }
}

/// Up to [`LANES`] datagrams that name one SA; each lies behind the one before it. Made once, filled again and again.
pub(super) struct Group {
    sealed: Vec<Sealed>,
    /// What each came to, when they have been opened.
    opened: Vec<Result<Opened, DropReason>>,
}

impl Group {
    /// Room for them, and none of them.
    pub(super) fn new() -> Self {
        let opened = (0..LANES).map(|_| Err(DropReason::Truncated)).collect();
        Self { sealed: Vec::with_capacity(LANES), opened }
    }

    /// Becomes the longest one with which `rest` begins, at least its first, which names `spi`; gives the datagrams and what is behind
    /// them.
    pub(super) fn fill<'a>(&mut self, spi: Spi, rest: &'a [Received], arena: &[u8]) -> (&'a [Received], &'a [Received]) {
        self.sealed.clear();
        let mut end = None;
        for Received { range, .. } in rest.iter().take(LANES) {
            match Kind::of(arena.get(range.clone()).unwrap_or_default()) {
                Ok(Kind::Sealed(same, ptype, sequence)) if same == spi && end.is_none_or(|end| range.start >= end) => {
                    end = Some(range.end);
                    self.sealed.push(Sealed { ptype, sequence, range: range.clone() });
                }
                _ => break,
            }
        }
        rest.split_at_checked(self.sealed.len()).unwrap_or_default()
    }

    /// Their envelopes.
    pub(super) fn sealed(&self) -> &[Sealed] {
        &self.sealed
    }

    /// Their envelopes, and room for what they come to.
    pub(super) fn for_opening(&mut self) -> (&[Sealed], &mut [Result<Opened, DropReason>]) {
        (&self.sealed, &mut self.opened)
    }

    /// Each by its envelope and what it came to.
    pub(super) fn opened(&self) -> impl Iterator<Item = (&Sealed, Result<&Opened, DropReason>)> {
        self.sealed.iter().zip(self.opened.iter().map(|opened| opened.as_ref().map_err(|reason| *reason)))
    }
}
