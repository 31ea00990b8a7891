//! How fast nodes authenticate through the HAC, beside a peer that asks the same AAA server itself.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tests::lab::aaa::{ANONYMOUS, Load, Options, PASSWORD, SERVER_NAME, Versions};
use tests::lab::deployment::{configuration, edit};
use tests::lab::{Lab, inside};

use super::{Node, deployment};

/// How many nodes are tried side by side. The HAC takes 64 connections from one address, and the last ones are still being closed.
const NODES: [usize; 2] = [8, 24];
/// How many `eapol_test`. Each waits for a tenth of a second in each of its runs: few of them leave the server idle.
const PEERS: [usize; 3] = [8, 24, USERS];
const USERS: usize = 64;
/// Runs of one measure.
const RUNS: usize = 768;
/// Rounds, of both in turn.
const ROUNDS: usize = 3;

/// A configuration of `mn` for each of these names.
fn nodes(lab: &Lab, names: &[String]) -> Result<Vec<PathBuf>> {
    Node::by("ttls-pap").configure(lab)?;
    let original = configuration(lab, "mn")?;
    let node = |name: &String| {
        let file = original.with_file_name(format!("{name}.toml"));
        std::fs::copy(&original, &file)?;
        edit(&file, &["identity", "nai"], name.as_str().into())?;
        Ok(file)
    };
    names.iter().map(node).collect()
}

/// The same in the words of wpa_supplicant.
fn network(name: &str, authority: &Path) -> String {
    let authority = authority.display();
    format!(
        "eap=TTLS\nidentity=\"{name}\"\nanonymous_identity=\"{ANONYMOUS}\"\npassword=\"{PASSWORD}\"\nphase2=\"auth=PAP\"\n\
         ca_cert=\"{authority}\"\ndomain_match=\"{SERVER_NAME}\"\n\
         phase1=\"tls_disable_tlsv1_0=1 tls_disable_tlsv1_1=1 tls_disable_tlsv1_2=1 tls_disable_tlsv1_3=0\""
    )
}

/// Runs a second, with as many side by side as are best; `load` makes so many, each so many times.
fn best(what: &str, counts: &[usize], load: impl Fn(usize, usize) -> Result<Load>) -> Result<f64> {
    let mut best: f64 = 0.0;
    for &count in counts {
        let rate = load(count, RUNS / count)?.rate();
        eprint!("{count} {what} {rate:.0}, ");
        best = best.max(rate);
    }
    Ok(best)
}

/// No session is resumed at either side; the method is EAP-TTLS with PAP under TLS 1.3.
#[test]
#[ignore = "a measurement: `make bench`"]
fn nodes_authenticate_through_the_hac_at_four_fifths_of_the_rate_of_a_peer_that_asks_its_aaa_server_itself() {
    inside(|lab| {
        let names: Vec<_> = (0..USERS).map(|number| format!("user{number}@example.org")).collect();
        let users: Vec<_> = names.iter().map(|name| (name.as_str(), PASSWORD)).collect();
        let options = Options { versions: Versions::Tls13, users: &users, is_verbose: false, ..Options::default() };
        let server = lab.freeradius(&options)?;
        let _deployment = deployment(lab, &[&server], |_| Ok(()))?;
        let authority = lab.aaa_certificates()?.authority();
        let networks: Vec<_> = names.iter().map(|name| network(name, &authority)).collect();
        let nodes = nodes(lab, &names)?;
        let mut ratios = Vec::new();
        for round in 0..=ROUNDS {
            eprint!("EAP-TTLS/PAP a second: ");
            let through = best("nodes through the HAC", &NODES, |count, times| lab.authenticate(&nodes[..count], times))?;
            let directly = best("eapol_test", &PEERS, |count, times| lab.eapol_tests(&networks[..count], &server, times))?;
            let ratio = through / directly;
            // The first round warms all of them up.
            eprintln!("{ratio:.2} of the best{}", if round == 0 { " (not counted)" } else { "" });
            ratios.extend((round > 0).then_some(ratio));
        }
        ratios.sort_by(f64::total_cmp);
        let median = *ratios.get(ROUNDS / 2).context("no rounds")?;
        eprintln!("through the HAC: {median:.2} of the best of eapol_test (median of {ROUNDS})");
        ensure!(median >= 0.8, "{ratios:?}");
        Ok(())
    });
}
