//! The whole simulated world: one walk through it.

use crate::sim::walk;

/// Two octets for what holds for the whole walk, then two for each transition (see [`crate::sim::walk`]).
pub fn world(data: &[u8]) {
    walk::walk(data);
}
