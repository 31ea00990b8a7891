//! Octets that are no TLS, or TLS that no client of today sends -> the alert's octets, at a real HAC.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

/// What is sent on a fresh TCP connection, how it is made, and level and description of the alert that answers it; `None`: nothing.
type RawRow = (&'static str, fn() -> Vec<u8>, Option<[u8; 2]>);

const FATAL: u8 = 2;
const UNEXPECTED_MESSAGE: Option<[u8; 2]> = Some([FATAL, 10]);
const DECODE_ERROR: Option<[u8; 2]> = Some([FATAL, 50]);
const PROTOCOL_VERSION: Option<[u8; 2]> = Some([FATAL, 70]);
const HANDSHAKE_FAILURE: Option<[u8; 2]> = Some([FATAL, 40]);

const RAW: &[RawRow] = &[
    ("MHAuth without TLS", || Request::init(ALICE).octets(), DECODE_ERROR),
    ("HTTP", || b"GET / HTTP/1.1\r\nhost: hac.example.org\r\n\r\n".into(), DECODE_ERROR),
    ("zeros", || vec![0; 100], DECODE_ERROR),
    ("0xff throughout", || vec![0xff; 100], DECODE_ERROR),
    ("an SSLv2 ClientHello", || ssl2_hello([0, 2]), DECODE_ERROR),
    ("an SSLv2 ClientHello that asks for TLS 1.2", || ssl2_hello([3, 3]), DECODE_ERROR),
    ("an SSLv3 ClientHello", || record(22, &client_hello([3, 0], &[])), HANDSHAKE_FAILURE),
    ("a TLS 1.1 ClientHello with what 1.2 wants", || record(22, &client_hello([3, 2], &EXTENSIONS)), PROTOCOL_VERSION),
    ("a TLS 1.2 ClientHello without extensions", || record(22, &client_hello([3, 3], &[])), HANDSHAKE_FAILURE),
    ("a record longer than any", || [&[22, 3, 1, 0xff, 0xff][..], &[0; 100]].concat(), DECODE_ERROR),
    ("an empty handshake record", || record(22, &[]), DECODE_ERROR),
    ("application data first", || record(23, &Request::init(ALICE).octets()), UNEXPECTED_MESSAGE),
    ("ChangeCipherSpec first", || record(20, &[1]), UNEXPECTED_MESSAGE),
    ("Finished first", || record(22, &[&[20, 0, 0, 12][..], &[7; 12]].concat()), UNEXPECTED_MESSAGE),
    ("half a ClientHello", || record(22, &client_hello([3, 3], &[]))[..30].to_vec(), None),
    ("an alert", || record(21, &[FATAL, 80]), None),
    ("nothing", Vec::new, None),
];

/// A record (RFC 8446 section 5.1).
fn record(content_type: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = (content.len() as u16).to_be_bytes();
    [&[content_type, 3, 1, high, low], content].concat()
}

/// ECDSA with SHA-256, X25519, uncompressed points, the extended master secret.
const EXTENSIONS: [u8; 26] = [0, 13, 0, 4, 0, 2, 4, 3, 0, 10, 0, 4, 0, 2, 0, 29, 0, 11, 0, 2, 1, 0, 0, 23, 0, 0];

/// One cipher suite of TLS 1.2 (RFC 5246 section 7.4.1.2).
fn client_hello(version: [u8; 2], extensions: &[u8]) -> Vec<u8> {
    let mut body = [&version[..], &[0x5a; 32], &[0, 0, 2, 0xc0, 0x2b, 1, 0]].concat();
    if !extensions.is_empty() {
        body.extend([0, extensions.len() as u8]);
        body.extend(extensions);
    }
    [&[1, 0, 0, body.len() as u8], &body[..]].concat()
}

/// RFC 6101 appendix E.1.
fn ssl2_hello(version: [u8; 2]) -> Vec<u8> {
    let body = [&[1][..], &version, &[0, 3, 0, 0, 0, 16, 0, 0xc0, 0x2b], &[0x5a; 16]].concat();
    [&[0x80, body.len() as u8], &body[..]].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_tls_gets_an_alert_or_nothing_and_loses_nothing() {
    let hac = Hac::start().await;
    for (input, octets, alert) in RAW {
        let before = hac.books().await;
        let mut stream = TcpStream::connect(hac.address()).await.unwrap();
        stream.write_all(&octets()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut said = Vec::new();
        stream.read_to_end(&mut said).await.unwrap();
        let expected = alert.map_or(Vec::new(), |[level, description]| vec![21, 3, 3, 0, 2, level, description]);
        assert_eq!(said, expected, "{input}");
        assert_eq!(hac.books().await, before.with_one_more("broken"), "{input}");
        hac.grants_the_right_node().await;
    }
}
