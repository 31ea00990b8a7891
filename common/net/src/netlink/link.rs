//! Network interfaces.

use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};

use super::{Netlink, NetlinkError};

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The interface index.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Whether the administrator has it up (IFF_UP).
    pub up: bool,
    /// Whether there is a carrier (IFF_LOWER_UP).
    pub carrier: bool,
    /// Whether it is the loopback interface.
    pub loopback: bool,
    /// Its MTU in octets.
    pub mtu: u32,
}

impl Netlink {
    /// The index of the interface `name`.
    ///
    /// # Errors
    /// ENODEV when there is none.
    pub async fn link_index(&self, name: &str) -> Result<u32, NetlinkError> {
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::IfName(name.to_owned()));
        let what = format!("find the interface {name:?}");
        let answer = self.ask(&what, RouteNetlinkMessage::GetLink(message), 0).await?;
        let link = answer.into_iter().find_map(parsed);
        link.map(|link| link.index).ok_or(NetlinkError::NoAnswer { what })
    }

    /// Sets the interface up and, if given, its MTU.
    ///
    /// # Errors
    /// It does not exist, or CAP_NET_ADMIN is missing.
    pub async fn set_link_up(&self, index: u32, mtu: Option<u16>) -> Result<(), NetlinkError> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
        message.attributes.extend(mtu.map(|mtu| LinkAttribute::Mtu(mtu.into())));
        self.ask(&format!("set interface {index} up"), RouteNetlinkMessage::SetLink(message), 0).await?;
        Ok(())
    }

    /// Every interface.
    ///
    /// # Errors
    /// No answer.
    pub async fn links(&self) -> Result<Vec<Link>, NetlinkError> {
        let answer = self.dump("list the interfaces", request()).await?;
        Ok(answer.into_iter().filter_map(parsed).collect())
    }
}

impl From<&LinkMessage> for Link {
    fn from(message: &LinkMessage) -> Self {
        let flags = message.header.flags;
        let mut link = Self {
            index: message.header.index,
            name: String::new(),
            up: flags.contains(LinkFlags::Up),
            carrier: flags.contains(LinkFlags::LowerUp),
            loopback: flags.contains(LinkFlags::Loopback),
            mtu: 0,
        };
        for attribute in &message.attributes {
            if let LinkAttribute::IfName(name) = attribute {
                link.name.clone_from(name);
            } else if let LinkAttribute::Mtu(mtu) = attribute {
                link.mtu = *mtu;
            }
        }
        link
    }
}

pub(super) fn request() -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetLink(LinkMessage::default())
}

pub(super) fn parsed(message: RouteNetlinkMessage) -> Option<Link> {
    if let RouteNetlinkMessage::NewLink(message) = message { Some(Link::from(&message)) } else { None }
}
