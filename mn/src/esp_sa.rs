//! Writes keys for Wireshark's ESP decoder: in builds with the feature `lab` alone, which a release build refuses.

use std::fmt::Write as _;
use std::io::Write as _;

use protocol::sa::{CipherSuite, Direction, DirectionKeys, SecurityAssociation};

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

/// The file is in Wireshark's form, and names every key besides, in comments: it does not know all of them.
///
/// Wireshark matches an SA by its destination: towards the home agent's port all addresses are those of the home agent.
fn lines(sa: &SecurityAssociation) -> String {
    let mut lines = String::new();
    for direction in [Direction::MnToHa, Direction::HaToMn] {
        let keys = sa.keys(direction);
        let _infallible = writeln!(lines, "# {} {}", key(keys.integrity()), key(keys.encryption()));
        let Some(algorithms) = algorithms(sa.suite, keys) else { continue };
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
                let _infallible = writeln!(lines, "\"{protocol}\",\"{source}\",\"{destination}\",\"0x{spi:08x}\",{algorithms}");
            }
        }
    }
    lines
}

/// Encryption and integrity, each with its key, in Wireshark's words. It knows no XCBC, whose ICV it is told not to check, and no
/// ChaCha20-Poly1305: `None`.
fn algorithms(suite: CipherSuite, keys: &DirectionKeys) -> Option<String> {
    let encryption = match suite {
        CipherSuite::NullSha | CipherSuite::NullSha256 => "NULL",
        CipherSuite::TripleDesEdeCbcSha => "TripleDES-CBC [RFC2451]",
        CipherSuite::Aes128CbcSha | CipherSuite::Aes128CbcSha256 => "AES-CBC [RFC3602]",
        CipherSuite::Aes128Gcm => "AES-GCM with 16 octet ICV [RFC4106]",
        CipherSuite::ChaCha20Poly1305 => return None,
    };
    let (integrity, integrity_key) = match suite {
        CipherSuite::NullSha | CipherSuite::TripleDesEdeCbcSha | CipherSuite::Aes128CbcSha => {
            ("HMAC-SHA-1-96 [RFC2404]", key(keys.integrity()))
        }
        CipherSuite::NullSha256 | CipherSuite::Aes128CbcSha256 => ("ANY 96 bit authentication [no checking]", String::new()),
        CipherSuite::Aes128Gcm | CipherSuite::ChaCha20Poly1305 => ("NULL", String::new()),
    };
    Some(format!("\"{encryption}\",\"{}\",\"{integrity}\",\"{integrity_key}\"", key(keys.encryption())))
}

/// Hexadecimal digits, or nothing for no key.
fn key(key: &[u8]) -> String {
    if key.is_empty() { String::new() } else { format!("0x{}", hex::encode(key)) }
}

#[cfg(test)]
mod tests {
    use protocol::sa::Secret;

    use super::*;

    fn exported(suite: CipherSuite) -> Option<String> {
        let octets = |len: usize, fill: u8| Secret::new(vec![fill; len]);
        let (integrity, encryption) = (octets(suite.integrity_key_len(), 0x11), octets(suite.encryption_key_len(), 0x22));
        algorithms(suite, &DirectionKeys::new(&integrity, &encryption))
    }

    /// The names are those that tshark takes: `tests/tests/lab_oracle.rs` gives it lines like these.
    #[test]
    fn each_suite_is_written_in_wiresharks_words() {
        let (integrity, encryption) = ("11".repeat(20), |octets| "22".repeat(octets));
        let hmac = format!("\"HMAC-SHA-1-96 [RFC2404]\",\"0x{integrity}\"");
        let unchecked = "\"ANY 96 bit authentication [no checking]\",\"\"";
        let rows = [
            (CipherSuite::NullSha, format!("\"NULL\",\"\",{hmac}")),
            (CipherSuite::NullSha256, format!("\"NULL\",\"\",{unchecked}")),
            (CipherSuite::TripleDesEdeCbcSha, format!("\"TripleDES-CBC [RFC2451]\",\"0x{}\",{hmac}", encryption(24))),
            (CipherSuite::Aes128CbcSha, format!("\"AES-CBC [RFC3602]\",\"0x{}\",{hmac}", encryption(16))),
            (CipherSuite::Aes128CbcSha256, format!("\"AES-CBC [RFC3602]\",\"0x{}\",{unchecked}", encryption(16))),
            (CipherSuite::Aes128Gcm, format!("\"AES-GCM with 16 octet ICV [RFC4106]\",\"0x{}\",\"NULL\",\"\"", encryption(20))),
        ];
        for (suite, expected) in rows {
            assert_eq!(exported(suite), Some(expected), "{suite}");
        }
        assert_eq!(exported(CipherSuite::ChaCha20Poly1305), None);
    }
}
