//! Where the programs are: next to the running executable, as cargo leaves them. Other tools come from the path.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// The path of one of this workspace's programs (`hac`, `ha`, `mn`, `labtool`), built with the same profile as the caller.
pub fn path(name: &str) -> Result<PathBuf> {
    let executable = std::env::current_exe().context("cannot tell where the running executable is")?;
    let mut folder = executable.parent().unwrap_or(Path::new("."));
    if folder.ends_with("deps") {
        folder = folder.parent().unwrap_or(folder);
    }
    let program = folder.join(name);
    let release = if folder.ends_with("release") { " --release" } else { "" };
    ensure!(
        program.is_file(),
        "{} is missing: run `cargo build --workspace{release} --features mn/lab` first",
        program.display()
    );
    Ok(program)
}

/// Fails unless each of `names` is on the path, and names `make lab-tools`.
pub fn require(names: &[&str]) -> Result<()> {
    let missing: Vec<_> = names.iter().copied().filter(|name| !on_path(name)).collect();
    ensure!(missing.is_empty(), "not installed: {}; run `make lab-tools`", missing.join(", "));
    Ok(())
}

fn on_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/sbin:/usr/bin:/sbin:/bin".into());
    std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]).any(|folder| folder.join(name).is_file())
}

/// Runs a command without input and gives what it printed, whatever its exit status.
pub fn output(command: &mut Command) -> Result<Output> {
    command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {}", sentence(command)))
}

/// Runs a command without input and gives its standard output; an exit status other than 0 is an error with what it said.
pub fn run(command: &mut Command) -> Result<String> {
    let output = output(command)?;
    if !output.status.success() {
        bail!("{} ended with {}:\n{}", sentence(command), output.status, said(&output));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a command with `input` as its standard input; an exit status other than 0 is an error with what it said and read.
pub fn run_with_input(command: &mut Command, input: &str) -> Result<()> {
    let sentence = sentence(command);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {sentence}"))?;
    child.stdin.take().context("no pipe")?.write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("{sentence} failed: {}\n{input}", said(&output));
    }
    Ok(())
}

/// Both outputs of a command, for messages.
pub fn said(output: &Output) -> String {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    text.trim_end().to_owned()
}

/// A command as a person would type it.
pub fn sentence(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
