//! What a namespace's network configuration is, to compare before and after.

use anyhow::{Context, Result};
use serde_json::Value;

use super::Lab;

/// What is asked of `ip`.
const QUESTIONS: &[&[&str]] = &[
    &["link", "show"],
    &["address", "show"],
    &["-4", "route", "show", "table", "all"],
    &["-6", "route", "show", "table", "all"],
    &["-4", "rule", "show"],
    &["-6", "rule", "show"],
];

/// Links, addresses, routes of all tables and rules, both families; and the firewall's rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot(Vec<String>);

impl Snapshot {
    /// Takes a snapshot of a namespace.
    pub fn take(lab: &Lab, namespace: &str) -> Result<Self> {
        let mut lines = Vec::new();
        for question in QUESTIONS {
            let mut words = vec!["ip", "-j"];
            words.extend_from_slice(question);
            let answer: Value = serde_json::from_str(&lab.run(namespace, &words)?).context("`ip -j` printed no JSON")?;
            let rows = answer.as_array().into_iter().flatten();
            lines.extend(rows.map(|row| format!("ip {}: {row}", question.join(" "))));
        }
        let ruleset = lab.run(namespace, &["nft", "-s", "list", "ruleset"])?;
        lines.extend(ruleset.lines().map(|line| format!("nft: {line}")));
        lines.sort();
        Ok(Self(lines))
    }

    /// Nothing when equal, else what is new (`+`) and what is gone (`-`), a line each.
    pub fn difference(&self, later: &Self) -> Option<String> {
        let new = later.0.iter().filter(|line| !self.0.contains(line)).map(|line| format!("+ {line}\n"));
        let gone = self.0.iter().filter(|line| !later.0.contains(line)).map(|line| format!("- {line}\n"));
        let text: String = new.chain(gone).collect();
        (self != later).then_some(text)
    }
}
