//! Servers that a mobile node must not speak to -> what its user reads: `openssl s_server` where the HAC should be, with a certificate
//! that the node believes.

use fixture::{Authority, in_new_network_namespace_async};

use super::*;
use crate::controller::NAME;
use crate::mobile_node::{HAC_ADDRESS, HAC_PORT, believing_in, give_the_hac_its_address, is_told};

/// What a server speaks, the words that make `openssl s_server` speak it, and the settings of its library.
type ServerRow = (&'static str, &'static [&'static str], &'static str);

const SERVERS: &[ServerRow] = &[
    ("TLS 1.1", &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], ""),
    ("TLS 1.0", &["-tls1", "-cipher", "ALL:@SECLEVEL=0"], ""),
    ("TLS-PSK", &["-tls1_2", "-psk", "00112233", "-cipher", "PSK@SECLEVEL=0"], ""),
    ("no server certificate", &["-tls1_2", "-cipher", "aNULL@SECLEVEL=0"], ""),
    ("CBC", &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA@SECLEVEL=0"], ""),
    ("no extended master secret", &["-tls1_2"], NO_EXTENDED_MASTER_SECRET),
];

/// What such a server costs the user.
const SENTENCE: &str = "it does not speak TLS 1.3, or 1.2 with the extended master secret: is it the HAC, or an old server?";

/// What a node is told at a server, and what the server printed until it ended, or until it said `enough`.
async fn meet(authority: &Authority, words: &[&str], settings: &str, enough: Option<&'static str>) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let certified = authority.certify(NAME);
    std::fs::write(path("certificate"), certified.certificate).unwrap();
    std::fs::write(path("key"), certified.key).unwrap();
    let (at, certificate, key) = (format!("{HAC_ADDRESS}:{HAC_PORT}"), path("certificate"), path("key"));
    let all = ["s_server", "-accept", &at, "-naccept", "1", "-cert", &certificate, "-key", &key];
    let mut server = OpenSsl::start(&[&all, words].concat(), settings);
    server.says("ACCEPT");
    let watched = tokio::task::spawn_blocking(move || match enough {
        Some(text) => server.says(text),
        None => server.waits_for_its_end(),
    });
    let told = is_told(&believing_in(&[&authority.pem])).await;
    (told, watched.await.unwrap())
}

#[test]
fn a_mobile_node_says_nothing_to_a_server_of_other_tls_and_tells_its_user_why() {
    in_new_network_namespace_async(|| async {
        give_the_hac_its_address();
        let authority = Authority::new();
        for (input, words, settings) in SERVERS {
            let (told, said) = meet(&authority, words, settings, None).await;
            assert!(told.contains(SENTENCE), "{input}: {told}");
            assert!(!said.contains("mn-id"), "{input}: the server heard of MHAuth:\n{said}");
            for version in ["-tls1_2", "-tls1_3"] {
                let (_, heard) = meet(&authority, &[version], "", Some("mn-id:")).await;
                assert!(heard.ends_with("mn-id:alice@example.org"), "{version}: {heard}");
            }
        }
    });
}
