//! Subscribers as the rest of the HAC sees them.

use std::net::IpAddr;
use std::time::SystemTime;

use aws_lc_rs::aead::NONCE_LEN;
use protocol::prefixes::MobileNetworkPrefixes;
use protocol::profile::WireProfile;
use protocol::sa::{CipherSuite, Secret, UserData};

/// A subscriber without his key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// Network Access Identifier, the realm in lower case.
    pub nai: String,
    /// A disabled one is answered like an unknown one.
    pub enabled: bool,
    /// When it was added.
    pub created: SystemTime,
    /// Home addresses that it has been given, as text.
    pub home: Vec<IpAddr>,
    /// Associations that have neither ended nor run out.
    pub live_sas: u32,
    /// His own policy.
    pub policy: SubscriberPolicy,
    /// The networks behind his node (RFC 3963).
    pub prefixes: MobileNetworkPrefixes,
}

/// A subscriber to be added.
pub struct NewSubscriber<'a> {
    /// Network Access Identifier; the realm's case does not matter.
    pub nai: &'a str,
    /// The octets of his pre-shared key.
    pub psk: &'a Secret,
    /// His own policy.
    pub policy: SubscriberPolicy,
}

/// What an enabled subscriber authenticates with, and what holds for him then.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The octets of his pre-shared key.
    pub psk: Secret,
    /// Which key that is.
    pub key: KeyId,
    /// His own policy.
    pub policy: SubscriberPolicy,
}

/// One of the pre-shared keys that a name has had: every key that is set has another. The default is nobody's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyId(pub(super) Option<[u8; NONCE_LEN]>);

/// Where a subscriber is treated otherwise than the rest; `None` is the HAC's `[policy]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubscriberPolicy {
    /// The wire profile of his exchanges and associations.
    pub profile: Option<WireProfile>,
    /// The suites that he is granted, in order of preference; not empty.
    pub suites: Option<Vec<CipherSuite>>,
    /// Whether his user data may go in the clear.
    pub user_data: Option<UserData>,
}

/// The realm of an NAI is compared without case (RFC 7542 section 2.4): its canonical form has it in lower case.
pub fn canonical_nai(nai: &str) -> String {
    match nai.rsplit_once('@') {
        Some((user, realm)) => format!("{user}@{}", realm.to_ascii_lowercase()),
        None => nai.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_realm_is_compared_without_case_and_the_user_part_with_it() {
        assert_eq!(canonical_nai("Alice@Example.ORG"), "Alice@example.org");
        assert_eq!(canonical_nai("Alice"), "Alice");
    }
}
