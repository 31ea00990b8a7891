//! The MSK in an Access-Accept: MS-MPPE-Recv-Key and MS-MPPE-Send-Key (RFC 2548 sections 2.4.2 and 2.4.3), hidden under the
//! secret and the Request Authenticator.
//!
//! `answer` calls this once a reply is verified. MSK = Recv-Key followed by Send-Key (RFC 5216 section 2.3).

use protocol::sa::Secret;
use zeroize::Zeroizing;

use super::attribute::Kind;
use super::digest;
use super::packet::{Attributes, Authenticator};

/// Octets of the MSK (RFC 3748 section 7.10).
pub(super) const MSK_LEN: usize = 64;
/// Octets of each half.
const KEY_LEN: usize = MSK_LEN / 2;
/// Microsoft's enterprise number.
const MICROSOFT: [u8; 4] = 311_u32.to_be_bytes();
const SEND_KEY: Kind = Kind(16);
const RECV_KEY: Kind = Kind(17);
/// The octets that one hash hides.
const BLOCK: usize = size_of::<Authenticator>();

/// The MSK; `None` when the server sent no keys, or not exactly one of each with 32 octets: half a key, or one of two, is none.
pub(super) fn msk(attributes: Attributes<'_>, request: &Authenticator, secret: &Secret) -> Option<Secret> {
    let halves = [RECV_KEY, SEND_KEY].map(|kind| key(attributes, kind, request, secret));
    let [Some(recv), Some(send)] = halves else { return None };
    Some(Secret::new([recv.expose(), send.expose()].concat()))
}

fn key(attributes: Attributes<'_>, kind: Kind, request: &Authenticator, secret: &Secret) -> Option<Secret> {
    let mut values = attributes.all(Kind::VENDOR_SPECIFIC).filter_map(of_microsoft).flat_map(move |own| own.all(kind));
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    unhide(value, request, secret)
}

/// The vendor's own attributes (RFC 2865 section 5.26); several may share one Vendor-Specific.
fn of_microsoft(value: &[u8]) -> Option<Attributes<'_>> {
    Attributes::parse(value.strip_prefix(&MICROSOFT)?).ok()
}

/// Takes Salt (2 octets) and String apart: p(1) = c(1) xor MD5(S + R + A), p(i) = c(i) xor MD5(S + c(i-1)); p is the key's length
/// in one octet, the key, padding.
fn unhide(value: &[u8], request: &Authenticator, secret: &Secret) -> Option<Secret> {
    let (salt, hidden) = value.split_first_chunk::<2>()?;
    // Its highest bit MUST be set; a key that nobody has hidden comes with zeros (section 2.4.2, implementation notes).
    let (blocks, []) = hidden.as_chunks::<BLOCK>() else { return None };
    if salt[0] & 0x80 == 0 {
        return None;
    }
    // Room for all, so that no copy stays behind.
    let mut plain = Zeroizing::new(Vec::with_capacity(hidden.len()));
    let mut stream = digest::hash(&[secret.expose(), request, salt]);
    for block in blocks {
        plain.extend(block.iter().zip(stream.iter()).map(|(octet, hiding)| octet ^ hiding));
        stream = digest::hash(&[secret.expose(), block]);
    }
    let (&length, key) = plain.split_first()?;
    (usize::from(length) == KEY_LEN).then(|| key.get(..KEY_LEN)).flatten().map(|key| Secret::new(key.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"a secret of the tests";
    const REQUEST: Authenticator = [0x5a; 16];

    fn secret() -> Secret {
        Secret::new(SECRET.to_vec())
    }

    /// A Vendor-Specific with one key, hidden as section 2.4.2 has it.
    fn hidden(kind: u8, salt: [u8; 2], key: &[u8]) -> Vec<u8> {
        let mut plain = vec![key.len() as u8];
        plain.extend(key);
        plain.resize(plain.len().next_multiple_of(16), 0);
        let mut value = salt.to_vec();
        let mut before = [&REQUEST[..], &salt].concat();
        for block in plain.chunks(16) {
            let stream = digest::hash(&[SECRET, &before]);
            before = block.iter().zip(stream.iter()).map(|(octet, hiding)| octet ^ hiding).collect();
            value.extend(&before);
        }
        let own = [&[kind, value.len() as u8 + 2][..], &value].concat();
        [&[26, own.len() as u8 + 6, 0, 0, 1, 55][..], &own].concat()
    }

    fn read(octets: &[u8]) -> Option<Secret> {
        msk(Attributes::parse(octets).unwrap(), &REQUEST, &secret())
    }

    #[test]
    fn the_msk_is_the_recv_key_and_then_the_send_key_in_whichever_order_they_come() {
        let (recv, send) = (hidden(17, [0x80, 1], &[0x11; 32]), hidden(16, [0x80, 2], &[0x22; 32]));
        let expected = Secret::new([[0x11; 32], [0x22; 32]].concat());
        assert_eq!(read(&[&recv[..], &send].concat()).unwrap(), expected);
        assert_eq!(read(&[&send[..], &recv].concat()).unwrap(), expected);
    }

    /// Computed apart from this code.
    #[test]
    fn keys_that_another_program_has_hidden_come_out() {
        let octets = "1a3a0000013710348f011e25b1a6e577c6ea6af1df88ac602d86a34e4d\
                      3fc5453d78651cf01ce3197d7a6f8dd420b852ee7c4dd379536b0254a9\
                      1a3a000001371134a17e96227ffd1b4c58025292f14143deb76b5a9f0e\
                      cf97377885f4ad81a854b0fbc904cf86f576952c57529d490d70b5ee61";
        let octets = hex::decode(octets).unwrap();
        let request = std::array::from_fn(|index| index as u8);
        let msk = msk(Attributes::parse(&octets).unwrap(), &request, &Secret::new(b"testing123".to_vec())).unwrap();
        assert_eq!(msk.expose(), (0x20..0x60).collect::<Vec<u8>>());
    }

    #[test]
    fn both_keys_may_share_one_vendor_specific() {
        let (recv, send) = (hidden(17, [0x80, 1], &[0x11; 32]), hidden(16, [0x80, 2], &[0x22; 32]));
        let own = [&recv[6..], &send[6..]].concat();
        let shared = [&[26, own.len() as u8 + 6, 0, 0, 1, 55][..], &own].concat();
        assert_eq!(read(&shared).unwrap().len(), MSK_LEN);
    }

    #[test]
    fn a_key_of_another_length_makes_no_msk() {
        let send = hidden(16, [0x80, 2], &[0x22; 32]);
        for len in [0, 1, 16, 31, 33, 47, 64] {
            let recv = hidden(17, [0x80, 1], &vec![0x11; len]);
            assert_eq!(read(&[&recv[..], &send].concat()), None, "{len} octets");
        }
    }

    #[test]
    fn half_a_key_or_one_of_two_makes_no_msk() {
        let (recv, send) = (hidden(17, [0x80, 1], &[0x11; 32]), hidden(16, [0x80, 2], &[0x22; 32]));
        assert_eq!(read(&recv), None);
        assert_eq!(read(&send), None);
        assert_eq!(read(&[&recv[..], &send, &recv].concat()), None);
        assert_eq!(read(&[]), None);
    }

    #[test]
    fn a_salt_without_its_highest_bit_is_of_a_key_that_nobody_has_hidden() {
        let (recv, send) = (hidden(17, [0x7f, 1], &[0x11; 32]), hidden(16, [0x80, 2], &[0x22; 32]));
        assert_eq!(read(&[&recv[..], &send].concat()), None);
    }

    #[test]
    fn keys_cut_short_or_of_another_vendor_make_no_msk() {
        let (recv, send) = (hidden(17, [0x80, 1], &[0x11; 32]), hidden(16, [0x80, 2], &[0x22; 32]));
        for cut in 6..recv.len() {
            let mut short = recv[..cut].to_vec();
            short[1] = cut as u8;
            if let Some(length) = short.get_mut(7) {
                *length = cut as u8 - 6;
            }
            assert_eq!(read(&[&short[..], &send].concat()), None, "{cut} octets");
        }
        let mut other = recv;
        other[5] = 56;
        assert_eq!(read(&[&other[..], &send].concat()), None);
    }
}
