//! Listens to what the programs would write into their logs. A WARN or ERROR that a story has not asked about fails it.

use std::cell::RefCell;
use std::fmt::{Debug, Write};
use std::sync::Once;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

thread_local! {
    /// A world lives on one thread, and so do the machines in it.
    static HEARD: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// What was heard and not asked about yet. Dropped with the world.
#[derive(Debug)]
pub(super) struct Watch;

impl Watch {
    /// Listens from now on.
    pub(super) fn start() -> Self {
        static LISTENING: Once = Once::new();
        LISTENING.call_once(|| {
            let listener = tracing_subscriber::registry().with(Listener);
            assert!(tracing::subscriber::set_global_default(listener).is_ok(), "somebody else listens to the log");
        });
        Self
    }

    /// Takes out the lines that contain `text`, and gives them.
    pub(super) fn take(&self, text: &str) -> Vec<String> {
        HEARD.with_borrow_mut(|heard| heard.extract_if(.., |line| line.contains(text)).collect())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let heard = HEARD.take();
        if !std::thread::panicking() {
            assert!(heard.is_empty(), "the story did not expect this:\n{}", heard.join("\n"));
        }
    }
}

struct Listener;

impl<S: Subscriber> Layer<S> for Listener {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = *event.metadata().level();
        if level > Level::WARN {
            return;
        }
        let mut line = Line(format!("{level} {}:", event.metadata().target()));
        event.record(&mut line);
        HEARD.with_borrow_mut(|heard| heard.push(line.0));
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
}
