//! `check-config` of the three programs: what will hold, or everything that is wrong.
//!
//! A program loads its file, adds what it finds and what will hold, and prints. With errors nothing will hold, and only they
//! are printed; warnings are told in any case. Nothing is opened for long, bound or changed.
#![allow(clippy::print_stdout, reason = "a command line answers on standard output")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::config::{ConfigError, Finding, Findings};
use crate::control::SCHEMA;
use crate::outcome::{FAILED, complain};

/// Width of the names of what holds.
const NAME_WIDTH: usize = 20;

/// A certificate among what holds.
#[derive(Clone, Debug)]
pub struct Certificate<'a> {
    /// The file.
    pub file: &'a Path,
    /// The subject's distinguished name.
    pub subject: &'a str,
    /// Its subject alternative names.
    pub names: &'a [String],
    /// What its issuer signed it with.
    pub signature: &'a str,
    /// Valid from.
    pub not_before: SystemTime,
    /// Valid until.
    pub not_after: SystemTime,
}

impl Certificate<'_> {
    /// For `--json`; times are seconds since 1970, UTC.
    pub fn to_json(&self) -> Value {
        json!({
            "file": self.file.display().to_string(),
            "subject": self.subject,
            "names": self.names,
            "signature": self.signature,
            "not_before": unix_seconds(self.not_before),
            "not_after": unix_seconds(self.not_after),
        })
    }
}

/// What was found so far.
#[derive(Clone, Debug)]
pub struct Check {
    file: PathBuf,
    holds: Vec<Row>,
    findings: Findings,
}

#[derive(Clone, Debug)]
struct Row {
    name: &'static str,
    value: Value,
    shown: String,
}

impl Check {
    /// Of the configuration in `file`.
    pub fn new(file: &Path) -> Self {
        Self { file: file.to_owned(), holds: Vec::new(), findings: Findings::default() }
    }

    /// Of a configuration that cannot be read at all.
    pub fn failed(file: &Path, error: ConfigError) -> Self {
        Self { findings: error.into_findings(), ..Self::new(file) }
    }

    /// Something is wrong.
    pub fn find(&mut self, finding: Finding) {
        self.findings.extend([finding]);
    }

    /// Several things are.
    pub fn find_all(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.findings.extend(findings);
    }

    /// What went well; else what is wrong is noted.
    pub fn note<T>(&mut self, result: Result<T, ConfigError>) -> Option<T> {
        result.map_err(|error| self.findings.extend(error.into_findings())).ok()
    }

    /// `value` will hold, under this name in JSON; a person reads `_` as a space, and lists without brackets.
    pub fn holds(&mut self, name: &'static str, value: impl Into<Value>) {
        let value = value.into();
        let shown = plain(&value);
        self.holds.push(Row { name, value, shown });
    }

    /// As [`holds`](Self::holds), with other words for a person.
    pub fn holds_shown(&mut self, name: &'static str, value: impl Into<Value>, shown: impl Into<String>) {
        self.holds.push(Row { name, value: value.into(), shown: shown.into() });
    }

    /// Prints it; gives the exit code: 0 where nothing is wrong but what is warned of.
    pub fn print(self, program: &str, json: bool) -> ExitCode {
        let is_good = self.is_good();
        if json {
            println!("{}", self.to_json());
        } else if is_good {
            for row in &self.holds {
                println!("{:<NAME_WIDTH$}{}", row.name.replace('_', " "), row.shown);
            }
        }
        let findings = self.findings.sorted();
        complain(program, &findings.to_string());
        if !json && is_good {
            println!("{} can be used", self.file.display());
        }
        if is_good { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
    }

    /// Whether the program would start with it.
    pub fn is_good(&self) -> bool {
        self.findings.errors() == 0
    }

    /// What `--json` prints.
    pub fn to_json(&self) -> Value {
        let problems: Vec<Value> = self.findings.clone().sorted().iter().map(Finding::to_json).collect();
        let holds: Map<String, Value> = self.holds.iter().map(|row| (row.name.to_owned(), row.value.clone())).collect();
        let mut object = json!({
            "schema": SCHEMA,
            "file": self.file.display().to_string(),
            "ok": self.is_good(),
            "problems": problems,
            "holds": if self.is_good() { Value::Object(holds) } else { Value::Null },
        });
        if let (false, Some(members)) = (self.is_good(), object.as_object_mut()) {
            let error = format!("{} cannot be used: {} errors", self.file.display(), self.findings.errors());
            members.insert("error".to_owned(), error.into());
        }
        object
    }
}

/// What to do about a file that others than its owner may read, `what` being in it; `None` where they may not, or it is not there.
pub fn readable_by_others(path: &Path, what: &str) -> Option<String> {
    let mode = std::fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode() & 0o7777);
    let shown = path.display();
    (mode & 0o077 != 0).then(|| format!("{shown} has mode {mode:04o}: others may read {what}; run `chmod 600 {shown}`"))
}

fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(values) if values.is_empty() => "-".to_owned(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Located;

    fn config() -> Located<()> {
        Located::new((), "/etc/haltsec/ha.toml")
    }

    #[test]
    fn what_holds_is_told_when_nothing_is_wrong_but_what_is_warned_of() {
        let mut check = Check::new(config().file());
        check.holds("listen", vec!["192.0.2.1:7872", "[2001:db8::1]:7872"]);
        check.holds_shown("mtu", 1400, "1400 octets");
        check.find(config().warned("ca", "expires on Sunday"));
        assert!(check.is_good());
        let json = check.to_json();
        assert_eq!(
            (&json["ok"], &json["holds"]["mtu"], &json["holds"]["listen"][1]),
            (&true.into(), &1400.into(), &"[2001:db8::1]:7872".into())
        );
        assert_eq!((&json["problems"][0]["severity"], json.get("error")), (&"warning".into(), None));
        let shown: Vec<&str> = check.holds.iter().map(|row| row.shown.as_str()).collect();
        assert_eq!(shown, ["192.0.2.1:7872, [2001:db8::1]:7872", "1400 octets"]);
        assert_eq!(check.print("ha", false), ExitCode::SUCCESS);
    }

    #[test]
    fn with_errors_nothing_holds_and_all_of_them_are_told() {
        let mut check = Check::new(config().file());
        check.holds("listen", vec!["192.0.2.1:7872"]);
        check.find_all([config().refused("listen", "no"), config().refused("ca", "no")]);
        assert!(check.note::<()>(Err(ConfigError::Missing("/etc/ca".into()))).is_none());
        let json = check.to_json();
        assert_eq!((&json["ok"], &json["holds"], json["problems"].as_array().unwrap().len()), (&false.into(), &Value::Null, 3));
        assert!(json["error"].as_str().unwrap().ends_with("cannot be used: 3 errors"), "{json}");
        assert_eq!(check.print("ha", true), ExitCode::from(FAILED));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_a_problem_without_a_line() {
        let check = Check::failed(Path::new("/nowhere"), ConfigError::Missing("/nowhere".into()));
        let problem = &check.to_json()["problems"][0];
        assert_eq!((&problem["line"], &problem["key"], &problem["file"]), (&Value::Null, &Value::Null, &"/nowhere".into()));
        assert!(problem["text"].as_str().unwrap().starts_with("no such configuration file"), "{problem}");
    }
}
