//! Network Access Identifiers: the value of `mn-id` (RFC 6618 section 5.5.1).

use std::fmt;
use std::str::FromStr;

/// A Network Access Identifier in the grammar of RFC 7542 section 2.2: `user`, `user@realm` or `@realm`, the realm of two
/// labels or more. RFC 4282's backslash escapes are not taken. Not to be logged above DEBUG.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nai(String);

impl Nai {
    /// The longest in octets: what a RADIUS User-Name can carry (RFC 7542 section 2.3).
    pub const MAX_LEN: usize = 253;

    /// The identifier as given: no case is folded, nothing is normalised.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Nai {
    type Err = NaiError;

    fn from_str(text: &str) -> Result<Self, NaiError> {
        if text.len() > Self::MAX_LEN {
            return Err(NaiError::TooLong(text.len()));
        }
        let (user, realm) = match text.split_once('@') {
            Some((user, realm)) => (user, Some(realm)),
            None => (text, None),
        };
        let user_may_be_empty = realm.is_some();
        if !(is_username(user) || user.is_empty() && user_may_be_empty) {
            return Err(NaiError::User);
        }
        if !realm.is_none_or(is_realm) {
            return Err(NaiError::Realm);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Nai {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `dot-string = string *("." string)`.
fn is_username(user: &str) -> bool {
    user.split('.').all(|part| !part.is_empty() && part.chars().all(is_user_char))
}

fn is_user_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || is_beyond_ascii(c)
}

/// `utf8-realm = 1*( label "." ) label`.
fn is_realm(realm: &str) -> bool {
    realm.contains('.') && realm.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '-' || is_beyond_ascii(c);
    !label.is_empty() && !label.starts_with('-') && !label.ends_with('-') && label.chars().all(inner)
}

fn is_beyond_ascii(c: char) -> bool {
    !c.is_ascii() && !c.is_control()
}

/// Why a text is no NAI. Does not repeat the text, which is not to be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NaiError {
    /// Longer than [`Nai::MAX_LEN`].
    #[error("a network access identifier has at most 253 octets, this one has {0}")]
    TooLong(usize),
    /// The part before the `@`.
    #[error("the part before the @ is empty or holds a character that RFC 7542 does not allow (no spaces, no \"..\")")]
    User,
    /// The part behind the `@`.
    #[error("the realm must be at least two labels of letters, digits and hyphens, as in example.org")]
    Realm,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_rfc_7542_are_taken() {
        for text in [
            "alice",
            "alice@example.org",
            "@example.org",
            "a.b+c@x-1.example.org",
            "fred=?#$&*+-/^smith@ex.com",
            "eng.é@exämple.org",
        ] {
            assert_eq!(text.parse::<Nai>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_is_no_nai_is_refused_with_its_part() {
        let long = "a".repeat(254);
        let rows = [
            ("", NaiError::User),
            ("@", NaiError::Realm),
            ("alice@", NaiError::Realm),
            ("alice@localhost", NaiError::Realm),
            ("alice@@example.org", NaiError::Realm),
            ("alice@example.org@example.org", NaiError::Realm),
            ("alice@.example.org", NaiError::Realm),
            ("alice@example..org", NaiError::Realm),
            ("alice@-a.org", NaiError::Realm),
            ("alice@a-.org", NaiError::Realm),
            ("al ice@example.org", NaiError::User),
            ("al..ice@example.org", NaiError::User),
            (".alice@example.org", NaiError::User),
            ("alice\r\nauth:00@example.org", NaiError::User),
            ("alice,bob@example.org", NaiError::User),
            (&long, NaiError::TooLong(254)),
        ];
        for (text, expected) in rows {
            assert_eq!(text.parse::<Nai>(), Err(expected), "{text:?}");
        }
    }
}
