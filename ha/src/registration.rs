//! What a home agent makes of a Binding Update: the checks of RFC 6275 sections 9.5.1 and 10.3.1, in their order, with
//! what RFC 6618, RFC 5555, RFC 5648 and RFC 3963 add. Decides, and changes nothing.

pub mod identifier;
pub mod mobile_router;
pub mod nowhere;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use protocol::addr::{CareOfAddress, HomeAddresses};
use protocol::prefixes::MobileNetworkPrefixes;
use protocol::sa::SecurityAssociation;
use protocol::time::Lifetime;
use protocol::tunnel::{DropReason, Install};
use protocol::wire::mobility::{BindingId, BindingUpdate, Ipv4Home, Ipv4Status, Status, sequence};

use self::identifier::About;
use self::nowhere::Nowhere;
use crate::binding_cache::Binding;

/// What to do with a Binding Update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Bind these addresses.
    Register(Registration),
    /// End the binding, or the one with this number.
    Deregister(Option<BindingId>),
    /// Change nothing and answer with this status and sequence number.
    Refuse(Status, u16),
}

/// A binding that may be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The home addresses that are bound.
    pub home: HomeAddresses,
    /// Where the node says that it is.
    pub care_of: CareOfAddress,
    /// The number of this binding, if it has one.
    pub id: Option<BindingId>,
    /// How long.
    pub lifetime: Lifetime,
    /// Status and address of the IPv4 Address Acknowledgement option, when the IPv4 Home Address option was there.
    pub ipv4: Option<(Ipv4Status, Ipv4Addr)>,
    /// The networks behind a mobile router.
    pub prefixes: MobileNetworkPrefixes,
}

/// What is known when a Binding Update comes in.
pub struct Circumstances<'a> {
    /// The SA that it came under.
    pub install: &'a Install,
    /// The last sequence number accepted under that SA; it outlives the binding.
    pub last_sequence: Option<u16>,
    /// What the node is bound to.
    pub before: Option<&'a Binding>,
    /// Whether the node has registered under a newer SA.
    pub is_superseded: bool,
    /// The outer source.
    pub from: SocketAddr,
    /// The longest lifetime that this home agent grants.
    pub longest: Duration,
    /// Where no node can be.
    pub nowhere: Nowhere<'a>,
}

/// The prefix length of a single address.
const SINGLE: u8 = 32;

/// Judges `update`.
///
/// # Errors
/// The reason to drop it without an answer.
pub fn judge(update: &BindingUpdate, given: &Circumstances<'_>, now: Instant) -> Result<Decision, DropReason> {
    let sa = &given.install.sa;
    // RFC 3963 section 6.2: networks are forwarded by a home agent alone.
    if update.mobile_router.is_router() && !update.home_registration {
        return Ok(Decision::Refuse(Status::MOBILE_ROUTER_NOT_PERMITTED, update.sequence));
    }
    // Section 10.3.1: a home registration is answered whatever A is.
    let about = identifier::judge(update, given.before);
    let Some(about) = about.transpose().filter(|_| update.home_registration) else {
        return Err(DropReason::MalformedSignalling);
    };
    let ipv4 = update.ipv4_home.map(|home| ipv4_to_bind(home, sa)).transpose()?;
    let refuse = |status| Ok(Decision::Refuse(status, update.sequence));
    // Section 9.5.1: an old number is answered with the last one accepted.
    if let Some(last) = given.last_sequence.filter(|last| !sequence::is_newer(update.sequence, *last)) {
        return Ok(Decision::Refuse(Status::SEQUENCE_OUT_OF_WINDOW, last));
    }
    // What was sent before the node had its newer SA moves and ends nothing; a node that has lost that one gets another.
    if given.is_superseded {
        return refuse(Status::REINIT_SA_WITH_HAC);
    }
    let About { id, care_of } = match about {
        Ok(about) => about,
        Err(status) => return refuse(status),
    };
    if update.lifetime == Lifetime::ZERO {
        return if given.before.is_some() { Ok(Decision::Deregister(id)) } else { refuse(Status::NOT_HOME_AGENT) };
    }
    // A binding never outlives its SA; with nothing left to grant, a new SA is wanted.
    let left = given.install.valid_until.saturating_duration_since(now);
    let lifetime = Lifetime::at_most(update.lifetime.duration().min(given.longest).min(left));
    if lifetime == Lifetime::ZERO {
        return refuse(Status::REINIT_SA_WITH_HAC);
    }
    if given.nowhere.covers(given.from.ip(), sa) || given.nowhere.covers_care_of(care_of, sa) {
        return refuse(Status::INVALID_CARE_OF);
    }
    let prefixes = match mobile_router::judge(&update.mobile_router, sa, given.before) {
        Ok(prefixes) => prefixes,
        Err(status) => return refuse(status),
    };
    let bound = ipv4.filter(|(status, _)| *status == Ipv4Status::BOUND).map(|(_, address)| address);
    match HomeAddresses::new(sa.home.ip6(), bound) {
        Some(home) => Ok(Decision::Register(Registration { home, care_of, id, lifetime, ipv4, prefixes })),
        None => refuse(Status::REASON_UNSPECIFIED),
    }
}

/// RFC 5555 sections 3.1.1 and 3.2.1: gives the acknowledgement's status and address. 0.0.0.0 stands for the SA's own, which
/// the HAC has assigned; nothing is assigned here.
fn ipv4_to_bind(asked: Ipv4Home, sa: &SecurityAssociation) -> Result<(Ipv4Status, Ipv4Addr), DropReason> {
    if !asked.address.is_unspecified() && Some(asked.address) != sa.home.ip4() {
        return Err(DropReason::SpoofedHomeAddress);
    }
    Ok(match (asked.prefix_len, sa.home.ip4()) {
        (SINGLE, Some(own)) => (Ipv4Status::BOUND, own),
        (SINGLE, None) => (Ipv4Status::DYNAMIC_UNAVAILABLE, asked.address),
        (1..SINGLE, _) => (Ipv4Status::PREFIX_UNAUTHORIZED, asked.address),
        _ => (Ipv4Status::INVALID_ADDRESS, asked.address),
    })
}
