//! A program's TOML file into its configuration type; errors name file, line and column.
//!
//! Called once by each program at its start. The types carry `#[serde(deny_unknown_fields, rename_all = "kebab-case")]`,
//! so a misspelt key is an error and never silently a default. Relative paths are relative to the file's folder. What only
//! the program knows to be wrong it says with [`Located::refused`], in the same words and with the same places.

use std::ffi::OsString;
use std::fmt::Display;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

mod finding;
mod parse;
mod place;

pub use finding::{Finding, Findings, Severity};
pub use parse::distance;
pub use place::Place;

use place::Keys;

/// The environment variable in which systemd names the folder of a service's credentials.
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";
/// The longest configuration file that is read, in octets.
pub const MAX_FILE: u64 = 1 << 20;

/// A configuration with the file that it was read from, and where in it each key stands.
#[derive(Clone, Debug)]
pub struct Located<T> {
    value: T,
    file: PathBuf,
    keys: Keys,
}

impl<T> Located<T> {
    /// As if `value` had been read from `file`, whose text nobody knows.
    pub fn new(value: T, file: impl Into<PathBuf>) -> Self {
        Self { value, file: file.into(), keys: Keys::default() }
    }

    /// The configuration without its place.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// The file it came from.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Where `key` stands, sections before it with dots (`policy.sa-lifetime-seconds`; `listen.1` is the second of a list).
    /// What is not in the file stands where its section does, or at the file's beginning.
    pub fn place_of(&self, key: &str) -> Place {
        Place::new(&self.file, self.keys.nearest(key))
    }

    /// That the value of `key` cannot be used: `FILE:LINE:COL: [section] key = value: remedy`.
    pub fn refused(&self, key: &str, remedy: impl Display) -> Finding {
        self.finding(Severity::Error, key, remedy)
    }

    /// That the value of `key` works, but not as it should or not for long.
    pub fn warned(&self, key: &str, remedy: impl Display) -> Finding {
        self.finding(Severity::Warning, key, remedy)
    }

    /// [`refused`](Self::refused) for a value that is not repeated, since it may come into a log.
    pub fn refused_unseen(&self, key: &str, remedy: impl Display) -> Finding {
        let text = format!("{}: {remedy}", place::name(key));
        Finding { place: self.place_of(key), severity: Severity::Error, key: Some(key.to_owned()), text }
    }

    fn finding(&self, severity: Severity, key: &str, remedy: impl Display) -> Finding {
        let text = format!("{}: {remedy}", self.keys.describe(key));
        Finding { place: self.place_of(key), severity, key: Some(key.to_owned()), text }
    }

    /// `path` as it stands in the file: an absolute one as it is, a relative one under the file's folder, one that begins with
    /// `$CREDENTIALS_DIRECTORY/` where systemd put the service's credentials (`LoadCredential=`).
    pub fn resolve(&self, path: impl AsRef<Path>) -> PathBuf {
        self.resolve_under(path.as_ref(), std::env::var_os(CREDENTIALS_DIRECTORY))
    }

    fn resolve_under(&self, path: &Path, credentials: Option<OsString>) -> PathBuf {
        let name = path.strip_prefix(format!("${CREDENTIALS_DIRECTORY}"));
        if let (Ok(name), Some(folder)) = (name, credentials) {
            return Path::new(&folder).join(name);
        }
        self.file.parent().unwrap_or_else(|| Path::new("")).join(path)
    }

    /// The text of a file that the configuration names, such as a PEM file.
    ///
    /// # Errors
    /// It cannot be read; the error has the place of the key that names it.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<String, ConfigError> {
        let resolved = self.resolve(path.as_ref());
        std::fs::read_to_string(&resolved).map_err(|error| self.refused_file(path, unreadable(&resolved, &error)))
    }

    /// That the file that the configuration names as `path` cannot be used, with the place of the key that names it.
    /// `problem` names the resolved path and the remedy.
    pub fn refused_file(&self, path: impl AsRef<Path>, problem: impl Display) -> ConfigError {
        let finding = match self.keys.naming(path.as_ref()) {
            Some(key) => self.refused(key, problem),
            None => Finding { place: self.place_of(""), severity: Severity::Error, key: None, text: problem.to_string() },
        };
        Findings::from(finding).into()
    }
}

impl<T> Deref for Located<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No such file.
    #[error(
        "{}: no such configuration file: name the right one with --config FILE, or make one (`hac init` writes hac.toml, \
         `hac ha add` writes ha.toml, `hac subscriber add` writes mn.toml)",
        .0.display()
    )]
    Missing(PathBuf),
    /// The file is there but cannot be read.
    #[error("{}: cannot read the configuration file: {source}; run as root or as the file's owner, or name another with --config FILE", .path.display())]
    Unreadable {
        /// The configuration file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is longer than any configuration is.
    #[error("{}: {length} octets; a configuration has at most {MAX_FILE}: name the right file with --config FILE", .path.display())]
    TooLong {
        /// The configuration file.
        path: PathBuf,
        /// Its length in octets.
        length: u64,
    },
    /// Keys, values or files that it names cannot be used.
    #[error(transparent)]
    Refused(#[from] Findings),
}

impl ConfigError {
    /// Everything that is wrong, one by one.
    pub fn into_findings(self) -> Findings {
        match self {
            Self::Refused(findings) => findings,
            Self::Missing(ref path) | Self::Unreadable { ref path, .. } | Self::TooLong { ref path, .. } => {
                let text = self.to_string();
                let text = text.strip_prefix(&format!("{}: ", path.display())).map_or(text.clone(), ToOwned::to_owned);
                Finding { place: Place::of_file(path), severity: Severity::Error, key: None, text }.into()
            }
        }
    }
}

/// Reads the TOML file at `path`.
///
/// # Errors
/// It cannot be read; or every unknown key and every value of a wrong kind in it.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<Located<T>, ConfigError> {
    let text = read_bounded(path)?;
    let (value, keys) = parse::parse(path, &text)?;
    Ok(Located { value, file: path.to_owned(), keys })
}

fn read_bounded(path: &Path) -> Result<String, ConfigError> {
    let failed = |source: io::Error| {
        let is_missing = source.kind() == io::ErrorKind::NotFound;
        if is_missing { ConfigError::Missing(path.to_owned()) } else { ConfigError::Unreadable { path: path.to_owned(), source } }
    };
    let length = std::fs::metadata(path).map_err(failed)?.len();
    if length > MAX_FILE {
        return Err(ConfigError::TooLong { path: path.to_owned(), length });
    }
    std::fs::read_to_string(path).map_err(failed)
}

/// That the file at `path` cannot be read, and what to do.
pub fn unreadable(path: &Path, error: &io::Error) -> String {
    let remedies = [
        (
            io::ErrorKind::NotFound,
            "correct the path (a relative one begins at the configuration's folder), or bring the file there",
        ),
        (io::ErrorKind::PermissionDenied, "run as root or as the file's owner"),
        (io::ErrorKind::IsADirectory, "name the file in it"),
    ];
    let remedy =
        remedies.iter().find(|(kind, _)| *kind == error.kind()).map_or("check the path and the file", |(_, remedy)| remedy);
    format!("cannot read {}: {error}; {remedy}", path.display())
}

/// Reads a value by its name, for `#[serde(deserialize_with)]`.
///
/// # Errors
/// What the type says of a name that it does not have.
pub fn by_name<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(deserializer: D) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

#[cfg(test)]
mod tests;
