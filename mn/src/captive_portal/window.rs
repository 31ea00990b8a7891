//! The window for a login: an HTTP proxy on loopback whose connections and look-ups go past the tunnel. The leak guard does not
//! change for it, so nothing leaves but what a program sends through it on purpose.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use net::tls::connect;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, timeout};

use super::page_of;
use super::request::{self, Asked, NotAsked};
use crate::dns::NameServers;
use crate::hac_client::{HacClient, Resolver};

/// A login that takes longer begins anew.
pub const LONGEST: Duration = Duration::from_secs(600);
/// Connections at a time: a browser has six a host.
const MOST: usize = 64;
/// For the head of a request, a look-up, and a connection, each.
const PATIENCE: Duration = Duration::from_secs(10);
const STANDS: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

/// The window of one mobile node; closed at first, and when it is dropped.
pub struct Window {
    name_servers: NameServers,
    mark: u32,
    hac: String,
    open: Mutex<Option<(SocketAddr, AbortHandle)>>,
}

impl Window {
    /// Names are looked up as those of `hac` are; what leaves carries the same mark.
    pub fn new(hac: &HacClient) -> Arc<Self> {
        let (name_servers, mark) = (hac.name_servers.clone(), hac.fwmark);
        Arc::new(Self { name_servers, mark, hac: hac.whereabouts.name.clone(), open: Mutex::new(None) })
    }

    /// A page without TLS: whichever is asked for, a portal answers.
    pub fn any_page(&self) -> String {
        page_of(&self.hac)
    }

    /// Opens it, for [`LONGEST`] at most; gives where the proxy listens. Where it is open already it stays so.
    ///
    /// # Errors
    /// The kernel has no port.
    pub async fn open(self: &Arc<Self>) -> io::Result<SocketAddr> {
        if let Some(address) = self.address() {
            return Ok(address);
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let proxy = Arc::new(Proxy { name_servers: self.name_servers.clone(), mark: self.mark });
        let task = tokio::spawn(async move {
            let _over = timeout(LONGEST, serve(listener, proxy)).await;
        });
        let before = self.lock().replace((address, task.abort_handle()));
        before.iter().for_each(|(_, task)| task.abort());
        tracing::info!(%address, "a window for the login is open");
        Ok(address)
    }

    /// Closes it, and whatever goes through it.
    pub fn close(&self) {
        if let Some((_, task)) = self.lock().take().filter(|(_, task)| !task.is_finished()) {
            task.abort();
            tracing::info!("the window for the login is closed");
        }
    }

    /// Where the proxy listens; `None` while it is closed.
    pub fn address(&self) -> Option<SocketAddr> {
        self.lock().as_ref().filter(|(_, task)| !task.is_finished()).map(|(address, _)| *address)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(SocketAddr, AbortHandle)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.close();
    }
}

/// What each connection needs.
struct Proxy {
    name_servers: NameServers,
    mark: u32,
}

/// Dropped, it ends every connection.
async fn serve(listener: TcpListener, proxy: Arc<Proxy>) {
    let (places, mut connections) = (Arc::new(Semaphore::new(MOST)), JoinSet::new());
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let Ok((browser, _)) = listener.accept().await else { continue };
        let proxy = proxy.clone();
        connections.spawn(async move {
            if let Err(error) = proxy.handle(browser).await {
                tracing::debug!(%error, "a connection through the window failed");
            }
            drop(place);
        });
        while connections.try_join_next().is_some() {}
    }
}

impl Proxy {
    async fn handle(&self, mut browser: TcpStream) -> io::Result<()> {
        let (asked, rest) = match timeout(PATIENCE, read(&mut browser)).await.map_err(|_| io::ErrorKind::TimedOut)?? {
            Ok(asked) => asked,
            Err(NotAsked::Partial) => return Ok(()),
            Err(NotAsked::Malformed) => {
                return refuse(browser, "400 Bad Request", "this is a proxy for a login: ask it for http: or CONNECT").await;
            }
        };
        let mut server = match self.reach(&asked.host, asked.port).await {
            Ok(server) => server,
            Err(error) => return refuse(browser, "502 Bad Gateway", &error.to_string()).await,
        };
        match asked.head {
            Some(head) => server.write_all(&head).await?,
            None => browser.write_all(STANDS).await?,
        }
        server.write_all(&rest).await?;
        copy_bidirectional(&mut browser, &mut server).await.map(drop)
    }

    async fn reach(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let addresses = self.look_up(host).await?;
        let mut last = io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address"));
        for address in addresses {
            match connect(SocketAddr::new(address, port), Some(self.mark), PATIENCE).await {
                Ok(server) => return Ok(server),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn look_up(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let resolver = Resolver::of_system(&self.name_servers, self.mark).await;
        resolver.addresses(host, Instant::now() + PATIENCE).await.map_err(|why| io::Error::other(format!("{host}: {why}")))
    }
}

/// The request, and what came behind its head.
async fn read(browser: &mut TcpStream) -> io::Result<Result<(Asked, Vec<u8>), NotAsked>> {
    let mut octets = Vec::new();
    loop {
        if browser.read_buf(&mut octets).await? == 0 {
            return Ok(Err(NotAsked::Partial));
        }
        match request::parse(&octets) {
            Err(NotAsked::Partial) => {}
            parsed => return Ok(parsed.map(|asked| (asked.clone(), octets.split_off(asked.len)))),
        }
    }
}

async fn refuse(mut browser: TcpStream, status: &str, why: &str) -> io::Result<()> {
    let answer = format!("HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n{why}\n");
    browser.write_all(answer.as_bytes()).await
}
