//! Vectors of an independent implementation, held against ours (`cargo test -p tests vectors`).
//!
//! They are read from the folder that `HALTSEC_VECTORS` names, or else from `tests/vectors`; one file here per file there.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up has failed")]

mod aes_xcbc_mac_96;
mod auth;
mod mobility;
mod packets;

use std::path::PathBuf;

use serde::de::DeserializeOwned;

/// The cases of one file: a JSON array. An unreadable file and an empty one fail the test that asks for it.
fn load<T: DeserializeOwned>(file: &str) -> Vec<T> {
    let path = folder().join(file);
    let text =
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read the vectors {}: {error}", path.display()));
    let cases: Vec<T> =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("cannot understand the vectors {}: {error}", path.display()));
    assert!(!cases.is_empty(), "{} has no cases", path.display());
    cases
}

fn folder() -> PathBuf {
    match std::env::var_os("HALTSEC_VECTORS") {
        Some(folder) => folder.into(),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors"),
    }
}

/// Octets out of a hexadecimal field.
fn octets(field: &str) -> Vec<u8> {
    hex::decode(field).unwrap_or_else(|error| panic!("{field:?} is not hexadecimal: {error}"))
}
