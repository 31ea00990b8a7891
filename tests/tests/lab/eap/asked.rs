//! What AAA servers ask for by themselves (RFC 5176), with FreeRADIUS's own client: it is in force at once, and the node does what it can.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tests::lab::aaa::radclient::DYNAMIC_AUTHORIZATION;
use tests::lab::aaa::{AaaServer, Options};
use tests::lab::deployment::{NAI, SOON, edit};
use tests::lab::{Deployment, Lab, inside, plan, wait_for};

use super::{Node, associations, deployment, leaves};

/// What ends is in force at a connected home agent within so long.
const IN_FORCE: Duration = Duration::from_secs(1);

/// A node that is registered, at a HAC that may be asked.
fn registered<'lab>(lab: &'lab Lab, server: &AaaServer) -> Result<Deployment<'lab>> {
    let mut deployment =
        deployment(lab, &[server], |config| edit(config, &["radius", "dynamic-authorization"], DYNAMIC_AUTHORIZATION.into()))?;
    Node::by("ttls-mschapv2").configure(lab)?;
    deployment.mn_up(&[])?;
    deployment.ping_everywhere()?;
    Ok(deployment)
}

/// The SPIs of `hac sa list`.
fn live(deployment: &Deployment<'_>) -> Result<Vec<String>> {
    let spi = |association: &serde_json::Value| association["spi"].as_str().map(ToOwned::to_owned);
    Ok(associations(deployment)?.iter().filter_map(spi).collect())
}

/// Waits until the node is bound under another SPI than this; it has something to say meanwhile, since who says nothing notices nothing.
fn comes_back(deployment: &Deployment<'_>, lab: &Lab, before: &str) -> Result<()> {
    wait_for("the node to come back with new keys", SOON, || {
        lab.ping(plan::MN, plan::CN4, 1)?;
        let bindings = deployment.bindings()?;
        let spi = bindings["bindings"][0]["spi"].as_str();
        Ok(spi.is_some_and(|spi| spi != before).then_some(()))
    })
}

#[test]
fn a_disconnect_request_is_in_force_within_a_second_and_the_node_comes_back_with_new_keys() {
    inside(|lab| {
        let server = lab.freeradius(&Options::default())?;
        let mut deployment = registered(lab, &server)?;
        lab.allow_warning("mn", "the home agent does not answer");
        let before = live(&deployment)?.pop().context("nothing is live")?;

        let nobody = lab.radclient("disconnect", "User-Name = \"nobody@example.org\"")?;
        ensure!(!nobody.is_done && nobody.output.contains("Session-Context-Not-Found"), "{nobody:?}");
        ensure!(live(&deployment)? == [before.clone()], "something has ended");

        let asked = lab.radclient("disconnect", &format!("User-Name = \"{NAI}\""))?;
        ensure!(asked.is_done, "{asked:?}");
        let since = Instant::now();
        wait_for("the home agent to drop what was ended", SOON, || {
            let bindings = deployment.bindings()?;
            Ok((!bindings.to_string().contains(&before)).then_some(()))
        })?;
        ensure!(since.elapsed() < IN_FORCE, "the home agent held it for {:?}", since.elapsed());
        comes_back(&deployment, lab, &before)?;
        deployment.ping_everywhere()?;
        let counted = deployment.status("hac")?["dynamic_authorization"].clone();
        ensure!(counted["disconnects"] == 1 && counted["refusals"] == 1, "{counted}");
        leaves(&mut deployment)
    });
}

#[test]
fn a_node_that_is_to_be_authorised_anew_asks_the_server_again_and_has_new_keys() {
    inside(|lab| {
        let server = lab.freeradius(&Options::default())?;
        let mut deployment = registered(lab, &server)?;
        let (before, requests) = (live(&deployment)?.pop().context("nothing is live")?, super::requests(&server));
        let asked = lab.radclient("coa", &format!("User-Name = \"{NAI}\"\nService-Type = Authorize-Only\nState = 0x01"))?;
        ensure!(!asked.is_done && asked.output.contains("CoA-NAK") && asked.output.contains("Request-Initiated"), "{asked:?}");
        wait_for("the node to have new keys", SOON, || {
            let bindings = deployment.bindings()?;
            let spi = bindings["bindings"][0]["spi"].as_str().context("the node is not bound any more")?;
            Ok((spi != before).then_some(()))
        })?;
        ensure!(super::requests(&server) > requests, "the AAA server was not asked");
        deployment.ping_everywhere()?;

        let asked = lab.radclient("coa", &format!("User-Name = \"{NAI}\"\nClass = 0x7376"))?;
        ensure!(asked.is_done, "{asked:?}");
        let counted = deployment.status("hac")?["dynamic_authorization"].clone();
        ensure!(counted["reauthorisations"] == 1 && counted["changes"] == 1, "{counted}");
        leaves(&mut deployment)
    });
}
