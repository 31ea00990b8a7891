//! What is wrong with a configuration, in a form for people and one for scripts.

use std::fmt;

use serde_json::{Value, json};

use super::Place;

/// How bad a [`Finding`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The program does not run with it.
    Error,
    /// It runs, but perhaps not as it should, or not for long.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One thing that is wrong, with its place and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// How bad.
    pub severity: Severity,
    /// The key with its sections, such as `policy.suites`, if it is about one.
    pub key: Option<String>,
    /// Key, value, what is wrong, what to do.
    pub text: String,
}

impl Finding {
    /// For `--json`: `severity`, `file`, `line`, `column`, `key`, `text`.
    pub fn to_json(&self) -> Value {
        let (line, column) = self.place.line_and_column().unzip();
        json!({
            "severity": self.severity.name(),
            "file": self.place.file().display().to_string(),
            "line": line,
            "column": column,
            "key": self.key,
            "text": self.text,
        })
    }
}

/// `FILE:LINE:COL: text`, a warning with that word before the text.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.severity {
            Severity::Error => write!(f, "{}: {}", self.place, self.text),
            Severity::Warning => write!(f, "{}: warning: {}", self.place, self.text),
        }
    }
}

/// Everything that is wrong, one a line. Empty where nothing is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Adds one.
    pub fn push(&mut self, finding: Finding) {
        self.0.push(finding);
    }

    /// One by one.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter()
    }

    /// How many of them are errors.
    pub fn errors(&self) -> usize {
        self.0.iter().filter(|finding| finding.severity == Severity::Error).count()
    }

    /// In the order of the file.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.0.sort_by_key(|finding| finding.place.line_and_column());
        self
    }

    /// Fails with all of them when one is an error; warnings alone are dropped.
    ///
    /// # Errors
    /// These findings, in the order of the file.
    pub fn check(self) -> Result<(), Self> {
        if self.errors() == 0 { Ok(()) } else { Err(self.sorted()) }
    }
}

impl From<Finding> for Findings {
    fn from(finding: Finding) -> Self {
        Self(vec![finding])
    }
}

impl Extend<Finding> for Findings {
    fn extend<T: IntoIterator<Item = Finding>>(&mut self, findings: T) {
        self.0.extend(findings);
    }
}

impl IntoIterator for Findings {
    type Item = Finding;
    type IntoIter = std::vec::IntoIter<Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.0.iter().enumerate() {
            write!(f, "{}{finding}", if index == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for Findings {}
