//! TOML into a type, with every error and not only the first: what is refused is noted and taken out, and the rest is read.

use std::ops::Range;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer, Error};

use super::place::{Keys, Spot, name};
use super::{Finding, Findings, Place, Severity};

/// The configuration and where its keys stand.
pub(super) fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<(T, Keys), Findings> {
    let mut reader = Reader { path, text, keys: Keys::default(), found: Findings::default() };
    let root = DeTable::parse(text).map_err(|error| reader.syntax(&error))?;
    reader.keys = Keys::of(text, root.get_ref());
    match reader.read(root) {
        Some(value) => Ok((value, reader.keys)),
        None => Err(reader.found.sorted()),
    }
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    keys: Keys,
    found: Findings,
}

impl Reader<'_> {
    fn syntax(&self, error: &Error) -> Findings {
        let offset = error.span().map_or(0, |span| span.start);
        let text = format!("this is no TOML: {}", one_line(error.message()));
        self.finding(Spot::of(self.text, offset), None, text).into()
    }

    /// Each turn takes at least one key out, so there are no more of them than keys.
    fn read<T: DeserializeOwned>(&mut self, mut root: Spanned<DeTable<'_>>) -> Option<T> {
        let mut taken_out = Vec::new();
        loop {
            let error = match T::deserialize(Deserializer::from(root.clone())) {
                Ok(value) if taken_out.is_empty() => return Some(value),
                Ok(_) => return None,
                Err(error) => error,
            };
            let key = self.note(&error, &taken_out)?;
            let key = key.split('.').map_while(|word| word.parse::<usize>().is_err().then_some(word)).collect::<Vec<_>>();
            if !take_out(root.get_mut(), &key) {
                return None;
            }
            taken_out.push(key.join("."));
        }
    }

    /// Notes what an error says; gives the key without which the next one can be found.
    fn note(&mut self, error: &Error, taken_out: &[String]) -> Option<String> {
        let span = error.span().unwrap_or_default();
        let section = self.section_at(&span);
        if let Some(key) = quoted(error.message(), "missing field ") {
            let key = section.as_ref().map_or(key.clone(), |section| format!("{section}.{key}"));
            if !taken_out.contains(&key) {
                let text = format!("{} is missing: add it (the manual has an example with every key)", name(&key));
                let finding = self.finding(self.keys.nearest(&key), Some(key), text);
                self.found.push(finding);
            }
            return section;
        }
        let key = self.keys.at(span.start).map(ToOwned::to_owned);
        let finding = match (unknown_key(error.message()), key.as_ref()) {
            (Some((word, known)), _) => {
                let text = format!("unknown key \"{word}\"{}", hint(&word, &known));
                self.finding(Spot::of(self.text, span.start), key.clone(), text)
            }
            (None, Some(key)) => {
                let text = format!("{}: {}", self.keys.describe(key), explain(error.message()));
                self.finding(self.keys.nearest(key), Some(key.clone()), text)
            }
            (None, None) => self.finding(Spot::of(self.text, span.start), None, explain(error.message())),
        };
        self.found.push(finding);
        key
    }

    /// The section that a missing key is missing in; the file itself is none.
    fn section_at(&self, span: &Range<usize>) -> Option<String> {
        let key = self.keys.at(span.start)?;
        self.keys.is_section(key).then(|| key.to_owned())
    }

    fn finding(&self, spot: Spot, key: Option<String>, text: String) -> Finding {
        Finding { place: Place::new(self.path, spot), severity: Severity::Error, key, text }
    }
}

fn take_out(table: &mut DeTable<'_>, key: &[&str]) -> bool {
    match key {
        [] => false,
        [last] => table.remove(*last).is_some(),
        [section, rest @ ..] => match table.get_mut(*section).map(Spanned::get_mut) {
            Some(DeValue::Table(inner)) => take_out(inner, rest),
            Some(
                DeValue::String(_)
                | DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_)
                | DeValue::Array(_),
            )
            | None => false,
        },
    }
}

/// What a value's own type says, with what to write where it says only what it is not.
fn explain(message: &str) -> String {
    let remedy = match message {
        "invalid socket address syntax" => "write ADDRESS:PORT, such as \"198.51.100.1:7872\" or \"[2001:db8::1]:7872\"",
        "invalid IP address syntax" => "write an address, such as \"198.51.100.10\" or \"2001:db8::10\"",
        "invalid IPv4 address syntax" => "write an IPv4 prefix, such as \"10.9.0.0/24\"",
        "invalid IPv6 address syntax" => "write an IPv6 prefix, such as \"2001:db8:100::/64\"",
        _ => return one_line(message),
    };
    format!("{message}; {remedy}")
}

fn one_line(message: &str) -> String {
    message.replace('\n', "; ")
}

fn quoted(message: &str, before: &str) -> Option<String> {
    message.strip_prefix(before)?.split('`').nth(1).map(ToOwned::to_owned)
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
pub fn distance(left: &str, right: &str) -> usize {
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
