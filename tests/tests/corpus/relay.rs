//! Seeds of what comes over a stream in UDP's place.

use crate::Seed;

/// Target and seeds.
pub(crate) fn all() -> Vec<(&'static str, Vec<Seed>)> {
    let framed = |len: u16, fill: u8| [&len.to_be_bytes()[..], &vec![fill; usize::from(len)]].concat();
    let several = [framed(8, 0x80), framed(1400, 0x10), framed(100, 0x11), framed(1400, 0x12)].concat();
    let with = |length: u16, pieces: u8| [&[pieces], &several[..], &length.to_be_bytes(), &[0; 40]].concat();
    let seeds = vec![
        ("one".to_owned(), [&[255], &framed(60, 0x80)[..]].concat()),
        ("several_in_pieces".to_owned(), [&[7], &several[..]].concat()),
        ("half".to_owned(), [&[1], &several[..9]].concat()),
        ("longest_twice".to_owned(), [&[100], &framed(9064, 1)[..], &framed(9064, 2)].concat()),
        ("too_short_a_length".to_owned(), with(7, 3)),
        ("too_long_a_length".to_owned(), with(9065, 64)),
        ("another_protocol".to_owned(), b"\x20GET / HTTP/1.1\r\nHost: ha1.example.org\r\n\r\n".to_vec()),
    ];
    vec![("relay_frames", seeds)]
}
