//! What a captive portal answers, and what a browser asks the window's proxy for.

use mn::captive_portal::request::{self, NotAsked};
use mn::captive_portal::verdict::{self, Verdict};

/// The first octet says which of both the rest is.
pub fn portal(data: &[u8]) {
    match data.split_first() {
        Some((0, answer)) => judged(answer),
        Some((_, asked)) => parsed(asked),
        None => {}
    }
}

/// A page that is shown is one line of a terminal, and what was judged once is judged the same with more behind it.
fn judged(answer: &[u8]) {
    let verdict = verdict::judge(answer, "hac.example");
    if let Verdict::Portal(Some(page)) = &verdict {
        assert!(page.starts_with("http") && page.bytes().all(|octet| octet.is_ascii_graphic()), "{page:?} is shown");
    }
    assert!(verdict != Verdict::Partial || answer.len() < verdict::MAX_HEAD, "a head without end is waited for");
}

/// What goes on to the server is one head, and says what was asked for.
fn parsed(asked: &[u8]) {
    match request::parse(asked) {
        Ok(request) => {
            assert!(request.len <= asked.len() && request.port != 0 && !request.host.is_empty(), "{request:?}");
            if let Some(head) = request.head {
                let mut fields = [httparse::EMPTY_HEADER; 128];
                let again = httparse::Request::new(&mut fields).parse(&head);
                assert_eq!(again, Ok(httparse::Status::Complete(head.len())), "{:?}", String::from_utf8_lossy(&head));
            }
        }
        Err(NotAsked::Partial) => assert!(asked.len() < request::MAX_HEAD, "a head without end is waited for"),
        Err(NotAsked::Malformed) => {}
    }
}
