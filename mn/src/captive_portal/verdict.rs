//! What an answer says of the network that it came through. Pure.
//!
//! Nobody is asked who would have to be there for it: at the HAC's address no web server is needed. A network that lets a request for
//! a page that is nowhere come to another site's login, or says 511, answers itself.

use http::Uri;

/// Longer answers are not read.
pub const MAX_HEAD: usize = 8 << 10;
/// A page's address that is longer is not shown.
const MAX_URL: usize = 512;
const MAX_FIELDS: usize = 64;
/// Network Authentication Required (RFC 6585 section 6).
const AUTHENTICATION_REQUIRED: u16 = 511;

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The head is not whole yet.
    Partial,
    /// Somebody on the way wants a login: at this page, if it says which.
    Portal(Option<String>),
    /// Nothing of a login.
    None,
}

/// Judges the octets of an answer's head, which came for a page of `host` that is nowhere.
pub fn judge(head: &[u8], host: &str) -> Verdict {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    match response.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) if head.len() < MAX_HEAD => return Verdict::Partial,
        Ok(httparse::Status::Partial) | Err(_) => return Verdict::None,
    }
    let location = response.headers.iter().find(|field| field.name.eq_ignore_ascii_case("location"));
    let location = location.and_then(|field| page(field.value));
    match response.code {
        Some(AUTHENTICATION_REQUIRED) => Verdict::Portal(location),
        // A page that is nowhere, and here it is: somebody answers in the other's name.
        Some(200) => Verdict::Portal(None),
        Some(301..=303 | 307 | 308) => match location {
            Some(page) if leads_elsewhere(&page, host) => Verdict::Portal(Some(page)),
            Some(_) | None => Verdict::None,
        },
        Some(_) | None => Verdict::None,
    }
}

/// The address of a page, if it can be shown as it is.
fn page(value: &[u8]) -> Option<String> {
    let text = str::from_utf8(value).ok()?;
    let uri: Uri = text.parse().ok()?;
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    (is_web && text.len() <= MAX_URL && text.bytes().all(|octet| octet.is_ascii_graphic())).then(|| text.to_owned())
}

fn leads_elsewhere(page: &str, host: &str) -> bool {
    let uri: Option<Uri> = page.parse().ok();
    let bare = |name: &str| name.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
    uri.and_then(|uri| uri.host().map(|there| bare(there) != bare(host))).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "hac.example";

    fn redirect(to: &str) -> Verdict {
        judge(format!("HTTP/1.1 302 Found\r\nServer: x\r\nlocation: {to}\r\n\r\n").as_bytes(), HOST)
    }

    fn portal(page: &str) -> Verdict {
        Verdict::Portal(Some(page.to_owned()))
    }

    #[test]
    fn a_redirection_to_another_site_511_and_a_page_that_cannot_be_there_are_a_portals() {
        assert_eq!(redirect("http://login.example/a?b=c"), portal("http://login.example/a?b=c"));
        assert_eq!(redirect("https://192.168.1.1:8443/"), portal("https://192.168.1.1:8443/"));
        assert_eq!(judge(b"HTTP/1.1 511 Network Authentication Required\r\n\r\n<html>", HOST), Verdict::Portal(None));
        assert_eq!(judge(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n", HOST), Verdict::Portal(None));
    }

    #[test]
    fn what_a_web_server_beside_the_hac_says_is_none() {
        for answer in ["404 Not Found", "403 Forbidden", "400 Bad Request", "204 No Content", "503 Busy"] {
            assert_eq!(judge(format!("HTTP/1.1 {answer}\r\n\r\n").as_bytes(), HOST), Verdict::None, "{answer}");
        }
        for same in ["https://hac.example/x", "https://HAC.example.:443/", "/somewhere", ""] {
            assert_eq!(redirect(same), Verdict::None, "{same}");
        }
        assert_eq!(
            judge(b"HTTP/1.1 301 Moved\r\nLocation: https://[2001:db8::1]/\r\n\r\n", "2001:db8::1"),
            Verdict::None,
            "an address in brackets"
        );
    }

    #[test]
    fn a_page_that_cannot_be_shown_is_not_and_what_is_no_answer_says_nothing() {
        assert_eq!(redirect("javascript:alert(1)"), Verdict::None);
        assert_eq!(redirect("http://login.example/\u{1b}[2J"), Verdict::None);
        assert_eq!(redirect(&format!("http://login.example/{}", "a".repeat(MAX_URL))), Verdict::None);
        assert_eq!(judge(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", HOST), Verdict::None);
        assert_eq!(judge(&[b'a'; MAX_HEAD], HOST), Verdict::None);
        assert_eq!(judge(b"HTTP/1.1 302 Found\r\nLoca", HOST), Verdict::Partial);
    }

    #[test]
    fn a_head_without_end_is_not_waited_for() {
        let mut head = b"HTTP/1.1 200 OK\r\nX: ".to_vec();
        head.resize(MAX_HEAD, b'a');
        assert_eq!(judge(&head, HOST), Verdict::None);
    }
}
