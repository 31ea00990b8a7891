//! That the manual has every command, option, configuration key and drop reason of the programs, and no key that they refuse.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::Path;

use clap::{Command, CommandFactory};
use protocol::sa::CipherSuite;
use protocol::tunnel::DropReason;
use serde::de::DeserializeOwned;
use service::config::{Findings, Located};

#[test]
fn every_command_and_every_option_is_in_the_manual() {
    let programs =
        [("hac", hac::cli::Cli::command()), ("ha", ha::cli::Arguments::command()), ("mn", mn::cli::Arguments::command())];
    for (program, command) in programs {
        let text = manual(program);
        let missing: Vec<_> = words(&command, program).into_iter().filter(|word| !text.contains(word)).collect();
        assert!(missing.is_empty(), "docs/manual/{program}.md lacks {missing:?}");
    }
}

#[test]
fn every_command_with_json_has_its_table_on_the_page() {
    let programs =
        [("hac", hac::cli::Cli::command()), ("ha", ha::cli::Arguments::command()), ("mn", mn::cli::Arguments::command())];
    let commands = programs.iter().flat_map(|(program, command)| with_json(command, program));
    let schema = tests::schema::Schema::of_the_manual().unwrap();
    let described: Vec<&str> = schema.commands().collect();
    let missing: Vec<_> = commands.filter(|command| !described.contains(&command.as_str())).collect();
    assert!(missing.is_empty(), "docs/manual/json.md lacks {missing:?}");
}

/// `hac subscriber list`.
fn with_json(command: &Command, name: &str) -> Vec<String> {
    let own = command.get_arguments().any(|argument| argument.get_long() == Some("json")).then(|| name.to_owned());
    let inner = command.get_subcommands().flat_map(|inner| with_json(inner, &format!("{name} {}", inner.get_name())));
    own.into_iter().chain(inner).collect()
}

/// `hac subscriber add`, `--out`.
fn words(command: &Command, name: &str) -> Vec<String> {
    let options = command.get_arguments().filter_map(|argument| argument.get_long()).map(|long| format!("--{long}"));
    let mut words: Vec<String> = options.collect();
    for inner in command.get_subcommands() {
        let name = format!("{name} {}", inner.get_name());
        words.extend(self::words(inner, &name));
        if !inner.has_subcommands() {
            words.push(name);
        }
    }
    words
}

#[test]
fn the_manuals_configuration_is_understood_and_has_every_key() {
    check_keys::<hac::config::Config>("hac", &["feed", "home", "policy", "authentication", "radius", "eap"]);
    check_keys::<ha::config::Config>("ha", &["feed", "tunnel", "routes"]);
    check_keys::<mn::config::Config>("mn", &["hac", "identity", "eap", "policy", "tunnel", "mobile-router"]);
}

fn check_keys<T: DeserializeOwned>(program: &str, sections: &[&str]) {
    let text = example(program);
    if let Err(error) = toml::from_str::<T>(&text) {
        panic!("docs/manual/{program}.md: {error}");
    }
    let table: toml::Table = text.parse().unwrap();
    let mut keys: Vec<String> = table.keys().cloned().collect();
    for section in sections {
        keys.extend(table[*section].as_table().unwrap().keys().map(|key| format!("{section}.{key}")));
    }
    for section in std::iter::once(&"").chain(sections) {
        let mut wrong = table.clone();
        let into = if section.is_empty() { &mut wrong } else { wrong[*section].as_table_mut().unwrap() };
        into.insert("no-such-key".to_owned(), 1.into());
        let Err(error) = toml::from_str::<T>(&wrong.to_string()) else { panic!("an unknown key is taken") };
        // "unknown field `no-such-key`, expected one of `a`, `b`"
        let known = error.message().split('`').skip(3).step_by(2);
        let prefix = if section.is_empty() { String::new() } else { format!("{section}.") };
        let missing: Vec<_> = known.map(|key| format!("{prefix}{key}")).filter(|key| !keys.contains(key)).collect();
        assert!(missing.is_empty(), "docs/manual/{program}.md lacks {missing:?}");
        assert!(error.message().contains("expected"), "{error}");
    }
}

#[test]
fn the_defaults_that_the_manual_names_are_those_of_the_programs() {
    let mut hac: hac::config::Config = toml::from_str(&example("hac")).unwrap();
    assert_eq!(format!("{:?}", hac.policy), format!("{:?}", hac::config::PolicySection::default()));
    assert_eq!(hac.control_socket, Path::new(hac::config::DEFAULT_CONTROL_SOCKET));
    let mut radius = hac.radius.clone().unwrap();
    (radius.servers, radius.secret_file, radius.accounting) = (Vec::new(), None, Vec::new());
    (radius.interim_seconds, radius.dynamic_authorization) = (None, None);
    (radius.servers, radius.secret_file, radius.ca) = (Vec::new(), None, None);
    (radius.certificate, radius.key) = (None, None);
    let least: hac::config::RadiusSection = toml::from_str("servers = []").unwrap();
    assert_eq!(format!("{radius:?}"), format!("{least:?}"));
    let chosen = hac.default_realm();
    hac.authentication = hac::config::RealmSection::default();
    assert_eq!(chosen, hac.default_realm());
    let ha: ha::config::Config = toml::from_str(&example("ha")).unwrap();
    assert_eq!(format!("{:?}", ha.routes), format!("{:?}", ha::config::Routes::default()));
    let mut mn: mn::config::Config = toml::from_str(&example("mn")).unwrap();
    mn.tunnel.mtu = None;
    assert_eq!(format!("{:?}", mn.tunnel), format!("{:?}", mn::config::Tunnel::default()));
    let mut policy = mn::config::Policy::default();
    // What a CPU without AES instructions has before the others, as the page says below.
    policy.suites.retain(|suite| *suite != CipherSuite::ChaCha20Poly1305);
    assert_eq!(format!("{:?}", mn.policy), format!("{policy:?}"));
}

/// The sections of each are put in the place of those of the page's whole configuration; what is of EAP does not stay from there.
#[test]
fn every_other_example_of_a_configuration_in_the_documents_can_be_used() {
    let readme = blocks(&read("README.md"));
    let [of_hac, of_mn] = readme.as_slice() else { panic!("README.md has {} examples", readme.len()) };
    let mut checked = 0;
    for block in blocks(&manual("hac")).iter().skip(1).chain([of_hac]) {
        checked += 1;
        check_example("hac", block, &["authentication", "realm", "radius", "eap"], hac::config::check);
    }
    for block in blocks(&manual("mn")).iter().skip(1).chain([of_mn]) {
        checked += 1;
        check_example("mn", block, &["eap"], mn::config::check);
    }
    assert!(checked >= 8, "only {checked} examples");
}

fn check_example<T: DeserializeOwned>(program: &str, block: &str, left_out: &[&str], check: fn(&Located<T>) -> Findings) {
    let mut table: toml::Table = example(program).parse().unwrap();
    table.retain(|section, _| !left_out.contains(&section));
    table.extend(block.parse::<toml::Table>().unwrap());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), table.to_string()).unwrap();
    let config = service::config::load(file.path()).unwrap_or_else(|error| panic!("{program}: {error}\n{block}"));
    if let Err(wrong) = check(&config).check() {
        panic!("{program}: {wrong:?}\n{block}");
    }
}

#[test]
fn every_reason_to_drop_a_packet_is_in_the_manual() {
    let text = manual("ha");
    let missing: Vec<_> = DropReason::ALL.iter().filter(|reason| !text.contains(&format!("`{reason}`"))).collect();
    assert!(missing.is_empty(), "docs/manual/ha.md lacks {missing:?}");
}

/// The whole configuration in the manual: the first example.
fn example(program: &str) -> String {
    blocks(&manual(program)).remove(0)
}

fn blocks(text: &str) -> Vec<String> {
    let blocks = text.split("```toml\n").skip(1);
    blocks.map(|rest| rest.split_once("```").unwrap().0.to_owned()).collect()
}

fn manual(program: &str) -> String {
    read(&format!("docs/manual/{program}.md"))
}

fn read(document: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(document);
    std::fs::read_to_string(path).unwrap()
}
