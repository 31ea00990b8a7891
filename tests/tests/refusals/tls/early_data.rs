//! Early data (RFC 8446 section 2.3): a HAC never offers it, so a client has to bring its leave from elsewhere.

use super::*;

/// A session of another server, which allows early data, under the HAC's own certificate.
fn session_of_a_server_that_allows_it(hac: &Hac) -> String {
    let (certificate, key, session) = (hac.path("hac/hac.pem"), hac.path("hac/hac-key.pem"), hac.path("session.pem"));
    let words = ["s_server", "-accept", "127.0.0.1:0", "-cert", &certificate, "-key", &key, "-tls1_3", "-naccept", "1"];
    let mut server = OpenSsl::start(&[&words[..], &["-early_data", "-max_early_data", "4096"]].concat(), "");
    let address = server.says("ACCEPT 127.0.0.1:").split_once("ACCEPT ").unwrap().1.trim().to_owned();
    let words = ["s_client", "-connect", &address, "-servername", "hac.example.org", "-tls1_3", "-sess_out", &session];
    let mut client = OpenSsl::start(&words, "");
    client.says("Max Early Data: 4096");
    client.ends();
    session
}

/// Had the HAC heard the first request already, the same one again would be 400.
#[tokio::test(flavor = "multi_thread")]
async fn early_data_is_refused_and_heard_by_nobody() {
    let hac = Hac::start().await;
    let (session, request) = (session_of_a_server_that_allows_it(&hac), hac.path("init"));
    std::fs::write(&request, Request::init(ALICE).octets()).unwrap();
    let before = hac.books().await;
    let mut client = client(&hac, &["-tls1_3", "-sess_in", &session, "-early_data", &request], "");
    client.says("Early data was rejected");
    client.is_given(&Request::init(ALICE).octets());
    client.says("hac-rand:");
    let said = client.ends();
    assert!(said.contains("Max Early Data: 0") && !said.contains("status-code"), "{said}");
    assert_eq!(hac.books().await, before.with_one_more("broken"));
    hac.grants_the_right_node().await;
}
