//! `mn.toml`: defaults, and every value that cannot work, refused where it stands.

use super::*;

pub(super) const LEAST: &str =
    "[hac]\nname = \"hac.example.org\"\nca = \"ca.pem\"\n[identity]\nnai = \"a@example.org\"\npsk-file = \"psk\"\n";

/// [`LEAST`] with these lines behind it, in a folder of its own.
pub(super) fn located(text: &str) -> (tempfile::TempDir, Located<Config>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mn.toml");
    std::fs::write(&file, text).unwrap();
    let config = service::config::load(&file).unwrap();
    (folder, config)
}

#[test]
fn the_least_configuration_routes_everything_and_offers_the_encrypting_suites() {
    let config: Config = toml::from_str(LEAST).unwrap();
    assert_eq!((config.hac.port, config.tunnel.routes.len()), (None, 2));
    assert_eq!(config.policy.suites, default_suites(has_aes_instructions()));
    assert_eq!((config.policy.profile, config.policy.user_data), (WireProfile::Rfc6618, UserData::Protected));
    assert_eq!(check(&located(LEAST).1), Findings::default());
}

#[test]
fn chacha20_poly1305_is_offered_first_where_the_cpu_has_no_aes_instructions_and_not_at_all_where_it_has() {
    use CipherSuite::{Aes128CbcSha, Aes128CbcSha256, Aes128Gcm, ChaCha20Poly1305};
    assert_eq!(default_suites(true), [Aes128Gcm, Aes128CbcSha256, Aes128CbcSha]);
    assert_eq!(default_suites(false), [ChaCha20Poly1305, Aes128Gcm, Aes128CbcSha256, Aes128CbcSha]);
}

#[test]
#[cfg(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64"))]
fn whether_the_cpu_has_aes_instructions_is_what_the_kernel_says() {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap();
    assert_eq!(has_aes_instructions(), cpu.split_whitespace().any(|flag| flag == "aes"));
}

#[test]
fn profile_and_user_data_are_read_by_name_and_other_names_are_errors_that_say_what_there_is() {
    let read = |lines: &str| toml::from_str::<Config>(&format!("{LEAST}[policy]\n{lines}\n"));
    let policy = read("profile = \"draft-04\"\nuser-data = \"clear\"").unwrap().policy;
    assert_eq!((policy.profile, policy.user_data), (WireProfile::Draft04, UserData::Clear));
    assert!(read("profile = \"rfc\"").unwrap_err().to_string().contains("write \"rfc6618\" or \"draft-04\""));
    assert!(read("user-data = \"open\"").unwrap_err().to_string().contains("\"protected\" or \"clear\""));
}

#[test]
fn a_value_that_cannot_be_used_is_refused_where_it_stands_with_what_to_write() {
    let with = |lines: &str| format!("{LEAST}{lines}\n");
    let rows = [
        (LEAST.replace("hac.example.org", "*.example.org"), ":2:1: [hac] name = \"*.example.org\": write the DNS name"),
        (LEAST.replace("a@example.org", "a b"), ":5:1: [identity] nai: the part before the @"),
        (
            with("[policy]\nprofile = \"draft-04\"\nsuites = [\"NULL_SHA\"]"),
            ":9:1: [policy] suites = [\"NULL_SHA\"]: none of them",
        ),
        (with("[tunnel]\ndevice = \"a/b\""), ":8:1: [tunnel] device = \"a/b\": write 1 to 15 letters"),
        (with("[tunnel]\nmtu = 1279"), ":8:1: [tunnel] mtu = 1279: write 1280 to 9000"),
        (with("[tunnel]\nworkers = 0"), ":8:1: [tunnel] workers = 0: write 1 to 64"),
        (with("[tunnel]\nreceive-buffer = 1"), ":8:1: [tunnel] receive-buffer = 1: write 16384 to 134217728 octets"),
        (with("[mobile-router]\nlan = \"a/b\""), ":8:1: [mobile-router] lan = \"a/b\": write the interface"),
        (with("[mobile-router]\nlan = \"mn0\""), ":8:1: [mobile-router] lan = \"mn0\": write the interface"),
        (
            with("[tunnel]\nroutes = [\"2001:db8::/32\", \"0.0.0.0/0\"]\n[mobile-router]\nlan = \"eth1\""),
            ":8:1: [tunnel] routes = [\"2001:db8::/32\", \"0.0.0.0/0\"]: \"::/0\" has to be among them",
        ),
        (with("[tunnel]\ntable = 254"), ":8:1: [tunnel] table = 254: it is the system's own"),
        (with("[tunnel]\nfwmark = 0"), ":8:1: [tunnel] fwmark = 0: 0 is no mark"),
    ];
    for (text, expected) in rows {
        let error = check(&located(&text).1).to_string();
        assert!(error.contains(&format!("/mn.toml{expected}")) && error.lines().count() == 1, "{expected}: {error}");
    }
    let all = with("[tunnel]\nfwmark = 0\ntable = 0\nmtu = 0").replace("a@example.org", "@");
    assert_eq!(check(&located(&all).1).errors(), 4);
}

#[test]
fn suites_that_do_not_encrypt_are_refused_only_where_they_could_carry_no_data() {
    for lines in [
        "profile = \"draft-04\"\nuser-data = \"clear\"\nsuites = [\"NULL_SHA\"]",
        "suites = [\"NULL_SHA\"]",
        "profile = \"draft-04\"\nsuites = [\"NULL_SHA\", \"AES_128_CBC_SHA\"]",
    ] {
        assert_eq!(check(&located(&format!("{LEAST}[policy]\n{lines}\n")).1), Findings::default(), "{lines}");
    }
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_the_place_of_its_key_and_a_key_is_not_shown() {
    let (folder, config) = located(LEAST);
    let path = |name: &str| folder.path().join(name);
    let read_psk = || super::read_psk(&config, Path::new("psk"));
    let error = read_psk().unwrap_err().to_string();
    assert!(
        error.contains("mn.toml:6:1: [identity] psk-file = \"psk\": cannot read ") && error.contains("bring the file"),
        "{error}"
    );
    std::fs::write(path("psk"), "correct horse").unwrap();
    let error = read_psk().unwrap_err().to_string();
    assert!(error.contains(":6:1: ") && error.contains("not hexadecimal") && !error.contains("horse"), "{error}");
    std::fs::write(path("psk"), format!("{}\n", "ab".repeat(32))).unwrap();
    assert!(read_psk().is_ok());
    std::fs::write(path("ca.pem"), "nothing").unwrap();
    let error = read_authorities(&config).unwrap_err().to_string();
    assert!(error.contains("mn.toml:3:1: [hac] ca = \"ca.pem\": ") && error.contains("holds no certificate"), "{error}");
}

#[test]
fn port_zero_and_more_addresses_than_are_tried_are_errors() {
    let read = |line: &str| toml::from_str::<Config>(&LEAST.replace("[hac]", &format!("[hac]\n{line}")));
    let list = |count| format!("addresses = {:?}", vec!["192.0.2.1"; count]);
    assert_eq!(read("port = 443").unwrap().hac.port, NonZeroU16::new(443));
    assert_eq!(read(&list(16)).unwrap().hac.addresses.len(), 16);
    assert!(read(&list(17)).unwrap_err().to_string().contains("at most 16"));
    assert!(read("port = 0").is_err() && read("port = 65536").is_err());
}

#[test]
fn an_unknown_suite_and_an_empty_list_are_errors_that_say_what_there_is() {
    let error =
        |suites: &str| toml::from_str::<Config>(&format!("{LEAST}[policy]\nsuites = {suites}\n")).unwrap_err().to_string();
    assert!(error("[\"AES_256\"]").contains("AES_128_GCM"));
    assert!(error("[]").contains("at least one"));
}
