//! Which inner packets may come out of the tunnel.

use super::super::table::Tunnel;
use super::super::{DropReason, Guard, TunnelTable};
use crate::addr::HomeAddress;
use crate::sa::Role;
use crate::wire::ip::InnerPacket;

/// The bindings, and what may be said to the host itself.
pub(super) struct Gate {
    role: Role,
    pub(super) table: TunnelTable,
    pub(super) guard: Guard,
}

impl Gate {
    /// Without any binding; nothing is the host's own.
    pub(super) fn new(role: Role) -> Self {
        Self { role, table: TunnelTable::default(), guard: Guard::default() }
    }

    /// Which end this is.
    pub(super) fn role(&self) -> Role {
        self.role
    }

    /// The inner address that must be the mobile node's.
    pub(super) fn nodes_own(&self, inner: &InnerPacket) -> HomeAddress {
        HomeAddress(match self.role {
            Role::HomeAgent => inner.source,
            Role::MobileNode => inner.destination,
        })
    }

    /// The tunnel of a home address, if it is bound.
    pub(super) fn tunnel(&self, home: HomeAddress) -> Option<&Tunnel> {
        self.table.get(home)
    }

    pub(super) fn check_may_cross(&self, inner: &InnerPacket, packet: &[u8]) -> Result<(), DropReason> {
        if !inner.may_cross() {
            Err(DropReason::ForbiddenInnerAddress)
        } else if !self.guard.allows(inner, packet) {
            Err(DropReason::ForHomeAgent)
        } else {
            Ok(())
        }
    }
}

/// The packet at the start of `payload`: what stands behind its own length is no part of it, for the guard neither.
pub(super) fn inner_packet(payload: &mut [u8]) -> Result<(InnerPacket, &mut [u8]), DropReason> {
    let inner = InnerPacket::parse(payload)?;
    let packet = payload.get_mut(..inner.len).ok_or(DropReason::BadInnerPacket)?;
    Ok((inner, packet))
}
