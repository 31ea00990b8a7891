//! MHAuth: message -> status, over real TLS with a real HAC (RFC 6618 section 5.3; what a request must be is in sections 5.1 to 5.8).
//!
//! A first request is refused under the key "1", since no response was keyed with a PSK yet; a last request under the PSK.

pub(super) mod answer;
mod names;
pub(super) mod request;

use hac::admission::NAME_LIMIT;
use protocol::mhauth::Status::{self, Malformed, NotAuthenticated, NotImplemented, Unavailable};
use protocol::mhauth::authenticator::Sender;
use protocol::profile::WireProfile;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::controller::{ALICE, Hac, message};
use answer::Answer;
use request::{Auth, Made, Request};

/// A HAC counts failures by name, and sends whoever claims a name away that has had one more.
pub(super) const MOST_FAILURES: usize = NAME_LIMIT as usize - 1;

/// What is wrong with a request, how a right one is made so, and the status of the answer.
type Row = (&'static str, fn(&mut Request), Status);

/// A first request.
const INIT: &[Row] = &[
    ("Ver 1", |init| init.version = 1, NotImplemented),
    ("Ver 7", |init| init.version = 7, NotImplemented),
    ("Length 0", |init| init.length = Some(0), Malformed),
    ("a Length that ends within mn-id", |init| init.length = Some(12), Malformed),
    ("a Length that ends within mn-rand", |init| init.length = Some(60), Malformed),
    ("Identifier 0", |init| init.identifier = 0, Malformed),
    ("Identifier 2", |init| init.identifier = 2, Malformed),
    ("Identifier 255", |init| init.identifier = 255, Malformed),
    ("no header", |init| init.lines.clear(), Malformed),
    ("a line without a colon", |init| init.add("mip6"), Malformed),
    ("a line without a name", |init| init.add(":psk"), Malformed),
    ("white space before the colon", |init| init.replace("mn-id:", "mn-id :"), Malformed),
    ("white space before the name", |init| init.replace("mn-rand:", " mn-rand:"), Malformed),
    ("a folded line", |init| init.add(" psk"), Malformed),
    ("a folded line, by tab", |init| init.add("\tpsk"), Malformed),
    ("a line feed alone", |init| init.replace("\r\n", "\n"), Malformed),
    ("a carriage return alone", |init| init.replace("\r\nmn-rand", "\rmn-rand"), Malformed),
    ("a NUL", |init| init.replace("alice", "al\0ce"), Malformed),
    ("a blank line among the headers", |init| init.replace("\r\nmn-rand", "\r\n\r\nmn-rand"), Malformed),
    ("five line ends behind the last header", |init| init.end = "\r\n\r\n\r\n\r\n", Malformed),
    ("65 headers", |init| (0..62).for_each(|_| init.add("x-new:1")), Malformed),
    ("a name of 65 octets", |init| init.add(&format!("{}:1", "x".repeat(65))), Malformed),
    ("mn-id twice", |init| init.add("mn-id:alice@example.org"), Malformed),
    ("mn-id twice, in capitals", |init| init.add("MN-ID:alice@example.org"), Malformed),
    ("mn-rand twice", |init| init.add(&format!("mn-rand:{}", "5a".repeat(32))), Malformed),
    ("auth before other headers", |init| init.replace("mn-id:", "auth:00\r\nmn-id:"), Malformed),
    ("no mn-id", |init| init.without("mn-id"), Malformed),
    ("an empty mn-id", |init| init.set("mn-id", ""), Malformed),
    ("mn-id without its realm", |init| init.set("mn-id", "alice@"), Malformed),
    ("mn-id of one label", |init| init.set("mn-id", "alice@localhost"), Malformed),
    ("mn-id with a space", |init| init.set("mn-id", "al ice@example.org"), Malformed),
    ("mn-id with a comma", |init| init.set("mn-id", "alice,bob@example.org"), Malformed),
    ("mn-id with two @", |init| init.set("mn-id", "alice@example.org@example.net"), Malformed),
    ("mn-id with two dots", |init| init.set("mn-id", "al..ice@example.org"), Malformed),
    ("mn-id of 254 octets", |init| init.set("mn-id", &format!("{}@example.org", "a".repeat(242))), Malformed),
    ("no mn-rand", |init| init.without("mn-rand"), Malformed),
    ("an empty mn-rand", |init| init.set("mn-rand", ""), Malformed),
    ("mn-rand of 31 octets", |init| init.set("mn-rand", &"5a".repeat(31)), Malformed),
    ("mn-rand of 33 octets", |init| init.set("mn-rand", &"5a".repeat(33)), Malformed),
    ("mn-rand of half an octet more", |init| init.set("mn-rand", &"5".repeat(65)), Malformed),
    ("mn-rand that is not hexadecimal", |init| init.set("mn-rand", &"5g".repeat(32)), Malformed),
    ("no auth-method", |init| init.without("auth-method"), Malformed),
    ("an empty auth-method", |init| init.set("auth-method", ""), Malformed),
    ("auth-method with an empty item", |init| init.set("auth-method", "psk,,eap"), Malformed),
    ("auth-method without its comma", |init| init.set("auth-method", "eap psk"), Malformed),
    ("EAP alone", |init| init.set("auth-method", "eap"), NotImplemented),
    ("methods that nobody has defined", |init| init.set("auth-method", "gpsk,x-new"), NotImplemented),
    ("Mid without Init", |init| init.lines = "eap-payload:0101000501\r\n".into(), Malformed),
    ("Done without Init", |init| *init = done_of_another_exchange(2), Malformed),
    ("Done without Init, Identifier 1", |init| *init = done_of_another_exchange(1), Malformed),
];

/// A last request. Its `auth` is made over what the row has made of it, so that it is the row alone that is wrong.
const DONE: &[Row] = &[
    ("Ver 1", |done| done.version = 1, NotImplemented),
    ("Length 0", |done| done.length = Some(0), Malformed),
    ("Identifier 0", |done| done.identifier = 0, Malformed),
    ("Identifier 1 again", |done| done.identifier = 1, Malformed),
    ("Init again", |done| *done = Request::init(ALICE), Malformed),
    ("Init again, Identifier 2", |done| *done = Request { identifier: 2, ..Request::init(ALICE) }, Malformed),
    ("Mid", |done| done.lines = "eap-payload:0101000501\r\n".into(), Malformed),
    ("a folded line", |done| done.add(" 1"), Malformed),
    ("a line feed alone", |done| done.replace("\r\nmip6-sas", "\nmip6-sas"), Malformed),
    ("auth missing", |done| done.auth = Auth::Missing, Malformed),
    ("auth empty", |done| done.auth = Auth::Text(String::new()), Malformed),
    ("auth of 31 octets", |done| done.auth = Auth::Text("00".repeat(31)), Malformed),
    ("auth of 33 octets", |done| done.auth = Auth::Text("00".repeat(33)), Malformed),
    ("auth that is not hexadecimal", |done| done.auth = Auth::Text("0g".repeat(32)), Malformed),
    ("auth twice", |done| done.add(&format!("auth:{}", "00".repeat(32))), Malformed),
    ("auth not last", |done| done.end = "x-new:1\r\n", Malformed),
    ("a guessed auth", |done| done.auth = Auth::Text("00".repeat(32)), NotAuthenticated),
    ("a wrong PSK", |done| done.made().key = vec![0x42; 32], NotAuthenticated),
    ("the PSK in capitals, as text", |done| done.made().key = hex::encode_upper(&done.made().key).into(), NotAuthenticated),
    ("the key \"1\"", |done| done.made().key = b"1".into(), NotAuthenticated),
    ("no key", |done| done.made().key.clear(), NotAuthenticated),
    ("the label of the other direction", |done| done.made().sender = Sender::Controller, NotAuthenticated),
    ("the draft's formula", |done| done.made().profile = WireProfile::Draft04, NotAuthenticated),
    ("another channel binding", |done| done.made().binding = other_binding(), NotAuthenticated),
    ("mn-rand of another exchange", |done| done.set("mn-rand", &"00".repeat(32)), NotAuthenticated),
    ("hac-rand of another exchange", |done| done.set("hac-rand", &"00".repeat(32)), NotAuthenticated),
    ("no mn-rand", |done| done.without("mn-rand"), Malformed),
    ("no hac-rand", |done| done.without("hac-rand"), Malformed),
    ("hac-rand of 31 octets", |done| done.set("hac-rand", &"00".repeat(31)), Malformed),
    ("no mip6-sas", |done| done.without("mip6-sas"), Malformed),
    ("mip6-sas 2", |done| done.set("mip6-sas", "2"), Malformed),
    ("mip6-sas 01", |done| done.set("mip6-sas", "01"), Malformed),
    ("mip6-sas -1", |done| done.set("mip6-sas", "-1"), Malformed),
    ("an empty mip6-sas", |done| done.set("mip6-sas", ""), Malformed),
    ("mip6-sas twice", |done| done.add("mip6-sas:1"), Malformed),
    ("no mip6-suitelist", |done| done.without("mip6-suitelist"), Malformed),
    ("an empty mip6-suitelist", |done| done.set("mip6-suitelist", ""), Malformed),
    ("a suite without its brace", |done| done.set("mip6-suitelist", "{00,9C"), Malformed),
    ("a suite of three octets", |done| done.set("mip6-suitelist", "{00,9C,00}"), Malformed),
    ("a suite by name", |done| done.set("mip6-suitelist", "AES_128_GCM"), Malformed),
    ("only suites that nobody has", |done| done.set("mip6-suitelist", "{00,35},{13,01}"), NotImplemented),
    ("only a suite that the policy has not", |done| done.set("mip6-suitelist", "{00,02}"), NotImplemented),
];

fn done_of_another_exchange(identifier: u8) -> Request {
    let made = Made { key: vec![0; 32], sender: Sender::MobileNode, profile: WireProfile::Rfc6618, binding: other_binding() };
    Request { identifier, ..Request::done(&"00".repeat(32), made) }
}

pub(super) fn other_binding() -> protocol::mhauth::ChannelBinding {
    protocol::mhauth::ChannelBinding::new(vec![0xcb; 32])
}

/// What `alice` makes her requests with.
fn made_by_alice(hac: &Hac) -> Made {
    let binding = hac.binding.clone();
    Made { key: hac.psk("alice"), sender: Sender::MobileNode, profile: WireProfile::Rfc6618, binding }
}

/// Says Init; gives the answer.
pub(super) async fn say(stream: &mut TlsStream<TcpStream>, request: &Request) -> Answer {
    stream.write_all(&request.octets()).await.unwrap();
    Answer(message(stream).await)
}

/// A good Init was said for `alice`: the last request, to be spoilt, and the connection.
async fn before_done(hac: &Hac) -> (TlsStream<TcpStream>, Request) {
    let (mut stream, made) = (hac.handshake().await, made_by_alice(hac));
    let response = say(&mut stream, &Request::init(ALICE)).await;
    assert!(response.is_keyed_with(&made.key, made.profile, &hac.binding), "the response to a good Init");
    (stream, Request::done(response.get("hac-rand").unwrap(), made))
}

/// That the answer is final, with this status under this key, and that close_notify follows.
async fn assert_refused(hac: &Hac, input: &str, stream: TlsStream<TcpStream>, sent: &Request, status: Status, key: &[u8]) {
    let nonces: &[&str] = if key == b"1" { &[] } else { &["mn-rand", "hac-rand"] };
    let later: &[&str] = if status == Unavailable { &["retry-after"] } else { &[] };
    let headers = [nonces, &["status-code"], later, &["auth"]].concat();
    assert_ends(hac, input, stream, sent, &Ending { status, key, headers }).await;
}

/// How an exchange ends.
pub(super) struct Ending<'a> {
    pub(super) status: Status,
    /// What the answer is keyed with.
    pub(super) key: &'a [u8],
    /// All that it has, in this order.
    pub(super) headers: Vec<&'a str>,
}

/// That the answer is this one, and that close_notify follows; gives the answer.
pub(super) async fn assert_ends(
    hac: &Hac,
    input: &str,
    mut stream: TlsStream<TcpStream>,
    sent: &Request,
    ending: &Ending<'_>,
) -> Answer {
    let answer = say(&mut stream, sent).await;
    let said: Vec<_> = answer.headers().iter().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(answer.get("status-code"), Some(&*ending.status.code().to_string()), "{input}: {said:?}");
    assert_eq!(answer.identifier(), sent.identifier, "{input}: the request's Identifier");
    assert!(answer.is_keyed_with(ending.key, WireProfile::Rfc6618, &hac.binding), "{input}: keyed otherwise");
    assert_eq!(said, ending.headers, "{input}: and nothing else is said");
    // Without close_notify this is an error of rustls.
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0, "{input}: close_notify follows");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_request_that_is_not_right_gets_its_status_under_the_key_1_and_loses_nothing() {
    let hac = Hac::start().await;
    for (input, spoil, status) in INIT {
        let before = hac.books().await;
        let mut init = Request::init(ALICE);
        spoil(&mut init);
        assert_refused(&hac, input, hac.handshake().await, &init, *status, b"1").await;
        assert_eq!(hac.books().await, before.with_one_more(&status.code().to_string()), "{input}");
        hac.grants_the_right_node().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_last_request_that_is_not_right_gets_its_status_under_the_psk_and_loses_nothing() {
    for rows in DONE.chunks(MOST_FAILURES) {
        let hac = Hac::start().await;
        for (input, spoil, status) in rows {
            let before = hac.books().await;
            let (stream, mut done) = before_done(&hac).await;
            spoil(&mut done);
            assert_refused(&hac, input, stream, &done, *status, &hac.psk("alice")).await;
            assert_eq!(hac.books().await, before.with_one_more(&status.code().to_string()), "{input}");
            hac.grants_the_right_node().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_ends_before_its_length_is_answered_by_nothing_and_loses_nothing() {
    let hac = Hac::start().await;
    let octets = Request::init(ALICE).octets();
    for cut in [0, 1, 3, 4, 5, octets.len() - 1] {
        let before = hac.books().await;
        let mut stream = hac.handshake().await;
        stream.write_all(&octets[..cut]).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut said = Vec::new();
        // The HAC breaks off: with or without close_notify is the same to somebody who has closed.
        let _closed = stream.read_to_end(&mut said).await;
        assert!(said.is_empty(), "{cut} octets of {}: {said:?}", octets.len());
        assert_eq!(hac.books().await, before.with_one_more("broken"), "{cut} octets");
        hac.grants_the_right_node().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_last_request_of_one_connection_is_worth_nothing_in_another() {
    let hac = Hac::start().await;
    let (_first, done) = before_done(&hac).await;
    let (second, _) = before_done(&hac).await;
    assert_refused(&hac, "Done of another connection", second, &done, NotAuthenticated, &hac.psk("alice")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_request_that_no_home_agent_can_serve_is_503_under_the_psk_and_leaves_nothing() {
    let hac = Hac::start().await;
    hac.loses_its_home_agent().await;
    let before = hac.books().await;
    let (stream, done) = before_done(&hac).await;
    assert_refused(&hac, "no home agent", stream, &done, Unavailable, &hac.psk("alice")).await;
    assert_eq!(hac.books().await, before.with_one_more("503"));
}
