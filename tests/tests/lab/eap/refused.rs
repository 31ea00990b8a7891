//! What goes wrong between a mobile node and its EAP server: the run ends without a security association, both sides say what to do,
//! and who does it right is authenticated by the same HAC right after.

use anyhow::ensure;
use tests::lab::aaa::{ANONYMOUS, ClientCertificate, GPSK_KEY, Options, PASSWORD, ServerCertificate, Versions, certificates};
use tests::lab::deployment::{NAI, edit};
use tests::lab::inside;

use super::refusal::{CREDENTIALS, Refusal, SERVER};
use super::{Node, carries, deployment, write_psk};

/// A subscriber of the same AAA server in a realm where a method without a key is not taken.
const STRICT: &str = "alice@example.com";
/// Of a realm without EAP.
const PSK_ONLY: &str = "alice@example.net";
/// What the HAC says of a method that is not named in `without-key`.
const KEYLESS: &str = "an EAP method that derives no key is refused: name it in `without-key`";

#[test]
fn a_node_with_wrong_credentials_is_told_what_to_check_and_gets_nothing() {
    inside(|lab| {
        let server = lab.freeradius(&Options { users: &[(NAI, PASSWORD), (STRICT, PASSWORD)], ..Options::default() })?;
        let mut deployment = deployment(lab, &[&server], |config| {
            edit(config, &["realm", "example.com", "without-key"], toml::Value::Array(Vec::new()))?;
            edit(config, &["realm", "example.net", "methods"], vec!["psk"].into())
        })?;
        let wrong = |method| Node { password: "wrong", ..Node::by(method) };
        let showing = |certificate| Node { certificate, ..Node::by("tls") };
        for refusal in [
            Refusal::new("ttls-pap, wrong password", wrong("ttls-pap"), "401", &[CREDENTIALS]),
            Refusal::new("ttls-mschapv2, wrong password", wrong("ttls-mschapv2"), "401", &[CREDENTIALS]),
            Refusal::new("peap-mschapv2, wrong password", wrong("peap-mschapv2"), "401", &[CREDENTIALS]),
            Refusal::new("md5, wrong password", wrong("md5"), "401", &[CREDENTIALS]),
            Refusal::new("expired certificate", showing(ClientCertificate::Expired), "401", &[CREDENTIALS]),
            Refusal::new("another CA's", showing(ClientCertificate::OtherAuthority), "401", &[CREDENTIALS]),
            Refusal::new(
                "Bob's under Alice's name",
                Node { outer: NAI, ..showing(ClientCertificate::Bob) },
                "401",
                &[CREDENTIALS],
            ),
            Refusal::new("a name of another realm", Node::by("tls").named("alice@example.edu"), "401", &[CREDENTIALS]),
        ] {
            refusal.check(lab, &mut deployment)?;
        }
        carries(lab, &mut deployment, &Node::by("ttls-pap"))?;
        for refusal in [
            Refusal::new(
                "a method that the server lacks",
                Node::by("gpsk"),
                "401",
                &["which EAP methods there are", "`methods`"],
            ),
            Refusal::new(
                "a realm without EAP",
                Node::by("tls").named(PSK_ONLY),
                "501",
                &["how nodes of this realm authenticate", "`methods`"],
            ),
        ] {
            refusal.check(lab, &mut deployment)?;
        }
        lab.expect_warning("hac", KEYLESS);
        Refusal::new("md5 where it is not taken", Node::by("md5").named(STRICT), "401", &[CREDENTIALS])
            .check(lab, &mut deployment)?;
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
        Refusal::new("another name is looked for", elsewhere, "401", &["for another name", SERVER])
            .check(lab, &mut deployment)?;
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
        ensure!(
            server.log().contains(PASSWORD),
            "FreeRADIUS does not log what it is told: that it is told nothing proves nothing"
        );
        Ok(())
    });
}

#[test]
fn hostapd_refuses_a_wrong_key_password_and_certificate() {
    inside(|lab| {
        // In TLS 1.3 the node is done before the server has looked at its certificate, and hears of a failure alone.
        let server = lab.hostapd(&Options { versions: Versions::Tls12, ..Options::default() })?;
        let mut deployment = deployment(lab, &[&server], |_| Ok(()))?;
        write_psk(lab, &GPSK_KEY.replace('5', "6"))?;
        let wrong = |method| Node { password: "wrong", ..Node::by(method) };
        let showing = |certificate| Node { certificate, ..Node::by("tls") };
        for refusal in [
            Refusal::new("gpsk, wrong key", Node::by("gpsk"), "401", &[CREDENTIALS]),
            Refusal::new("ttls-mschapv2, wrong password", wrong("ttls-mschapv2"), "401", &[CREDENTIALS]),
            Refusal::new("peap-mschapv2, wrong password", wrong("peap-mschapv2"), "401", &[CREDENTIALS]),
            Refusal::new("expired certificate", showing(ClientCertificate::Expired), "401", &["certificate that is valid"]),
            Refusal::new("another CA's", showing(ClientCertificate::OtherAuthority), "401", &["certificate that is valid"]),
        ] {
            refusal.check(lab, &mut deployment)?;
        }
        write_psk(lab, GPSK_KEY)?;
        carries(lab, &mut deployment, &Node::by("gpsk"))
    });
}
