//! What crossed the wire, as somebody on the path counts it without any key: PTypes, SPIs and sequence numbers.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use tests::lab::{Setup, pcap, plan};

/// The envelopes of a capture between mobile node and home agent.
pub(crate) struct Wire(Vec<Envelope>);

struct Envelope {
    up: bool,
    ptype: u32,
    spi: u32,
    sequence: u32,
}

impl Wire {
    /// Reads a capture.
    pub(crate) fn read(capture: &Path) -> Result<Self> {
        let envelope = |datagram: &pcap::Datagram| {
            let (word, sequence) = datagram.envelope().context("a datagram without an envelope")?;
            Ok(Envelope { up: datagram.to.port() == plan::PORT, ptype: word >> 28, spi: word & 0x0fff_ffff, sequence })
        };
        Ok(Self(pcap::read(capture)?.iter().map(envelope).collect::<Result<_>>()?))
    }

    /// That it is what the profile, the suite and `mip6-sas` allow, and that data went both ways.
    pub(crate) fn check(&self, setup: &Setup<'_>) -> Result<()> {
        let clear = setup.user_data == "clear";
        for up in [true, false] {
            let count = |ptype| self.0.iter().filter(|envelope| envelope.up == up && envelope.ptype == ptype).count();
            let counts = [0, 1, 8].map(count);
            let [plain, protected, signalling] = counts;
            let data = if clear { plain } else { protected };
            ensure!(data > 1_000 && signalling >= 2, "PTypes 0, 1 and 8, up {up}: {counts:?}");
            ensure!(if clear { protected < plain / 10 } else { plain == 0 }, "PTypes 0, 1 and 8, up {up}: {counts:?}");
        }
        ensure!(self.0.iter().all(|envelope| [0, 1, 8].contains(&envelope.ptype)), "an unassigned PType");
        let (plain, numbered): (Vec<&Envelope>, Vec<_>) = self.0.iter().partition(|envelope| envelope.ptype == 0);
        ensure!(plain.iter().all(|envelope| (envelope.spi, envelope.sequence) == (0, 0)), "PType 0 with SPI or number");
        if setup.profile == "draft-04" && setup.suite.starts_with("NULL") {
            ensure!(numbered.iter().all(|envelope| envelope.sequence == 0), "draft-04 numbers no packet under a NULL suite");
            return Ok(());
        }
        let distinct: BTreeSet<_> = numbered.iter().map(|envelope| (envelope.spi, envelope.up, envelope.sequence)).collect();
        ensure!(
            distinct.len() == numbered.len(),
            "{} of {} numbers are used twice",
            numbered.len() - distinct.len(),
            numbered.len()
        );
        Ok(())
    }
}
