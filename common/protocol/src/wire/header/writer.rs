//! Writes a container with its TV-headers, as PROFILE section 2 says: lower-case names, no space, lower-case hexadecimal.

use std::fmt::{self, Write as _};

use zeroize::Zeroizing;

use super::Name;
use crate::wire::container;

/// Room for the longest message that we send (a grant of both families), so that no reallocation leaves keys behind.
const CAPACITY: usize = 4096;
const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// One message in the making. What a caller writes never ends a line: control characters are left out of values.
pub struct Writer {
    octets: Zeroizing<Vec<u8>>,
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

impl Writer {
    /// An empty Content. Room for the container's header is left in front of it.
    pub fn new() -> Self {
        let mut octets = Zeroizing::new(Vec::with_capacity(CAPACITY));
        octets.extend_from_slice(&container::header(0, 0));
        Self { octets }
    }

    /// `name:value`.
    pub fn text(&mut self, name: Name, value: impl fmt::Display) {
        self.begin(name);
        // Writing to a vector does not fail, and a Display that does leaves a short value.
        let _ = write!(Value(&mut self.octets), "{value}");
        self.end();
    }

    /// `name:` and the octets in lower-case hexadecimal.
    pub fn hex(&mut self, name: Name, value: &[u8]) {
        self.begin(name);
        for octet in value {
            self.octets.push(DIGITS[usize::from(octet >> 4)]);
            self.octets.push(DIGITS[usize::from(octet & 0xf)]);
        }
        self.end();
    }

    /// The Content so far: what `auth` covers when it is written next.
    pub fn content(&self) -> &[u8] {
        self.octets.get(container::HEADER_LEN..).unwrap_or_default()
    }

    /// Adds the literal end-of-message (two CRLFs behind the last header's own) and fills in the container's header.
    /// The result may hold keys: who sends it wipes it.
    pub fn finish(mut self, identifier: u8) -> Vec<u8> {
        self.octets.extend_from_slice(b"\r\n\r\n");
        let content_len = u16::try_from(self.content().len()).unwrap_or(u16::MAX);
        debug_assert!(self.content().len() <= usize::from(u16::MAX), "a message of ours is bounded by its parts");
        if let Some(header) = self.octets.first_chunk_mut() {
            *header = container::header(identifier, content_len);
        }
        std::mem::take(&mut *self.octets)
    }

    fn begin(&mut self, name: Name) {
        self.octets.extend_from_slice(name.literal().as_bytes());
        self.octets.push(b':');
    }

    fn end(&mut self) {
        self.octets.extend_from_slice(b"\r\n");
    }
}

struct Value<'a>(&'a mut Vec<u8>);

impl fmt::Write for Value<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend(text.bytes().filter(|octet| !octet.is_ascii_control()));
        Ok(())
    }
}
