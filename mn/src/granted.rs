//! What a grant means by this node's clocks.

use std::time::{Duration, Instant, SystemTime};

use protocol::mhauth::Grant;
use protocol::tunnel::Install;

/// The SA of `grant` with its end by the monotonic clock. What is left is counted by the HAC's own `date`, so that a node
/// with a wrong clock is not misled; without that header (profile `draft-04` has none) by `wall`, this node's.
pub fn to_install(grant: &Grant, now: Instant, wall: SystemTime) -> Install {
    let left = grant.validity_end.duration_since(clock(grant, wall)).unwrap_or_default();
    Install::new(grant.sa.clone(), now + left, 0)
}

/// How long ago it ended; `None` while something is left. An SA with nothing left would be asked for anew without end.
pub fn ended_since(grant: &Grant, wall: SystemTime) -> Option<Duration> {
    clock(grant, wall).duration_since(grant.validity_end).ok()
}

fn clock(grant: &Grant, wall: SystemTime) -> SystemTime {
    grant.date.unwrap_or(wall)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use protocol::profile::WireProfile;
    use protocol::sa::SecurityAssociation;

    use super::*;
    use crate::fixture::association;

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(hours: u32) -> SystemTime {
        UNIX_EPOCH + HOUR * hours
    }

    /// Ends at hour 30.
    fn grant(date: Option<SystemTime>) -> Grant {
        let sa = SecurityAssociation { profile: WireProfile::Draft04, ..association(1) };
        Grant { sa, validity_end: at(30), date, home_prefix6: None, home_prefix4: None, dns: Vec::new(), fallback: None }
    }

    #[test]
    fn what_is_left_is_counted_by_the_hacs_clock_where_it_tells_it_and_else_by_this_nodes() {
        let now = Instant::now();
        let left = |date, wall| to_install(&grant(date), now, wall).valid_until - now;
        assert_eq!(left(Some(at(6)), at(500)), HOUR * 24, "a wrong clock does not matter");
        assert_eq!(left(None, at(10)), HOUR * 20);
    }

    #[test]
    fn a_grant_of_which_nothing_is_left_says_since_when() {
        assert_eq!(ended_since(&grant(None), at(29)), None);
        assert_eq!(ended_since(&grant(None), at(30)), Some(Duration::ZERO));
        assert_eq!(ended_since(&grant(None), at(32)), Some(HOUR * 2));
        assert_eq!(ended_since(&grant(Some(at(6))), at(32)), None);
    }
}
