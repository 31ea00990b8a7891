//! `hac.toml`: defaults, and every value that cannot work, refused where it stands.

use super::*;

pub(super) const GOOD: &str = r#"
name = "hac.example.org"
listen = ["[::]:7872"]
certificate = "hac.pem"
key = "hac-key.pem"
ca = "ca.pem"
database = "hac.db"
key-encryption-key = "kek"
[feed]
listen = "[::]:7873"
[home]
pool6 = "2001:db8:100::/64"
"#;

pub(super) fn loaded(text: &str) -> Result<Located<Config>, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hac.toml");
    std::fs::write(&path, text).unwrap();
    load(&path)
}

#[test]
fn what_is_left_out_has_the_documented_default() {
    let config = loaded(GOOD).unwrap();
    let suites = [CipherSuite::Aes128Gcm, CipherSuite::Aes128CbcSha256, CipherSuite::Aes128CbcSha];
    assert_eq!(config.policy().suites, suites);
    assert_eq!(config.policy().sa_lifetime, Duration::from_secs(86_400));
    assert_eq!((config.policy().profile, config.policy().user_data), (WireProfile::Rfc6618, UserData::Protected));
    assert_eq!(config.control_socket, Path::new(DEFAULT_CONTROL_SOCKET));
    assert_eq!(config.pools().ip4, None);
}

#[test]
fn values_that_cannot_work_are_refused_where_they_stand_with_what_to_write() {
    let policy = |line: &str| format!("{GOOD}[policy]\n{line}\n");
    let rows = [
        (
            GOOD.replace("2001:db8:100::/64", "2001:db8:100::/127"),
            ":12:1: [home] pool6 = \"2001:db8:100::/127\": it has no address",
        ),
        (
            GOOD.replace("pool6 = \"2001:db8:100::/64\"", "pool4 = \"10.9.0.0/31\""),
            ":12:1: [home] pool4 = \"10.9.0.0/31\": it has",
        ),
        (GOOD.replace("pool6 =", "dns = [] #"), ":11:2: [home]: neither pool6 nor pool4; write one"),
        (GOOD.replace("\"hac.example.org\"", "\"*.example.org\""), ":2:1: name = \"*.example.org\": write a DNS name"),
        (GOOD.replace("[\"[::]:7872\"]", "[]"), ":3:1: listen = []: mobile nodes have nothing to connect to"),
        (GOOD.replace("[\"[::]:7872\"]", "[\"[::]:7873\"]"), ":3:11: listen = \"[::]:7873\": it stands there twice"),
        (policy("suites = []"), ":14:1: [policy] suites = []: it grants nothing"),
        (policy("suites = [\"AES_256\"]"), ":14:1: [policy] suites = [\"AES_256\"]: unknown cipher suite"),
        (policy("sa-lifetime-seconds = 5"), ":14:1: [policy] sa-lifetime-seconds = 5: write 60 to 2592000 (30 days)"),
        (policy("profile = \"draft-4\""), ":14:1: [policy] profile = \"draft-4\": "),
        (policy("user-data = \"open\""), ":14:1: [policy] user-data = \"open\": "),
        (policy("profile = \"draft-04\"\nsuites = [\"NULL_SHA\"]"), ":15:1: [policy] suites = [\"NULL_SHA\"]: profile"),
        (format!("{GOOD}[polizy]\n"), ":13:2: unknown key \"polizy\" (did you mean \"policy\"?)"),
    ];
    for (text, expected) in rows {
        let error = loaded(&text).unwrap_err().to_string();
        assert!(error.contains(&format!("/hac.toml{expected}")) && error.lines().count() == 1, "{expected}: {error}");
    }
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let text = GOOD.replace("2001:db8:100::/64", "2001:db8:100::/128").replace("[\"[::]:7872\"]", "[]");
    let error = loaded(&format!("{text}[policy]\nsa-lifetime-seconds = 5\n")).unwrap_err().to_string();
    let places: Vec<_> = error.lines().filter_map(|line| line.split("hac.toml:").nth(1)?.split(": ").next()).collect();
    assert_eq!(places, ["3:1", "12:1", "14:1"], "{error}");
}
