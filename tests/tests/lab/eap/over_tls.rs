//! AAA servers that are asked over TLS (RFC 6614), and servers each with its own secret.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use tests::lab::aaa::{ClientCertificate, Options, OverTls, SECRET, Versions};
use tests::lab::deployment::{SOON, configuration, edit};
use tests::lab::{AaaServer, Deployment, Lab, inside};

use super::{Node, associations, carries, deployment, last_error, leaves, requests, start, text};

/// The registered port (RFC 6614 section 2.1).
const PORT: u16 = 2083;
const SILENT: &str = "the AAA server does not answer";
const NOT_REACHED: &str = "no connection to the AAA server is of use";

/// The HAC asks over TLS alone, and shows its own certificate.
fn over_tls(lab: &Lab, config: &Path) -> Result<()> {
    let mut server = toml::Table::new();
    server.insert("tls".to_owned(), "127.0.0.1".into());
    edit(config, &["radius", "servers"], vec![server].into())?;
    edit(config, &["radius", "ca"], text(&lab.aaa_certificates()?.authority())?.into())
}

/// A FreeRADIUS that believes certificates of the HAC's own CA, and a HAC that asks it.
fn trusting<'lab>(
    lab: &'lab Lab,
    versions: Versions,
    change: impl FnOnce(&Path) -> Result<()>,
) -> Result<(AaaServer, Deployment<'lab>)> {
    let mut server = None;
    let deployment = deployment(lab, &[], |config| {
        let clients = config.with_file_name("ca.pem");
        let options = Options { over_tls: Some(OverTls { port: PORT, clients: &clients }), versions, ..Options::default() };
        server = Some(lab.freeradius(&options)?);
        over_tls(lab, config)?;
        change(config)
    })?;
    Ok((server.context("no server")?, deployment))
}

#[test]
fn freeradius_is_asked_over_tls_1_2_and_packets_are_carried() {
    inside(|lab| is_asked(lab, Versions::Tls12, "1.2"));
}

#[test]
fn freeradius_is_asked_over_tls_1_3_and_packets_are_carried() {
    inside(|lab| is_asked(lab, Versions::Tls13, "1.3"));
}

fn is_asked(lab: &Lab, versions: Versions, version: &str) -> Result<()> {
    let (server, mut deployment) = trusting(lab, versions, |_| Ok(()))?;
    for method in ["tls", "ttls-mschapv2"] {
        carries(lab, &mut deployment, &Node::by(method)).with_context(|| format!("by {method}"))?;
    }
    ensure!(requests(&server) > 0, "nobody was asked");
    let status = deployment.status("hac")?;
    let told = &status["aaa_servers"][0];
    ensure!(told["name"] == "127.0.0.1:2083" && told["transport"] == "tls" && told["alive"] == true, "{told}");
    ensure!(told["tls_version"] == version, "{told}");
    ensure!(told["counts"]["retransmissions"] == 0, "{told}");
    Ok(())
}

#[test]
fn a_server_over_tls_that_is_started_anew_is_connected_to_anew() {
    inside(|lab| {
        let (mut server, mut deployment) =
            trusting(lab, Versions::Both, |config| edit(config, &["radius", "status-server"], true.into()))?;
        carries(lab, &mut deployment, &Node::by("ttls-pap"))?;
        server.restart()?;
        carries(lab, &mut deployment, &Node::by("ttls-pap"))
    });
}

#[test]
fn a_server_over_tls_that_does_not_trust_the_hac_ends_the_run_and_the_log_says_what_to_do() {
    inside(|lab| {
        let authority = lab.aaa_certificates()?.authority();
        let clients = OverTls { port: PORT, clients: &authority };
        let _server = lab.freeradius(&Options { over_tls: Some(clients), ..Options::default() })?;
        let mut deployment = deployment(lab, &[], |config| {
            edit(config, &["radius", "timeout-seconds"], 2.into())?;
            over_tls(lab, config)
        })?;
        for warning in [SILENT, NOT_REACHED, "a mobile node is not authenticated"] {
            lab.expect_warning("hac", warning);
        }
        lab.expect_warning("mn", "MHAuth failed");
        start(lab, &mut deployment, &Node::by("ttls-pap"))?;
        let error = last_error(&mut deployment)?;
        ensure!(error.contains("504"), "{error}");
        let log = deployment.hac.log();
        ensure!(log.contains("take the certificate of this HAC") || log.contains("take its certificate?"), "{log}");

        // With a certificate of the CA that the server trusts all is well.
        let config = configuration(lab, "hac")?;
        let own = lab.aaa_certificates()?.client(ClientCertificate::Alice);
        edit(&config, &["radius", "certificate"], text(&own.certificate)?.into())?;
        edit(&config, &["radius", "key"], text(&own.key)?.into())?;
        lab.allow_warning("ha", "no subscription to the feed");
        deployment.hac.terminate(SOON)?;
        deployment.hac.restart()?;
        deployment.wait_until_serving()?;
        deployment.wait_until_registered(SOON)?;
        ensure!(associations(&deployment)?.len() == 1);
        deployment.ping_everywhere()?;
        leaves(&mut deployment)
    });
}

#[test]
fn each_of_two_servers_has_its_own_secret() {
    inside(|lab| {
        let server = lab.freeradius(&Options::default())?;
        let mut deployment = deployment(lab, &[&server], |config| {
            std::fs::write(config.with_file_name("first-secret"), "of the first alone\n")?;
            std::fs::write(config.with_file_name("second-secret"), format!("{SECRET}\n"))?;
            let one = |address: String, secret: &str| {
                toml::Table::from_iter([("address".to_owned(), address.into()), ("secret-file".to_owned(), secret.into())])
            };
            let servers =
                vec![one("127.0.0.1:1899".to_owned(), "first-secret"), one(server.address().to_string(), "second-secret")];
            edit(config, &["radius", "servers"], servers.into())?;
            tests::lab::deployment::remove(config, &["radius", "secret-file"])?;
            edit(config, &["radius", "timeout-seconds"], 1.into())
        })?;
        lab.expect_warning("hac", SILENT);
        carries(lab, &mut deployment, &Node::by("ttls-pap"))
    });
}
