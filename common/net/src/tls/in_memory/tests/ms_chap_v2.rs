//! The server's end of MS-CHAP-V2 (RFC 2759 section 8), for the inner servers of the tests.

use md4::Md4;
use sha1::{Digest, Sha1};

/// What a right server answers to this NT-Response: `S=` and 40 digits.
pub(super) fn authenticator_response(
    auth_challenge: &[u8],
    peer_challenge: &[u8],
    nt_response: &[u8],
    user: &str,
    password: &str,
) -> String {
    let unicode: Vec<u8> = password.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let hash_hash = Md4::digest(Md4::digest(unicode));
    let challenge = Sha1::new().chain_update(peer_challenge).chain_update(auth_challenge).chain_update(user).finalize();
    let digest = Sha1::new().chain_update(hash_hash).chain_update(nt_response);
    let digest = digest.chain_update("Magic server to client signing constant").finalize();
    let digest = Sha1::new().chain_update(digest).chain_update(&challenge[..8]);
    let digest = digest.chain_update("Pad to make it do more than one iteration").finalize();
    format!("S={}", hex::encode_upper(digest))
}

#[test]
fn it_answers_as_rfc_2759_section_9_2_shows() {
    let nt_response = hex::decode("82309ecd8d708b5ea08faa3981cd83544233114a3d85d6df").unwrap();
    let said = authenticator_response(b"[]|}{?/><,`!2&&(", b"!@#$%^&*()_+:3|~", &nt_response, "User", "clientPass");
    assert_eq!(said, "S=407A5589115FD0D6209F510FE9C04566932CDA56");
}
