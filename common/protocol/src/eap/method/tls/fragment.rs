//! TLS messages in EAP packets (RFC 5216 section 2.1.5 and 3.1): a flags octet, the length of the whole before the first fragment, and an
//! empty packet of the other end after each fragment but the last.
//!
//! The same for all methods over TLS. The version bits of EAP-TTLS and PEAP are the method's business.

use crate::eap::{MAX_REQUESTS, MethodError};

/// Octets of TLS in a packet of the peer's. With 10 octets of EAP, six attribute headers, 38 octets of RADIUS and Message-Authenticator
/// and some 130 of User-Name, State and the like it makes a UDP packet below 1,500 octets: IP fragments are lost at many firewalls.
pub const PEER_FRAGMENT_LEN: usize = 1_280;
/// Octets of TLS in a packet of our own server's, which no RADIUS carries: fewer round trips, and room in [`crate::eap::packet::MAX_LEN`].
pub const SERVER_FRAGMENT_LEN: usize = 3_072;
/// Octets of a message: what TLS libraries take as one handshake message, which a chain of certificates is the longest of.
pub const MAX_MESSAGE_LEN: usize = 64 * 1024;
/// Fragments of a message: a run has no room for more.
pub const MAX_FRAGMENTS: u8 = MAX_REQUESTS;

const LENGTH_INCLUDED: u8 = 0x80;
const MORE_FRAGMENTS: u8 = 0x40;
const START: u8 = 0x20;

/// Type-Data of EAP-TLS, EAP-TTLS, PEAP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// Octets of the whole message, where they are told.
    pub total: Option<u32>,
    /// Whether another fragment follows.
    pub is_more: bool,
    /// Whether the server begins.
    pub is_start: bool,
    /// Part of the message.
    pub data: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// No data: "go on".
    pub const ACKNOWLEDGEMENT: Self = Self { total: None, is_more: false, is_start: false, data: &[] };
    /// The server's first packet.
    pub const START: Self = Self { is_start: true, ..Self::ACKNOWLEDGEMENT };

    /// Reads Type-Data. Reserved and version bits are ignored.
    ///
    /// # Errors
    /// [`MethodError::Malformed`]: no flags, or no length where it is promised.
    pub fn parse(octets: &'a [u8]) -> Result<Self, MethodError> {
        let (flags, rest) = octets.split_first().ok_or(MethodError::Malformed)?;
        let (total, data) = if flags & LENGTH_INCLUDED == 0 {
            (None, rest)
        } else {
            let (total, data) = rest.split_first_chunk().ok_or(MethodError::Malformed)?;
            (Some(u32::from_be_bytes(*total)), data)
        };
        Ok(Self { total, is_more: flags & MORE_FRAGMENTS != 0, is_start: flags & START != 0, data })
    }

    /// Whether it says "go on" and nothing else.
    pub fn is_acknowledgement(&self) -> bool {
        self.data.is_empty() && !self.is_more && !self.is_start
    }

    /// The octets; the version is 0.
    pub fn write(&self) -> Vec<u8> {
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        let flags = flag(self.total.is_some(), LENGTH_INCLUDED) | flag(self.is_more, MORE_FRAGMENTS) | flag(self.is_start, START);
        let mut octets = vec![flags];
        octets.extend(self.total.iter().flat_map(|total| total.to_be_bytes()));
        octets.extend_from_slice(self.data);
        octets
    }
}

/// The fragments of one message, so far.
#[derive(Debug, Default)]
pub struct Reassembly {
    octets: Vec<u8>,
    total: Option<usize>,
    count: u8,
}

impl Reassembly {
    /// Takes the next fragment; gives the message with its last one. A later fragment may tell the length again, if it is the same.
    ///
    /// # Errors
    /// [`MethodError::TooLong`] for a message above [`MAX_MESSAGE_LEN`] or in too many fragments, [`MethodError::Malformed`] for a first
    /// fragment that does not tell the length, one without data, or a length that is not what comes.
    pub fn take(&mut self, fragment: &Fragment<'_>) -> Result<Option<Vec<u8>>, MethodError> {
        let told = fragment.total.map(|total| usize::try_from(total).unwrap_or(usize::MAX));
        let is_first = self.count == 0;
        self.count = self.count.saturating_add(1);
        if told.is_some_and(|told| told > MAX_MESSAGE_LEN) || self.count > MAX_FRAGMENTS {
            return Err(MethodError::TooLong);
        }
        let total = if is_first { told } else { self.total };
        let is_wrong = told.is_some() && told != total || fragment.is_more && (total.is_none() || fragment.data.is_empty());
        let len = self.octets.len().saturating_add(fragment.data.len());
        if is_wrong || total.is_some_and(|total| if fragment.is_more { len >= total } else { len != total }) {
            return Err(MethodError::Malformed);
        }
        self.total = total;
        self.octets.extend_from_slice(fragment.data);
        if fragment.is_more {
            return Ok(None);
        }
        Ok(Some(std::mem::take(self).octets))
    }
}

/// A message on its way out.
#[derive(Debug)]
pub struct Outgoing {
    fragment_len: usize,
    octets: Vec<u8>,
    sent: usize,
}

impl Outgoing {
    /// Nothing yet; messages will go in fragments of so many octets.
    pub fn new(fragment_len: usize) -> Self {
        Self { fragment_len, octets: Vec::new(), sent: 0 }
    }

    /// Puts a message in the place of the one before.
    pub fn load(&mut self, octets: Vec<u8>) {
        (self.octets, self.sent) = (octets, 0);
    }

    /// Whether fragments are left.
    pub fn is_pending(&self) -> bool {
        self.sent < self.octets.len()
    }

    /// Type-Data with the next fragment; an acknowledgement where there is none.
    pub fn next_fragment(&mut self) -> Vec<u8> {
        let rest = self.octets.get(self.sent..).unwrap_or_default();
        let (data, left) = rest.split_at_checked(self.fragment_len).unwrap_or((rest, &[]));
        let is_first_of_several = self.sent == 0 && !left.is_empty();
        let total = is_first_of_several.then(|| u32::try_from(self.octets.len()).unwrap_or(u32::MAX));
        let written = Fragment { total, is_more: !left.is_empty(), is_start: false, data }.write();
        self.sent = self.sent.saturating_add(data.len());
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(total: Option<u32>, is_more: bool, data: &[u8]) -> Fragment<'_> {
        Fragment { total, is_more, is_start: false, data }
    }

    #[test]
    fn type_data_is_written_as_rfc_5216_section_3_1_draws_it_and_read_back() {
        for (fragment, octets) in [
            (Fragment::START, "20"),
            (Fragment::ACKNOWLEDGEMENT, "00"),
            (part(Some(0x0102), true, b"\x16\x03"), "c0000001021603"),
            (part(None, false, b"\x16"), "0016"),
        ] {
            assert_eq!(hex::encode(fragment.write()), octets);
            assert_eq!(Fragment::parse(&hex::decode(octets).unwrap()), Ok(fragment));
        }
        assert_eq!(Fragment::parse(&[0x21]), Ok(Fragment::START), "a version is no flag");
        for malformed in ["", "80", "80000001"] {
            assert_eq!(Fragment::parse(&hex::decode(malformed).unwrap()), Err(MethodError::Malformed), "{malformed}");
        }
    }

    #[test]
    fn a_message_of_any_length_comes_out_as_it_went_in() {
        for len in [0, 1, 99, 100, 101, 200, 4_999, 5_000] {
            let message: Vec<u8> = (0..=u8::MAX).cycle().take(len).collect();
            let (mut outgoing, mut reassembly) = (Outgoing::new(100), Reassembly::default());
            outgoing.load(message.clone());
            let mut count = 0;
            let came = loop {
                count += 1;
                let octets = outgoing.next_fragment();
                assert!(octets.len() <= 105);
                let fragment = Fragment::parse(&octets).unwrap();
                assert_eq!(fragment.total.is_some(), count == 1 && len > 100);
                if let Some(message) = reassembly.take(&fragment).unwrap() {
                    break message;
                }
            };
            assert!(came == message && !outgoing.is_pending() && count == len.div_ceil(100).max(1), "{len}");
        }
    }

    #[test]
    fn a_length_told_in_each_fragment_is_taken_and_one_that_lies_is_not() {
        let mut honest = Reassembly::default();
        assert_eq!(honest.take(&part(Some(4), true, b"ab")), Ok(None));
        assert_eq!(honest.take(&part(Some(4), false, b"cd")), Ok(Some(b"abcd".to_vec())));
        assert_eq!(honest.take(&part(Some(2), false, b"ef")), Ok(Some(b"ef".to_vec())), "it begins anew");
        for (first, second) in [
            (part(Some(4), true, b"ab"), Some(part(None, false, b"c"))),
            (part(Some(4), true, b"ab"), Some(part(None, false, b"cde"))),
            (part(Some(4), true, b"ab"), Some(part(None, true, b"cd"))),
            (part(Some(4), true, b"ab"), Some(part(Some(5), false, b"cd"))),
            (part(Some(4), true, b"ab"), Some(part(None, true, b""))),
            (part(Some(4), true, b""), None),
            (part(Some(2), true, b"ab"), None),
            (part(None, true, b"ab"), None),
            (part(Some(3), false, b"ab"), None),
        ] {
            let mut reassembly = Reassembly::default();
            let came = reassembly.take(&first).and_then(|_| reassembly.take(second.as_ref().unwrap()));
            assert_eq!(came, Err(MethodError::Malformed), "{first:?} {second:?}");
        }
    }

    #[test]
    fn a_message_above_the_bound_is_refused_by_its_first_fragment_and_so_are_too_many_fragments() {
        let longest = u32::try_from(MAX_MESSAGE_LEN).unwrap();
        assert_eq!(Reassembly::default().take(&part(Some(longest), true, b"a")), Ok(None));
        assert_eq!(Reassembly::default().take(&part(Some(longest + 1), true, b"a")), Err(MethodError::TooLong));
        assert_eq!(Reassembly::default().take(&part(Some(u32::MAX), true, b"a")), Err(MethodError::TooLong));
        let mut trickle = Reassembly::default();
        for _ in 0..MAX_FRAGMENTS {
            assert_eq!(trickle.take(&part(Some(longest), true, b"a")), Ok(None));
        }
        assert_eq!(trickle.take(&part(Some(longest), true, b"a")), Err(MethodError::TooLong));
    }
}
