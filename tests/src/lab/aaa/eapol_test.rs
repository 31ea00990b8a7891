//! `eapol_test`: an EAP peer and RADIUS client of wpa_supplicant's, independent of our code. With it the lab's AAA servers are
//! known to work, whatever our own peer does.

use std::fs;
use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};

use super::{Lab, SECRET};
use crate::lab::{plan, programs};

/// What one run of `eapol_test` came to.
#[derive(Debug)]
pub struct EapolTest {
    /// The server accepted, the peer as well, and the keys are as expected: none with the option `-n`, else equal at both ends.
    pub succeeded: bool,
    /// Authentications after which the MSK and the keys in the Access-Accept (RFC 2548 section 2.4) were the same.
    pub equal_keys: u32,
    /// Whether the server answered anything at all.
    pub answered: bool,
    /// User-Name in the Access-Accepts, in their order.
    pub user_names: Vec<Option<String>>,
    /// The version of TLS, `1.2` or `1.3`, where there is any.
    pub tls: Option<String>,
    /// Whether a TLS session was resumed.
    pub resumed: bool,
    /// All that it said: for the message of a failure.
    pub output: String,
}

impl Lab {
    /// Authenticates at a server, from the HAC's namespace; `network` says how, in lines of a `network` block of wpa_supplicant's
    /// configuration. Of `options`, `-r 1` authenticates once more, `-n` expects no keys, `-t 1` waits for a second and not six.
    pub fn eapol_test(&self, network: &str, server: SocketAddr, options: &[&str]) -> Result<EapolTest> {
        programs::require(&["eapol_test"])?;
        let file = self.folder().join("eapol_test.conf");
        fs::write(&file, format!("network={{\nkey_mgmt=IEEE8021X\neapol_flags=0\n{network}\n}}\n"))?;
        let file = file.to_str().context("the lab's folder is no UTF-8")?;
        let (address, port) = (server.ip().to_string(), server.port().to_string());
        let words = ["timeout", "60", "eapol_test", "-c", file, "-a", &address, "-p", &port, "-s", SECRET, "-t", "6"];
        let output = self.output(plan::HAC, &[&words[..], options].concat())?;
        let text = programs::said(&output);
        // Else it did not so much as read its configuration.
        ensure!(text.ends_with("SUCCESS") || text.ends_with("FAILURE"), "eapol_test ended with {}: {text}", output.status);
        Ok(EapolTest::read(output.status.success(), text))
    }
}

impl EapolTest {
    fn read(succeeded: bool, output: String) -> Self {
        let last = |before: &str| output.lines().rev().find_map(|line| line.strip_prefix(before));
        let equal = last("MPPE keys OK: ").and_then(|rest| rest.split(' ').next()?.parse().ok());
        Self {
            succeeded,
            equal_keys: equal.unwrap_or(0),
            answered: output.contains("Received RADIUS message"),
            user_names: output.split("RADIUS message: code=2 (Access-Accept)").skip(1).map(user_name).collect(),
            tls: last("SSL: Using TLS version TLSv").map(ToOwned::to_owned),
            resumed: output.contains("Handshake finished - resumed=1"),
            output,
        }
    }
}

/// Of a message that is shown up to an empty line, each attribute's value in the line below it.
fn user_name(message: &str) -> Option<String> {
    let mut lines = message.lines().take_while(|line| !line.is_empty());
    lines.find(|line| line.contains("Attribute 1 (User-Name)"))?;
    lines.next()?.split('\'').nth(1).map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "RADIUS message: code=1 (Access-Request) identifier=5 length=179
   Attribute 1 (User-Name) length=19
      Value: 'anonymous@example.org'

Received RADIUS message
RADIUS message: code=2 (Access-Accept) identifier=5 length=179
   Attribute 79 (EAP-Message) length=6
      Value: 031c0004
   Attribute 1 (User-Name) length=19
      Value: 'alice@example.org'

SSL: Using TLS version TLSv1.3
RADIUS message: code=2 (Access-Accept) identifier=6 length=179
   Attribute 79 (EAP-Message) length=6
      Value: 031c0004

   Attribute 1 (User-Name) length=19
      Value: 'of the next request'
MPPE keys OK: 2  mismatch: 0
SUCCESS";

    #[test]
    fn names_keys_and_version_are_read_from_what_eapol_test_prints() {
        let test = EapolTest::read(true, OUTPUT.to_owned());
        assert_eq!(test.user_names, [Some("alice@example.org".to_owned()), None]);
        assert_eq!((test.equal_keys, test.tls.as_deref(), test.answered, test.resumed), (2, Some("1.3"), true, false));
    }
}
