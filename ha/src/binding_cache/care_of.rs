//! What a node is bound to: one care-of address, or several that are registered by number (RFC 5648).

use std::net::SocketAddr;
use std::time::Instant;

use protocol::addr::CareOfAddress;
use protocol::sa::Spi;
use protocol::tunnel::{Path, Paths, SocketId};
use protocol::wire::mobility::BindingId;

use super::{Binding, PathProof, has_nat};
use crate::unproved::Place;

/// One care-of address of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CareOfBinding {
    /// Its number; none in a binding of RFC 6275, which is the node's only one.
    pub id: Option<BindingId>,
    /// As the Binding Update's option says.
    pub care_of: CareOfAddress,
    /// The socket that the Binding Update came in on.
    pub socket: SocketId,
    /// The outer source of that Binding Update: where packets go.
    pub remote: SocketAddr,
    /// Where the node's connection comes from, when `remote` is a relay on loopback.
    pub relayed: Option<SocketAddr>,
    /// The sequence number of that Binding Update under the security association.
    pub number: u32,
    /// Whether the node is known to receive at `remote`.
    pub proof: PathProof,
    /// When it ends unless it is refreshed.
    pub expires: Instant,
}

impl CareOfBinding {
    /// Whether it is another place than this one, and not proved.
    pub fn is_unproved_beside(&self, (socket, remote): Place) -> bool {
        !self.is_proved() && !self.path().leads_to(socket, remote)
    }

    /// The way to the remote.
    pub fn path(&self) -> Path {
        Path::proved(self.socket, self.remote)
    }

    /// Where the node seems to be.
    pub fn seen_from(&self) -> SocketAddr {
        self.relayed.unwrap_or(self.remote)
    }

    /// Whether a NAT stands between.
    pub fn has_nat(&self) -> bool {
        has_nat(self.care_of, self.seen_from())
    }

    /// Whether the node is known to receive at `remote`.
    pub fn is_proved(&self) -> bool {
        self.proof == PathProof::Proved
    }

    /// The path that was proved last, if any was.
    pub fn proved_path(&self) -> Option<Path> {
        match &self.proof {
            PathProof::Proved => Some(self.path()),
            PathProof::Awaited { fallback, .. } => fallback.clone(),
        }
    }
}

impl Binding {
    /// Everything that the node is bound to, the latest first.
    pub fn care_ofs(&self) -> impl Iterator<Item = &CareOfBinding> {
        std::iter::once(&self.latest).chain(&self.others)
    }

    /// The same, to change what is known of a path.
    pub fn care_ofs_mut(&mut self) -> impl Iterator<Item = &mut CareOfBinding> {
        std::iter::once(&mut self.latest).chain(&mut self.others)
    }

    /// The one with this number.
    pub fn numbered(&self, id: BindingId) -> Option<&CareOfBinding> {
        self.care_ofs().find(|care_of| care_of.id == Some(id))
    }

    /// What a Binding Update of the number `id` takes the place of: what has that number, or with `overwrites` all of it, and so the
    /// latest.
    pub fn before(&self, id: Option<BindingId>, overwrites: bool) -> Option<&CareOfBinding> {
        let same = self.care_ofs().find(|care_of| care_of.id == id);
        same.or_else(|| (overwrites || id.is_none()).then_some(&self.latest))
    }

    /// Whether each of the node's places but this one is proved.
    pub fn is_proved_beside(&self, place: Place) -> bool {
        !self.care_ofs().any(|care_of| care_of.is_unproved_beside(place))
    }

    /// What stays beside a Binding Update of the number `id` under `spi`: what has another number, unless that `overwrites` all. A new SA
    /// begins with nothing beside.
    pub fn beside(&self, id: Option<BindingId>, overwrites: bool, spi: Spi) -> impl Iterator<Item = &CareOfBinding> {
        let stays = id.is_some() && !overwrites && self.spi == spi;
        self.care_ofs().filter(move |care_of| stays && care_of.id != id)
    }

    /// Keeps what stays of `before` beside the latest, as far as there is room: what was registered longest ago goes first.
    pub fn keep_others_of(&mut self, before: &Self, overwrites: bool) {
        self.others = before.beside(self.latest.id, overwrites, self.spi).take(Paths::MAX - 1).cloned().collect();
    }

    /// Forgets the paths beside the latest whose remote `ends` says yes of.
    pub fn forget_paths(&mut self, ends: impl Fn(SocketAddr) -> bool) {
        self.others.retain(|care_of| !ends(care_of.remote));
        for care_of in self.care_ofs_mut() {
            if let PathProof::Awaited { fallback, .. } = &mut care_of.proof {
                fallback.take_if(|proved| ends(proved.remote));
            }
        }
    }

    /// When the first of them ends.
    pub fn next_end(&self) -> Instant {
        self.others.iter().map(|care_of| care_of.expires).fold(self.latest.expires, Instant::min)
    }

    /// Ends those of which `ends` is true. `false` when none is left: then the binding has ended, and is as it was.
    pub fn retain(&mut self, ends: impl Fn(&CareOfBinding) -> bool) -> bool {
        let mut left = self.care_ofs().filter(|care_of| !ends(care_of)).cloned();
        let Some(latest) = left.next() else { return false };
        let others = left.collect();
        (self.latest, self.others) = (latest, others);
        true
    }
}
