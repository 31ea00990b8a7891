//! Makes the HAC's own EAP server, and which realm has which, out of the configuration.

use net::tls::in_memory::{EapTlsServer, Identity, ServerSettings};
use protocol::eap::method::ServerMethod;
use protocol::eap::method::gpsk::GpskServer;
use protocol::eap::method::tls::eap_tls;
use service::config::{ConfigError, Located};

use crate::authentication::{Authentication, LocalMethods};
use crate::config::{Config, EapSection, LocalMethod};

/// How nodes authenticate.
///
/// # Errors
/// A file that the configuration names cannot be used.
pub fn authentication(config: &Located<Config>) -> Result<Authentication, ConfigError> {
    let local = config.eap.as_ref().map(|section| local_methods(config, section)).transpose()?;
    Ok(Authentication { default: config.default_realm(), realms: config.realms(), local })
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
    const TLS: &str = "[eap]\nmethods = [\"tls\", \"gpsk\"]\nclient-ca = \"clients.pem\"\n";

    fn located(folder: &Path, lines: &str) -> Located<Config> {
        let path = folder.join("hac.toml");
        std::fs::write(&path, format!("{CONFIG}{lines}")).unwrap();
        crate::config::load(&path).unwrap()
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
