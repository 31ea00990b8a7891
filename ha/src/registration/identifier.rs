//! What a Binding Update says by its Binding Identifier option (RFC 5648 section 6.2): which of the node's bindings it is about.

use protocol::addr::CareOfAddress;
use protocol::time::Lifetime;
use protocol::wire::mobility::{BindingId, BindingIdentifier, BindingIdentifiers, BindingUpdate, Status};

use crate::binding_cache::Binding;

/// A Binding Update by the binding that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// The binding's number; none is all that the node has.
    pub id: Option<BindingId>,
    /// Where to.
    pub care_of: CareOfAddress,
}

/// Reads the options of `update`; `before` is what the node is bound to. `None` where no care-of address is said at all.
///
/// # Errors
/// The status that refuses them.
pub fn judge(update: &BindingUpdate, before: Option<&Binding>) -> Result<Option<About>, Status> {
    let said = update.care_of.map(CareOfAddress::from);
    let identifier = match update.identifiers {
        BindingIdentifiers::None => return Ok(said.map(|care_of| About { id: None, care_of })),
        BindingIdentifiers::Malformed => return Err(Status::MCOA_MALFORMED),
        BindingIdentifiers::Several => return Err(Status::MCOA_BULK_PROHIBITED),
        BindingIdentifiers::One(BindingIdentifier { home: true, .. }) => return Err(Status::MCOA_HOME_AND_FOREIGN_PROHIBITED),
        BindingIdentifiers::One(identifier) => identifier,
    };
    let known = before.and_then(|binding| binding.numbered(identifier.id));
    let care_of = said.or(known.map(|known| known.care_of));
    let is_unnumbered = |binding: &Binding| binding.latest.id.is_none();
    if update.lifetime == Lifetime::ZERO {
        known.ok_or(Status::NOT_HOME_AGENT)?;
    } else if !update.overwrite && before.is_some_and(is_unnumbered) {
        return Err(Status::MCOA_NON_MCOA_BINDING_EXISTS);
    }
    let care_of = care_of.ok_or(Status::MCOA_UNKNOWN_CARE_OF)?;
    Ok(Some(About { id: Some(identifier.id), care_of }))
}

/// What an acknowledgement of `update` has of its option (section 6.2: all but the care-of address, and no status of its own).
pub fn to_acknowledge(update: &BindingUpdate) -> Option<BindingIdentifier> {
    match update.identifiers {
        BindingIdentifiers::One(identifier) => Some(BindingIdentifier { status: Status::ACCEPTED, care_of: None, ..identifier }),
        BindingIdentifiers::None | BindingIdentifiers::Several | BindingIdentifiers::Malformed => None,
    }
}
