//! The HAC is the EAP server itself, for the realms that it has its own subscribers in.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use tests::lab::aaa::{ClientCertificate, Options, PASSWORD};
use tests::lab::deployment::{NAI, edit};
use tests::lab::{AaaServer, Deployment, Lab, inside, programs};

use super::refusal::{CREDENTIALS, METHODS, OWN_CERTIFICATE, Refusal};
use super::{Node, associations, carries, deployment, requests, subscribers, text};

/// A subscriber whom the AAA server has, and the HAC not yet.
const CAROL: &str = "carol@example.net";
/// The name in the HAC's own certificate.
const HAC_NAME: &str = "hac.example.org";

/// The HAC has the subscribers of example.org itself, and asks for all others.
fn both<'lab>(lab: &'lab Lab, server: &AaaServer) -> Result<Deployment<'lab>> {
    let client_ca = text(&lab.aaa_certificates()?.authority())?;
    deployment(lab, &[server], |config| {
        edit(config, &["eap", "methods"], vec!["tls", "gpsk"].into())?;
        edit(config, &["eap", "client-ca"], client_ca.into())?;
        edit(config, &["realm", "example.org", "eap-server"], "local".into())
    })
}

/// One that knows the HAC's certificate as that of its EAP server.
fn own<'a>(lab: &Lab, method: &'a str) -> Node<'a> {
    let authority: PathBuf = lab.folder().join("mn/ca.pem");
    Node { server_name: HAC_NAME, authority: Some(authority), ..Node::by(method) }
}

#[test]
fn the_hac_authenticates_its_own_subscribers_and_nobody_else_who_has_a_certificate() {
    inside(|lab| {
        let server = lab.freeradius(&Options::default())?;
        let mut deployment = both(lab, &server)?;
        carries(lab, &mut deployment, &own(lab, "tls")).context("by a certificate")?;
        carries(lab, &mut deployment, &own(lab, "gpsk")).context("by the subscriber's key")?;
        let bob = Node { certificate: ClientCertificate::Bob, ..own(lab, "tls") };
        Refusal::new("Bob, who is no subscriber", bob, "401", &[CREDENTIALS]).check(lab, &mut deployment)?;
        let expired = Node { certificate: ClientCertificate::Expired, ..own(lab, "tls") };
        Refusal::new("expired certificate", expired, "401", &[OWN_CERTIFICATE]).check(lab, &mut deployment)?;
        let stranger = Node { certificate: ClientCertificate::OtherAuthority, ..own(lab, "tls") };
        Refusal::new("another CA's", stranger, "401", &[OWN_CERTIFICATE]).check(lab, &mut deployment)?;
        let lacking = Refusal::new("a method that the HAC lacks", own(lab, "ttls-pap"), "401", &[METHODS]);
        lacking.check(lab, &mut deployment)?;
        carries(lab, &mut deployment, &own(lab, "tls")).context("by a certificate, afterwards")?;
        ensure!(requests(&server) == 0, "the AAA server was asked for a realm that is not its own");
        Ok(())
    });
}

#[test]
fn of_two_realms_one_is_the_hacs_own_and_the_other_the_aaa_servers() {
    inside(|lab| {
        let server = lab.freeradius(&Options { users: &[(CAROL, PASSWORD)], ..Options::default() })?;
        let mut deployment = both(lab, &server)?;
        let carol = Node { outer: "@example.net", ..Node::by("ttls-pap").named(CAROL) };
        carries(lab, &mut deployment, &carol).context("by the AAA server")?;
        carries(lab, &mut deployment, &own(lab, "gpsk")).context("by the HAC")?;
        ensure!(subscribers(&deployment)? == [NAI, CAROL], "{:?}", subscribers(&deployment)?);
        let owners = associations(&deployment)?;
        ensure!([NAI, CAROL].iter().all(|name| owners.iter().any(|one| one["subscriber"] == *name)), "{owners:?}");
        let disabled = deployment.command("hac", &["subscriber", "disable", CAROL])?;
        ensure!(disabled.status.success(), "{}", programs::said(&disabled));
        Refusal::new("disabled here", carol.clone(), "401", &[CREDENTIALS]).check(lab, &mut deployment)?;
        let enabled = deployment.command("hac", &["subscriber", "enable", CAROL])?;
        ensure!(enabled.status.success(), "{}", programs::said(&enabled));
        carries(lab, &mut deployment, &carol).context("enabled again")
    });
}
