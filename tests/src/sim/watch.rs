//! Listens to what the programs would write into their logs. A WARN or ERROR that a story has not asked about fails it; so do a
//! key at any level, and the subscriber's name above DEBUG.

use std::cell::RefCell;
use std::fmt::{Debug, Write};
use std::sync::Once;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use crate::secrets::Secrets;

thread_local! {
    /// A world lives on one thread, and so do the machines in it. Of every level, in order.
    static HEARD: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
}

/// What was heard and not asked about yet. Dropped with the world.
#[derive(Debug, Default)]
pub(super) struct Watch {
    secrets: Secrets,
    names: Vec<String>,
}

impl Watch {
    /// Listens from now on.
    pub(super) fn start() -> Self {
        static LISTENING: Once = Once::new();
        LISTENING.call_once(|| {
            let listener = tracing_subscriber::registry().with(Listener);
            assert!(tracing::subscriber::set_global_default(listener).is_ok(), "somebody else listens to the log");
        });
        Self::default()
    }

    /// Takes out the complaints (WARN, ERROR) that contain `text`, and gives them.
    pub(super) fn take(&self, text: &str) -> Vec<String> {
        let is_taken = |(level, line): &mut (Level, String)| *level <= Level::WARN && line.contains(text);
        let taken = HEARD.with_borrow_mut(|heard| heard.extract_if(.., is_taken).collect::<Vec<_>>());
        self.assert_keeps_secrets(&taken);
        taken.into_iter().map(|(_, line)| line).collect()
    }

    /// No line has these octets, nor had one before.
    pub(super) fn keep_secret(&mut self, what: &str, octets: &[u8]) {
        self.secrets.add(what, octets);
    }

    /// No line above DEBUG has this name.
    pub(super) fn keep_to_debug(&mut self, name: &str) {
        self.names.push(name.to_owned());
    }

    fn assert_keeps_secrets(&self, heard: &[(Level, String)]) {
        let log = heard.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>().join("\n");
        let found = self.secrets.found_in(&log);
        assert!(found.is_empty(), "the log has {}:\n{log}", found.join(", "));
        let has_name =
            |(level, line): &&(Level, String)| *level <= Level::INFO && self.names.iter().any(|name| line.contains(name));
        let line = heard.iter().find(has_name);
        assert!(line.is_none(), "the log has the name of a subscriber above DEBUG: {line:?}");
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let heard = HEARD.take();
        if std::thread::panicking() {
            return;
        }
        self.assert_keeps_secrets(&heard);
        let complaints: Vec<_> = heard.into_iter().filter(|(level, _)| *level <= Level::WARN).map(|(_, line)| line).collect();
        assert!(complaints.is_empty(), "the story did not expect this:\n{}", complaints.join("\n"));
    }
}

struct Listener;

impl<S: Subscriber> Layer<S> for Listener {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = *event.metadata().level();
        let mut line = Line(format!("{level} {}:", event.metadata().target()));
        event.record(&mut line);
        HEARD.with_borrow_mut(|heard| heard.push((level, line.0)));
    }
}

/// The message, and the fields as `name=value`.
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let written = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
        assert!(written.is_ok(), "a string takes everything");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_heard_with_its_fields_and_taken_once() {
        let watch = Watch::start();
        tracing::info!("all is well");
        tracing::warn!(answer = 42, "something is not");
        assert_eq!(watch.take("all is well").len(), 0);
        assert_eq!(watch.take("something").len(), 1);
        assert_eq!(watch.take("something").len(), 0);
    }

    #[test]
    #[should_panic(expected = "the story did not expect this")]
    fn a_warning_that_nobody_asked_about_fails_the_story() {
        let _watch = Watch::start();
        tracing::error!("a fire");
    }

    #[test]
    #[should_panic(expected = "the log has the key")]
    fn a_key_at_the_lowest_level_fails_the_story_also_when_it_is_known_only_later() {
        let mut watch = Watch::start();
        let key = [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99];
        tracing::trace!(message = ?key, "a response");
        watch.keep_secret("the key", &key);
    }

    #[test]
    #[should_panic(expected = "name of a subscriber above DEBUG")]
    fn a_name_at_info_fails_the_story() {
        let mut watch = Watch::start();
        watch.keep_to_debug("alice@example.org");
        tracing::info!(nai = "alice@example.org", "authenticated");
    }

    #[test]
    fn a_name_at_debug_and_a_world_without_secrets_in_its_log_fail_nothing() {
        let mut watch = Watch::start();
        watch.keep_to_debug("alice@example.org");
        watch.keep_secret("the key", &[7; 32]);
        tracing::debug!(nai = "alice@example.org", "authenticated with the key {:?}", [8; 32]);
    }
}
