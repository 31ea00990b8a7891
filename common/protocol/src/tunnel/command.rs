//! What control tells the halves of a tunnel. All of them get the same commands, in the same order.
//!
//! This is the seam between the data path and whoever decides about bindings: the binding cache of Mobile IPv6 is one
//! writer, a Mobile IPv4 registration will be another; a packet cannot tell them apart.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::{Allowance, Guard, TrafficCounters};
use crate::addr::HomeAddresses;
use crate::prefixes::MobileNetworkPrefixes;
use crate::sa::sequence_counter::SequenceCounter;
use crate::sa::spi::SpiBlocks;
use crate::sa::{SecurityAssociation, Spi};

/// A local UDP socket, by the number under which the worker knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SocketId(pub u8);

/// One way to reach the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The socket to send from.
    pub socket: SocketId,
    /// Where to.
    pub remote: SocketAddr,
    /// How much.
    pub allowance: Allowance,
}

impl Path {
    /// A proved path.
    pub fn proved(socket: SocketId, remote: SocketAddr) -> Self {
        Self { socket, remote, allowance: Allowance::Unlimited }
    }

    /// Whether the other end has proved that it is there.
    pub fn is_proved(&self) -> bool {
        self.allowance == Allowance::Unlimited
    }

    /// Whether it goes from this socket to this address.
    pub fn leads_to(&self, socket: SocketId, remote: SocketAddr) -> bool {
        self.socket == socket && self.remote == remote
    }
}

/// One to four paths; a sealed packet is sent once on each. The first is that of the latest valid Binding Update. A path that
/// is named several times gets as many identical datagrams, of which the other end's replay window takes the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths(Vec<Path>);

impl Paths {
    /// The most paths that one tunnel has.
    pub const MAX: usize = 4;

    /// A single path.
    pub fn one(path: Path) -> Self {
        Self(vec![path])
    }

    /// Two, the first that of the latest valid Binding Update.
    pub fn two(first: Path, second: Path) -> Self {
        Self(vec![first, second])
    }

    /// The same path so many times, from once to [`Self::MAX`]: against loss, for what must not wait for a timer.
    pub fn copies(path: Path, count: usize) -> Self {
        Self(vec![path; count.clamp(1, Self::MAX)])
    }

    /// `None` for no path or more than [`Self::MAX`].
    pub fn new(paths: Vec<Path>) -> Option<Self> {
        (1..=Self::MAX).contains(&paths.len()).then_some(Self(paths))
    }

    /// Whether both lead from the same sockets to the same places, in the same order.
    pub fn lead_alike(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self.iter().zip(other.iter()).all(|(one, other)| one.leads_to(other.socket, other.remote))
    }

    /// Whether they lead to more than one place, or there from more than one.
    pub fn are_several(&self) -> bool {
        self.0.split_first().is_some_and(|(first, others)| others.iter().any(|other| !other.leads_to(first.socket, first.remote)))
    }

    /// Each path.
    pub fn iter(&self) -> std::slice::Iter<'_, Path> {
        self.0.iter()
    }

    /// Each path, to change it.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, Path> {
        self.0.iter_mut()
    }

    /// The path at `index`, if `octets` may go there: then they are taken from its allowance.
    pub(crate) fn spend(&self, index: usize, octets: usize) -> Option<&Path> {
        self.0.get(index).filter(|path| path.allowance.take(octets))
    }
}

/// How an inner packet is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encapsulation {
    /// UDP with the envelope of RFC 6618 section 6, protected by the sending SA.
    ProtectedUdp,
    /// UDP with the envelope of PType 0: unprotected, and only under an SA whose `mip6-sas` is 0.
    ClearUdp,
}

/// Delivers a security association to the halves, all of which hold the same one.
#[derive(Debug)]
pub struct Install {
    /// Keys and addresses.
    pub sa: SecurityAssociation,
    /// When it ends.
    pub valid_until: Instant,
    /// How often it was delivered to a home agent's process before: 0 the first time. A mobile node always has 0.
    pub lease: u32,
    /// Where the halves count the user data that they carry under it.
    pub traffic: Arc<TrafficCounters>,
    /// What the sending halves share.
    pub counter: SequenceCounter,
}

impl Install {
    /// Of an SA that nobody has sent under in this lease.
    pub fn new(sa: SecurityAssociation, valid_until: Instant, lease: u32) -> Self {
        Self { sa, valid_until, lease, traffic: Arc::default(), counter: SequenceCounter::of_lease(lease) }
    }
}

/// An instruction to all halves.
#[derive(Clone, Debug)]
pub enum Command {
    /// A new security association.
    Install(Arc<Install>),
    /// The association has ended: forget its keys.
    Uninstall(Spi),
    /// Binds `home` or moves its binding: packets go to `paths` under `sending` from now on.
    Move {
        /// Whose packets.
        home: HomeAddresses,
        /// Where to.
        paths: Paths,
        /// In which form.
        encapsulation: Encapsulation,
        /// Under which security association.
        sending: Spi,
    },
    /// The binding of `home` is gone.
    Remove(HomeAddresses),
    /// Sends one PType 8 message; the entry-point seals it once, like any packet, the exit-point has nothing to do.
    Signal {
        /// Under which security association.
        spi: Spi,
        /// Where to.
        paths: Paths,
        /// The payload's first header: 60, 43 or 135.
        next_header: u8,
        /// Extension headers and Mobility Header.
        payload: Vec<u8>,
    },
    /// Sends one PType 8 message in a datagram that nobody may fragment: it finds out what a path carries.
    Probe {
        /// Under which security association.
        spi: Spi,
        /// Where to.
        path: Path,
        /// The payload's first header: 60, 43 or 135.
        next_header: u8,
        /// Extension headers and Mobility Header.
        payload: Vec<u8>,
    },
    /// Sends again what was sealed under an SA and may have been lost, where it is still at hand: the same datagrams, each once. All
    /// entry-points have to do with it, since each carries user data under any SA.
    Resend {
        /// Under which security association.
        spi: Spi,
        /// Where to.
        paths: Paths,
        /// Only what has a higher sequence number.
        above: Option<u32>,
        /// Only what was sealed no earlier.
        since: Instant,
        /// So many octets of the paths' allowance are left to what is new: the same for all entry-points and whenever it is said again,
        /// one datagram of each entry-point apart.
        spared: u64,
    },
    /// Sends one dummy packet (RFC 4303 section 2.6), so that a NAT on the way keeps its mapping.
    Keepalive {
        /// Under which security association.
        spi: Spi,
        /// Where to.
        path: Path,
    },
    /// The SPI blocks of a home agent's group: an unknown SPI in one of them may be looked up. Replaces those said before.
    LookUpIn(SpiBlocks),
    /// The host's own addresses and what may be said to them. Replaces what was said before.
    Guard(Guard),
    /// The longest inner packet, in octets, that the paths of these home addresses carry in one piece. Holds as long as the tunnel of
    /// any of them, whereever that moves to.
    PathMtu {
        /// Whose packets.
        home: HomeAddresses,
        /// Octets.
        mtu: u16,
    },
    /// The networks behind the node of these home addresses, which is a mobile router (RFC 3963); none makes a host of it. Replaces
    /// those said before. Holds as long as the tunnel of any of them, wherever that moves to.
    Prefixes {
        /// Whose packets.
        home: HomeAddresses,
        /// The networks.
        prefixes: MobileNetworkPrefixes,
    },
    /// The longest inner packet, in octets: TCP connections through the tunnel are told of no longer segments.
    Mtu(u16),
}
