//! Routes, and the kernel's answer to "where would a packet to this destination go".

use std::net::IpAddr;

use ipnet::IpNet;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteNextHop, RouteScope, RouteType,
};

use super::{Change, Family, Netlink, NetlinkError};

/// The table that `ip route` shows.
pub const MAIN_TABLE: u32 = RouteHeader::RT_TABLE_MAIN as u32;

/// The table in which the kernel keeps what it delivers to this host.
pub const LOCAL_TABLE: u32 = libc::RT_TABLE_LOCAL as u32;

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// What it leads to.
    pub destination: IpNet,
    /// What happens to the packets.
    pub kind: RouteKind,
    /// The interface that they leave by.
    pub interface: Option<u32>,
    /// The router on the way.
    pub gateway: Option<IpAddr>,
    /// The preferred source address.
    pub source: Option<IpAddr>,
    /// The routing table.
    pub table: u32,
    /// The number of the program that made it (RTPROT).
    pub protocol: u8,
    /// Its metric; without one the kernel takes 0 for IPv4 and 1024 for IPv6.
    pub metric: Option<u32>,
}

/// What a route does with packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteKind {
    /// Sends them on.
    Unicast,
    /// Refuses them with ICMP unreachable.
    Unreachable,
    /// Ends the look-up in this table: the next rule is asked.
    Throw,
    /// Something else, by the kernel's number (RTN).
    Other(u8),
}

/// Which routes [`Netlink::routes`] lists; `None` is any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouteFilter {
    /// Only those of this table.
    pub table: Option<u32>,
    /// Only those with this protocol number.
    pub protocol: Option<u8>,
}

/// Where a packet would go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextHop {
    /// The interface that it would leave by.
    pub interface: u32,
    /// The source address that it would get.
    pub source: Option<IpAddr>,
    /// The router that it would go to; none when the destination is on the link.
    pub gateway: Option<IpAddr>,
}

impl Route {
    /// Sends packets to `destination` out of `interface`.
    pub fn unicast(destination: IpNet, interface: u32, table: u32, protocol: u8) -> Self {
        let (kind, interface) = (RouteKind::Unicast, Some(interface));
        Self { destination, kind, interface, gateway: None, source: None, table, protocol, metric: None }
    }

    /// Refuses packets to `destination`.
    pub fn unreachable(destination: IpNet, table: u32, protocol: u8) -> Self {
        let kind = RouteKind::Unreachable;
        Self { destination, kind, interface: None, gateway: None, source: None, table, protocol, metric: None }
    }

    /// Leaves packets to `destination` to the rules after the one that led to `table`.
    pub fn throw(destination: IpNet, table: u32, protocol: u8) -> Self {
        Self { kind: RouteKind::Throw, ..Self::unreachable(destination, table, protocol) }
    }

    /// Prefers `source` for what this host sends on the route.
    #[must_use]
    pub fn with_source(self, source: IpAddr) -> Self {
        Self { source: Some(source), ..self }
    }

    /// By this router.
    #[must_use]
    pub fn with_gateway(self, gateway: IpAddr) -> Self {
        Self { gateway: Some(gateway), ..self }
    }

    /// With this metric.
    #[must_use]
    pub fn with_metric(self, metric: u32) -> Self {
        Self { metric: Some(metric), ..self }
    }

    /// `None` for a family that we do not know and for cached copies.
    pub(super) fn parse(message: &RouteMessage) -> Option<Self> {
        let unspecified = match Family::known(message.header.address_family)? {
            Family::V4 => IpAddr::from([0; 4]),
            Family::V6 => IpAddr::from([0; 16]),
        };
        if message.header.flags.contains(RouteFlags::Cloned) {
            return None;
        }
        let destination = IpNet::new(unspecified, message.header.destination_prefix_length).ok()?;
        let mut route = Self::unreachable(destination, message.header.table.into(), message.header.protocol.into());
        route.kind = message.header.kind.into();
        for attribute in &message.attributes {
            if let RouteAttribute::Destination(address) = attribute {
                route.destination = IpNet::new(ip(address)?, destination.prefix_len()).ok()?;
            } else if let RouteAttribute::Oif(index) = attribute {
                route.interface = Some(*index);
            } else if let RouteAttribute::Gateway(address) = attribute {
                route.gateway = ip(address);
            } else if let RouteAttribute::PrefSource(address) = attribute {
                route.source = ip(address);
            } else if let RouteAttribute::Table(table) = attribute {
                route.table = *table;
            } else if let RouteAttribute::Priority(metric) = attribute {
                route.metric = Some(*metric);
            }
        }
        Some(route)
    }

    fn message(&self) -> RouteMessage {
        let mut message = RouteMessage::default();
        let header = &mut message.header;
        header.address_family = family(self.destination.addr()).into();
        header.destination_prefix_length = self.destination.prefix_len();
        header.table = u8::try_from(self.table).unwrap_or(libc::RT_TABLE_COMPAT);
        header.protocol = self.protocol.into();
        header.kind = self.kind.into();
        let on_link = self.kind == RouteKind::Unicast && self.gateway.is_none() && self.destination.addr().is_ipv4();
        header.scope = if on_link { RouteScope::Link } else { RouteScope::Universe };
        message.attributes =
            vec![RouteAttribute::Destination(self.destination.network().into()), RouteAttribute::Table(self.table)];
        message.attributes.extend(self.interface.map(RouteAttribute::Oif));
        message.attributes.extend(self.gateway.map(|gateway| RouteAttribute::Gateway(gateway.into())));
        message.attributes.extend(self.source.map(|source| RouteAttribute::PrefSource(source.into())));
        message.attributes.extend(self.metric.map(RouteAttribute::Priority));
        message
    }
}

impl Netlink {
    /// Adds a route. [`Change::AlreadySo`] where the table has one to this destination with this metric, whatever it says:
    /// [`Self::replace_route`] makes it say this.
    ///
    /// # Errors
    /// The interface is gone or down, or CAP_NET_ADMIN is missing.
    pub async fn add_route(&self, route: &Route) -> Result<Change, NetlinkError> {
        let request = RouteNetlinkMessage::NewRoute(route.message());
        self.change(&describe("add", route), request, NLM_F_CREATE | NLM_F_EXCL, &[libc::EEXIST]).await
    }

    /// Adds a route, in place of the one to this destination with this metric if there is one.
    ///
    /// # Errors
    /// As [`Self::add_route`].
    pub async fn replace_route(&self, route: &Route) -> Result<(), NetlinkError> {
        let request = RouteNetlinkMessage::NewRoute(route.message());
        self.ask(&describe("set", route), request, NLM_F_CREATE | NLM_F_REPLACE).await?;
        Ok(())
    }

    /// Deletes the route to this destination with this kind, interface, gateway, metric and protocol; its table or interface may be gone already.
    ///
    /// # Errors
    /// CAP_NET_ADMIN is missing.
    pub async fn delete_route(&self, route: &Route) -> Result<Change, NetlinkError> {
        let mut message = Route { source: None, ..route.clone() }.message();
        message.header.scope = RouteScope::NoWhere; // any
        let harmless = [libc::ESRCH, libc::ENODEV, libc::ENOENT];
        self.change(&describe("delete", route), RouteNetlinkMessage::DelRoute(message), 0, &harmless).await
    }

    /// Lists the routes that `filter` lets through, of both families: one by several routers once for each.
    ///
    /// # Errors
    /// No answer.
    pub async fn routes(&self, filter: RouteFilter) -> Result<Vec<Route>, NetlinkError> {
        let mut routes = Vec::new();
        for family in Family::BOTH {
            let answer = self.dump("list the routes", filter.request(family)).await;
            routes.extend(listed(answer, filter)?);
        }
        Ok(routes)
    }

    /// What the kernel delivers to this host and does not forward: its addresses, and the broadcast and anycast addresses of
    /// its links.
    ///
    /// # Errors
    /// No answer.
    pub async fn own_destinations(&self) -> Result<Vec<IpNet>, NetlinkError> {
        let delivered = [libc::RTN_LOCAL, libc::RTN_BROADCAST, libc::RTN_ANYCAST].map(RouteKind::Other);
        let routes = self.routes(RouteFilter { table: Some(LOCAL_TABLE), protocol: None }).await?;
        Ok(routes.into_iter().filter(|route| delivered.contains(&route.kind)).map(|route| route.destination).collect())
    }

    /// Deletes the routes that `filter` lets through; returns how many there were. A filter that lets everything through
    /// deletes nothing.
    ///
    /// # Errors
    /// As [`Self::delete_route`].
    pub async fn delete_routes(&self, filter: RouteFilter) -> Result<usize, NetlinkError> {
        if filter == RouteFilter::default() {
            return Ok(0);
        }
        let mut deleted = 0;
        for route in self.routes(filter).await? {
            deleted += usize::from(self.delete_route(&route).await? == Change::Made);
        }
        Ok(deleted)
    }

    /// Where a packet to `destination` with the firewall mark `mark` would go; `None` when no route leads there.
    ///
    /// # Errors
    /// No answer.
    pub async fn route_to(&self, destination: IpAddr, mark: Option<u32>) -> Result<Option<NextHop>, NetlinkError> {
        let mut message = RouteMessage::default();
        message.header.address_family = family(destination).into();
        message.header.destination_prefix_length = IpNet::from(destination).prefix_len();
        message.attributes.push(RouteAttribute::Destination(destination.into()));
        message.attributes.extend(mark.map(RouteAttribute::Mark));
        let what = format!("look up the route to {destination}");
        let answer = match self.ask(&what, RouteNetlinkMessage::GetRoute(message), 0).await {
            Err(error) if matches!(error.errno(), Some(libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EACCES)) => {
                return Ok(None);
            }
            other => other?,
        };
        Ok(answer.iter().find_map(next_hop))
    }
}

impl RouteFilter {
    pub(super) fn request(self, family: Family) -> RouteNetlinkMessage {
        let mut message = RouteMessage::default();
        message.header.address_family = family.into();
        message.header.protocol = self.protocol.unwrap_or_default().into();
        message.attributes.extend(self.table.map(RouteAttribute::Table));
        RouteNetlinkMessage::GetRoute(message)
    }

    fn lets_through(&self, route: &Route) -> bool {
        self.table.is_none_or(|table| table == route.table) && self.protocol.is_none_or(|protocol| protocol == route.protocol)
    }
}

impl From<RouteKind> for RouteType {
    fn from(kind: RouteKind) -> Self {
        match kind {
            RouteKind::Unicast => Self::Unicast,
            RouteKind::Unreachable => Self::Unreachable,
            RouteKind::Throw => Self::Throw,
            RouteKind::Other(number) => number.into(),
        }
    }
}

impl From<RouteType> for RouteKind {
    fn from(kind: RouteType) -> Self {
        if kind == RouteType::Unicast {
            Self::Unicast
        } else if kind == RouteType::Unreachable {
            Self::Unreachable
        } else if kind == RouteType::Throw {
            Self::Throw
        } else {
            Self::Other(kind.into())
        }
    }
}

/// What an answer to [`RouteFilter::request`] says. A table without a route may not even exist.
pub(super) fn listed(
    answer: Result<Vec<RouteNetlinkMessage>, NetlinkError>,
    filter: RouteFilter,
) -> Result<impl Iterator<Item = Route>, NetlinkError> {
    let messages = match answer {
        Err(error) if error.errno() == Some(libc::ENOENT) => Vec::new(),
        other => other?,
    };
    Ok(messages.into_iter().flat_map(parsed).filter(move |route| filter.lets_through(route)))
}

/// A route by several routers is a route by each of them.
fn parsed(message: RouteNetlinkMessage) -> Vec<Route> {
    let RouteNetlinkMessage::NewRoute(message) = message else { return Vec::new() };
    let Some(route) = Route::parse(&message) else { return Vec::new() };
    let several = |attribute: &_| if let RouteAttribute::MultiPath(hops) = attribute { Some(hops.clone()) } else { None };
    match message.attributes.iter().find_map(several) {
        None => vec![route],
        Some(hops) => hops.iter().map(|hop| by(&route, hop)).collect(),
    }
}

fn by(route: &Route, hop: &RouteNextHop) -> Route {
    let router = |attribute: &_| if let RouteAttribute::Gateway(address) = attribute { ip(address) } else { None };
    Route { interface: Some(hop.interface_index), gateway: hop.attributes.iter().find_map(router), ..route.clone() }
}

/// What a look-up says is a cached copy, which [`Route::parse`] leaves out.
fn next_hop(message: &RouteNetlinkMessage) -> Option<NextHop> {
    let RouteNetlinkMessage::NewRoute(message) = message else { return None };
    let mut message = message.clone();
    message.header.flags.remove(RouteFlags::Cloned);
    let route = Route::parse(&message)?;
    Some(NextHop { interface: route.interface?, source: route.source, gateway: route.gateway })
}

fn family(address: IpAddr) -> Family {
    match address {
        IpAddr::V4(_) => Family::V4,
        IpAddr::V6(_) => Family::V6,
    }
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    if let RouteAddress::Inet(ip) = address {
        Some(IpAddr::V4(*ip))
    } else if let RouteAddress::Inet6(ip) = address {
        Some(IpAddr::V6(*ip))
    } else {
        None
    }
}

fn describe(verb: &str, route: &Route) -> String {
    let interface = route.interface.map_or_else(String::new, |index| format!(" by interface {index}"));
    format!("{verb} the route to {}{interface} in table {}", route.destination, route.table)
}
