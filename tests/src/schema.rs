//! The schema of `--json`, read from its page in the manual, and what an output has otherwise.
//!
//! A command has a section named like it (`## ha status`) with one table: field, type, when it is there, meaning.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// The section of what a failed command prints.
pub const FAILURE: &str = "a command that failed";
/// Programs whose commands have sections.
const PROGRAMS: [&str; 3] = ["hac ", "ha ", "mn "];

/// The tables of the page by the commands that they describe.
#[derive(Debug)]
pub struct Schema(BTreeMap<String, Table>);

#[derive(Debug, Default)]
struct Table(BTreeMap<String, Row>);

#[derive(Debug)]
struct Row {
    kinds: Vec<Kind>,
    always: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    Number,
    Boolean,
    List,
    Object,
    Map,
    Null,
}

impl Schema {
    /// That of `docs/manual/json.md`.
    ///
    /// # Errors
    /// The page cannot be read, or a table is not in the form that it describes.
    pub fn of_the_manual() -> Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/manual/json.md");
        Self::read(&std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?)
    }

    /// Reads a page.
    ///
    /// # Errors
    /// The line that is not in the form that the page describes.
    pub fn read(page: &str) -> Result<Self> {
        let mut tables = BTreeMap::<String, Table>::new();
        let mut command = None;
        for line in page.lines() {
            if let Some(heading) = line.strip_prefix("## ") {
                let is_command = heading == FAILURE || PROGRAMS.iter().any(|program| heading.starts_with(program));
                command = is_command.then(|| heading.to_owned());
                if let Some(command) = &command {
                    ensure!(tables.insert(command.clone(), Table::default()).is_none(), "{command} has two sections");
                }
            } else if let (Some(command), Some(cells)) = (&command, line.strip_prefix("| `")) {
                let (field, row) = row(cells).with_context(|| format!("{command}: {line}"))?;
                let table = tables.entry(command.clone()).or_default();
                ensure!(table.0.insert(field, row).is_none(), "{command}: two rows of one field: {line}");
            }
        }
        let schema = Self(tables);
        schema.check_parents()?;
        Ok(schema)
    }

    /// The commands that have a section.
    pub fn commands(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str).filter(|command| *command != FAILURE)
    }

    /// A sentence for everything in `output` that is not as the section of `command` says, or that of a failure where the command
    /// has failed.
    ///
    /// # Errors
    /// The page has no such section.
    pub fn differences(&self, command: &str, output: &Value) -> Result<Vec<String>> {
        let own = self.section(command).with_context(|| format!("docs/manual/json.md has no section \"## {command}\""))?;
        let has_failed = output.get("error").is_some() && !own.0.contains_key("error");
        let table = if has_failed { self.0.get(FAILURE).context("no section of failures")? } else { own };
        let mut found = Vec::new();
        if output["schema"] != 1 {
            found.push("`schema` is not 1".to_owned());
        }
        table.compare("", output, &mut found);
        Ok(found.into_iter().map(|difference| format!("{command}: {difference}")).collect())
    }

    /// The section of a command that may have arguments: the longest whose name it begins with.
    fn section(&self, command: &str) -> Option<&Table> {
        let (words, begins) = (format!("{command} "), |name: &str| format!("{name} "));
        let sections = self.0.iter().filter(|(name, _)| words.starts_with(&begins(name)));
        sections.max_by_key(|(name, _)| name.len()).map(|(_, table)| table)
    }

    /// Each object, list and map has a row, so that it is known when it is there.
    fn check_parents(&self) -> Result<()> {
        for (command, table) in &self.0 {
            for field in table.0.keys() {
                let parent = parent(field);
                ensure!(parent.is_empty() || table.0.contains_key(parent), "{command}: `{field}` has no row for `{parent}`");
            }
        }
        Ok(())
    }
}

impl Table {
    fn compare(&self, path: &str, value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                let is_map = self.0.contains_key(&join(path, "*"));
                for (name, member) in members {
                    self.compare_field(&join(path, if is_map { "*" } else { name }), name, member, found);
                }
                for (field, _) in self.0.iter().filter(|(field, row)| row.always && !is_map && parent(field) == path) {
                    let name = field.rsplit('.').next().unwrap_or(field);
                    if !field.ends_with("[]") && !members.contains_key(name) {
                        found.push(format!("lacks `{field}`, which the page has as always there"));
                    }
                }
            }
            Value::Array(entries) => {
                let each = format!("{path}[]");
                entries.iter().for_each(|entry| self.compare_field(&each, &each, entry, found));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn compare_field(&self, field: &str, name: &str, value: &Value, found: &mut Vec<String>) {
        match self.0.get(field) {
            None => found.push(format!("has `{field}` ({name}), which the page lacks")),
            Some(row) if !row.kinds.iter().any(|kind| kind.is_of(value)) => {
                found.push(format!("`{field}` is {value}, and not {:?} as on the page", row.kinds));
            }
            Some(_) => self.compare(field, value, found),
        }
    }
}

impl Kind {
    fn is_of(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Integer => value.is_u64(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::List => value.is_array(),
            Self::Object | Self::Map => value.is_object(),
            Self::Null => value.is_null(),
        }
    }
}

/// "field` | type | there | meaning |"
fn row(cells: &str) -> Result<(String, Row)> {
    let cells: Vec<&str> = cells.trim_end_matches('|').split(" | ").map(str::trim).collect();
    let [field, kinds, there, meaning] = cells[..] else { bail!("a row has four columns") };
    let field = field.trim_end_matches('`');
    let kinds = kinds.split(" or ").map(kind).collect::<Result<Vec<_>>>()?;
    let explains_itself = field.ends_with("[]") || kinds.contains(&Kind::List);
    ensure!(!meaning.is_empty() || explains_itself, "no meaning");
    ensure!(!there.is_empty(), "say when it is there");
    Ok((field.to_owned(), Row { kinds, always: there == "always" }))
}

fn kind(word: &str) -> Result<Kind> {
    Ok(match word {
        "text" => Kind::Text,
        "integer" => Kind::Integer,
        "number" => Kind::Number,
        "boolean" => Kind::Boolean,
        "list" => Kind::List,
        "object" => Kind::Object,
        "map" => Kind::Map,
        "null" => Kind::Null,
        other => bail!("no type: {other}"),
    })
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// `a` of `a.b`, `a[]` of `a[].b`, `a` of `a[]`; nothing of `a`.
fn parent(field: &str) -> &str {
    match field.strip_suffix("[]") {
        Some(list) => list,
        None => field.rsplit_once('.').map_or("", |(parent, _)| parent),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PAGE: &str = "# page
## a command that failed
| field | type | there | meaning |
|---|---|---|---|
| `schema` | integer | always | 1 |
| `error` | text | always | why |

## ha list
| `schema` | integer | always | 1 |
| `count` | integer | always | in all |
| `share` | number or null | while it runs | of one |
| `rows` | list | always | |
| `rows[]` | object | always | |
| `rows[].spi` | text | always | SPI |
| `drops` | map | always | by reason |
| `drops.*` | integer | always | packets |

## Something else
| `not` | a | command | at all |
";

    fn differences(output: &Value) -> Vec<String> {
        Schema::read(PAGE).unwrap().differences("ha list", output).unwrap()
    }

    fn good() -> Value {
        json!({ "schema": 1, "count": 1, "share": 0.5, "rows": [{ "spi": "0x1" }], "drops": { "replayed": 3 } })
    }

    #[test]
    fn an_output_as_the_page_says_has_no_difference() {
        assert_eq!(differences(&good()), Vec::<String>::new());
        let mut without = good();
        without.as_object_mut().unwrap().remove("share");
        assert_eq!(differences(&without), Vec::<String>::new());
        assert_eq!(differences(&json!({ "schema": 1, "error": "no" })), Vec::<String>::new());
    }

    #[test]
    fn a_field_too_many_a_field_too_few_and_another_type_are_differences_at_every_depth() {
        let rows = [
            ("/new", json!(1), "has `new`"),
            ("/count", json!("1"), "`count` is \"1\""),
            ("/count", json!(-1), "`count` is -1"),
            ("/count", json!(null), "`count` is null"),
            ("/rows", json!([{}]), "lacks `rows[].spi`"),
            ("/rows", json!([{ "spi": 1 }]), "`rows[].spi` is 1"),
            ("/rows", json!([{ "spi": "1", "x": 2 }]), "has `rows[].x`"),
            ("/rows", json!(["1"]), "`rows[]` is \"1\""),
            ("/drops", json!({ "wrong": "many" }), "`drops.*` is \"many\""),
            ("/schema", json!(2), "`schema` is not 1"),
        ];
        for (pointer, value, expected) in rows {
            let mut output = good();
            output.as_object_mut().unwrap().insert(pointer[1..].to_owned(), value);
            let found = differences(&output);
            assert!(found.len() == 1 && found[0].contains(expected), "{expected}: {found:?}");
        }
        for name in ["schema", "count", "rows", "drops"] {
            let mut output = good();
            output.as_object_mut().unwrap().remove(name);
            assert!(differences(&output).iter().any(|found| found.contains(&format!("lacks `{name}`"))), "{name}");
        }
    }

    #[test]
    fn a_command_without_a_section_and_a_table_of_another_form_are_errors() {
        assert!(Schema::read(PAGE).unwrap().differences("ha dance", &good()).is_err());
        assert!(Schema::read(PAGE).unwrap().differences("ha lists", &good()).is_err());
        assert_eq!(Schema::read(PAGE).unwrap().differences("ha list --all", &good()).unwrap(), Vec::<String>::new());
        assert_eq!(Schema::read(PAGE).unwrap().commands().collect::<Vec<_>>(), ["ha list"]);
        let wrong = [
            ("| `count` | integer | always | in all |", "| `count` | whole | always | in all |"),
            ("| `count` | integer | always | in all |", "| `count` | integer | always | |"),
            ("| `count` | integer | always | in all |", "| `count` | integer | in all |"),
            ("| `count` | integer | always | in all |", "| `rows` | list | always | |"),
            ("| `rows[]` | object | always | |\n", ""),
            ("## Something else", "## ha list"),
        ];
        for (line, instead) in wrong {
            assert!(PAGE.contains(line) && Schema::read(&PAGE.replace(line, instead)).is_err(), "{instead}");
        }
    }
}
