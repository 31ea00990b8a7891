//! Mobile nodes whom an operator's own AAA server authenticates, and those with certificates or keys whom the HAC itself does.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use tests::lab::aaa::{ANONYMOUS, ClientCertificate, Options, PASSWORD, SECRET, SERVER_NAME, Versions};
use tests::lab::deployment::{NAI, SOON, configuration, edit};
use tests::lab::{AaaServer, Deployment, Lab, Setup, aaa, inside, plan};

/// How a mobile node authenticates.
struct Node<'a> {
    method: &'a str,
    identity: &'a str,
    server_name: &'a str,
    certificate: ClientCertificate,
    password: &'a str,
}

impl<'a> Node<'a> {
    /// Everything right.
    fn by(method: &'a str) -> Self {
        let identity = if matches!(method, "md5" | "gpsk") { NAI } else { ANONYMOUS };
        Self { method, identity, server_name: SERVER_NAME, certificate: ClientCertificate::Alice, password: PASSWORD }
    }

    /// Writes the section `[eap]`.
    fn configure(&self, lab: &Lab) -> Result<()> {
        let certificates = lab.aaa_certificates()?;
        let own = certificates.client(self.certificate);
        let password = lab.folder().join("mn/password");
        std::fs::write(&password, format!("{}\n", self.password))?;
        let text = |path: &Path| path.to_str().map(ToOwned::to_owned).context("the lab's folder is no UTF-8");
        let mut section = toml::Table::new();
        section.insert("methods".to_owned(), vec![self.method].into());
        for (key, value) in [
            ("anonymous-identity", self.identity.to_owned()),
            ("server-name", self.server_name.to_owned()),
            ("ca", text(&certificates.authority())?),
            ("certificate", text(&own.certificate)?),
            ("key", text(&own.key)?),
            ("password-file", text(&password)?),
        ] {
            section.insert(key.to_owned(), value.into());
        }
        edit(&configuration(lab, "mn")?, &["eap"], section.into())
    }
}

/// A HAC that asks the AAA server at `address`, and its home agent.
fn deployment<'lab>(lab: &'lab Lab, server: &AaaServer) -> Result<Deployment<'lab>> {
    lab.attach(plan::WIFI)?;
    Deployment::configured(lab, &Setup::default(), |lab| {
        let config = configuration(lab, "hac")?;
        let secret = lab.folder().join("hac/radius-secret");
        std::fs::write(&secret, format!("{SECRET}\n"))?;
        edit(&config, &["radius", "servers"], vec![server.address().to_string()].into())?;
        edit(&config, &["radius", "secret-file"], "radius-secret".into())?;
        edit(&config, &["authentication", "without-key"], vec!["md5"].into())
    })
}

/// The node is registered, and packets of both families go both ways.
fn carries(lab: &Lab, deployment: &mut Deployment<'_>, node: &Node<'_>) -> Result<()> {
    node.configure(lab)?;
    deployment.mn_up(&[])?;
    deployment.ping_everywhere()?;
    let status = deployment.mn()?.terminate(SOON)?;
    ensure!(status.success(), "mn ended with {status}");
    Ok(())
}

fn each_carries(lab: &Lab, deployment: &mut Deployment<'_>, methods: &[&str]) -> Result<()> {
    for method in methods {
        carries(lab, deployment, &Node::by(method)).with_context(|| format!("by {method}"))?;
    }
    Ok(())
}

#[test]
fn freeradius_authenticates_by_every_method_under_tls_1_2() {
    inside(|lab| {
        let server = lab.freeradius(&Options { versions: Versions::Tls12, ..Options::default() })?;
        let mut deployment = deployment(lab, &server)?;
        each_carries(lab, &mut deployment, &["tls", "ttls-pap", "ttls-mschapv2", "peap-mschapv2", "md5"])
    });
}

#[test]
fn freeradius_authenticates_by_every_method_under_tls_1_3() {
    inside(|lab| {
        let server = lab.freeradius(&Options { versions: Versions::Tls13, ..Options::default() })?;
        let mut deployment = deployment(lab, &server)?;
        each_carries(lab, &mut deployment, &["tls", "ttls-pap", "ttls-mschapv2", "peap-mschapv2"])
    });
}

#[test]
fn hostapd_authenticates_by_a_shared_key_and_over_tls() {
    inside(|lab| {
        let server = lab.hostapd(&Options::default())?;
        let mut deployment = deployment(lab, &server)?;
        std::fs::write(lab.folder().join("mn/psk"), format!("{}\n", aaa::GPSK_KEY))?;
        each_carries(lab, &mut deployment, &["gpsk", "tls", "ttls-pap", "ttls-mschapv2", "peap-mschapv2"])
    });
}
