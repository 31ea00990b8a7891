//! That the README's quick start works as it stands there: its commands are run in a lab, in their order, and none may fail.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tests::lab::{inside, programs};

#[test]
fn the_quick_start_of_the_readme_registers_a_node_and_moves_it() {
    inside(|lab| {
        let folder = lab.folder().join("try");
        std::fs::create_dir(&folder)?;
        // The machine that it is written for has a loopback interface.
        programs::run(Command::new("ip").args(["link", "set", "lo", "up"]))?;
        // Only the home agent's own addresses are talked to, and the controller is ended first.
        lab.expect_warning("ha", "this host does not forward packets");
        lab.allow_warning("ha", "no subscription to the feed");
        let mut shell = Command::new("timeout");
        shell.args(["--kill-after=5", "60", "bash", "-ec", &quick_start()?]).current_dir(&folder).env("PATH", path()?);
        let said = programs::run(&mut shell)?;
        for expected in ["registered", "care-of address   203.0.113.2 on lte", "moves             1", "down: de-registered"] {
            ensure!(said.contains(expected), "the quick start does not say \"{expected}\":\n{said}");
        }
        ensure!(said.matches(" 0% packet loss").count() == 3, "not every ping was answered:\n{said}");
        Ok(())
    });
}

fn quick_start() -> Result<String> {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md"))?;
    let after = readme.split_once("<!-- quick start: begin -->\n```sh\n").context("the README marks no quick start")?.1;
    Ok(after.split_once("```\n<!-- quick start: end -->").context("the quick start does not end")?.0.to_owned())
}

/// The programs of this build before everything else.
fn path() -> Result<std::ffi::OsString> {
    let folder = programs::path("mn")?.parent().map(PathBuf::from).context("mn has no folder")?;
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let folders = [folder].into_iter().chain(std::env::split_paths(&inherited)).chain(["/usr/sbin".into(), "/sbin".into()]);
    Ok(std::env::join_paths(folders)?)
}
