//! A relay that ends TLS and starts it again: what somebody does who holds a certificate of the HAC's name but not its key.
//! The octets pass unchanged, so only the channel binding (RFC 6618 section 5.8) tells that there are two channels.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// What a relay needs of files, all PEM.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    /// The relay's certificate, with the HAC's name.
    pub certificate: &'a Path,
    /// Its key.
    pub key: &'a Path,
    /// The authority of the HAC's certificate.
    pub ca: &'a Path,
}

/// Relays every connection at `listen` to the HAC at `to`, whose name is `name`; returns only on an error.
pub fn serve(listen: SocketAddr, to: SocketAddr, name: &str, files: Files<'_>) -> Result<()> {
    let acceptor = acceptor(files)?;
    let connector = connector(files)?;
    let name = ServerName::try_from(name.to_owned()).context("the HAC's name is no DNS name")?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
        loop {
            let (stream, from) = listener.accept().await?;
            match relay(stream, to, &acceptor, &connector, name.clone()).await {
                Ok(()) => eprintln!("{from}: ended"),
                Err(error) => eprintln!("{from}: {error:#}"),
            }
        }
    })
}

async fn relay(
    stream: TcpStream,
    to: SocketAddr,
    acceptor: &TlsAcceptor,
    connector: &TlsConnector,
    name: ServerName<'static>,
) -> Result<()> {
    let mut inside = acceptor.accept(stream).await.context("the mobile node refused the relay's certificate")?;
    let mut outside = connector.connect(name, TcpStream::connect(to).await?).await.context("no TLS with the HAC")?;
    eprintln!("relaying between the mobile node and {to}");
    tokio::io::copy_bidirectional(&mut inside, &mut outside).await.context("a connection broke")?;
    Ok(())
}

fn acceptor(files: Files<'_>) -> Result<TlsAcceptor> {
    let chain = CertificateDer::pem_file_iter(files.certificate)?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(files.key)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(TlsAcceptor::from(Arc::new(config.with_no_client_auth().with_single_cert(chain, key)?)))
}

fn connector(files: Files<'_>) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(files.ca)? {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
}
