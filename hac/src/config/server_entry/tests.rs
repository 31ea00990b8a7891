use super::*;

#[derive(Clone, Debug, Deserialize)]
struct Lists {
    #[serde(default, deserialize_with = "list::<_, 1812>")]
    servers: Vec<ServerEntry>,
    #[serde(default, deserialize_with = "list::<_, 1813>")]
    accounting: Vec<ServerEntry>,
}

fn read(text: &str) -> Result<Lists, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    service::config::load::<Lists>(file.path()).map(service::config::Located::into_inner).map_err(|error| error.to_string())
}

fn entry(value: &str) -> Result<ServerEntry, String> {
    read(&format!("servers = [{value}]")).map(|lists| lists.servers[0].clone())
}

fn tls(name: &str, port: u16) -> ServerEntry {
    ServerEntry::Tls { name: name.to_owned(), port, ca: None, identity: None }
}

#[test]
fn a_text_is_a_server_over_udp_at_the_port_of_its_list() {
    let text = "servers = [\"192.0.2.1\", \"[2001:db8::1]:1645\"]\naccounting = [\"192.0.2.1\", { address = \"2001:db8::1\" }]";
    let lists = read(text).unwrap();
    let shown = |entries: &[ServerEntry]| entries.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(shown(&lists.servers), ["192.0.2.1:1812", "[2001:db8::1]:1645"]);
    assert_eq!(shown(&lists.accounting), ["192.0.2.1:1813", "[2001:db8::1]:1813"]);
    assert!(lists.servers.iter().all(|entry| matches!(entry, ServerEntry::Udp { secret_file: None, .. })));
}

#[test]
fn a_table_with_an_address_is_a_server_over_udp_with_a_secret_of_its_own() {
    let expected =
        ServerEntry::Udp { address: "192.0.2.1:1812".parse().unwrap(), secret_file: Some(PathBuf::from("other.secret")) };
    assert_eq!(entry("{ address = \"192.0.2.1\", secret-file = \"other.secret\" }").unwrap(), expected);
    assert_eq!(expected.transport(), "udp");
}

#[test]
fn a_table_with_tls_is_a_server_over_tls_at_a_name_or_an_address() {
    for (text, name, port, shown) in [
        ("aaa.example.org", "aaa.example.org", 2083, "aaa.example.org:2083"),
        ("aaa.example.org:2084", "aaa.example.org", 2084, "aaa.example.org:2084"),
        ("192.0.2.1", "192.0.2.1", 2083, "192.0.2.1:2083"),
        ("192.0.2.1:2084", "192.0.2.1", 2084, "192.0.2.1:2084"),
        ("2001:db8::1", "2001:db8::1", 2083, "[2001:db8::1]:2083"),
        ("[2001:db8::1]", "2001:db8::1", 2083, "[2001:db8::1]:2083"),
        ("[2001:db8::1]:2084", "2001:db8::1", 2084, "[2001:db8::1]:2084"),
    ] {
        let entry = entry(&format!("{{ tls = \"{text}\" }}")).unwrap();
        assert_eq!((&entry, entry.transport()), (&tls(name, port), "tls"), "{text}");
        assert_eq!(entry.to_string(), shown);
    }
}

#[test]
fn a_server_over_tls_may_have_a_ca_and_a_certificate_of_its_own() {
    let identity = IdentityFiles { certificate: PathBuf::from("c.pem"), key: PathBuf::from("k.pem") };
    let ServerEntry::Tls { name, port, .. } = tls("aaa.example.org", 2083) else { unreachable!() };
    let expected = ServerEntry::Tls { name, port, ca: Some(PathBuf::from("ca.pem")), identity: Some(identity) };
    let text = "{ tls = \"aaa.example.org\", ca = \"ca.pem\", certificate = \"c.pem\", key = \"k.pem\" }";
    assert_eq!(entry(text).unwrap(), expected);
}

#[test]
fn what_is_no_server_is_refused_with_what_to_write() {
    for (value, words) in [
        ("\"aaa.example.org\"", "write an IP address, with or without a port"),
        ("\"192.0.2.1:99999\"", "write an IP address, with or without a port"),
        ("{ address = \"aaa.example.org\" }", "write an IP address, with or without a port"),
        ("{ secret-file = \"s\" }", "write either address"),
        ("{ address = \"192.0.2.1\", tls = \"aaa.example.org\" }", "write either address"),
        ("{ address = \"192.0.2.1\", ca = \"ca.pem\" }", "for RADIUS over TLS"),
        ("{ tls = \"aaa.example.org\", secret-file = \"s\" }", "take secret-file out"),
        ("{ tls = \"aaa.example.org\", key = \"k.pem\" }", "write both, or neither"),
        ("{ tls = \"aaa.example.org:0\" }", "with or without a port"),
        ("{ tls = \"aaa.example.org:port\" }", "with or without a port"),
        ("{ tls = \"*.example.org\" }", "with or without a port"),
        ("{ tls = \"192.0.2.300\" }", "with or without a port"),
        ("{ tls = \"\" }", "with or without a port"),
        ("{ adress = \"192.0.2.1\" }", "unknown key \"adress\" (did you mean \"address\"?)"),
        ("7", "a server: \"192.0.2.1\""),
    ] {
        let error = entry(value).unwrap_err();
        assert!(error.contains(words), "{value}: {error}");
    }
}
