//! The programs' logs: a case fails when one of them has a WARN, an ERROR or a panic that the case does not expect, and when
//! one does not come that it expects; and when a log has a key, or a subscriber's name above DEBUG. Looked at by
//! [`inside`](super::inside) when a body has come to its end.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};

use super::Lab;

mod secrets;

use secrets::Hidden;
pub(super) use secrets::KEY_EXPORT;

/// Where `mn up` leaves the log of a node in the background.
const RUN: &str = "/run/haltsec";
/// Folders within folders of the lab that logs are looked for in.
const DEPTH: usize = 2;

/// What the programs of a lab are expected to complain of.
#[derive(Debug, Default)]
pub(super) struct Expectations(Mutex<Vec<Expectation>>);

#[derive(Debug)]
struct Expectation {
    program: String,
    part: String,
    /// What stood in the log before is no part of it.
    from: usize,
    must_come: bool,
}

impl Lab {
    /// From here on `program` (by the name of its log) complains in a line with `part` in it, once or more. Said before the
    /// action that provokes it.
    pub fn expect_warning(&self, program: &str, part: &str) {
        self.expectations.add(self.expectation(program, part, true));
    }

    /// From here on `program` may complain in lines with `part` in it: whether it does depends on who is first.
    pub fn allow_warning(&self, program: &str, part: &str) {
        self.expectations.add(self.expectation(program, part, false));
    }

    fn expectation(&self, program: &str, part: &str, must_come: bool) -> Expectation {
        let own = logs(self.folder()).unwrap_or_default().into_iter().find(|log| name(log) == program);
        let from = own.and_then(|log| fs::metadata(log).ok()).map_or(0, |log| log.len() as usize);
        Expectation { program: program.to_owned(), part: part.to_owned(), from, must_come }
    }

    /// Fails with every line that no expectation covers, every expectation that no line came to, and every secret.
    pub(super) fn check_logs(&self) -> Result<()> {
        let (mut complaints, mut given_away) = (Vec::new(), Vec::new());
        let hidden = Hidden::of(self.folder())?;
        for log in logs(self.folder())?.into_iter().chain(logs(Path::new(RUN))?) {
            let text = fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
            let text = String::from_utf8_lossy(&text);
            complaints.extend(self::complaints(&name(&log), &text));
            given_away.extend(hidden.given_away(&log, &text));
        }
        ensure!(given_away.is_empty(), "the logs tell secrets:\n{}", given_away.join("\n"));
        let wrong = self.expectations.differ_from(&complaints);
        ensure!(wrong.is_empty(), "the logs are not as expected:\n{}", wrong.join("\n"));
        Ok(())
    }
}

impl Expectations {
    fn add(&self, expectation: Expectation) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(expectation);
    }

    /// A sentence for each difference.
    fn differ_from(&self, complaints: &[Complaint]) -> Vec<String> {
        let expected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let unexpected = complaints.iter().filter(|complaint| !expected.iter().any(|one| one.covers(complaint)));
        let missing = expected.iter().filter(|one| one.must_come && !complaints.iter().any(|complaint| one.covers(complaint)));
        unexpected.map(|complaint| format!("unexpected: {complaint}")).chain(missing.map(ToString::to_string)).collect()
    }
}

impl Expectation {
    fn covers(&self, complaint: &Complaint) -> bool {
        self.program == complaint.program && complaint.at >= self.from && complaint.line.contains(&self.part)
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected, but it did not come: {}: a warning with \"{}\"", self.program, self.part)
    }
}

/// A line that nobody should have to read.
struct Complaint {
    program: String,
    /// Where the line begins in the log.
    at: usize,
    line: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.program, self.line)
    }
}

fn complaints(program: &str, log: &str) -> Vec<Complaint> {
    let mut at = 0;
    let mut found = Vec::new();
    for line in log.split_inclusive('\n') {
        if is_complaint(line) {
            found.push(Complaint { program: program.to_owned(), at, line: line.trim_end().to_owned() });
        }
        at += line.len();
    }
    found
}

/// A line of tracing at WARN or ERROR, or the first of a panic.
fn is_complaint(line: &str) -> bool {
    matches!(level(line), Some("WARN" | "ERROR")) || line.starts_with("thread '") && line.contains(" panicked at ")
}

/// Everything but what tracing wrote at DEBUG and TRACE.
fn is_above_debug(line: &str) -> bool {
    !matches!(level(line), Some("DEBUG" | "TRACE"))
}

/// The level of a line of tracing: time, level, …
fn level(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    let (time, level) = (words.next()?, words.next()?);
    (time.ends_with('Z') && time.starts_with(|first: char| first.is_ascii_digit())).then_some(level)
}

/// The logs in a folder and the folders in it; none where there is no such folder.
fn logs(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = if folder.is_dir() { vec![folder.to_owned()] } else { Vec::new() };
    for _ in 0..DEPTH {
        for folder in std::mem::take(&mut folders) {
            for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "log") && name(&path) != "output" {
                    found.push(path);
                }
            }
        }
    }
    Ok(found)
}

fn name(log: &Path) -> String {
    log.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "2026-01-01T00:00:00.000001Z  INFO ha: serving, with a WARN in it
2026-01-01T00:00:01.000001Z  WARN ha::feed_client: no subscription
   a line that goes on
2026-01-01T00:00:02.000001Z ERROR ha::workers: gone
thread 'tunnel-0' (7) panicked at ha/src/main.rs:1:1:
";

    fn expecting(part: &str, from: usize, must_come: bool) -> Expectations {
        let expectations = Expectations::default();
        expectations.add(Expectation { program: "ha".to_owned(), part: part.to_owned(), from, must_come });
        expectations
    }

    #[test]
    fn warnings_errors_and_panics_are_found_and_nothing_else() {
        let found: Vec<_> = complaints("ha", LOG).into_iter().map(|complaint| complaint.line).collect();
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].contains("no subscription") && found[1].contains("gone") && found[2].contains("tunnel-0"));
    }

    #[test]
    fn what_is_expected_covers_its_own_program_its_own_part_and_what_comes_later() {
        let warning = &complaints("ha", LOG)[..1];
        let differences = |expectations: Expectations, complaints: &[Complaint]| expectations.differ_from(complaints).len();
        assert_eq!(differences(Expectations::default(), warning), 1);
        assert_eq!(differences(expecting("no subscription", 0, true), warning), 0);
        assert_eq!(differences(expecting("no subscription", warning[0].at, true), warning), 0);
        assert_eq!(differences(expecting("no subscription", warning[0].at + 1, true), warning), 2);
        assert_eq!(differences(expecting("another", 0, false), warning), 1);
        assert_eq!(differences(expecting("no subscription", 0, true), &complaints("mn", LOG)[..1]), 2);
        assert_eq!(differences(expecting("no subscription", 0, true), &[]), 1);
        assert_eq!(differences(expecting("no subscription", 0, false), &[]), 0);
    }
}
