//! What a command leaves behind at the terminal: its exit code, and why it failed, for a person and for a script.
//!
//! Exit codes of all programs: 0 done, 1 failed, 2 not understood (clap's, with its own text). A command that fails says why
//! on standard error, each line behind the program's name; one that was asked for `--json` also prints
//! `{"schema":1,"error":"..."}` on standard output, so that a script always reads one object there.
#![allow(clippy::print_stdout, reason = "a script reads standard output")]

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::control::SCHEMA;

/// What `--help` of a program says last.
pub const HELP: &str = "Exit codes: 0 done, 1 failed, 2 the command line is not understood.\n\
                        HALTSEC_LOG=debug (or trace, or info,net=debug) in the environment: more in the log, on standard error.";
/// Exit code of a command that failed.
pub const FAILED: u8 = 1;

/// Says why a command of `program` failed; gives its exit code.
pub fn failure(program: &str, error: &dyn std::error::Error, json: bool) -> ExitCode {
    if json {
        println!("{}", error_object(&error.to_string()));
    }
    complain(program, &error.to_string());
    ExitCode::from(FAILED)
}

/// Each line of `text` on standard error, behind the program's name.
pub fn complain(program: &str, text: &str) {
    for line in text.lines() {
        eprintln!("{program}: {line}");
    }
}

/// What `--json` prints of a command that failed.
pub fn error_object(error: &str) -> Value {
    json!({ "schema": SCHEMA, "error": error })
}
