use std::net::{IpAddr, SocketAddr};

use super::*;

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Sample {
    name: String,
    #[serde(default)]
    listen: Vec<SocketAddr>,
    #[serde(default)]
    life_seconds: u64,
    feed: Option<Feed>,
    policy: Option<Policy>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Feed {
    address: String,
    #[serde(default)]
    server_name: String,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[derive(Default)]
struct Policy {
    dns: Vec<IpAddr>,
    ca: PathBuf,
}

/// The lines of an error, without the folder's name before the file's.
fn lines(folder: &Path, error: &impl Display) -> Vec<String> {
    error.to_string().replace(&format!("{}/", folder.display()), "").lines().map(ToOwned::to_owned).collect()
}

fn errors_of(text: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ha.toml");
    std::fs::write(&file, text).unwrap();
    lines(folder.path(), &load::<Sample>(&file).unwrap_err())
}

fn error_of(text: &str) -> String {
    let errors = errors_of(text);
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors[0].clone()
}

fn located(text: &str) -> (tempfile::TempDir, Located<Sample>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ha.toml");
    std::fs::write(&file, text).unwrap();
    let config = load(&file).unwrap();
    (folder, config)
}

#[test]
fn a_misspelt_key_is_named_with_its_place_and_the_nearest_key() {
    let text = "name = \"ha1\"\n[feed]\n  adress = \"x\"\n  address = \"y\"\n";
    assert_eq!(error_of(text), "ha.toml:3:3: unknown key \"adress\" (did you mean \"address\"?)");
}

#[test]
fn a_key_that_resembles_none_is_answered_with_all_that_are_known() {
    let text = "name = \"ha1\"\ncolour = 1\n";
    assert_eq!(error_of(text), "ha.toml:2:1: unknown key \"colour\" (known here: name, listen, life-seconds, feed, policy)");
}

#[test]
fn a_wrong_value_is_named_with_its_place_its_key_and_what_to_write() {
    assert!(error_of("\nname = 7\n").starts_with("ha.toml:2:1: name = 7: invalid type: integer `7`, expected a string"));
    assert!(error_of("name = ").starts_with("ha.toml:1:8: this is no TOML: "), "{}", error_of("name = "));
    let text = "name = \"a\"\nlisten = [\"192.0.2.1:1\",\n  \"192.0.2.2\"]\n";
    let expected = "ha.toml:3:3: listen = \"192.0.2.2\": invalid socket address syntax; write ADDRESS:PORT, such as";
    assert!(error_of(text).starts_with(expected), "{}", error_of(text));
    let text = "name = \"a\"\n[policy]\ndns = [\"here\"]\n";
    assert!(error_of(text).starts_with("ha.toml:3:8: [policy] dns = \"here\": invalid IP address syntax; write an address"));
}

#[test]
fn what_is_missing_is_named_with_its_section() {
    assert!(error_of("life-seconds = 7\n").starts_with("ha.toml:1:1: name is missing: add it"));
    let text = "name = \"a\"\n\n[feed]\nserver-name = \"b\"\n";
    assert!(error_of(text).starts_with("ha.toml:3:2: [feed] address is missing: add it"), "{}", error_of(text));
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let text =
        "nam = \"a\"\nlife-seconds = \"long\"\nlisten = [\"x\", \"y\"]\n[feed]\nserver-name = 5\n[policy]\ndns = [1]\nc = 1\n";
    let errors = errors_of(text);
    let starts: Vec<_> = errors.iter().map(|error| error.split(": ").take(2).collect::<Vec<_>>().join(": ")).collect();
    let expected = [
        "ha.toml:1:1: unknown key \"nam\" (did you mean \"name\"?)",
        "ha.toml:1:1: name is missing",
        "ha.toml:2:1: life-seconds = \"long\"",
        "ha.toml:3:11: listen = \"x\"",
        "ha.toml:4:2: [feed] address is missing",
        "ha.toml:5:1: [feed] server-name = 5",
        "ha.toml:7:8: [policy] dns = 1",
        "ha.toml:8:1: unknown key \"c\" (did you mean \"ca\"?)",
    ];
    assert_eq!(starts, expected, "{errors:#?}");
}

#[test]
fn a_missing_file_is_answered_with_the_remedy() {
    let error = load::<Sample>(Path::new("/nowhere/ha.toml")).unwrap_err();
    let said = error.to_string();
    assert!(said.starts_with("/nowhere/ha.toml: no such configuration file") && said.contains("`hac ha add`"), "{said}");
    let finding = error.into_findings().iter().next().cloned().unwrap();
    assert_eq!(finding.to_string(), said);
    assert_eq!(finding.to_json()["line"], serde_json::Value::Null);
}

#[test]
fn a_key_has_its_place_and_one_that_is_absent_that_of_its_section() {
    let (folder, config) =
        located("name = \"a\" # here\nlisten = [\n  \"192.0.2.1:1\",\n  \"192.0.2.1:1\"]\n [policy]\n  ca = \"b\"\n");
    let place = |key| lines(folder.path(), &config.place_of(key)).remove(0);
    for (key, expected) in [
        ("name", "ha.toml:1:1"),
        ("listen", "ha.toml:2:1"),
        ("listen.1", "ha.toml:4:3"),
        ("policy", "ha.toml:5:3"),
        ("policy.ca", "ha.toml:6:3"),
        ("policy.dns", "ha.toml:5:3"),
        ("feed.address", "ha.toml:1:1"),
        ("life-seconds", "ha.toml:1:1"),
    ] {
        assert_eq!(place(key), expected, "{key}");
    }
}

#[test]
fn a_refused_value_is_repeated_as_it_stands_there_and_a_secret_one_is_not() {
    let (folder, config) = located("name = \"a\"\nlisten = [\n  \"192.0.2.1:1\",\n  \"192.0.2.1:2\"]\n[policy]\nca = \"b\"\n");
    let said = |finding: Finding| lines(folder.path(), &finding).remove(0);
    assert_eq!(said(config.refused("policy.ca", "write c")), "ha.toml:6:1: [policy] ca = \"b\": write c");
    let list = "ha.toml:2:1: listen = [ \"192.0.2.1:1\", \"192.0.2.1:2\"]: write one";
    assert_eq!(said(config.refused("listen", "write one")), list);
    assert_eq!(said(config.refused("listen.1", "no")), "ha.toml:4:3: listen = \"192.0.2.1:2\": no");
    assert_eq!(said(config.refused("policy", "empty")), "ha.toml:5:2: [policy]: empty");
    assert_eq!(said(config.refused("feed.address", "add it")), "ha.toml:1:1: [feed] address: add it");
    assert_eq!(said(config.refused_unseen("policy.ca", "no")), "ha.toml:6:1: [policy] ca: no");
    assert_eq!(said(config.warned("policy.ca", "ends")), "ha.toml:6:1: warning: [policy] ca = \"b\": ends");
    let json = config.refused("policy.ca", "write c").to_json();
    assert_eq!((&json["line"], &json["column"], &json["key"]), (&6.into(), &1.into(), &"policy.ca".into()));
}

#[test]
fn findings_are_an_error_when_one_of_them_is() {
    let (_folder, config) = located("name = \"a\"\n");
    let mut findings = Findings::from(config.warned("name", "short"));
    assert_eq!(findings.clone().check(), Ok(()));
    findings.push(config.refused("name", "no"));
    assert_eq!(findings.clone().check().unwrap_err().to_string().lines().count(), 2);
}

#[test]
fn relative_paths_are_relative_to_the_folder_of_the_file() {
    let (folder, config) = located("name = \"ha1\"\n[feed]\naddress = \"a\"\nserver-name = \"b\"");
    let feed = config.feed.as_ref().unwrap();
    assert_eq!((config.name.as_str(), feed.address.as_str(), feed.server_name.as_str()), ("ha1", "a", "b"));
    assert_eq!((config.listen.len(), config.life_seconds, config.policy.is_none()), (0, 0, true));
    assert_eq!(config.resolve("ca.pem"), folder.path().join("ca.pem"));
    assert_eq!(config.resolve("/etc/ca.pem"), Path::new("/etc/ca.pem"));
}

#[test]
fn a_named_file_that_cannot_be_used_has_the_place_of_its_key_its_path_and_a_remedy() {
    let (folder, config) = located("name = \"ha1\"\n[policy]\nca = \"ca.pem\"\n");
    let policy = config.policy.as_ref().unwrap();
    assert_eq!(policy.dns.len(), 0);
    let error = config.read(&policy.ca).unwrap_err().to_string();
    let expected = format!("ha.toml:3:1: [policy] ca = \"ca.pem\": cannot read {}/ca.pem: No such file", folder.path().display());
    assert!(error.ends_with("or bring the file there") && error.contains(&expected), "{error}");
    let error = config.refused_file(&policy.ca, "empty").to_string();
    assert!(error.ends_with("ha.toml:3:1: [policy] ca = \"ca.pem\": empty"), "{error}");
    let error = config.refused_file("another", "empty").to_string();
    assert!(error.ends_with("ha.toml:1:1: empty"), "{error}");
}

#[test]
fn a_path_is_where_the_file_is_or_where_systemd_put_the_credentials() {
    let config = Located::new((), "/etc/haltsec/mn.toml");
    let resolve = |path: &str, credentials: Option<&str>| config.resolve_under(Path::new(path), credentials.map(Into::into));
    assert_eq!(resolve("password", None), Path::new("/etc/haltsec/password"));
    assert_eq!(resolve("/run/password", Some("/run/credentials/mn")), Path::new("/run/password"));
    assert_eq!(
        resolve("$CREDENTIALS_DIRECTORY/password", Some("/run/credentials/mn")),
        Path::new("/run/credentials/mn/password")
    );
    assert_eq!(resolve("$CREDENTIALS_DIRECTORY/password", None), Path::new("/etc/haltsec/$CREDENTIALS_DIRECTORY/password"));
}
