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
