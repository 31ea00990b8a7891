//! Fast re-authentication: a later run resumes the TLS session of an earlier one. Who it is has to be known all the same.

use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use tests::lab::aaa::{ANONYMOUS, Options, Versions};
use tests::lab::deployment::{NAI, SOON};
use tests::lab::{AaaServer, Deployment, Lab, inside, programs, wait_for};

use super::{Node, associations, deployment, leaves, requests, subscribers};

/// A server that resumes sessions under TLS 1.3. FreeRADIUS 3.2 does not find whose the session was, and names the outer identity.
fn resuming() -> Options<'static> {
    Options { versions: Versions::Tls13, resumption: true, ..Options::default() }
}

/// What the HAC says of a server that names a realm alone.
const NAMES_NOBODY: &str = "an EAP server names nobody";

fn renew(deployment: &Deployment<'_>) -> Result<bool> {
    let output = deployment.command("mn", &["renew"])?;
    eprintln!("{}", programs::said(&output));
    Ok(output.status.success())
}

/// The node has authenticated, and once more with fewer requests; it is still registered. Its home addresses.
fn resumes(lab: &Lab, deployment: &mut Deployment<'_>, server: &AaaServer, method: &str) -> Result<Vec<IpAddr>> {
    Node { outer: NAI, ..Node::by(method) }.configure(lab)?;
    let mut asked = vec![requests(server)];
    deployment.mn_up(&[])?;
    let homes = deployment.home_addresses()?;
    asked.push(requests(server));
    ensure!(renew(deployment)?, "no renewal");
    asked.push(requests(server));
    let rounds: Vec<_> = asked.windows(2).map(|two| two[1] - two[0]).collect();
    ensure!(rounds[1] < rounds[0], "it took {} requests, and then {}", rounds[0], rounds[1]);
    ensure!(renew(deployment)?, "no second renewal");
    ensure!(deployment.home_addresses()? == homes, "other home addresses");
    deployment.ping_everywhere()?;
    Ok(homes)
}

#[test]
fn a_resumed_session_takes_fewer_requests_and_the_node_keeps_its_home_addresses() {
    inside(|lab| {
        let server = lab.freeradius(&resuming())?;
        let mut deployment = deployment(lab, &[&server], |_| Ok(()))?;
        let mut all_homes = Vec::new();
        for method in ["tls", "ttls-pap", "peap-mschapv2"] {
            all_homes.push(resumes(lab, &mut deployment, &server, method).with_context(|| format!("by {method}"))?);
            leaves(&mut deployment)?;
        }
        ensure!(all_homes.iter().all(|homes| *homes == all_homes[0]), "{all_homes:?}");
        ensure!(subscribers(&deployment)? == [NAI], "{:?}", subscribers(&deployment)?);
        Ok(())
    });
}

#[test]
fn who_is_nobody_in_a_resumed_session_is_authenticated_anew_and_nobody_is_recorded() {
    inside(|lab| {
        let server = lab.freeradius(&resuming())?;
        let mut deployment = deployment(lab, &[&server], |_| Ok(()))?;
        lab.expect_warning("hac", NAMES_NOBODY);
        lab.expect_warning("mn", "MHAuth failed");
        for method in ["tls", "ttls-pap", "peap-mschapv2"] {
            Node { outer: ANONYMOUS, ..Node::by(method) }.configure(lab)?;
            deployment.mn_up(&[])?;
            let (homes, spi) = (deployment.home_addresses()?, deployment.status("mn")?["spi"].clone());
            ensure!(!renew(&deployment)?, "{method}: granted to nobody");
            wait_for("the node to come back without resumption", SOON, || {
                let status = deployment.status("mn")?;
                Ok((status["spi"] != spi && status["state"] == "registered").then_some(()))
            })
            .with_context(|| method.to_owned())?;
            ensure!(deployment.home_addresses()? == homes, "{method}: other home addresses");
            deployment.ping_everywhere()?;
            leaves(&mut deployment)?;
        }
        ensure!(subscribers(&deployment)? == [NAI], "{:?}", subscribers(&deployment)?);
        ensure!(associations(&deployment)?.iter().all(|one| one["subscriber"] == NAI), "somebody else has an association");
        Ok(())
    });
}
