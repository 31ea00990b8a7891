//! The functions of MS-CHAP-V2 (RFC 2759 section 8) and its keys (RFC 3079 section 3.3). Called by [`super`] and by EAP-TTLS with
//! MS-CHAP-V2 (RFC 5281 section 11.2.4), which carry the same response in packets of different order.
//!
//! MD4, DES and SHA-1 are what the protocol has: nothing here may be used for anything else.

use cipher::{BlockCipherEncrypt, KeyInit};
use des::Des;
use md4::Md4;
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::eap::MethodError;
use crate::sa::Secret;

/// Octets of a challenge of either end.
pub const CHALLENGE_LEN: usize = 16;
/// Octets of the response that a password gives.
pub const NT_RESPONSE_LEN: usize = 24;
/// UTF-16 units of the longest password (section 4).
pub const MAX_PASSWORD_LEN: usize = 256;

/// GenerateNTResponse (section 8.1). `user` may have a domain in front, which is not hashed; `password` is UTF-8.
///
/// # Errors
/// [`MethodError::Password`]: it is not UTF-8, or too long.
pub fn generate_nt_response(
    auth_challenge: &[u8; CHALLENGE_LEN],
    peer_challenge: &[u8; CHALLENGE_LEN],
    user: &str,
    password: &Secret,
) -> Result<[u8; NT_RESPONSE_LEN], MethodError> {
    let hash = nt_password_hash(password)?;
    Ok(challenge_response(&challenge_hash(peer_challenge, auth_challenge, user), &hash))
}

/// CheckAuthenticatorResponse (section 8.8): whether the server that answers `nt_response` has the password. `received` is the message of
/// a Success packet (section 5): `S=`, 40 hexadecimal digits, and perhaps a text for the user behind a space. Compared in constant time.
///
/// # Errors
/// [`MethodError::Password`], as above.
pub fn verify_authenticator_response(
    received: &[u8],
    auth_challenge: &[u8; CHALLENGE_LEN],
    peer_challenge: &[u8; CHALLENGE_LEN],
    nt_response: &[u8; NT_RESPONSE_LEN],
    user: &str,
    password: &Secret,
) -> Result<bool, MethodError> {
    let right = authenticator_response(auth_challenge, peer_challenge, nt_response, user, password)?;
    Ok(digest_of(received).is_some_and(|digest| digest.ct_eq(&right).into()))
}

/// The keys of a run (RFC 3079 section 3.3), which EAP-MSCHAPv2 gives as its MSK: MasterReceiveKey, then MasterSendKey, 16 octets each, by
/// the names that the server has for them.
///
/// # Errors
/// [`MethodError::Password`], as above.
pub fn session_keys(password: &Secret, nt_response: &[u8; NT_RESPONSE_LEN]) -> Result<Secret, MethodError> {
    let hash_hash = hash_hash(password)?;
    let master = Sha1::new().chain_update(*hash_hash).chain_update(nt_response).chain_update(MASTER_KEY).finalize();
    let (master, _) = master.split_at(MASTER_KEY_LEN);
    let mut keys = Vec::with_capacity(2 * MASTER_KEY_LEN);
    for magic in [TO_THE_SERVER, FROM_THE_SERVER] {
        let hash = Sha1::new().chain_update(master).chain_update([0; PAD_LEN]).chain_update(magic);
        let key = hash.chain_update([0xf2; PAD_LEN]).finalize();
        keys.extend(key.iter().take(MASTER_KEY_LEN));
    }
    Ok(Secret::new(keys))
}

const MASTER_KEY: &[u8] = b"This is the MPPE Master Key";
const TO_THE_SERVER: &[u8] = b"On the client side, this is the send key; on the server side, it is the receive key.";
const FROM_THE_SERVER: &[u8] = b"On the client side, this is the receive key; on the server side, it is the send key.";
const MASTER_KEY_LEN: usize = 16;
const PAD_LEN: usize = 40;

const SIGNING: &[u8] = b"Magic server to client signing constant";
const ITERATION: &[u8] = b"Pad to make it do more than one iteration";

/// ChallengeHash (section 8.2): the user's name without the domain in front of a backslash (section 4).
fn challenge_hash(peer_challenge: &[u8; CHALLENGE_LEN], auth_challenge: &[u8; CHALLENGE_LEN], user: &str) -> [u8; 8] {
    let name = user.split_once('\\').map_or(user, |(_, name)| name);
    let hash = Sha1::new().chain_update(peer_challenge).chain_update(auth_challenge).chain_update(name).finalize();
    let mut challenge = [0; 8];
    challenge.iter_mut().zip(hash).for_each(|(to, octet)| *to = octet);
    challenge
}

/// NtPasswordHash (section 8.3): MD4 over UTF-16, the low octet first.
fn nt_password_hash(password: &Secret) -> Result<Zeroizing<[u8; 16]>, MethodError> {
    let text = std::str::from_utf8(password.expose()).map_err(|_| MethodError::Password)?;
    if text.encode_utf16().count() > MAX_PASSWORD_LEN {
        return Err(MethodError::Password);
    }
    let mut hash = Md4::new();
    text.encode_utf16().for_each(|unit| hash.update(unit.to_le_bytes()));
    Ok(Zeroizing::new(hash.finalize().into()))
}

/// HashNtPasswordHash (section 8.4).
fn hash_hash(password: &Secret) -> Result<Zeroizing<[u8; 16]>, MethodError> {
    Ok(Zeroizing::new(Md4::digest(*nt_password_hash(password)?).into()))
}

/// ChallengeResponse (section 8.5): the challenge under three DES keys, cut from the hash and five zeros.
fn challenge_response(challenge: &[u8; 8], hash: &[u8; 16]) -> [u8; NT_RESPONSE_LEN] {
    let mut keys = Zeroizing::new([0; 21]);
    keys.iter_mut().zip(hash).for_each(|(to, octet)| *to = *octet);
    let mut response = [0; NT_RESPONSE_LEN];
    for (part, key) in response.as_chunks_mut::<8>().0.iter_mut().zip(keys.as_chunks::<7>().0) {
        *part = *challenge;
        Des::new((&*with_parity(key)).into()).encrypt_block(part.into());
    }
    response
}

/// A DES key of 56 bits with room for the parity in each octet's lowest bit (section 8.6), which DES does not look at.
fn with_parity(key: &[u8; 7]) -> Zeroizing<[u8; 8]> {
    let bits = key.iter().fold(0_u64, |bits, octet| bits << 8 | u64::from(*octet));
    let mut spread = Zeroizing::new([0; 8]);
    for (octet, place) in spread.iter_mut().zip((0..8).rev()) {
        *octet = (bits >> (7 * place) << 1).to_le_bytes()[0];
    }
    spread
}

/// The digest in GenerateAuthenticatorResponse (section 8.7).
fn authenticator_response(
    auth_challenge: &[u8; CHALLENGE_LEN],
    peer_challenge: &[u8; CHALLENGE_LEN],
    nt_response: &[u8; NT_RESPONSE_LEN],
    user: &str,
    password: &Secret,
) -> Result<[u8; 20], MethodError> {
    let hash_hash = hash_hash(password)?;
    let digest = Sha1::new().chain_update(*hash_hash).chain_update(nt_response).chain_update(SIGNING).finalize();
    let challenge = challenge_hash(peer_challenge, auth_challenge, user);
    Ok(Sha1::new().chain_update(digest).chain_update(challenge).chain_update(ITERATION).finalize().into())
}

fn digest_of(message: &[u8]) -> Option<[u8; 20]> {
    let digits = message.strip_prefix(b"S=")?.first_chunk::<40>()?;
    let mut digest = [0; 20];
    hex::decode_to_slice(digits, &mut digest).ok()?;
    Some(digest)
}

/// What a server with this password says, for the tests of those who call [`verify_authenticator_response`].
#[cfg(test)]
pub(crate) fn authenticator_message(
    auth_challenge: &[u8; CHALLENGE_LEN],
    peer_challenge: &[u8; CHALLENGE_LEN],
    nt_response: &[u8; NT_RESPONSE_LEN],
    user: &str,
    password: &Secret,
) -> Result<String, MethodError> {
    let digest = authenticator_response(auth_challenge, peer_challenge, nt_response, user, password)?;
    Ok(format!("S={}", hex::encode_upper(digest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2759 section 9.2.
    const AUTH: [u8; 16] = *b"[]|}{?/><,`!2&&(";
    const PEER: [u8; 16] = *b"!@#$%^&*()_+:3|~";
    const NT_RESPONSE: &str = "82309ecd8d708b5ea08faa3981cd83544233114a3d85d6df";
    const SUCCESS: &[u8] = b"S=407A5589115FD0D6209F510FE9C04566932CDA56";

    fn secret(text: &str) -> Secret {
        Secret::new(text.into())
    }

    fn nt_response() -> [u8; 24] {
        generate_nt_response(&AUTH, &PEER, "User", &secret("clientPass")).unwrap()
    }

    fn verify(received: &[u8], password: &str) -> bool {
        verify_authenticator_response(received, &AUTH, &PEER, &nt_response(), "User", &secret(password)).unwrap()
    }

    #[test]
    fn the_example_of_rfc_2759_section_9_2_comes_out() {
        assert_eq!(hex::encode(challenge_hash(&PEER, &AUTH, "User")), "d02e4386bce91226");
        assert_eq!(hex::encode(*nt_password_hash(&secret("clientPass")).unwrap()), "44ebba8d5312b8d611474411f56989ae");
        assert_eq!(hex::encode(*hash_hash(&secret("clientPass")).unwrap()), "41c00c584bd2d91c4017a2a12fa59f3f");
        assert_eq!(hex::encode(nt_response()), NT_RESPONSE);
        assert!(verify(SUCCESS, "clientPass") && verify(&[SUCCESS, b" M=welcome"].concat(), "clientPass"));
    }

    #[test]
    fn des_keys_are_spread_as_rfc_2759_section_9_3_shows() {
        let spread = |key: [u8; 7]| with_parity(&key).map(|octet| octet & 0xfe);
        let without_parity = |key: [u8; 8]| key.map(|octet| octet & 0xfe);
        let first = without_parity([0xfd, 0x0b, 0x5b, 0x5e, 0x7f, 0x6e, 0x34, 0xd9]);
        assert_eq!(spread([0xfc, 0x15, 0x6a, 0xf7, 0xed, 0xcd, 0x6c]), first);
        let second = without_parity([0x0e, 0x6e, 0x79, 0x67, 0x37, 0xea, 0x08, 0xfe]);
        assert_eq!(spread([0x0e, 0xdd, 0xe3, 0x33, 0x7d, 0x42, 0x7f]), second);
    }

    #[test]
    fn the_keys_of_rfc_3079_section_3_5_3_come_out() {
        let keys = session_keys(&secret("clientPass"), &nt_response()).unwrap();
        assert_eq!(hex::encode(keys.expose()), "d5f0e9521e3ea9589645e86051c822268b7cdc149b993a1ba118cb153f56dccb");
    }

    #[test]
    fn the_domain_is_not_hashed_and_the_password_is_utf_16() {
        let (auth, peer) = (std::array::from_fn(|at| at as u8), std::array::from_fn(|at| 0xf0 + at as u8));
        for user in ["EXAMPLE\\alice", "alice"] {
            let response = generate_nt_response(&auth, &peer, user, &secret("pässwörd€𝄞")).unwrap();
            assert_eq!(hex::encode(response), "826dbf7d0e96fa58039debaa1c89ae32dfaf1986e4247b5b");
            let keys = session_keys(&secret("pässwörd€𝄞"), &response).unwrap();
            assert_eq!(hex::encode(keys.expose()), "404304e77e994decf766989c27ced4647e3769220f035715b2c613d74d4afb6a");
        }
    }

    #[test]
    fn a_server_without_the_password_is_found_out() {
        assert!(!verify(SUCCESS, "clientPas") && !verify(SUCCESS, ""));
        let mut wrong = SUCCESS.to_vec();
        wrong[41] ^= 1;
        assert!(!verify(&wrong, "clientPass"));
        for cut in 0..SUCCESS.len() {
            assert!(!verify(&SUCCESS[..cut], "clientPass"), "{cut} octets");
        }
        assert!(!verify(b"E=691 R=0 C=00000000000000000000000000000000 V=3 M=no", "clientPass"));
    }

    #[test]
    fn a_password_that_is_no_text_or_too_long_is_refused() {
        let of = |octets: &[u8]| generate_nt_response(&AUTH, &PEER, "User", &Secret::new(octets.to_vec()));
        assert_eq!(of(b"\xff"), Err(MethodError::Password));
        assert_eq!(of(&[b'a'; 257]), Err(MethodError::Password));
        assert!(of(&[b'a'; 256]).is_ok() && of(b"").is_ok());
    }
}
