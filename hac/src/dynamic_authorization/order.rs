//! Reads what a verified request asks for, or why it cannot be done: every attribute counts, and one that is not known here is refused
//! (RFC 5176 section 2.3). The store is not asked.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ipnet::Ipv6Net;

use super::request::{Code, Request};
use crate::aaa::attribute::{Kind, at_most_one};
use crate::aaa::packet::Attributes;
use crate::aaa::{self, MAX_CLASSES, SHORTEST_INTERIM};

/// The shortest Session-Timeout that leaves a node time to come back before its association ends.
pub const LEAST_SECONDS: u32 = 5;
/// Service-Type Authorize Only (RFC 5176 section 3.2).
pub(super) const AUTHORIZE_ONLY: u32 = 17;

/// Error-Cause (RFC 5176 section 3.5): those that a HAC has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCause {
    /// An attribute that is not known here, or has no place in this request.
    UnsupportedAttribute = 401,
    /// Nothing says which session, or when it was asked for, or what is to change.
    MissingAttribute = 402,
    /// It is for another HAC.
    NasIdentificationMismatch = 403,
    /// An attribute twice, or of another length than it has.
    InvalidRequest = 404,
    /// Another Service-Type than Authorize Only.
    UnsupportedService = 405,
    /// A number that is out of its bounds.
    InvalidAttributeValue = 407,
    /// No session fits.
    SessionContextNotFound = 503,
    /// The store has failed, or too many sessions fit.
    ResourcesUnavailable = 506,
    /// Not refused: the AAA server is asked anew.
    RequestInitiated = 507,
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Of which sessions.
    pub sessions: Sessions,
    /// What.
    pub action: Action,
}

/// Those sessions that fit everything named; something is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sessions {
    /// Acct-Session-Id.
    pub session_id: Option<String>,
    /// User-Name.
    pub user_name: Option<String>,
    /// Framed-IP-Address.
    pub home4: Option<Ipv4Addr>,
    /// Framed-IPv6-Address or Framed-IPv6-Prefix.
    pub home6: Option<Ipv6Net>,
}

/// What is to be done with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// They end; with these values of Class in what accounting is told, where there are some.
    Disconnect {
        /// Class.
        class: Option<Vec<Vec<u8>>>,
    },
    /// The AAA server is asked anew.
    Reauthorise,
    /// Something of what was granted is another.
    Change {
        /// Session-Timeout: they end after that, and the AAA server is asked anew before.
        ends_in: Option<Duration>,
        /// Class.
        class: Option<Vec<Vec<u8>>>,
        /// Acct-Interim-Interval.
        interim: Option<Duration>,
    },
}

/// Reads a request to the HAC of this NAS-Identifier.
///
/// # Errors
/// What is answered in place of doing it.
pub fn read(request: &Request, nas_identifier: &str) -> Result<Order, ErrorCause> {
    let attributes = request.attributes();
    if attributes.into_iter().any(|attribute| !is_supported(attribute.kind, request.code)) {
        return Err(ErrorCause::UnsupportedAttribute);
    }
    if only(attributes, Kind::NAS_IDENTIFIER)?.is_some_and(|name| name != nas_identifier.as_bytes()) {
        return Err(ErrorCause::NasIdentificationMismatch);
    }
    let sessions = sessions(attributes)?;
    let action = match request.code {
        Code::Disconnect => disconnect(attributes, &sessions)?,
        Code::Change => change(attributes)?,
    };
    Ok(Order { sessions, action })
}

/// NAS-IP-Address and NAS-IPv6-Address are taken whatever they say: a HAC gives itself no such address, and on the way they may have been
/// translated. State goes back as it came and is not read.
fn is_supported(kind: Kind, code: Code) -> bool {
    match kind {
        Kind::USER_NAME | Kind::ACCT_SESSION_ID | Kind::FRAMED_IP_ADDRESS | Kind::FRAMED_IPV6_ADDRESS => true,
        Kind::FRAMED_IPV6_PREFIX | Kind::NAS_IDENTIFIER | Kind::NAS_IP_ADDRESS | Kind::NAS_IPV6_ADDRESS => true,
        Kind::EVENT_TIMESTAMP | Kind::MESSAGE_AUTHENTICATOR | Kind::PROXY_STATE | Kind::CLASS => true,
        Kind::ACCT_TERMINATE_CAUSE => code == Code::Disconnect,
        Kind::SERVICE_TYPE | Kind::STATE | Kind::SESSION_TIMEOUT | Kind::ACCT_INTERIM_INTERVAL => code == Code::Change,
        _ => false,
    }
}

fn sessions(attributes: Attributes<'_>) -> Result<Sessions, ErrorCause> {
    let address = of_size::<16>(attributes, Kind::FRAMED_IPV6_ADDRESS)?.map(Ipv6Addr::from_octets).map(Ipv6Net::from);
    let prefix = only(attributes, Kind::FRAMED_IPV6_PREFIX)?;
    let prefix = prefix.map(|value| aaa::prefix(value).ok_or(ErrorCause::InvalidRequest)).transpose()?;
    let home6 = match (address, prefix) {
        (Some(address), Some(prefix)) if !prefix.contains(&address) => return Err(ErrorCause::SessionContextNotFound),
        (address, prefix) => address.or(prefix),
    };
    let sessions = Sessions {
        session_id: text(attributes, Kind::ACCT_SESSION_ID)?,
        user_name: text(attributes, Kind::USER_NAME)?,
        home4: of_size::<4>(attributes, Kind::FRAMED_IP_ADDRESS)?.map(Ipv4Addr::from_octets),
        home6,
    };
    if sessions == Sessions::default() { Err(ErrorCause::MissingAttribute) } else { Ok(sessions) }
}

/// Whoever has recorded a request without Event-Timestamp could send it again at any time. It is taken where it ends one session, which
/// does not come again.
fn disconnect(attributes: Attributes<'_>, sessions: &Sessions) -> Result<Action, ErrorCause> {
    let is_stamped = only(attributes, Kind::EVENT_TIMESTAMP)?.is_some();
    if !is_stamped && sessions.session_id.is_none() {
        return Err(ErrorCause::MissingAttribute);
    }
    only(attributes, Kind::ACCT_TERMINATE_CAUSE)?;
    Ok(Action::Disconnect { class: class(attributes) })
}

fn change(attributes: Attributes<'_>) -> Result<Action, ErrorCause> {
    only(attributes, Kind::EVENT_TIMESTAMP)?.ok_or(ErrorCause::MissingAttribute)?;
    let state = only(attributes, Kind::STATE)?;
    let (service, timeout) = (number(attributes, Kind::SERVICE_TYPE)?, number(attributes, Kind::SESSION_TIMEOUT)?);
    let interim = number(attributes, Kind::ACCT_INTERIM_INTERVAL)?.map(|seconds| Duration::from_secs(seconds.into()));
    let class = class(attributes);
    match service {
        Some(AUTHORIZE_ONLY) if timeout.is_some() || interim.is_some() || class.is_some() => {
            Err(ErrorCause::UnsupportedAttribute)
        }
        // RFC 5176 section 3.3.
        Some(AUTHORIZE_ONLY) => state.map(|_| Action::Reauthorise).ok_or(ErrorCause::MissingAttribute),
        Some(_) => Err(ErrorCause::UnsupportedService),
        None if timeout.is_some_and(|seconds| seconds < LEAST_SECONDS) => Err(ErrorCause::InvalidAttributeValue),
        None if interim.is_some_and(|interim| interim < SHORTEST_INTERIM) => Err(ErrorCause::InvalidAttributeValue),
        None if timeout.is_none() && interim.is_none() && class.is_none() => Err(ErrorCause::MissingAttribute),
        None => {
            let ends_in = timeout.map(|seconds| Duration::from_secs(seconds.into()));
            Ok(Action::Change { ends_in, class, interim })
        }
    }
}

fn class(attributes: Attributes<'_>) -> Option<Vec<Vec<u8>>> {
    let class: Vec<_> = attributes.all(Kind::CLASS).take(MAX_CLASSES).map(<[u8]>::to_vec).collect();
    (!class.is_empty()).then_some(class)
}

fn only(attributes: Attributes<'_>, kind: Kind) -> Result<Option<&[u8]>, ErrorCause> {
    at_most_one(attributes, kind).map_err(|_| ErrorCause::InvalidRequest)
}

fn of_size<const N: usize>(attributes: Attributes<'_>, kind: Kind) -> Result<Option<[u8; N]>, ErrorCause> {
    only(attributes, kind)?.map(<[u8; N]>::try_from).transpose().map_err(|_| ErrorCause::InvalidRequest)
}

fn number(attributes: Attributes<'_>, kind: Kind) -> Result<Option<u32>, ErrorCause> {
    Ok(of_size(attributes, kind)?.map(u32::from_be_bytes))
}

/// A name of no octets would fit nobody, one that is not text neither.
fn text(attributes: Attributes<'_>, kind: Kind) -> Result<Option<String>, ErrorCause> {
    let text = |value| str::from_utf8(value).ok().filter(|text| !text.is_empty()).map(str::to_owned);
    only(attributes, kind)?.map(|value| text(value).ok_or(ErrorCause::InvalidAttributeValue)).transpose()
}

#[cfg(test)]
mod tests;
