//! `/etc/resolv.conf` itself. What was there is kept beside it, so that also after a crash and a restart of the machine the next
//! `mn down` or `mn up` puts it back.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::{DnsError, choose, network_manager};

/// The resolver's configuration.
pub(super) const RESOLV_CONF: &str = "/etc/resolv.conf";
/// What was there.
pub(super) const KEPT: &str = "/etc/resolv.conf.before-mn";
const NEW: &str = "/etc/resolv.conf.of-mn";
const HEAD: &str =
    "# Made by mn while its tunnel is up; what was here is in /etc/resolv.conf.before-mn, and `mn down` puts it back.\n";

/// The host asks `servers` and nobody else. What somebody else has written meanwhile is what will be put back.
pub(super) fn set(servers: &[IpAddr]) -> Result<(), DnsError> {
    let text = text(servers);
    if !is_ours() {
        keep().map_err(failed(format!("cannot keep {RESOLV_CONF} as {KEPT}")))?;
    }
    let written = write(NEW, &text).and_then(|()| replace(NEW));
    written.map_err(failed(format!("cannot write {RESOLV_CONF}")))
}

/// Whether the file is as it was written.
pub(super) fn stands(servers: &[IpAddr]) -> bool {
    fs::read_to_string(RESOLV_CONF).is_ok_and(|found| found == text(servers))
}

/// Where `/etc/resolv.conf` is as it would be without the node.
pub(super) fn without_node() -> &'static str {
    if is_ours() && is_kept() { KEPT } else { RESOLV_CONF }
}

/// Whether there is something to put back.
pub(super) fn is_kept() -> bool {
    fs::symlink_metadata(KEPT).is_ok()
}

/// What was there is there again; gives whether there was something to put back. Where somebody else has written a newer one, that stays.
pub(super) fn put_back() -> Result<bool, DnsError> {
    if !is_kept() {
        return Ok(false);
    }
    let put = if is_ours() || is_followed() { replace(KEPT) } else { fs::remove_file(KEPT) };
    put.map_err(failed(format!("cannot put {KEPT} back as {RESOLV_CONF}")))?;
    Ok(true)
}

fn failed(what: String) -> impl FnOnce(io::Error) -> DnsError {
    move |source| DnsError::File { what, source }
}

fn text(servers: &[IpAddr]) -> String {
    let lines: String = servers.iter().map(|server| format!("nameserver {server}\n")).collect();
    format!("{HEAD}{lines}")
}

fn is_ours() -> bool {
    fs::read_to_string(RESOLV_CONF).is_ok_and(|text| text.starts_with(HEAD))
}

/// Whether a link is kept that leads to what NetworkManager has written in the link's place meanwhile: it writes both at once.
fn is_followed() -> bool {
    let is_link = choose::target(KEPT).is_some_and(|target| target.starts_with(network_manager::FOLDER));
    is_link && fs::read_to_string(RESOLV_CONF).is_ok_and(|text| network_manager::has_made(&text))
}

/// A link as a link: what it leads to belongs to somebody else. A host that had no file gets an empty one back.
fn keep() -> io::Result<()> {
    if is_followed() {
        return Ok(());
    }
    let _none_yet = fs::remove_file(KEPT);
    match fs::read_link(RESOLV_CONF) {
        Ok(target) => symlink(target, KEPT),
        Err(_) if Path::new(RESOLV_CONF).exists() => fs::copy(RESOLV_CONF, KEPT).map(drop),
        Err(_) => write(KEPT, ""),
    }
}

/// A file that every program may read, whatever the umask.
fn write(path: &str, text: &str) -> io::Result<()> {
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644))
}

/// In one step, so that the host is never without; where something is mounted there, as in containers, by its content.
fn replace(from: &str) -> io::Result<()> {
    match fs::rename(from, RESOLV_CONF) {
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
            fs::write(RESOLV_CONF, fs::read(from)?)?;
            fs::remove_file(from)
        }
        renamed => renamed,
    }
}
