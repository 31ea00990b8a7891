//! What a size of outer packet means for a probe and for an inner packet, under one suite and in one address family.

use protocol::sa::CipherSuite;
use protocol::sa::cipher::layout;

/// IPv6 header and UDP header.
const HEADERS6: usize = 40 + 8;
/// IPv4 header and UDP header.
const HEADERS4: usize = 20 + 8;
/// The longest outer packet.
const MOST: u16 = 1_500;
/// A Mobility Header is a multiple of this long (RFC 6275 section 6.1.1).
const UNIT: usize = 8;

/// Octets of outer packet, of Mobility Header and of inner packet, one from the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    suite: CipherSuite,
    headers: usize,
}

impl Sizes {
    /// For packets under `suite`, outside IPv6 or IPv4.
    pub fn new(suite: CipherSuite, is_ip6: bool) -> Self {
        Self { suite, headers: if is_ip6 { HEADERS6 } else { HEADERS4 } }
    }

    /// The longest Mobility Header whose outer packet is not longer than `outer` octets.
    pub fn mobility_header(&self, outer: u16) -> usize {
        self.longest_payload(outer) / UNIT * UNIT
    }

    /// The outer packet that carries that Mobility Header: up to 20 octets short of `outer`, since it comes in units of 8 and a
    /// cipher in blocks.
    pub fn probed(&self, outer: u16) -> u16 {
        let len = self.headers + layout::sealed_len(self.suite, self.mobility_header(outer));
        u16::try_from(len).unwrap_or(u16::MAX)
    }

    /// The longest inner packet whose outer packet is not longer than `outer` octets, and that an IPv6 path of 1,500 octets carries: a
    /// tunnel is to be as wide in either family.
    pub fn inner(&self, outer: u16) -> u16 {
        let most = layout::longest_payload(self.suite, usize::from(MOST) - HEADERS6);
        u16::try_from(self.longest_payload(outer).min(most)).unwrap_or(u16::MAX)
    }

    /// The outer packet that carries an inner packet of `inner` octets.
    pub fn outer(&self, inner: u16) -> u16 {
        let len = self.headers + layout::sealed_len(self.suite, usize::from(inner));
        u16::try_from(len).unwrap_or(u16::MAX)
    }

    fn longest_payload(&self, outer: u16) -> usize {
        layout::longest_payload(self.suite, usize::from(outer).saturating_sub(self.headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_is_never_longer_than_wanted_and_little_shorter() {
        for suite in CipherSuite::ALL {
            for is_ip6 in [false, true] {
                let sizes = Sizes::new(suite, is_ip6);
                for outer in 1_280..=1_500 {
                    let probed = sizes.probed(outer);
                    assert!(probed <= outer && outer - probed <= 20, "{suite} {outer} {probed}");
                    let inner = sizes.inner(outer);
                    let is_most = inner == Sizes::new(suite, true).inner(1_500);
                    assert!(
                        sizes.outer(inner) <= outer && (is_most || sizes.outer(inner + 1) > outer),
                        "{suite} {outer} {inner}"
                    );
                }
            }
        }
    }

    #[test]
    fn under_aes_gcm_a_path_of_1500_octets_carries_what_it_always_did() {
        let sizes = Sizes::new(CipherSuite::Aes128Gcm, true);
        assert_eq!((sizes.probed(1_500), sizes.inner(1_500), sizes.outer(1_280)), (1_500, 1_418, 1_364));
    }
}
