//! The message container between mobile node and HAC: four octets in front of the Content (RFC 6618 section 5.1, figure 3).
//!
//! ```text
//!  0                   1                   2                   3
//! +-----+---------+---------------+-------------------------------+
//! | Ver |  Rsrvd  |  Identifier   |            Length             |
//! +-----+---------+---------------+-------------------------------+
//! | Content: TV-headers, see [`super::header`]
//! ```
//! The session reads [`HEADER_LEN`] octets, asks [`frame_len`] how long the message is, and hands the whole to `mhauth`.

/// Octets in front of the Content.
pub const HEADER_LEN: usize = 4;
/// The longest message: the header and a Content of 65,535 octets.
pub const MAX_MESSAGE: usize = HEADER_LEN + u16::MAX as usize;

const VERSION_SHIFT: u32 = 5;

/// Length of the whole message that starts with `header`, header included: 4 to [`MAX_MESSAGE`] octets.
/// Tells the truth for a wrong version and an empty Content too: the message is read first and refused then.
pub fn frame_len(header: &[u8; HEADER_LEN]) -> usize {
    let [_, _, high, low] = *header;
    HEADER_LEN + usize::from(u16::from_be_bytes([high, low]))
}

/// A message taken out of its container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Container<'a> {
    /// As received, 0 included: the rule that it starts at 1 and rises is the exchange's.
    pub identifier: u8,
    /// At least one octet.
    pub content: &'a [u8],
}

impl<'a> Container<'a> {
    /// Takes one whole message. The Rsrvd bits are ignored.
    ///
    /// # Errors
    /// See [`ContainerError`]; the version is looked at first.
    pub fn parse(octets: &'a [u8]) -> Result<Self, ContainerError> {
        let (header, content) = octets.split_first_chunk::<HEADER_LEN>().ok_or(ContainerError::Length)?;
        let [first, identifier, _, _] = *header;
        if first >> VERSION_SHIFT != 0 {
            return Err(ContainerError::Version);
        }
        if frame_len(header) != octets.len() {
            return Err(ContainerError::Length);
        }
        if content.is_empty() {
            return Err(ContainerError::Empty);
        }
        Ok(Self { identifier, content })
    }
}

/// The Identifier that an answer copies, whatever else is wrong with the message; 0 where there is none.
pub fn identifier(octets: &[u8]) -> u8 {
    octets.get(1).copied().unwrap_or(0)
}

/// The header of a message whose Content has `content_len` octets; Ver and Rsrvd are 0.
pub fn header(identifier: u8, content_len: u16) -> [u8; HEADER_LEN] {
    let [high, low] = content_len.to_be_bytes();
    [0, identifier, high, low]
}

/// Why octets are no container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerError {
    /// Ver is not 0.
    Version,
    /// Fewer than four octets, or Length does not agree with what follows.
    Length,
    /// Length is 0.
    Empty,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_gives_identifier_and_content_and_ignores_the_reserved_bits() {
        let expected = Container { identifier: 7, content: b"a:b" };
        assert_eq!(Container::parse(b"\x00\x07\x00\x03a:b"), Ok(expected));
        assert_eq!(Container::parse(b"\x1f\x07\x00\x03a:b"), Ok(expected));
        assert_eq!(Container::parse(b"\x00\x00\x00\x03a:b").unwrap().identifier, 0);
    }

    #[test]
    fn what_is_no_container_is_refused_with_its_reason() {
        let rows: [(&[u8], ContainerError); 8] = [
            (b"", ContainerError::Length),
            (b"\x00\x01\x00", ContainerError::Length),
            (b"\x00\x01\x00\x00", ContainerError::Empty),
            (b"\x00\x01\x00\x02a", ContainerError::Length),
            (b"\x00\x01\x00\x01ab", ContainerError::Length),
            (b"\x20\x01\x00\x01a", ContainerError::Version),
            (b"\xe0\x01\x00\x00", ContainerError::Version),
            (b"\x80\x01\x00\x09a", ContainerError::Version),
        ];
        for (octets, expected) in rows {
            assert_eq!(Container::parse(octets), Err(expected), "{octets:02x?}");
        }
    }

    #[test]
    fn the_header_tells_the_length_of_the_whole_message() {
        assert_eq!(frame_len(&header(1, 0)), HEADER_LEN);
        assert_eq!(frame_len(&header(1, 0x00f1)), 245);
        assert_eq!(frame_len(&[0xff; 4]), MAX_MESSAGE);
        assert_eq!(header(2, 0x010c), [0, 2, 1, 0x0c]);
    }
}
