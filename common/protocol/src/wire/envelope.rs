//! The envelope of every UDP datagram between mobile node and home agent (RFC 6618 section 6.1).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-------+-------------------------------------------------------+
//! | PType |                         SPI                           |
//! +-------+-------------------------------------------------------+
//! |                        Sequence Number                        |
//! +---------------------------------------------------------------+
//! ```

/// Octets of the envelope.
pub const LEN: usize = 8;

/// The envelope of a packet in the clear: PType 0, SPI 0, sequence number 0 (RFC 6618 section 6.2).
pub const CLEAR: [u8; LEN] = [0; LEN];

/// What follows the envelope (RFC 6618 section 8.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PType {
    /// 0: an IP packet in the clear.
    Clear,
    /// 1: a protected IP packet.
    Protected,
    /// 8: a protected Mobility Header with its extension headers.
    MobilityHeader,
}

impl PType {
    /// `None` for an unassigned value.
    pub const fn from_wire(value: u8) -> Option<Self> {
        match value {
            0 => Some(Self::Clear),
            1 => Some(Self::Protected),
            8 => Some(Self::MobilityHeader),
            _ => None,
        }
    }

    /// The value of the four bits.
    pub const fn wire(self) -> u8 {
        match self {
            Self::Clear => 0,
            Self::Protected => 1,
            Self::MobilityHeader => 8,
        }
    }
}

/// The two words in front of a payload. Unchecked: the SPI may be unknown or 0, the PType unassigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The PType, `None` when unassigned.
    pub ptype: Option<PType>,
    /// 28 bits.
    pub spi: u32,
    /// The sequence number.
    pub sequence: u32,
}

impl Envelope {
    /// Reads the first eight octets; `None` when there are fewer.
    pub fn parse(datagram: &[u8]) -> Option<Self> {
        let (first, rest) = datagram.split_first_chunk::<4>()?;
        let first = u32::from_be_bytes(*first);
        Some(Self {
            ptype: PType::from_wire((first >> 28) as u8),
            spi: first & 0x0fff_ffff,
            sequence: u32::from_be_bytes(*rest.first_chunk::<4>()?),
        })
    }

    /// The eight octets of a protected datagram.
    pub fn emit(ptype: PType, spi: crate::sa::Spi, sequence: u32) -> [u8; LEN] {
        let first = u32::from(ptype.wire()) << 28 | spi.get();
        let mut octets = [0; LEN];
        octets[..4].copy_from_slice(&first.to_be_bytes());
        octets[4..].copy_from_slice(&sequence.to_be_bytes());
        octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sa::Spi;

    #[test]
    fn the_first_word_holds_ptype_and_spi() {
        let octets = Envelope::emit(PType::MobilityHeader, Spi::new(0x123_4567).unwrap(), 7);
        assert_eq!(octets, [0x81, 0x23, 0x45, 0x67, 0, 0, 0, 7]);
        let envelope = Envelope::parse(&octets).unwrap();
        assert_eq!(envelope, Envelope { ptype: Some(PType::MobilityHeader), spi: 0x123_4567, sequence: 7 });
    }

    #[test]
    fn seven_octets_are_no_envelope_and_ptype_two_is_unassigned() {
        assert_eq!(Envelope::parse(&[0; 7]), None);
        assert_eq!(Envelope::parse(&[0x20, 0, 0, 0, 0, 0, 0, 0]).unwrap().ptype, None);
    }
}
