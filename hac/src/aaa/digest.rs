//! The keyed hashes of RADIUS, all of them MD5: Message-Authenticator, Response Authenticator, the Request Authenticator of requests that
//! are answered without a decision about access, and the stream that hides keys.
//!
//! `request`, `reply`, `mppe` and `dynamic_authorization` use them; nothing else of the HAC does. All but the first are MD5 with the
//! secret appended, which collisions forge (CVE-2024-3596): a decision about access is believed for its Message-Authenticator, an HMAC.

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use protocol::sa::Secret;
use zeroize::Zeroizing;

use super::packet::{Authenticator, Packet};

/// HMAC-MD5 over `parts`: Message-Authenticator (RFC 3579 section 3.2) when they are the packet with the Request Authenticator in
/// its header, of a reply as well, and with 16 zero octets in its own place.
pub(crate) fn hmac(secret: &Secret, parts: &[&[u8]]) -> Authenticator {
    let Ok(mut mac) = Hmac::<Md5>::new_from_slice(secret.expose()) else { unreachable!("HMAC takes a key of any length") };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// Response Authenticator (RFC 2865 section 3): MD5(Code, Identifier, Length, Request Authenticator, attributes, secret).
pub(super) fn response_authenticator(secret: &Secret, reply: &Packet<'_>, request: &Authenticator) -> Authenticator {
    *hash(&[&reply.head(), request, reply.attributes().octets(), secret.expose()])
}

/// Request Authenticator of an Accounting-Request (RFC 2866 section 3), a Disconnect-Request and a CoA-Request (RFC 5176 section 2.3):
/// MD5(Code, Identifier, Length, 16 zero octets, attributes, secret).
pub(crate) fn request_authenticator(secret: &Secret, head: &[u8; 4], attributes: &[u8]) -> Authenticator {
    *hash(&[head, &[0; size_of::<Authenticator>()], attributes, secret.expose()])
}

/// MD5 over `parts`; of key material, so it is wiped.
pub(crate) fn hash(parts: &[&[u8]]) -> Zeroizing<Authenticator> {
    let mut md5 = Md5::new();
    parts.iter().for_each(|part| md5.update(part));
    Zeroizing::new(md5.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2865 section 7.1.
    #[test]
    fn the_response_authenticator_of_the_rfc_comes_out() {
        let reply = hex::decode("0200002686fe220e7624ba2a1005f6bf9b55e0b20606000000010f06000000000e06c0a80103").unwrap();
        let packet = Packet::parse(&reply).unwrap();
        let request = hex::decode("0f403f9473978057bd83d5cb98f4227a").unwrap().try_into().unwrap();
        let secret = Secret::new(b"xyzzy5461".to_vec());
        assert_eq!(&response_authenticator(&secret, &packet, &request), packet.authenticator());
    }
}
