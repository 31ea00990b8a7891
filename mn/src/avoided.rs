//! Attachments over which the home agent has not answered of late. They are left alone while there is another, and asked about again after
//! growing pauses: only an answer makes one of them a candidate as before.

use std::time::{Duration, Instant};

use crate::movement::Attachment;

/// An attachment is left alone for so long at first.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// And for so long in the end, while it goes on giving no answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(960);
/// From the question to the answer, over whatever satellite.
const PATIENCE: Duration = Duration::from_secs(2);

/// One of them.
#[derive(Debug)]
struct Entry {
    attachment: Attachment,
    /// What comes next, then.
    due: Instant,
    pause: Duration,
    asked: bool,
}

/// All of them: no more than there are usable attachments.
#[derive(Debug, Default)]
pub struct Avoided(Vec<Entry>);

/// What is due for an attachment.
#[derive(Debug, PartialEq, Eq)]
pub enum Due {
    /// The home agent is to be asked over it.
    Ask(Attachment),
    /// It has not answered.
    Unanswered(Attachment),
}

impl Avoided {
    /// The home agent does not answer over this one.
    pub fn avoid(&mut self, attachment: &Attachment, now: Instant) {
        if !self.contains(attachment) {
            let (attachment, pause) = (attachment.clone(), FIRST_PAUSE);
            self.0.push(Entry { attachment, due: now + pause, pause, asked: false });
        }
    }

    /// Whether it does not, as far as is known.
    pub fn contains(&self, attachment: &Attachment) -> bool {
        self.0.iter().any(|entry| entry.attachment.is_same_place(attachment))
    }

    /// Those in question.
    pub fn attachments(&self) -> Vec<Attachment> {
        self.0.iter().map(|entry| entry.attachment.clone()).collect()
    }

    /// Forgets those that are not usable any more: where a network comes again, it is another day.
    pub fn keep(&mut self, usable: &[Attachment]) {
        self.0.retain(|entry| entry.attachment.is_among(usable));
    }

    /// Forgets those whose first pause is over: where the home agent cannot be asked, they are tried.
    pub fn forget_due(&mut self, now: Instant) {
        self.0.retain(|entry| entry.due > now);
    }

    /// The home agent has answered over this one. `false` where it was not avoided.
    pub fn answered(&mut self, attachment: &Attachment) -> bool {
        let before = self.0.len();
        self.0.retain(|entry| !entry.attachment.is_same_place(attachment));
        self.0.len() < before
    }

    /// What is to be done; drained until `None`.
    pub fn poll_due(&mut self, now: Instant) -> Option<Due> {
        let entry = self.0.iter_mut().find(|entry| entry.due <= now)?;
        entry.asked = !entry.asked;
        if entry.asked {
            entry.due = now + PATIENCE;
            return Some(Due::Ask(entry.attachment.clone()));
        }
        entry.pause = (entry.pause * 2).min(LONGEST_PAUSE);
        entry.due = now + entry.pause;
        Some(Due::Unanswered(entry.attachment.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{lte, wifi};

    /// When it is asked about, in seconds from the start, as long as there is no answer.
    fn questions(avoided: &mut Avoided, start: Instant, until: u64) -> Vec<u64> {
        let mut asked = Vec::new();
        for second in 0..until {
            while let Some(due) = avoided.poll_due(start + Duration::from_secs(second)) {
                match due {
                    Due::Ask(attachment) => {
                        assert_eq!(attachment, wifi());
                        asked.push(second);
                    }
                    Due::Unanswered(_) => assert_eq!(asked.last(), Some(&(second - PATIENCE.as_secs()))),
                }
            }
        }
        asked
    }

    #[test]
    fn what_does_not_answer_is_asked_about_after_growing_pauses() {
        let (mut avoided, start) = (Avoided::default(), Instant::now());
        avoided.avoid(&wifi(), start);
        assert_eq!(questions(&mut avoided, start, 5_000), [60, 182, 424, 906, 1_868, 2_830, 3_792, 4_754]);
        assert!(avoided.contains(&wifi()) && !avoided.contains(&lte()));
    }

    #[test]
    fn an_answer_or_the_network_s_end_ends_it_and_it_is_avoided_once_however_often_that_is_said() {
        let (mut avoided, now) = (Avoided::default(), Instant::now());
        avoided.avoid(&wifi(), now);
        avoided.avoid(&wifi(), now + Duration::from_secs(30));
        avoided.avoid(&lte(), now);
        assert_eq!(avoided.attachments(), [wifi(), lte()]);
        assert!(avoided.answered(&lte()) && !avoided.answered(&lte()));
        avoided.keep(&[lte()]);
        assert!(!avoided.contains(&wifi()));
        avoided.avoid(&wifi(), now);
        avoided.forget_due(now + Duration::from_secs(59));
        assert!(avoided.contains(&wifi()));
        avoided.forget_due(now + Duration::from_secs(60));
        assert!(!avoided.contains(&wifi()));
    }
}
