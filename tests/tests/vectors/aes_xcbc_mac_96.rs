//! `aes_xcbc_mac_96.json`: the MAC of {00,3B} and {00,3C} alone (RFC 3566).

use protocol::sa::cipher::Transform;
use protocol::sa::{CipherSuite, DirectionKeys, Secret};
use serde::Deserialize;

use super::{load, octets};

#[derive(Deserialize)]
struct Case {
    key: String,
    data: String,
    mac96: String,
}

/// Sealing under {00,3B} appends the MAC and does nothing else, whatever is sealed.
#[test]
fn vectors_aes_xcbc_mac_96_is_the_same() {
    for case in load::<Case>("aes_xcbc_mac_96.json") {
        let keys = DirectionKeys::new(&Secret::new(octets(&case.key)), &Secret::empty());
        let mac = Transform::new(CipherSuite::NullSha256, &keys).unwrap();
        let data = octets(&case.data);
        let mut sealed = [&data[..], &[0; 12]].concat();
        mac.seal(&mut sealed);
        assert_eq!(hex::encode(&sealed), case.data.to_lowercase() + &case.mac96.to_lowercase(), "{} octets", data.len());
    }
}
