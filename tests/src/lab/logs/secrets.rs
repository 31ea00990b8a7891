//! The secrets of a lab, found in its folder: no log may show a key at any level, nor a subscriber's name above DEBUG.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{is_above_debug, name};
use crate::lab::aaa::LOG_PREFIX;
use crate::lab::deployment::NAI;
use crate::secrets::Secrets;

/// What `mn` exports of its SAs in a lab has this in its name; [`Lab::command`](crate::lab::Lab::command) names the file.
pub(in crate::lab) const KEY_EXPORT: &str = "esp_sa";
/// Folders within folders that secrets are looked for in: of a lab, of a deployment in it.
const DEPTH: usize = 3;
/// Digits of the shortest key.
const SHORTEST_KEY: usize = 32;

/// Keys and names.
pub(super) struct Hidden {
    keys: Secrets,
    names: Vec<String>,
}

impl Hidden {
    /// All that the programs' files in the lab's folder tell.
    pub(super) fn of(folder: &Path) -> Result<Self> {
        let mut hidden = Self { keys: Secrets::default(), names: vec![NAI.to_owned()] };
        for file in files(folder)? {
            let is = |end: &str| file.file_name().is_some_and(|name| name.to_string_lossy().ends_with(end));
            if is("psk") || is("kek") || is(KEY_EXPORT) {
                hidden.add_hex(&file)?;
            } else if is("-key.pem") {
                hidden.add_pem(&file)?;
            } else if is("mn.toml") {
                hidden.add_name(&file)?;
            }
        }
        Ok(hidden)
    }

    /// A sentence for each secret in a log. AAA servers may say whom they were asked for.
    pub(super) fn given_away(&self, log: &Path, text: &str) -> Vec<String> {
        let keys = self.keys.found_in(text).into_iter().map(|what| format!("{}: {what} stands in it", name(log)));
        let tells = |line: &&str| is_above_debug(line) && self.names.iter().any(|name| line.contains(name));
        let hides_names = !name(log).starts_with(LOG_PREFIX);
        let names = text
            .lines()
            .filter(|line| hides_names && tells(line))
            .map(|line| format!("{}: a name above DEBUG: {line}", name(log)));
        keys.chain(names).collect()
    }

    fn add_hex(&mut self, file: &Path) -> Result<()> {
        let text = read(file)?;
        let digits = text.split(|c: char| !c.is_ascii_hexdigit()).filter(|word| word.len() >= SHORTEST_KEY);
        for octets in digits.filter_map(|word| hex::decode(word).ok()) {
            self.keys.add(&format!("a key of {}", file.display()), &octets);
        }
        Ok(())
    }

    fn add_pem(&mut self, file: &Path) -> Result<()> {
        for line in read(file)?.lines().filter(|line| line.len() >= SHORTEST_KEY && !line.starts_with('-')) {
            self.keys.add_text(&format!("the private key of {}", file.display()), line);
        }
        Ok(())
    }

    fn add_name(&mut self, file: &Path) -> Result<()> {
        let table: toml::Table = read(file)?.parse().unwrap_or_default();
        let nai = table.get("identity").and_then(|identity| identity.get("nai")).and_then(toml::Value::as_str);
        self.names.extend(nai.map(ToOwned::to_owned));
        Ok(())
    }
}

fn read(file: &Path) -> Result<String> {
    let octets = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

/// The files in a folder and the folders in it.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    for _ in 0..DEPTH {
        for folder in std::mem::take(&mut folders) {
            for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
                let path = entry?.path();
                if path.is_dir() { folders.push(path) } else { found.push(path) }
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lab() -> tempfile::TempDir {
        let lab = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(lab.path().join(name), text).unwrap();
        fs::create_dir(lab.path().join("mn")).unwrap();
        write("mn/psk", &format!("{}\n", "1f2e3d4c5b6a7988".repeat(4)));
        write("mn/mn.toml", "[identity]\nnai = \"bob@example.net\"\n");
        write("esp_sa", "\"IPv4\",\"0x11223344556677889900aabbccddeeff00112233\"\n# 0xa1a2a3a4a5a6a7a8a9aaabacadaeafb0\n");
        write(
            "ha-key.pem",
            "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\n-----END PRIVATE KEY-----\n",
        );
        lab
    }

    #[test]
    fn every_secret_of_the_folder_is_found_in_a_log_that_has_it() {
        let lab = lab();
        let hidden = Hidden::of(lab.path()).unwrap();
        let line = |level: &str, text: &str| format!("2026-01-01T00:00:00.000001Z {level} mn: {text}\n");
        let rows = [
            (line("TRACE", "1F2E3D4C5B6A7988"), 1),
            (line("DEBUG", "[161, 162, 163, 164, 165, 166, 167, 168, 169]"), 1),
            (line("DEBUG", "11223344556677889900aabbccddeeff00112233"), 1),
            (line("DEBUG", "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg"), 1),
            (line(" INFO", "alice@example.org"), 1),
            (line(" WARN", "of bob@example.net"), 1),
            ("mn: bob@example.net is unknown\n".to_owned(), 1),
            (line("DEBUG", "alice@example.org"), 0),
            (line("TRACE", "bob@example.net"), 0),
            (line(" INFO", "carol@example.org 1f2e3d4c"), 0),
        ];
        for (log, count) in rows {
            let found = hidden.given_away(Path::new("/lab/mn.log"), &log);
            assert!(found.len() == count && found.iter().all(|found| found.starts_with("mn: ")), "{log}: {found:?}");
        }
        let servers = format!("{} 1F2E3D4C5B6A7988", NAI);
        let found = hidden.given_away(Path::new("/lab/aaa-freeradius-1812.log"), &servers);
        assert!(matches!(&found[..], [key] if key.contains("psk stands in it")), "{found:?}");
    }
}
