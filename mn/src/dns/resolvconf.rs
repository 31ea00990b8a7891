//! `resolvconf`, which merges what several interfaces want into one `/etc/resolv.conf`: openresolv's, which can prefer one interface to
//! all others (`-x`), or Debian's, which cannot, and puts tunnels first.

use std::io::Write;
use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use super::DnsError;
use crate::search_path::search_path;

/// Where openresolv and Debian's keep what they were told, a file for each entry.
const FOLDERS: [&str; 2] = ["/run/resolvconf/interfaces", "/run/resolvconf/interface"];
/// Debian's: which entries come first.
const ORDER: &str = "/etc/resolvconf/interface-order";
const PROGRAM: &str = "resolvconf";

/// What our entry is called: by the device, and by whom, as `resolvconf(8)` wants it.
pub(super) fn entry(device: &str) -> String {
    let prefix = std::fs::read_to_string(ORDER).ok().and_then(|order| first_prefix(&order)).unwrap_or_default();
    format!("{prefix}{device}.haltsec")
}

/// The first pattern of Debian's list that is a prefix, with the dot that ends it.
fn first_prefix(order: &str) -> Option<String> {
    let prefix = |line: &str| line.trim().strip_suffix('*').map(str::to_owned);
    let is_plain = |prefix: &String| !prefix.is_empty() && prefix.chars().all(|letter| letter.is_ascii_alphanumeric());
    order.lines().filter_map(prefix).find(is_plain).map(|prefix| format!("{prefix}."))
}

/// Whether there is a program of that name that is not resolved's under another (`resolvectl(1)`).
pub(super) fn is_installed() -> bool {
    let path = search_path();
    let found = std::env::split_paths(&path).find_map(|folder| std::fs::canonicalize(folder.join(PROGRAM)).ok());
    found.is_some_and(|program| !program.ends_with("resolvectl"))
}

/// Whether it was told of our entry.
pub(super) fn is_there(entry: &str) -> bool {
    FOLDERS.iter().any(|folder| Path::new(folder).join(entry).exists())
}

/// Whether it still knows these servers of our entry.
pub(super) fn stands(entry: &str, servers: &[IpAddr]) -> bool {
    let known = FOLDERS.iter().filter_map(|folder| std::fs::read_to_string(Path::new(folder).join(entry)).ok());
    known.into_iter().any(|known| known.trim() == text(servers).trim())
}

/// What other entries say, as lines of a `resolv.conf`.
pub(super) fn of_other_entries(own: &str) -> String {
    let entries = FOLDERS.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let mut others: Vec<_> = entries.map(|entry| entry.path()).filter(|path| !path.ends_with(own)).collect();
    others.sort();
    others.iter().filter_map(|path| std::fs::read_to_string(path).ok()).map(|text| format!("{}\n", text.trim_end())).collect()
}

/// Every name is asked of `servers`.
pub(super) async fn set(entry: &str, servers: &[IpAddr]) -> Result<(), DnsError> {
    let of_openresolv: &[&str] = if Path::new(ORDER).exists() { &[] } else { &["-m", "0", "-x"] };
    run([&["-a", entry], of_openresolv].concat(), text(servers)).await
}

/// It knows nothing of our entry any more.
pub(super) async fn unset(entry: &str) -> Result<(), DnsError> {
    run(vec!["-d", entry], String::new()).await
}

fn text(servers: &[IpAddr]) -> String {
    servers.iter().map(|server| format!("nameserver {server}\n")).collect()
}

async fn run(words: Vec<&str>, input: String) -> Result<(), DnsError> {
    let mut command = Command::new(PROGRAM);
    command.args(words).env("PATH", search_path()).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let failed = |said| DnsError::Program { program: PROGRAM.to_owned(), said };
    let output = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn()?;
        // What it does not read it says itself.
        let _unread = child.stdin.take().map(|mut pipe| pipe.write_all(input.as_bytes()));
        child.wait_with_output()
    });
    let output = output.await.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(error.to_string()))?;
    let said = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(failed(said())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_debians_order_the_entry_is_named_as_the_first_kind_of_tunnel() {
        let order = "# comment\nlo.inet6\nlo.inet\nlo.@(dnsmasq|pdnsd)\nlo.!(pdns|pdns-recursor)\nlo\ntun*\ntap*\nhso*\n";
        assert_eq!(first_prefix(order), Some("tun.".to_owned()));
        assert_eq!(first_prefix("lo\n*\n"), None);
    }

    #[test]
    fn servers_are_a_line_each() {
        assert_eq!(text(&["192.0.2.53".parse().unwrap(), "::1".parse().unwrap()]), "nameserver 192.0.2.53\nnameserver ::1\n");
    }
}
