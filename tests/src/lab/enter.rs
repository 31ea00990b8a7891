//! Re-executes the running test or program inside new namespaces and brings its verdict out.
//!
//! Outside: `unshare` starts the same executable as PID 1 of a new PID namespace; its standard input is a pipe whose other
//! end is held outside, so the lab ends when the outside ends, in whatever way. Inside: the lab is built and the body runs.
//! The verdict is a file that only a body that came to its end writes: a run of nothing is no success.

use std::env;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::{Lab, programs};

/// Names the lab's folder to the re-executed process.
const FOLDER: &str = "HALTSEC_LAB_FOLDER";
/// Seconds after which a lab is ended from outside; for a body that waits without a limit of its own.
const LIMIT: &str = "HALTSEC_LAB_LIMIT";
const DEFAULT_LIMIT: Duration = Duration::from_secs(900);
/// Set to anything: the lab's folder is kept after success too.
const KEEP: &str = "HALTSEC_LAB_KEEP";
const VERDICT: &str = "verdict";
const OUTPUT: &str = "output.log";
/// What of each log is printed when a lab fails.
const LOG_LINES: usize = 80;

/// Runs `body` in a lab of its own; called first and alone by a `#[test]`, with a closure written in that very function: its
/// type's name is how the test is found again. Panics with the reason and the programs' logs when anything fails, also when
/// a program has logged a warning that the body does not expect ([`Lab::expect_warning`]).
pub fn inside<F: FnOnce(&Lab) -> Result<()>>(body: F) {
    let outcome = match env::var_os(FOLDER) {
        Some(folder) => run_body(Path::new(&folder), |lab| body(lab).and_then(|()| lab.check_logs())),
        None => run_test(&fixture::test_name::<F>()),
    };
    if let Err(error) = outcome {
        panic!("{error:#}");
    }
}

/// Runs `body` in a lab of its own; called by a program's `main`, whose arguments the re-executed program gets too. Output
/// goes to the caller's terminal as it comes.
pub fn program_inside<F: FnOnce(&Lab) -> Result<()>>(body: F) -> Result<()> {
    if let Some(folder) = env::var_os(FOLDER) {
        return run_body(Path::new(&folder), body);
    }
    let folder = LabFolder::new()?;
    let mut command = command(folder.path())?;
    command.args(env::args_os().skip(1));
    let status = wait(spawn(&mut command)?)?;
    folder.judge(status)
}

fn run_test(name: &str) -> Result<()> {
    let folder = LabFolder::new()?;
    let output = File::create(folder.path().join(OUTPUT)).context("cannot write into the lab's folder")?;
    let mut command = command(folder.path())?;
    command.args(["--exact", name, "--nocapture", "--include-ignored", "--test-threads=1"]);
    command.stdout(output.try_clone()?).stderr(output);
    let status = wait(spawn(&mut command)?)?;
    folder.judge(status)
}

/// `unshare … current_exe`, without arguments yet.
fn command(folder: &Path) -> Result<Command> {
    programs::require(&["unshare", "nsenter", "ip", "mount", "ping"])?;
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    if !is_root()? {
        command.args(["--user", "--map-root-user"]);
    }
    command.arg(env::current_exe()?).env(FOLDER, folder);
    Ok(command)
}

fn is_root() -> Result<bool> {
    Ok(fs::metadata("/proc/self").context("cannot read /proc/self")?.uid() == 0)
}

fn spawn(command: &mut Command) -> Result<Child> {
    command.stdin(Stdio::piped()).spawn().context("cannot start unshare (package util-linux)")
}

/// Waits with the limit; the child's standard input stays open as long as this waits.
fn wait(mut child: Child) -> Result<ExitStatus> {
    let _pipe = child.stdin.take();
    let limit = match env::var(LIMIT) {
        Ok(seconds) => Duration::from_secs(seconds.parse().with_context(|| format!("{LIMIT}={seconds} is no number"))?),
        Err(_) => DEFAULT_LIMIT,
    };
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if start.elapsed() > limit {
            child.kill()?;
            return Ok(child.wait()?);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn run_body(folder: &Path, body: impl FnOnce(&Lab) -> Result<()>) -> Result<()> {
    end_with_outside();
    let lab = Lab::new(folder)?;
    body(&lab)?;
    fs::write(folder.join(VERDICT), "done").context("cannot write the verdict")
}

/// Ends the process, and with it the PID namespace, when nobody holds the other end of standard input any more.
fn end_with_outside() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(86);
    });
}

/// The lab's folder, seen from outside; removed after success, kept for a look after a failure.
struct LabFolder(Option<tempfile::TempDir>);

impl LabFolder {
    fn new() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("haltsec-lab-").tempdir().context("cannot make the lab's folder")?;
        Ok(Self(Some(folder)))
    }

    fn path(&self) -> &Path {
        self.0.as_ref().map_or(Path::new("."), tempfile::TempDir::path)
    }

    /// Success needs both the exit status and the verdict.
    fn judge(mut self, status: ExitStatus) -> Result<()> {
        let good = status.success() && self.path().join(VERDICT).is_file();
        if good {
            // What a case has measured, for who asks with `--no-capture` or `--success-output`.
            eprint!("{}", fs::read_to_string(self.path().join(OUTPUT)).unwrap_or_default());
        }
        if good && env::var_os(KEEP).is_none() {
            return Ok(());
        }
        let logs = logs(self.path())?;
        let kept = self.0.take().map(tempfile::TempDir::keep).unwrap_or_default();
        if good {
            eprintln!("the lab's logs and captures are in {}", kept.display());
            return Ok(());
        }
        ensure!(status.success(), "{logs}\nthe lab failed ({status}); its logs and captures are in {}", kept.display());
        bail!("{logs}\nthe lab ended without a verdict: no test ran inside; its logs are in {}", kept.display())
    }
}

/// The last lines of every log in the folder, the body's own output last.
fn logs(folder: &Path) -> Result<String> {
    let mut paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    paths.sort_by_key(|path| (path.ends_with(OUTPUT), path.clone()));
    let mut text = String::new();
    for path in paths {
        let log = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
        let lines: Vec<_> = log.lines().collect();
        let tail = &lines[lines.len().saturating_sub(LOG_LINES)..];
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        text.push_str(&format!("--- {name} ({} of {} lines)\n{}\n", tail.len(), lines.len(), tail.join("\n")));
    }
    Ok(text)
}
