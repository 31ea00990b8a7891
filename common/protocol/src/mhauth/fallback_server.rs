//! Where a home agent takes datagrams over TLS: `mip6-tls`, our extension header.

use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

/// Octets of a DNS name as text (RFC 1035 section 2.3.4).
const MAX_NAME: usize = 253;
/// Octets of one label of it.
const MAX_LABEL: usize = 63;
/// Digits of a port.
const MAX_PORT_DIGITS: usize = 5;

/// The dNSName in a home agent's certificate, and the TCP port at which it takes the tunnel's datagrams over TLS, at each of its
/// addresses. As text `NAME:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FallbackServer {
    name: String,
    port: NonZeroU16,
}

/// The text is no `NAME:PORT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not NAME:PORT with a DNS name and a port from 1 to 65535")]
pub struct FallbackServerError;

impl FallbackServer {
    /// `None` where `name` cannot be a DNS name.
    pub fn new(name: &str, port: NonZeroU16) -> Option<Self> {
        is_dns_name(name).then(|| Self { name: name.to_owned(), port })
    }

    /// The name that its certificate must have.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its TCP port.
    pub fn port(&self) -> u16 {
        self.port.get()
    }
}

impl fmt::Display for FallbackServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.port)
    }
}

impl FromStr for FallbackServer {
    type Err = FallbackServerError;

    fn from_str(text: &str) -> Result<Self, FallbackServerError> {
        let (name, port) = text.rsplit_once(':').ok_or(FallbackServerError)?;
        let is_decimal = (1..=MAX_PORT_DIGITS).contains(&port.len()) && port.bytes().all(|octet| octet.is_ascii_digit());
        let port = port.parse().ok().filter(|_| is_decimal).ok_or(FallbackServerError)?;
        Self::new(name, port).ok_or(FallbackServerError)
    }
}

/// Labels of letters, digits and hyphens (RFC 1123 section 2.1); not digits and dots alone, which is an address.
fn is_dns_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let may_stand = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-';
        (1..=MAX_LABEL).contains(&label.len()) && label.bytes().all(may_stand) && !label.starts_with('-') && !label.ends_with('-')
    };
    let last_is_number = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|octet| octet.is_ascii_digit()));
    name.len() <= MAX_NAME && name.split('.').all(is_label) && !last_is_number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_a_port_are_read_as_they_are_written() {
        for text in ["ha1.example.org:443", "ha1:1", "a-b.c:65535"] {
            let server: FallbackServer = text.parse().unwrap();
            assert_eq!(server.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_name_or_no_port_is_refused() {
        let long = format!("{}:443", ["a"; 127].join("."));
        assert!(long.parse::<FallbackServer>().is_ok(), "253 octets");
        let rows = [
            "",
            ":",
            "ha1",
            "ha1:",
            ":443",
            "ha1:0",
            "ha1:65536",
            "ha1:+443",
            "ha1:000443",
            "ha1:44 3",
            "ha 1:443",
            "ha1 :443",
            "192.0.2.1:443",
            "[2001:db8::1]:443",
            "2001:db8::1:443",
            "-a:1",
            "a-:1",
            "a..b:1",
            ".a:1",
            "a.:1",
            "a_b:1",
            "*.a:1",
            "hä:1",
        ];
        for text in rows.into_iter().chain([format!("a{long}").as_str(), format!("{}:1", "a".repeat(64)).as_str()]) {
            assert_eq!(text.parse::<FallbackServer>(), Err(FallbackServerError), "{text}");
        }
    }
}
