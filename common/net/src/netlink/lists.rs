//! Links, addresses and routes, read where they are wanted. [`Netlink`](super::Netlink)'s answers come by way of a task, which costs a busy
//! machine a wake-up and more for each list; a move waits for these.

use std::io;
use std::time::Instant;

use rtnetlink::packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::sys::protocols::NETLINK_ROUTE;
use rtnetlink::sys::{Socket, SocketAddr};
use rustix::net::sockopt::{Timeout, set_socket_timeout};

use super::datagram::Datagram;
use super::{ANSWER_TIMEOUT, Address, Family, Link, NetlinkError, Route, RouteFilter, address, link, route, take};

/// A socket that lists are read from. A call blocks the thread: the kernel answers from memory, a list of some lines in 10 µs.
pub struct ListReader {
    socket: Socket,
    datagram: Datagram,
    /// Of the last request.
    sequence: u32,
}

impl ListReader {
    /// Opens the socket; needs no rights.
    ///
    /// # Errors
    /// [`NetlinkError::Open`].
    pub fn open() -> Result<Self, NetlinkError> {
        let open = || {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.bind_auto()?;
            socket.set_netlink_get_strict_chk(true)?;
            set_socket_timeout(&socket, Timeout::Recv, Some(ANSWER_TIMEOUT))?;
            Ok(socket)
        };
        Ok(Self { socket: open().map_err(NetlinkError::Open)?, datagram: Datagram::new(), sequence: 0 })
    }

    /// Every interface. Waits for whoever is changing something just now.
    ///
    /// # Errors
    /// The kernel refused, or did not answer.
    pub fn links(&mut self) -> Result<Vec<Link>, NetlinkError> {
        Ok(self.dump("list the interfaces", link::request())?.into_iter().filter_map(link::parsed).collect())
    }

    /// Every address of every interface, of both families.
    ///
    /// # Errors
    /// As [`Self::links`].
    pub fn addresses(&mut self) -> Result<Vec<Address>, NetlinkError> {
        Ok(self.dump("list the addresses", address::request())?.into_iter().filter_map(address::parsed).collect())
    }

    /// The routes that `filter` lets through, of both families, as [`Netlink::routes`](super::Netlink::routes) lists them.
    ///
    /// # Errors
    /// As [`Self::links`].
    pub fn routes(&mut self, filter: RouteFilter) -> Result<Vec<Route>, NetlinkError> {
        let mut routes = Vec::new();
        for family in Family::BOTH {
            let answer = self.dump("list the routes", filter.request(family));
            routes.extend(route::listed(answer, filter)?);
        }
        Ok(routes)
    }

    /// Every object of a kind.
    fn dump(&mut self, what: &str, request: RouteNetlinkMessage) -> Result<Vec<RouteNetlinkMessage>, NetlinkError> {
        let refused = |source| NetlinkError::Refused { what: what.to_owned(), source };
        self.send(request).map_err(refused)?;
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        let mut objects = Vec::new();
        while Instant::now() < deadline {
            match self.socket.recv_from(self.datagram.anew(), 0) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(refused(error)),
            }
            while let Some(message) = self.datagram.next() {
                // Another sequence number is that of an answer that took too long.
                if message.header.sequence_number == self.sequence
                    && let Some(end) = take(message.payload, &mut objects)
                {
                    return end.map(|()| objects).map_err(refused);
                }
            }
        }
        Err(NetlinkError::NoAnswer { what: what.to_owned() })
    }

    fn send(&mut self, request: RouteNetlinkMessage) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut message = NetlinkMessage::from(request);
        message.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        message.header.sequence_number = self.sequence;
        message.finalize();
        let mut octets = vec![0; message.buffer_len()];
        message.serialize(&mut octets);
        self.socket.send_to(&octets, &SocketAddr::new(0, 0), 0)?;
        Ok(())
    }
}
