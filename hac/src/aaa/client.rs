//! The client: all AAA servers that decide about access.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::conversation::Conversation;
use super::error::ConfigError;
use super::peer::ServerConfig;
use super::reply::Service;
use super::servers::Servers;

/// AAA servers of one HAC: an operator has two or three, and each may have [`MAX_SOCKETS`](super::MAX_SOCKETS) descriptors.
pub const MAX_SERVERS: usize = 8;
/// Servers that one run asks before it ends: two limits are what the mobile node waits for, see [`MAX_LIMIT`].
pub const SERVERS_PER_RUN: usize = 2;
/// The longest limit: two of them end before the mobile node gives the HAC up.
pub const MAX_LIMIT: Duration = Duration::from_secs(14);
const _: () = assert!(MAX_LIMIT.as_secs() * (SERVERS_PER_RUN as u64) < crate::server::MESSAGE.as_secs());

/// How long things take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    /// From a request to its first retransmission (IRT of RFC 5080 section 2.2.1); each further wait is twice the last.
    pub timeout: Duration,
    /// For one answer of one server, retransmissions included (MRD).
    pub limit: Duration,
    /// A server found dead is passed by for this long, unless it is heard of.
    pub dead_time: Duration,
    /// From one Status-Server to the next.
    pub probe: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        let [timeout, limit, dead_time, probe] = [2, 10, 60, 10].map(Duration::from_secs);
        Self { timeout, limit, dead_time, probe }
    }
}

/// What a client needs.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// In the order in which they are asked.
    pub servers: Vec<ServerConfig>,
    /// The HAC's name, by which the servers may know it: 1 to 253 octets.
    pub nas_identifier: String,
    /// How long things take.
    pub timings: Timings,
}

/// A AAA server's state, for `hac status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerStatus {
    /// Its name.
    pub name: String,
    /// `udp` or `tls`.
    pub transport: &'static str,
    /// The version of TLS of a connection that stands, `1.2` or `1.3`.
    pub tls_version: Option<&'static str>,
    /// Whether runs begin with it.
    pub is_alive: bool,
    /// Open sockets, or connections.
    pub sockets: usize,
    /// Those of them on which something is under way.
    pub busy_sockets: usize,
    /// What was asked and what came, by name.
    pub counts: BTreeMap<&'static str, u64>,
}

/// All AAA servers that decide about access. Asks from within a tokio runtime.
pub struct Client {
    pub(super) nas_identifier: String,
    pub(super) servers: Servers,
    runs: AtomicU32,
}

impl Client {
    /// A client; no socket is opened before the first run.
    ///
    /// # Errors
    /// The configuration cannot work.
    pub fn new(config: ClientConfig) -> Result<Arc<Self>, ConfigError> {
        let nas_identifier = config.nas_identifier.clone();
        let servers = Servers::new(config, Service::Authentication)?;
        Ok(Arc::new(Self { nas_identifier, servers, runs: AtomicU32::new(0) }))
    }

    /// Begins a run for a mobile node that connects from `calling_station`.
    pub fn begin(self: &Arc<Self>, calling_station: IpAddr) -> Conversation {
        Conversation::new(Arc::clone(self), calling_station, self.runs.fetch_add(1, Ordering::Relaxed))
    }

    /// Every server, in the order of the configuration.
    pub fn status(&self) -> Vec<ServerStatus> {
        self.servers.status()
    }
}

#[cfg(test)]
mod tests {
    use super::super::transport::Transport;
    use super::*;
    use protocol::sa::Secret;

    fn config() -> ClientConfig {
        let transport = Transport::Udp("127.0.0.1:1812".parse().unwrap());
        let secret = Secret::new(b"secret".to_vec());
        let server = ServerConfig { name: "aaa1".to_owned(), transport, secret, status_server: true };
        ClientConfig { servers: vec![server], nas_identifier: "hac".to_owned(), timings: Timings::default() }
    }

    fn refused(change: impl FnOnce(&mut ClientConfig)) -> ConfigError {
        let mut config = config();
        change(&mut config);
        Client::new(config).err().unwrap()
    }

    #[test]
    fn what_cannot_work_is_refused() {
        assert!(Client::new(config()).is_ok());
        assert_eq!(refused(|config| config.servers.clear()), ConfigError::Servers { given: 0, most: 8 });
        let many = |config: &mut ClientConfig| config.servers = vec![config.servers[0].clone(); 9];
        assert_eq!(refused(many), ConfigError::Servers { given: 9, most: 8 });
        let empty = |config: &mut ClientConfig| config.servers[0].secret = Secret::empty();
        assert_eq!(refused(empty), ConfigError::EmptySecret("aaa1".to_owned()));
        assert_eq!(refused(|config| config.nas_identifier = String::new()), ConfigError::NasIdentifier(0));
        assert_eq!(refused(|config| config.nas_identifier = "n".repeat(254)), ConfigError::NasIdentifier(254));
    }

    #[test]
    fn a_time_of_zero_and_a_limit_that_the_mobile_node_does_not_wait_for_are_refused() {
        let too_long = refused(|config| config.timings.limit = Duration::from_secs(15));
        assert_eq!(too_long.to_string(), "the time limit is 15s: it must be above zero and at most 14s");
        let zero: [fn(&mut Timings); 3] = [
            |timings| timings.timeout = Duration::ZERO,
            |timings| timings.dead_time = Duration::ZERO,
            |timings| timings.probe = Duration::ZERO,
        ];
        for set in zero {
            assert!(matches!(refused(|config| set(&mut config.timings)), ConfigError::Time { .. }));
        }
    }
}
