//! `mn up`: in the foreground the node itself; else it is started in the background and watched until it is registered.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::tunnel::Counters;
use serde_json::Value;
use service::config::Located;
use service::control::{self, ControlSocket, Request};
use service::shutdown;

use super::answers::{Answers, Asked};
use super::{CliError, socket};
use crate::captive_portal::Window;
use crate::config::Config;
use crate::hac_client::HacClient;
use crate::leak_guard::Reader;
use crate::runtime::{self, Host};
use crate::status::{SharedStatus, is_served};

/// How long `mn up` waits for the registration before it leaves the node to go on by itself.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);

/// Runs the node until a signal or `mn down`.
pub(super) async fn foreground(config: &Located<Config>) -> Result<(), CliError> {
    let started = Instant::now();
    let client = HacClient::configured(config)?;
    let counters = Arc::new(Counters::default());
    let status = SharedStatus::new(counters.clone(), started);
    let asked = Arc::new(Asked::default());
    let socket = ControlSocket::bind(&socket(config))?;
    let window = Window::new(&client);
    let control = {
        let guard = Reader::new(&config.guard, config.tunnel.table);
        let answers = Arc::new(Answers { status: status.clone(), asked: asked.clone(), guard, window: window.clone() });
        tokio::spawn(socket.serve(move |request| answers.clone().answer(request)))
    };
    let remedy = "raise the limit on open files (`ulimit -n`)";
    let failed = |source| CliError::Io { what: "cannot wait for signals".to_owned(), source, remedy };
    let signal = shutdown::requested().map_err(failed)?;
    let shutdown = async {
        tokio::select! {
            name = signal => tracing::info!(signal = name, "de-registering and putting everything back"),
            () = asked.down.notified() => tracing::info!("asked to go down: de-registering and putting everything back"),
        }
    };
    let host = Host {
        tunnel: config.tunnel.clone(),
        guard: config.guard.clone(),
        dns: config.dns,
        router: config.mobile_router.clone(),
        window,
    };
    let result = runtime::run(client, host, counters, status, &asked.renew, shutdown).await;
    control.abort();
    // The socket's file goes with the task that serves it; `mn down` takes that as the end.
    let _aborted = control.await;
    Ok(result?)
}

/// Starts the node in the background; returns when it is registered.
pub(super) async fn background(config: &Located<Config>) -> Result<(), CliError> {
    if control::ask(&socket(config), &Request::new("status"), "").await.is_ok() {
        return Err(CliError::NotUp("this node is up already: see `mn status`, or end it with `mn down`".to_owned()));
    }
    HacClient::configured(config)?;
    let log = socket(config).with_extension("log");
    let mut child = spawn(config, &log)?;
    println!("starting {} (log: {})", config.identity.nai, log.display());
    let begun = Instant::now();
    let mut shown = (String::new(), String::new());
    while begun.elapsed() < PATIENCE {
        if let Ok(Some(_)) = child.try_wait() {
            return Err(CliError::NotUp(last_words(&log)));
        }
        if let Ok(status) = control::ask(&socket(config), &Request::new("status"), "").await {
            let text = |key: &str| status[key].as_str().unwrap_or_default().to_owned();
            let (state, error) = (text("state"), text("last_error"));
            if (&state, &error) != (&shown.0, &shown.1) {
                let separator = if error.is_empty() { "" } else { ": " };
                println!("{:>7.3} s  {state}{separator}{error}", begun.elapsed().as_secs_f64());
                shown = (state.clone(), error);
            }
            if is_served(&state) {
                println!("home addresses: {}", addresses(&status["home"]));
                return Ok(());
            }
        }
        tokio::time::sleep(POLL).await;
    }
    Err(CliError::NotUp(format!(
        "not registered after {} s; the node goes on trying: see `mn status` and {}, end it with `mn down`. Last: {}",
        PATIENCE.as_secs(),
        log.display(),
        if shown.1.is_empty() { last_words(&log) } else { shown.1 }
    )))
}

fn spawn(config: &Located<Config>, log: &PathBuf) -> Result<Child, CliError> {
    let failed = |what: String, remedy| move |source| CliError::Io { what, source, remedy };
    let unwritable = |what: String| failed(what, "run as root, or choose another control-socket: the log stands beside it");
    if let Some(folder) = log.parent() {
        std::fs::create_dir_all(folder).map_err(unwritable(format!("cannot make the folder {}", folder.display())))?;
    }
    let file = std::fs::File::create(log).map_err(unwritable(format!("cannot write the log {}", log.display())))?;
    let copy = file.try_clone().map_err(unwritable(format!("cannot write the log {}", log.display())))?;
    let in_foreground = "start it in the foreground: `mn up --foreground`";
    let program = std::env::current_exe().map_err(failed("cannot find this program's own file".to_owned(), in_foreground))?;
    Command::new(program)
        .arg("--config")
        .arg(config.file())
        .args(["up", "--foreground"])
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(copy)
        .process_group(0)
        .spawn()
        .map_err(failed("cannot start the node in the background".to_owned(), in_foreground))
}

/// The end of the log: what the node said before it stopped.
fn last_words(log: &PathBuf) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    let nothing = || format!("the node stopped and said nothing in {}", log.display());
    last.map_or_else(nothing, |line| line.strip_prefix("mn: ").unwrap_or(line).to_owned())
}

fn addresses(list: &Value) -> String {
    let names: Vec<&str> = list.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    names.join(", ")
}
