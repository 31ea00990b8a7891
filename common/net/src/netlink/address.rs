//! Addresses of interfaces.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressScope};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::{Change, LOCAL_TABLE, Netlink, NetlinkError, RouteFilter};

/// The kernel's task needs a tick when the machine is idle; a loaded one takes some milliseconds.
const IN_USE_TIMEOUT: Duration = Duration::from_secs(2);
const IN_USE_POLL: Duration = Duration::from_millis(1);

/// An address of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The interface index.
    pub interface: u32,
    /// The address with the length of its prefix.
    pub address: IpNet,
    /// How far it reaches.
    pub scope: Scope,
    /// Duplicate address detection has not ended (RFC 4862 section 5.4): not to be bound yet, unless optimistic.
    pub tentative: bool,
    /// Its preferred lifetime has ended: no new communication from it.
    pub deprecated: bool,
    /// Another node has it: never usable.
    pub dad_failed: bool,
    /// It is one of those that the kernel makes anew from day to day for the sake of privacy (RFC 8981).
    pub temporary: bool,
    /// It has no lifetime: set by hand and not by router advertisement or DHCP.
    pub permanent: bool,
}

/// How far an address reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everywhere: a care-of address may be this.
    Global,
    /// A site, or a number of the administrator's.
    Other,
    /// Its link only.
    Link,
    /// This host only.
    Host,
}

impl Netlink {
    /// Adds an address, without duplicate address detection: a tunnel has no second node that could have the same. The kernel
    /// takes an IPv6 one into use a moment later, when the link is up: [`Self::await_address`].
    ///
    /// # Errors
    /// The interface does not exist, or CAP_NET_ADMIN is missing.
    pub async fn add_address(&self, interface: u32, address: IpNet) -> Result<Change, NetlinkError> {
        let request = RouteNetlinkMessage::NewAddress(message(interface, address));
        let what = format!("add the address {address} to interface {interface}");
        self.change(&what, request, NLM_F_CREATE | NLM_F_EXCL, &[libc::EEXIST]).await
    }

    /// Waits until the kernel delivers packets to `address`, which has been added to a link that is up. IPv6's local route is
    /// made by a task of the kernel's own, after the request for the address was answered.
    ///
    /// # Errors
    /// [`NetlinkError::NotInUse`] after two seconds.
    pub async fn await_address(&self, address: IpAddr) -> Result<(), NetlinkError> {
        let local = RouteFilter { table: Some(LOCAL_TABLE), protocol: None };
        let deadline = Instant::now() + IN_USE_TIMEOUT;
        while !self.routes(local).await?.iter().any(|route| route.destination == IpNet::from(address)) {
            if Instant::now() >= deadline {
                return Err(NetlinkError::NotInUse { address });
            }
            tokio::time::sleep(IN_USE_POLL).await;
        }
        Ok(())
    }

    /// Deletes an address; an interface that is gone has none.
    ///
    /// # Errors
    /// CAP_NET_ADMIN is missing.
    pub async fn delete_address(&self, interface: u32, address: IpNet) -> Result<Change, NetlinkError> {
        let request = RouteNetlinkMessage::DelAddress(message(interface, address));
        let what = format!("delete the address {address} of interface {interface}");
        self.change(&what, request, 0, &[libc::EADDRNOTAVAIL, libc::ENODEV]).await
    }

    /// Every address of every interface, of both families.
    ///
    /// # Errors
    /// No answer.
    pub async fn addresses(&self) -> Result<Vec<Address>, NetlinkError> {
        let answer = self.dump("list the addresses", request()).await?;
        Ok(answer.into_iter().filter_map(parsed).collect())
    }
}

impl Address {
    /// `None` for a message without an address of a family that we know.
    pub(super) fn parse(message: &AddressMessage) -> Option<Self> {
        let (mut address, mut local) = (None, None);
        let mut flags = AddressFlags::from_bits_retain(message.header.flags.bits().into());
        for attribute in &message.attributes {
            if let AddressAttribute::Address(ip) = attribute {
                address = Some(*ip);
            } else if let AddressAttribute::Local(ip) = attribute {
                local = Some(*ip);
            } else if let AddressAttribute::Flags(all) = attribute {
                flags = *all;
            }
        }
        // On a point-to-point link IFA_ADDRESS is the other end and IFA_LOCAL ours.
        let address = IpNet::new(local.or(address)?, message.header.prefix_len).ok()?;
        Some(Self {
            interface: message.header.index,
            address,
            scope: message.header.scope.into(),
            tentative: flags.contains(AddressFlags::Tentative) && !flags.contains(AddressFlags::Optimistic),
            deprecated: flags.contains(AddressFlags::Deprecated),
            dad_failed: flags.contains(AddressFlags::Dadfailed),
            temporary: message.header.family == AddressFamily::Inet6 && flags.contains(AddressFlags::Secondary),
            permanent: flags.contains(AddressFlags::Permanent),
        })
    }
}

impl From<AddressScope> for Scope {
    fn from(scope: AddressScope) -> Self {
        match u8::from(scope) {
            libc::RT_SCOPE_UNIVERSE => Self::Global,
            libc::RT_SCOPE_LINK => Self::Link,
            libc::RT_SCOPE_HOST => Self::Host,
            _ => Self::Other,
        }
    }
}

pub(super) fn message(interface: u32, address: IpNet) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.index = interface;
    message.header.prefix_len = address.prefix_len();
    message.attributes.push(AddressAttribute::Address(address.addr()));
    match address.addr() {
        IpAddr::V4(_) => {
            message.header.family = AddressFamily::Inet;
            message.attributes.push(AddressAttribute::Local(address.addr()));
        }
        IpAddr::V6(_) => {
            message.header.family = AddressFamily::Inet6;
            message.header.flags = AddressHeaderFlags::Nodad;
        }
    }
    message
}

pub(super) fn request() -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetAddress(AddressMessage::default())
}

pub(super) fn parsed(message: RouteNetlinkMessage) -> Option<Address> {
    if let RouteNetlinkMessage::NewAddress(message) = message { Address::parse(&message) } else { None }
}
