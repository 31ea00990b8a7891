//! DNS for the HAC's name: SRV, AAAA and A, asked of the network's own name servers through sockets that carry the tunnel's mark. `/etc/hosts` comes before DNS. Both files are read anew for each run, since they change with the network.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::ResolveHosts;
use hickory_resolver::net::runtime::iocompat::AsyncIoTokioAsStd;
use hickory_resolver::net::runtime::{RuntimeProvider, TokioHandle, TokioTime};
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::system_conf::parse_resolv_conf;
use net::{marked, tls};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout, timeout_at};

use super::candidate::Service;
use crate::dns::NameServers;
use crate::dns::name_servers::Found;

/// One name server's time for an answer, with the library's repetitions at intervals of a third of a second.
const SERVER_TIMEOUT: Duration = Duration::from_secs(1);
/// Rounds through the name servers after the first; the time of the whole look-up ends it sooner.
const FURTHER_ROUNDS: usize = 4;
/// As many name servers as glibc knows are asked at a time: the first of them may be of a network that is gone.
const SERVERS_AT_ONCE: usize = 3;
/// When one family has an address, the other is waited for so long: one repetition of a lost query.
const OTHER_FAMILY: Duration = Duration::from_millis(500);

/// The resolver of one run.
pub(crate) struct Resolver {
    dns: Result<hickory_resolver::Resolver<Marked>, String>,
    servers: Vec<IpAddr>,
    hosts: String,
}

/// Why a look-up gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Nothing {
    /// There is no such name.
    #[error("there is no such name")]
    UnknownName,
    /// The name has no record of this type.
    #[error("the name has no such record")]
    Empty,
    /// There was no answer of use, for this reason.
    #[error("the look-up failed: {0}")]
    Unanswered(String),
}

impl Resolver {
    /// As `servers` and `/etc/hosts` say now; queries carry `mark`.
    pub(crate) async fn of_system(servers: &NameServers, mark: u32) -> Self {
        Self::of_servers(servers, Way { mark, device: None }).await
    }

    /// The same, whose queries leave by the interface of this name alone.
    pub(crate) async fn on_interface(servers: &NameServers, mark: u32, device: &str) -> Self {
        Self::of_servers(servers, Way { mark, device: Some(device.to_owned()) }).await
    }

    async fn of_servers(servers: &NameServers, way: Way) -> Self {
        let hosts = Path::new("/etc/hosts");
        match servers.find().await {
            Ok(Found { path, text }) => Self::of(&path, Ok(text), hosts, way).await,
            Err(error) => Self::of(Path::new("/etc/resolv.conf"), Err(error), hosts, way).await,
        }
    }

    /// `resolv_conf` is named in messages, and has `text`.
    async fn of(resolv_conf: &Path, text: io::Result<Vec<u8>>, hosts: &Path, way: Way) -> Self {
        // A system without the file has no such names.
        let hosts = tokio::fs::read(hosts).await.map(|octets| String::from_utf8_lossy(&octets).into_owned()).unwrap_or_default();
        let configured = text.map_err(|error| error.to_string()).and_then(|text| configure(&text, way));
        let failed = |reason| format!("{} cannot be used: {reason}", resolv_conf.display());
        let (dns, servers) = match configured {
            Ok((dns, servers)) => (Ok(dns), servers),
            Err(reason) => (Err(failed(reason)), Vec::new()),
        };
        Self { dns, servers, hosts }
    }

    /// Who is asked.
    pub(super) fn servers(&self) -> Servers<'_> {
        Servers(&self.servers)
    }

    /// The addresses that `/etc/hosts` has for `name`.
    pub(super) fn in_hosts(&self, name: &str) -> Vec<IpAddr> {
        let wanted = name.trim_end_matches('.');
        let address = |line: &str| {
            let mut words = line.split('#').next()?.split_whitespace();
            let address = words.next()?.parse().ok()?;
            words.any(|word| word.trim_end_matches('.').eq_ignore_ascii_case(wanted)).then_some(address)
        };
        self.hosts.lines().filter_map(address).collect()
    }

    /// The SRV records of `name`, at least one.
    pub(super) async fn services(&self, name: &str, deadline: Instant) -> Result<Vec<Service>, Nothing> {
        let records = self.query(name, RecordType::SRV, deadline).await?;
        let service = |data: &RData| {
            let RData::SRV(srv) = data else { return None };
            let target = srv.target.to_ascii();
            Some(Service { priority: srv.priority, weight: srv.weight, port: srv.port, target })
        };
        let services: Vec<_> = records.iter().filter_map(service).collect();
        if services.is_empty() { Err(Nothing::Empty) } else { Ok(services) }
    }

    /// The addresses of `name`, of `/etc/hosts` or else of DNS, IPv6 first. What one family has is not lost when the other has no
    /// answer.
    pub(crate) async fn addresses(&self, name: &str, deadline: Instant) -> Result<Vec<IpAddr>, Nothing> {
        let static_ones = self.in_hosts(name);
        if !static_ones.is_empty() {
            return Ok(static_ones);
        }
        let ipv6 = self.addresses_of(name, RecordType::AAAA, deadline);
        let ipv4 = self.addresses_of(name, RecordType::A, deadline);
        tokio::pin!(ipv6, ipv4);
        let (ipv6, ipv4) = tokio::select! {
            ipv6 = &mut ipv6 => { let ipv4 = other(&ipv6, ipv4).await; (ipv6, ipv4) }
            ipv4 = &mut ipv4 => { let ipv6 = other(&ipv4, ipv6).await; (ipv6, ipv4) }
        };
        both(ipv6, ipv4)
    }

    /// The IPv6 addresses that DNS has for `name`, whatever the hosts file says, and for how long they hold; how long it holds that there
    /// are none, where the answer says it.
    pub(crate) async fn ipv6_answer(&self, name: &str, deadline: Instant) -> Result<(Vec<Ipv6Addr>, Option<Duration>), Nothing> {
        let dns = self.dns.as_ref().map_err(|reason| Nothing::Unanswered(reason.clone()))?;
        let name = Name::from_ascii(name).map_err(|error| Nothing::Unanswered(error.to_string()))?;
        let answer = timeout_at(deadline, dns.lookup(name, RecordType::AAAA)).await;
        let seconds = |ttl: u32| Duration::from_secs(ttl.into());
        match answer.map_err(|_| Nothing::Unanswered("no answer".to_owned()))? {
            Ok(answer) => {
                let records = || answer.answers().iter().filter_map(|record| Some((address6(&record.data)?, record.ttl)));
                Ok((records().map(|(ip, _)| ip).collect(), records().map(|(_, ttl)| seconds(ttl)).min()))
            }
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) => Ok((Vec::new(), none.negative_ttl.map(seconds))),
            Err(error) => Err(nothing(error)),
        }
    }

    async fn addresses_of(&self, name: &str, family: RecordType, deadline: Instant) -> Result<Vec<IpAddr>, Nothing> {
        let records = self.query(name, family, deadline).await?;
        Ok(records.iter().filter_map(RData::ip_addr).filter(|ip| can_be_a_host(*ip)).collect())
    }

    async fn query(&self, name: &str, of: RecordType, deadline: Instant) -> Result<Vec<RData>, Nothing> {
        let dns = self.dns.as_ref().map_err(|reason| Nothing::Unanswered(reason.clone()))?;
        let mut query = Name::from_ascii(name).map_err(|error| Nothing::Unanswered(error.to_string()))?;
        // A name with a dot is whole: the search list of the network that the node is in would only add names to it.
        query.set_fqdn(name.contains('.'));
        let answer = timeout_at(deadline, dns.lookup(query, of)).await;
        let answer = answer.map_err(|_| Nothing::Unanswered("no answer".to_owned())).and_then(|answer| answer.map_err(nothing));
        let data = answer.map(|answer| answer.answers().iter().map(|record| record.data.clone()).collect::<Vec<_>>());
        tracing::debug!(name, record = %of, servers = %self.servers(), answer = ?data, "looked up");
        data
    }
}

/// What the other family has, not waited for long when the first has an address.
async fn other(
    first: &Result<Vec<IpAddr>, Nothing>,
    other: impl Future<Output = Result<Vec<IpAddr>, Nothing>>,
) -> Result<Vec<IpAddr>, Nothing> {
    if first.as_ref().is_ok_and(|found| !found.is_empty()) {
        return timeout(OTHER_FAMILY, other).await.unwrap_or_else(|_| Err(Nothing::Unanswered("no answer".to_owned())));
    }
    other.await
}

/// The addresses of both families; without one, what says most: a family that got no answer may have some.
fn both(ipv6: Result<Vec<IpAddr>, Nothing>, ipv4: Result<Vec<IpAddr>, Nothing>) -> Result<Vec<IpAddr>, Nothing> {
    let mut found = Vec::new();
    let mut nothing = Nothing::Empty;
    for family in [ipv6, ipv4] {
        match family {
            Ok(addresses) => found.extend(addresses),
            Err(Nothing::Empty) => {}
            Err(Nothing::UnknownName) if matches!(nothing, Nothing::Unanswered(_)) => {}
            Err(reason @ (Nothing::UnknownName | Nothing::Unanswered(_))) => nothing = reason,
        }
    }
    if found.is_empty() { Err(nothing) } else { Ok(found) }
}

fn address6(data: &RData) -> Option<Ipv6Addr> {
    data.ip_addr().and_then(|ip| if let IpAddr::V6(ip) = ip { Some(ip) } else { None })
}

/// Filters of advertisements and captive networks answer with such addresses, and nobody listens there.
fn can_be_a_host(ip: IpAddr) -> bool {
    !ip.is_unspecified() && !ip.is_multicast()
}

fn nothing(error: NetError) -> Nothing {
    if let NetError::Dns(DnsError::NoRecordsFound(none)) = &error {
        return if none.response_code == ResponseCode::NXDomain { Nothing::UnknownName } else { Nothing::Empty };
    }
    if let NetError::Dns(DnsError::ResponseCode(code)) = &error {
        return Nothing::Unanswered(format!("the answer was an error, {code}"));
    }
    Nothing::Unanswered(if matches!(error, NetError::Timeout) { "no answer".to_owned() } else { said(&error) })
}

/// An error of the library without its own words before the system's.
fn said(error: &NetError) -> String {
    if let NetError::Io(error) = error { error.to_string() } else { error.to_string() }
}

fn configure(resolv_conf: &[u8], way: Way) -> Result<(hickory_resolver::Resolver<Marked>, Vec<IpAddr>), String> {
    let (config, mut options) = parse_resolv_conf(resolv_conf).map_err(|error| said(&error))?;
    options.timeout = SERVER_TIMEOUT;
    options.attempts = FURTHER_ROUNDS;
    options.num_concurrent_reqs = SERVERS_AT_ONCE;
    options.use_hosts_file = ResolveHosts::Never;
    options.cache_size = 0;
    let servers = config.name_servers().iter().map(|server| server.ip).collect();
    let marked = Marked { way, interfaces: interfaces(resolv_conf).into(), handle: TokioHandle::default() };
    let builder = hickory_resolver::Resolver::builder_with_config(config, marked).with_options(options);
    Ok((builder.build().map_err(|error| error.to_string())?, servers))
}

/// The interfaces of link-local name servers (`nameserver fe80::1%wlan0`), which the library does not keep.
fn interfaces(resolv_conf: &[u8]) -> Vec<(IpAddr, String)> {
    let interface = |line: &str| {
        let (address, interface) = line.trim().strip_prefix("nameserver")?.trim().split_once('%')?;
        Some((address.parse().ok()?, interface.split_whitespace().next()?.to_owned()))
    };
    String::from_utf8_lossy(resolv_conf).lines().filter_map(interface).collect()
}

/// How queries go.
#[derive(Clone)]
struct Way {
    /// The tunnel's mark, which leads past it.
    mark: u32,
    /// The only interface, where one is wanted.
    device: Option<String>,
}

/// Sockets that go so, on tokio.
#[derive(Clone)]
struct Marked {
    way: Way,
    interfaces: Arc<[(IpAddr, String)]>,
    handle: TokioHandle,
}

type Opening<T> = Pin<Box<dyn Send + Future<Output = io::Result<T>>>>;

impl RuntimeProvider for Marked {
    type Handle = TokioHandle;
    type Timer = TokioTime;
    type Udp = UdpSocket;
    type Tcp = AsyncIoTokioAsStd<TcpStream>;

    fn create_handle(&self) -> Self::Handle {
        self.handle.clone()
    }

    /// `bind_addr` is only there for who configures one for the name server, as `/etc/resolv.conf` cannot.
    fn connect_tcp(&self, server: SocketAddr, _bind_addr: Option<SocketAddr>, limit: Option<Duration>) -> Opening<Self::Tcp> {
        let (mark, limit) = (self.way.mark, limit.unwrap_or(SERVER_TIMEOUT));
        let anywhere: IpAddr = if server.is_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        let local = self.way.device.clone().map(|device| tls::LocalEnd { device, address: anywhere });
        Box::pin(async move { tls::connect_from(local.as_ref(), server, Some(mark), limit).await.map(AsyncIoTokioAsStd) })
    }

    fn bind_udp(&self, local: SocketAddr, server: SocketAddr) -> Opening<Self::Udp> {
        let interface = self.interfaces.iter().find(|(address, _)| *address == server.ip());
        let device = self.way.device.as_ref().or(interface.map(|(_, name)| name));
        let socket = marked::bind_udp(local, self.way.mark, device.map(String::as_str));
        Box::pin(std::future::ready(socket))
    }
}

/// Name servers, for messages.
pub(super) struct Servers<'a>(&'a [IpAddr]);

impl fmt::Display for Servers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => write!(f, "no name server"),
            [first, others @ ..] => {
                write!(f, "{first}")?;
                others.iter().try_for_each(|server| write!(f, ", {server}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn resolver(resolv_conf: &str, hosts: &str) -> Resolver {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let (resolv_conf, hosts) = (path("resolv.conf", resolv_conf), path("hosts", hosts));
        Resolver::of(&resolv_conf, tokio::fs::read(&resolv_conf).await, &hosts, past()).await
    }

    fn past() -> Way {
        Way { mark: 7872, device: None }
    }

    fn addresses(list: &[&str]) -> Vec<IpAddr> {
        list.iter().map(|ip| ip.parse().unwrap()).collect()
    }

    const HOSTS: &str = "\
# the operator's own
127.0.0.1 localhost
fe80::1%lo0 link.example.org
192.0.2.1\thac HAC.Example.org. # and no other.example.org
2001:db8::1 hac.example.org
nonsense hac.example.org
";

    #[tokio::test]
    async fn what_the_hosts_file_has_is_found_without_a_name_server() {
        let resolver = resolver("", HOSTS).await;
        let both = addresses(&["192.0.2.1", "2001:db8::1"]);
        assert_eq!(resolver.addresses("hac.example.org", Instant::now()).await, Ok(both.clone()));
        assert_eq!(resolver.in_hosts("Hac.example.ORG."), both);
        assert_eq!(resolver.in_hosts("hac"), addresses(&["192.0.2.1"]));
        for absent in ["other.example.org", "link.example.org", "example.org", "#", "192.0.2.1"] {
            assert_eq!(resolver.in_hosts(absent), addresses(&[]), "{absent}");
        }
    }

    #[tokio::test]
    async fn without_a_name_server_the_file_that_should_name_one_is_told() {
        let nowhere = {
            let (path, hosts) = (Path::new("/nowhere/resolv.conf"), Path::new("/nowhere/hosts"));
            Resolver::of(path, tokio::fs::read(path).await, hosts, past()).await
        };
        for resolver in [resolver("# nothing yet\n", "").await, nowhere] {
            let Err(Nothing::Unanswered(reason)) = resolver.addresses("hac.example.org", Instant::now()).await else {
                panic!("an answer from nowhere")
            };
            assert!(reason.contains("resolv.conf cannot be used: "), "{reason}");
            assert_eq!(resolver.servers().to_string(), "no name server");
        }
    }

    #[test]
    fn what_one_family_has_is_not_lost_when_the_other_has_none_or_no_answer() {
        let (some, unanswered) = (addresses(&["192.0.2.1"]), Nothing::Unanswered("no answer".to_owned()));
        for other in [Nothing::UnknownName, Nothing::Empty, unanswered.clone()] {
            assert_eq!(both(Err(other.clone()), Ok(some.clone())), Ok(some.clone()));
            assert_eq!(both(Ok(some.clone()), Err(other)), Ok(some.clone()));
        }
        assert_eq!(both(Err(Nothing::UnknownName), Err(Nothing::Empty)), Err(Nothing::UnknownName));
        assert_eq!(both(Err(unanswered.clone()), Err(Nothing::UnknownName)), Err(unanswered.clone()));
        assert_eq!(both(Err(Nothing::Empty), Err(unanswered.clone())), Err(unanswered));
        assert_eq!(both(Ok(Vec::new()), Err(Nothing::Empty)), Err(Nothing::Empty));
    }

    #[tokio::test(start_paused = true)]
    async fn the_other_family_is_waited_for_half_a_second_once_one_has_an_address() {
        let after = |seconds| async move {
            tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
            Ok(addresses(&["2001:db8::1"]))
        };
        let found = Ok(addresses(&["192.0.2.1"]));
        assert_eq!(other(&found, after(0.4)).await, Ok(addresses(&["2001:db8::1"])));
        assert!(matches!(other(&found, after(0.6)).await, Err(Nothing::Unanswered(_))));
        assert!(other(&Err(Nothing::Empty), after(3.0)).await.is_ok(), "it is all that there may be");
        assert!(other(&Ok(Vec::new()), after(3.0)).await.is_ok());
    }

    #[test]
    fn the_interface_of_a_link_local_name_server_is_kept() {
        let text =
            b"# fe80::9%no\nnameserver 192.0.2.53\n  nameserver\tfe80::1%wlan0 # the router\nnameserver fe80::2\nsearch example.org\n";
        assert_eq!(interfaces(text), [("fe80::1".parse().unwrap(), "wlan0".to_owned())]);
        let (_, servers) = configure(text, past()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(servers, addresses(&["192.0.2.53", "fe80::1", "fe80::2"]));
    }

    #[test]
    fn addresses_that_are_nobodys_are_not_taken() {
        for (ip, expected) in [("0.0.0.0", false), ("::", false), ("224.0.0.1", false), ("ff02::1", false), ("127.0.0.1", true)] {
            assert_eq!(can_be_a_host(ip.parse().unwrap()), expected, "{ip}");
        }
    }
}
