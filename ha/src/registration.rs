//! What a home agent makes of a Binding Update: the checks of RFC 6275 sections 9.5.1 and 10.3.1, in their order, with
//! what RFC 6618 and RFC 5555 add. Decides, and changes nothing.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use protocol::addr::{CareOfAddress, HomeAddresses};
use protocol::sa::SecurityAssociation;
use protocol::time::Lifetime;
use protocol::tunnel::{DropReason, Install};
use protocol::wire::mobility::{BindingUpdate, Ipv4Home, Status, sequence};

/// What to do with a Binding Update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Bind these addresses.
    Register {
        /// The home addresses that are bound.
        home: HomeAddresses,
        /// Where the node says that it is.
        care_of: CareOfAddress,
        /// How long.
        lifetime: Lifetime,
    },
    /// End the binding.
    Deregister,
    /// Change nothing and answer with this status and sequence number.
    Refuse(Status, u16),
}

/// What is known when a Binding Update comes in.
pub struct Circumstances<'a> {
    /// The SA that it came under.
    pub install: &'a Install,
    /// The last sequence number accepted under that SA; it outlives the binding.
    pub last_sequence: Option<u16>,
    /// Whether the node is bound.
    pub is_bound: bool,
    /// The outer source.
    pub from: SocketAddr,
    /// The longest lifetime that this home agent grants.
    pub longest: Duration,
    /// The home agent's own outer addresses.
    pub own: &'a [IpAddr],
}

/// Judges `update`.
///
/// # Errors
/// The reason to drop it without an answer.
pub fn judge(update: &BindingUpdate, given: &Circumstances<'_>, now: Instant) -> Result<Decision, DropReason> {
    let sa = &given.install.sa;
    let Some(care_of) = update.care_of.filter(|_| update.acknowledge && update.home_registration) else {
        return Err(DropReason::MalformedSignalling);
    };
    let care_of = CareOfAddress::from(care_of);
    let ipv4 = ipv4_to_bind(update.ipv4_home, sa)?;
    // Section 9.5.1: an old number is answered with the last one accepted.
    if let Some(last) = given.last_sequence.filter(|last| !sequence::is_newer(update.sequence, *last)) {
        return Ok(Decision::Refuse(Status::SEQUENCE_OUT_OF_WINDOW, last));
    }
    if update.lifetime == Lifetime::ZERO {
        return Ok(if given.is_bound { Decision::Deregister } else { Decision::Refuse(Status::NOT_HOME_AGENT, update.sequence) });
    }
    if !may_be_bound(care_of, given) {
        return Ok(Decision::Refuse(Status::INVALID_CARE_OF, update.sequence));
    }
    let Some(home) = HomeAddresses::new(sa.home.ip6(), ipv4) else {
        return Ok(Decision::Refuse(Status::REASON_UNSPECIFIED, update.sequence));
    };
    // A binding never outlives its SA; with nothing left to grant, a new SA is wanted.
    let left = given.install.valid_until.saturating_duration_since(now);
    let lifetime = Lifetime::at_most(update.lifetime.duration().min(given.longest).min(left));
    if lifetime == Lifetime::ZERO {
        return Ok(Decision::Refuse(Status::REINIT_SA_WITH_HAC, update.sequence));
    }
    Ok(Decision::Register { home, care_of, lifetime })
}

/// RFC 5555 section 3.1.1: without the option IPv4 is not bound; 0.0.0.0 stands for the SA's own address.
fn ipv4_to_bind(option: Option<Ipv4Home>, sa: &SecurityAssociation) -> Result<Option<std::net::Ipv4Addr>, DropReason> {
    match option {
        None => Ok(None),
        Some(home) if home.address.is_unspecified() || Some(home.address) == sa.home.ip4() => Ok(sa.home.ip4()),
        Some(_) => Err(DropReason::SpoofedHomeAddress),
    }
}

/// A care-of address must be one that packets can be sent to, and the one that the Binding Update came from: nodes behind a
/// NAT are not served, since a path through one has to be proved first.
fn may_be_bound(care_of: CareOfAddress, given: &Circumstances<'_>) -> bool {
    let ip = care_of.0;
    let unusable = ip.is_multicast() || ip.is_loopback() || ip.is_unspecified() || given.own.contains(&ip);
    !unusable && ip == given.from.ip().to_canonical()
}
