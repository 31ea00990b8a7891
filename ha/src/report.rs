//! What the running home agent says of itself: plain data, without keys. The gateway fills it, `control` formats it.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;
use net::worker::IoCounters;
use protocol::tunnel::DropReason;

use crate::binding_cache::Binding;
use crate::fallback::FallbackCounters;
use crate::feed_client::FeedState;
use crate::home_agent::SaSummary;
use crate::home_link::HomeLink;

/// Everything of `ha status`.
#[derive(Clone, Debug)]
pub(crate) struct StatusReport {
    pub(crate) name: String,
    pub(crate) uptime: Duration,
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) device: String,
    /// None before the first welcome of the HAC.
    pub(crate) workers: usize,
    pub(crate) offloads: Vec<&'static str>,
    pub(crate) group: Option<u8>,
    pub(crate) pools: Vec<IpNet>,
    pub(crate) feed_address: String,
    pub(crate) feed: FeedState,
    pub(crate) associations: SaCounts,
    pub(crate) bindings: BindingCounts,
    /// Packets and octets.
    pub(crate) sent: (u64, u64),
    /// Datagrams that were sent once more behind a break.
    pub(crate) sent_again: u64,
    /// Packets and octets.
    pub(crate) received: (u64, u64),
    /// Packets that mobile nodes sealed and that have not come.
    pub(crate) missing: u64,
    pub(crate) drops: Vec<(DropReason, u64)>,
    pub(crate) io: IoReport,
    /// None where it is virtual.
    pub(crate) home_link: Option<HomeLinkReport>,
    /// None where nothing is listened on.
    pub(crate) fallback: Option<FallbackReport>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SaCounts {
    pub(crate) held: usize,
    pub(crate) reinit_only: usize,
    pub(crate) renewal_wanted: usize,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BindingCounts {
    pub(crate) all: usize,
    pub(crate) behind_nat: usize,
    pub(crate) unproved: usize,
}

/// A home link that is real.
#[derive(Clone, Debug)]
pub(crate) struct HomeLinkReport {
    pub(crate) interface: String,
    /// Home addresses that are answered for.
    pub(crate) answered_for: usize,
}

/// What neither the kernel nor the network took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IoReport {
    pub(crate) unsent: u64,
    pub(crate) unwritten: u64,
    pub(crate) receive_errors: u64,
}

/// What has become of connections over TLS and of their datagrams.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FallbackReport {
    pub(crate) open: u64,
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    pub(crate) unbound: u64,
    pub(crate) from_nodes: u64,
    pub(crate) to_nodes: u64,
    pub(crate) dropped: u64,
    pub(crate) not_let_in: u64,
}

impl From<&FallbackCounters> for FallbackReport {
    fn from(counters: &FallbackCounters) -> Self {
        let relays = &counters.relays;
        Self {
            open: counters.open(),
            accepted: counters.accepted(),
            refused: counters.refused(),
            unbound: counters.unbound(),
            from_nodes: relays.from_stream(),
            to_nodes: relays.to_stream(),
            dropped: relays.dropped(),
            not_let_in: relays.refused(),
        }
    }
}

impl From<&HomeLink> for HomeLinkReport {
    fn from(link: &HomeLink) -> Self {
        Self { interface: link.interface().to_owned(), answered_for: link.answered_for() }
    }
}

impl From<&IoCounters> for IoReport {
    fn from(io: &IoCounters) -> Self {
        Self { unsent: io.unsent(), unwritten: io.unwritten(), receive_errors: io.receive_errors() }
    }
}

/// The first of a list, and how many there are in all.
#[derive(Clone, Debug)]
pub(crate) struct Listed<T> {
    pub(crate) count: usize,
    pub(crate) first: Vec<T>,
}

impl<T> Listed<T> {
    /// The first `most` of `all`.
    pub(crate) fn new(all: impl Iterator<Item = T>, most: usize) -> Self {
        let mut listed = Self { count: 0, first: Vec::new() };
        for item in all {
            listed.count += 1;
            if listed.first.len() < most {
                listed.first.push(item);
            }
        }
        listed
    }
}

impl SaCounts {
    pub(crate) fn new((held, reinit_only): (usize, usize), associations: impl Iterator<Item = SaSummary>) -> Self {
        Self { held, reinit_only, renewal_wanted: associations.filter(|sa| sa.is_renewal_wanted).count() }
    }
}

impl BindingCounts {
    pub(crate) fn new<'a>(bindings: impl Iterator<Item = &'a Binding>) -> Self {
        bindings.fold(Self::default(), |counts, binding| Self {
            all: counts.all + 1,
            behind_nat: counts.behind_nat + usize::from(binding.latest.has_nat()),
            unproved: counts.unproved + usize::from(!binding.latest.is_proved()),
        })
    }
}
