//! What a browser asks a proxy for (RFC 9112 section 3.2). Pure.

use http::Uri;
use http::uri::Authority;

/// The longest head of a request, in octets.
pub const MAX_HEAD: usize = 16 << 10;
const MAX_FIELDS: usize = 100;
const HTTP: u16 = 80;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The name or address that is to be connected to; of an IPv6 address without brackets.
    pub host: String,
    /// The TCP port there.
    pub port: u16,
    /// What goes there first: the head of a request in the form that a server takes. `None`: the request was for a tunnel (CONNECT), and
    /// the browser waits to hear that it stands.
    pub head: Option<Vec<u8>>,
    /// How many octets of what came were the head.
    pub len: usize,
}

/// Why there is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAsked {
    /// More has to come.
    Partial,
    /// No request that a proxy takes.
    Malformed,
}

/// Reads the head of a request.
///
/// # Errors
/// It is not whole, or none that a proxy takes.
pub fn parse(octets: &[u8]) -> Result<Asked, NotAsked> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    let len = match request.parse(octets) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) if octets.len() < MAX_HEAD => return Err(NotAsked::Partial),
        Ok(httparse::Status::Partial) | Err(_) => return Err(NotAsked::Malformed),
    };
    let (Some(method), Some(target)) = (request.method, request.path) else { return Err(NotAsked::Malformed) };
    if method == "CONNECT" {
        let (host, port) = target.parse().ok().and_then(|authority| place(&authority, None)).ok_or(NotAsked::Malformed)?;
        return Ok(Asked { host, port, head: None, len });
    }
    let uri: Uri = target.parse().map_err(|_| NotAsked::Malformed)?;
    let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http")).ok_or(NotAsked::Malformed)?;
    let (host, port) = place(authority, Some(HTTP)).ok_or(NotAsked::Malformed)?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Ok(Asked { host, port, head: Some(head(method, path, request.headers)), len })
}

fn place(authority: &Authority, default: Option<u16>) -> Option<(String, u16)> {
    let host = authority.host().trim_matches(['[', ']']);
    let port = authority.port_u16().or(default)?;
    (!host.is_empty() && port != 0).then(|| (host.to_owned(), port))
}

/// One request a connection: the next one may be for somebody else.
fn head(method: &str, path: &str, fields: &[httparse::Header<'_>]) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\n").into_bytes();
    let is_for_us =
        |name: &str| ["connection", "proxy-connection", "keep-alive"].iter().any(|own| name.eq_ignore_ascii_case(own));
    for field in fields.iter().filter(|field| !is_for_us(field.name)) {
        head.extend_from_slice(field.name.as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(field.value);
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"Connection: close\r\n\r\n");
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_for_a_page_goes_on_in_the_form_that_a_server_takes() {
        let octets =
            b"GET http://login.example:8080/a?b HTTP/1.1\r\nHost: login.example:8080\r\nProxy-Connection: keep-alive\r\n\r\nbody";
        let asked = parse(octets).unwrap();
        assert_eq!((asked.host.as_str(), asked.port, asked.len), ("login.example", 8080, octets.len() - 4));
        let head = String::from_utf8(asked.head.unwrap()).unwrap();
        assert_eq!(head, "GET /a?b HTTP/1.1\r\nHost: login.example:8080\r\nConnection: close\r\n\r\n");
        let bare = parse(b"GET http://login.example HTTP/1.1\r\n\r\n").unwrap();
        assert_eq!((bare.port, &bare.head.unwrap()[..6]), (80, &b"GET / "[..]));
    }

    #[test]
    fn a_request_for_a_tunnel_names_host_and_port() {
        let asked = parse(b"CONNECT login.example:443 HTTP/1.1\r\nHost: login.example:443\r\n\r\n").unwrap();
        assert_eq!((asked.host.as_str(), asked.port, asked.head), ("login.example", 443, None));
        let asked = parse(b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\n\r\n").unwrap();
        assert_eq!((asked.host.as_str(), asked.port), ("2001:db8::1", 443));
    }

    #[test]
    fn what_is_for_a_server_or_another_scheme_or_nobody_is_not_taken() {
        for head in
            ["GET / HTTP/1.1", "GET ftp://a.example/ HTTP/1.1", "CONNECT a.example HTTP/1.1", "CONNECT :443 HTTP/1.1", "x"]
        {
            let whole = format!("{head}\r\nHost: a.example\r\n\r\n");
            assert_eq!(parse(whole.as_bytes()), Err(NotAsked::Malformed), "{head}");
        }
        assert_eq!(parse(b"GET http://a.example/ HTTP/1.1\r\nHo"), Err(NotAsked::Partial));
        let mut endless = b"GET http://a.example/ HTTP/1.1\r\nX: ".to_vec();
        endless.resize(MAX_HEAD, b'a');
        assert_eq!(parse(&endless), Err(NotAsked::Malformed));
    }
}
