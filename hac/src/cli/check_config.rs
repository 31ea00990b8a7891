//! `hac check-config`: everything that is wrong with the configuration, the files that it names and what is recorded; or what
//! will hold.

use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use net::tls::inspect::rfc3339;
use protocol::mhauth::Method;
use serde_json::{Value, json};
use service::check::{Certificate, Check, readable_by_others};
use service::config::Located;

use super::{CliError, names};
use crate::authentication::Realm;
use crate::check::recorded::Recorded;
use crate::check::{aaa_servers, certificate};
use crate::config::{self, Config, RadiusSection, ServerEntry};
use crate::eap_server;
use crate::store::sealing::KeyEncryptionKey;
use crate::store::sqlite::{Inspected, SqliteStore};

pub(super) fn run(file: &Path, json: bool) -> Result<(), CliError> {
    let code = check(file).print("hac", json);
    if code == ExitCode::SUCCESS { Ok(()) } else { Err(CliError::Told) }
}

pub(super) fn check(file: &Path) -> Check {
    let config = match service::config::load::<Config>(file) {
        Ok(config) => config,
        Err(error) => return Check::failed(file, error),
    };
    let (mut check, now) = (Check::new(file), SystemTime::now());
    check.find_all(config::check(&config));
    describe(&config, &mut check);
    check_authentication(&config, &mut check);
    check_aaa_servers(&config, &mut check, now);
    check_certificates(&config, &mut check, now);
    check_ca_key(&config, &mut check);
    check_database(&config, &mut check, now);
    check
}

fn describe(config: &Located<Config>, check: &mut Check) {
    let Config { name, listen, feed, home, policy, .. } = &**config;
    check.holds("name", name.as_str());
    check.holds("listen", listen.iter().map(ToString::to_string).collect::<Vec<_>>());
    check.holds("feed_listen", feed.listen.to_string());
    check.holds("pool6", config.pools().ip6.map(|pool| pool.to_string()));
    check.holds("pool4", config.pools().ip4.map(|pool| pool.to_string()));
    check.holds("dns", home.dns.iter().map(ToString::to_string).collect::<Vec<_>>());
    check.holds("profile", policy.profile.name());
    check.holds("suites", names(&policy.suites));
    check.holds("user_data", policy.user_data.name());
    check.holds("sa_lifetime_seconds", policy.sa_lifetime_seconds);
    check.holds("control_socket", config.resolve(&config.control_socket).display().to_string());
}

fn check_authentication(config: &Located<Config>, check: &mut Check) {
    let default = config.default_realm();
    check.holds("methods", method_names(&default));
    check.holds("eap_server", server_name(&default));
    let realms: Vec<_> = config.realms().into_iter().collect();
    let told = realms
        .iter()
        .map(|(name, realm)| (name.clone(), json!({ "methods": method_names(realm), "eap_server": server_name(realm) })));
    let shown = realms.iter().map(|(name, realm)| format!("{name} ({})", method_names(realm).join(", ")));
    check.holds_shown("realms", Value::Object(told.collect()), shown.collect::<Vec<_>>().join(", "));
    check.note(eap_server::authentication(config));
}

fn check_aaa_servers(config: &Located<Config>, check: &mut Check, now: SystemTime) {
    let entries: Vec<_> = config.radius.iter().flat_map(RadiusSection::entries).collect();
    let accounting: Vec<_> = config.radius.iter().flat_map(RadiusSection::accounting_entries).collect();
    list_servers("aaa_servers", &entries, check);
    list_servers("accounting_servers", &accounting, check);
    let radius = config.radius.as_ref();
    check.holds("interim_seconds", radius.and_then(|radius| radius.interim_seconds));
    check.holds(
        "dynamic_authorization",
        radius.and_then(|radius| radius.dynamic_authorization).map(|address| address.to_string()),
    );
    check.find_all(aaa_servers::check(config, now));
}

fn list_servers(name: &'static str, entries: &[(String, &ServerEntry)], check: &mut Check) {
    let told = entries.iter().map(|(_, entry)| json!({ "name": entry.to_string(), "transport": entry.transport() }));
    let shown = entries.iter().map(|(_, entry)| match entry {
        ServerEntry::Udp { .. } => entry.to_string(),
        ServerEntry::Tls { .. } => format!("{entry} (TLS)"),
    });
    check.holds_shown(name, told.collect::<Vec<_>>(), shown.collect::<Vec<_>>().join(", "));
}

fn method_names(realm: &Realm) -> Vec<&'static str> {
    realm.methods.iter().map(|method| method.name()).collect()
}

/// `None` of a realm without EAP.
fn server_name(realm: &Realm) -> Option<&'static str> {
    realm.methods.contains(&Method::Eap).then(|| realm.eap_server.name())
}

fn check_certificates(config: &Located<Config>, check: &mut Check, now: SystemTime) {
    let found = certificate::check(config, now);
    check.find_all(found.findings);
    let Some(leaf) = found.inspection.chain.first() else { return };
    let told = Certificate {
        file: &found.path,
        subject: &leaf.subject,
        names: &leaf.names,
        signature: &leaf.signature,
        not_before: leaf.not_before,
        not_after: leaf.not_after,
    };
    let shown = format!("{}, valid until {}", leaf.names.join(", "), rfc3339(leaf.not_after));
    check.holds_shown("certificate", told.to_json(), shown);
    if let Ok(chain) = net::tls::load_certificates(&found.path) {
        check.holds("certificate_sha256", chain.first().map(|leaf| hex::encode(net::tls::fingerprint(leaf))));
    }
    if let Ok(binding) = &leaf.binding {
        check.holds("channel_binding", hex::encode(binding.octets()));
        check.holds("channel_binding_hash", net::tls::hash_name(binding));
    }
    let authorities: Vec<&str> = found.inspection.authorities.iter().map(|authority| authority.subject.as_str()).collect();
    check.holds("authorities", authorities);
}

/// `hac serve` does without it.
fn check_ca_key(config: &Located<Config>, check: &mut Check) {
    let Some(key) = &config.ca_key else { return };
    let path = config.resolve(key);
    if let Err(error) = net::tls::load_key(&path) {
        let remedy =
            format!("{error}; without it `hac ha add` makes no certificates: take the line out where the key is kept elsewhere");
        check.find(config.warned("ca-key", remedy));
        return;
    }
    if let Some(remedy) = readable_by_others(&path, "the key of the CA") {
        check.find(config.warned("ca-key", remedy));
    }
}

fn check_database(config: &Located<Config>, check: &mut Check, now: SystemTime) {
    let path = config.resolve(&config.database);
    check.holds("database", path.display().to_string());
    let kek = match KeyEncryptionKey::read(&config.resolve(&config.key_encryption_key)) {
        Ok(kek) => kek,
        Err(error) => return check.find(config.refused("key-encryption-key", error)),
    };
    let Inspected { version, newest, store } = match SqliteStore::inspect(&path, kek) {
        Ok(inspected) => inspected,
        Err(error) => return check.find(config.refused("database", error)),
    };
    check.holds("schema_version", version);
    let Some(mut store) = store else {
        let remedy = format!(
            "it has schema version {version}, which `hac serve` brings to {newest} when it starts (there is no way back: keep a copy); \
             subscribers and home agents were not looked at: ask again then"
        );
        check.find(config.warned("database", remedy));
        check.holds_shown("subscribers", Value::Null, "not looked at");
        check.holds_shown("home_agents", Value::Null, "not looked at");
        return;
    };
    match Recorded::read(&mut store, now) {
        Ok(recorded) => {
            check.find_all(recorded.check(config));
            check.holds("subscribers", recorded.subscribers.len());
            check.holds("home_agents", recorded.home_agents.into_iter().map(|home_agent| home_agent.name).collect::<Vec<_>>());
        }
        Err(error) => check.find(config.refused("database", error)),
    }
}

#[cfg(test)]
mod tests;
