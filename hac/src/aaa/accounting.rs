//! Accounting-Request (RFC 2866): what a server is told of one session, and the client of the servers that are told.
//!
//! [`crate::accounting`] calls this. Event-Timestamp says when it happened, so that a request is the same in every octet however often it
//! is sent (RFC 5080 section 2.2.1) and Acct-Delay-Time is not needed. The home address goes in Framed-IPv6-Address alone: a
//! Framed-IPv6-Prefix would say that the node has a link of its own. Where the node is stands in Calling-Station-Id, so that attributes
//! of tunnels (RFC 2867) would say nothing new.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use protocol::tunnel::Volume;

use super::attribute::{Kind, PORT_VIRTUAL, SERVICE_FRAMED};
use super::client::{ClientConfig, ServerStatus};
use super::error::{AaaError, ConfigError};
use super::packet::{AttributeList, TooLong};
use super::reply::Service;
use super::request::Content;
use super::servers::Servers;

/// Acct-Authentic RADIUS (RFC 2866 section 5.6): a AAA server has authenticated the user.
const AUTHENTIC_RADIUS: u32 = 1;

/// What is told of one session.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    /// Its beginning, its going on or its end.
    pub status: AccountStatus,
    /// Acct-Session-Id: the same in all that is told of a session.
    pub session_id: &'a str,
    /// User-Name.
    pub user_name: &'a str,
    /// Class, as the Access-Accept had it (RFC 2865 section 5.25).
    pub class: &'a [Vec<u8>],
    /// The IPv4 home address.
    pub framed_ip4: Option<Ipv4Addr>,
    /// The IPv6 home address.
    pub framed_ip6: Option<Ipv6Addr>,
    /// Name of the home agent: Called-Station-Id.
    pub home_agent: &'a str,
    /// Where the node is: Calling-Station-Id.
    pub care_of: IpAddr,
    /// When it was so: Event-Timestamp.
    pub at: SystemTime,
    /// For how long the session has gone on.
    pub time: Duration,
    /// From the node, as its home agent counts inner packets.
    pub input: Volume,
    /// To the node.
    pub output: Volume,
}

/// Acct-Status-Type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountStatus {
    /// The session has begun.
    Start,
    /// It goes on.
    Interim,
    /// It has ended.
    Stop(TerminateCause),
}

/// Acct-Terminate-Cause (RFC 2866 section 5.10): those that a HAC has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TerminateCause {
    /// The node has said so.
    UserRequest = 1,
    /// The node was not heard of any more.
    LostCarrier = 2,
    /// The home agent was not heard of any more.
    LostService = 3,
    /// The time that was granted is over.
    SessionTimeout = 5,
    /// Somebody has ended it.
    AdminReset = 6,
    /// Another session of the node has taken its place.
    NasRequest = 10,
    /// The home agent has begun anew.
    NasReboot = 11,
}

impl Account<'_> {
    fn content(&self, nas_identifier: &str) -> Result<Content, TooLong> {
        let mut list = AttributeList::default();
        let status = match self.status {
            AccountStatus::Start => 1,
            AccountStatus::Stop(_) => 2,
            AccountStatus::Interim => 3,
        };
        push(&mut list, Kind::ACCT_STATUS_TYPE, status)?;
        list.push(Kind::ACCT_SESSION_ID, self.session_id.as_bytes())?;
        list.push(Kind::USER_NAME, self.user_name.as_bytes())?;
        self.class.iter().try_for_each(|class| list.push(Kind::CLASS, class))?;
        list.push(Kind::NAS_IDENTIFIER, nas_identifier.as_bytes())?;
        self.push_service(&mut list)?;
        push(&mut list, Kind::EVENT_TIMESTAMP, seconds(self.at.duration_since(UNIX_EPOCH).unwrap_or_default()))?;
        if self.status != AccountStatus::Start {
            self.push_usage(&mut list)?;
        }
        if let AccountStatus::Stop(cause) = self.status {
            push(&mut list, Kind::ACCT_TERMINATE_CAUSE, cause as u32)?;
        }
        Ok(Content::accounting_request(list))
    }

    /// What the session is.
    fn push_service(&self, list: &mut AttributeList) -> Result<(), TooLong> {
        push(list, Kind::NAS_PORT_TYPE, PORT_VIRTUAL)?;
        push(list, Kind::SERVICE_TYPE, SERVICE_FRAMED)?;
        push(list, Kind::ACCT_AUTHENTIC, AUTHENTIC_RADIUS)?;
        self.framed_ip4.map_or(Ok(()), |address| list.push(Kind::FRAMED_IP_ADDRESS, &address.octets()))?;
        self.framed_ip6.map_or(Ok(()), |address| list.push(Kind::FRAMED_IPV6_ADDRESS, &address.octets()))?;
        list.push(Kind::CALLING_STATION_ID, self.care_of.to_canonical().to_string().as_bytes())?;
        list.push(Kind::CALLED_STATION_ID, self.home_agent.as_bytes())
    }

    /// How long and how much. Octets beyond 32 bits go in Gigawords (RFC 2869 section 5.1); packets have no such attribute and stay at
    /// the most that can be said.
    fn push_usage(&self, list: &mut AttributeList) -> Result<(), TooLong> {
        let [low, high] = [|octets: u64| octets as u32, |octets: u64| (octets >> 32) as u32];
        push(list, Kind::ACCT_SESSION_TIME, seconds(self.time))?;
        push(list, Kind::ACCT_INPUT_OCTETS, low(self.input.octets))?;
        push(list, Kind::ACCT_OUTPUT_OCTETS, low(self.output.octets))?;
        push(list, Kind::ACCT_INPUT_GIGAWORDS, high(self.input.octets))?;
        push(list, Kind::ACCT_OUTPUT_GIGAWORDS, high(self.output.octets))?;
        push(list, Kind::ACCT_INPUT_PACKETS, at_most(self.input.packets))?;
        push(list, Kind::ACCT_OUTPUT_PACKETS, at_most(self.output.packets))
    }
}

fn push(list: &mut AttributeList, kind: Kind, number: u32) -> Result<(), TooLong> {
    list.push(kind, &number.to_be_bytes())
}

fn seconds(time: Duration) -> u32 {
    at_most(time.as_secs())
}

fn at_most(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The servers that are told of sessions. Tells from within a tokio runtime.
pub struct AccountingClient {
    nas_identifier: String,
    servers: Servers,
}

impl AccountingClient {
    /// A client; no socket is opened before something is told.
    ///
    /// # Errors
    /// The configuration cannot work.
    pub fn new(config: ClientConfig) -> Result<Arc<Self>, ConfigError> {
        let nas_identifier = config.nas_identifier.clone();
        Ok(Arc::new(Self { nas_identifier, servers: Servers::new(config, Service::Accounting)? }))
    }

    /// Tells the first server that answers. It has recorded it when this is `Ok`.
    ///
    /// # Errors
    /// No server answers, or it does not fit.
    pub async fn tell(&self, account: &Account<'_>) -> Result<(), AaaError> {
        let content = account.content(&self.nas_identifier)?;
        self.servers.ask(&content).await.map(|_| ())
    }

    /// Whether one of the servers has not been found dead.
    pub fn is_any_alive(&self) -> bool {
        self.servers.is_any_alive()
    }

    /// Every server, in the order of the configuration.
    pub fn status(&self) -> Vec<ServerStatus> {
        self.servers.status()
    }
}

#[cfg(test)]
mod tests;
