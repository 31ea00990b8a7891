//! What an authenticated mobile node is given: suite, home agent, fresh keys, and the grant that says so on the wire.
//!
//! What a subscriber's own policy says comes before the HAC's. Under `draft-04` packets of a NULL suite have no sequence
//! numbers, so that such an association has no replay protection: it is given only where the subscriber's own policy names the
//! suite, and only with user data in the clear, since it could carry none otherwise.
//!
//! Called by `session` after authentication only. Keys are octets straight from the CSPRNG (RFC 6618 section 9.2), drawn anew
//! in every run and committed before anyone is told; none is ever given out twice.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use protocol::features::Features;
use protocol::mhauth::{DEFAULT_PORT, FallbackServer, Grant};
use protocol::profile::WireProfile;
use protocol::sa::cipher::Transform;
use protocol::sa::spi::HaGroup;
use protocol::sa::{CipherSuite, DirectionKeys, Secret, UserData};
use rand::{CryptoRng, RngExt};
use subtle::ConstantTimeEq;

use crate::store::{Access, Framed, HomeAgent, KeyId, Order, Pools, Provisioned, Store, StoreError, SubscriberPolicy};

/// What the HAC grants: `[policy]` and `[home]` of its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The wire profile of subscribers without one of their own, and of everything before a name is known.
    pub profile: WireProfile,
    /// Suites that are granted, in the HAC's order of preference.
    pub suites: Vec<CipherSuite>,
    /// `Clear` where mobile nodes that propose `mip6-sas` 0 are granted it.
    pub user_data: UserData,
    /// Lifetime of an association.
    pub sa_lifetime: Duration,
    /// Home address pools.
    pub pools: Pools,
    /// DNS servers behind the home agent.
    pub dns: Vec<IpAddr>,
}

/// What an authenticated mobile node asked for.
pub struct Request<'a> {
    /// Who.
    pub nai: &'a str,
    /// The key that he proved to have.
    pub key: KeyId,
    /// The subscriber's own policy; its profile is that of the exchange.
    pub own: &'a SubscriberPolicy,
    /// The suites that it listed and this build has.
    pub suites: &'a [CipherSuite],
    /// The `mip6-sas` that it proposed.
    pub user_data: UserData,
    /// How long an association may live at most, where a AAA server said so.
    pub limit: Option<Duration>,
    /// What it said that accounting needs.
    pub access: Option<&'a Access>,
    /// Home addresses that it chose.
    pub framed: Framed,
}

/// Why nothing was provisioned.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// 501.
    #[error("the mobile node offers no cipher suite that the policy grants")]
    NoCommonSuite,
    /// 503.
    #[error("no home agent is connected to the feed: start one with `ha serve`")]
    NoHomeAgent,
    /// 503.
    #[error(
        "no connected home agent has UDP port {DEFAULT_PORT}, and the subscriber's profile draft-04 cannot tell another: record \
         one with `hac ha add NAME --port {DEFAULT_PORT}` and start it"
    )]
    NoHomeAgentOnPort,
    /// 503 where something is exhausted or somebody else's, 401 where the subscriber is not what it was any more, else 500.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The home agents whose feed is up.
#[derive(Clone, Copy, Debug)]
pub struct Connected<'a> {
    /// Their names.
    pub names: &'a [String],
    /// What the home agents of each group can do, whether connected or not.
    pub features: &'a BTreeMap<HaGroup, Features>,
}

/// An association on disk, and where it must be delivered before the mobile node hears of it.
pub struct Committed {
    /// The association.
    pub provisioned: Provisioned,
    /// The chosen home agent.
    pub home_agent: HomeAgent,
}

impl Policy {
    /// The wire profile of a subscriber.
    pub fn profile_of(&self, own: &SubscriberPolicy) -> WireProfile {
        own.profile.unwrap_or(self.profile)
    }

    /// Suite and `mip6-sas` for `request`: the first suite of the policy that the mobile node listed and that may be given. User
    /// data goes in the clear where policy and mobile node both say so (RFC 6618 section 5.6.4).
    pub fn decide(&self, request: &Request<'_>) -> Option<(CipherSuite, UserData)> {
        let own = request.own;
        let allowed = own.user_data.unwrap_or(self.user_data);
        let in_the_clear = allowed == UserData::Clear && request.user_data == UserData::Clear;
        let user_data = if in_the_clear { UserData::Clear } else { UserData::Protected };
        let may_be_null = self.profile_of(own) == WireProfile::Rfc6618 || own.suites.is_some() && in_the_clear;
        let suites = own.suites.as_ref().unwrap_or(&self.suites);
        let may_be_given = |suite: &CipherSuite| request.suites.contains(suite) && (suite.encrypts() || may_be_null);
        suites.iter().copied().find(may_be_given).map(|suite| (suite, user_data))
    }
}

/// Chooses, draws keys and commits.
pub fn provision(
    store: &mut dyn Store,
    policy: &Policy,
    request: &Request<'_>,
    connected: &Connected<'_>,
    now: SystemTime,
    rng: &mut dyn CryptoRng,
) -> Result<Committed, Refused> {
    let profile = policy.profile_of(request.own);
    let (suite, user_data) = policy.decide(request).ok_or(Refused::NoCommonSuite)?;
    let home_agent = choose_home_agent(store, request.nai, profile, connected.names, now, rng)?;
    let (mn_to_ha, ha_to_mn) = draw_keys(suite, rng);
    let order = Order {
        nai: request.nai,
        key: request.key,
        home_agent: &home_agent,
        suite,
        profile,
        user_data,
        mn_to_ha,
        ha_to_mn,
        pools: policy.pools,
        lifetime: request.limit.map_or(policy.sa_lifetime, |limit| limit.min(policy.sa_lifetime)),
        access: request.access,
        framed: request.framed,
    };
    let mut provisioned = store.provision(&order, now, rng)?;
    if profile == WireProfile::Rfc6618 {
        provisioned.sa.features = connected.features.get(&home_agent.group).copied().unwrap_or_default();
    }
    if !provisioned.sa.is_numbered() {
        let spi = provisioned.sa.spi;
        tracing::warn!(%spi, %suite, %profile, "this association has no replay protection: the subscriber's own policy names its suite");
    }
    Ok(Committed { provisioned, home_agent })
}

/// The grant that tells a mobile node of `committed`.
pub fn grant(committed: &Committed, policy: &Policy, now: SystemTime) -> Grant {
    let Committed { provisioned, home_agent } = committed;
    Grant {
        sa: provisioned.sa.clone(),
        validity_end: provisioned.valid_until,
        date: Some(now),
        home_prefix6: policy.pools.ip6,
        home_prefix4: policy.pools.ip4,
        dns: policy.dns.clone(),
        fallback: home_agent.fallback_port.and_then(|port| FallbackServer::new(&home_agent.name, port)),
    }
}

/// Where the subscriber's newest association is, so that a renewal finds its binding; else any, drawn evenly.
fn choose_home_agent(
    store: &mut dyn Store,
    nai: &str,
    profile: WireProfile,
    connected: &[String],
    now: SystemTime,
    rng: &mut dyn CryptoRng,
) -> Result<HomeAgent, Refused> {
    let mut candidates = Vec::with_capacity(connected.len());
    for name in connected {
        candidates.extend(store.home_agent(name)?);
    }
    if candidates.is_empty() {
        return Err(Refused::NoHomeAgent);
    }
    candidates.retain(|home_agent| can_be_told(home_agent, profile));
    let current = store.current_home_agent(nai, now)?;
    let current = candidates.iter().position(|home_agent| Some(&home_agent.name) == current.as_ref());
    let index = current.unwrap_or_else(|| rng.random_range(0..candidates.len().max(1)));
    candidates.into_iter().nth(index).ok_or(Refused::NoHomeAgentOnPort)
}

/// Whether a mobile node of `profile` can be told of `home_agent`: the draft has no header for a port.
pub fn can_be_told(home_agent: &HomeAgent, profile: WireProfile) -> bool {
    match profile {
        WireProfile::Rfc6618 => true,
        WireProfile::Draft04 => home_agent.addresses.port() == DEFAULT_PORT,
    }
}

/// MN to HA, HA to MN: every key differs from every other, and its suite takes it: not every 24 octets are a 3DES key.
fn draw_keys(suite: CipherSuite, rng: &mut dyn CryptoRng) -> (DirectionKeys, DirectionKeys) {
    loop {
        let (mn_to_ha, ha_to_mn) = (draw_direction(suite, rng), draw_direction(suite, rng));
        let keys = [mn_to_ha.integrity(), mn_to_ha.encryption(), ha_to_mn.integrity(), ha_to_mn.encryption()];
        let same = |one: &[u8], other: &[u8]| !one.is_empty() && bool::from(one.ct_eq(other));
        let all_differ = keys.iter().enumerate().all(|(index, key)| !keys.iter().take(index).any(|other| same(other, key)));
        let fit = [&mn_to_ha, &ha_to_mn].iter().all(|keys| Transform::new(suite, keys).is_ok());
        if all_differ && fit {
            return (mn_to_ha, ha_to_mn);
        }
    }
}

fn draw_direction(suite: CipherSuite, rng: &mut dyn CryptoRng) -> DirectionKeys {
    let mut draw = |len: usize| {
        let mut octets = vec![0; len];
        rng.fill_bytes(&mut octets);
        Secret::new(octets)
    };
    let integrity = draw(suite.integrity_key_len());
    DirectionKeys::new(&integrity, &draw(suite.encryption_key_len()))
}

#[cfg(test)]
mod tests;
