//! That the documents speak of the tree as it is: every file and function that they name exists, every link leads somewhere.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const ARCHITECTURE: &str = "ARCHITECTURE.md";
const CONFORMANCE: &str = "docs/conformance.md";

#[test]
fn every_file_and_function_that_the_documents_name_exists() {
    let tree = Tree::read();
    let mut wrong = Vec::new();
    for document in documents() {
        for name in code_words(&read(&document)) {
            // Examples elsewhere name files of an operator's own.
            let is_ours = document == Path::new(ARCHITECTURE) || name.contains(".rs");
            if let Err(problem) = tree.check(&name).or_else(|problem| if is_ours { Err(problem) } else { Ok(()) }) {
                wrong.push(format!("{}: `{name}`: {problem}", document.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_function_that_the_walks_name_without_a_file_is_in_the_file_named_last() {
    let tree = Tree::read();
    let text = read(Path::new(ARCHITECTURE));
    for walk in text.split("\n## ").filter(|section| section.starts_with("Walk ")) {
        let mut last = None;
        for word in code_words(walk) {
            if let Some((path, _)) = word.split_once(".rs") {
                last = Some(PathBuf::from(format!("{path}.rs")));
            } else if word.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
                let file = last.as_ref().unwrap_or_else(|| panic!("`{word}` stands before any file"));
                assert!(has_function(&tree.0[file], &word), "`{word}` is not in {}", file.display());
            }
        }
    }
}

/// A document that names little would pass the test above by saying nothing.
#[test]
fn the_walks_name_the_functions_that_a_packet_and_a_binding_update_pass() {
    let text = read(Path::new(ARCHITECTURE));
    for (walk, least) in [("## Walk 1", 25), ("## Walk 2", 25), ("## Walk 3", 20), ("## Walk 4", 25)] {
        let section = text.split("\n## ").find(|section| format!("## {section}").starts_with(walk)).unwrap_or_default();
        let named = code_words(section).iter().filter(|word| word.contains(".rs::")).count();
        assert!(named >= least, "{walk} names {named} functions");
    }
}

#[test]
fn every_test_that_shows_a_clause_exists() {
    let tree = Tree::read();
    let text = read(Path::new(CONFORMANCE));
    let mut checked = 0;
    for row in text.lines().filter(|line| line.starts_with("| ")) {
        let shown_by = row.split('|').nth(5).unwrap();
        for name in code_words(shown_by) {
            assert!(tree.0.values().any(|source| has_function(source, &name)), "no test `{name}` for {row}");
            checked += 1;
        }
    }
    assert!(checked >= 40, "only {checked} tests are named");
}

#[test]
fn every_crate_and_every_folder_of_the_protocol_has_its_line_among_the_rooms() {
    let text = read(Path::new(ARCHITECTURE));
    let rooms = text.split("\n## ").find(|section| section.starts_with("Rooms")).unwrap();
    let manifest: toml::Table = read(Path::new("Cargo.toml")).parse().unwrap();
    let members = manifest["workspace"]["members"].as_array().unwrap();
    let mut folders: Vec<String> = members.iter().map(|member| format!("{}/src/", member.as_str().unwrap())).collect();
    folders.retain(|folder| folder != "tests/src/");
    for parent in ["common/protocol/src", "tests/src"] {
        let inside = std::fs::read_dir(root().join(parent)).unwrap().map(|entry| entry.unwrap().path());
        let names = inside.filter(|path| path.is_dir() && !path.ends_with("bin"));
        folders.extend(names.map(|path| format!("{parent}/{}/", path.file_name().unwrap().to_str().unwrap())));
    }
    let missing: Vec<_> = folders.into_iter().filter(|folder| !rooms.contains(&format!("`{folder}`"))).collect();
    assert!(missing.is_empty(), "without a line: {missing:?}");
}

#[test]
fn no_program_is_built_with_the_fixtures_of_the_tests() {
    let workspace: toml::Table = read(Path::new("Cargo.toml")).parse().unwrap();
    let members = workspace["workspace"]["members"].as_array().unwrap().iter().map(|member| member.as_str().unwrap());
    let (mut users, mut wrong) = (0, Vec::new());
    for member in members.filter(|member| *member != "tests") {
        let manifest: toml::Table = read(&Path::new(member).join("Cargo.toml")).parse().unwrap();
        for (section, dependencies) in sections(&manifest).into_iter().filter(|(_, table)| table.contains_key("fixture")) {
            users += 1;
            if section != "dev-dependencies" || member == "common/protocol" {
                wrong.push(format!("{member}: [{section}]: {}", dependencies["fixture"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(users >= 2, "only {users} crates use the fixtures: is that their name?");
}

#[test]
fn every_link_between_the_documents_leads_to_a_file() {
    let mut checked = 0;
    for document in documents() {
        for link in read(&document).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let path = root().join(document.parent().unwrap()).join(target);
            assert!(path.exists(), "{}: the link to {link} leads nowhere", document.display());
            checked += 1;
        }
    }
    assert!(checked >= 10, "only {checked} links");
}

/// The tables of dependencies in a manifest, those for one target too, by the table's last name.
fn sections(manifest: &toml::Table) -> Vec<(&str, &toml::Table)> {
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let for_targets = targets.into_iter().flat_map(toml::Table::values).filter_map(toml::Value::as_table);
    let all = std::iter::once(manifest).chain(for_targets).flatten();
    let tables = all.filter_map(|(name, value)| Some((name.as_str(), value.as_table()?)));
    tables.filter(|(name, _)| name.ends_with("dependencies")).collect()
}

/// Every source file's text by its path.
struct Tree(BTreeMap<PathBuf, String>);

impl Tree {
    fn read() -> Self {
        let mut files = BTreeMap::new();
        for folder in ["common", "hac", "ha", "mn", "tests"] {
            collect(&root().join(folder), &mut files);
        }
        Self(files)
    }

    /// A path, a path with a function, or an item of a type; anything else is no name and passes.
    fn check(&self, name: &str) -> Result<(), String> {
        match name.rsplit_once("::") {
            Some((path, function)) if path.ends_with(".rs") => {
                let text = self.0.get(Path::new(path)).ok_or("no such source file")?;
                has_function(text, function).then_some(()).ok_or_else(|| "no such function in that file".to_owned())
            }
            Some((kind, item)) => self.has_both(kind, item),
            None if name.contains('/') && !name.starts_with('/') && !name.contains([' ', ':', '*']) => {
                root().join(name).exists().then_some(()).ok_or_else(|| "no such file or folder".to_owned())
            }
            None => Ok(()),
        }
    }

    /// `Command::Move`: some file has both words.
    fn has_both(&self, kind: &str, item: &str) -> Result<(), String> {
        let kind = kind.rsplit("::").next().unwrap_or(kind);
        let found = self.0.values().any(|text| has_word(text, kind) && has_word(text, item));
        found.then_some(()).ok_or_else(|| "no file has both words".to_owned())
    }
}

fn has_function(text: &str, name: &str) -> bool {
    text.match_indices(&format!("fn {name}")).any(|(at, found)| {
        let next = text[at + found.len()..].chars().next();
        matches!(next, Some('(' | '<'))
    })
}

fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(word)
        .any(|(at, _)| !is_part(text[..at].chars().next_back()) && !is_part(text[at + word.len()..].chars().next()))
}

/// What stands between backticks, outside of code blocks.
fn code_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, block) in text.split("```").enumerate() {
        if index % 2 == 0 {
            words.extend(block.split('`').skip(1).step_by(2).map(ToOwned::to_owned));
        }
    }
    words
}

fn documents() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        ["README.md", ARCHITECTURE, CONFORMANCE, "docs/performance.md", "docs/roaming.md", "CONTRIBUTING.md", "CHANGELOG.md"]
            .map(PathBuf::from)
            .to_vec();
    for folder in ["docs/why", "docs/manual", "certs"] {
        let entries = std::fs::read_dir(root().join(folder)).unwrap();
        found.extend(entries.map(|entry| Path::new(folder).join(entry.unwrap().file_name())));
    }
    found
}

fn collect(folder: &Path, files: &mut BTreeMap<PathBuf, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root()).unwrap().to_owned();
            files.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
}

fn read(document: &Path) -> String {
    std::fs::read_to_string(root().join(document)).unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}
