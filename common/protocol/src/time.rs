//! Durations in the wire's own units.

use std::time::Duration;

/// A binding's lifetime as it stands in Binding Updates and Acknowledgements: units of 4 seconds (RFC 6275 section 6.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lifetime(u16);

impl Lifetime {
    /// Asks for de-registration.
    pub const ZERO: Self = Self(0);
    const UNIT: u64 = 4;

    /// From the field's value.
    pub const fn from_units(units: u16) -> Self {
        Self(units)
    }

    /// The longest lifetime not above `duration`.
    pub fn at_most(duration: Duration) -> Self {
        Self(u16::try_from(duration.as_secs() / Self::UNIT).unwrap_or(u16::MAX))
    }

    /// The field's value.
    pub const fn units(self) -> u16 {
        self.0
    }

    /// The same as a duration.
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0 as u64 * Self::UNIT)
    }
}

/// The name of a deadline, for logs and stories: `poll_timeout` gives it with the instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimerName(pub &'static str);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_rounded_down_to_four_seconds_and_saturates() {
        assert_eq!(Lifetime::at_most(Duration::from_secs(603)).units(), 150);
        assert_eq!(Lifetime::at_most(Duration::from_secs(3)), Lifetime::ZERO);
        assert_eq!(Lifetime::at_most(Duration::from_secs(1 << 40)).units(), u16::MAX);
        assert_eq!(Lifetime::from_units(150).duration(), Duration::from_secs(600));
    }
}
