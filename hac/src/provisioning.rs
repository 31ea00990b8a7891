//! What an authenticated mobile node is given: suite, home agent, fresh keys, and the grant that says so on the wire.
//!
//! Called by `session` after authentication only. Keys are octets straight from the CSPRNG (RFC 6618 section 9.2), drawn anew
//! in every run and committed before anyone is told; none is ever given out twice.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use protocol::mhauth::Grant;
use protocol::sa::cipher::Transform;
use protocol::sa::{CipherSuite, DirectionKeys, Secret, UserData};
use rand::{CryptoRng, RngExt};

use crate::store::{HomeAgent, Order, Pools, Provisioned, Store, StoreError};

/// What the HAC grants: `[policy]` and `[home]` of its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Suites that are granted, in the HAC's order of preference.
    pub suites: Vec<CipherSuite>,
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
    /// The suites that it listed and this build has.
    pub suites: &'a [CipherSuite],
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
    /// 503 where something is exhausted, 401 where the subscriber is gone, else 500.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An association on disk, and where it must be delivered before the mobile node hears of it.
pub struct Committed {
    /// The association.
    pub provisioned: Provisioned,
    /// The chosen home agent's name.
    pub home_agent: String,
}

/// Chooses, draws keys and commits. `connected` are the names of the home agents whose feed is up.
pub fn provision(
    store: &mut dyn Store,
    policy: &Policy,
    request: &Request<'_>,
    connected: &[String],
    now: SystemTime,
    rng: &mut dyn CryptoRng,
) -> Result<Committed, Refused> {
    let suite = choose_suite(&policy.suites, request.suites).ok_or(Refused::NoCommonSuite)?;
    let home_agent = choose_home_agent(store, request.nai, connected, now, rng)?;
    let (mn_to_ha, ha_to_mn) = draw_keys(suite, rng);
    let order = Order {
        nai: request.nai,
        home_agent: &home_agent,
        suite,
        // The HAC decides: user data is protected, whatever the mobile node proposed (RFC 6618 section 5.6.4).
        user_data: UserData::Protected,
        mn_to_ha,
        ha_to_mn,
        pools: policy.pools,
        lifetime: policy.sa_lifetime,
    };
    let provisioned = store.provision(&order, now, rng)?;
    Ok(Committed { provisioned, home_agent: home_agent.name })
}

/// The grant that tells a mobile node of `provisioned`.
pub fn grant(provisioned: &Provisioned, policy: &Policy, now: SystemTime) -> Grant {
    Grant {
        sa: provisioned.sa.clone(),
        validity_end: provisioned.valid_until,
        date: Some(now),
        home_prefix6: policy.pools.ip6,
        home_prefix4: policy.pools.ip4,
        dns: policy.dns.clone(),
    }
}

/// The first suite of the policy that the mobile node listed.
fn choose_suite(policy: &[CipherSuite], offered: &[CipherSuite]) -> Option<CipherSuite> {
    policy.iter().copied().find(|suite| offered.contains(suite))
}

/// Where the subscriber's newest association is, so that a renewal finds its binding; else any, drawn evenly.
fn choose_home_agent(
    store: &mut dyn Store,
    nai: &str,
    connected: &[String],
    now: SystemTime,
    rng: &mut dyn CryptoRng,
) -> Result<HomeAgent, Refused> {
    let current = store.current_home_agent(nai, now)?.filter(|name| connected.contains(name));
    let drawn = || connected.get(rng.random_range(0..connected.len().max(1))).cloned();
    let name = current.or_else(drawn).ok_or(Refused::NoHomeAgent)?;
    store.home_agent(&name)?.ok_or(Refused::NoHomeAgent)
}

/// MN to HA, HA to MN: every key differs from every other, and its suite takes it: not every 24 octets are a 3DES key.
fn draw_keys(suite: CipherSuite, rng: &mut dyn CryptoRng) -> (DirectionKeys, DirectionKeys) {
    loop {
        let (mn_to_ha, ha_to_mn) = (draw_direction(suite, rng), draw_direction(suite, rng));
        let keys = [&mn_to_ha.integrity, &mn_to_ha.encryption, &ha_to_mn.integrity, &ha_to_mn.encryption];
        let all_differ = keys.iter().enumerate().all(|(index, key)| key.is_empty() || !keys.iter().take(index).any(|k| k == key));
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
    DirectionKeys { integrity: draw(suite.integrity_key_len()), encryption: draw(suite.encryption_key_len()) }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use rand::{Rng, TryCryptoRng, TryRng};

    use crate::store::sealing::KeyEncryptionKey;
    use crate::store::sqlite::SqliteStore;
    use protocol::addr::HomeAgentAddresses;
    use protocol::sa::spi::HaGroup;

    const NAI: &str = "alice@example.org";

    fn store() -> SqliteStore {
        let kek = KeyEncryptionKey::new(&[1; 32]).unwrap();
        let mut store = SqliteStore::in_memory(kek, &mut rand::rng()).unwrap();
        store.add_subscriber(NAI, &Secret::new(vec![1; 32]), now(), &mut rand::rng()).unwrap();
        for (name, group) in [("ha1", 0), ("ha2", 1)] {
            let addresses = HomeAgentAddresses::new(None, Some("192.0.2.1".parse().unwrap()), 7872).unwrap();
            store.add_home_agent(&HomeAgent { name: name.to_owned(), group: HaGroup::new(group).unwrap(), addresses }).unwrap();
        }
        store
    }

    fn now() -> SystemTime {
        std::time::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    fn policy(suites: &[CipherSuite]) -> Policy {
        let pools = Pools { ip6: Some("2001:db8:100::/64".parse().unwrap()), ip4: None };
        Policy { suites: suites.to_vec(), sa_lifetime: Duration::from_secs(600), pools, dns: Vec::new() }
    }

    fn provisioned(store: &mut SqliteStore, nai: &str, connected: &[&str]) -> Result<Committed, Refused> {
        let connected: Vec<String> = connected.iter().map(|name| (*name).to_owned()).collect();
        let request = Request { nai, suites: &CipherSuite::ALL };
        provision(store, &policy(&[CipherSuite::Aes128Gcm]), &request, &connected, now(), &mut rand::rng())
    }

    #[test]
    fn the_hacs_order_of_preference_decides_among_those_offered() {
        use CipherSuite::{Aes128CbcSha, Aes128Gcm, NullSha};
        assert_eq!(choose_suite(&[Aes128Gcm, Aes128CbcSha], &[NullSha, Aes128CbcSha, Aes128Gcm]), Some(Aes128Gcm));
        assert_eq!(choose_suite(&[Aes128Gcm, Aes128CbcSha], &[NullSha, Aes128CbcSha]), Some(Aes128CbcSha));
        assert_eq!(choose_suite(&[Aes128Gcm, Aes128CbcSha], &[NullSha]), None, "NULL only where the policy names it");
    }

    #[test]
    fn keys_have_the_suites_lengths_and_all_differ() {
        for suite in CipherSuite::ALL {
            let (mn_to_ha, ha_to_mn) = draw_keys(suite, &mut rand::rng());
            for keys in [&mn_to_ha, &ha_to_mn] {
                assert_eq!(keys.integrity.len(), suite.integrity_key_len());
                assert_eq!(keys.encryption.len(), suite.encryption_key_len());
            }
            assert!(mn_to_ha.integrity.is_empty() || mn_to_ha.integrity != ha_to_mn.integrity);
            assert!(mn_to_ha.encryption.is_empty() || mn_to_ha.encryption != ha_to_mn.encryption);
        }
    }

    /// Gives four keys of one octet each, all different, and after that random ones.
    struct FourDull(u8);

    impl TryRng for FourDull {
        type Error = Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            Ok(rand::rng().next_u32())
        }

        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            Ok(rand::rng().next_u64())
        }

        fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), Infallible> {
            self.0 = self.0.saturating_add(1);
            if self.0 <= 4 {
                octets.fill(self.0)
            } else {
                rand::rng().fill_bytes(octets)
            }
            Ok(())
        }
    }

    impl TryCryptoRng for FourDull {}

    #[test]
    fn keys_that_their_suite_refuses_are_drawn_again() {
        let dull = |(mn_to_ha, _): &(DirectionKeys, DirectionKeys)| mn_to_ha.integrity.expose().iter().all(|octet| *octet == 1);
        assert!(dull(&draw_keys(CipherSuite::Aes128CbcSha, &mut FourDull(0))));
        let redrawn = draw_keys(CipherSuite::TripleDesEdeCbcSha, &mut FourDull(0));
        assert!(!dull(&redrawn) && Transform::new(CipherSuite::TripleDesEdeCbcSha, &redrawn.1).is_ok());
    }

    #[test]
    fn a_renewal_stays_at_its_home_agent_while_that_is_connected() {
        let mut store = store();
        assert_eq!(provisioned(&mut store, NAI, &["ha2"]).unwrap().home_agent, "ha2");
        for _ in 0..20 {
            assert_eq!(provisioned(&mut store, NAI, &["ha1", "ha2"]).unwrap().home_agent, "ha2");
        }
        let moved = provisioned(&mut store, NAI, &["ha1"]).unwrap();
        assert_eq!((moved.home_agent.as_str(), moved.provisioned.sa.spi.group().get()), ("ha1", 0));
    }

    #[test]
    fn newcomers_spread_over_the_connected_home_agents() {
        let mut store = store();
        let mut chosen = std::collections::BTreeSet::new();
        for number in 0..64 {
            let nai = format!("mn{number}@example.org");
            store.add_subscriber(&nai, &Secret::new(vec![1; 32]), now(), &mut rand::rng()).unwrap();
            chosen.insert(provisioned(&mut store, &nai, &["ha1", "ha2"]).unwrap().home_agent);
        }
        assert_eq!(chosen.len(), 2, "one of them chosen 64 times in a row happens once in 2^63");
    }

    #[test]
    fn nothing_is_committed_without_a_connected_home_agent() {
        let mut store = store();
        assert!(matches!(provisioned(&mut store, NAI, &[]), Err(Refused::NoHomeAgent)));
        assert!(matches!(provisioned(&mut store, NAI, &["stranger"]), Err(Refused::NoHomeAgent)));
        assert_eq!(store.counts(now()).unwrap().live_sas, 0);
    }
}
