//! Vector kernels: what no library gives, where a profile shows that packets wait for it. Beside `net` the only place with `unsafe`.
//!
//! - [`hmac_sha1`]: HMAC-SHA1 of one message, and of many side by side.
//! - [`sha1`]: the compression function of SHA-1 in 16 lanes (AVX-512) or 8 (AVX2).
//!
//! A kernel is chosen by what the processor has, at run time, and tested bit for bit against the library's scalar code. Nothing
//! here knows packets.

pub mod hmac_sha1;
pub mod sha1;
