//! Names: what cannot be told apart from outside, and who has to wait.

use hac::admission::SOURCE_LIMIT;
use protocol::mhauth::ChannelBinding;
use protocol::mhauth::authenticator;

use super::*;

/// Names of one length. `mallo` has no subscriber, `carol` is disabled, `bobby` has the draft's profile.
const NAMES: [(&str, &str, WireProfile); 4] = [
    ("a subscriber under a wrong PSK", ALICE, WireProfile::Rfc6618),
    ("an unknown name", "mallo@example.org", WireProfile::Rfc6618),
    ("a disabled name", "carol@example.org", WireProfile::Rfc6618),
    ("a subscriber of the draft's profile", "bobby@example.org", WireProfile::Draft04),
];

/// What somebody who has no key sends as his last request, and what he is told.
const PROBES: &[Row] = &[
    ("a guessed auth", |done| done.auth = Auth::Text("00".repeat(32)), NotAuthenticated),
    ("a wrong PSK", |_| (), NotAuthenticated),
    ("auth missing", |done| done.auth = Auth::Missing, Malformed),
    ("no mip6-sas", |done| done.without("mip6-sas"), NotAuthenticated),
    ("an empty mip6-suitelist", |done| done.set("mip6-suitelist", ""), NotAuthenticated),
    ("only suites that nobody has", |done| done.set("mip6-suitelist", "{00,35}"), NotAuthenticated),
    ("hac-rand of another exchange", |done| done.set("hac-rand", &"00".repeat(32)), NotAuthenticated),
    ("Mid", |done| done.lines = "eap-payload:0101000501\r\n".into(), Malformed),
    ("Identifier 1 again", |done| done.identifier = 1, Malformed),
];

/// Name, length of the value, and the value where it is neither random nor keyed.
type Header = (String, usize, String);

/// What can be seen of an exchange without a key: each message's Identifier and headers, and what came before close_notify.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    messages: Vec<(u8, Vec<Header>)>,
    octets_at_the_end: usize,
}

fn look_at(answer: &Answer) -> (u8, Vec<Header>) {
    let is_random = |name: &str| matches!(name, "hac-rand" | "auth");
    let header = |(name, value): (&str, &str)| {
        let shown = if is_random(name) { "" } else { value };
        (name.to_owned(), value.len(), shown.to_owned())
    };
    (answer.identifier(), answer.headers().into_iter().map(header).collect())
}

async fn probe(hac: &Hac, name: &str, profile: WireProfile, spoil: fn(&mut Request)) -> Seen {
    let mut stream = hac.handshake().await;
    let response = say(&mut stream, &Request::init(name)).await;
    let made = Made { key: vec![0x42; 32], profile, ..made_by_alice(hac) };
    let mut done = Request::done(response.get("hac-rand").unwrap(), made);
    spoil(&mut done);
    let last = say(&mut stream, &done).await;
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.expect("close_notify");
    Seen { messages: vec![look_at(&response), look_at(&last)], octets_at_the_end: rest.len() }
}

async fn hac_with_these_names() -> Hac {
    let hac = Hac::start().await;
    for (user, profile) in [("carol", "rfc6618"), ("bobby", "draft-04")] {
        let nai = format!("{user}@example.org");
        hac.command(&["subscriber", "add", &nai, "--profile", profile, "--out", &hac.path(user)]);
    }
    hac.command(&["subscriber", "disable", "carol@example.org"]);
    hac
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_psk_an_unknown_a_disabled_and_a_drafts_name_are_told_apart_by_nothing() {
    assert!(NAMES.iter().all(|(_, name, _)| name.len() == ALICE.len()), "a length would tell");
    for rows in PROBES.chunks(MOST_FAILURES) {
        let hac = hac_with_these_names().await;
        for row in rows {
            assert_alike(&hac, row).await;
            hac.grants_the_right_node().await;
        }
    }
}

/// Under each name the same is seen, with this status at its end, and counted.
async fn assert_alike(hac: &Hac, (input, spoil, status): &Row) {
    let mut books = hac.books().await;
    let mut seen = Vec::new();
    for (who, name, profile) in NAMES {
        seen.push(probe(hac, name, profile, *spoil).await);
        books = books.with_one_more(&status.code().to_string());
        assert_eq!(seen.last(), seen.first(), "{input}: {who}");
    }
    let [first, last] = &seen[0].messages[..] else { panic!("{input}: two messages") };
    assert_eq!(first.1[2], ("auth-method".into(), 3, "psk".into()), "{input}: the method chosen");
    assert!(last.1.contains(&("status-code".to_owned(), 3, status.code().to_string())), "{input}: {last:?}");
    assert_eq!(hac.books().await, books, "{input}");
}

/// The exchange runs to its end under HMAC-SHA256(server secret, name): the same each time, as a real key is.
#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_and_a_disabled_name_have_a_key_of_their_own_under_which_a_right_auth_is_401_too() {
    let hac = hac_with_these_names().await;
    let secret = hac.pseudo_psk_secret().await;
    for name in ["mallo@example.org", "carol@example.org"] {
        let key = authenticator::auth(secret.expose(), b"", name.as_bytes(), &ChannelBinding::new(Vec::new()));
        for _ in 0..2 {
            let mut stream = hac.handshake().await;
            let response = say(&mut stream, &Request::init(name)).await;
            assert!(response.is_keyed_with(&key, WireProfile::Rfc6618, &hac.binding), "{name}");
            let made = Made { key: key.into(), ..made_by_alice(&hac) };
            let done = Request::done(response.get("hac-rand").unwrap(), made);
            assert_refused(&hac, name, stream, &done, NotAuthenticated, &key).await;
        }
    }
    hac.grants_the_right_node().await;
}

/// 503 under the key "1": who waits has not been looked up.
async fn assert_has_to_wait(hac: &Hac, stream: TlsStream<TcpStream>, name: &str) {
    assert_refused(hac, name, stream, &Request::init(name), Unavailable, b"1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_has_to_wait_after_ten_failures_from_anywhere_whether_it_exists_or_not() {
    let hac = hac_with_these_names().await;
    for (_, name, profile) in NAMES.into_iter().skip(1) {
        for _ in 0..NAME_LIMIT {
            probe(&hac, name, profile, |_| ()).await;
        }
        assert_has_to_wait(&hac, hac.handshake().await, name).await;
    }
    hac.grants_the_right_node().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_has_to_wait_after_thirty_failures_under_any_name_and_keeps_no_other_source_out() {
    let hac = Hac::start().await;
    let source = [127, 0, 0, 9].into();
    for number in 0..SOURCE_LIMIT {
        let mut stream = hac.handshake_from(source).await;
        let answer = say(&mut stream, &Request { identifier: 0, ..Request::init(ALICE) }).await;
        assert_eq!(answer.get("status-code"), Some("400"), "failure {number}");
    }
    assert_has_to_wait(&hac, hac.handshake_from(source).await, ALICE).await;
    hac.grants_the_right_node().await;
}
