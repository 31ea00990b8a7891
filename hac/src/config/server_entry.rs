//! A AAA server in a list of `[radius]`: where it is, how it is spoken to, and which files it has of its own.
//!
//! A text is a server over UDP with the secret of `[radius]`. A table says more: `{ address = "…", secret-file = "…" }` is a
//! server over UDP with a secret of its own, `{ tls = "…" }` one over TLS.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::check_name;

/// Where servers of authentication listen if the configuration names no port (RFC 2865 section 3).
pub(super) const AUTHENTICATION_PORT: u16 = 1812;
/// Where servers of accounting do (RFC 2866 section 3).
pub(super) const ACCOUNTING_PORT: u16 = 1813;
/// The same over TLS, for all that RADIUS does (RFC 6614 section 2.1).
const TLS_PORT: u16 = 2083;

/// A AAA server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerEntry {
    /// RADIUS over UDP (RFC 2865).
    Udp {
        /// Where it listens.
        address: SocketAddr,
        /// File with its secret; `None`: that of `[radius]`.
        secret_file: Option<PathBuf>,
    },
    /// RADIUS over TLS (RFC 6614).
    Tls {
        /// What its certificate must be for, and where it is: a DNS name or an address.
        name: String,
        /// TCP port.
        port: u16,
        /// The CA that signs its certificate, PEM; `None`: that of `[radius]`.
        ca: Option<PathBuf>,
        /// What it is shown; `None`: what `[radius]` says, else the HAC's own certificate.
        identity: Option<IdentityFiles>,
    },
}

/// A certificate to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityFiles {
    /// The chain, leaf first, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

impl ServerEntry {
    /// `udp` or `tls`.
    pub fn transport(&self) -> &'static str {
        match self {
            Self::Udp { .. } => "udp",
            Self::Tls { .. } => "tls",
        }
    }

    /// Where a server over UDP is.
    pub fn udp_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Udp { address, .. } => Some(*address),
            Self::Tls { .. } => None,
        }
    }
}

/// Address or name, and port.
impl fmt::Display for ServerEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp { address, .. } => address.fmt(f),
            Self::Tls { name, port, .. } => match name.parse::<IpAddr>() {
                Ok(ip) => SocketAddr::new(ip, *port).fmt(f),
                Err(_) => write!(f, "{name}:{port}"),
            },
        }
    }
}

/// A list of servers, for `#[serde(deserialize_with)]`; over UDP they listen at `PORT` where nothing else is said.
///
/// # Errors
/// The first that is none, with what to write.
pub(super) fn list<'de, D: Deserializer<'de>, const PORT: u16>(deserializer: D) -> Result<Vec<ServerEntry>, D::Error> {
    let entries = Vec::<Entry<PORT>>::deserialize(deserializer)?;
    Ok(entries.into_iter().map(|Entry(entry)| entry).collect())
}

struct Entry<const PORT: u16>(ServerEntry);

impl<'de, const PORT: u16> Deserialize<'de> for Entry<PORT> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrTable::<PORT>).map(Self)
    }
}

struct TextOrTable<const PORT: u16>;

impl<'de, const PORT: u16> Visitor<'de> for TextOrTable<PORT> {
    type Value = ServerEntry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a server: \"192.0.2.1\", { address = \"192.0.2.1\", secret-file = \"FILE\" } or { tls = \"aaa.example.org\" }",
        )
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ServerEntry, E> {
        Ok(ServerEntry::Udp { address: address(text, PORT).map_err(E::custom)?, secret_file: None })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ServerEntry, A::Error> {
        Table::deserialize(MapAccessDeserializer::new(map))?.read(PORT).map_err(A::Error::custom)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    address: Option<String>,
    secret_file: Option<PathBuf>,
    tls: Option<String>,
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

impl Table {
    fn read(self, port: u16) -> Result<ServerEntry, &'static str> {
        let Self { address, secret_file, tls, ca, certificate, key } = self;
        match (address, tls) {
            (Some(_), None) if ca.is_some() || certificate.is_some() || key.is_some() => {
                Err("ca, certificate and key are for RADIUS over TLS; write tls = \"NAME\" in place of address, or take them out")
            }
            (Some(text), None) => Ok(ServerEntry::Udp { address: self::address(&text, port)?, secret_file }),
            (None, Some(_)) if secret_file.is_some() => {
                Err("over TLS no secret is chosen (RFC 6614 section 2.3); take secret-file out")
            }
            (None, Some(text)) => {
                let (name, port) = name_and_port(&text)?;
                Ok(ServerEntry::Tls { name, port, ca, identity: identity(certificate, key)? })
            }
            (Some(_), Some(_)) | (None, None) => {
                Err("write either address = \"192.0.2.1\" (UDP) or tls = \"aaa.example.org\" (TLS)")
            }
        }
    }
}

fn identity(certificate: Option<PathBuf>, key: Option<PathBuf>) -> Result<Option<IdentityFiles>, &'static str> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some(IdentityFiles { certificate, key })),
        (None, None) => Ok(None),
        (Some(_), None) | (None, Some(_)) => Err("certificate and key go together; write both, or neither"),
    }
}

fn address(text: &str, port: u16) -> Result<SocketAddr, &'static str> {
    let alone = || text.parse().map(|ip| SocketAddr::new(ip, port));
    text.parse().or_else(|_| alone()).map_err(|_| {
        "not an address; write an IP address, with or without a port, such as \"192.0.2.1\" (a name only with tls = \"NAME\")"
    })
}

fn name_and_port(text: &str) -> Result<(String, u16), &'static str> {
    const WRONG: &str = "neither a name nor an address; write one of them, with or without a port, such as \"aaa.example.org\" \
                         (lower case) or \"[2001:db8::1]:2083\"";
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok((ip.to_string(), TLS_PORT));
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok((address.ip().to_string(), address.port()));
    }
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) => (name, port.parse().ok().filter(|port| *port != 0).ok_or(WRONG)?),
        None => (text, TLS_PORT),
    };
    let is_name = check_name(name).is_ok() && net::tls::is_name(name);
    if is_name { Ok((name.to_owned(), port)) } else { Err(WRONG) }
}

#[cfg(test)]
mod tests;
