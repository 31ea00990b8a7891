//! Many datagrams of one transform at a time.

use super::cipher::Transform;
use crate::tunnel::DropReason;

/// The most datagrams that are sealed or opened together.
pub(crate) const LANES: usize = 16;

/// Seals each datagram.
pub(super) fn seal_many(transform: &Transform, datagrams: &mut [&mut [u8]]) {
    datagrams.iter_mut().for_each(|datagram| transform.seal(datagram));
}

/// Checks the ICV of each datagram: `results[i]` of `datagrams[i]`.
pub(super) fn verify_many(transform: &Transform, datagrams: &mut [&mut [u8]], results: &mut [Result<(), DropReason>]) {
    datagrams.iter_mut().zip(results).for_each(|(datagram, result)| *result = transform.verify(datagram));
}

/// Decrypts datagrams whose ICV is right.
pub(super) fn decrypt_many(transform: &Transform, datagrams: &mut [&mut [u8]]) {
    datagrams.iter_mut().for_each(|datagram| transform.decrypt(datagram));
}
