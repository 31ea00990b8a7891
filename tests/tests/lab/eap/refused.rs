//! What goes wrong between a mobile node and its EAP server: the run ends without a security association, both sides say what to do,
//! and who does it right is authenticated by the same HAC right after.

use anyhow::ensure;
use tests::lab::aaa::{ANONYMOUS, ClientCertificate, GPSK_KEY, Options, PASSWORD, ServerCertificate, certificates};
use tests::lab::deployment::{NAI, edit};
use tests::lab::inside;

use super::refusal::{CREDENTIALS, METHODS, Refusal, SERVER};
use super::{Node, carries, deployment, write_psk};

// FreeRADIUS and hostapd keep their alerts to themselves: of a certificate that they do not take the node hears EAP-Failure alone.

/// A subscriber of the same AAA server in a realm where a method without a key is not taken.
const STRICT: &str = "alice@example.com";
/// Of a realm without EAP.
const PSK_ONLY: &str = "alice@example.net";
/// What the HAC says of a method that is not named in `without-key`.
const KEYLESS: &str = "an EAP method that derives no key is refused: name it in `without-key`";

#[test]
fn a_node_with_wrong_credentials_is_told_what_to_check_and_gets_nothing() {
    inside(|lab| {
        let server = lab.freeradius(&Options::default())?;
        let mut deployment = deployment(lab, &[&server], |_| Ok(()))?;
        let wrong = |method| Node { password: "wrong", ..Node::by(method) };
        let showing = |certificate| Node { certificate, ..Node::by("tls") };
        let bob = Node { outer: NAI, ..showing(ClientCertificate::Bob) };
        for (what, node) in [
            ("ttls-pap, wrong password", wrong("ttls-pap")),
            ("ttls-mschapv2, wrong password", wrong("ttls-mschapv2")),
            ("peap-mschapv2, wrong password", wrong("peap-mschapv2")),
            ("md5, wrong password", wrong("md5")),
            ("expired certificate", showing(ClientCertificate::Expired)),
            ("another CA's certificate", showing(ClientCertificate::OtherAuthority)),
            ("Bob's certificate under Alice's name", bob),
            ("a name of another realm than the certificate's", Node::by("tls").named("alice@example.edu")),
        ] {
            Refusal::new(what, node, "401", &[CREDENTIALS]).check(lab, &mut deployment)?;
        }
        carries(lab, &mut deployment, &Node::by("ttls-pap"))
    });
}

#[test]
fn a_method_that_is_not_there_or_not_taken_is_named_and_so_is_a_realm_without_eap() {
    inside(|lab| {
        let server = lab.freeradius(&Options { users: &[(NAI, PASSWORD), (STRICT, PASSWORD)], ..Options::default() })?;
        let mut deployment = deployment(lab, &[&server], |config| {
            edit(config, &["realm", "example.com", "without-key"], toml::Value::Array(Vec::new()))?;
            edit(config, &["realm", "example.net", "methods"], vec!["psk"].into())
        })?;
        lab.expect_warning("hac", KEYLESS);
        let common = &["how nodes of this realm authenticate", "`methods`"];
        for refusal in [
            Refusal::new("a method that the server lacks", Node::by("gpsk"), "401", &[METHODS]),
            Refusal::new("a realm without EAP", Node::by("tls").named(PSK_ONLY), "501", common),
            Refusal::new("md5 where it is not taken", Node::by("md5").named(STRICT), "401", &[CREDENTIALS]),
        ] {
            refusal.check(lab, &mut deployment)?;
        }
        carries(lab, &mut deployment, &Node::by("md5"))
    });
}

#[test]
fn a_server_with_a_wrong_certificate_hears_no_password() {
    inside(|lab| {
        let node = Node { outer: ANONYMOUS, ..Node::by("ttls-pap") };
        let mut server = lab.freeradius(&Options::default())?;
        let mut deployment = deployment(lab, &[&server], |_| Ok(()))?;
        let elsewhere = Node { server_name: certificates::OTHER_SERVER_NAME, ..node.clone() };
        let misled = Refusal::new("another name is looked for", elsewhere, "401", &["for another name", SERVER]);
        misled.check(lab, &mut deployment)?;
        for (certificate, says) in [
            (ServerCertificate::Expired, "has expired"),
            (ServerCertificate::OtherName, "for another name"),
            (ServerCertificate::OtherAuthority, "not signed by a CA that is trusted"),
            (ServerCertificate::OtherPurpose, "is refused"),
        ] {
            drop(server);
            server = lab.freeradius(&Options { certificate, ..Options::default() })?;
            let what = format!("{certificate:?}");
            Refusal::new(&what, node.clone(), "401", &[says, SERVER]).check(lab, &mut deployment)?;
        }
        ensure!(server.log().contains(ANONYMOUS), "FreeRADIUS has not logged who asks");
        ensure!(!server.log().contains(PASSWORD), "a server that is not trusted was told the password");
        drop(server);
        let server = lab.freeradius(&Options::default())?;
        carries(lab, &mut deployment, &node)?;
        ensure!(server.log().contains(PASSWORD), "FreeRADIUS does not log what it is told");
        Ok(())
    });
}

#[test]
fn hostapd_refuses_a_wrong_key_password_and_certificate() {
    inside(|lab| {
        let server = lab.hostapd(&Options::default())?;
        let mut deployment = deployment(lab, &[&server], |_| Ok(()))?;
        write_psk(lab, &GPSK_KEY.replace('5', "6"))?;
        let wrong = |method| Node { password: "wrong", ..Node::by(method) };
        let showing = |certificate| Node { certificate, ..Node::by("tls") };
        for (what, node) in [
            ("gpsk, wrong key", Node::by("gpsk")),
            ("ttls-mschapv2, wrong password", wrong("ttls-mschapv2")),
            ("peap-mschapv2, wrong password", wrong("peap-mschapv2")),
            ("expired certificate", showing(ClientCertificate::Expired)),
            ("another CA's certificate", showing(ClientCertificate::OtherAuthority)),
        ] {
            Refusal::new(what, node, "401", &[CREDENTIALS]).check(lab, &mut deployment)?;
        }
        write_psk(lab, GPSK_KEY)?;
        carries(lab, &mut deployment, &Node::by("gpsk"))
    });
}
