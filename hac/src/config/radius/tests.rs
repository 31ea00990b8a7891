//! Defaults, and every value that cannot work, refused where it stands.

use super::super::tests::{GOOD, loaded};
use super::*;

const RADIUS: &str = "[radius]\nservers = [\"192.0.2.1\"]\nsecret-file = \"secret\"\n";

fn with(lines: &str) -> RadiusSection {
    loaded(&format!("{GOOD}{lines}")).unwrap().radius.clone().unwrap()
}

#[test]
fn three_lines_are_all_that_a_aaa_server_needs() {
    let radius = with(RADIUS);
    assert_eq!(radius.servers[0].to_string(), "192.0.2.1:1812");
    assert_eq!((radius.secret_file.as_deref(), radius.status_server), (Some(Path::new("secret")), false));
    assert_eq!(radius.timings(), crate::aaa::Timings::default());
}

#[test]
fn the_times_of_the_radius_client_are_as_written_and_one_try_takes_no_longer_than_all() {
    let radius = with(&format!("{RADIUS}timeout-seconds = 1\ndead-time-seconds = 7\nstatus-server = true\n"));
    let (timings, second) = (radius.timings(), Duration::from_secs(1));
    assert_eq!((timings.limit, timings.dead_time, radius.status_server), (second, second * 7, true));
    assert!(timings.timeout <= second);
}

#[test]
fn servers_are_asked_in_the_order_that_is_written_and_each_has_its_secret() {
    let lines = RADIUS.replace("\"192.0.2.1\"", "\"[2001:db8::1]:1645\", { address = \"192.0.2.1\", secret-file = \"other\" }");
    let radius = with(&lines);
    let told: Vec<_> = radius.entries().map(|(key, entry)| (radius.secret_of(&key, entry).unwrap(), entry.to_string())).collect();
    let named = |key: &str, path| NamedFile { key: key.to_owned(), path };
    let first = named("radius.secret-file", Path::new("secret"));
    let second = named("radius.servers.1.secret-file", Path::new("other"));
    assert_eq!(told, [(first, "[2001:db8::1]:1645".to_owned()), (second, "192.0.2.1:1812".to_owned())]);
}

#[test]
fn servers_that_are_told_of_sessions_have_a_port_of_their_own_and_nothing_is_told_or_asked_by_default() {
    let radius = with(RADIUS);
    assert_eq!((radius.accounting.len(), radius.interim(), radius.dynamic_authorization), (0, None, None));
    let lines = "accounting = [\"192.0.2.1\", \"192.0.2.2:1646\"]\ninterim-seconds = 60\ndynamic-authorization = \"[::]:3799\"\n";
    let radius = with(&format!("{RADIUS}{lines}"));
    let told: Vec<_> = radius.accounting_entries().map(|(key, entry)| (key, entry.to_string())).collect();
    let named = |index, address: &str| (format!("radius.accounting.{index}"), address.to_owned());
    assert_eq!(told, [named(0, "192.0.2.1:1813"), named(1, "192.0.2.2:1646")]);
    assert_eq!(radius.interim(), Some(Duration::from_secs(60)));
    assert_eq!(radius.dynamic_authorization, Some("[::]:3799".parse().unwrap()));
}

#[test]
fn the_secret_of_all_may_be_missing_where_each_server_has_its_own() {
    let radius = with("[radius]\nservers = [{ address = \"192.0.2.1\", secret-file = \"own\" }]\n");
    assert_eq!(radius.secret_file, None);
}

#[test]
fn two_lines_are_all_that_a_server_over_tls_needs_and_each_may_have_its_own_files() {
    let radius = with("[radius]\nservers = [{ tls = \"aaa.example.org\" }]\nca = \"aaa-ca.pem\"\n");
    let (key, entry) = radius.entries().next().unwrap();
    let named = |key: &str, path| NamedFile { key: key.to_owned(), path: Path::new(path) };
    assert_eq!(radius.ca_of(&key, entry), Some(named("radius.ca", "aaa-ca.pem")));
    assert_eq!((radius.identity_of(&key, entry), radius.secret_of(&key, entry)), (None, None));

    let own = "{ tls = \"aaa.example.org\", ca = \"own-ca\", certificate = \"own\", key = \"own-key\" }";
    let radius = with(&format!(
        "[radius]\nservers = [{own}, {{ tls = \"aaa.example.net\" }}]\nca = \"ca\"\ncertificate = \"c\"\nkey = \"k\"\n"
    ));
    let told: Vec<_> =
        radius.entries().map(|(key, entry)| (radius.ca_of(&key, entry), radius.identity_of(&key, entry).unwrap())).collect();
    let first = ["certificate", "key"].map(|key| format!("radius.servers.0.{key}"));
    let first = [named(&first[0], "own"), named(&first[1], "own-key")];
    assert_eq!(told[0], (Some(named("radius.servers.0.ca", "own-ca")), first));
    assert_eq!(told[1], (Some(named("radius.ca", "ca")), [named("radius.certificate", "c"), named("radius.key", "k")]));
}

#[test]
fn values_that_cannot_work_are_refused_where_they_stand_with_what_to_write() {
    let radius = |from: &str, to: &str| RADIUS.replace(from, to);
    let many = ["\"192.0.2.1\""; crate::aaa::MAX_SERVERS + 1].join(", ");
    let rows = [
        (radius("\"192.0.2.1\"", ""), ":14:1: [radius] servers", "write 1 to"),
        (radius("\"192.0.2.1\"", &many), ":14:1: [radius] servers", "write 1 to"),
        (radius("192.0.2.1", "aaa.example.org"), ":14:12: [radius] servers", "write an IP address, with or without a port"),
        (radius("\"192.0.2.1\"", "\"::1\", {}"), ":14:19: [radius] servers", "write either address"),
        (radius("\"192.0.2.1\"", "\"::1\", { adress = \"::1\" }"), ":14:21:", "(did you mean \"address\"?)"),
        (radius("\"192.0.2.1\"", "{ tls = \"aaa.example.org\" }"), ":14:12: [radius] servers: ", "add ca = \"FILE\""),
        (format!("{RADIUS}certificate = \"c.pem\"\n"), ":16:1: [radius] certificate", "go together"),
        (format!("{RADIUS}key = \"k.pem\"\n"), ":16:1: [radius] key", "go together"),
        (format!("{RADIUS}timeout-seconds = 0\n"), ":16:", "a mobile node waits for 30 s"),
        (format!("{RADIUS}timeout-seconds = 31\n"), ":16:", "a mobile node waits for 30 s"),
        (format!("{RADIUS}dead-time-seconds = 0\n"), ":16:", "write 1 or more"),
        (radius("secret-file = \"secret\"\n", ""), ":14:12: [radius] servers = \"192.0.2.1\"", "add secret-file = \"FILE\""),
        (format!("{RADIUS}secret = \"x\"\n"), ":16:", "unknown key"),
        (format!("{RADIUS}accounting = [\"aaa\"]\n"), ":16:", "write an IP address, with or without a port"),
        (format!("{RADIUS}accounting = [{many}]\n"), ":16:1: [radius] accounting", "write 8 servers at most"),
        (format!("{RADIUS}interim-seconds = 600\n"), ":16:1: [radius] interim-seconds = 600", "add accounting = "),
        (
            format!("{RADIUS}accounting = [\"::1\"]\ninterim-seconds = 59\n"),
            ":17:1: [radius] interim-seconds",
            "write 60 to 86400",
        ),
        (format!("{RADIUS}accounting = [\"::1\"]\ninterim-seconds = 86401\n"), ":17:1: [radius]", "write 60 to 86400"),
        (format!("{RADIUS}dynamic-authorization = \"3799\"\n"), ":16:", "dynamic-authorization"),
    ];
    for (lines, place, words) in rows {
        let error = loaded(&format!("{GOOD}{lines}")).unwrap_err().to_string();
        assert!(
            error.contains(&format!("/hac.toml{place}")) && error.contains(words) && error.lines().count() == 1,
            "{lines}: {error}"
        );
    }
}
