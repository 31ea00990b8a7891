//! The command line as a person uses it, in a folder of its own.

use std::num::NonZeroU16;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser};
use protocol::profile::WireProfile;
use protocol::sa::UserData;

use super::*;
use crate::store::{Store, SubscriberPolicy};

struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn initialised() -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap() };
        let dir = world.path("hac");
        let socket = world.path("hac.sock");
        let arguments = ["init", "--dir", dir.to_str().unwrap(), "--control-socket", socket.to_str().unwrap()];
        world.hac(&arguments).unwrap();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn hac(&self, arguments: &[&str]) -> Result<(), CliError> {
        let config = self.path("hac/hac.toml");
        let program = ["hac", "-c", config.to_str().unwrap()];
        run(Cli::try_parse_from(program.iter().chain(arguments)).unwrap())
    }

    fn store(&self) -> SqliteStore {
        open(&self.path("hac/hac.toml")).unwrap().1
    }

    /// An enabled subscriber's own policy.
    fn policy(&self, nai: &str) -> SubscriberPolicy {
        self.store().credentials(nai).unwrap().unwrap().policy
    }
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn the_arguments_are_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn init_makes_everything_once_and_keeps_secrets_to_the_owner() {
    let world = World::initialised();
    for name in ["ca-key.pem", "hac-key.pem", "kek", "hac.db"] {
        assert_eq!(mode(&world.path("hac").join(name)), 0o600, "{name}");
    }
    for name in ["hac.toml", "ca.pem", "hac.pem"] {
        assert!(world.path("hac").join(name).exists(), "{name}");
    }
    let before = std::fs::read(world.path("hac/kek")).unwrap();
    let dir = world.path("hac");
    assert!(matches!(world.hac(&["init", "--dir", dir.to_str().unwrap()]), Err(CliError::Exists(_))));
    assert_eq!(std::fs::read(world.path("hac/kek")).unwrap(), before);
    let config = crate::config::load(&world.path("hac/hac.toml")).unwrap();
    assert_eq!((config.listen.len(), config.name.as_str()), (1, "hac.example.org"));
    assert!(config.pools().ip6.is_some() && config.pools().ip4.is_some());
}

#[test]
fn init_writes_what_its_arguments_say() {
    let world = World { folder: tempfile::tempdir().unwrap() };
    let dir = world.path("hac");
    let arguments = ["init", "--name", "hac.test", "--listen", "127.0.0.1:1", "--listen", "[::1]:2", "--pool4", "10.1.0.0/16"];
    world
        .hac(&[&arguments[..], &["--dns", "10.1.0.1", "--feed-listen", "127.0.0.1:3", "--dir", dir.to_str().unwrap()]].concat())
        .unwrap();
    let config = crate::config::load(&dir.join("hac.toml")).unwrap();
    assert_eq!((config.name.as_str(), config.listen.len(), config.feed.listen.port()), ("hac.test", 2, 3));
    assert_eq!((config.pools().ip6, config.pools().ip4), (None, Some("10.1.0.0/16".parse().unwrap())));
    assert_eq!(config.home.dns, ["10.1.0.1".parse::<std::net::IpAddr>().unwrap()]);
}

#[test]
fn an_init_that_fails_leaves_nothing_behind() {
    let world = World { folder: tempfile::tempdir().unwrap() };
    let dir = world.path("hac");
    let refused = world.hac(&["init", "--pool4", "10.1.0.0/31", "--dir", dir.to_str().unwrap()]).unwrap_err();
    assert!(refused.to_string().contains("no address for a subscriber"), "{refused}");
    assert!(!dir.exists());
}

#[test]
fn a_subscriber_gets_a_key_that_the_store_knows() {
    let world = World::initialised();
    let out = world.path("alice");
    world
        .hac(&["subscriber", "add", "alice@Example.ORG", "--connect", "198.51.100.10:9000", "--out", out.to_str().unwrap()])
        .unwrap();
    assert_eq!(mode(&out.join("psk")), 0o600);
    let digits = std::fs::read_to_string(out.join("psk")).unwrap();
    assert_eq!(digits.trim().len(), 64);
    let known = world.store().credentials("alice@example.org").unwrap().unwrap().psk;
    assert_eq!(hex::encode(known.expose()), digits.trim());
    let mn: toml_like::Table = toml_like::read(&out.join("mn.toml"));
    assert!(
        mn.has("nai = \"alice@example.org\"") && mn.has("addresses = [\"198.51.100.10\"]") && mn.has("port = 9000"),
        "{mn:?}"
    );
    assert_eq!(std::fs::read(out.join("ca.pem")).unwrap(), std::fs::read(world.path("hac/ca.pem")).unwrap());

    let other = world.path("other");
    let again = world.hac(&["subscriber", "add", "alice@example.org", "--out", other.to_str().unwrap()]);
    assert!(matches!(again, Err(CliError::Store(StoreError::Exists { .. }))));
    assert!(!other.exists(), "a refused command leaves no files");
    assert!(matches!(world.hac(&["subscriber", "add", "a b", "--out", other.to_str().unwrap()]), Err(CliError::Argument(_))));
}

#[test]
fn who_has_no_own_policy_is_to_list_the_suites_that_the_hac_grants() {
    let world = World::initialised();
    let config = world.path("hac/hac.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let suites = |names: &[&str]| format!("suites = {names:?}");
    let only_chacha = text.replace(&suites(&names(&CipherSuite::DEFAULT)), &suites(&["CHACHA20_POLY1305"]));
    assert_ne!(only_chacha, text);
    std::fs::write(&config, only_chacha).unwrap();
    let out = world.path("alice");
    world.hac(&["subscriber", "add", "alice@example.org", "--out", out.to_str().unwrap()]).unwrap();
    let mn = toml_like::read(&out.join("mn.toml"));
    assert!(mn.has(&suites(&["CHACHA20_POLY1305"])), "{mn:?}");
}

#[test]
fn networks_behind_a_node_are_added_shown_and_removed_and_those_of_somebody_else_are_refused() {
    let world = World::initialised();
    for name in ["alice", "bob"] {
        let out = world.path(name);
        world.hac(&["subscriber", "add", &format!("{name}@example.org"), "--out", out.to_str().unwrap()]).unwrap();
    }
    let prefix =
        |what: &str, name: &str, prefix: &str| world.hac(&["subscriber", "prefix", what, &format!("{name}@example.org"), prefix]);
    prefix("add", "alice", "2001:db8:7::/48").unwrap();
    let shown =
        || world.store().subscriber("alice@example.org", std::time::SystemTime::now()).unwrap().unwrap().prefixes.to_string();
    assert_eq!(shown(), "2001:db8:7::/48");
    for arguments in
        [&["subscriber", "list"][..], &["subscriber", "list", "--json"], &["subscriber", "show", "alice@example.org"]]
    {
        world.hac(arguments).unwrap();
    }
    world.hac(&["ha", "add", "ha9", "--address", "2001:db8:f::1", "--out", world.path("ha9").to_str().unwrap()]).unwrap();
    let pool = crate::config::load(&world.path("hac/hac.toml")).unwrap().pools().ip6.unwrap().to_string();
    for (refused, words) in [
        ("2001:db8:7:1::/64", "is behind the node of alice@example.org"),
        ("2001:db8:f::/48", "the home agent ha9"),
        ("fe80::/64", "cannot be behind a mobile router"),
        (pool.as_str(), "of [home]"),
    ] {
        let error = prefix("add", "bob", refused).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    assert!(
        prefix("remove", "bob", "2001:db8:7::/48").unwrap_err().to_string().contains("is not behind the node of bob@example.org")
    );
    prefix("remove", "alice", "2001:db8:7::/48").unwrap();
    assert_eq!(shown(), "");
    let mistyped = world.hac(&["subscriber", "prefix", "add", "alise@example.org", "2001:db8:7::/48"]).unwrap_err().to_string();
    assert!(mistyped.contains("did you mean \"alice@example.org\"?"), "{mistyped}");
}

#[test]
fn a_subscribers_own_policy_stands_in_the_store_and_in_his_configuration() {
    let world = World::initialised();
    let add = |name: &str, options: &[&str]| {
        let out = world.path(name);
        world.hac(
            &[&["subscriber", "add", &format!("{name}@example.org"), "--out", out.to_str().unwrap()][..], options].concat(),
        )?;
        Ok::<_, CliError>(toml_like::read(&out.join("mn.toml")))
    };
    let mn = add("plain", &[]).unwrap();
    assert!(mn.has("profile = \"rfc6618\"") && mn.has(&format!("suites = {:?}", names(&CipherSuite::DEFAULT))), "{mn:?}");
    assert!(mn.has("user-data = \"protected\""), "{mn:?}");
    let mn =
        add("own", &["--profile", "draft-04", "--suite", "NULL_SHA", "--suite", "AES_128_GCM", "--user-data", "clear"]).unwrap();
    assert!(mn.has("profile = \"draft-04\"") && mn.has("suites = [\"NULL_SHA\", \"AES_128_GCM\"]"), "{mn:?}");
    assert!(mn.has("user-data = \"clear\""), "{mn:?}");
    let expected = SubscriberPolicy {
        profile: Some(WireProfile::Draft04),
        suites: Some(vec![CipherSuite::NullSha, CipherSuite::Aes128Gcm]),
        user_data: Some(UserData::Clear),
    };
    assert_eq!(world.policy("own@example.org"), expected);
    assert_eq!(world.policy("plain@example.org"), SubscriberPolicy::default());
    let refused = add("useless", &["--profile", "draft-04", "--suite", "NULL_SHA"]).unwrap_err();
    assert!(refused.to_string().contains("--user-data clear") && !world.path("useless").exists(), "{refused}");
    world.hac(&["subscriber", "list"]).unwrap();
    world.hac(&["subscriber", "list", "--json"]).unwrap();
}

#[test]
fn a_configuration_names_the_hacs_default_profile() {
    let world = World::initialised();
    let config = world.path("hac/hac.toml");
    let text = std::fs::read_to_string(&config).unwrap().replace("[policy]\n", "[policy]\nprofile = \"draft-04\"\n");
    std::fs::write(&config, text).unwrap();
    let out = world.path("alice");
    world.hac(&["subscriber", "add", "alice@example.org", "--out", out.to_str().unwrap()]).unwrap();
    assert!(toml_like::read(&out.join("mn.toml")).has("profile = \"draft-04\""));
    assert_eq!(world.policy("alice@example.org"), SubscriberPolicy::default());
}

#[test]
fn words_that_no_policy_knows_are_refused_with_those_that_there_are() {
    let parse = |option: &str, word: &str| {
        let arguments = ["hac", "subscriber", "add", "a@example.org", "--out", "a", option, word];
        Cli::try_parse_from(arguments).unwrap_err().to_string()
    };
    assert!(parse("--profile", "draft").contains("\"rfc6618\" or \"draft-04\""));
    assert!(parse("--suite", "AES_256").contains("AES_128_GCM"));
    assert!(parse("--user-data", "open").contains("\"protected\" or \"clear\""));
}

#[test]
fn what_is_not_the_hacs_default_is_shown_in_the_list() {
    assert_eq!(subscriber::policy::own_policy(&SubscriberPolicy::default()), None);
    let own = SubscriberPolicy {
        profile: Some(WireProfile::Draft04),
        suites: Some(vec![CipherSuite::NullSha, CipherSuite::Aes128Gcm]),
        user_data: Some(UserData::Clear),
    };
    let expected = "profile draft-04, suites NULL_SHA AES_128_GCM, user data clear";
    assert_eq!(subscriber::policy::own_policy(&own).as_deref(), Some(expected));
}

#[test]
fn a_home_agent_gets_a_certificate_with_its_name() {
    let world = World::initialised();
    let out = world.path("ha1");
    let arguments =
        ["ha", "add", "ha1", "--address", "198.51.100.1", "--address", "2001:db8:f::1", "--out", out.to_str().unwrap()];
    world.hac(&arguments).unwrap();
    assert_eq!(mode(&out.join("ha-key.pem")), 0o600);
    let pem = std::fs::read(out.join("ha.pem")).unwrap();
    let (_, pem) = x509_parser::pem::parse_x509_pem(&pem).unwrap();
    assert_eq!(::feed::peer::ha_name(&pem.contents), Ok("ha1".to_owned()));
    let ha = toml_like::read(&out.join("ha.toml"));
    assert!(
        ha.has("listen = [\"198.51.100.1:7872\", \"[2001:db8:f::1]:7872\"]") && ha.has("address = \"hac.example.org:7873\""),
        "{ha:?}"
    );
    let recorded = world.store().home_agent("ha1").unwrap().unwrap();
    assert_eq!((recorded.addresses.port(), recorded.fallback_port), (7872, None));
    assert!(!ha.has("[fallback]"));
    assert!(matches!(world.hac(&arguments), Err(CliError::Exists(_))));
}

#[test]
fn a_home_agent_with_a_fallback_is_recorded_with_its_port_and_listens_there() {
    let world = World::initialised();
    for (name, option, port) in [("ha1", vec!["--fallback-port"], 443), ("ha2", vec!["--fallback-port", "8443"], 8443)] {
        let out = world.path(name);
        let add = ["ha", "add", name, "--address", "198.51.100.1", "--group", &name[2..], "--out", out.to_str().unwrap()];
        world.hac(&[&add[..], &option].concat()).unwrap();
        assert_eq!(world.store().home_agent(name).unwrap().unwrap().fallback_port, NonZeroU16::new(port));
        let ha = toml_like::read(&out.join("ha.toml"));
        assert!(ha.has("[fallback]") && ha.has(&format!("listen = [\"[::]:{port}\"]")), "{ha:?}");
    }
}

#[test]
fn home_agents_that_cannot_work_are_refused() {
    let world = World::initialised();
    let out = world.path("ha1");
    let rows = [
        &["*.example.org", "--address", "198.51.100.1"][..],
        &["198.51.100.1", "--address", "198.51.100.1"],
        &["ha1", "--address", "198.51.100.1", "--address", "198.51.100.2"],
        &["ha1", "--address", "198.51.100.1", "--group", "64"],
        &["ha1", "--address", "198.51.100.1", "--port", "0"],
        &["ha1", "--address", "0.0.0.0"],
        &["ha.1", "--address", "198.51.100.1", "--fallback-port"],
    ];
    for row in rows {
        let arguments = [&["ha", "add"], row, &["--out", out.to_str().unwrap()]].concat();
        assert!(matches!(world.hac(&arguments), Err(CliError::Argument(_))), "{row:?}");
    }
    assert!(!out.exists());
}

#[test]
fn lists_and_status_work_on_the_database_where_no_hac_runs() {
    let world = World::initialised();
    for arguments in [&["subscriber", "list"][..], &["ha", "list", "--json"], &["status"], &["status", "--json"]] {
        world.hac(arguments).unwrap();
    }
}

/// Lines of a TOML file without comments: enough to look for a key and its value.
mod toml_like {
    #[derive(Debug)]
    pub(super) struct Table(Vec<String>);

    impl Table {
        pub(super) fn has(&self, line: &str) -> bool {
            self.0.iter().any(|other| other == line)
        }
    }

    pub(super) fn read(path: &std::path::Path) -> Table {
        let text = std::fs::read_to_string(path).unwrap();
        Table(text.lines().map(|line| line.split(" #").next().unwrap().trim().to_owned()).collect())
    }
}
