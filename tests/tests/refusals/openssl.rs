//! `openssl s_client` and `openssl s_server`: peers that speak what rustls never would.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use tests::lab::programs;

/// What a whole run may take, in seconds; a peer that is refused ends by itself.
const LIMIT: &str = "20";

/// A run with every TLS record named.
pub(super) struct OpenSsl {
    child: Child,
    said: Vec<u8>,
}

impl OpenSsl {
    /// Starts `openssl` with these words, its configuration `settings` in the place of the system's.
    pub(super) fn start(words: &[&str], settings: &str) -> Self {
        programs::require(&["openssl", "timeout"]).unwrap();
        let mut command = Command::new("timeout");
        command.args([LIMIT, "openssl"]).args(words).arg("-msg");
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("openssl.cnf"), settings).unwrap();
        command.env("OPENSSL_CONF", folder.path().join("openssl.cnf"));
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut openssl = Self { child, said: Vec::new() };
        // Its first words come after it has read its configuration, which goes with the folder.
        openssl.read_some();
        openssl
    }

    /// Gives it something to send, or a command such as `R`.
    pub(super) fn is_given(&mut self, octets: &[u8]) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(octets).unwrap();
        stdin.flush().unwrap();
    }

    /// Waits until it has printed this; gives that line.
    pub(super) fn says(&mut self, text: &str) -> String {
        loop {
            let said = self.text();
            if let Some(line) = said.split_inclusive('\n').find(|line| line.ends_with('\n') && line.contains(text)) {
                return line.trim().to_owned();
            }
            assert!(self.read_some() > 0, "openssl ended and never said {text:?}:\n{said}{}", self.complaints());
        }
    }

    /// Closes its input and gives all that it has printed.
    pub(super) fn ends(mut self) -> String {
        drop(self.child.stdin.take());
        self.waits_for_its_end()
    }

    /// Waits until it ends by itself and gives all that it has printed.
    pub(super) fn waits_for_its_end(mut self) -> String {
        while self.read_some() > 0 {}
        let complaints = self.complaints();
        let status = self.child.wait().unwrap();
        assert_ne!(status.code(), Some(124), "openssl had not ended after {LIMIT} s:\n{}{complaints}", self.text());
        self.text() + &complaints
    }

    fn read_some(&mut self) -> usize {
        let mut octets = [0; 4096];
        let len = self.child.stdout.as_mut().unwrap().read(&mut octets).unwrap();
        self.said.extend(&octets[..len]);
        len
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.said).into_owned()
    }

    fn complaints(&mut self) -> String {
        let mut text = Vec::new();
        self.child.stderr.as_mut().unwrap().read_to_end(&mut text).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        // It has ended already, or is in nobody's way any more.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// The alerts of a run that the other end has sent, in the words of `-msg`: `fatal protocol_version`.
pub(super) fn alerts_received(said: &str) -> Vec<&str> {
    let heads = said.lines().filter(|line| line.starts_with("<<<") && line.contains(", Alert "));
    heads.filter_map(|line| line.split("], ").nth(1)).collect()
}
