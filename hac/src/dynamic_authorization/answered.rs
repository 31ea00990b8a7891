//! What one server was answered of late, so that the same request is not done twice (RFC 5176 sections 2.3 and 6.3). Pure: `clients` has
//! one for each server.
//!
//! A request is known by its Request Authenticator alone, a hash of all of it under the secret. Who sends a recorded one again from another
//! port gets the same octets, as who has missed the answer.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, SystemTime};

use super::request::WINDOW;
use crate::aaa::packet::Authenticator;

/// Requests of one server that are remembered, and so that are done in [`KEPT`]: each is a change on disk.
pub const MAX_ANSWERED: usize = 1024;
/// How long: a request may be stamped with the end of the window when it comes, and comes again until its stamp leaves it.
pub const KEPT: Duration = WINDOW.saturating_mul(2);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Answered {
    answers: BTreeMap<Authenticator, Vec<u8>>,
    /// The oldest first.
    order: VecDeque<(SystemTime, Authenticator)>,
}

impl Answered {
    /// What this request was answered with.
    pub(super) fn find(&mut self, request: &Authenticator, now: SystemTime) -> Option<&[u8]> {
        self.forget(now);
        self.answers.get(request).map(Vec::as_slice)
    }

    /// Whether there is no place for another one.
    pub(super) fn is_full(&self) -> bool {
        self.order.len() >= MAX_ANSWERED
    }

    /// Remembers an answer; the caller has seen to it that there is a place.
    pub(super) fn remember(&mut self, request: Authenticator, answer: Vec<u8>, now: SystemTime) {
        self.order.push_back((now, request));
        self.answers.insert(request, answer);
    }

    fn forget(&mut self, now: SystemTime) {
        let is_over = |since: SystemTime| now.duration_since(since).is_ok_and(|age| age > KEPT);
        while let Some((_, request)) = self.order.pop_front_if(|(since, _)| is_over(*since)) {
            self.answers.remove(&request);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_known_until_its_request_can_not_be_current_any_more() {
        let (start, mut answered) = (SystemTime::UNIX_EPOCH + KEPT, Answered::default());
        answered.remember([1; 16], vec![1], start);
        answered.remember([2; 16], vec![2], start + Duration::from_secs(1));
        assert_eq!(answered.find(&[1; 16], start + KEPT), Some(&[1][..]));
        assert_eq!(answered.find(&[1; 16], start + KEPT + Duration::from_secs(1)), None);
        assert_eq!(answered.find(&[2; 16], start + KEPT + Duration::from_secs(1)), Some(&[2][..]));
        assert_eq!(answered.find(&[2; 16], start - KEPT), Some(&[2][..]), "a clock that is put back forgets nothing");
    }

    #[test]
    fn there_are_as_many_as_there_may_be_and_places_again_when_they_are_old() {
        let (start, mut answered) = (SystemTime::UNIX_EPOCH, Answered::default());
        for number in 0..MAX_ANSWERED as u128 {
            assert!(!answered.is_full());
            answered.remember(number.to_be_bytes(), Vec::new(), start);
        }
        assert!(answered.is_full());
        answered.find(&[0; 16], start + KEPT + Duration::from_secs(1));
        assert!(!answered.is_full());
    }
}
