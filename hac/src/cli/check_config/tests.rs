//! What `hac check-config` says in a folder that `hac init` made, and of everything that can be wrong there.

mod aaa_servers;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use clap::Parser;
use net::tls::load_certificates;
use rcgen::{CertificateParams, Issuer, KeyPair};
use rusqlite::Connection;

use super::*;
use crate::cli::{self, Cli};

struct World {
    folder: tempfile::TempDir,
}

impl World {
    /// Initialised, with a home agent and a subscriber.
    fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap() };
        let (dir, socket) = (world.text("hac"), world.text("hac.sock"));
        world.hac(&["init", "--dir", &dir, "--control-socket", &socket]);
        world.hac(&["ha", "add", "ha1", "--address", "198.51.100.1", "--out", &world.text("ha1")]);
        world.hac(&["subscriber", "add", "alice@example.org", "--out", &world.text("alice")]);
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn hac(&self, arguments: &[&str]) {
        let config = self.text("hac/hac.toml");
        cli::run(Cli::try_parse_from(["hac", "-c", &config].iter().chain(arguments)).unwrap()).unwrap();
    }

    fn edit(&self, name: &str, from: &str, to: &str) {
        let path = self.path("hac").join(name);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from} is not in {text}");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    /// Another certificate for the HAC, by its own CA or by one that signs with `algorithm`.
    fn certify(&self, change: impl FnOnce(&mut CertificateParams), by: Option<&'static rcgen::SignatureAlgorithm>) {
        let read = |name: &str| fs::read_to_string(self.path("hac").join(name)).unwrap();
        let (issuer, ca) = match by {
            Some(algorithm) => {
                let key = KeyPair::generate_for(algorithm).unwrap();
                let mut params = CertificateParams::default();
                params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
                let pem = params.self_signed(&key).unwrap().pem();
                (Issuer::new(params, key), Some(pem))
            }
            None => (Issuer::from_ca_cert_pem(&read("ca.pem"), KeyPair::from_pem(&read("ca-key.pem")).unwrap()).unwrap(), None),
        };
        let mut params = CertificateParams::new(["hac.example.org".to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        fs::write(self.path("hac/hac.pem"), params.signed_by(&key, &issuer).unwrap().pem()).unwrap();
        fs::write(self.path("hac/hac-key.pem"), key.serialize_pem()).unwrap();
        if let Some(ca) = ca {
            fs::write(self.path("hac/ca.pem"), ca).unwrap();
        }
    }

    fn check(&self) -> Value {
        check(&self.path("hac/hac.toml")).to_json()
    }

    /// Asserts that there is one problem, an error or a warning, of this key with these words.
    #[track_caller]
    fn assert_one(&self, severity: &str, key: &str, words: &str) {
        let answer = self.check();
        let problems = answer["problems"].as_array().unwrap();
        assert_eq!((problems.len(), &answer["ok"]), (1, &(severity == "warning").into()), "{answer:#}");
        let problem = &problems[0];
        assert_eq!((&problem["severity"], &problem["key"]), (&severity.into(), &key.into()), "{problem:#}");
        assert!(problem["text"].as_str().unwrap().contains(words), "{problem:#}");
    }

    /// What `hac serve` says: whether it gets as far as to bind its sockets.
    fn serve(&self) -> Result<(), crate::serve::ServeError> {
        let config = crate::config::load(&self.path("hac/hac.toml")).unwrap();
        let store = cli::open_store(&config).unwrap();
        fixture::block_on(async { crate::serve::start(&config, store).await.map(drop) })
    }
}

fn days(from_now: i64) -> impl FnOnce(&mut CertificateParams) {
    move |params| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let (now, difference) = (rcgen::date_time_ymd(1970, 1, 1) + since, Duration::from_secs(86_400 * from_now.unsigned_abs()));
        params.not_before = now - Duration::from_secs(86_400 * 400);
        params.not_after = if from_now < 0 { now - difference } else { now + difference };
    }
}

#[test]
fn what_init_made_is_good_and_what_will_hold_is_told() {
    let world = World::new();
    let before = fs::read_dir(world.path("hac")).unwrap().count();
    let answer = world.check();
    assert_eq!((&answer["ok"], answer["problems"].as_array().unwrap().len()), (&true.into(), 0), "{answer:#}");
    let holds = &answer["holds"];
    let leaf = &load_certificates(&world.path("hac/hac.pem")).unwrap()[0];
    assert_eq!(holds["channel_binding"], hex::encode(net::tls::channel_binding(leaf).unwrap().octets()));
    assert_eq!((&holds["channel_binding_hash"], &holds["certificate_sha256"]), (&"SHA-256".into(), &holds["channel_binding"]));
    let kek = KeyEncryptionKey::read(&world.path("hac/kek")).unwrap();
    let Inspected { version, newest, .. } = SqliteStore::inspect(&world.path("hac/hac.db"), kek).unwrap();
    assert_eq!((&holds["schema_version"], version, &holds["subscribers"]), (&newest.into(), newest, &1.into()));
    assert_eq!((&holds["home_agents"][0], &holds["certificate"]["names"][0]), (&"ha1".into(), &"hac.example.org".into()));
    assert_eq!(fs::read_dir(world.path("hac")).unwrap().count(), before, "nothing is made");
    world.hac(&["check-config"]);
    world.hac(&["check-config", "--json"]);
}

#[test]
fn the_hash_is_that_of_the_issuers_signature_and_the_fingerprint_always_sha_256() {
    let world = World::new();
    world.certify(|_| (), Some(&rcgen::PKCS_ECDSA_P384_SHA384));
    let holds = &world.check()["holds"];
    assert_eq!((holds["channel_binding_hash"].as_str(), holds["channel_binding"].as_str().unwrap().len()), (Some("SHA-384"), 96));
    assert_eq!(holds["certificate_sha256"].as_str().unwrap().len(), 64);
}

#[test]
fn a_certificate_that_mobile_nodes_would_refuse_is_an_error_and_serve_refuses_it_too() {
    let named = |names: &'static [&'static str]| {
        move |params: &mut CertificateParams| {
            let name = |name: &&str| rcgen::SanType::DnsName((*name).try_into().unwrap());
            params.subject_alt_names = names.iter().map(name).collect();
        }
    };
    let world = World::new();
    let refused = |words: &str| {
        world.assert_one("error", "certificate", words);
        let error = world.serve().unwrap_err().to_string();
        assert!(error.contains("hac.toml:") && error.contains("certificate = \"hac.pem\""), "{error}");
    };
    world.certify(named(&["*.example.org"]), None);
    refused("it is for the wildcard name *.example.org, which mobile nodes refuse: have one made for hac.example.org");
    world.certify(named(&["other.example.org"]), None);
    refused("it is for other.example.org and not for hac.example.org");
    world.certify(named(&[]), None);
    refused("no subject alternative name, and a common name does not count");
    world.certify(days(-1), None);
    refused("expired on ");
    world.certify(|_| (), Some(&rcgen::PKCS_ED25519));
    refused("signed with Ed25519, for which RFC 5929 defines no tls-server-end-point");
}

#[test]
fn an_address_as_name_wants_that_address_in_the_certificate() {
    let world = World::new();
    world.edit("hac.toml", "name = \"hac.example.org\"", "name = \"198.51.100.10\"");
    world.assert_one("error", "certificate", "it is for hac.example.org and not for 198.51.100.10");
    world.certify(|params| params.subject_alt_names = vec![rcgen::SanType::IpAddress([198, 51, 100, 10].into())], None);
    assert_eq!(world.check()["ok"], true);
}

#[test]
fn a_certificate_that_ends_soon_or_leads_elsewhere_is_told_but_serves() {
    let world = World::new();
    world.edit("hac.toml", "[::]:7872", "127.0.0.1:0");
    world.edit("hac.toml", "[::]:7873", "127.0.0.1:0");
    world.certify(days(29), None);
    world.assert_one("warning", "certificate", "expires on ");
    world.serve().unwrap();
    world.certify(|_| (), Some(&rcgen::PKCS_ECDSA_P256_SHA256));
    fs::copy(world.path("ha1/ca.pem"), world.path("hac/ca.pem")).unwrap();
    world.assert_one("error", "certificate", "does not lead to the CA");
    world.serve().unwrap();
}

#[test]
fn keys_that_are_wrong_or_open_to_others_are_told() {
    let world = World::new();
    let set_mode =
        |name: &str, mode| fs::set_permissions(world.path("hac").join(name), fs::Permissions::from_mode(mode)).unwrap();
    set_mode("ca-key.pem", 0o644);
    world.assert_one("warning", "ca-key", "others may read the key of the CA; run `chmod 600");
    fs::remove_file(world.path("hac/ca-key.pem")).unwrap();
    world.assert_one("warning", "ca-key", "take the line out where the key is kept elsewhere");
    world.edit("hac.toml", "ca-key = ", "# ca-key = ");
    set_mode("kek", 0o640);
    world.assert_one("error", "key-encryption-key", "has mode 0640: others may read it; run `chmod 600");
    set_mode("kek", 0o600);
    fs::write(world.path("hac/kek"), "5a".repeat(32)).unwrap();
    world.assert_one("error", "database", "does not open under this key-encryption key");
    fs::remove_file(world.path("hac/kek")).unwrap();
    world.assert_one("error", "key-encryption-key", "cannot read the key-encryption key");
}

#[test]
fn another_schema_version_is_told_and_left_as_it_is() {
    let world = World::new();
    let set = |version: i64| {
        let connection = Connection::open(world.path("hac/hac.db")).unwrap();
        connection.pragma_update(None, "user_version", version).unwrap();
    };
    let version = || {
        let connection = Connection::open(world.path("hac/hac.db")).unwrap();
        connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    set(1);
    world.assert_one("warning", "database", "it has schema version 1, which `hac serve` brings to");
    assert_eq!((version(), &world.check()["holds"]["subscribers"]), (1, &Value::Null), "nothing was brought forward");
    set(99);
    world.assert_one("error", "database", "has schema version 99, this build knows 1 to ");
    fs::remove_file(world.path("hac/hac.db")).unwrap();
    world.assert_one("error", "database", "cannot open the database");
    assert!(!world.path("hac/hac.db").exists());
}

#[test]
fn a_subscriber_of_the_draft_without_a_home_agent_on_its_port_is_refused() {
    let world = World::new();
    world.hac(&["subscriber", "add", "bob@example.org", "--profile", "draft-04", "--out", &world.text("bob")]);
    assert_eq!(world.check()["ok"], true);
    let connection = Connection::open(world.path("hac/hac.db")).unwrap();
    connection.execute("UPDATE home_agent SET port = 9000", []).unwrap();
    world.assert_one("error", "database", "so bob@example.org cannot be served: record one with `hac ha add NAME --port 7872`");
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_its_line() {
    let world = World::new();
    world.certify(days(-1), Some(&rcgen::PKCS_ED25519));
    world.edit("hac.toml", "sa-lifetime-seconds = 86400", "sa-lifetime-seconds = 1");
    fs::write(world.path("hac/kek"), "5a").unwrap();
    let answer = world.check();
    let problems = answer["problems"].as_array().unwrap();
    let keys: Vec<_> = problems.iter().map(|problem| problem["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["certificate", "certificate", "key-encryption-key", "policy.sa-lifetime-seconds"], "{answer:#}");
    assert!(problems.iter().all(|problem| problem["line"].as_u64().unwrap() > 1), "{answer:#}");
    assert_eq!((&answer["ok"], &answer["holds"]), (&false.into(), &Value::Null));
    let config = world.text("hac/hac.toml");
    let ended = cli::run(Cli::try_parse_from(["hac", "-c", &config, "check-config"]).unwrap());
    assert!(matches!(ended, Err(CliError::Told)));
}
