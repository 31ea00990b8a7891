//! Where things stand in a protected datagram: lengths, padding and trailer (RFC 4303 sections 2.4 to 2.6).

use std::ops::Range;

use rand_core::CryptoRng;

use crate::sa::CipherSuite;
use crate::tunnel::DropReason;
use crate::wire::envelope;

/// Pad Length and Next Header.
const TRAILER: usize = 2;
/// The most padding: Pad Length is one octet.
pub const MAX_PADDING: usize = 255;
/// Octets of the ICV of HMAC-SHA1-96 and AES-XCBC-MAC-96.
pub(super) const ICV_96: usize = 12;

/// The length of the datagram that carries `payload` octets.
pub const fn sealed_len(suite: CipherSuite, payload: usize) -> usize {
    envelope::LEN + suite.iv_len() + (payload + TRAILER).next_multiple_of(suite.block_len()) + suite.icv_len()
}

/// The longest payload whose datagram is not longer than `datagram` octets.
pub const fn longest_payload(suite: CipherSuite, datagram: usize) -> usize {
    let Some(room) = datagram.checked_sub(envelope::LEN + suite.iv_len() + suite.icv_len()) else { return 0 };
    let blocks = room / suite.block_len() * suite.block_len();
    blocks.saturating_sub(TRAILER)
}

/// Fills `datagram`, of [`sealed_len`] octets, but for the payload, whose place it gives: envelope, IV, padding, trailer. The ICV's
/// octets are left alone.
pub fn frame<'a>(
    suite: CipherSuite,
    envelope_octets: [u8; envelope::LEN],
    next_header: u8,
    payload_len: usize,
    rng: &mut impl CryptoRng,
    datagram: &'a mut [u8],
) -> &'a mut [u8] {
    let mut iv = [0; 16];
    let iv = &mut iv[..suite.iv_len()];
    if suite.is_aead() {
        iv.copy_from_slice(&aead_iv(&envelope_octets));
    } else {
        rng.fill_bytes(iv);
    }
    frame_with_iv(suite, envelope_octets, iv, next_header, payload_len, datagram)
}

/// As [`frame`], with the payload, and the IV given: for vectors alone, since a CBC IV must be unpredictable.
pub fn write_with_iv(
    suite: CipherSuite,
    envelope_octets: [u8; envelope::LEN],
    iv: &[u8],
    next_header: u8,
    payload: &[u8],
    datagram: &mut [u8],
) {
    frame_with_iv(suite, envelope_octets, iv, next_header, payload.len(), datagram).copy_from_slice(payload);
}

fn frame_with_iv<'a>(
    suite: CipherSuite,
    envelope_octets: [u8; envelope::LEN],
    iv: &[u8],
    next_header: u8,
    payload_len: usize,
    datagram: &'a mut [u8],
) -> &'a mut [u8] {
    debug_assert_eq!(datagram.len(), sealed_len(suite, payload_len));
    let (head, rest) = datagram.split_at_mut(envelope::LEN);
    head.copy_from_slice(&envelope_octets);
    let (iv_place, rest) = rest.split_at_mut(suite.iv_len());
    iv_place.copy_from_slice(iv);
    let (plain, _icv) = rest.split_at_mut(rest.len() - suite.icv_len());
    let (payload_place, trailer) = plain.split_at_mut(payload_len);
    let padding = trailer.len() - TRAILER;
    for (octet, value) in trailer.iter_mut().zip(1..=padding as u8) {
        *octet = value;
    }
    trailer[padding] = padding as u8;
    trailer[padding + 1] = next_header;
    payload_place
}

/// Whether a datagram can be one of `suite` at all: envelope, IV, whole blocks, ICV.
pub(super) fn check_len(suite: CipherSuite, datagram: usize) -> Result<(), DropReason> {
    match datagram.checked_sub(envelope::LEN + suite.iv_len() + suite.icv_len()) {
        Some(blocks) if blocks >= suite.block_len() && blocks.is_multiple_of(suite.block_len()) => Ok(()),
        _ => Err(DropReason::Truncated),
    }
}

/// Where the payload stands in a decrypted datagram, and its Next Header. Checks the padding.
///
/// # Errors
/// [`DropReason::BadPadding`], [`DropReason::Truncated`].
pub fn payload(suite: CipherSuite, datagram: &[u8]) -> Result<(Range<usize>, u8), DropReason> {
    let start = envelope::LEN + suite.iv_len();
    let end = datagram.len().checked_sub(suite.icv_len()).ok_or(DropReason::Truncated)?;
    let [plain @ .., padding, next_header] = datagram.get(start..end).ok_or(DropReason::Truncated)? else {
        return Err(DropReason::Truncated);
    };
    let payload = plain.len().checked_sub(usize::from(*padding)).ok_or(DropReason::BadPadding)?;
    let right = plain[payload..].iter().zip(1..=u8::MAX).all(|(octet, value)| *octet == value);
    if right { Ok((start..start + payload, *next_header)) } else { Err(DropReason::BadPadding) }
}

/// The IV of a CBC cipher with blocks of `BLOCK` octets, and what follows it up to the ICV; zeros and nothing when the datagram is too
/// short for them.
pub(super) fn iv_and_blocks<const BLOCK: usize>(datagram: &mut [u8]) -> ([u8; BLOCK], &mut [u8]) {
    let end = datagram.len().saturating_sub(ICV_96);
    let protected = datagram.get_mut(envelope::LEN..end).unwrap_or_default();
    match protected.split_first_chunk_mut::<BLOCK>() {
        Some((iv, blocks)) => (*iv, blocks),
        None => ([0; BLOCK], &mut []),
    }
}

/// An AEAD's IV: the sequence number as 64 bits.
pub(super) fn aead_iv(envelope_octets: &[u8; envelope::LEN]) -> [u8; 8] {
    let mut iv = [0; 8];
    iv[4..].copy_from_slice(&envelope_octets[4..]);
    iv
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_payload_is_the_longest_that_fits() {
        for suite in CipherSuite::ALL {
            for datagram in 0..2000 {
                let longest = longest_payload(suite, datagram);
                if longest > 0 {
                    assert!(sealed_len(suite, longest) <= datagram, "{suite} {datagram}");
                }
                assert!(sealed_len(suite, longest + 1) > datagram, "{suite} {datagram}");
            }
        }
    }

    #[test]
    fn padding_that_is_not_one_two_three_is_refused() {
        let suite = CipherSuite::NullSha;
        let mut datagram = vec![0; sealed_len(suite, 4)];
        write_with_iv(suite, [0; 8], &[], 41, &[9; 4], &mut datagram);
        assert_eq!(payload(suite, &datagram), Ok((8..12, 41)));
        datagram[12] = 7;
        assert_eq!(payload(suite, &datagram), Err(DropReason::BadPadding));
        datagram[14] = 200;
        assert_eq!(payload(suite, &datagram), Err(DropReason::BadPadding));
    }
}
