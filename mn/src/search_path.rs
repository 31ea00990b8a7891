//! Where the commands of an administrator are found: `nft`, `resolvconf`.

use std::ffi::OsString;

/// The folders of `PATH`, and behind them those of the administrator, which `su` and a service manager may leave out.
pub(crate) fn search_path() -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    [path, OsString::from("/usr/sbin:/sbin")].join(&OsString::from(":"))
}
