//! Binding Update sequence numbers: 16 bits, compared modulo 2^16 (RFC 6275 section 9.5.1).

/// Whether `sequence` is newer than `last`, the last one accepted.
pub const fn is_newer(sequence: u16, last: u16) -> bool {
    matches!(sequence.wrapping_sub(last), 1..=32_767)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc_holds() {
        for old in (0..=15).chain(32_783..=65_535) {
            assert!(!is_newer(old, 15), "{old}");
        }
        for new in 16..=32_782 {
            assert!(is_newer(new, 15), "{new}");
        }
    }
}
