//! Runs a test in a network namespace of its own, as root or, where the kernel allows it, without.
//!
//! The test starts itself again under `unshare(1)`; the copy finds a variable in its environment and runs the body.

use std::process::Command;

const INSIDE: &str = "NET_TEST_IN_NAMESPACE";

/// Runs `body` in a new network namespace; `name` is the test's path in this crate, as `cargo test` prints it.
pub(crate) fn in_new_network_namespace(name: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        body();
        return;
    }
    let mut unshare = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        unshare.arg("--map-root-user");
    }
    let output = unshare
        .arg("--net")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("unshare(1) of util-linux starts");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name} in its namespace:\n{stdout}\n{stderr}");
    assert!(stdout.contains("1 passed"), "{name} is not a test of this crate:\n{stdout}\n{stderr}");
}
