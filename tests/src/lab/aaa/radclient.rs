//! `radclient`: FreeRADIUS's own client, which owes our code nothing. With it an operator asks a HAC to end or change sessions.

use std::fs;
use std::time::SystemTime;

use anyhow::{Context, Result};

use super::{Lab, SECRET};
use crate::lab::{plan, programs};

/// Where the HAC is asked, in its namespace.
pub const DYNAMIC_AUTHORIZATION: &str = "127.0.0.1:3799";

/// What one request came to.
#[derive(Debug)]
pub struct Asked {
    /// Whether it was answered with an ACK.
    pub is_done: bool,
    /// All that radclient said, the answer's attributes among it.
    pub output: String,
}

impl Lab {
    /// Asks the HAC from its own host: `kind` is `disconnect` or `coa`, `attributes` are lines such as `User-Name = "alice"`, to which
    /// Event-Timestamp is added.
    pub fn radclient(&self, kind: &str, attributes: &str) -> Result<Asked> {
        programs::require(&["radclient"])?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
        let file = self.folder().join("radclient.request");
        fs::write(&file, format!("{attributes}\nEvent-Timestamp = {now}\n"))?;
        let file = file.to_str().context("the lab's folder is no UTF-8")?;
        let words = ["radclient", "-x", "-r", "3", "-t", "2", "-f", file, DYNAMIC_AUTHORIZATION, kind, SECRET];
        let output = self.output(plan::HAC, &words)?;
        let text = programs::said(&output);
        Ok(Asked { is_done: text.contains("-ACK Id "), output: text })
    }
}
