//! What the home agent keeps of one security association, as long as it is held.

use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::sa::{SecurityAssociation, UserData};
use protocol::tunnel::rate_limit::RateLimit;
use protocol::tunnel::{Encapsulation, Install};

use super::heartbeat::SaidPathMtu;
use crate::renewal::Renewal;
use crate::unproved::{SeenAt, Unproved};

/// A Binding Update under an SA whose replay state is lost is answered at most this often.
const REINIT_INTERVAL: Duration = Duration::from_secs(1);
/// Heartbeats that are answered at once, and then one each interval: what a node needs that finds out about a few paths at a time.
const HEARTBEAT_BURST: u32 = 32;
const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(20);
/// Binding Updates that are taken at once, and then one each interval: nodes send three a second at most (RFC 6275 section 12).
const UPDATE_BURST: u32 = 16;
const UPDATE_INTERVAL: Duration = Duration::from_millis(200);
/// A node that is seen elsewhere is asked for a Binding Update at most this often.
const REFRESH_INTERVAL: Duration = Duration::from_secs(1);

pub(super) struct HeldSa {
    pub(super) install: Arc<Install>,
    pub(super) installed: Instant,
    /// The last Binding Update sequence number accepted: kept as long as the SA, beyond the binding.
    pub(super) last_sequence: Option<u16>,
    /// The node has registered under a newer one: this one only opens packets.
    pub(super) is_superseded: bool,
    /// The node has shown one of our options, under this SA or one before: it knows the path check.
    pub(super) knows_token: bool,
    pub(super) unproved: Unproved,
    /// Where its packets come from since the last Binding Update, if that is not where it is bound.
    pub(super) seen_at: Option<SeenAt>,
    pub(super) renewal: Renewal,
    pub(super) reinit: RateLimit,
    pub(super) refresh: RateLimit,
    pub(super) heartbeats: RateLimit,
    pub(super) updates: RateLimit,
    /// What the node has said last of the path in use.
    pub(super) path_mtu: Option<SaidPathMtu>,
}

impl HeldSa {
    pub(super) fn new(install: Arc<Install>, installed: Instant) -> Self {
        Self {
            install,
            installed,
            last_sequence: None,
            is_superseded: false,
            knows_token: false,
            unproved: Unproved::default(),
            seen_at: None,
            renewal: Renewal::new(),
            reinit: RateLimit::new(1, REINIT_INTERVAL),
            refresh: RateLimit::new(1, REFRESH_INTERVAL),
            heartbeats: RateLimit::new(HEARTBEAT_BURST, HEARTBEAT_INTERVAL),
            updates: RateLimit::new(UPDATE_BURST, UPDATE_INTERVAL),
            path_mtu: None,
        }
    }

    pub(super) fn sa(&self) -> &SecurityAssociation {
        &self.install.sa
    }

    /// The address that stands for the node in Mobility Headers; its binding is kept under it.
    pub(super) fn home(&self) -> Ipv6Addr {
        self.sa().home.in_mobility_header()
    }

    /// RFC 6618 section 6.4: user data goes as PType 0 only where the SA's `mip6-sas` says so.
    pub(super) fn encapsulation(&self) -> Encapsulation {
        match self.sa().user_data {
            UserData::Clear => Encapsulation::ClearUdp,
            UserData::Protected => Encapsulation::ProtectedUdp,
        }
    }

    /// Whether the node can be seen by its user data: under the others a Binding Update is all that is authentic.
    pub(super) fn has_authentic_data(&self) -> bool {
        self.sa().user_data == UserData::Protected && self.sa().is_numbered()
    }

    /// Whether it makes sense to ask the node for another: one of an earlier process is answered with 176 anyway.
    pub(super) fn may_be_renewed(&self) -> bool {
        self.install.lease == 0 && !self.is_superseded
    }
}

/// One SA as an operator sees it: no keys.
#[derive(Clone, Debug)]
pub struct SaSummary {
    /// What the feed delivered.
    pub install: Arc<Install>,
    /// Whether a binding sends under it.
    pub is_bound: bool,
    /// Whether its node was, or will be, asked for a new one.
    pub is_renewal_wanted: bool,
    /// Whether its node has registered under a newer one.
    pub is_superseded: bool,
}
