//! What an authentic reply comes to: the next EAP request, access, or none.
//!
//! `conversation` calls this. The decision is the packet's code alone, never the EAP packet in it, and no EAP packet is made here
//! (RFC 3579 section 2.6.3, both MUST). One that says the contrary of its code is not passed on: the mobile node would believe
//! it. Reply-Message is discarded (RFC 3579 section 2.6.5).

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ipnet::Ipv6Net;
use protocol::eap::Packet;
use protocol::sa::Secret;

use super::attribute::{self, Kind, SERVICE_FRAMED, at_most_one};
use super::eap::EapPacket;
use super::error::Unusable;
use super::mppe;
use super::packet::{Attributes, Authenticator};
use super::reply::{Decision, Reply};

/// Values of Class that are kept. Servers send one or two.
pub const MAX_CLASSES: usize = 8;
/// Acct-Interim-Interval MUST NOT be shorter (RFC 2869 section 5.16): a shorter one counts as this.
pub const SHORTEST_INTERIM: Duration = Duration::from_secs(60);

/// A server's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The run goes on.
    Challenge {
        /// An EAP request for the mobile node.
        eap: Vec<u8>,
    },
    /// Access is granted.
    Accept(Accept),
    /// Access is denied.
    Reject {
        /// The EAP-Failure for the mobile node, if the server sent one.
        eap: Option<Vec<u8>>,
    },
}

/// What an Access-Accept says; by default nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accept {
    /// The EAP-Success for the mobile node; `None` when the server sent none or another packet. Access is granted all the same
    /// (RFC 3579 section 2.6.3): what the mobile node can prove is the MSK.
    pub eap: Option<Vec<u8>>,
    /// 64 octets, of methods that make one.
    pub msk: Option<Secret>,
    /// Who was authenticated, where the server says so.
    pub user_name: Option<String>,
    /// How long the access may last.
    pub session_timeout: Option<Duration>,
    /// Class, at most [`MAX_CLASSES`] of them, opaque.
    pub class: Vec<Vec<u8>>,
    /// The address that the server chose; the reserved values, which leave it to the HAC or the mobile node, are `None`.
    pub framed_ip4: Option<Ipv4Addr>,
    /// The first address that the server chose.
    pub framed_ip6: Option<Ipv6Addr>,
    /// The first prefix that the server chose.
    pub framed_prefix6: Option<Ipv6Net>,
    /// The interface identifier that it chose.
    pub framed_interface: Option<[u8; 8]>,
    /// The first prefix that it delegates.
    pub delegated_prefix6: Option<Ipv6Net>,
    /// How often it wants to be told how far the session has come, at least [`SHORTEST_INTERIM`].
    pub interim: Option<Duration>,
}

impl Answer {
    /// Reads a reply.
    ///
    /// # Errors
    /// It breaks a MUST that leaves no safe reading; an Access-Reject never does.
    pub fn of(reply: &Reply, secret: &Secret) -> Result<Self, Unusable> {
        Self::read(reply.decision(), reply.attributes(), reply.request(), secret)
    }

    /// Reads a reply of these attributes: [`Self::of`] without the proof that they are authentic.
    ///
    /// # Errors
    /// As of [`Self::of`].
    pub fn read(
        decision: Decision,
        attributes: Attributes<'_>,
        request: &Authenticator,
        secret: &Secret,
    ) -> Result<Self, Unusable> {
        let eap = attribute::join_eap(attributes);
        match decision {
            Decision::Reject => Ok(Self::Reject {
                eap: eap.ok().flatten().and_then(|eap| only(&eap, |packet| matches!(packet, Packet::Failure { .. }))),
            }),
            Decision::Challenge => {
                let eap = eap?
                    .and_then(|eap| only(&eap, |packet| matches!(packet, Packet::Request { .. })))
                    .ok_or(Unusable::NoRequest)?;
                Ok(Self::Challenge { eap })
            }
            // Unknown or unsupported services MUST be treated as an Access-Reject (RFC 2865 section 5.6).
            Decision::Accept if number(attributes, Kind::SERVICE_TYPE)?.is_some_and(|service| service != SERVICE_FRAMED) => {
                tracing::warn!("an Access-Accept for another Service-Type than Framed is treated as an Access-Reject");
                Ok(Self::Reject { eap: None })
            }
            Decision::Accept => {
                let eap = eap?.and_then(|eap| only(&eap, |packet| matches!(packet, Packet::Success { .. })));
                Ok(Self::Accept(Accept { eap, ..accept(attributes, request, secret)? }))
            }
            Decision::Recorded => Err(Unusable::NoDecision),
        }
    }
}

/// The EAP packet if it is of the right code, without padding.
fn only(eap: &[u8], is_right: impl Fn(Packet<'_>) -> bool) -> Option<Vec<u8>> {
    EapPacket::parse(eap).filter(|eap| is_right(eap.packet())).map(|packet| packet.octets().to_vec())
}

fn accept(attributes: Attributes<'_>, request: &Authenticator, secret: &Secret) -> Result<Accept, Unusable> {
    Ok(Accept {
        eap: None,
        msk: mppe::msk(attributes, request, secret),
        user_name: user_name(attributes)?,
        session_timeout: number(attributes, Kind::SESSION_TIMEOUT)?.map(|seconds| Duration::from_secs(seconds.into())),
        class: attributes.all(Kind::CLASS).take(MAX_CLASSES).map(<[u8]>::to_vec).collect(),
        framed_ip4: framed_ip4(attributes)?,
        framed_ip6: first_of(attributes, Kind::FRAMED_IPV6_ADDRESS)?.map(Ipv6Addr::from_octets),
        framed_prefix6: first_prefix(attributes, Kind::FRAMED_IPV6_PREFIX)?,
        framed_interface: first_of(attributes, Kind::FRAMED_INTERFACE_ID)?,
        delegated_prefix6: first_prefix(attributes, Kind::DELEGATED_IPV6_PREFIX)?,
        interim: interim(attributes)?,
    })
}

/// A name that is not text is no name of a subscriber, and none at all would have the outer identity stand for it.
fn user_name(attributes: Attributes<'_>) -> Result<Option<String>, Unusable> {
    let Some(name) = at_most_one(attributes, Kind::USER_NAME)? else { return Ok(None) };
    let name = str::from_utf8(name).ok().filter(|name| !name.is_empty()).ok_or(Unusable::Value(Kind::USER_NAME))?;
    Ok(Some(name.to_owned()))
}

fn number(attributes: Attributes<'_>, kind: Kind) -> Result<Option<u32>, Unusable> {
    at_most_one(attributes, kind)?;
    Ok(first_of(attributes, kind)?.map(u32::from_be_bytes))
}

fn first_of<const N: usize>(attributes: Attributes<'_>, kind: Kind) -> Result<Option<[u8; N]>, Unusable> {
    let value = attributes.first(kind).map(<[u8; N]>::try_from);
    value.transpose().map_err(|_| Unusable::Value(kind))
}

/// 0xffffffff lets the user choose, 0xfffffffe the HAC (RFC 2865 section 5.8).
fn framed_ip4(attributes: Attributes<'_>) -> Result<Option<Ipv4Addr>, Unusable> {
    let address = number(attributes, Kind::FRAMED_IP_ADDRESS)?;
    Ok(address.filter(|address| *address < 0xffff_fffe).map(Ipv4Addr::from_bits))
}

fn interim(attributes: Attributes<'_>) -> Result<Option<Duration>, Unusable> {
    let seconds = number(attributes, Kind::ACCT_INTERIM_INTERVAL)?;
    Ok(seconds.map(|seconds| Duration::from_secs(seconds.into()).max(SHORTEST_INTERIM)))
}

fn first_prefix(attributes: Attributes<'_>, kind: Kind) -> Result<Option<Ipv6Net>, Unusable> {
    let value = attributes.first(kind).map(|value| prefix(value).ok_or(Unusable::Value(kind)));
    value.transpose()
}

/// RFC 3162 section 2.3, RFC 4818 section 3: a reserved octet, the length in bits, as many octets as are needed or more. Bits beyond the length MUST
/// be zero.
pub(crate) fn prefix(value: &[u8]) -> Option<Ipv6Net> {
    let (&[_, length], octets) = value.split_first_chunk::<2>()?;
    let mut address = [0; 16];
    address.get_mut(..octets.len())?.copy_from_slice(octets);
    let net = Ipv6Net::new(Ipv6Addr::from_octets(address), length).ok()?;
    (net == net.trunc() && octets.len() * 8 >= usize::from(length)).then_some(net)
}

#[cfg(test)]
mod tests;
