//! Mobile nodes with EAP, whom an operator's AAA server or the HAC itself authenticates. Here is what the cases share; each of the
//! modules has those of one topic.

mod asked;
mod framed;
mod good;
mod local;
mod over_tls;
mod rate;
mod refusal;
mod refused;
mod resumption;
mod servers;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::lab::aaa::{ANONYMOUS, ClientCertificate, PASSWORD, SECRET, SERVER_NAME};
use tests::lab::deployment::{NAI, SOON, configuration, edit};
use tests::lab::{AaaServer, Deployment, Lab, Setup, plan, programs, wait_for};

/// How a mobile node authenticates.
#[derive(Clone, Debug)]
struct Node<'a> {
    method: &'a str,
    /// Its name, in [identity].
    nai: &'a str,
    /// What it calls itself outside of tunnels.
    outer: &'a str,
    server_name: &'a str,
    certificate: ClientCertificate,
    password: &'a str,
    /// Who signs the EAP server's certificate; the AAA's authority where nothing is said.
    authority: Option<PathBuf>,
}

impl<'a> Node<'a> {
    /// Everything right.
    fn by(method: &'a str) -> Self {
        let outer = if matches!(method, "md5" | "gpsk") { NAI } else { ANONYMOUS };
        let (certificate, password) = (ClientCertificate::Alice, PASSWORD);
        Self { method, nai: NAI, outer, server_name: SERVER_NAME, certificate, password, authority: None }
    }

    /// Under another name, inside and outside.
    fn named(self, nai: &'a str) -> Self {
        Self { nai, outer: nai, ..self }
    }

    /// Writes its name and the section `[eap]`.
    fn configure(&self, lab: &Lab) -> Result<()> {
        let certificates = lab.aaa_certificates()?;
        let own = certificates.client(self.certificate);
        let authority = self.authority.clone().unwrap_or_else(|| certificates.authority());
        let password = lab.folder().join("mn/password");
        std::fs::write(&password, format!("{}\n", self.password))?;
        let mut section = toml::Table::new();
        section.insert("methods".to_owned(), vec![self.method].into());
        for (key, value) in [
            ("anonymous-identity", self.outer.to_owned()),
            ("server-name", self.server_name.to_owned()),
            ("ca", text(&authority)?),
            ("certificate", text(&own.certificate)?),
            ("key", text(&own.key)?),
            ("password-file", text(&password)?),
        ] {
            section.insert(key.to_owned(), value.into());
        }
        let config = configuration(lab, "mn")?;
        edit(&config, &["identity", "nai"], self.nai.into())?;
        edit(&config, &["eap"], section.into())
    }
}

fn text(path: &Path) -> Result<String> {
    path.to_str().map(ToOwned::to_owned).context("the lab's folder is no UTF-8")
}

/// A HAC that asks these AAA servers, with what `change` does to its `hac.toml`, and its home agent.
fn deployment<'lab>(
    lab: &'lab Lab,
    servers: &[&AaaServer],
    change: impl FnOnce(&Path) -> Result<()>,
) -> Result<Deployment<'lab>> {
    lab.attach(plan::WIFI)?;
    Deployment::configured(lab, &Setup::default(), |lab| {
        let config = configuration(lab, "hac")?;
        write_secret(lab, SECRET)?;
        let addresses: Vec<_> = servers.iter().map(|server| server.address().to_string()).collect();
        edit(&config, &["radius", "servers"], addresses.into())?;
        edit(&config, &["radius", "secret-file"], "radius-secret".into())?;
        edit(&config, &["authentication", "without-key"], vec!["md5"].into())?;
        change(&config)
    })
}

/// What the HAC shares with the AAA servers.
fn write_secret(lab: &Lab, secret: &str) -> Result<()> {
    Ok(std::fs::write(lab.folder().join("hac/radius-secret"), format!("{secret}\n"))?)
}

/// The key of EAP-GPSK, hexadecimal digits.
fn write_psk(lab: &Lab, key: &str) -> Result<()> {
    Ok(std::fs::write(lab.folder().join("mn/psk"), format!("{key}\n"))?)
}

/// The node is registered, and packets of both families go both ways.
fn carries(lab: &Lab, deployment: &mut Deployment<'_>, node: &Node<'_>) -> Result<()> {
    node.configure(lab)?;
    deployment.mn_up(&[])?;
    deployment.ping_everywhere()?;
    leaves(deployment)
}

/// The node ends in order.
fn leaves(deployment: &mut Deployment<'_>) -> Result<()> {
    let status = deployment.mn()?.terminate(SOON)?;
    ensure!(status.success(), "mn ended with {status}");
    Ok(())
}

/// Starts the node without waiting for anything.
fn start(lab: &Lab, deployment: &mut Deployment<'_>, node: &Node<'_>) -> Result<()> {
    node.configure(lab)?;
    let config = text(&configuration(lab, "mn")?)?;
    let words = ["-c", &config, "up", "--foreground"];
    deployment.mn = Some(lab.spawn(plan::MN, "mn", &programs::path("mn")?, &words)?);
    Ok(())
}

/// Access-Requests that a FreeRADIUS has received.
fn requests(server: &AaaServer) -> usize {
    server.log().matches("Received Access-Request").count()
}

/// What `mn status` has as `last_error`, once there is one.
fn last_error(deployment: &mut Deployment<'_>) -> Result<String> {
    wait_for("mn to say what is wrong", SOON, || {
        let status = deployment.status("mn")?;
        Ok(status["last_error"].as_str().map(ToOwned::to_owned))
    })
}

/// How many sessions have ended in each way, none being open.
fn endings(deployment: &Deployment<'_>) -> Result<Vec<(String, u64)>> {
    deployment.sessions()?;
    let status = deployment.status("hac")?;
    let counted = status["sessions"].as_object().context("the HAC counts no sessions")?;
    Ok(counted.iter().map(|(name, count)| (name.clone(), count.as_u64().unwrap_or(0))).collect())
}

/// The entries of `hac sa list`.
fn associations(deployment: &Deployment<'_>) -> Result<Vec<Value>> {
    let (list, _) = deployment.json("hac", &["sa", "list"])?;
    list["security_associations"].as_array().cloned().context("`hac sa list --json` has no list")
}

/// The names of `hac subscriber list`.
fn subscribers(deployment: &Deployment<'_>) -> Result<Vec<String>> {
    let (list, _) = deployment.json("hac", &["subscriber", "list"])?;
    let list = list["subscribers"].as_array().context("`hac subscriber list --json` has no list")?;
    Ok(list.iter().filter_map(|one| one["nai"].as_str()).map(ToOwned::to_owned).collect())
}
