//! Writes keys for Wireshark's ESP decoder: in builds with the feature `lab` alone, which a release build refuses.

use std::fmt::Write as _;
use std::io::Write as _;

use protocol::sa::{CipherSuite, Direction, SecurityAssociation};

#[cfg(not(debug_assertions))]
compile_error!("the feature `lab` writes keys to a file: it is for debug builds of the lab alone");

/// The environment variable that names the file; without it nothing is written.
const FILE: &str = "HALTSEC_LAB_ESP_SA";

/// Appends the keys of `sa` to the file, one line for each PType and direction.
pub(crate) fn export(sa: &SecurityAssociation) {
    let Some(path) = std::env::var_os(FILE) else { return };
    let written = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(&path)
        .and_then(|mut file| file.write_all(lines(sa).as_bytes()));
    if let Err(error) = written {
        tracing::error!(%error, "cannot write the lab's key file");
    }
}

/// Wireshark matches an SA by its destination: towards the home agent's port all addresses are those of the home agent.
fn lines(sa: &SecurityAssociation) -> String {
    let mut lines = String::new();
    for direction in [Direction::MnToHa, Direction::HaToMn] {
        let keys = sa.keys(direction);
        let encryption = match sa.suite {
            CipherSuite::NullSha => "\"NULL\",\"\"".to_owned(),
            CipherSuite::Aes128CbcSha => format!("\"AES-CBC [RFC3602]\",\"0x{}\"", hex::encode(keys.encryption.expose())),
            CipherSuite::Aes128Gcm => {
                format!("\"AES-GCM with 16 octet ICV [RFC4106]\",\"0x{}\"", hex::encode(keys.encryption.expose()))
            }
        };
        let integrity = match sa.suite {
            CipherSuite::NullSha | CipherSuite::Aes128CbcSha => {
                format!("\"HMAC-SHA-1-96 [RFC2404]\",\"0x{}\"", hex::encode(keys.integrity.expose()))
            }
            CipherSuite::Aes128Gcm => "\"NULL\",\"\"".to_owned(),
        };
        for (protocol, home_agent) in
            [("IPv4", sa.home_agent.ip4().map(|ip| ip.to_string())), ("IPv6", sa.home_agent.ip6().map(|ip| ip.to_string()))]
        {
            let Some(home_agent) = home_agent else { continue };
            let (source, destination) = match direction {
                Direction::MnToHa => ("*", home_agent.as_str()),
                Direction::HaToMn => (home_agent.as_str(), "*"),
            };
            for ptype in [1_u32, 8] {
                let spi = ptype << 28 | sa.spi.get();
                let _infallible =
                    writeln!(lines, "\"{protocol}\",\"{source}\",\"{destination}\",\"0x{spi:08x}\",{encryption},{integrity}");
            }
        }
    }
    lines
}
