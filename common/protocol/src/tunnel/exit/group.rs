//! What a batch is cut into: datagrams of one SA that stand side by side.

use crate::sa::Spi;
use crate::sa::cipher::LANES;
use crate::sa::inbound::Sealed;
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

/// Up to [`LANES`] datagrams that name one SA; each lies behind the one before it.
pub(super) struct Group<'a> {
    pub(super) spi: Spi,
    sealed: [Sealed; LANES],
    received: &'a [Received],
}

impl<'a> Group<'a> {
    /// The longest one with which `rest` begins, at least its first, which names `spi`.
    pub(super) fn new(spi: Spi, rest: &'a [Received], arena: &[u8]) -> Self {
        let mut sealed = std::array::from_fn(|_| Sealed { ptype: PType::Clear, sequence: 0, range: 0..0 });
        let (mut len, mut end) = (0, 0);
        for (place, received) in sealed.iter_mut().zip(rest) {
            let range = received.range.clone();
            match Kind::of(arena.get(range.clone()).unwrap_or_default()) {
                Ok(Kind::Sealed(same, ptype, sequence)) if same == spi && (len == 0 || range.start >= end) => {
                    end = range.end;
                    *place = Sealed { ptype, sequence, range };
                    len += 1;
                }
                _ => break,
            }
        }
        Self { spi, sealed, received: rest.get(..len).unwrap_or_default() }
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.received.len()
    }

    /// Their envelopes.
    pub(super) fn sealed(&self) -> &[Sealed] {
        self.sealed.get(..self.len()).unwrap_or_default()
    }

    /// Each by its envelope, and where it came from.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Sealed, &'a Received)> {
        self.sealed.iter().zip(self.received)
    }
}
