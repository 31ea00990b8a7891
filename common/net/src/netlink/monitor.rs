//! Changes of links, addresses and routes, as the kernel tells them: the mobile node's movement detection begins here.
//!
//! The socket is read only as fast as its owner takes events, so nothing piles up here. When the kernel has had to drop
//! messages (ENOBUFS), an [`Event::Resync`] says that the lists have to be read again.

use std::io;

use rtnetlink::MulticastGroup;
use rtnetlink::packet_core::{NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::sys::protocols::NETLINK_ROUTE;
use rtnetlink::sys::{AsyncSocket, AsyncSocketExt, SocketAddr, TokioSocket};

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

/// The kernel's messages are no longer than 32 KiB (NLMSG_GOODSIZE and a page); the vector never grows.
const DATAGRAM: usize = 64 << 10;

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

/// A socket that hears of changes.
pub struct Monitor {
    socket: TokioSocket,
    /// What is left of the last datagram, which may carry several messages.
    datagram: Vec<u8>,
    offset: usize,
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
        Ok(Self { socket, datagram: Vec::with_capacity(DATAGRAM), offset: 0 })
    }

    /// The next event. Safe to cancel: no event is lost by dropping the future.
    ///
    /// # Errors
    /// The socket has failed; a new monitor and a resynchronisation may help.
    pub async fn next(&mut self) -> io::Result<Event> {
        loop {
            while let Some(message) = self.next_message() {
                if let Some(event) = event(message) {
                    return Ok(event);
                }
            }
            self.datagram.clear();
            self.offset = 0;
            match self.socket.recv_from(&mut self.datagram).await {
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

    /// Empties the socket. Until it is empty once, the kernel drops what is new without saying so again; lists that are read
    /// before then could miss a change for good.
    fn discard(&mut self) {
        loop {
            self.datagram.clear();
            match self.socket.socket_ref().recv_from(&mut self.datagram, 0) {
                Ok(_) => {}
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
                Err(_) => break,
            }
        }
        self.datagram.clear();
    }

    /// The next message of the datagram; one that cannot be read is passed over.
    fn next_message(&mut self) -> Option<RouteNetlinkMessage> {
        loop {
            let rest = self.datagram.get(self.offset..)?;
            let length = u32::from_ne_bytes(*rest.first_chunk()?) as usize;
            let octets = rest.get(..length).filter(|_| length > 0)?;
            self.offset += length.next_multiple_of(4);
            match NetlinkMessage::<RouteNetlinkMessage>::deserialize(octets) {
                Ok(NetlinkMessage { payload: NetlinkPayload::InnerMessage(message), .. }) => return Some(message),
                Ok(_) => {}
                Err(error) => tracing::debug!(%error, "a netlink message of an unknown form"),
            }
        }
    }
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
