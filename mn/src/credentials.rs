//! What this node authenticates with: its pre-shared key, and for EAP what makes a peer for each run.

use std::sync::Arc;

use net::tls::in_memory::{ClientSettings, EapTlsClient, Identity};
use protocol::eap::method::PeerMethod;
use protocol::eap::method::gpsk::GpskPeer;
use protocol::eap::method::md5::Md5;
use protocol::eap::method::mschapv2::MsChapV2Peer;
use protocol::eap::method::tls::ttls::{self, InnerMethod};
use protocol::eap::method::tls::{eap_tls, peap};
use protocol::eap::peer::Peer;
use protocol::mhauth::{Method, Nai, Psk};
use protocol::sa::Secret;
use service::config::{ConfigError, Findings, Located};

use crate::config::{self, Config, Eap, EapMethod};
use crate::hac_client::HacError;

/// Of one node.
#[derive(Clone)]
pub struct Credentials {
    /// Its pre-shared key, where it offers that method.
    pub psk: Option<Psk>,
    /// What it offers EAP with.
    pub eap: Option<Arc<EapCredentials>>,
}

/// What a peer is made of.
pub struct EapCredentials {
    /// What the HAC is told: the node's name, or the anonymous one.
    pub mn_id: Nai,
    name: String,
    password: Secret,
    psk: Option<Psk>,
    /// Best first; with TLS one of its own for each, which remembers its sessions.
    methods: Vec<(EapMethod, Option<EapTlsClient>)>,
}

impl Credentials {
    /// A pre-shared key alone.
    pub fn psk(psk: Psk) -> Self {
        Self { psk: Some(psk), eap: None }
    }

    /// What the configuration says, files read.
    ///
    /// # Errors
    /// A file that it names cannot be used.
    pub fn read(config: &Located<Config>) -> Result<Self, ConfigError> {
        let key = config.identity.psk_file.as_ref().map(|path| config::read_psk(config, path)).transpose()?;
        let offers = |method| config.methods().contains(&method);
        let eap = match &config.eap {
            Some(section) if offers(Method::Eap) => Some(Arc::new(EapCredentials::read(config, section, key.clone())?)),
            Some(_) | None => None,
        };
        Ok(Self { psk: key.filter(|_| offers(Method::Psk)), eap })
    }
}

impl EapCredentials {
    fn read(config: &Located<Config>, section: &Eap, psk: Option<Psk>) -> Result<Self, ConfigError> {
        let refused = |finding| ConfigError::from(Findings::from(finding));
        let name = config.identity.nai.clone();
        let outer = section.anonymous_identity.as_ref().unwrap_or(&name);
        let mn_id = outer.parse().map_err(|error| refused(config.refused("eap.anonymous-identity", error)))?;
        let password = match &section.password_file {
            Some(path) => Secret::new(without_line_end(config.read(path)?)),
            None => Secret::empty(),
        };
        let methods = section.methods.iter().map(|method| Ok((*method, tls_client(config, section, *method)?)));
        let methods = methods.collect::<Result<_, ConfigError>>()?;
        Ok(Self { mn_id, name, password, psk, methods })
    }

    /// A peer for one run.
    ///
    /// # Errors
    /// A method cannot begin.
    pub fn peer(&self) -> Result<Peer, HacError> {
        let methods = self.methods.iter().map(|(method, tls)| self.method(*method, tls.as_ref())).collect::<Result<_, _>>()?;
        Ok(Peer::new(self.mn_id.as_str(), methods).map_err(protocol::mhauth::Failure::Eap)?)
    }

    fn method(&self, method: EapMethod, tls: Option<&EapTlsClient>) -> Result<Box<dyn PeerMethod>, HacError> {
        let connection = tls.map(EapTlsClient::connection).transpose()?;
        let credentials = || ttls::Credentials { user: self.name.clone(), password: self.password.clone() };
        Ok(match (method, connection) {
            (EapMethod::Tls, Some(connection)) => Box::new(eap_tls::peer(connection)),
            (EapMethod::TtlsPap, Some(connection)) => Box::new(ttls::peer(connection, InnerMethod::Pap, credentials())),
            (EapMethod::TtlsMschapv2, Some(connection)) => Box::new(ttls::peer(connection, InnerMethod::MsChapV2, credentials())),
            (EapMethod::PeapMschapv2, Some(connection)) => {
                let inner = MsChapV2Peer::new(&self.name, self.password.clone());
                Box::new(peap::peer(connection, self.name.clone(), Box::new(inner)))
            }
            (EapMethod::Gpsk, _) => {
                let psk = self.psk.as_ref().map_or_else(Secret::empty, |psk| Secret::new(psk.expose().to_vec()));
                Box::new(GpskPeer::new(&self.name, psk).map_err(protocol::mhauth::Failure::Eap)?)
            }
            (EapMethod::Md5, _) => Box::new(Md5::new(self.password.clone())),
            (EapMethod::Tls | EapMethod::TtlsPap | EapMethod::TtlsMschapv2 | EapMethod::PeapMschapv2, None) => {
                unreachable!("a method over TLS is read with its client")
            }
        })
    }
}

/// `None` for a method without TLS.
fn tls_client(config: &Located<Config>, section: &Eap, method: EapMethod) -> Result<Option<EapTlsClient>, ConfigError> {
    let (Some(ca), Some(server_name)) = (&section.ca, &section.server_name) else { return Ok(None) };
    let identity = match (method, &section.certificate, &section.key) {
        (EapMethod::Tls, Some(certificate), Some(key)) => {
            let chain = net::tls::load_certificates(&config.resolve(certificate));
            let chain = chain.map_err(|error| config.refused_file(certificate, error))?;
            let key = net::tls::load_key(&config.resolve(key)).map_err(|error| config.refused_file(key, error))?;
            Some(Identity { chain, key })
        }
        (EapMethod::Tls | EapMethod::TtlsPap | EapMethod::TtlsMschapv2 | EapMethod::PeapMschapv2, _, _) => None,
        (EapMethod::Gpsk | EapMethod::Md5, _, _) => return Ok(None),
    };
    let roots = net::tls::load_authorities(&config.resolve(ca)).map_err(|error| config.refused_file(ca, error))?;
    let settings = ClientSettings { roots, server_name: server_name.clone(), identity, versions: rustls::ALL_VERSIONS };
    let refused = |error| ConfigError::from(Findings::from(config.refused("eap", error)));
    EapTlsClient::new(settings).map(Some).map_err(refused)
}

/// A password may begin or end with a space; the line's end is an editor's.
fn without_line_end(text: String) -> Vec<u8> {
    let mut octets = text.into_bytes();
    while octets.last().is_some_and(|last| matches!(last, b'\n' | b'\r')) {
        octets.pop();
    }
    octets
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const CONFIG: &str = "[hac]\nname = \"hac.example.org\"\nca = \"ca.pem\"\n[identity]\nnai = \"alice@example.org\"\n";
    const MD5: &str = "[eap]\nmethods = [\"md5\"]\npassword-file = \"password\"\n";
    const GPSK: &str = "psk-file = \"psk\"\n[eap]\nmethods = [\"gpsk\"]\n";

    /// A folder with a pre-shared key and a password.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("psk"), "ab".repeat(32)).unwrap();
        std::fs::write(folder.path().join("password"), "sesame\n").unwrap();
        folder
    }

    fn read(folder: &Path, lines: &str) -> Result<Credentials, ConfigError> {
        let path = folder.join("mn.toml");
        std::fs::write(&path, format!("{CONFIG}{lines}")).unwrap();
        Credentials::read(&service::config::load(&path).unwrap())
    }

    #[test]
    fn the_pre_shared_key_is_offered_where_the_methods_say_so_and_serves_eap_gpsk_all_the_same() {
        let folder = folder();
        let with_key = read(folder.path(), "psk-file = \"psk\"\n").unwrap();
        assert!(with_key.eap.is_none());
        assert_eq!(with_key.psk.unwrap().expose(), [0xab; 32]);

        let with_eap = read(folder.path(), GPSK).unwrap();
        assert!(with_eap.psk.is_none());
        assert!(with_eap.eap.unwrap().peer().is_ok());

        let both = read(folder.path(), &format!("methods = [\"eap\", \"psk\"]\n{GPSK}")).unwrap();
        assert!(both.psk.is_some() && both.eap.is_some());
        let key_alone = read(folder.path(), &format!("methods = [\"psk\"]\n{GPSK}")).unwrap();
        assert!(key_alone.psk.is_some() && key_alone.eap.is_none());
        assert!(read(folder.path(), MD5).unwrap().psk.is_none(), "no key is needed");
    }

    #[test]
    fn a_password_is_the_files_octets_without_the_end_of_its_line() {
        let folder = folder();
        for (text, expected) in [
            ("sesame", "sesame"),
            ("sesame\n", "sesame"),
            ("sesame\r\n", "sesame"),
            (" se same \n", " se same "),
            ("two\nlines\n", "two\nlines"),
            ("", ""),
        ] {
            std::fs::write(folder.path().join("password"), text).unwrap();
            let eap = read(folder.path(), MD5).unwrap().eap.unwrap();
            assert_eq!(eap.password.expose(), expected.as_bytes(), "{text:?}");
        }
    }

    #[test]
    fn the_hac_is_told_the_anonymous_name_where_there_is_one() {
        let folder = folder();
        let mn_id = |lines: &str| read(folder.path(), lines).unwrap().eap.unwrap().mn_id.as_str().to_owned();
        assert_eq!(mn_id(MD5), "alice@example.org");
        assert_eq!(mn_id(&format!("{MD5}anonymous-identity = \"@example.org\"\n")), "@example.org");
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named_where_it_stands() {
        let folder = folder();
        let error = |lines: &str| read(folder.path(), lines).err().unwrap().to_string();
        let tls = "[eap]\nmethods = [\"ttls-pap\"]\nserver-name = \"aaa.example.org\"\nca = \"aaa.pem\"\npassword-file = \"password\"\n";
        let text = error(tls);
        assert!(text.contains("mn.toml:9:1: [eap] ca = \"aaa.pem\": "), "{text}");
        std::fs::write(folder.path().join("aaa.pem"), fixture::Authority::new().pem).unwrap();
        assert!(read(folder.path(), tls).unwrap().eap.unwrap().peer().is_ok());
        std::fs::remove_file(folder.path().join("password")).unwrap();
        let text = error(MD5);
        assert!(text.contains("mn.toml:8:1: [eap] password-file = \"password\": cannot read "), "{text}");
        std::fs::write(folder.path().join("psk"), "sesame").unwrap();
        let text = error(GPSK);
        assert!(text.contains("mn.toml:6:1: [identity] psk-file = \"psk\": ") && !text.contains("sesame"), "{text}");
    }
}
