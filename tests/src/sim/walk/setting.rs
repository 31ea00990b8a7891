//! What holds for a whole walk: suite, profile, form of user data, lifetime of SAs, how the node authenticates, seed.

use std::time::Duration;

use hac::authentication::EapServer;
use protocol::profile::WireProfile;
use protocol::sa::{CipherSuite, UserData};

use crate::sim::Options;

/// Octets that say so, before those of the transitions.
pub(super) const OCTETS: usize = 2;

/// How long SAs are granted for: a walk of some hours sees them renewed and, while the HAC is away, run out.
const SA_LIFETIMES: [u64; 4] = [86_400, 86_400, 3_600, 600];
/// Without EAP as often as with it.
const EAP_SERVERS: [Option<EapServer>; 4] = [None, None, Some(EapServer::Local), Some(EapServer::Radius)];

/// Often enough that sessions are told of while they go on.
const USAGE_INTERVAL: Duration = Duration::from_secs(60);

/// One walk's world.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    pub(super) suite: CipherSuite,
    pub(super) profile: WireProfile,
    pub(super) user_data: UserData,
    pub(super) sa_lifetime: Duration,
    pub(super) eap_server: Option<EapServer>,
    seed: u64,
}

impl Setting {
    /// Every value stands for a legal combination.
    pub(super) fn decode([combination, rest]: [u8; OCTETS]) -> Self {
        let legal = legal();
        let (suite, profile, user_data) = legal[usize::from(combination) % legal.len()];
        let sa_lifetime = Duration::from_secs(SA_LIFETIMES[usize::from(rest) % SA_LIFETIMES.len()]);
        let eap_server = EAP_SERVERS[usize::from(rest >> 2) % EAP_SERVERS.len()];
        Self { suite, profile, user_data, sa_lifetime, eap_server, seed: rest.into() }
    }

    pub(super) fn options(&self) -> Options {
        let &Self { profile, user_data, sa_lifetime, eap_server, seed, .. } = self;
        let usage_interval = Some(USAGE_INTERVAL);
        Options { profile, user_data, usage_interval, sa_lifetime, eap_server, seed, ..Options::new(self.suite) }
    }

    /// Whether packets have numbers; where not, nothing but the Binding Update's own protects from replay.
    pub(super) fn is_numbered(&self) -> bool {
        self.profile == WireProfile::Rfc6618 || self.suite.encrypts()
    }
}

/// Whatever a HAC grants: under `draft-04` a NULL suite carries user data in the clear or none at all.
fn legal() -> Vec<(CipherSuite, WireProfile, UserData)> {
    let mut legal = Vec::new();
    for suite in CipherSuite::ALL {
        for profile in [WireProfile::Rfc6618, WireProfile::Draft04] {
            for user_data in [UserData::Protected, UserData::Clear] {
                if suite.encrypts() || profile == WireProfile::Rfc6618 || user_data == UserData::Clear {
                    legal.push((suite, profile, user_data));
                }
            }
        }
    }
    legal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_suite_and_profile_comes_with_every_form_of_user_data_that_it_can_carry() {
        assert_eq!(legal().len(), 26);
        let all: Vec<_> = (0..26).map(|octet| Setting::decode([octet, 0])).collect();
        assert_eq!(all.iter().filter(|setting| !setting.is_numbered()).count(), 2);
        assert_eq!(all.iter().filter(|setting| setting.user_data == UserData::Protected).count(), 12);
    }

    #[test]
    fn each_lifetime_comes_with_every_way_to_authenticate() {
        let all: Vec<_> = (0..16).map(|octet| Setting::decode([0, octet])).collect();
        for lifetime in SA_LIFETIMES {
            for server in EAP_SERVERS {
                let is_it = |setting: &&Setting| setting.sa_lifetime.as_secs() == lifetime && setting.eap_server == server;
                assert!(all.iter().any(|setting| is_it(&setting)), "{lifetime} s, {server:?}");
            }
        }
    }
}
