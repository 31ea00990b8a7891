//! `hac status`: asks the running HAC; without one, reads the database and says so.

use std::path::Path;
use std::time::SystemTime;

use serde_json::{Value, json};
use service::control::{ControlError, Request, ask};

use super::{CliError, open_store, print_json};
use crate::store::Store;

pub(super) fn run(config: &Path, json: bool) -> Result<(), CliError> {
    let located = crate::config::load(config)?;
    let socket = located.resolve(&located.control_socket);
    let start_with = format!("hac -c {} serve", config.display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::Runtime)?;
    let status = match runtime.block_on(ask(&socket, &Request::new("status"), &start_with)) {
        Ok(status) => status,
        Err(ControlError::NotRunning { .. }) => from_database(&mut open_store(&located)?)?,
        Err(error) => return Err(error.into()),
    };
    if json {
        print_json(status);
    } else {
        print(&status, &start_with);
    }
    Ok(())
}

fn from_database(store: &mut dyn Store) -> Result<Value, CliError> {
    let counts = store.counts(SystemTime::now())?;
    Ok(json!({
        "running": false,
        "subscribers": counts.subscribers,
        "home_agents": counts.home_agents,
        "associations": counts.live_sas,
        "waiting_sessions": counts.waiting_sessions,
        "revision": store.revision()?.0,
    }))
}

fn print(status: &Value, start_with: &str) {
    let number = |key: &str| status.get(key).and_then(Value::as_u64).unwrap_or(0);
    if status.get("running").and_then(Value::as_bool) == Some(true) {
        println!("running       for {} s", number("uptime_seconds"));
    } else {
        println!("not running   (read from the database; start it with `{start_with}`)");
    }
    println!("subscribers   {}", number("subscribers"));
    println!("associations  {} (revision {})", number("associations"), number("revision"));
    println!("home agents   {}", number("home_agents"));
    for connected in status.get("connected").and_then(Value::as_array).into_iter().flatten() {
        let name = connected.get("name").and_then(Value::as_str).unwrap_or("?");
        println!("  connected   {name}, acknowledged up to revision {}", connected.get("acknowledged").unwrap_or(&Value::Null));
    }
    print_servers(status, "aaa_servers", "AAA server  ");
    print_servers(status, "accounting_servers", "accounting  ");
    let asked = status.get("dynamic_authorization").and_then(Value::as_object);
    for (what, count) in asked.into_iter().flatten().filter(|(_, count)| count.as_u64() != Some(0)) {
        println!("AAA asks      {what}: {count}");
    }
    match number("waiting_sessions") {
        0 => {}
        1 => println!("accounting    1 session waits for an accounting server"),
        waiting => println!("accounting    {waiting} sessions wait for an accounting server"),
    }
    let sessions = status.get("sessions").and_then(Value::as_object);
    for (result, count) in sessions.into_iter().flatten().filter(|(_, count)| count.as_u64() != Some(0)) {
        println!("sessions      {result}: {count}");
    }
}

fn print_servers(status: &Value, key: &str, label: &str) {
    for server in status.get(key).and_then(Value::as_array).into_iter().flatten() {
        let name = server.get("name").and_then(Value::as_str).unwrap_or("?");
        println!("{label}  {name}{}, {}", transport(server), health(server));
    }
}

fn is_over_tls(server: &Value) -> bool {
    server.get("transport").and_then(Value::as_str) == Some("tls")
}

fn transport(server: &Value) -> String {
    match server.get("tls_version").and_then(Value::as_str) {
        Some(version) => format!(" (TLS {version})"),
        None if is_over_tls(server) => " (TLS, no connection open)".to_owned(),
        None => String::new(),
    }
}

fn health(server: &Value) -> &'static str {
    let is_alive = server.get("alive").and_then(Value::as_bool) == Some(true);
    match (is_alive, is_over_tls(server)) {
        (true, _) => "answers",
        (false, true) => "silent: the log says why",
        (false, false) => "silent: is it running, and has it this HAC's secret?",
    }
}
