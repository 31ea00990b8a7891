//! tshark as an oracle that shares no line of code with us: a datagram between mobile node and home agent has the form of ESP
//! in UDP with the SPI `PType << 28 | SPI`, so tshark checks its ICV and decodes what is inside, given the keys.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{plan, programs};

/// Fields asked for, in the order of [`Frame`].
const FIELDS: [&str; 8] =
    ["esp.spi", "esp.sequence", "esp.icv_good", "esp.protocol", "mip6.mhtype", "mip6.ba.status", "icmp.type", "icmpv6.type"];

/// Mobility Header type of a Binding Update (RFC 6275 section 6.1.7).
pub const BINDING_UPDATE: u32 = 5;
/// Mobility Header type of a Binding Acknowledgement (RFC 6275 section 6.1.8).
pub const BINDING_ACKNOWLEDGEMENT: u32 = 6;

/// A datagram as tshark understood it; what it did not find is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// PType and SPI.
    pub spi: Option<u32>,
    /// Sequence number.
    pub sequence: Option<u32>,
    /// Whether the ICV is that of the octets under the exported key; `None` when no key fits.
    pub icv_good: Option<u32>,
    /// Next Header of the trailer.
    pub next_header: Option<u32>,
    /// Type of the Mobility Header inside.
    pub mobility_header: Option<u32>,
    /// Status of the Binding Acknowledgement inside.
    pub status: Option<u32>,
    /// Type of the ICMP message inside.
    pub icmp: Option<u32>,
    /// Type of the ICMPv6 message inside.
    pub icmpv6: Option<u32>,
}

/// tshark with a configuration folder of its own.
#[derive(Debug)]
pub struct Oracle {
    folder: PathBuf,
}

impl Oracle {
    /// Keeps its configuration, and the keys, under `folder`.
    pub fn new(folder: &Path) -> Result<Self> {
        programs::require(&["tshark"])?;
        let folder = folder.join("wireshark");
        std::fs::create_dir_all(&folder).context("cannot make tshark's folder")?;
        Ok(Self { folder })
    }

    /// The file of keys, in Wireshark's `esp_sa` form; `mn` of the build feature `lab` writes it when the environment's
    /// `HALTSEC_LAB_ESP_SA` names it.
    pub fn keys(&self) -> PathBuf {
        self.folder.join("esp_sa")
    }

    /// Decodes a capture: the UDP datagrams from and to the tunnel's port, in order.
    pub fn decode(&self, capture: &Path) -> Result<Vec<Frame>> {
        let mut command = Command::new("tshark");
        command.env("WIRESHARK_CONFIG_DIR", &self.folder).env("HOME", &self.folder).arg("-r").arg(capture);
        command.args(["-d", &format!("udp.port=={},udpencap", plan::PORT), "-Y", "esp", "-T", "fields"]);
        command.args(["-o", "esp.enable_encryption_decode:TRUE", "-o", "esp.enable_authentication_check:TRUE"]);
        for field in FIELDS {
            command.args(["-e", field]);
        }
        programs::run(&mut command)?.lines().map(frame).collect()
    }
}

/// One line of `tshark -T fields`: tabs between fields, commas between occurrences of one, of which the first counts.
fn frame(line: &str) -> Result<Frame> {
    let mut fields = line.split('\t').map(|field| number(field.split(',').next().unwrap_or_default()));
    let mut next = || fields.next().transpose().map(Option::flatten);
    Ok(Frame {
        spi: next()?,
        sequence: next()?,
        icv_good: next()?,
        next_header: next()?,
        mobility_header: next()?,
        status: next()?,
        icmp: next()?,
        icmpv6: next()?,
    })
}

fn number(text: &str) -> Result<Option<u32>> {
    Ok(match (text, text.strip_prefix("0x")) {
        ("", _) => None,
        ("True", _) => Some(1),
        ("False", _) => Some(0),
        (_, Some(digits)) => Some(u32::from_str_radix(digits, 16)?),
        (digits, None) => match digits.parse() {
            Ok(number) => Some(number),
            Err(_) => bail!("tshark printed {text:?} where a number was expected"),
        },
    })
}
