//! What a home agent can do beyond RFC 6618. Its HAC tells the mobile node in an extension header of the grant, so that a plain home
//! agent sees plain messages only.

use std::fmt;

/// A set of features: an octet, since every association at rest has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features(u8);

impl Features {
    /// Of a home agent of which nothing is known.
    pub const NONE: Self = Self(0);
    /// Several care-of addresses at once (RFC 5648).
    pub const MCOA: Self = Self(1);
    /// Heartbeats (RFC 5847) are answered, in their own length.
    pub const HEARTBEAT: Self = Self(2);
    /// What may have been lost in a break is sent again to a node that says how far it has heard.
    pub const RESEND: Self = Self(4);
    /// There is a home link that a mobile node may return to (RFC 6275 section 11.5.5).
    pub const HOME_LINK: Self = Self(8);

    const WORDS: [(&'static str, Self); 4] =
        [("mcoa", Self::MCOA), ("heartbeat", Self::HEARTBEAT), ("resend", Self::RESEND), ("home-link", Self::HOME_LINK)];

    /// The features that these words name; a word that names none is for somebody else.
    pub fn named<'a>(words: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let of = |word: &[u8]| Self::WORDS.iter().find(|(known, _)| word.eq_ignore_ascii_case(known.as_bytes()));
        words.into_iter().filter_map(of).fold(Self::NONE, |all, (_, one)| all.or(*one))
    }

    /// The words for what is in the set.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        Self::WORDS.into_iter().filter(move |(_, one)| self.has(*one)).map(|(word, _)| word)
    }

    /// Whether all of `others` are in the set.
    pub const fn has(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// What both have.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What one of both has.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Features {
    /// The words with commas between them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.words().enumerate().try_for_each(|(index, word)| write!(f, "{}{word}", if index == 0 { "" } else { "," }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_set_comes_back_from_its_words_and_others_are_nobodys() {
        for features in (0..16).map(Features) {
            let text = features.to_string();
            assert_eq!(Features::named(text.as_bytes().split(|octet| *octet == b',')), features, "{text:?}");
        }
        assert_eq!(Features(15).to_string(), "mcoa,heartbeat,resend,home-link");
        let foreign = [&b"warp"[..], b"", b"HeartBeat", b"mcoa2"];
        assert_eq!(Features::named(foreign), Features::HEARTBEAT);
    }

    #[test]
    fn two_have_in_common_what_each_has() {
        let all = Features(15);
        assert_eq!((all.and(Features::HEARTBEAT), all.and(Features::NONE)), (Features::HEARTBEAT, Features::NONE));
        let two = Features::MCOA.or(Features::RESEND);
        assert!(two.has(Features::MCOA) && two.has(two) && !two.has(Features::HEARTBEAT) && !two.has(all));
    }
}
