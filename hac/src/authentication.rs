//! Which method a mobile node authenticates with, and who its EAP server is: by the realm of its `mn-id`, and by nothing else that is
//! not on the wire, so that the answer does not tell whether there is such a subscriber.

use std::collections::BTreeMap;

use protocol::eap::Type;
use protocol::eap::method::ServerMethod;
use protocol::mhauth::Method;

/// Makes the EAP methods of a local server, best first, anew for each run.
pub type LocalMethods = Box<dyn Fn() -> Vec<Box<dyn ServerMethod>> + Send + Sync>;

/// What holds for all realms.
pub struct Authentication {
    /// Of realms that have no section of their own.
    pub default: Realm,
    /// By name, in lower case.
    pub realms: BTreeMap<String, Realm>,
    /// The HAC's own EAP server.
    pub local: Option<LocalMethods>,
}

/// How nodes of one realm authenticate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Realm {
    /// In the HAC's order of preference.
    pub methods: Vec<Method>,
    /// Who the EAP server is.
    pub eap_server: EapServer,
    /// EAP methods that derive no key and are taken all the same: `auth` then proves nothing (RFC 6618 section 9.2).
    pub keyless: Vec<Type>,
}

/// Who a realm's EAP server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EapServer {
    /// This HAC.
    Local,
    /// The AAA servers.
    Radius,
}

impl EapServer {
    /// As in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Radius => "radius",
        }
    }
}

impl Default for Authentication {
    fn default() -> Self {
        let default = Realm { methods: vec![Method::Psk], eap_server: EapServer::Local, keyless: Vec::new() };
        Self { default, realms: BTreeMap::new(), local: None }
    }
}

impl Authentication {
    /// Every method that some realm has. One that is not among them is answered 501 before the name is looked at.
    pub fn available(&self) -> &'static [Method] {
        let has = |method| self.realms.values().chain([&self.default]).any(|realm| realm.methods.contains(&method));
        match (has(Method::Psk), has(Method::Eap)) {
            (true, true) => &Method::ALL,
            (false, true) => &[Method::Eap],
            (_, false) => &[Method::Psk],
        }
    }

    /// What holds for `mn_id`.
    pub fn realm_of(&self, mn_id: &str) -> &Realm {
        self.realms.get(&realm(mn_id).unwrap_or_default()).unwrap_or(&self.default)
    }
}

impl Realm {
    /// The first of the realm's methods that the mobile node offers.
    pub fn choose(&self, offered: &[Method]) -> Option<Method> {
        self.methods.iter().copied().find(|method| offered.contains(method))
    }
}

/// Whether a mobile node that called itself `mn_id` may be the subscriber `identity`, as its EAP method has authenticated it: of the same
/// realm, and under nobody's name or its own. Nobody is no subscriber.
pub fn may_be(mn_id: &str, identity: &str) -> bool {
    !is_nobody(identity) && realm(mn_id) == realm(identity) && (is_nobody(mn_id) || user(mn_id) == user(identity))
}

/// Whether a name is that of a realm alone: without a user, or with the user `anonymous` (RFC 7542 section 2.4), however it is written.
pub fn is_nobody(name: &str) -> bool {
    let user = user(name);
    user.is_empty() || user.eq_ignore_ascii_case("anonymous")
}

/// `name` where it is somebody's: failures are not counted under one that a whole realm shares.
pub fn named(name: &str) -> Option<&str> {
    (!is_nobody(name)).then_some(name)
}

fn user(name: &str) -> &str {
    name.split_once('@').map_or(name, |(user, _)| user)
}

/// The realm in lower case: it is compared without case (RFC 7542 section 2.4).
fn realm(name: &str) -> Option<String> {
    name.split_once('@').map(|(_, realm)| realm.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_may_be_whom_it_named_or_anybody_of_its_realm_if_it_named_nobody() {
        for (mn_id, identity) in [
            ("alice@example.org", "alice@example.org"),
            ("alice@EXAMPLE.org", "alice@example.ORG"),
            ("@example.org", "alice@example.org"),
            ("anonymous@example.org", "alice@example.org"),
            ("Anonymous@example.org", "alice@example.org"),
            ("anonymous", "alice"),
        ] {
            assert!(may_be(mn_id, identity), "{mn_id} {identity}");
        }
        for (mn_id, identity) in [
            ("alice@example.org", "bob@example.org"),
            ("Alice@example.org", "alice@example.org"),
            ("alice@example.org", "alice@example.net"),
            ("anonymous@example.org", "alice"),
            ("alice", "alice@example.org"),
            ("anonymous@example.org", "alice@example.org@example.net"),
            ("anonymous@example.org", "anonymous@example.org"),
            ("Anonymous@example.org", "Anonymous@example.org"),
            ("@example.org", "@example.org"),
            ("@example.org", "anonymous@example.org"),
            ("", ""),
        ] {
            assert!(!may_be(mn_id, identity), "{mn_id} {identity}");
        }
    }

    #[test]
    fn the_method_is_the_first_of_the_realms_that_the_node_offers() {
        let realm = |methods: &[Method]| Realm { methods: methods.to_vec(), ..Authentication::default().default };
        let mut authentication = Authentication::default();
        assert_eq!(authentication.available(), [Method::Psk]);
        authentication.realms.insert("example.org".to_owned(), realm(&[Method::Eap, Method::Psk]));
        assert_eq!(authentication.available(), Method::ALL);
        let choose = |mn_id, offered: &[Method]| authentication.realm_of(mn_id).choose(offered);
        assert_eq!(choose("a@Example.org", &Method::ALL), Some(Method::Eap));
        assert_eq!(choose("a@example.org", &[Method::Psk]), Some(Method::Psk));
        assert_eq!(choose("a@example.net", &[Method::Eap]), None);
        authentication.default = realm(&[Method::Eap]);
        authentication.realms.clear();
        assert_eq!(authentication.available(), [Method::Eap]);
    }
}
