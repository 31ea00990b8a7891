//! The command `nft`: rules on its standard input, all of them or none (nft(8), "-f").

use std::io::{self, Write};
use std::process::{Command, Output, Stdio};

use crate::search_path::search_path;

/// What `nft` says of a table that is not there.
const NO_SUCH_TABLE: &str = "No such file or directory";

/// Why the guard does not stand.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// There is no such command.
    #[error(
        "cannot put up the leak guard: the command `nft` is not installed; install it (Debian: `apt-get install nftables`), or do \
         without the guard: mode = \"off\" in [guard]"
    )]
    NotInstalled,
    /// `nft` could not be run.
    #[error("cannot run `nft` for the leak guard: {0}; do without the guard: mode = \"off\" in [guard]")]
    NotRun(#[source] io::Error),
    /// The kernel or `nft` said no.
    #[error("cannot put up the leak guard: nft: {said}; {}", remedy(said))]
    Refused {
        /// What `nft` said.
        said: String,
    },
}

fn remedy(said: &str) -> &'static str {
    if said.contains("Operation not permitted") || said.contains("must be root") {
        "run as root or with CAP_NET_ADMIN"
    } else {
        "the kernel needs nf_tables with nft_ct, nft_reject_inet and nf_conntrack (`modprobe nf_tables`); or do without the \
         guard: mode = \"off\" in [guard]"
    }
}

/// Carries `script` out, all of it or nothing.
pub(super) async fn run(script: String) -> Result<(), GuardError> {
    succeed(nft(&["-f", "-"], script).await?).map(drop)
}

/// The table, without what it has counted; `None` when it is not there.
pub(super) async fn list(table: &str) -> Result<Option<String>, GuardError> {
    present(succeed(nft(&["-s", "-n", "list", "table", "inet", table], String::new()).await?))
}

/// The table's counters as JSON; `None` when it is not there.
pub(super) async fn counters(table: &str) -> Result<Option<String>, GuardError> {
    present(succeed(nft(&["-j", "list", "counters", "table", "inet", table], String::new()).await?))
}

/// Deletes the table; gives whether it was there.
pub(super) async fn delete(table: &str) -> Result<bool, GuardError> {
    let deleted = present(succeed(nft(&["delete", "table", "inet", table], String::new()).await?))?;
    Ok(deleted.is_some())
}

/// A process of its own for some milliseconds, awaited where that holds nobody up.
async fn nft(words: &[&str], script: String) -> Result<Output, GuardError> {
    let mut command = Command::new("nft");
    // The messages are compared.
    command.args(words).env("PATH", search_path()).env("LC_ALL", "C");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let exchange = move || {
        let mut child = command.spawn()?;
        if let Some(mut input) = child.stdin.take() {
            // One that does not read says why when it ends.
            let _ = input.write_all(script.as_bytes());
        }
        child.wait_with_output()
    };
    let result = tokio::task::spawn_blocking(exchange).await.unwrap_or_else(|ended| Err(io::Error::other(ended)));
    result.map_err(|error| {
        let is_missing = error.kind() == io::ErrorKind::NotFound;
        if is_missing { GuardError::NotInstalled } else { GuardError::NotRun(error) }
    })
}

fn succeed(output: Output) -> Result<String, GuardError> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    // The lines below it show the rule.
    Err(GuardError::Refused { said: said.lines().next().unwrap_or("it failed without a word").trim().to_owned() })
}

fn present(result: Result<String, GuardError>) -> Result<Option<String>, GuardError> {
    match result {
        Ok(text) => Ok(Some(text)),
        Err(GuardError::Refused { said }) if said.contains(NO_SUCH_TABLE) => Ok(None),
        Err(error) => Err(error),
    }
}
