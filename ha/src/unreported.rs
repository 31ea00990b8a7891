//! The SAs that nodes have registered under and that the HAC has not been told of yet. Pure; the gateway fills it from the home agent
//! and empties it into the feed client. Each SA stands in it once and only while it is held, so that it has the bound of the SAs.

use std::collections::BTreeSet;

use feed::REGISTERED_PART;
use protocol::sa::Spi;

/// What is to be told, in the order of the SPIs.
#[derive(Debug, Default)]
pub struct Unreported(BTreeSet<Spi>);

impl Unreported {
    /// A subscription begins: of what was told before, and of what was not, all that is `bound` now is told.
    pub fn begin(&mut self, bound: impl Iterator<Item = Spi>) {
        self.0 = bound.collect();
    }

    /// A node has registered under it.
    pub fn add(&mut self, spi: Spi) {
        self.0.insert(spi);
    }

    /// It has ended.
    pub fn remove(&mut self, spi: Spi) {
        self.0.remove(&spi);
    }

    /// Whether the HAC has been told everything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next message.
    pub fn take(&mut self) -> Vec<Spi> {
        (0..REGISTERED_PART).map_while(|_| self.0.pop_first()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spis(numbers: impl Iterator<Item = u32>) -> Vec<Spi> {
        numbers.map(|number| Spi::new(number).unwrap()).collect()
    }

    #[test]
    fn a_subscription_begins_with_all_that_is_bound_in_messages_that_the_hac_takes() {
        let mut unreported = Unreported::default();
        spis(5000..5010).into_iter().for_each(|spi| unreported.add(spi));
        let bound = spis(1..1301);
        unreported.begin(bound.iter().copied());
        let messages: Vec<_> = std::iter::from_fn(|| (!unreported.is_empty()).then(|| unreported.take())).collect();
        assert_eq!(messages.iter().map(Vec::len).collect::<Vec<_>>(), [512, 512, 276]);
        assert_eq!(messages.concat(), bound, "and of nothing else");
    }

    #[test]
    fn what_is_added_again_is_told_once_and_what_has_ended_is_not() {
        let mut unreported = Unreported::default();
        spis([2, 1, 2, 3].into_iter()).into_iter().for_each(|spi| unreported.add(spi));
        spis(3..5).into_iter().for_each(|spi| unreported.remove(spi));
        assert_eq!(unreported.take(), spis(1..3));
        assert!(unreported.is_empty() && unreported.take().is_empty());
    }
}
