//! Where keys stand in a configuration's text, and how its values are written there.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The longest value that an error repeats, in characters.
const LONGEST_VALUE: usize = 80;

/// A place in a file, or the file alone; line and column count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    file: PathBuf,
    spot: Option<Spot>,
}

/// Line and column, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    line: usize,
    column: usize,
}

impl Place {
    pub(super) fn new(file: &Path, spot: Spot) -> Self {
        Self { file: file.to_owned(), spot: Some(spot) }
    }

    /// A file that has no text to be placed in.
    pub(super) fn of_file(file: &Path) -> Self {
        Self { file: file.to_owned(), spot: None }
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Line and column from 1, where the file could be read.
    pub fn line_and_column(&self) -> Option<(usize, usize)> {
        self.spot.map(|spot| (spot.line, spot.column))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        self.spot.map_or(Ok(()), |spot| write!(f, ":{}:{}", spot.line, spot.column))
    }
}

impl Spot {
    const BEGINNING: Self = Self { line: 1, column: 1 };

    /// Of the octet at `offset` in `text`.
    pub(super) fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).map_or(0, |line| line.chars().count()) + 1;
        Self { line: before.matches('\n').count() + 1, column }
    }
}

/// All keys of a file by their dotted names.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys(BTreeMap<String, Entry>);

#[derive(Clone, Debug)]
struct Entry {
    spot: Spot,
    /// Octets of the key and of its value (of an element: both the same).
    key: Range<usize>,
    value: Range<usize>,
    /// The value as it stands there; a table has none.
    literal: Option<String>,
    /// The value, if it is a text.
    text: Option<String>,
}

impl Keys {
    pub(super) fn of(text: &str, table: &DeTable<'_>) -> Self {
        let mut keys = Self::default();
        keys.add_table("", text, table);
        keys
    }

    fn add_table(&mut self, prefix: &str, text: &str, table: &DeTable<'_>) {
        for (key, value) in table.iter() {
            let name = format!("{prefix}{}", key.get_ref());
            self.add(&name, text, key.span(), value);
        }
    }

    fn add(&mut self, name: &str, text: &str, key: Range<usize>, value: &Spanned<DeValue<'_>>) {
        let literal = text.get(value.span()).map(on_one_line);
        let mut entry = Entry { spot: Spot::of(text, key.start), key, value: value.span(), literal, text: None };
        match value.get_ref() {
            DeValue::Table(table) => {
                entry.literal = None;
                self.add_table(&format!("{name}."), text, table);
            }
            DeValue::Array(elements) => {
                for (index, element) in elements.iter().enumerate() {
                    self.add(&format!("{name}.{index}"), text, element.span(), element);
                }
            }
            DeValue::String(words) => entry.text = Some(words.to_string()),
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {}
        }
        self.0.insert(name.to_owned(), entry);
    }

    /// Where `name` stands, or the nearest section around it, or the beginning.
    pub(super) fn nearest(&self, name: &str) -> Spot {
        let mut name = name;
        loop {
            if let Some(entry) = self.0.get(name) {
                return entry.spot;
            }
            let Some((section, _)) = name.rsplit_once('.') else { return Spot::BEGINNING };
            name = section;
        }
    }

    /// `[section] key = value`; without the value where the file has none, or a table in a list.
    pub(super) fn describe(&self, key: &str) -> String {
        match self.0.get(key) {
            Some(Entry { literal: Some(literal), .. }) => format!("{} = {literal}", name(key)),
            Some(Entry { literal: None, .. }) if !is_in_list(key) => format!("[{key}]"),
            Some(_) | None => name(key),
        }
    }

    /// The first key whose value is this path.
    pub(super) fn naming(&self, path: &Path) -> Option<&str> {
        let is_it = |entry: &Entry| entry.text.as_deref().is_some_and(|text| Path::new(text) == path);
        self.0.iter().find(|(_, entry)| is_it(entry)).map(|(name, _)| name.as_str())
    }

    /// The innermost key that the octet at `offset` belongs to.
    pub(super) fn at(&self, offset: usize) -> Option<&str> {
        let holds = |range: &Range<usize>| range.contains(&offset);
        let around = self.0.iter().filter(|(_, entry)| holds(&entry.key) || holds(&entry.value));
        around.min_by_key(|(name, entry)| (entry.value.len(), std::cmp::Reverse(name.len()))).map(|(name, _)| name.as_str())
    }

    pub(super) fn is_section(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(|entry| entry.literal.is_none())
    }
}

fn is_in_list(key: &str) -> bool {
    key.rsplit('.').next().is_some_and(is_index)
}

fn is_index(word: &str) -> bool {
    word.bytes().all(|octet| octet.is_ascii_digit())
}

/// `[section] key` of `section.key`; elements of lists have their list's name.
pub(super) fn name(key: &str) -> String {
    let words: Vec<&str> = key.split('.').filter(|word| !is_index(word)).collect();
    match words.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, sections)) => format!("[{}] {last}", sections.join(".")),
        None => String::new(),
    }
}

fn on_one_line(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= LONGEST_VALUE {
        return text;
    }
    text.chars().take(LONGEST_VALUE).chain("…".chars()).collect()
}
