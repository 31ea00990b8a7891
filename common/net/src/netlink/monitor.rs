//! Changes of links, addresses and routes, as the kernel tells them: the mobile node's movement detection begins here.
//!
//! The socket is read only as fast as its owner takes events, so nothing piles up here. When the kernel has had to drop
//! messages (ENOBUFS), an [`Event::Resync`] says that the lists have to be read again.

use std::io;

use futures_util::FutureExt;
use rtnetlink::MulticastGroup;
use rtnetlink::packet_core::NetlinkPayload;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::sys::protocols::NETLINK_ROUTE;
use rtnetlink::sys::{AsyncSocket, AsyncSocketExt, SocketAddr, TokioSocket};

use super::datagram::Datagram;
use super::neighbour::{self, Neighbour};
use super::{Address, Link, NetlinkError, Route};

const GROUPS: [MulticastGroup; 5] = [
    MulticastGroup::Link,
    MulticastGroup::Ipv4Ifaddr,
    MulticastGroup::Ipv6Ifaddr,
    MulticastGroup::Ipv4Route,
    MulticastGroup::Ipv6Route,
];

/// What a host's policy rules are told in, besides.
const RULE_GROUPS: [MulticastGroup; 2] = [MulticastGroup::Ipv4Rule, MulticastGroup::Ipv6Rule];

/// Events that make one change, at most: a move has some ten.
const TOGETHER: usize = 256;

/// What has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A link came or changed.
    Link(Link),
    /// A link went.
    LinkGone(Link),
    /// An address came or changed its flags.
    Address(Address),
    /// An address went.
    AddressGone(Address),
    /// A route came or changed.
    Route(Route),
    /// A route went.
    RouteGone(Route),
    /// A policy rule came or went; told only to a monitor of rules.
    Rules,
    /// A neighbour answers, is asked or does not answer; told only to a monitor of neighbours.
    Neighbour(Neighbour),
    /// Events were lost: read the lists again.
    Resync,
}

/// What lists may be others than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// That of the links, besides those of addresses and routes.
    pub links: bool,
}

/// A socket that hears of changes.
pub struct Monitor {
    socket: TokioSocket,
    datagram: Datagram,
}

impl Monitor {
    /// Starts to listen; needs no rights. Whoever then reads the lists misses nothing.
    ///
    /// # Errors
    /// [`NetlinkError::Open`].
    pub fn open() -> Result<Self, NetlinkError> {
        Self::of(&GROUPS)
    }

    /// As [`Self::open`], and hears of policy rules too.
    ///
    /// # Errors
    /// [`NetlinkError::Open`].
    pub fn open_with_rules() -> Result<Self, NetlinkError> {
        Self::of(&[&GROUPS[..], &RULE_GROUPS].concat())
    }

    /// Hears of neighbours alone.
    ///
    /// # Errors
    /// [`NetlinkError::Open`].
    pub fn open_for_neighbours() -> Result<Self, NetlinkError> {
        let socket = TokioSocket::new(NETLINK_ROUTE).map_err(NetlinkError::Open)?;
        neighbour::listen_for_answers(socket.socket_ref()).map_err(NetlinkError::Open)?;
        Self::bound(socket, &[MulticastGroup::Neigh])
    }

    fn of(groups: &[MulticastGroup]) -> Result<Self, NetlinkError> {
        Self::bound(TokioSocket::new(NETLINK_ROUTE).map_err(NetlinkError::Open)?, groups)
    }

    fn bound(mut socket: TokioSocket, groups: &[MulticastGroup]) -> Result<Self, NetlinkError> {
        let groups = groups.iter().fold(0, |groups, group| groups | 1 << (*group as u32 - 1));
        socket.socket_mut().bind(&SocketAddr::new(0, groups)).map_err(NetlinkError::Open)?;
        Ok(Self { socket, datagram: Datagram::new() })
    }

    /// The next event. Safe to cancel: no event is lost by dropping the future.
    ///
    /// # Errors
    /// The socket has failed; a new monitor and a resynchronisation may help.
    pub async fn next(&mut self) -> io::Result<Event> {
        loop {
            while let Some(message) = self.datagram.next() {
                if let NetlinkPayload::InnerMessage(message) = message.payload
                    && let Some(event) = event(message)
                {
                    return Ok(event);
                }
            }
            match self.socket.recv_from(self.datagram.anew()).await {
                Ok(_) => {}
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    self.discard();
                    return Ok(Event::Resync);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits for a change; what waits behind it is part of it, since whoever reads the lists then sees all. Safe to cancel.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn changed(&mut self) -> io::Result<Changed> {
        let mut links = is_of_links(&self.next().await?);
        for _ in 1..TOGETHER {
            let Some(event) = self.next().now_or_never() else { break };
            links |= is_of_links(&event?);
        }
        Ok(Changed { links })
    }

    /// Empties the socket. Until it is empty once, the kernel drops what is new without saying so again; lists that are read
    /// before then could miss a change for good.
    fn discard(&mut self) {
        loop {
            match self.socket.socket_ref().recv_from(self.datagram.anew(), 0) {
                Ok(_) => {}
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
                Err(_) => break,
            }
        }
        self.datagram.anew();
    }
}

fn is_of_links(event: &Event) -> bool {
    tracing::trace!(?event, "kernel event");
    matches!(event, Event::Link(_) | Event::LinkGone(_) | Event::Resync)
}

fn event(message: RouteNetlinkMessage) -> Option<Event> {
    if let RouteNetlinkMessage::NewLink(message) = message {
        Some(Event::Link(Link::from(&message)))
    } else if let RouteNetlinkMessage::DelLink(message) = message {
        Some(Event::LinkGone(Link::from(&message)))
    } else if let RouteNetlinkMessage::NewAddress(message) = message {
        Address::parse(&message).map(Event::Address)
    } else if let RouteNetlinkMessage::DelAddress(message) = message {
        Address::parse(&message).map(Event::AddressGone)
    } else if let RouteNetlinkMessage::NewRoute(message) = message {
        Route::parse(&message).map(Event::Route)
    } else if let RouteNetlinkMessage::DelRoute(message) = message {
        Route::parse(&message).map(Event::RouteGone)
    } else if matches!(message, RouteNetlinkMessage::NewRule(_) | RouteNetlinkMessage::DelRule(_)) {
        Some(Event::Rules)
    } else if let RouteNetlinkMessage::NewNeighbour(message) = message {
        Neighbour::parse(&message).map(Event::Neighbour)
    } else {
        None
    }
}
