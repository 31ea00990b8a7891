//! A subscriber's own policy: what cannot work, what works perhaps otherwise than meant, and how it is shown.

use std::time::SystemTime;

use protocol::mhauth::DEFAULT_PORT;
use protocol::profile::WireProfile;
use protocol::sa::{CipherSuite, UserData};

use crate::cli::{CliError, names};
use crate::provisioning::{Policy, Request, can_be_told};
use crate::store::{Framed, KeyId, Store, SubscriberPolicy};

/// That a mobile node which offers everything would be given something.
pub(super) fn check(policy: &Policy, own: &SubscriberPolicy) -> Result<(), CliError> {
    let (suites, user_data) = (&CipherSuite::ALL, UserData::Clear);
    let everything =
        Request { nai: "", key: KeyId::default(), own, suites, user_data, limit: None, access: None, framed: Framed::default() };
    let useless = || {
        CliError::Argument(
            "in profile draft-04 a suite that does not encrypt is granted only with user data in the clear and without replay \
             protection, where the subscriber's own policy says so: add --suite AES_128_GCM, or both --suite NULL_SHA and \
             --user-data clear"
                .to_owned(),
        )
    };
    policy.decide(&everything).map(drop).ok_or_else(useless)
}

/// What works, but perhaps not as it was meant.
pub(super) fn warn(store: &mut dyn Store, profile: WireProfile, own: &SubscriberPolicy) -> Result<(), CliError> {
    let home_agents = store.home_agents(SystemTime::now())?;
    if !home_agents.is_empty() && !home_agents.iter().any(|(home_agent, _)| can_be_told(home_agent, profile)) {
        println!("warning       no home agent can serve him: in profile {profile} its UDP port must be {DEFAULT_PORT}");
    }
    if profile == WireProfile::Draft04 && own.suites.iter().flatten().any(|suite| !suite.encrypts()) {
        println!("warning       in profile {profile} a suite that does not encrypt has no replay protection either");
    }
    Ok(())
}

/// What is not the HAC's default, in the words of the options that set it; nothing where all is.
pub(in crate::cli) fn own_policy(policy: &SubscriberPolicy) -> Option<String> {
    let mut words = Vec::new();
    words.extend(policy.profile.map(|profile| format!("profile {profile}")));
    words.extend(policy.suites.as_ref().map(|suites| format!("suites {}", names(suites).join(" "))));
    words.extend(policy.user_data.map(|user_data| format!("user data {user_data}")));
    (!words.is_empty()).then(|| words.join(", "))
}

/// The HAC's policy with the subscriber's own before it: every part is there.
pub(super) fn in_effect(policy: &Policy, own: &SubscriberPolicy) -> SubscriberPolicy {
    SubscriberPolicy {
        profile: Some(policy.profile_of(own)),
        suites: Some(own.suites.clone().unwrap_or_else(|| policy.suites.clone())),
        user_data: Some(own.user_data.unwrap_or(policy.user_data)),
    }
}
