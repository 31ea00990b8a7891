//! `auth`: what binds a message to its key, its direction and the TLS channel (RFC 6618 sections 5.5.5 and 5.8).
//!
//! The one place of the formula and of what the two wire profiles make of it: the draft has it without the label, so there a
//! message that comes back to its sender is told apart by its headers alone.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::Psk;
use crate::eap::Msk;
use crate::profile::WireProfile;

/// Octets of `auth`: HMAC-SHA256.
pub const AUTH_LEN: usize = 32;
/// The key "1" of messages before a key is known: the single octet 0x31 (RFC 6618 section 5.9).
const NO_KEY: &[u8] = b"1";

/// The `tls-server-end-point` hash of the HAC's leaf certificate, raw (RFC 5929 section 4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelBinding(Vec<u8>);

impl ChannelBinding {
    /// Takes the hash: 28 to 64 octets after the certificate's signature algorithm.
    pub fn new(octets: Vec<u8>) -> Self {
        Self(octets)
    }

    /// The hash.
    pub fn octets(&self) -> &[u8] {
        &self.0
    }
}

/// Who made a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// Requests.
    MobileNode,
    /// Responses.
    Controller,
}

impl Sender {
    /// What stands in front of msg-octets, without a NUL; it stops reflection. The draft has none.
    pub const fn label(self, profile: WireProfile) -> &'static [u8] {
        match (profile, self) {
            (WireProfile::Draft04, _) => b"",
            (WireProfile::Rfc6618, Self::MobileNode) => b"MN",
            (WireProfile::Rfc6618, Self::Controller) => b"HAC",
        }
    }
}

/// What a message is keyed with.
#[derive(Clone, Copy)]
pub(super) enum Key<'a> {
    /// "1": proves nothing, errors keyed with it are hints.
    One,
    /// The pre-shared key, or the pseudo-key of an unknown name.
    Psk(&'a Psk),
    /// The key of a key-deriving EAP method.
    Msk(&'a Msk),
}

impl Key<'_> {
    fn octets(&self) -> &[u8] {
        match self {
            Key::One => NO_KEY,
            Key::Psk(psk) => psk.expose(),
            Key::Msk(msk) => msk.expose(),
        }
    }
}

/// `auth` = HMAC-SHA256(key, label | msg-octets | CB-octets).
pub fn auth(key: &[u8], label: &[u8], msg_octets: &[u8], binding: &ChannelBinding) -> [u8; AUTH_LEN] {
    hmac_sha256(key, &[label, msg_octets, binding.octets()])
}

/// What both ends of one exchange make and check `auth` with, the key aside.
#[derive(Clone)]
pub(super) struct Authenticator {
    pub(super) profile: WireProfile,
    pub(super) binding: ChannelBinding,
}

impl Authenticator {
    /// The `auth` of a message that `sender` makes.
    pub(super) fn compute(&self, key: Key<'_>, sender: Sender, msg_octets: &[u8]) -> [u8; AUTH_LEN] {
        auth(key.octets(), sender.label(self.profile), msg_octets, &self.binding)
    }

    /// Whether `received` is that `auth`; takes the same time wherever the two differ.
    pub(super) fn verify(&self, key: Key<'_>, sender: Sender, msg_octets: &[u8], received: &[u8; AUTH_LEN]) -> bool {
        self.compute(key, sender, msg_octets).ct_eq(received).into()
    }
}

/// HMAC-SHA256 over `parts` one after another; a key of any length (RFC 2104 section 3).
pub(super) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; AUTH_LEN] {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { unreachable!("HMAC takes a key of any length") };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding() -> ChannelBinding {
        ChannelBinding::new(hex::decode("bcc6ac1e75cf20d09a752512f8df155306246e261a09de3d4658ca76b8233811").unwrap())
    }

    fn nonces() -> String {
        let mn_rand: Vec<u8> = (0x00..0x20).collect();
        let hac_rand: Vec<u8> = (0x80..0xa0).collect();
        format!("mn-rand:{}\r\nhac-rand:{}\r\n", hex::encode(mn_rand), hex::encode(hac_rand))
    }

    /// Values of an independent script: profile draft-04 (no label) and rfc6618.
    #[test]
    fn auth_is_what_an_independent_implementation_computes() {
        let psk = b"correct horse battery staple psk";
        let init = nonces() + "auth-method:psk\r\n";
        let done = nonces() + "mip6-sas:1\r\nmip6-suitelist:{00,3C},{00,2F}\r\n";
        let eap = "auth-method:eap\r\neap-payload:0101000501\r\n";
        let (mn, hac) = (Sender::MobileNode.label(WireProfile::Rfc6618), Sender::Controller.label(WireProfile::Rfc6618));
        let rows: [(&[u8], &[u8], &str, &str); 8] = [
            (psk, b"", &init, "0e3737e83605767b254a5dfdbbf76856e716d9a33c2f6b29de9765363daa6de2"),
            (psk, hac, &init, "857a132dbf47c5c379b5ecca70fdc45e924d9ba3c64fcc7ec293bc214deb4212"),
            (psk, b"", &done, "948112c397366c1f466864643f93bc09e43eb8dd346b4e10a916cfa3e6b0f4ce"),
            (psk, mn, &done, "dfc29c19d1165d72a7e251319368eb0a9b7368badc0fb0ac9771d8b4b0382f19"),
            (NO_KEY, b"", eap, "31469b55e895eeb52d0f5e05c85714ade208907c0d7256d3fc44bc68e48204e8"),
            (NO_KEY, hac, eap, "e09b8eb4e39bc6bf1f6150f021433fbdd535b71a2c80275d1566a782f3cda900"),
            (b"\x01", b"", eap, "eecbd33abbc8cdd1736e3439a08bba00390147f445d848967eaa06d17c724134"),
            (b"\x01", hac, eap, "66cc8c2635cf4fb5127229e185265ac17bb76e4e6b37bc7583a473098e377fcf"),
        ];
        for (key, label, msg_octets, expected) in rows {
            assert_eq!(hex::encode(auth(key, label, msg_octets.as_bytes(), &binding())), expected, "{label:?} {msg_octets}");
        }
    }

    #[test]
    fn auth_depends_on_direction_binding_and_every_octet() {
        let rfc6618 = Authenticator { profile: WireProfile::Rfc6618, binding: binding() };
        let elsewhere = Authenticator { binding: ChannelBinding::new(vec![0; 32]), ..rfc6618.clone() };
        let right = rfc6618.compute(Key::One, Sender::MobileNode, b"a:b\r\n");
        assert!(rfc6618.verify(Key::One, Sender::MobileNode, b"a:b\r\n", &right));
        assert!(!rfc6618.verify(Key::One, Sender::Controller, b"a:b\r\n", &right));
        assert!(!rfc6618.verify(Key::One, Sender::MobileNode, b"a:b\n\r", &right));
        assert!(!elsewhere.verify(Key::One, Sender::MobileNode, b"a:b\r\n", &right));
        let mut wrong = right;
        wrong[AUTH_LEN - 1] ^= 1;
        assert!(!rfc6618.verify(Key::One, Sender::MobileNode, b"a:b\r\n", &wrong));
    }

    #[test]
    fn the_drafts_auth_names_no_direction_and_is_not_the_rfcs() {
        let draft = Authenticator { profile: WireProfile::Draft04, binding: binding() };
        let rfc6618 = Authenticator { profile: WireProfile::Rfc6618, binding: binding() };
        let made = draft.compute(Key::One, Sender::MobileNode, b"a:b\r\n");
        assert!(draft.verify(Key::One, Sender::Controller, b"a:b\r\n", &made));
        for sender in [Sender::MobileNode, Sender::Controller] {
            assert!(!rfc6618.verify(Key::One, sender, b"a:b\r\n", &made));
        }
    }
}
