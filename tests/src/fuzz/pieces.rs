//! An input that is a sequence: each piece behind its length in two octets.

/// The pieces of `rest`, at most so many; the last one may be cut.
pub fn split(mut rest: &[u8], most: usize) -> impl Iterator<Item = &[u8]> {
    let next = move || {
        let (len, octets) = rest.split_first_chunk::<2>()?;
        let (piece, after) = octets.split_at(octets.len().min(usize::from(u16::from_be_bytes(*len))));
        rest = after;
        Some(piece)
    };
    std::iter::from_fn(next).take(most)
}

/// What comes apart into these pieces, behind the first octet of an input. A piece is cut to what its length can say.
pub fn join<P: AsRef<[u8]>>(first: u8, pieces: impl IntoIterator<Item = P>) -> Vec<u8> {
    let mut input = vec![first];
    for piece in pieces {
        let piece = piece.as_ref();
        let len = u16::try_from(piece.len()).unwrap_or(u16::MAX);
        input.extend(len.to_be_bytes());
        input.extend(piece.iter().take(len.into()));
    }
    input
}
