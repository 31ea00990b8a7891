//! What HAC and mobile node refuse, seen from outside: a message and an exit code for the person who runs `mn up`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, ensure};
use tests::lab::deployment::{self, NAI, SOON};
use tests::lab::{Daemon, Deployment, Lab, inside, plan, programs, wait_for};

/// The router's address on wifi.
const RELAY: &str = "198.51.100.1";

/// What `mn up` says when the proof of the key does not fit, whether the key, the name or the channel is another.
const NOT_KNOWN: &str = "the HAC does not know this node by this key";

/// HAC and home agent serve, the mobile node has a network, knows the HAC's address there, and is not started.
fn ready(lab: &Lab) -> Result<Deployment<'_>> {
    lab.attach(plan::WIFI)?;
    let deployment = Deployment::start(lab, "AES_128_GCM")?;
    hac_is_at(lab, &plan::HAC4.to_string())?;
    Ok(deployment)
}

fn hac_is_at(lab: &Lab, address: &str) -> Result<()> {
    deployment::edit(&mn_file(lab, "mn.toml"), &["hac", "addresses"], vec![address].into())
}

/// A file of the mobile node's folder.
fn mn_file(lab: &Lab, name: &str) -> PathBuf {
    lab.folder().join("mn").join(name)
}

/// `mn up` must fail; gives what it said. The node that goes on trying in the background is ended.
fn up_fails(deployment: &Deployment<'_>) -> Result<String> {
    let output: Output = deployment.command("mn", &["up"])?;
    let said = programs::said(&output);
    ensure!(output.status.code() == Some(1), "mn up ended with {}, not with exit code 1:\n{said}", output.status);
    deployment.command("mn", &["down"])?;
    Ok(said)
}

/// `mn up` goes on, and says at once why it does not get through, in these words. The node in the background is ended.
pub(crate) fn up_says(lab: &Lab, deployment: &Deployment<'_>, words: &[&str]) -> Result<()> {
    lab.expect_warning("mn", "MHAuth failed; it will be tried again");
    let mut command: Command = lab.command(plan::MN, programs::path("mn")?);
    command.arg("-c").arg(mn_file(lab, "mn.toml")).arg("up").stdout(Stdio::piped());
    let mut up = command.spawn()?;
    let mut said = String::new();
    for line in BufReader::new(up.stdout.take().context("no output")?).lines() {
        said = format!("{said}{}\n", line?);
        if words.iter().all(|words| said.contains(words)) {
            break;
        }
    }
    up.kill()?;
    up.wait()?;
    ensure!(words.iter().all(|words| said.contains(words)), "{words:?} were expected of mn up:\n{said}");
    let down = deployment.command("mn", &["down"])?;
    ensure!(down.status.success(), "the node has not gone on: {}", programs::said(&down));
    Ok(())
}

/// Whether the mobile node's guard stands.
fn is_guarded(lab: &Lab) -> Result<bool> {
    Ok(lab.run(plan::MN, &["nft", "list", "tables"])?.contains("inet haltsec-"))
}

/// The right key and name still work afterwards: nothing was lost by the refusal.
fn still_works(deployment: &mut Deployment<'_>) -> Result<()> {
    deployment.mn_up(&[])?;
    deployment.ping_everywhere()
}

#[test]
fn a_wrong_pre_shared_key_is_refused() {
    inside(|lab| {
        let mut deployment = ready(lab)?;
        lab.expect_warning("mn", "its leak guard stays");
        let right = std::fs::read(mn_file(lab, "psk"))?;
        std::fs::write(mn_file(lab, "psk"), "42".repeat(32))?;
        let said = up_fails(&deployment)?;
        ensure!(said.contains(NOT_KNOWN), "mn up does not name the reason:\n{said}");
        ensure!(!said.contains(&"42".repeat(8)), "mn up prints the key:\n{said}");
        std::fs::write(mn_file(lab, "psk"), &right)?;
        still_works(&mut deployment)?;
        // Who was killed is guarded; that the next run is refused is no reason to let him out.
        deployment.mn()?.kill()?;
        std::fs::write(mn_file(lab, "psk"), "42".repeat(32))?;
        let refused = deployment.command("mn", &["up"])?;
        ensure!(refused.status.code() == Some(1) && is_guarded(lab)?, "not guarded any more: {}", programs::said(&refused));
        let down = deployment.command("mn", &["down"])?;
        ensure!(down.status.success() && !is_guarded(lab)?, "{}", programs::said(&down));
        std::fs::write(mn_file(lab, "psk"), right)?;
        still_works(&mut deployment)
    });
}

#[test]
fn an_unknown_name_is_refused() {
    inside(|lab| {
        let mut deployment = ready(lab)?;
        deployment::edit(&mn_file(lab, "mn.toml"), &["identity", "nai"], "mallory@example.org".into())?;
        let said = up_fails(&deployment)?;
        ensure!(said.contains(NOT_KNOWN), "mn up does not name the reason:\n{said}");
        deployment::edit(&mn_file(lab, "mn.toml"), &["identity", "nai"], NAI.into())?;
        still_works(&mut deployment)
    });
}

#[test]
fn a_node_of_another_profile_than_its_subscriber_is_refused_and_works_in_the_drafts_as_hac_wrote_it() {
    inside(|lab| {
        let mut deployment = ready(lab)?;
        let (folder, hac) = (lab.folder().join("bob"), plan::HAC4.to_string());
        let out = folder.to_str().context("no UTF-8")?;
        let words = ["subscriber", "add", "bob@example.org", "--profile", "draft-04", "--connect", &hac, "--out", out];
        let added = deployment.command("hac", &words)?;
        ensure!(added.status.success(), "{}", programs::said(&added));
        for name in ["mn.toml", "psk"] {
            std::fs::copy(folder.join(name), mn_file(lab, name))?;
        }
        deployment::edit(&mn_file(lab, "mn.toml"), &["policy", "profile"], "rfc6618".into())?;
        let said = up_fails(&deployment)?;
        ensure!(said.contains(NOT_KNOWN) && said.contains("`profile` in [policy]"), "mn up does not name the reason:\n{said}");
        std::fs::copy(folder.join("mn.toml"), mn_file(lab, "mn.toml"))?;
        still_works(&mut deployment)
    });
}

#[test]
fn a_hac_of_another_authority_is_refused_before_anything_is_said() {
    inside(|lab| {
        let mut deployment = ready(lab)?;
        let other = lab.folder().join("other");
        let folder = other.to_str().context("no UTF-8")?;
        programs::run(lab.command(plan::HAC, programs::path("hac")?).args(["init", "--dir", folder]))?;
        let right = std::fs::read(mn_file(lab, "ca.pem"))?;
        std::fs::copy(other.join("ca.pem"), mn_file(lab, "ca.pem"))?;
        up_says(lab, &deployment, &["was not trusted", "copy the operator's ca.pem again"])?;
        ensure!(!deployment.hac.log().contains(NAI), "the HAC learned the name before its certificate was accepted");
        std::fs::write(mn_file(lab, "ca.pem"), right)?;
        still_works(&mut deployment)
    });
}

#[test]
fn a_hac_with_a_wildcard_certificate_is_refused() {
    inside(|lab| certificate_is_refused(lab, "*.example.org"));
}

#[test]
fn a_hac_with_a_certificate_for_another_name_is_refused() {
    inside(|lab| certificate_is_refused(lab, "other.example.org"));
}

/// The operator's own authority signs, but the subject alternative name is not the HAC's. (`hac serve` would not start with it.)
fn certificate_is_refused(lab: &Lab, name: &str) -> Result<()> {
    let mut deployment = ready(lab)?;
    issue(&lab.folder().join("hac"), name, "relay")?;
    let relay = relay(lab, plan::NET, &format!("{RELAY}:{}", plan::PORT))?;
    hac_is_at(lab, RELAY)?;
    up_says(lab, &deployment, &["certificate is for", name])?;
    ensure!(!relay.log().contains("relaying"), "the node said something under that certificate: {}", relay.log());
    hac_is_at(lab, &plan::HAC4.to_string())?;
    still_works(&mut deployment)
}

/// At `here` in a namespace: shows the certificate `relay.pem` of the HAC's folder, and passes on to the HAC what comes.
pub(crate) fn relay(lab: &Lab, namespace: &str, here: &str) -> Result<Daemon> {
    let hac = lab.folder().join("hac");
    let path = |file: &str| hac.join(file).to_string_lossy().into_owned();
    let to = format!("{}:{}", plan::HAC4, plan::PORT);
    let files = ["--certificate", &path("relay.pem"), "--key", &path("relay-key.pem"), "--ca", &path("ca.pem")];
    let words = [&["relay", here, "--to", &to, "--name", "hac.example.org"], &files[..]].concat();
    let relay = lab.spawn(namespace, "relay", &programs::path("labtool")?, &words)?;
    wait_for("the relay to listen", SOON, || Ok(lab.run(namespace, &["ss", "-Hltn"])?.contains(here).then_some(())))?;
    Ok(relay)
}

/// Writes STEM.pem, a certificate with one dNSName signed by the folder's authority, and STEM-key.pem.
pub(crate) fn issue(hac: &Path, name: &str, stem: &str) -> Result<()> {
    let read = |file: &str| std::fs::read_to_string(hac.join(file)).with_context(|| format!("cannot read {file}"));
    let ca_key = rcgen::KeyPair::from_pem(&read("ca-key.pem")?)?;
    let issuer = rcgen::Issuer::from_ca_cert_pem(&read("ca.pem")?, ca_key)?;
    let key = rcgen::KeyPair::generate()?;
    let mut parameters = rcgen::CertificateParams::new(Vec::new())?;
    parameters.subject_alt_names = vec![rcgen::SanType::DnsName(name.try_into()?)];
    parameters.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = parameters.signed_by(&key, &issuer)?;
    std::fs::write(hac.join(format!("{stem}.pem")), certificate.pem())?;
    std::fs::write(hac.join(format!("{stem}-key.pem")), key.serialize_pem())?;
    Ok(())
}

/// Somebody with a certificate of the HAC's name passes the octets on between two TLS connections, unchanged.
#[test]
fn a_relay_between_two_tls_connections_is_found_by_the_channel_binding() {
    inside(|lab| {
        let mut deployment = ready(lab)?;
        issue(&lab.folder().join("hac"), "hac.example.org", "relay")?;
        let relay = relay(lab, plan::NET, &format!("{RELAY}:{}", plan::PORT))?;
        hac_is_at(lab, RELAY)?;
        let said = up_fails(&deployment)?;
        ensure!(relay.log().contains("relaying"), "the relay did not come between: {}\nmn said: {said}", relay.log());
        ensure!(said.contains(NOT_KNOWN), "mn up does not name the reason:\n{said}");
        ensure!(deployment.bindings()?["bindings"].as_array().is_some_and(Vec::is_empty), "a binding came to be");
        hac_is_at(lab, &plan::HAC4.to_string())?;
        still_works(&mut deployment)
    });
}
