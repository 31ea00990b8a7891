//! Defaults, what a realm takes over, and every value that cannot work, refused where it stands.

use super::super::tests::{GOOD, loaded};
use super::*;

const RADIUS: &str = "[radius]\nservers = [\"192.0.2.1\"]\nsecret-file = \"secret\"\n";
const EAP: &str = "[eap]\nmethods = [\"gpsk\"]\n";

fn with(lines: &str) -> Located<Config> {
    loaded(&format!("{GOOD}{lines}")).unwrap()
}

fn realm(methods: &[Method], eap_server: EapServer) -> Realm {
    Realm { methods: methods.to_vec(), eap_server, keyless: Vec::new() }
}

#[test]
fn without_an_eap_server_every_realm_has_the_key_alone_and_with_one_both() {
    assert_eq!(with("").default_realm(), realm(&[Method::Psk], EapServer::Local));
    assert_eq!(with(EAP).default_realm(), realm(&Method::ALL, EapServer::Local));
    assert_eq!(with(RADIUS).default_realm(), realm(&Method::ALL, EapServer::Radius));
    assert_eq!(with(&format!("{EAP}{RADIUS}")).default_realm(), realm(&Method::ALL, EapServer::Radius));
    assert!(with(RADIUS).realms().is_empty());
}

#[test]
fn a_realm_takes_over_what_it_does_not_say() {
    let config = with(&format!(
        "{RADIUS}{EAP}[authentication]\nmethods = [\"eap\"]\nwithout-key = [\"md5\"]\n\
         [realm.\"example.org\"]\neap-server = \"local\"\n[realm.\"example.net\"]\nmethods = [\"psk\", \"eap\"]\nwithout-key = []\n"
    ));
    let default = Realm { keyless: vec![Type::MD5], ..realm(&[Method::Eap], EapServer::Radius) };
    assert_eq!(config.default_realm(), default);
    let realms = config.realms();
    assert_eq!(realms["example.org"], Realm { eap_server: EapServer::Local, ..default });
    assert_eq!(realms["example.net"], realm(&Method::ALL, EapServer::Radius));
}

#[test]
fn values_that_cannot_work_are_refused_where_they_stand_with_what_to_write() {
    let rows = [
        ("[realm.\"Example.org\"]\nmethods = [\"psk\"]\n".to_owned(), ":13:", "the part behind the @"),
        ("[realm.\"a@example.org\"]\n".to_owned(), ":13:", "the part behind the @"),
        ("[realm.localhost]\n".to_owned(), ":13:", "the part behind the @"),
        ("[authentication]\nmethods = [\"eap\"]\n".to_owned(), ":13:", "no section [eap]"),
        (format!("{EAP}[authentication]\neap-server = \"radius\"\n"), ":15:", "no section [radius]"),
        ("[realm.\"example.org\"]\nmethods = [\"eap\"]\n".to_owned(), ":13:", "no section [eap]"),
        (format!("{RADIUS}[realm.\"example.org\"]\neap-server = \"local\"\n"), ":16:", "no section [eap]"),
        (EAP.replace("\"gpsk\"", "\"tls\""), ":14:", "\"tls\" needs client-ca"),
        (EAP.replace("\"gpsk\"", "\"peap\""), ":14:", "write \"tls\", \"gpsk\" or both"),
        (EAP.replace("\"gpsk\"", ""), ":14:", "no method"),
        ("[authentication]\nmethods = []\n".to_owned(), ":14:", "no method"),
        ("[authentication]\nmethods = [\"chap\"]\n".to_owned(), ":14:", "write \"psk\" or \"eap\""),
        ("[authentication]\neap-server = \"aaa\"\n".to_owned(), ":14:", "write \"radius\" or \"local\""),
        ("[authentication]\nwithout-key = [\"tls\"]\n".to_owned(), ":14:", "write \"md5\", or nothing"),
    ];
    for (lines, place, words) in rows {
        let error = loaded(&format!("{GOOD}{lines}")).unwrap_err().to_string();
        assert!(
            error.contains(&format!("/hac.toml{place}")) && error.contains(words) && error.lines().count() == 1,
            "{lines}: {error}"
        );
    }
}
