//! Makes the AAA servers, the clients that ask and tell them, and those of them that may ask the HAC, out of `[radius]`.

use std::sync::Arc;
use std::time::SystemTime;

use net::tls::in_memory::Identity;
use net::tls::{MutualClient, TlsError};
use protocol::sa::Secret;
use service::config::{ConfigError, Finding, Findings, Located, unreadable};

use crate::aaa::{AccountingClient, Client, ClientConfig, ServerConfig, TlsServer, Transport};
use crate::config::{Config, NamedFile, RadiusSection, ServerEntry};
use crate::dynamic_authorization::Clients;

/// The client of the AAA servers, where there are any. Must be called within a tokio runtime.
///
/// # Errors
/// A file cannot be used, or the client says what it cannot work with.
pub fn client(config: &Located<Config>) -> Result<Option<Arc<Client>>, ConfigError> {
    let Some(radius) = &config.radius else { return Ok(None) };
    let servers = radius.entries().map(|(key, entry)| server(config, radius, &key, entry)).collect::<Result<_, _>>()?;
    let client = ClientConfig { servers, nas_identifier: config.name.clone(), timings: radius.timings() };
    let refused = |error| ConfigError::from(Findings::from(config.refused("radius", error)));
    Client::new(client).map(Some).map_err(refused)
}

/// The client of the servers that are told of sessions, where there are any. Must be called within a tokio runtime.
///
/// # Errors
/// As of [`client`].
pub fn accounting_client(config: &Located<Config>) -> Result<Option<Arc<AccountingClient>>, ConfigError> {
    let Some(radius) = config.radius.as_ref().filter(|radius| !radius.accounting.is_empty()) else { return Ok(None) };
    let servers =
        radius.accounting_entries().map(|(key, entry)| server(config, radius, &key, entry)).collect::<Result<_, _>>()?;
    let client = ClientConfig { servers, nas_identifier: config.name.clone(), timings: radius.timings() };
    AccountingClient::new(client).map(Some).map_err(|error| refused(config.refused("radius.accounting", error)))
}

/// The servers that may ask the HAC: those over UDP, each with its secret.
///
/// # Errors
/// A file with a secret cannot be used.
pub fn dynamic_authorization_clients(config: &Located<Config>, radius: &RadiusSection) -> Result<Clients, ConfigError> {
    let mut secrets = Vec::new();
    for (key, entry) in radius.all_entries() {
        if let Some(address) = entry.udp_address() {
            secrets.push((address.ip(), secret(config, radius, &key, entry)?));
        }
    }
    Ok(Clients::new(secrets, config.name.clone(), SystemTime::now()))
}

/// The server that stands in the configuration under `key` (`radius.servers.0`).
///
/// # Errors
/// A file of it cannot be used.
pub fn server(
    config: &Located<Config>,
    radius: &RadiusSection,
    key: &str,
    entry: &ServerEntry,
) -> Result<ServerConfig, ConfigError> {
    match entry {
        ServerEntry::Udp { address, .. } => Ok(ServerConfig {
            name: entry.to_string(),
            transport: Transport::Udp(*address),
            secret: secret(config, radius, key, entry)?,
            status_server: radius.status_server,
        }),
        ServerEntry::Tls { name, port, .. } => {
            let client = tls_client(config, radius, key, entry, name)?;
            let server = TlsServer { host: name.clone(), port: *port, client };
            Ok(ServerConfig::over_tls(entry.to_string(), server, radius.status_server))
        }
    }
}

/// Shows the HAC's own certificate where nothing else is named: so the servers know the HAC under one name.
fn tls_client(
    config: &Located<Config>,
    radius: &RadiusSection,
    key: &str,
    entry: &ServerEntry,
    name: &str,
) -> Result<MutualClient, ConfigError> {
    let unusable = |key: &str, error: TlsError| refused(config.refused(key, error));
    let ca = radius.ca_of(key, entry).ok_or_else(|| refused(config.refused(key, "nothing says which CA to believe; add ca")))?;
    let roots = net::tls::load_authorities(&config.resolve(ca.path)).map_err(|error| unusable(&ca.key, error))?;
    let own = || {
        [("certificate", &config.certificate), ("key", &config.key)].map(|(key, path)| NamedFile { key: key.to_owned(), path })
    };
    let [certificate, private] = radius.identity_of(key, entry).unwrap_or_else(own);
    let chain =
        net::tls::load_certificates(&config.resolve(certificate.path)).map_err(|error| unusable(&certificate.key, error))?;
    let private = net::tls::load_key(&config.resolve(private.path)).map_err(|error| unusable(&private.key, error))?;
    MutualClient::new(roots, name, Identity { chain, key: private }).map_err(|error| unusable(&certificate.key, error))
}

fn secret(config: &Located<Config>, radius: &RadiusSection, key: &str, entry: &ServerEntry) -> Result<Secret, ConfigError> {
    let file = radius.secret_of(key, entry).ok_or_else(|| refused(config.refused(key, "it has no secret; add secret-file")))?;
    read_secret(config, &file)
}

/// The secret that a AAA server shares with this HAC; white space around it is an editor's.
///
/// # Errors
/// Its file cannot be read, or is empty.
pub fn read_secret(config: &Located<Config>, file: &NamedFile<'_>) -> Result<Secret, ConfigError> {
    let path = config.resolve(file.path);
    let octets = std::fs::read(&path).map_err(|error| refused(config.refused(&file.key, unreadable(&path, &error))))?;
    let text = Secret::new(octets);
    let secret = text.expose().trim_ascii();
    if secret.is_empty() {
        let shown = path.display();
        let problem = format!("{shown} is empty; write the secret that the AAA server has for this HAC as its client");
        return Err(refused(config.refused(&file.key, problem)));
    }
    Ok(Secret::new(secret.to_vec()))
}

fn refused(finding: Finding) -> ConfigError {
    Findings::from(finding).into()
}

#[cfg(test)]
mod tests;
