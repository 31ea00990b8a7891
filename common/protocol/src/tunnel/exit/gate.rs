//! Which inner packets may come out of the tunnel, and what they come to know of it.

use super::super::table::Tunnel;
use super::super::{DropReason, Guard, TunnelTable};
use crate::addr::{HomeAddress, HomeAddresses};
use crate::sa::Role;
use crate::wire::ip::InnerPacket;
use crate::wire::{ecn, mss};

/// The bindings, and what may be said to the host itself.
pub(super) struct Gate {
    role: Role,
    pub(super) table: TunnelTable,
    pub(super) guard: Guard,
    /// What TCP connections through the tunnel are told to fit into, in octets; no limit until control says one.
    pub(super) mtu: u16,
}

impl Gate {
    /// Without any binding; nothing is the host's own.
    pub(super) fn new(role: Role) -> Self {
        Self { role, table: TunnelTable::default(), guard: Guard::default(), mtu: u16::MAX }
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

    /// The tunnel of an address of the node whose home addresses are `home`: one of them, or one in the networks behind it.
    ///
    /// # Errors
    /// [`DropReason::ForeignHomeAddress`] for an address of neither, [`DropReason::NoBinding`] for an own one that is not bound.
    pub(super) fn tunnel_of(&self, home: &HomeAddresses, own: HomeAddress) -> Result<&Tunnel, DropReason> {
        if home.contains(own.0) {
            return self.tunnel(own).ok_or(DropReason::NoBinding);
        }
        let behind = self.table.behind(own.0).filter(|tunnel| tunnel.home.iter().any(|address| home.contains(address.0)));
        behind.ok_or(DropReason::ForeignHomeAddress)
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

    /// Gives the packet what it has to know of the path: congestion, from the outer header's Traffic Class, and the tunnel's MTU.
    ///
    /// # Errors
    /// [`DropReason::CongestionNotEct`].
    pub(super) fn adapt(&self, inner: &InnerPacket, tunnel: &Tunnel, outer: u8, packet: &mut [u8]) -> Result<(), DropReason> {
        mss::clamp(packet, self.mtu.min(tunnel.mtu));
        ecn::decapsulate(inner, outer, packet)
    }
}

/// The packet at the start of `payload`: what stands behind its own length is no part of it, for the guard neither.
pub(super) fn inner_packet(payload: &mut [u8]) -> Result<(InnerPacket, &mut [u8]), DropReason> {
    let inner = InnerPacket::parse(payload)?;
    let packet = payload.get_mut(..inner.len).ok_or(DropReason::BadInnerPacket)?;
    Ok((inner, packet))
}
