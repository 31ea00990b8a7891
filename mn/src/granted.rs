//! What a grant means by this node's clocks.

use std::time::{Instant, SystemTime};

use protocol::mhauth::Grant;
use protocol::tunnel::Install;

/// The SA of `grant` with its end by the monotonic clock. What is left is counted by the HAC's own `date`, so that a node
/// with a wrong clock is not misled; without that header by `wall`, this node's.
pub fn to_install(grant: &Grant, now: Instant, wall: SystemTime) -> Install {
    let left = grant.validity_end.duration_since(grant.date.unwrap_or(wall)).unwrap_or_default();
    Install { sa: grant.sa.clone(), valid_until: now + left, lease: 0 }
}
