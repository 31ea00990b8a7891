//! Asks for a page that is nowhere, at port 80 of an address of the HAC: who answers for it, if not somebody on the way?

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use net::tls::connect;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::in_page;
use super::verdict::{self, Verdict};

/// TCP, and the head of the answer after it, each.
const PATIENCE: Duration = Duration::from_secs(2);
const HTTP: u16 = 80;

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Somebody on the way wants a login, at this page if he said which.
    Portal(Option<String>),
    /// The other end itself answered, or what lies before it, and said nothing of a login.
    NoPortal,
    /// There was no answer.
    Silence,
}

/// Asks at `address` for a page of `host`. The connection carries `mark`.
pub(super) async fn ask(address: IpAddr, host: &str, mark: u32) -> Outcome {
    let connection = connect(SocketAddr::new(address, HTTP), Some(mark), PATIENCE).await;
    match connection {
        Ok(stream) => timeout(PATIENCE, exchange(stream, host)).await.unwrap_or(Outcome::Silence),
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => Outcome::NoPortal,
        Err(_) => Outcome::Silence,
    }
}

async fn exchange(mut stream: tokio::net::TcpStream, host: &str) -> Outcome {
    let bracketed = in_page(host);
    let page = format!("{:016x}", rand::random::<u64>());
    let request = format!("GET /{page} HTTP/1.1\r\nHost: {bracketed}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n");
    if stream.write_all(request.as_bytes()).await.is_err() {
        return Outcome::Silence;
    }
    let mut head = Vec::new();
    loop {
        match stream.read_buf(&mut head).await {
            Ok(0) | Err(_) => return Outcome::NoPortal,
            Ok(_) => {}
        }
        head.truncate(verdict::MAX_HEAD);
        match verdict::judge(&head, host) {
            Verdict::Partial => {}
            Verdict::Portal(page) => return Outcome::Portal(page),
            Verdict::None => return Outcome::NoPortal,
        }
    }
}
