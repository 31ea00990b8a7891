//! Every method at servers of others, under each version of TLS, carries packets in the end.

use anyhow::{Context, Result, ensure};
use tests::lab::aaa::{GPSK_KEY, Options, Versions};
use tests::lab::deployment::NAI;
use tests::lab::{Deployment, Lab, inside};

use super::{Node, carries, deployment, subscribers, write_psk};

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
        let mut deployment = deployment(lab, &[&server], |_| Ok(()))?;
        each_carries(lab, &mut deployment, &["tls", "ttls-pap", "ttls-mschapv2", "peap-mschapv2", "md5"])
    });
}

#[test]
fn freeradius_authenticates_by_every_method_under_tls_1_3() {
    inside(|lab| {
        let server = lab.freeradius(&Options { versions: Versions::Tls13, ..Options::default() })?;
        let mut deployment = deployment(lab, &[&server], |_| Ok(()))?;
        each_carries(lab, &mut deployment, &["tls", "ttls-pap", "ttls-mschapv2", "peap-mschapv2"])
    });
}

#[test]
fn hostapd_authenticates_by_a_shared_key_and_over_tls() {
    inside(|lab| {
        let server = lab.hostapd(&Options::default())?;
        let mut deployment = deployment(lab, &[&server], |_| Ok(()))?;
        write_psk(lab, GPSK_KEY)?;
        each_carries(lab, &mut deployment, &["gpsk", "ttls-pap", "ttls-mschapv2", "peap-mschapv2"])?;
        // Of a certificate hostapd names nobody in its Access-Accept: the subscriber is who the node says outside.
        carries(lab, &mut deployment, &Node { outer: NAI, ..Node::by("tls") })?;
        ensure!(subscribers(&deployment)? == [NAI], "{:?}", subscribers(&deployment)?);
        Ok(())
    });
}
