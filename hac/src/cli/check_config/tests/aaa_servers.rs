//! What `[radius]` names: secrets, and the files of RADIUS over TLS.

use rcgen::ExtendedKeyUsagePurpose::ServerAuth;

use super::*;

const OVER_TLS: &str = "ca = \"ca.pem\"\nservers = [{ tls = \"aaa.example.org\" }]\n";

/// With a section `[radius]` of these lines.
fn with(lines: &str) -> World {
    let world = World::new();
    let path = world.path("hac/hac.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, format!("{text}\n[radius]\n{lines}")).unwrap();
    world
}

fn write(world: &World, name: &str, text: &str, mode: u32) {
    let path = world.path("hac").join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_init_made_can_be_shown_to_servers_over_tls_and_each_server_is_told() {
    let world = with("servers = [\"192.0.2.1\", { tls = \"aaa.example.org\" }]\nsecret-file = \"secret\"\nca = \"ca.pem\"\n");
    write(&world, "secret", "of the first", 0o600);
    let answer = world.check();
    assert_eq!((&answer["ok"], answer["problems"].as_array().unwrap().len()), (&true.into(), 0), "{answer:#}");
    let expected = [("192.0.2.1:1812", "udp"), ("aaa.example.org:2083", "tls")];
    let expected = expected.map(|(name, transport)| json!({ "name": name, "transport": transport }));
    assert_eq!(answer["holds"]["aaa_servers"], json!(expected));
}

#[test]
fn each_secret_is_read_and_must_not_be_readable_by_others() {
    let world = with("servers = [{ address = \"192.0.2.1\", secret-file = \"own\" }, \"192.0.2.2\"]\nsecret-file = \"secret\"\n");
    write(&world, "own", "of the first", 0o600);
    world.assert_one("error", "radius.secret-file", "cannot read");
    write(&world, "secret", "of the second", 0o600);
    write(&world, "own", "of the first", 0o644);
    world.assert_one("warning", "radius.servers.0.secret-file", "mode 0644");
}

#[test]
fn a_certificate_that_is_for_servers_alone_is_warned_of_where_it_is_shown_to_a_server() {
    let world = with(OVER_TLS);
    world.certify(|params| params.extended_key_usages = vec![ServerAuth], None);
    world.assert_one("warning", "certificate", "extended key usage has clientAuth too");
}

#[test]
fn the_files_of_radius_over_tls_are_read_and_their_dates_looked_at() {
    let world = with(&OVER_TLS.replace("ca.pem", "aaa-ca.pem"));
    world.assert_one("error", "radius.ca", "aaa-ca.pem");
    let world = with(&format!("{OVER_TLS}certificate = \"client.pem\"\nkey = \"client-key.pem\"\n"));
    let read = |name: &str| fs::read_to_string(world.path("hac").join(name)).unwrap();
    let (certificate, key) = (read("hac.pem"), read("hac-key.pem"));
    world.certify(days(-1), None);
    write(&world, "client.pem", &read("hac.pem"), 0o644);
    write(&world, "client-key.pem", &read("hac-key.pem"), 0o600);
    write(&world, "hac.pem", &certificate, 0o644);
    write(&world, "hac-key.pem", &key, 0o600);
    world.assert_one("error", "radius.certificate", "expired on");
    write(&world, "client.pem", &certificate, 0o644);
    world.assert_one("error", "radius.key", "do not belong together");
}
