//! What a AAA server sends over TLS, cut into packets: however it arrives, the same packets come out.

use hac::aaa::{Frames, WrongLength};

/// Octets of the shortest and of the longest packet (RFC 2865 section 3).
const LENGTHS: std::ops::RangeInclusive<usize> = 20..=4096;

/// The first octet says in pieces of how many octets the rest arrives.
pub fn radius_frames(data: &[u8]) {
    let Some((size, stream)) = data.split_first() else { return };
    let (packets, end) = cut(stream, stream.len().max(1));
    assert_eq!(cut(stream, usize::from(*size).max(1)), (packets.clone(), end), "it depends on how it arrives");
    assert!(stream.starts_with(&packets.concat()), "octets are lost or made up");
    for packet in &packets {
        assert!(LENGTHS.contains(&packet.len()), "a packet of {} octets", packet.len());
        assert_eq!(packet[2..4], (packet.len() as u16).to_be_bytes(), "a packet is not as long as it says");
    }
    if let Err(WrongLength(length)) = end {
        assert!(!LENGTHS.contains(&length), "a Length of {length} is refused");
    }
}

/// The packets, and how it ended.
fn cut(stream: &[u8], size: usize) -> (Vec<Vec<u8>>, Result<(), WrongLength>) {
    let (mut frames, mut packets) = (Frames::default(), Vec::new());
    for piece in stream.chunks(size) {
        frames.push(piece);
        loop {
            match frames.take() {
                Ok(Some(packet)) => packets.push(packet),
                Ok(None) => break,
                Err(error) => return (packets, Err(error)),
            }
        }
    }
    (packets, Ok(()))
}
