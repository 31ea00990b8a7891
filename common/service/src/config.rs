//! A program's TOML file into its configuration type; errors name file, line and column.
//!
//! Called once by each program at its start. The types carry `#[serde(deny_unknown_fields, rename_all = "kebab-case")]`,
//! so a misspelt key is an error and never silently a default. Relative paths are relative to the file's folder.

use std::fmt::Display;
use std::io;
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

/// The longest configuration file that is read, in octets.
pub const MAX_FILE: u64 = 1 << 20;

/// A configuration with the folder of the file that it was read from.
#[derive(Clone, Debug)]
pub struct Located<T> {
    value: T,
    file: PathBuf,
}

impl<T> Located<T> {
    /// As if `value` had been read from `file`.
    pub fn new(value: T, file: impl Into<PathBuf>) -> Self {
        Self { value, file: file.into() }
    }

    /// The configuration without its place.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// The file it came from.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// `path` as it stands in the file: an absolute one as it is, a relative one under the file's folder.
    pub fn resolve(&self, path: impl AsRef<Path>) -> PathBuf {
        self.file.parent().unwrap_or_else(|| Path::new("")).join(path)
    }

    /// The text of a file that the configuration names, such as a PEM file.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<String, ConfigError> {
        let path = self.resolve(path);
        std::fs::read_to_string(&path).map_err(|source| ConfigError::Named { config: self.file.clone(), path, source })
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
    #[error("{}: cannot read the configuration file: {source}", .path.display())]
    Unreadable {
        /// The configuration file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A key that the program does not know.
    #[error("{place}: unknown key \"{key}\"{hint}")]
    UnknownKey {
        /// FILE:LINE:COL.
        place: Place,
        /// The key as it stands in the file.
        key: String,
        /// The nearest known key or all of them, in brackets.
        hint: String,
    },
    /// Not TOML, or a value of the wrong kind.
    #[error("{place}: {message}")]
    Invalid {
        /// FILE:LINE:COL.
        place: Place,
        /// What is wrong.
        message: String,
    },
    /// A file that the configuration names cannot be read.
    #[error("{}: cannot read {}, which the configuration names: {source}", .config.display(), .path.display())]
    Named {
        /// The configuration file.
        config: PathBuf,
        /// The file it names.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A place in a file; line and column count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    file: PathBuf,
    line: usize,
    column: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

/// Reads the TOML file at `path`.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<Located<T>, ConfigError> {
    let text = read_bounded(path)?;
    let value = parse(path, &text)?;
    Ok(Located::new(value, path))
}

fn read_bounded(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let length = match std::fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(ConfigError::Missing(path.to_owned())),
        Err(error) => return Err(unreadable(error)),
    };
    if length > MAX_FILE {
        let message = format!("{length} octets; a configuration has at most {MAX_FILE}");
        return Err(unreadable(io::Error::other(message)));
    }
    std::fs::read_to_string(path).map_err(unreadable)
}

fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, ConfigError> {
    toml::from_str(text).map_err(|error| {
        let place = place_of(path, text, error.span());
        match unknown_key(error.message()) {
            Some((key, known)) => ConfigError::UnknownKey { place, hint: hint(&key, &known), key },
            None => ConfigError::Invalid { place, message: error.message().replace('\n', "; ") },
        }
    })
}

fn place_of(path: &Path, text: &str, span: Option<Range<usize>>) -> Place {
    let before = span.and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before.get(line_start..).map_or(0, |line| line.chars().count()) + 1;
    Place { file: path.to_owned(), line: before.matches('\n').count() + 1, column }
}

/// Serde's words for an unknown key: "unknown field `x`, expected one of `a`, `b`".
fn unknown_key(message: &str) -> Option<(String, Vec<String>)> {
    let mut quoted = message.strip_prefix("unknown field ")?.split('`').skip(1).step_by(2).map(str::to_owned);
    let key = quoted.next()?;
    Some((key, quoted.collect()))
}

fn hint(key: &str, known: &[String]) -> String {
    let nearest = known.iter().map(|name| (distance(key, name), name)).min();
    match nearest {
        Some((distance, name)) if distance <= key.chars().count().div_ceil(3) => format!(" (did you mean \"{name}\"?)"),
        Some(_) => format!(" (known here: {})", known.join(", ")),
        None => String::new(),
    }
}

/// Levenshtein's distance: how many letters must be put in, taken out or changed.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = i;
        let mut last = i + 1;
        let mut next = vec![last];
        for (b, above) in right.iter().zip(row.iter().skip(1)) {
            last = (diagonal + usize::from(a != *b)).min(above + 1).min(last + 1);
            next.push(last);
            diagonal = *above;
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// Reads a value by its name, for `#[serde(deserialize_with)]`.
///
/// # Errors
/// What the type says of a name that it does not have.
pub fn by_name<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(deserializer: D) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    struct Sample {
        name: String,
        feed: Option<Feed>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    struct Feed {
        address: String,
        #[serde(default)]
        server_name: String,
    }

    fn error_of(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ha.toml");
        std::fs::write(&file, text).unwrap();
        let error = load::<Sample>(&file).unwrap_err().to_string();
        error.strip_prefix(&format!("{}/", folder.path().display())).unwrap().to_owned()
    }

    #[test]
    fn a_misspelt_key_is_named_with_its_place_and_the_nearest_key() {
        let text = "name = \"ha1\"\n[feed]\n  adress = \"x\"\n";
        assert_eq!(error_of(text), "ha.toml:3:3: unknown key \"adress\" (did you mean \"address\"?)");
    }

    #[test]
    fn a_key_that_resembles_none_is_answered_with_all_that_are_known() {
        let text = "name = \"ha1\"\ncolour = 1\n";
        assert_eq!(error_of(text), "ha.toml:2:1: unknown key \"colour\" (known here: name, feed)");
    }

    #[test]
    fn a_wrong_value_is_named_with_its_place() {
        let error = error_of("\nname = 7\n");
        assert!(error.starts_with("ha.toml:2:8: invalid type: integer `7`"), "{error}");
        assert!(error_of("name = ").starts_with("ha.toml:1:8: "), "{}", error_of("name = "));
    }

    #[test]
    fn a_missing_file_is_answered_with_the_remedy() {
        let error = load::<Sample>(Path::new("/nowhere/ha.toml")).unwrap_err().to_string();
        assert!(error.starts_with("/nowhere/ha.toml: no such configuration file") && error.contains("`hac ha add`"), "{error}");
    }

    #[test]
    fn relative_paths_are_relative_to_the_folder_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ha.toml");
        std::fs::write(&file, "name = \"ha1\"\n[feed]\naddress = \"a\"\nserver-name = \"b\"").unwrap();
        let config = load::<Sample>(&file).unwrap();
        let feed = config.feed.as_ref().unwrap();
        assert_eq!((config.name.as_str(), feed.address.as_str(), feed.server_name.as_str()), ("ha1", "a", "b"));
        assert_eq!(config.resolve("ca.pem"), folder.path().join("ca.pem"));
        assert_eq!(config.resolve("/etc/ca.pem"), Path::new("/etc/ca.pem"));
        assert!(config.read("ca.pem").unwrap_err().to_string().contains("which the configuration names"));
    }
}
