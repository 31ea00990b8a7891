//! Which networks are forwarded to a node that registers as a mobile router (RFC 3963 section 6.2). The prefix table is what the HAC has
//! provisioned with the SA.

use protocol::prefixes::MobileNetworkPrefixes;
use protocol::sa::SecurityAssociation;
use protocol::wire::mobility::{MobileRouter, Status};

use crate::binding_cache::Binding;

/// Gives the networks; none for a host. `before` is what the node is bound to.
///
/// # Errors
/// The status that refuses the Binding Update.
pub fn judge(router: &MobileRouter, sa: &SecurityAssociation, before: Option<&Binding>) -> Result<MobileNetworkPrefixes, Status> {
    // Under another SA it is another registration: what the HAC has given the node may have changed since.
    let same = before.filter(|before| before.spi == sa.spi);
    if same.is_some_and(|before| before.is_router() != router.is_router()) {
        return Err(Status::TYPE_CHANGE_DISALLOWED);
    }
    match router {
        MobileRouter::No => Ok(MobileNetworkPrefixes::default()),
        MobileRouter::Implicit if sa.prefixes.is_empty() => Err(Status::FORWARDING_SETUP_FAILED),
        MobileRouter::Implicit => Ok(sa.prefixes.clone()),
        MobileRouter::Explicit(asked) if sa.prefixes.cover(asked) => Ok(asked.clone()),
        MobileRouter::Explicit(_) => Err(Status::PREFIX_NOT_AUTHORIZED),
        MobileRouter::Invalid => Err(Status::INVALID_PREFIX),
    }
}
