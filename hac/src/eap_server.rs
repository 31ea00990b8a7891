//! Makes what sessions authenticate with out of the configuration: the HAC's own EAP server, and the client of the AAA servers.

use std::sync::Arc;

use net::tls::in_memory::{EapTlsServer, Identity, ServerSettings};
use protocol::eap::method::ServerMethod;
use protocol::eap::method::gpsk::GpskServer;
use protocol::eap::method::tls::eap_tls;
use protocol::sa::Secret;
use service::config::{ConfigError, Findings, Located};

use crate::aaa::{Client, ClientConfig, ServerConfig};
use crate::authentication::{Authentication, LocalMethods};
use crate::config::{Config, EapSection, LocalMethod, RadiusSection};

/// How nodes authenticate.
///
/// # Errors
/// A file that the configuration names cannot be used.
pub fn authentication(config: &Located<Config>) -> Result<Authentication, ConfigError> {
    let local = config.eap.as_ref().map(|section| local_methods(config, section)).transpose()?;
    Ok(Authentication { default: config.default_realm(), realms: config.realms(), local })
}

/// The client of the AAA servers, where there are any. Must be called within a tokio runtime.
///
/// # Errors
/// The secret's file cannot be used, or the client says what it cannot work with.
pub fn aaa_client(config: &Located<Config>) -> Result<Option<Arc<Client>>, ConfigError> {
    let Some(radius) = &config.radius else { return Ok(None) };
    let secret = read_secret(config, radius)?;
    let server = |address: &std::net::SocketAddr| ServerConfig {
        name: address.to_string(),
        address: *address,
        secret: secret.clone(),
        status_server: radius.status_server,
    };
    let servers = radius.servers.iter().map(server).collect();
    let client = ClientConfig { servers, nas_identifier: config.name.clone(), timings: radius.timings() };
    let refused = |error| ConfigError::from(Findings::from(config.refused("radius", error)));
    Client::new(client).map(Some).map_err(refused)
}

/// The secret that the AAA servers share with this HAC; white space around it is an editor's.
///
/// # Errors
/// Its file cannot be read, or is empty.
pub fn read_secret(config: &Located<Config>, radius: &RadiusSection) -> Result<Secret, ConfigError> {
    let text = Secret::new(config.read(&radius.secret_file)?.into_bytes());
    let secret = text.expose().trim_ascii();
    if secret.is_empty() {
        let path = config.resolve(&radius.secret_file);
        let problem =
            format!("{} is empty; write the secret that the AAA servers have for this HAC as their client", path.display());
        return Err(config.refused_file(&radius.secret_file, problem));
    }
    Ok(Secret::new(secret.to_vec()))
}

fn local_methods(config: &Located<Config>, section: &EapSection) -> Result<LocalMethods, ConfigError> {
    let tls = match &section.client_ca {
        Some(_) if section.methods.contains(&LocalMethod::Tls) => Some(tls_server(config, section)?),
        Some(_) | None => None,
    };
    let (methods, name) = (section.methods.clone(), config.name.clone());
    Ok(Box::new(move || methods.iter().filter_map(|method| make(*method, tls.as_ref(), &name)).collect()))
}

fn make(method: LocalMethod, tls: Option<&EapTlsServer>, name: &str) -> Option<Box<dyn ServerMethod>> {
    match method {
        LocalMethod::Gpsk => match GpskServer::new(name) {
            Ok(server) => Some(Box::new(server)),
            Err(error) => {
                tracing::error!(%error, "EAP-GPSK is not offered");
                None
            }
        },
        LocalMethod::Tls => match tls?.connection() {
            Ok(connection) => Some(Box::new(eap_tls::server(connection))),
            Err(error) => {
                tracing::error!(%error, "EAP-TLS is not offered");
                None
            }
        },
    }
}

/// With the HAC's own certificate: a mobile node knows its name already.
fn tls_server(config: &Located<Config>, section: &EapSection) -> Result<EapTlsServer, ConfigError> {
    let in_certificate = |error| config.refused_file(&config.certificate, error);
    let chain = net::tls::load_certificates(&config.resolve(&config.certificate)).map_err(in_certificate)?;
    let key = net::tls::load_key(&config.resolve(&config.key)).map_err(|error| config.refused_file(&config.key, error))?;
    let path = section.client_ca.clone().unwrap_or_default();
    let client_roots = net::tls::load_authorities(&config.resolve(&path)).map_err(|error| config.refused_file(&path, error))?;
    let settings = ServerSettings { identity: Identity { chain, key }, client_roots, versions: rustls::ALL_VERSIONS };
    EapTlsServer::new(settings).map_err(in_certificate)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use protocol::eap::Type;

    use super::*;

    const CONFIG: &str = "name = \"hac.example.org\"\nlisten = [\"[::]:7872\"]\ncertificate = \"hac.pem\"\nkey = \"hac-key.pem\"\n\
        ca = \"ca.pem\"\ndatabase = \"hac.db\"\nkey-encryption-key = \"kek\"\nfeed.listen = \"[::]:7873\"\n\
        home.pool4 = \"10.9.0.0/24\"\n";
    const RADIUS: &str = "[radius]\nservers = [\"192.0.2.1\"]\nsecret-file = \"secret\"\n";
    const TLS: &str = "[eap]\nmethods = [\"tls\", \"gpsk\"]\nclient-ca = \"clients.pem\"\n";

    fn located(folder: &Path, lines: &str) -> Located<Config> {
        let path = folder.join("hac.toml");
        std::fs::write(&path, format!("{CONFIG}{lines}")).unwrap();
        crate::config::load(&path).unwrap()
    }

    fn client_error(folder: &Path) -> String {
        fixture::block_on(async { aaa_client(&located(folder, RADIUS)).err().unwrap().to_string() })
    }

    #[test]
    fn a_secret_that_is_missing_or_empty_is_refused_where_its_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = client_error(folder.path());
        assert!(error.contains("hac.toml:12:1: [radius] secret-file = \"secret\": cannot read "), "{error}");
        for empty in ["", "\n", " \t\r\n"] {
            std::fs::write(folder.path().join("secret"), empty).unwrap();
            let error = client_error(folder.path());
            assert!(error.contains("hac.toml:12:1: ") && error.contains("is empty; write the secret"), "{error}");
        }
    }

    #[test]
    fn white_space_around_a_secret_is_an_editors_and_within_it_the_secrets() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), " correct horse\r\n").unwrap();
        let config = located(folder.path(), RADIUS);
        let secret = read_secret(&config, config.radius.as_ref().unwrap()).unwrap();
        assert_eq!(secret.expose(), b"correct horse");
        fixture::block_on(async {
            assert!(aaa_client(&config).unwrap().is_some());
            assert!(aaa_client(&located(folder.path(), "")).unwrap().is_none());
        });
    }

    #[test]
    fn the_methods_of_the_local_server_are_made_anew_for_each_run_in_the_order_that_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let authority = fixture::Authority::new();
        let certified = authority.certify("hac.example.org");
        let files = [("hac.pem", &certified.certificate), ("hac-key.pem", &certified.key), ("clients.pem", &authority.pem)];
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let kinds = |lines: &str| {
            let methods = authentication(&located(folder.path(), lines)).unwrap().local.unwrap();
            let kinds = || methods().iter().map(|method| method.kind()).collect::<Vec<_>>();
            assert_eq!(kinds(), kinds());
            kinds()
        };
        assert_eq!(kinds(TLS), [Type::TLS, Type::GPSK]);
        assert_eq!(kinds("[eap]\nmethods = [\"gpsk\"]\n"), [Type::GPSK]);
        assert!(authentication(&located(folder.path(), "")).unwrap().local.is_none());
    }

    #[test]
    fn a_file_of_the_local_server_that_cannot_be_used_is_named_where_it_stands() {
        let folder = tempfile::tempdir().unwrap();
        let certified = fixture::Authority::new().certify("hac.example.org");
        std::fs::write(folder.path().join("hac.pem"), &certified.certificate).unwrap();
        std::fs::write(folder.path().join("hac-key.pem"), &certified.key).unwrap();
        let error = || authentication(&located(folder.path(), TLS)).err().unwrap().to_string();
        assert!(error().contains("hac.toml:12:1: [eap] client-ca = \"clients.pem\": "), "{}", error());
        std::fs::write(folder.path().join("clients.pem"), "nothing").unwrap();
        assert!(error().contains("hac.toml:12:1: [eap] client-ca = \"clients.pem\": "), "{}", error());
    }
}
