//! What a AAA server said of the associations that it has authorised, and the sessions that an accounting server is told of.
//!
//! A *session* is one binding under one association: it begins when a mobile node registers under the association at a home agent,
//! and ends with the binding or with the association.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, SystemTime};

use ipnet::{IpNet, Ipv6Net};
use protocol::addr::HomeAddresses;
use protocol::sa::Spi;

pub use ::feed::{SessionEnd, SessionReport};
pub use protocol::tunnel::{Traffic, Volume};

/// What a AAA server said with its Access-Accept of the session that follows; recorded with the association.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// User-Name for accounting: the server's own, else the identity.
    pub user_name: String,
    /// Class, opaque, at most [`MAX_CLASSES`](crate::aaa::MAX_CLASSES) of 255 octets.
    pub class: Vec<Vec<u8>>,
    /// Acct-Interim-Interval, if the server said one: 60 s or more.
    pub interim: Option<Duration>,
}

/// Home addresses that a AAA server chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Framed {
    /// Framed-IP-Address.
    pub ip4: Option<Ipv4Addr>,
    /// Framed-IPv6-Address, or a prefix.
    pub ip6: Option<FramedIp6>,
}

/// How a AAA server chose the IPv6 home address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FramedIp6 {
    /// This one.
    Address(Ipv6Addr),
    /// One in this prefix.
    Prefix(Ipv6Net),
}

/// One choice of a AAA server, with the attributes that may have said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// An IPv4 address.
    Ip4(Ipv4Addr),
    /// IPv6.
    Ip6(FramedIp6),
}

impl std::fmt::Display for Chosen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ip4(address) => write!(f, "Framed-IP-Address {address}"),
            Self::Ip6(FramedIp6::Address(address)) => {
                write!(f, "Framed-IPv6-Address (or Framed-IPv6-Prefix with Framed-Interface-Id) {address}")
            }
            Self::Ip6(FramedIp6::Prefix(prefix)) => write!(f, "Framed-IPv6-Prefix (or Delegated-IPv6-Prefix) {prefix}"),
        }
    }
}

/// Why a choice of a AAA server cannot be followed, whoever is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Nothing is routed there.
    #[error("lies outside the pool {0}")]
    Outside(IpNet),
    /// The family has no pool.
    #[error("is of a family without a pool")]
    NoPool,
    /// The network's, the home agent's own or the broadcast address.
    #[error("is {0}, which is the network's own, the home agent's or the broadcast address of the pool")]
    Reserved(IpAddr),
}

/// One session as accounting tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// Acct-Session-Id: SPI, when the association was made, and which session under it: unique for all time.
    pub id: String,
    /// Its association.
    pub spi: Spi,
    /// What the AAA server said.
    pub access: Access,
    /// The association's home addresses.
    pub home: HomeAddresses,
    /// Where the node registered.
    pub home_agent: String,
    /// Where the node was at the latest report.
    pub care_of: SocketAddr,
    /// When it began.
    pub began: SystemTime,
    /// How long it had lasted at its latest report.
    pub seconds: u64,
    /// What was carried until its latest report.
    pub traffic: Traffic,
    /// Why it has ended; `None` while it goes on.
    pub ended: Option<SessionCause>,
    /// When it was reported last, or its end was noted.
    pub reported: SystemTime,
}

/// Why a session has ended: Acct-Terminate-Cause by its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionCause {
    /// The node de-registered.
    Deregistered,
    /// The binding's lifetime ran out.
    BindingExpired,
    /// The node has registered under a newer association.
    Superseded,
    /// The HAC ended the association: an operator did, or newer ones had to have room.
    Revoked,
    /// The AAA server had it ended (Disconnect-Request).
    Disconnected,
    /// The association's validity ended, or the time that the AAA server had set since.
    Expired,
    /// The process of the home agent that counted is gone.
    HomeAgentRestarted,
    /// The home agent was removed.
    HomeAgentGone,
}

impl SessionCause {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::Deregistered,
        Self::BindingExpired,
        Self::Superseded,
        Self::Revoked,
        Self::Disconnected,
        Self::Expired,
        Self::HomeAgentRestarted,
        Self::HomeAgentGone,
    ];

    /// In logs and in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deregistered => "deregistered",
            Self::BindingExpired => "binding-expired",
            Self::Superseded => "superseded",
            Self::Revoked => "revoked",
            Self::Disconnected => "disconnected",
            Self::Expired => "expired",
            Self::HomeAgentRestarted => "home-agent-restarted",
            Self::HomeAgentGone => "home-agent-gone",
        }
    }
}

/// What an accounting server is told of a session, and has acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// That it has begun.
    Start,
    /// How far it has come.
    Interim,
    /// That it has ended.
    Stop,
}

/// Which sessions a AAA server means: those whose association fits everything that is named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionQuery<'a> {
    /// Acct-Session-Id of a session that goes on.
    pub session_id: Option<&'a str>,
    /// User-Name as accounting gives it.
    pub user_name: Option<&'a str>,
    /// The IPv4 home address.
    pub home4: Option<Ipv4Addr>,
    /// Where the IPv6 home address lies.
    pub home6: Option<Ipv6Net>,
}

/// What a AAA server changes of an association that it has authorised; `None` leaves it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessChange {
    /// When it ends; of no effect where that is not before the validity end, which the node knows.
    pub ends: Option<SystemTime>,
    /// Class.
    pub class: Option<Vec<Vec<u8>>>,
    /// Acct-Interim-Interval.
    pub interim: Option<Duration>,
}
