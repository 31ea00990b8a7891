//! What comes over a stream in UDP's place, cut into datagrams: however it arrives, the same datagrams come out, and what they are
//! framed as again is what came.

use net::relay::Outbox;
use net::relay::frame::{BadLength, Decoder, LEAST, MOST};

/// The first octet says in pieces of how many octets the rest arrives.
pub fn relay_frames(data: &[u8]) {
    let Some((size, stream)) = data.split_first() else { return };
    let (datagrams, end) = cut(stream, stream.len().max(1));
    assert_eq!(cut(stream, usize::from(*size).max(1)), (datagrams.clone(), end), "it depends on how it arrives");
    let mut again = Vec::new();
    for datagram in &datagrams {
        let mut outbox = Outbox::default();
        assert!((LEAST..=MOST).contains(&datagram.len()) && outbox.push(datagram), "a datagram of {} octets", datagram.len());
        again.extend_from_slice(outbox.waiting());
    }
    assert!(stream.starts_with(&again), "octets are lost or made up");
    if let Err(BadLength(length)) = end {
        assert!(!(LEAST..=MOST).contains(&usize::from(length)), "a length of {length} is refused");
        assert!(stream.get(again.len()..).is_some_and(|rest| rest.starts_with(&length.to_be_bytes())), "it is another length");
    }
}

/// The datagrams, and how it ended.
fn cut(stream: &[u8], size: usize) -> (Vec<Vec<u8>>, Result<(), BadLength>) {
    let (mut decoder, mut datagrams, mut left) = (Decoder::default(), Vec::new(), stream);
    while !left.is_empty() {
        let room = decoder.room();
        assert!(!room.is_empty(), "no datagram is longer than there is room");
        let octets = size.min(left.len()).min(room.len());
        let (piece, rest) = left.split_at(octets);
        room[..octets].copy_from_slice(piece);
        left = rest;
        decoder.filled(octets);
        loop {
            match decoder.take() {
                Ok(Some(datagram)) => datagrams.push(datagram.to_vec()),
                Ok(None) => break,
                Err(error) => return (datagrams, Err(error)),
            }
        }
    }
    (datagrams, Ok(()))
}
