//! TV-headers, the Content of a container: `name:value` lines in the grammar of HTTP (RFC 6618 sections 5.2 and 5.5).
//!
//! [`Headers`] reads one Content, [`Writer`] writes one. Neither knows which header belongs in which message: that is
//! [`crate::mhauth`]. `httparse` cuts the lines; what it takes and our grammar does not (a bare LF, a blank line in the
//! middle) is refused before or after it. Typed values are in [`value`].

pub mod value;
mod writer;

use std::fmt;
use std::ops::Range;

use zeroize::Zeroizing;

pub use value::ValueError;
pub use writer::Writer;

/// Lines in one Content, unknown ones included: more than twice what RFC 6618 and our extensions define.
pub const MAX_HEADERS: usize = 64;
/// Octets of a header's name; the longest of RFC 6618 has 20.
pub const MAX_NAME_LEN: usize = 64;
/// CRLFs behind the last header's value: its own and an end-of-message of up to three.
const MAX_FINAL_CRLFS: usize = 4;
const CRLF: &[u8] = b"\r\n";

macro_rules! names {
    ($($(#[$doc:meta])* $variant:ident = $literal:literal,)*) => {
        /// The headers that have a meaning. Every other one is ignored (and covered by `auth` like all).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Name {
            $($(#[$doc])* $variant,)*
        }

        impl Name {
            /// Every known header.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The literal as sent: lower case.
            pub const fn literal(self) -> &'static str {
                match self {
                    $(Self::$variant => $literal,)*
                }
            }
        }
    };
}

names! {
    /// NAI of the mobile node (section 5.5.1).
    MnId = "mn-id",
    /// Offered methods, or the one selected (section 5.5.2).
    AuthMethod = "auth-method",
    /// One EAP packet (section 5.5.3).
    EapPayload = "eap-payload",
    /// How the exchange ended (section 5.5.4).
    StatusCode = "status-code",
    /// The message authenticator, last of all headers (section 5.5.5).
    Auth = "auth",
    /// When to come again (section 5.5.6).
    RetryAfter = "retry-after",
    /// The mobile node's nonce (section 5.5.8).
    MnRand = "mn-rand",
    /// The HAC's nonce (section 5.5.8).
    HacRand = "hac-rand",
    /// Security Parameters Index, decimal (section 5.6.1).
    Spi = "mip6-spi",
    /// Integrity key of packets to the home agent (section 5.6.2).
    MnToHaIkey = "mip6-mn-to-ha-ikey",
    /// Integrity key of packets to the mobile node (section 5.6.2).
    HaToMnIkey = "mip6-ha-to-mn-ikey",
    /// Encryption key of packets to the home agent (section 5.6.2).
    MnToHaEkey = "mip6-mn-to-ha-ekey",
    /// Encryption key of packets to the mobile node (section 5.6.2).
    HaToMnEkey = "mip6-ha-to-mn-ekey",
    /// When the security association ends (section 5.6.3).
    SaValidityEnd = "mip6-sa-validity-end",
    /// Security association scope (section 5.6.4).
    Sas = "mip6-sas",
    /// The selected suite (section 5.6.5).
    Ciphersuite = "mip6-ciphersuite",
    /// The offered suites (section 5.6.5).
    SuiteList = "mip6-suitelist",
    /// Home agent, IPv6 (section 5.7.1).
    HaaIp6 = "mip6-haa-ip6",
    /// Home agent, IPv4 (section 5.7.1).
    HaaIp4 = "mip6-haa-ip4",
    /// The home agent's UDP port (section 5.7.2).
    Port = "mip6-port",
    /// Home address, IPv6 (section 5.7.3).
    Ip6Hoa = "mip6-ip6-hoa",
    /// Home address, IPv4 (section 5.7.3).
    Ip4Hoa = "mip6-ip4-hoa",
    /// Home network prefix, IPv6 (section 5.7.3).
    Ip6Hnp = "mip6-ip6-hnp",
    /// Home network prefix, IPv4 (section 5.7.3).
    Ip4Hnp = "mip6-ip4-hnp",
    /// DNS server behind the home agent, IPv6 (section 5.7.4).
    DnsIp6 = "dns-ip6",
    /// DNS server behind the home agent, IPv4 (section 5.7.4).
    DnsIp4 = "dns-ip4",
    /// What the home agent can do beyond RFC 6618: our extension.
    HaFeatures = "mip6-ha-features",
    /// The networks behind the node, which move with it (RFC 3963): our extension.
    MobileNetworkPrefixes = "mip6-mobile-network-prefixes",
    /// The sender's clock: our extension.
    Date = "date",
    /// Where the home agent takes datagrams over TLS: our extension.
    Tls = "mip6-tls",
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.literal())
    }
}

impl Name {
    fn from_literal(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.literal().eq_ignore_ascii_case(name))
    }

    /// Whether the header may be repeated, its values then being one list (RFC 2616 section 4.2).
    const fn is_list(self) -> bool {
        matches!(self, Self::AuthMethod | Self::SuiteList | Self::HaFeatures)
    }
}

/// The headers of one Content. Owns a copy of the octets, which is wiped when dropped: keys are among them.
pub struct Headers {
    octets: Zeroizing<Vec<u8>>,
    lines: Vec<Line>,
}

struct Line {
    /// `None` for a header that has no meaning here.
    name: Option<Name>,
    start: usize,
    value: Range<usize>,
}

impl Headers {
    /// Reads a Content. Names in any case, white space after the colon and behind the value is dropped.
    ///
    /// # Errors
    /// See [`HeaderError`]: every one of them is answered 400.
    pub fn parse(content: &[u8]) -> Result<Self, HeaderError> {
        let body = without_final_crlfs(content)?;
        if has_bare_line_end(body) {
            return Err(HeaderError::LineEnd);
        }
        let mut octets = Zeroizing::new(Vec::with_capacity(body.len() + 2 * CRLF.len()));
        octets.extend_from_slice(body);
        octets.extend_from_slice(CRLF);
        octets.extend_from_slice(CRLF);
        let lines = lines(&octets)?;
        check_names(&lines)?;
        Ok(Self { octets, lines })
    }

    /// The value of a header that is no list; of a list its first line.
    pub fn get(&self, name: Name) -> Option<&[u8]> {
        self.lines_of(name).next()
    }

    /// Each line's value of a list header, in order.
    pub fn lines_of(&self, name: Name) -> impl Iterator<Item = &[u8]> {
        self.lines.iter().filter(move |line| line.name == Some(name)).filter_map(|line| self.octets.get(line.value.clone()))
    }

    /// Whether the header is there at all.
    pub fn has(&self, name: Name) -> bool {
        self.lines.iter().any(|line| line.name == Some(name))
    }

    /// What `auth` covers: the Content from its first octet up to the first of `auth`, as received (section 5.5.5).
    /// `None` where there is no `auth`.
    pub fn msg_octets(&self) -> Option<&[u8]> {
        let last = self.lines.last().filter(|line| line.name == Some(Name::Auth))?;
        self.octets.get(..last.start)
    }
}

/// Cuts off the last header's CRLF and the end-of-message: none to four in all (PROFILE section 2).
fn without_final_crlfs(content: &[u8]) -> Result<&[u8], HeaderError> {
    let mut body = content;
    for _ in 0..MAX_FINAL_CRLFS {
        match body.strip_suffix(CRLF) {
            Some(rest) => body = rest,
            None => break,
        }
    }
    if body.ends_with(CRLF) { Err(HeaderError::BlankLine) } else { Ok(body) }
}

/// A CR without LF or an LF without CR; `httparse` would take the latter.
fn has_bare_line_end(body: &[u8]) -> bool {
    let mut previous = 0;
    for &octet in body {
        if (octet == b'\n') != (previous == b'\r') {
            return true;
        }
        previous = octet;
    }
    previous == b'\r'
}

fn lines(octets: &[u8]) -> Result<Vec<Line>, HeaderError> {
    let mut parsed = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let (end, parsed) = match httparse::parse_headers(octets, &mut parsed) {
        Ok(httparse::Status::Complete(complete)) => complete,
        Err(httparse::Error::TooManyHeaders) => return Err(HeaderError::TooMany),
        Ok(httparse::Status::Partial) | Err(_) => return Err(HeaderError::Syntax),
    };
    if end != octets.len() || parsed.is_empty() {
        return Err(HeaderError::BlankLine);
    }
    parsed.iter().map(|header| line(octets, header)).collect()
}

fn line(octets: &[u8], header: &httparse::Header<'_>) -> Result<Line, HeaderError> {
    if header.name.len() > MAX_NAME_LEN {
        return Err(HeaderError::NameTooLong);
    }
    let start = offset(octets, header.name.as_bytes());
    let value = offset(octets, header.value);
    Ok(Line { name: Name::from_literal(header.name), start, value: value..value + header.value.len() })
}

/// Where `part`, a slice of `whole`, begins in it.
fn offset(whole: &[u8], part: &[u8]) -> usize {
    part.as_ptr().addr().saturating_sub(whole.as_ptr().addr())
}

fn check_names(lines: &[Line]) -> Result<(), HeaderError> {
    for (index, line) in lines.iter().enumerate() {
        let Some(name) = line.name else { continue };
        let repeated = lines.iter().take(index).any(|earlier| earlier.name == Some(name));
        if repeated && !name.is_list() {
            return Err(HeaderError::Repeated(name));
        }
        if name == Name::Auth && index + 1 != lines.len() {
            return Err(HeaderError::AuthNotLast);
        }
    }
    Ok(())
}

/// Why octets are no Content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// No colon, white space before the colon, a folded line, or an octet that has no place there.
    #[error("a line is no name:value")]
    Syntax,
    /// A CR without its LF or the other way round.
    #[error("a line end is not CRLF")]
    LineEnd,
    /// A blank line before the last header, more than four CRLFs at the end, or no header at all.
    #[error("a blank line stands before the last header, or there is no header")]
    BlankLine,
    /// More than [`MAX_HEADERS`].
    #[error("too many headers")]
    TooMany,
    /// A name of more than [`MAX_NAME_LEN`] octets.
    #[error("a header's name is too long")]
    NameTooLong,
    /// A known header that is no list stands there twice.
    #[error("the header {0} is repeated")]
    Repeated(Name),
    /// Something follows `auth`.
    #[error("auth is not the last header")]
    AuthNotLast,
}

#[cfg(test)]
mod tests;
