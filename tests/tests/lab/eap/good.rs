//! Every method at servers of others, under each version of TLS, carries packets in the end.

use anyhow::{Context, Result, ensure};
use tests::lab::aaa::{GPSK_KEY, Options, Versions};
use tests::lab::deployment::NAI;
use tests::lab::{AaaServer, Deployment, Lab, inside};

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

/// How often hostapd was answered with this ciphersuite of EAP-GPSK (CSuite_Sel of RFC 5433 section 9.3.2).
fn chosen(server: &AaaServer, suite: u8) -> usize {
    server.log().matches(&format!("EAP-GPSK: CSuite_Sel 0:{suite}\n")).count()
}

/// hostapd offers both suites, whatever the key: the node takes the one that its key is long enough for (RFC 5433 section 4).
#[test]
fn hostapd_authenticates_by_a_shared_key_under_either_ciphersuite_as_its_length_allows() {
    inside(|lab| {
        let mut server = lab.hostapd(&Options::default())?;
        let mut deployment = deployment(lab, &[&server], |_| Ok(()))?;
        for (octets, suite, other) in [(16, 1, 2), (31, 1, 2), (32, 2, 1)] {
            let gpsk_key = &GPSK_KEY[..2 * octets];
            drop(server);
            server = lab.hostapd(&Options { gpsk_key, ..Options::default() })?;
            write_psk(lab, gpsk_key)?;
            let before = [chosen(&server, suite), chosen(&server, other)];
            carries(lab, &mut deployment, &Node::by("gpsk")).with_context(|| format!("by a key of {octets} octets"))?;
            let after = [chosen(&server, suite), chosen(&server, other)];
            ensure!(after[0] > before[0] && after[1] == before[1], "{octets} octets: {before:?}, then {after:?}");
        }
        Ok(())
    });
}
