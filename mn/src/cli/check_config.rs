//! `mn check-config`: everything that is wrong with the configuration and the files that it names, or what will hold.

use std::num::NonZeroU16;
use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use net::tls::inspect::{self, Severity, rfc3339};
use service::check::{Certificate, Check, readable_by_others};
use service::config::{Finding, Located};

use crate::config::{self, Config};
use crate::credentials::Credentials;
use crate::hac_client::DEFAULT_PORT;

pub(super) fn run(file: &Path, json: bool) -> ExitCode {
    check(file).print("mn", json)
}

fn check(file: &Path) -> Check {
    let config = match service::config::load::<Config>(file) {
        Ok(config) => config,
        Err(error) => return Check::failed(file, error),
    };
    let mut check = Check::new(file);
    check.find_all(config::check(&config));
    describe(&config, &mut check);
    check_credentials(&config, &mut check);
    check_authorities(&config, &mut check);
    check
}

fn describe(config: &Located<Config>, check: &mut Check) {
    let Config { hac, identity, policy, tunnel, guard, dns, .. } = &**config;
    let texts = |items: &mut dyn Iterator<Item = String>| items.collect::<Vec<_>>();
    check.holds("hac", hac.name.as_str());
    let port = hac.port.map(NonZeroU16::get);
    check.holds_shown(
        "hac_port",
        port,
        port.map_or_else(|| format!("as DNS says (SRV), else {DEFAULT_PORT}"), |port| port.to_string()),
    );
    check.holds("hac_addresses", texts(&mut hac.addresses.iter().map(ToString::to_string)));
    check.holds("nai", identity.nai.as_str());
    check.holds("methods", texts(&mut config.methods().iter().map(ToString::to_string)));
    let eap_methods = config.eap.iter().flat_map(|eap| &eap.methods);
    check.holds("eap_methods", texts(&mut eap_methods.map(|method| method.name().to_owned())));
    check.holds("profile", policy.profile.name());
    check.holds("suites", texts(&mut policy.suites.iter().map(|suite| suite.name().to_owned())));
    check.holds("user_data", policy.user_data.name());
    check.holds("device", tunnel.device.as_str());
    let mtu = tunnel.mtu.map_or_else(|| "the largest that fits a path of 1,500 octets".to_owned(), |mtu| mtu.to_string());
    check.holds_shown("mtu", tunnel.mtu, mtu);
    check.holds("routes", texts(&mut tunnel.routes.iter().map(ToString::to_string)));
    check.holds("except", texts(&mut tunnel.except.iter().map(ToString::to_string)));
    check.holds("guard", guard.mode.name());
    check.holds("table", tunnel.table);
    let lan = config.mobile_router.as_ref().map(|router| router.lan.clone());
    check.holds_shown("lan", lan.clone(), lan.unwrap_or_else(|| "none".to_owned()));
    check.holds("dns_mode", dns.mode.name());
    check.holds("fwmark", tunnel.fwmark);
    check.holds("control_socket", super::socket(config).display().to_string());
}

/// What the node authenticates with: each file, and who may read it.
fn check_credentials(config: &Located<Config>, check: &mut Check) {
    check.note(Credentials::read(config));
    let eap = config.eap.as_ref();
    let secrets = [
        ("identity.psk-file", config.identity.psk_file.as_ref()),
        ("eap.password-file", eap.and_then(|eap| eap.password_file.as_ref())),
        ("eap.key", eap.and_then(|eap| eap.key.as_ref())),
    ];
    for (key, file) in secrets {
        let Some(path) = file.map(|file| config.resolve(file)) else { continue };
        if let Some(remedy) = readable_by_others(&path, "the key") {
            check.find(config.warned(key, remedy));
        }
    }
}

fn check_authorities(config: &Located<Config>, check: &mut Check) {
    let path = config.resolve(&config.hac.ca);
    let inspection = inspect::authorities(&path, SystemTime::now());
    check.find_all(inspection.findings.iter().map(|finding| in_file(config, finding)));
    let told = inspection.authorities.iter().map(|authority| Certificate {
        file: &path,
        subject: &authority.subject,
        names: &authority.names,
        signature: &authority.signature,
        not_before: authority.not_before,
        not_after: authority.not_after,
    });
    let told: Vec<_> = told.map(|certificate| certificate.to_json()).collect();
    let until = |authority: &inspect::Facts| format!("{}, valid until {}", authority.subject, rfc3339(authority.not_after));
    let shown: Vec<_> = inspection.authorities.iter().map(until).collect();
    check.holds_shown("authorities", told, shown.join("; "));
}

fn in_file(config: &Located<Config>, finding: &inspect::Finding) -> Finding {
    match finding.severity {
        Severity::Error => config.refused("hac.ca", &finding.text),
        Severity::Warning => config.warned("hac.ca", &finding.text),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// The folder that `hac subscriber add` writes.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let file =
            "[hac]\nname = \"hac.example.org\"\nca = \"ca.pem\"\n[identity]\nnai = \"a@example.org\"\npsk-file = \"psk\"\n";
        fs::write(folder.path().join("mn.toml"), file).unwrap();
        fs::write(folder.path().join("ca.pem"), fixture::Authority::new().pem).unwrap();
        fs::write(folder.path().join("psk"), format!("{}\n", "5a".repeat(32))).unwrap();
        set_mode(folder.path(), 0o600);
        folder
    }

    fn set_mode(folder: &Path, mode: u32) {
        fs::set_permissions(folder.join("psk"), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn answer(folder: &Path) -> serde_json::Value {
        check(&folder.join("mn.toml")).to_json()
    }

    #[test]
    fn what_the_hac_writes_is_good_and_what_will_hold_is_told() {
        let folder = folder();
        let answer = answer(folder.path());
        assert_eq!((&answer["ok"], answer["problems"].as_array().unwrap().len()), (&true.into(), 0), "{answer}");
        let holds = &answer["holds"];
        assert!(holds["suites"].to_string().contains("AES_128_GCM") && holds["profile"] == "rfc6618", "{holds}");
        assert_eq!((&holds["mtu"], holds["authorities"].as_array().unwrap().len()), (&serde_json::Value::Null, 1));
        assert!(!answer.to_string().contains("5a5a"), "the key is shown: {answer}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "nothing is made");
    }

    #[test]
    fn a_key_that_others_may_read_is_warned_of() {
        let folder = folder();
        set_mode(folder.path(), 0o644);
        let answer = answer(folder.path());
        assert_eq!((&answer["ok"], &answer["problems"][0]["severity"]), (&true.into(), &"warning".into()));
        assert!(answer["problems"][0]["text"].as_str().unwrap().contains("mode 0644: others may read"), "{answer}");
    }

    #[test]
    fn everything_that_is_wrong_is_told_together_with_its_line() {
        let folder = folder();
        fs::write(folder.path().join("psk"), "short").unwrap();
        fs::write(folder.path().join("ca.pem"), "nothing").unwrap();
        let file = folder.path().join("mn.toml");
        fs::write(&file, fs::read_to_string(&file).unwrap() + "[tunnel]\ntable = 1\n").unwrap();
        let answer = answer(folder.path());
        let lines: Vec<_> = answer["problems"].as_array().unwrap().iter().map(|problem| problem["line"].as_u64()).collect();
        assert_eq!(lines, [Some(3), Some(6), Some(8)], "{answer}");
        assert_eq!((&answer["ok"], &answer["holds"]), (&false.into(), &serde_json::Value::Null));
    }
}
