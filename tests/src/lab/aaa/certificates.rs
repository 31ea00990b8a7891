//! The certificates of AAA in a lab: an authority, what it gave to the server and to subscribers, and what a peer or a server has
//! to refuse.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fixture::Authority;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, SanType, date_time_ymd};

use super::{Lab, SERVER_NAME};
use crate::lab::deployment::NAI;

/// Another subscriber, who has a certificate.
pub const BOB: &str = "bob@example.org";
/// A server's name that no peer looks for.
pub const OTHER_SERVER_NAME: &str = "aaa.example.net";

/// What a server shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerCertificate {
    /// For [`SERVER_NAME`], by the AAA's authority.
    Good,
    /// As good, until 2021.
    Expired,
    /// For [`OTHER_SERVER_NAME`].
    OtherName,
    /// By an authority that nobody was told of.
    OtherAuthority,
    /// For clients.
    OtherPurpose,
    /// For the address of the servers, as the HAC asks for it over TLS.
    Address,
}

/// What a peer shows in EAP-TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificate {
    /// Of [`NAI`], by the AAA's authority.
    Alice,
    /// Of [`BOB`], by the AAA's authority.
    Bob,
    /// As Alice's, until 2021.
    Expired,
    /// As Alice's, by an authority that nobody was told of.
    OtherAuthority,
}

/// Files in the lab's folder, PEM.
#[derive(Debug)]
pub struct Certificates(PathBuf);

/// A certificate and its private key: files, PEM.
#[derive(Debug)]
pub struct Pair {
    /// The certificate alone.
    pub certificate: PathBuf,
    /// PKCS #8.
    pub key: PathBuf,
}

impl Lab {
    /// The certificates of this lab's AAA; made when they are asked for first.
    pub fn aaa_certificates(&self) -> Result<Certificates> {
        let certificates = Certificates(self.folder().join("aaa-certificates"));
        if !certificates.0.exists() {
            fs::create_dir(&certificates.0).context("cannot make the folder of AAA's certificates")?;
            certificates.write()?;
        }
        Ok(certificates)
    }
}

impl Certificates {
    /// The certificate of the authority that servers and peers trust.
    pub fn authority(&self) -> PathBuf {
        self.0.join("ca.pem")
    }

    /// What a server shows.
    pub fn server(&self, which: ServerCertificate) -> Pair {
        self.pair(match which {
            ServerCertificate::Good => "server",
            ServerCertificate::Expired => "server-expired",
            ServerCertificate::OtherName => "server-other-name",
            ServerCertificate::OtherAuthority => "server-other-authority",
            ServerCertificate::OtherPurpose => "server-other-purpose",
            ServerCertificate::Address => "server-address",
        })
    }

    /// What a peer shows.
    pub fn client(&self, which: ClientCertificate) -> Pair {
        self.pair(match which {
            ClientCertificate::Alice => "alice",
            ClientCertificate::Bob => "bob",
            ClientCertificate::Expired => "alice-expired",
            ClientCertificate::OtherAuthority => "alice-other-authority",
        })
    }

    fn pair(&self, name: &str) -> Pair {
        Pair { certificate: self.0.join(format!("{name}.pem")), key: self.0.join(format!("{name}-key.pem")) }
    }

    fn write(&self) -> Result<()> {
        let (authority, other) = (Authority::new(), Authority::new());
        write(&self.authority(), &authority.pem)?;
        let give = |authority: &Authority, pair: Pair, parameters: &CertificateParams| {
            let certified = authority.certify_as(parameters);
            write(&pair.certificate, &certified.certificate)?;
            write(&pair.key, &certified.key)
        };
        let server = server(SERVER_NAME)?;
        let mut for_clients = server.clone();
        for_clients.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        give(&authority, self.server(ServerCertificate::Good), &server)?;
        give(&authority, self.server(ServerCertificate::Expired), &expired(&server))?;
        give(&authority, self.server(ServerCertificate::OtherName), &self::server(OTHER_SERVER_NAME)?)?;
        give(&other, self.server(ServerCertificate::OtherAuthority), &server)?;
        give(&authority, self.server(ServerCertificate::OtherPurpose), &for_clients)?;
        let at_address =
            parameters(SERVER_NAME, SanType::IpAddress(Ipv4Addr::LOCALHOST.into()), ExtendedKeyUsagePurpose::ServerAuth);
        give(&authority, self.server(ServerCertificate::Address), &at_address)?;
        let alice = client(NAI)?;
        give(&authority, self.client(ClientCertificate::Alice), &alice)?;
        give(&authority, self.client(ClientCertificate::Bob), &client(BOB)?)?;
        give(&authority, self.client(ClientCertificate::Expired), &expired(&alice))?;
        give(&other, self.client(ClientCertificate::OtherAuthority), &alice)
    }
}

/// RFC 5216 section 5.3: for TLS servers, with a dNSName.
fn server(name: &str) -> Result<CertificateParams> {
    let san = SanType::DnsName(name.try_into().context("not a DNS name")?);
    Ok(parameters(name, san, ExtendedKeyUsagePurpose::ServerAuth))
}

/// RFC 5216 section 5.2: the peer's identity is an rfc822Name.
fn client(nai: &str) -> Result<CertificateParams> {
    let san = SanType::Rfc822Name(nai.try_into().context("not an rfc822Name")?);
    Ok(parameters(nai, san, ExtendedKeyUsagePurpose::ClientAuth))
}

fn parameters(name: &str, san: SanType, purpose: ExtendedKeyUsagePurpose) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.subject_alt_names = vec![san];
    parameters.extended_key_usages = vec![purpose];
    parameters
}

fn expired(parameters: &CertificateParams) -> CertificateParams {
    let mut parameters = parameters.clone();
    (parameters.not_before, parameters.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    parameters
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}
