//! The oracle proves itself: tshark reads packets that an independent script sealed, and sees one wrong bit.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

use std::path::Path;

use tests::lab::oracle::{BINDING_UPDATE, Frame, Oracle};
use tests::lab::pcap::{self, Datagram};

/// PType 8 under {00,02}: a Binding Update.
const NULL_SHA: &str = "8123456700000007870201020000c91020010db80001000000000000000001003b030500c4af0001c00000960100031020010db8\
     00020000000000000000abcd0102023c5caa344f1d4a337bb3cc26bf";
/// PType 8 under {00,2F}: the same Binding Update.
const AES_128_CBC_SHA: &str = "8123456700000007a0a1a2a3a4a5a6a7a8a9aaabacadaeaf724f007f3d60b05ad4f8907e7ecd719ce894b77a6878473e36036dc2\
     40357dccf5cfe595e0bb4a8fe3d7d72a8e970dbe94ba89f64914e0f76d6500d9992fe24b865772f65ea8b26439fe6b24";
/// PType 1 under {00,2F}: an ICMPv6 echo request.
const ECHO: &str = "1123456700000008a0a1a2a3a4a5a6a7a8a9aaabacadaeaf63e8c0d7fd914a57e65512417f258384bc6ad8dac1225904ebd618b2\
     305f0892f596bc1205684bcfcab4aefa7c3ca3f1c33b721fd503dad48ebc045ad00b4ba3eef9f18c5b9f75b3799fa7be";
/// PType 8 under {00,0A}: the Binding Update.
const TRIPLE_DES: &str = "8123456700000007a0a1a2a3a4a5a6a7208b4fafb4d9e23aa65f76554b70f183a4928d668b5f1bc31351dbbcdd1249991aa1af51\
     5204aacb0a5c81cc7d6e5f9a8b07ce3b57c990756eb277334f8abf7b821bcf770806b83323c68989";
const TRIPLE_DES_KEY: &str = "0123456789abcdef23456789abcdef01456789abcdef0123";
/// PType 8 under {00,3C}: the Binding Update.
const AES_128_CBC_SHA256: &str = "8123456700000007a0a1a2a3a4a5a6a7a8a9aaabacadaeaf724f007f3d60b05ad4f8907e7ecd719ce894b77a6878473e36036dc2\
     40357dccf5cfe595e0bb4a8fe3d7d72a8e970dbe94ba89f64914e0f76d6500d9992fe24b6f705e7c3313c6e5dbf55dcb";
/// PType 1 under {00,9C}, from the vectors: key, then 4 octets of salt.
const AES_128_GCM: &str = "1fb9b7710000000100000000000000014bbf0cc68596744d206490a3aef3a4b2fdf986f1";
const AES_128_GCM_KEY: &str = "\"IPv4\",\"*\",\"*\",\"0x1fb9b771\",\"AES-GCM with 16 octet ICV [RFC4106]\",\
     \"0x7b314b9b02c4e7e927c8db11cd18df493cb755ac\",\"NULL\",\"\"\n";
const INTEGRITY: &str = "202122232425262728292a2b2c2d2e2f30313233";
const ENCRYPTION: &str = "404142434445464748494a4b4c4d4e4f";

fn decode(folder: &Path, packets: &[Vec<u8>], encryption: &str, key: &str) -> Vec<Frame> {
    let oracle = Oracle::new(folder).unwrap();
    let line = |ptype| {
        format!(
            "\"IPv4\",\"*\",\"*\",\"0x{ptype}1234567\",\"{encryption}\",\"{key}\",\"HMAC-SHA-1-96 [RFC2404]\",\"0x{INTEGRITY}\"\n"
        )
    };
    std::fs::write(oracle.keys(), line(8) + &line(1)).unwrap();
    decode_with(&oracle, folder, packets)
}

fn decode_with(oracle: &Oracle, folder: &Path, packets: &[Vec<u8>]) -> Vec<Frame> {
    let (from, to) = ("198.51.100.2:40000".parse().unwrap(), "203.0.113.2:7872".parse().unwrap());
    let datagrams: Vec<_> = packets.iter().map(|payload| Datagram { from, to, payload: payload.clone() }).collect();
    let capture = folder.join("capture.pcap");
    pcap::write(&capture, &datagrams).unwrap();
    oracle.decode(&capture).unwrap()
}

#[test]
fn binding_update_and_echo_are_read_with_right_icvs() {
    let folder = tempfile::tempdir().unwrap();
    let packets = [hex::decode(AES_128_CBC_SHA).unwrap(), hex::decode(ECHO).unwrap()];
    let frames = decode(folder.path(), &packets, "AES-CBC [RFC3602]", &format!("0x{ENCRYPTION}"));
    let [update, echo] = &frames[..] else { panic!("{frames:?}") };
    assert_eq!((update.spi, update.sequence, update.icv_good), (Some(0x8123_4567), Some(7), Some(1)));
    assert_eq!(update.mobility_header, Some(BINDING_UPDATE));
    assert_eq!((echo.next_header, echo.icv_good, echo.icmpv6), (Some(41), Some(1), Some(128)));
}

#[test]
fn a_binding_update_under_3des_is_read_with_a_right_icv() {
    let folder = tempfile::tempdir().unwrap();
    let packet = hex::decode(TRIPLE_DES).unwrap();
    let frames = decode(folder.path(), &[packet], "TripleDES-CBC [RFC2451]", &format!("0x{TRIPLE_DES_KEY}"));
    assert_eq!((frames[0].icv_good, frames[0].mobility_header), (Some(1), Some(BINDING_UPDATE)));
}

#[test]
fn an_xcbc_icv_is_not_checked_and_what_is_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let oracle = Oracle::new(folder.path()).unwrap();
    let algorithms = format!("\"AES-CBC [RFC3602]\",\"0x{ENCRYPTION}\",\"ANY 96 bit authentication [no checking]\",\"\"");
    std::fs::write(oracle.keys(), format!("\"IPv4\",\"*\",\"*\",\"0x81234567\",{algorithms}\n")).unwrap();
    let frames = decode_with(&oracle, folder.path(), &[hex::decode(AES_128_CBC_SHA256).unwrap()]);
    assert_eq!(
        (frames[0].icv_good, frames[0].mobility_header),
        (Some(0), Some(BINDING_UPDATE)),
        "not called good, since nobody looked"
    );
}

#[test]
fn an_aead_icv_is_checked_too() {
    let folder = tempfile::tempdir().unwrap();
    let right = hex::decode(AES_128_GCM).unwrap();
    let mut wrong = right.clone();
    wrong[17] ^= 1;
    let oracle = Oracle::new(folder.path()).unwrap();
    std::fs::write(oracle.keys(), AES_128_GCM_KEY).unwrap();
    let frames = decode_with(&oracle, folder.path(), &[right, wrong]);
    assert_eq!(frames.iter().map(|frame| frame.icv_good).collect::<Vec<_>>(), [Some(1), Some(0)]);
    assert_eq!(frames[0].next_header, Some(41));
}

#[test]
fn one_wrong_bit_is_a_wrong_icv() {
    let folder = tempfile::tempdir().unwrap();
    let right = hex::decode(NULL_SHA).unwrap();
    let mut wrong = right.clone();
    wrong[20] ^= 1;
    let frames = decode(folder.path(), &[right, wrong], "NULL", "");
    assert_eq!(frames.iter().map(|frame| frame.icv_good).collect::<Vec<_>>(), [Some(1), Some(0)]);
}
