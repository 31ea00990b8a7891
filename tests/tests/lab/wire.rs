//! What crossed the wire, as somebody on the path counts it without any key: PTypes, SPIs and sequence numbers.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use tests::lab::pcap::{self, Datagram};
use tests::lab::{Setup, plan};

/// PTypes (RFC 6618 section 6.1).
const CLEAR: u32 = 0;
const PROTECTED: u32 = 1;
const SIGNALLING: u32 = 8;
/// A home agent that was given an SA which an earlier process had numbers its packets from here on, and says 176 alone
/// (docs/why/leases.md).
const FIRST_LEASED: u32 = 0xF000_0000;
/// Where, in a Binding Acknowledgement that NULL encrypts, stand the Mobility Header's type and the status: behind the envelope
/// and a routing header of type 2.
const MH_TYPE: usize = 8 + 24 + 2;
const STATUS: usize = 8 + 24 + 6;

/// Octets of the payload in the first 96 of a frame, behind Ethernet, IPv6 and UDP.
const SEEN: usize = 96 - 14 - 40 - 8;

/// Where the Next Header of an inner IPv6 packet in the clear stands.
const INNER_NEXT_HEADER: usize = 8 + 6;
const UDP: u8 = 17;

/// The envelopes of a capture between mobile node and home agent.
pub(crate) struct Wire(Vec<Envelope>);

struct Envelope {
    up: bool,
    ptype: u32,
    spi: u32,
    sequence: u32,
    datagram: Datagram,
}

impl Envelope {
    /// As much of the payload as the capture has of it over either family.
    fn seen(&self) -> &[u8] {
        let payload = &self.datagram.payload;
        payload.get(..SEEN).unwrap_or(payload)
    }
}

impl Wire {
    /// Reads a capture.
    pub(crate) fn read(capture: &Path) -> Result<Self> {
        let envelope = |datagram: Datagram| {
            let (word, sequence) = datagram.envelope().context("a datagram without an envelope")?;
            let up = datagram.to.port() == plan::PORT;
            Ok(Envelope { up, ptype: word >> 28, spi: word & 0x0fff_ffff, sequence, datagram })
        };
        Ok(Self(pcap::read(capture)?.into_iter().map(envelope).collect::<Result<_>>()?))
    }

    /// That it is what the profile, the suite and `mip6-sas` allow, and that data went both ways.
    pub(crate) fn check(&self, setup: &Setup<'_>) -> Result<()> {
        let clear = setup.user_data == "clear";
        for up in [true, false] {
            let counts = [CLEAR, PROTECTED, SIGNALLING].map(|ptype| self.count(up, ptype));
            let [plain, protected, signalling] = counts;
            let data = if clear { plain } else { protected };
            // Frames: a burst that leaves in one call is one.
            ensure!(data > 300 && signalling >= 2, "PTypes 0, 1 and 8, up {up}: {counts:?}");
            ensure!(if clear { protected < plain / 10 } else { plain == 0 }, "PTypes 0, 1 and 8, up {up}: {counts:?}");
        }
        let known = |envelope: &Envelope| [CLEAR, PROTECTED, SIGNALLING].contains(&envelope.ptype);
        ensure!(self.0.iter().all(known), "an unassigned PType");
        let (plain, numbered): (Vec<&Envelope>, Vec<_>) = self.0.iter().partition(|envelope| envelope.ptype == CLEAR);
        ensure!(plain.iter().all(|envelope| (envelope.spi, envelope.sequence) == (0, 0)), "PType 0 with SPI or number");
        if !is_numbered(setup) {
            ensure!(numbered.iter().all(|envelope| envelope.sequence == 0), "draft-04 numbers no packet under a NULL suite");
            return Ok(());
        }
        // Two copies of one datagram count as one: a Binding Update may go twice, and what a break may have lost goes again.
        let number = |envelope: &Envelope| (envelope.spi, envelope.up, envelope.sequence);
        let packets: BTreeSet<_> = numbered.iter().map(|envelope| (number(envelope), envelope.seen())).collect();
        let distinct: BTreeSet<_> = packets.iter().map(|(number, _)| number).collect();
        let twice = packets.len() - distinct.len();
        ensure!(twice == 0, "{twice} of {} numbers are used twice", distinct.len());
        Ok(())
    }

    /// How many datagrams of a PType went in a direction.
    fn count(&self, up: bool, ptype: u32) -> usize {
        self.0.iter().filter(|envelope| envelope.up == up && envelope.ptype == ptype).count()
    }

    /// How many datagrams there are, and under how many SPIs.
    pub(crate) fn size(&self) -> (usize, usize) {
        let spis: BTreeSet<_> = self.0.iter().filter(|envelope| envelope.ptype != CLEAR).map(|envelope| envelope.spi).collect();
        (self.0.len(), spis.len())
    }

    /// How often a home agent said REINIT_SA_WITH_HAC (176) because its replay state was lost.
    pub(crate) fn reinitialisations(&self, setup: &Setup<'_>) -> usize {
        let says_so = |envelope: &&Envelope| {
            let octet = |at| envelope.datagram.payload.get(at).copied();
            match is_numbered(setup) {
                true => envelope.sequence >= FIRST_LEASED,
                false => (octet(MH_TYPE), octet(STATUS)) == (Some(6), Some(176)),
            }
        };
        self.0.iter().filter(|envelope| !envelope.up && envelope.ptype == SIGNALLING).filter(says_so).count()
    }

    /// Signalling to the home agent (`up`) or from there.
    pub(crate) fn signalling(&self, up: bool) -> usize {
        self.count(up, SIGNALLING)
    }

    /// UDP over IPv6 in the clear from an outer address and port.
    pub(crate) fn clear_udp(&self, from: SocketAddr) -> usize {
        let is_udp = |datagram: &Datagram| datagram.payload.get(INNER_NEXT_HEADER) == Some(&UDP);
        let clear = self.0.iter().filter(|envelope| envelope.ptype == CLEAR && envelope.datagram.from == from);
        clear.filter(|envelope| is_udp(&envelope.datagram)).count()
    }

    /// Writes all of it as somebody sends it again who has `change`d addresses.
    pub(crate) fn write(&self, capture: &Path, change: impl Fn(&mut Datagram)) -> Result<()> {
        let mut datagrams: Vec<_> = self.0.iter().map(|envelope| envelope.datagram.clone()).collect();
        datagrams.iter_mut().for_each(change);
        pcap::write(capture, &datagrams)
    }
}

/// Whether packets under an SA have sequence numbers.
fn is_numbered(setup: &Setup<'_>) -> bool {
    setup.profile != "draft-04" || !setup.suite.starts_with("NULL")
}
