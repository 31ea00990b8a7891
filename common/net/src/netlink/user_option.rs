//! What routers advertise and the kernel has no use for (RTNLGRP_ND_USEROPT of `rtnetlink(7)`): of that the prefix of a NAT64
//! (RFC 8781). The kernel says it of advertisements that it takes itself, and does not repeat it.
//!
//! ```text
//!  nlmsghdr (16): length, type = 68, flags, sequence, port
//!  nduseroptmsg (16): family, -, options' length, interface, ICMP type, ICMP code, -
//!  options, each: type, length in units of 8 octets, value
//!  attributes
//! ```

use std::io;

use protocol::wire::pref64::Pref64;
use rtnetlink::sys::protocols::NETLINK_ROUTE;
use rtnetlink::sys::{AsyncSocket, AsyncSocketExt, SocketAddr, TokioSocket};

use super::NetlinkError;

/// RTNLGRP_ND_USEROPT of `linux/rtnetlink.h`.
const USER_OPTION_GROUP: u32 = 20;
/// RTM_NEWNDUSEROPT.
const NEW_USER_OPTION: u16 = 68;
/// Of an `nlmsghdr` and of an `nduseroptmsg`.
const HEADER: usize = 16;
/// Messages begin at multiples of this.
const ALIGNMENT: usize = 4;
/// A Router Advertisement (RFC 4861 section 4.2).
const ROUTER_ADVERTISEMENT: u8 = 134;
/// One message carries one option; what is longer is cut and passed over.
const DATAGRAM: usize = 4 << 10;

/// A NAT64's prefix as a router advertises it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdvertisedPref64 {
    /// Index of the interface that it was heard on.
    pub interface: u32,
    /// What the router says.
    pub pref64: Pref64,
}

/// A socket that hears what routers advertise.
pub struct Pref64Monitor {
    socket: TokioSocket,
    datagram: Vec<u8>,
    /// Of the last datagram, the next one last.
    heard: Vec<AdvertisedPref64>,
}

impl Pref64Monitor {
    /// Starts to listen; needs no rights. What was advertised before is not heard.
    ///
    /// # Errors
    /// [`NetlinkError::Open`].
    pub fn open() -> Result<Self, NetlinkError> {
        let mut socket = TokioSocket::new(NETLINK_ROUTE).map_err(NetlinkError::Open)?;
        let address = SocketAddr::new(0, 1 << (USER_OPTION_GROUP - 1));
        socket.socket_mut().bind(&address).map_err(NetlinkError::Open)?;
        Ok(Self { socket, datagram: Vec::with_capacity(DATAGRAM), heard: Vec::new() })
    }

    /// The next advertised prefix. Safe to cancel: none is lost by dropping the future. What the kernel had to drop comes with the next
    /// advertisement.
    ///
    /// # Errors
    /// The socket has failed; a new monitor may help.
    pub async fn next(&mut self) -> io::Result<AdvertisedPref64> {
        loop {
            if let Some(next) = self.heard.pop() {
                return Ok(next);
            }
            self.datagram.clear();
            match self.socket.recv_from(&mut self.datagram).await {
                Ok(_) => {
                    self.heard = advertised(&self.datagram);
                    self.heard.reverse();
                }
                Err(error) if matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::EINTR)) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// The prefixes in one datagram of the kernel's, in their order; whatever else is in it is passed over.
pub fn advertised(datagram: &[u8]) -> Vec<AdvertisedPref64> {
    let mut rest = datagram;
    let mut found = Vec::new();
    while let Some((head, _)) = rest.split_first_chunk::<HEADER>() {
        let [a, b, c, d, kind_low, kind_high, ..] = *head;
        let length = usize::try_from(u32::from_ne_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        let Some(body) = rest.get(HEADER..length) else { break };
        if u16::from_ne_bytes([kind_low, kind_high]) == NEW_USER_OPTION {
            found.extend(of_message(body));
        }
        rest = rest.get(length.next_multiple_of(ALIGNMENT)..).unwrap_or_default();
    }
    found
}

/// The prefixes in one `nduseroptmsg`.
fn of_message(message: &[u8]) -> Vec<AdvertisedPref64> {
    let Some((head, rest)) = message.split_first_chunk::<HEADER>() else { return Vec::new() };
    let [family, _, low, high, a, b, c, d, icmp_type, icmp_code, ..] = *head;
    let options = rest.get(..usize::from(u16::from_ne_bytes([low, high])));
    let is_advertisement = (family, icmp_type, icmp_code) == (libc::AF_INET6 as u8, ROUTER_ADVERTISEMENT, 0);
    let (Some(mut options), Ok(interface), true) = (options, u32::try_from(i32::from_ne_bytes([a, b, c, d])), is_advertisement)
    else {
        return Vec::new();
    };
    let mut found = Vec::new();
    while let [_, units, ..] = *options {
        let length = usize::from(units) * 8;
        let Some(option) = options.get(..length).filter(|_| length > 0) else { break };
        found.extend(Pref64::parse(option).map(|pref64| AdvertisedPref64 { interface, pref64 }));
        options = options.get(length..).unwrap_or_default();
    }
    found
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fixture::{in_new_network_namespace_async, shell};
    use protocol::nat64::Nat64Prefix;
    use socket2::{Domain, Protocol, SockAddr, Socket, Type};
    use tokio::time::timeout;

    use super::*;

    fn pref64(text: &str, length: u8, seconds: u64) -> Pref64 {
        Pref64 { prefix: Nat64Prefix::new(text.parse().unwrap(), length).unwrap(), lifetime: Duration::from_secs(seconds) }
    }

    fn message(kind: u16, interface: i32, icmp_type: u8, options: &[u8]) -> Vec<u8> {
        let length = (2 * HEADER + options.len()) as u32;
        let mut octets = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 10]].concat();
        octets.extend([&[libc::AF_INET6 as u8, 0][..], &(options.len() as u16).to_ne_bytes(), &interface.to_ne_bytes()].concat());
        octets.extend([icmp_type, 0, 0, 0, 0, 0, 0, 0]);
        octets.extend(options);
        octets
    }

    #[test]
    fn prefixes_of_several_messages_and_options_come_in_their_order() {
        let (first, second) = (pref64("2001:db8:64::", 96, 600), pref64("2001:db8:65::", 64, 8));
        let dns = [25, 1, 0, 0, 0, 0, 0, 0];
        let octets = [
            message(NEW_USER_OPTION, 3, 134, &[&dns[..], &first.emit(), &second.emit()].concat()),
            message(24, 4, 134, &first.emit()),
            message(NEW_USER_OPTION, 5, 134, &second.emit()),
        ]
        .concat();
        let said = |interface, pref64| AdvertisedPref64 { interface, pref64 };
        assert_eq!(advertised(&octets), [said(3, first), said(3, second), said(5, second)]);
    }

    #[test]
    fn what_is_cut_of_no_interface_or_no_advertisement_says_nothing_and_an_empty_option_ends_the_list() {
        let good = message(NEW_USER_OPTION, 3, 134, &pref64("2001:db8:64::", 96, 600).emit());
        for length in 0..good.len() {
            assert_eq!(advertised(&good[..length]), [], "{length} octets");
        }
        let emitted = pref64("2001:db8:64::", 96, 600).emit();
        assert_eq!(advertised(&message(NEW_USER_OPTION, -1, 134, &emitted)), []);
        assert_eq!(advertised(&message(NEW_USER_OPTION, 3, 135, &emitted)), []);
        let behind_nothing = [&[0, 0, 0, 0, 0, 0, 0, 0][..], &emitted].concat();
        assert_eq!(advertised(&message(NEW_USER_OPTION, 3, 134, &behind_nothing)), []);
        assert_eq!(advertised(&[0; 64]), [], "a message without a length");
    }

    /// What this kernel passes on, from a router at the other end of a cable.
    #[test]
    fn the_kernel_passes_on_what_a_router_advertises_of_its_nat64() {
        in_new_network_namespace_async(|| async {
            shell("for word in accept_dad router_solicitations; do echo 0 > /proc/sys/net/ipv6/conf/default/$word; done");
            shell("ip link add lte type veth peer name far && echo 2 > /proc/sys/net/ipv6/conf/lte/accept_ra");
            // It hears what it says itself.
            shell("echo 0 > /proc/sys/net/ipv6/conf/far/accept_ra");
            shell("ip link set far up && ip link set lte up && ip address add fe80::1/64 dev far nodad");
            let index =
                |name: &str| -> u32 { shell(&format!("ip -o link show {name}")).split(':').next().unwrap().parse().unwrap() };
            let (lte, far) = (index("lte"), index("far"));
            let mut monitor = Pref64Monitor::open().unwrap();
            let router = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6)).unwrap();
            router.set_multicast_hops_v6(255).unwrap();
            router.set_multicast_if_v6(far).unwrap();
            let said = pref64("2001:db8:64::", 96, 1800);
            let head = [ROUTER_ADVERTISEMENT, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0];
            let octets = [&head[..], &said.emit()].concat();
            let all_nodes = std::net::SocketAddrV6::new("ff02::1".parse().unwrap(), 0, 0, far);
            // A link that was set up a moment ago may not carry yet.
            let heard = timeout(Duration::from_secs(10), async {
                loop {
                    let _not_yet = router.send_to(&octets, &SockAddr::from(all_nodes));
                    if let Ok(heard) = timeout(Duration::from_millis(100), monitor.next()).await {
                        break heard.unwrap();
                    }
                }
            });
            assert_eq!(heard.await.expect("passed on"), AdvertisedPref64 { interface: lte, pref64: said });
        });
    }
}
