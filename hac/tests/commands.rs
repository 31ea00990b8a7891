//! The operator's commands as the program runs them: what they print, how they end, and what they leave behind.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use hac::store::sealing::KeyEncryptionKey;
use hac::store::sqlite::SqliteStore;
use hac::store::{Access, Framed, InstanceId, Order, Pools, Recipient, SessionReport, Store, Traffic};
use protocol::profile::WireProfile;
use protocol::sa::{CipherSuite, DirectionKeys, Secret, Spi, UserData};
use serde_json::Value;

const ALICE: &str = "alice@example.org";

/// A HAC's folder with two home agents, alice and bob.
struct World {
    folder: tempfile::TempDir,
}

/// What a command said.
struct Said {
    code: i32,
    out: String,
    error: String,
}

impl World {
    fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap() };
        let (dir, socket) = (world.text("hac"), world.text("hac.sock"));
        world.done(&["init", "--dir", &dir, "--pool4", "10.9.0.0/24", "--control-socket", &socket]);
        for (name, address) in [("ha1", "198.51.100.1"), ("ha2", "198.51.100.2")] {
            world.done(&["ha", "add", name, "--address", address, "--group", &name[2..], "--out", &world.text(name)]);
        }
        for name in ["alice", "bob"] {
            world.done(&["subscriber", "add", &format!("{name}@example.org"), "--out", &world.text(name)]);
        }
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hac"));
        command.args(["-c", &self.text("hac/hac.toml")]).args(words).stdin(Stdio::null());
        command
    }

    fn run(&self, words: &[&str]) -> Said {
        let Output { status, stdout, stderr } = self.command(words).output().unwrap();
        let text = |octets| String::from_utf8(octets).unwrap();
        let said = Said { code: status.code().unwrap(), out: text(stdout), error: text(stderr) };
        assert!(!said.error.contains("panicked"), "{words:?}: {}", said.error);
        said
    }

    /// A command that succeeds; what it printed.
    fn done(&self, words: &[&str]) -> String {
        let said = self.run(words);
        assert_eq!((said.code, said.error.as_str()), (0, ""), "{words:?}: {}", said.out);
        said.out
    }

    fn json(&self, words: &[&str]) -> Value {
        let value: Value = serde_json::from_str(&self.done(words)).unwrap();
        assert_eq!(value["schema"], 1, "{words:?}");
        value
    }

    /// A command that is refused: one sentence, nothing else.
    fn refused(&self, words: &[&str]) -> String {
        let said = self.run(words);
        assert_eq!((said.code, said.out.as_str()), (1, ""), "{words:?}");
        assert_eq!(said.error.lines().count(), 1, "{words:?}: {}", said.error);
        said.error
    }

    fn store(&self) -> SqliteStore {
        SqliteStore::open(&self.path("hac/hac.db"), KeyEncryptionKey::read(&self.path("hac/kek")).unwrap()).unwrap()
    }

    /// A live association, as a session of the HAC makes one.
    fn provision(&self, nai: &str, home_agent: &str) -> Spi {
        self.authorise(nai, home_agent, None)
    }

    /// One that a AAA server has authorised, where it said so.
    fn authorise(&self, nai: &str, home_agent: &str, access: Option<&Access>) -> Spi {
        let mut store = self.store();
        let keys = |octet| DirectionKeys::new(&Secret::empty(), &Secret::new(vec![octet; 20]));
        let order = Order {
            nai,
            key: store.credentials(nai).unwrap().unwrap().key,
            home_agent: &store.home_agent(home_agent).unwrap().unwrap(),
            suite: CipherSuite::Aes128Gcm,
            profile: WireProfile::Rfc6618,
            user_data: UserData::Protected,
            mn_to_ha: keys(0xab),
            ha_to_mn: keys(0xcd),
            pools: Pools { ip6: None, ip4: Some("10.9.0.0/24".parse().unwrap()) },
            lifetime: Duration::from_secs(86_400),
            access,
            framed: Framed::default(),
        };
        store.provision(&order, SystemTime::now(), &mut rand::rng()).unwrap().sa.spi
    }

    /// SPIs of `hac sa list` with these options.
    fn listed(&self, options: &[&str]) -> Vec<String> {
        let list = self.json(&[&["sa", "list", "--json"], options].concat());
        let rows = list["security_associations"].as_array().unwrap();
        assert_eq!(list["count"], rows.len());
        rows.iter().map(|row| row["spi"].as_str().unwrap().to_owned()).collect()
    }
}

fn sorted(spis: &[Spi]) -> Vec<String> {
    let mut spis = spis.to_vec();
    spis.sort();
    spis.iter().map(ToString::to_string).collect()
}

#[test]
fn show_tells_everything_about_a_subscriber_but_his_keys() {
    let world = World::new();
    let fresh = world.done(&["subscriber", "show", ALICE]);
    for part in ["alice@example.org (enabled)", "none yet", "none: the HAC's holds", "0 associations"] {
        assert!(fresh.contains(part), "{part}: {fresh}");
    }
    world.done(&["subscriber", "set", ALICE, "--user-data", "clear"]);
    let spi = world.provision(ALICE, "ha1");
    let text = world.done(&["subscriber", "show", "alice@EXAMPLE.org"]);
    let effect =
        "profile rfc6618, suites AES_128_GCM AES_128_CBC_SHA256 AES_128_CBC_SHA, user data clear, associations of 86400 s";
    let first = format!("{spi} at ha1, AES_128_GCM, rfc6618, user data protected");
    for part in ["10.9.0.2", "user data clear\n", effect, &first, "not delivered yet", "1 association\n"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let json = world.json(&["subscriber", "show", ALICE, "--json"]);
    assert_eq!((&json["nai"], &json["enabled"], &json["associations"]), (&ALICE.into(), &true.into(), &1.into()));
    assert_eq!((&json["profile"], &json["user_data"]), (&Value::Null, &"clear".into()));
    assert_eq!((&json["in_effect"]["profile"], &json["in_effect"]["suites"][2]), (&"rfc6618".into(), &"AES_128_CBC_SHA".into()));
    let association = &json["security_associations"][0];
    assert_eq!((&association["spi"], &association["home_agent"]), (&spi.to_string().into(), &"ha1".into()));
    let left = association["seconds_left"].as_u64().unwrap();
    assert!((86_300..=86_400).contains(&left), "{left}");
    let psk = std::fs::read_to_string(world.path("alice/psk")).unwrap();
    for octets in ["abababab", "cdcdcdcd", &psk[..16]] {
        assert!(!text.contains(octets) && !json.to_string().contains(octets), "{octets}");
    }
}

#[test]
fn a_name_that_is_not_there_is_an_error_with_those_that_are_like_it() {
    let world = World::new();
    let out = world.text("out");
    for words in [
        &["subscriber", "show", "alise@example.org"][..],
        &["subscriber", "remove", "alise@example.org"],
        &["subscriber", "disable", "alise@example.org"],
        &["subscriber", "enable", "alise@example.org"],
        &["subscriber", "rotate-psk", "alise@example.org", "--out", &out],
        &["subscriber", "set", "alise@example.org", "--profile", "default"],
        &["sa", "list", "--subscriber", "alise@example.org"],
        &["sa", "revoke", "--subscriber", "alise@example.org"],
    ] {
        let error = world.refused(words);
        let expected = "hac: there is no subscriber \"alise@example.org\" (did you mean \"alice@example.org\"?); \
             `hac subscriber list` shows all\n";
        assert_eq!(error, expected, "{words:?}");
    }
    assert!(!world.path("out").exists());
    for words in [&["ha", "remove", "ha3"][..], &["sa", "list", "--ha", "ha3"], &["sa", "revoke", "--ha", "ha3"]] {
        let error = world.refused(words);
        assert!(error.contains("no home agent \"ha3\" (did you mean \"ha1\" or \"ha2\"?); `hac ha list`"), "{error}");
    }
    for words in [&["subscriber", "show", "zoe@example.org", "--json"][..], &["sa", "list", "--ha", "ha", "--json"]] {
        let said = world.run(words);
        let object: Value = serde_json::from_str(&said.out).unwrap();
        assert_eq!((said.code, &object["schema"]), (1, &1.into()), "{words:?}");
        assert_eq!(format!("hac: {}\n", object["error"].as_str().unwrap()), said.error, "{words:?}");
    }
    assert!(world.refused(&["subscriber", "show", "quentin"]).contains("no subscriber \"quentin\"; `hac subscriber list`"));
}

#[test]
fn a_removed_subscriber_is_gone_with_his_associations_and_may_be_added_again() {
    let world = World::new();
    let (of_alice, of_bob) = (world.provision(ALICE, "ha1"), world.provision("bob@example.org", "ha1"));
    let said = world.done(&["subscriber", "remove", ALICE]);
    assert!(said.contains(&format!("ended         1 ({of_alice})")), "{said}");
    assert!(said.contains("held          10.9.0.2: given to nobody before ") && said.contains(" GMT"), "{said}");
    assert_eq!(world.listed(&[]), [of_bob.to_string()]);
    let row = &world.json(&["sa", "list", "--all", "--json"])["security_associations"];
    let row = row.as_array().unwrap().iter().find(|row| row["spi"] == of_alice.to_string()).unwrap();
    assert_eq!((&row["subscriber"], &row["state"], &row["seconds_left"]), (&Value::Null, &"ended".into(), &0.into()));
    let table = world.done(&["sa", "list", "--all"]);
    let line = table.lines().find(|line| line.starts_with(&of_alice.to_string())).unwrap();
    assert_eq!(line.split_whitespace().nth(1), Some("-"), "{line}");
    world.refused(&["subscriber", "remove", ALICE]);
    world.done(&["subscriber", "add", ALICE, "--out", &world.text("again")]);
    let untouched = world.done(&["subscriber", "remove", ALICE]);
    assert!(untouched.contains("none was live") && !untouched.contains("held"), "{untouched}");
}

#[test]
fn a_rotated_key_is_in_the_new_folder_and_live_associations_stay_unless_they_are_revoked() {
    let world = World::new();
    let spi = world.provision(ALICE, "ha1");
    let read = |name: &str| std::fs::read_to_string(world.path(name)).unwrap();
    let first = world.text("first");
    let said = world.done(&["subscriber", "rotate-psk", ALICE, "--connect", "198.51.100.10", "--out", &first]);
    assert!(said.contains("1 association: until their end") && said.contains("mn -c mn.toml up"), "{said}");
    assert_eq!(world.listed(&[]), [spi.to_string()]);
    let known = world.store().credentials(ALICE).unwrap().unwrap().psk;
    assert_eq!(hex::encode(known.expose()), read("first/psk").trim());
    assert_ne!(read("first/psk"), read("alice/psk"));
    assert!(read("first/mn.toml").contains("198.51.100.10") && read("first/ca.pem") == read("hac/ca.pem"));
    let said = world.done(&["subscriber", "rotate-psk", ALICE, "--revoke", "--out", &world.text("second")]);
    assert!(said.contains(&format!("ended         1 ({spi})")), "{said}");
    assert!(world.listed(&[]).is_empty());
}

#[test]
fn a_key_that_cannot_be_written_is_not_rotated_and_one_that_is_not_rotated_is_not_written() {
    let world = World::new();
    let spi = world.provision(ALICE, "ha1");
    let key = || world.store().credentials(ALICE).unwrap().unwrap().key;
    let before = key();
    let error = world.refused(&["subscriber", "rotate-psk", ALICE, "--revoke", "--out", &world.text("alice")]);
    assert!(error.contains("nothing is overwritten"), "{error}");
    let file = world.text("hac/hac.toml/folder");
    world.refused(&["subscriber", "rotate-psk", ALICE, "--revoke", "--out", &file]);
    assert_eq!((key(), world.listed(&[])), (before, vec![spi.to_string()]));
    let trigger = "CREATE TRIGGER no BEFORE UPDATE ON subscriber BEGIN SELECT RAISE(ABORT, 'no'); END";
    rusqlite::Connection::open(world.path("hac/hac.db")).unwrap().execute_batch(trigger).unwrap();
    world.refused(&["subscriber", "rotate-psk", ALICE, "--revoke", "--out", &world.text("out")]);
    assert!(!world.path("out").exists());
    assert_eq!((key(), world.listed(&[])), (before, vec![spi.to_string()]));
}

#[test]
fn a_policy_is_changed_in_the_parts_that_are_named() {
    let world = World::new();
    let own = |world: &World| {
        let shown = world.json(&["subscriber", "show", ALICE, "--json"]);
        ["profile", "suites", "user_data"].map(|part| shown[part].to_string())
    };
    let said =
        world.done(&["subscriber", "set", ALICE, "--profile", "draft-04", "--suite", "NULL_SHA", "--suite", "AES_128_GCM"]);
    assert_eq!(own(&world), ["\"draft-04\"", "[\"NULL_SHA\",\"AES_128_GCM\"]", "null"]);
    for part in ["profile = \"draft-04\"", "[\"NULL_SHA\", \"AES_128_GCM\"]", "rotate-psk alice@example.org --out DIR", "warning"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    world.done(&["subscriber", "set", ALICE, "--user-data", "clear", "--suite", "default"]);
    assert_eq!(own(&world), ["\"draft-04\"", "null", "\"clear\""]);
    world.done(&["subscriber", "set", ALICE, "--profile", "default", "--user-data", "default"]);
    assert_eq!(own(&world), ["null", "null", "null"]);
    let said = world.done(&["subscriber", "set", ALICE, "--profile", "rfc6618"]);
    assert!(!said.contains("Next"), "what holds is what held, and his mobile node may stay as it is: {said}");
    world.provision(ALICE, "ha1");
    let said = world.done(&["subscriber", "set", ALICE, "--suite", "AES_128_CBC_SHA"]);
    assert!(said.contains("1 association as before"), "{said}");
}

#[test]
fn a_policy_under_which_nobody_is_granted_anything_is_refused_and_changes_nothing() {
    let world = World::new();
    let error = world.refused(&["subscriber", "set", ALICE, "--profile", "draft-04", "--suite", "NULL_SHA"]);
    assert!(error.contains("--user-data clear"), "{error}");
    let error = world.refused(&["subscriber", "set", ALICE, "--suite", "NULL_SHA", "--suite", "default"]);
    assert!(error.contains("not both"), "{error}");
    assert_eq!(world.json(&["subscriber", "show", ALICE, "--json"])["suites"], Value::Null);
    for words in [&[][..], &["--profile", "draft"], &["--user-data", "open"], &["--suite", "AES_256"]] {
        let said = world.run(&[&["subscriber", "set", ALICE], words].concat());
        assert_eq!(said.code, 2, "{words:?}");
        assert!(words.is_empty() || said.error.contains("or \"default\""), "{}", said.error);
    }
}

#[test]
fn disabling_says_what_ended() {
    let world = World::new();
    let spi = world.provision(ALICE, "ha1");
    let said = world.done(&["subscriber", "disable", ALICE]);
    assert!(said.contains(&format!("ended         1 ({spi})")), "{said}");
    assert!(world.done(&["subscriber", "disable", ALICE]).contains("none was live"));
    assert!(world.done(&["subscriber", "enable", ALICE]).contains("may authenticate again"));
}

#[test]
fn a_removed_home_agent_is_not_listed_and_its_associations_have_ended() {
    let world = World::new();
    let spi = world.provision(ALICE, "ha1");
    let elsewhere = world.provision("bob@example.org", "ha2");
    let said = world.done(&["ha", "remove", "ha1"]);
    assert!(said.contains("removed       ha1") && said.contains("ended         1 association:"), "{said}");
    assert!(!said.contains("warning"), "{said}");
    assert_eq!(world.listed(&[]), [elsewhere.to_string()]);
    let names = world.json(&["ha", "list", "--json"])["home_agents"].to_string();
    assert!(!names.contains("ha1") && names.contains("ha2"), "{names}");
    assert_eq!(world.listed(&["--all"]), sorted(&[spi, elsewhere]));
    assert!(world.done(&["ha", "remove", "ha2"]).contains("no home agent is left"));
    world.done(&["ha", "add", "ha1", "--address", "198.51.100.1", "--out", &world.text("again")]);
    assert!(world.listed(&["--ha", "ha1", "--all"]).is_empty());
}

#[test]
fn the_list_takes_what_is_asked_for() {
    let world = World::new();
    let bob = "bob@example.org";
    let spis = [(ALICE, "ha1"), (ALICE, "ha2"), (bob, "ha2")].map(|(nai, home_agent)| world.provision(nai, home_agent));
    assert_eq!(world.listed(&[]), sorted(&spis));
    assert_eq!(world.listed(&["--subscriber", ALICE]), sorted(&spis[..2]));
    assert_eq!(world.listed(&["--ha", "ha2"]), sorted(&spis[1..]));
    assert_eq!(world.listed(&["--ha", "ha2", "--subscriber", ALICE]), sorted(&spis[1..2]));
    let table = world.done(&["sa", "list"]);
    assert!(table.starts_with("SPI ") && table.ends_with("3 in all\n"), "{table}");
    world.done(&["sa", "revoke", "--all"]);
    assert!(world.done(&["sa", "list"]).ends_with("0 in all\n"));
    assert_eq!(world.listed(&["--all"]), sorted(&spis));
}

#[test]
fn exactly_one_selection_is_revoked() {
    let world = World::new();
    let bob = "bob@example.org";
    let fresh = || [(ALICE, "ha1"), (ALICE, "ha2"), (bob, "ha2")].map(|(nai, home_agent)| world.provision(nai, home_agent));
    let all = fresh();
    for (index, form) in [all[0].to_string(), format!("{:#x}", all[1].get()), all[2].get().to_string()].iter().enumerate() {
        assert!(world.done(&["sa", "revoke", form]).contains("ended         1 association:"), "{form}");
        assert_eq!(world.listed(&[]), sorted(&all[index + 1..]).into_iter().collect::<Vec<_>>(), "{form}");
    }
    for (words, left) in [(&["--subscriber", ALICE][..], 2..3), (&["--ha", "ha2"], 0..1), (&["--all"], 0..0)] {
        let all = fresh();
        let said = world.done(&[&["sa", "revoke"], words].concat());
        assert!(said.contains(&format!("ended         {} association", all.len() - left.len())), "{words:?}: {said}");
        assert_eq!(world.listed(&[]), sorted(&all[left]), "{words:?}");
        world.done(&["sa", "revoke", "--all"]);
    }
    assert!(world.done(&["sa", "revoke", "--ha", "ha1"]).contains("none was live"));
    for words in [&[][..], &["0x1001", "--all"], &["--subscriber", ALICE, "--ha", "ha1"], &["0"], &["1001h"], &["0x10000000"]] {
        assert_eq!(world.run(&[&["sa", "revoke"], words].concat()).code, 2, "{words:?}");
    }
}

#[test]
fn an_spi_that_is_not_live_is_refused_with_where_to_look() {
    let world = World::new();
    let spi = world.provision(ALICE, "ha1").to_string();
    world.done(&["sa", "revoke", &spi]);
    let error = world.refused(&["sa", "revoke", &spi]);
    assert!(error.contains(&format!("{spi} has ended already")) && error.contains("`hac sa list --all`"), "{error}");
    let error = world.refused(&["sa", "revoke", "0x0abcdef"]);
    assert!(error.contains("0x0abcdef is not known") && error.contains("`hac sa list`"), "{error}");
}

#[test]
fn what_a_aaa_server_has_authorised_is_marked_with_its_session_and_status_counts_those_that_wait() {
    let world = World::new();
    world.provision(ALICE, "ha1");
    let access = Access { user_name: "bob".to_owned(), ..Access::default() };
    let spi = world.authorise("bob@example.org", "ha1", Some(&access));
    let shown = || {
        let rows = world.json(&["sa", "list", "--json"])["security_associations"].as_array().unwrap().clone();
        rows.into_iter()
            .map(|row| (row["aaa"].as_bool().unwrap(), row["session"].as_str().map(ToOwned::to_owned)))
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(shown(), [(false, None), (true, None)].into());
    assert!(!world.done(&["status"]).contains("accounting"));

    let mut store = world.store();
    let to = Recipient { home_agent: "ha1", group: spi.group(), instance: InstanceId([1; 16]) };
    store.look_up(&to, spi, SystemTime::now()).unwrap().unwrap();
    let (age, care_of) = (Duration::from_secs(5), "192.0.2.1:4000".parse().unwrap());
    let report = SessionReport { spi, number: 1, care_of, age, traffic: Traffic::default(), ended: None };
    store.note_usage(&to, &[report], SystemTime::now()).unwrap();
    let sessions = shown().into_iter().map(|(_, session)| session).collect::<Vec<_>>();
    let [None, Some(id)] = &sessions[..] else { panic!("{sessions:?}") };
    assert!(id.starts_with(&format!("{:08x}-", spi.get())) && id.ends_with("-1"), "{id}");
    assert!(world.done(&["sa", "list"]).lines().any(|line| line.contains(" yes ") && line.contains(id)));
    assert!(world.done(&["status"]).contains("accounting    1 session "));
    assert_eq!(world.json(&["status", "--json"])["waiting_sessions"], 1);
}

/// Thousands of rows through a pipe that is closed behind the first: no panic, no error.
#[test]
fn a_list_is_written_while_it_is_read_and_its_reader_may_stop() {
    let world = World::new();
    world.provision(ALICE, "ha1");
    let copies = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
         INSERT INTO security_association (spi, subscriber, home_agent, suite, user_data, keys, home4, agent4, agent_port, created,
             valid_until, revision)
         SELECT 1000000 + i, subscriber, home_agent, suite, user_data, keys, home4, agent4, agent_port, created, valid_until, 1000 + i
         FROM n, security_association;
         UPDATE server SET revision = 6000";
    rusqlite::Connection::open(world.path("hac/hac.db")).unwrap().execute_batch(copies).unwrap();
    assert_eq!(world.listed(&[]).len(), 5001);
    assert_eq!(world.done(&["sa", "list"]).lines().count(), 5003);
    for options in [&["sa", "list"][..], &["sa", "list", "--json"]] {
        let mut child = world.command(options).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = [0; 10];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut first).unwrap();
        drop(child.stdout.take());
        let ended = child.wait_with_output().unwrap();
        assert!(ended.status.success() && ended.stderr.is_empty(), "{}", String::from_utf8_lossy(&ended.stderr));
    }
    let said = world.done(&["sa", "revoke", "--all"]);
    assert!(said.contains("ended         5001 associations:"), "{said}");
}
