//! TLS: hostile or outdated peer -> alert. Clients of `openssl s_client` and raw octets at a real HAC, servers of `openssl s_server`
//! before a mobile node (RFC 6618 sections 5.8 and 9.2, profile section 2).

mod early_data;
mod raw;
mod servers;

use super::controller::{ALICE, Books, Hac};
use super::mhauth::request::Request;
use super::openssl::{OpenSsl, alerts_received};

/// What a client wants, the words that make `openssl s_client` want it, and the alert that it gets.
type Row = (&'static str, &'static [&'static str], &'static str);

const CLIENTS: &[Row] = &[
    // Neither has signature algorithms, which rustls looks for before it looks at the version.
    ("TLS 1.1", &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], "fatal handshake_failure"),
    ("TLS 1.0", &["-tls1", "-cipher", "ALL:@SECLEVEL=0"], "fatal handshake_failure"),
    ("TLS-PSK", &["-tls1_2", "-psk", "00112233", "-cipher", "PSK@SECLEVEL=0"], "fatal handshake_failure"),
    ("static RSA key exchange", &["-tls1_2", "-cipher", "kRSA@SECLEVEL=0"], "fatal handshake_failure"),
    ("finite-field Diffie-Hellman", &["-tls1_2", "-cipher", "kDHE@SECLEVEL=0"], "fatal handshake_failure"),
    ("no server certificate", &["-tls1_2", "-cipher", "aNULL@SECLEVEL=0"], "fatal handshake_failure"),
    ("no encryption", &["-tls1_2", "-cipher", "eNULL@SECLEVEL=0"], "fatal handshake_failure"),
    ("CBC", &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA@SECLEVEL=0"], "fatal handshake_failure"),
    ("RSA certificates alone", &["-tls1_2", "-cipher", "aRSA@SECLEVEL=0"], "fatal handshake_failure"),
    ("CCM alone, in TLS 1.3", &["-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256"], "fatal handshake_failure"),
    ("a group that the HAC has not", &["-tls1_3", "-groups", "X448"], "fatal handshake_failure"),
];

/// Settings of the library under which TLS 1.2 goes without the extended master secret (RFC 7627).
const NO_EXTENDED_MASTER_SECRET: &str = "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = default\n[default]\n\
                                         Options = -ExtendedMasterSecret\n";

/// `openssl s_client` towards the HAC.
fn client(hac: &Hac, words: &[&str], settings: &str) -> OpenSsl {
    let (address, ca) = (hac.address().to_string(), hac.path("alice/ca.pem"));
    let all = ["s_client", "-connect", &address, "-servername", "hac.example.org", "-CAfile", &ca];
    OpenSsl::start(&[&all, words].concat(), settings)
}

/// That `said` has this one alert and no answer, the session counts as broken and as nothing else, and the right node is served.
async fn assert_refused(hac: &Hac, input: &str, said: &str, alert: &str, before: Books) {
    assert_eq!(alerts_received(said), [alert], "{input}:\n{said}");
    assert!(!said.contains("hac-rand"), "{input}: it was answered:\n{said}");
    assert_eq!(hac.books().await, before.with_one_more("broken"), "{input}");
    hac.grants_the_right_node().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_client_in_tls_1_2_and_1_3_is_answered() {
    let hac = Hac::start().await;
    for version in ["-tls1_2", "-tls1_3"] {
        let mut client = client(&hac, &[version], "");
        client.is_given(&Request::init(ALICE).octets());
        client.says("hac-rand:");
        let said = client.ends();
        assert!(said.contains("Verify return code: 0 (ok)") || said.contains("Verification: OK"), "{version}:\n{said}");
        assert_eq!(alerts_received(&said), [""; 0], "{version}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_other_tls_gets_an_alert_and_no_answer() {
    let hac = Hac::start().await;
    for (input, words, alert) in CLIENTS {
        let before = hac.books().await;
        let said = client(&hac, words, "").waits_for_its_end();
        assert_refused(&hac, input, &said, alert, before).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_the_extended_master_secret_gets_an_alert_and_no_answer() {
    let hac = Hac::start().await;
    let before = hac.books().await;
    let said = client(&hac, &["-tls1_2"], NO_EXTENDED_MASTER_SECRET).waits_for_its_end();
    assert_refused(&hac, "no extended master secret", &said, "fatal handshake_failure", before).await;
}

/// RFC 6618 section 5.8: MUST NOT. The client takes the warning for the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_renegotiates_gets_an_alert_at_once_and_no_answer() {
    let hac = Hac::start().await;
    let before = hac.books().await;
    let mut client = client(&hac, &["-tls1_2"], "");
    client.says("Extended master secret: yes");
    client.is_given(b"R\n");
    let said = client.waits_for_its_end();
    assert!(said.contains("RENEGOTIATING") && said.contains("no renegotiation"), "{said}");
    assert_refused(&hac, "renegotiation", &said, "warning no_renegotiation", before).await;
}
