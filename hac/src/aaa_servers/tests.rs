use std::path::Path;

use super::*;

const CONFIG: &str = "name = \"hac.example.org\"\nlisten = [\"[::]:7872\"]\ncertificate = \"hac.pem\"\nkey = \"hac-key.pem\"\n\
    ca = \"ca.pem\"\ndatabase = \"hac.db\"\nkey-encryption-key = \"kek\"\nfeed.listen = \"[::]:7873\"\n\
    home.pool4 = \"10.9.0.0/24\"\n";
const RADIUS: &str = "[radius]\nservers = [\"192.0.2.1\"]\nsecret-file = \"secret\"\n";

fn located(folder: &Path, lines: &str) -> Located<Config> {
    let path = folder.join("hac.toml");
    std::fs::write(&path, format!("{CONFIG}{lines}")).unwrap();
    crate::config::load(&path).unwrap()
}

fn client_error(folder: &Path, lines: &str) -> String {
    fixture::block_on(async { client(&located(folder, lines)).err().unwrap().to_string() })
}

#[test]
fn a_secret_that_is_missing_or_empty_is_refused_where_its_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = client_error(folder.path(), RADIUS);
    assert!(error.contains("hac.toml:12:1: [radius] secret-file = \"secret\": cannot read "), "{error}");
    for empty in ["", "\n", " \t\r\n"] {
        std::fs::write(folder.path().join("secret"), empty).unwrap();
        let error = client_error(folder.path(), RADIUS);
        assert!(error.contains("hac.toml:12:1: ") && error.contains("is empty; write the secret"), "{error}");
    }
    let own = RADIUS.replace("\"192.0.2.1\"", "{ address = \"192.0.2.1\", secret-file = \"own\" }");
    let error = client_error(folder.path(), &own);
    assert!(error.contains("hac.toml:11:37: [radius.servers] secret-file = \"own\": cannot read "), "{error}");
}

#[test]
fn white_space_around_a_secret_is_an_editors_and_within_it_the_secrets() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), " correct horse\r\n").unwrap();
    let config = located(folder.path(), RADIUS);
    let file = NamedFile { key: "radius.secret-file".to_owned(), path: Path::new("secret") };
    assert_eq!(read_secret(&config, &file).unwrap().expose(), b"correct horse");
    fixture::block_on(async {
        assert!(client(&config).unwrap().is_some());
        assert!(client(&located(folder.path(), "")).unwrap().is_none());
    });
}

#[test]
fn a_server_over_tls_is_shown_the_hacs_own_certificate_or_the_one_that_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let authority = fixture::Authority::new();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let lines = "[radius]\nservers = [{ tls = \"aaa.example.org\" }]\nca = \"aaa-ca.pem\"\n";
    let with = format!("{lines}certificate = \"client.pem\"\nkey = \"client-key.pem\"\n");
    let error = client_error(folder.path(), lines);
    assert!(
        error.contains("hac.toml:12:1: [radius] ca = \"aaa-ca.pem\": cannot read CA certificate from")
            || error.contains("hac.toml:12:1: [radius] ca"),
        "{error}"
    );
    write("aaa-ca.pem", &authority.pem);
    assert!(client_error(folder.path(), lines).contains("hac.toml:3:1: certificate = \"hac.pem\": "));
    assert!(client_error(folder.path(), &with).contains("hac.toml:13:1: [radius] certificate = \"client.pem\": "));
    let (hac, client) = (authority.certify("hac.example.org"), authority.certify("radius.example.org"));
    write("hac.pem", &hac.certificate);
    write("hac-key.pem", &hac.key);
    write("client.pem", &client.certificate);
    write("client-key.pem", &hac.key);
    let error = client_error(folder.path(), &with);
    assert!(error.contains("hac.toml:13:1: ") && error.contains("do they belong together"), "{error}");
    write("client-key.pem", &client.key);
    for lines in [lines, &with] {
        let config = located(folder.path(), lines);
        let radius = config.radius.as_ref().unwrap();
        let (key, entry) = radius.entries().next().unwrap();
        let server = server(&config, radius, &key, entry).unwrap();
        assert_eq!((server.name.as_str(), server.secret.expose()), ("aaa.example.org:2083", &b"radsec"[..]));
        assert_eq!(server.transport.name(), "tls");
    }
}

#[test]
fn each_server_has_its_own_secret_or_that_of_all() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), "of all").unwrap();
    std::fs::write(folder.path().join("own"), "its own").unwrap();
    let lines = RADIUS.replace("\"192.0.2.1\"", "\"192.0.2.1\", { address = \"192.0.2.2\", secret-file = \"own\" }");
    let config = located(folder.path(), &lines);
    let radius = config.radius.as_ref().unwrap();
    let secrets = radius.entries().map(|(key, entry)| server(&config, radius, &key, entry).unwrap().secret);
    assert_eq!(secrets.map(|secret| secret.expose().to_vec()).collect::<Vec<_>>(), [b"of all".to_vec(), b"its own".to_vec()]);
}
