//! What a home agent can do beyond RFC 6618. Its HAC tells the mobile node in an extension header of the grant, so that a plain home
//! agent sees plain messages only.

use std::fmt;

/// A set of features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// Several care-of addresses at once (RFC 5648).
    pub mcoa: bool,
    /// Heartbeats (RFC 5847) are answered, in their own length.
    pub heartbeat: bool,
    /// What may have been lost in a break is sent again to a node that says how far it has heard.
    pub resend: bool,
    /// There is a home link that a mobile node may return to (RFC 6275 section 11.5.5).
    pub home_link: bool,
}

impl Features {
    /// Of a home agent of which nothing is known.
    pub const NONE: Self = Self { mcoa: false, heartbeat: false, resend: false, home_link: false };
    const WORDS: [(&'static str, Self); 4] = [
        ("mcoa", Self { mcoa: true, ..Self::NONE }),
        ("heartbeat", Self { heartbeat: true, ..Self::NONE }),
        ("resend", Self { resend: true, ..Self::NONE }),
        ("home-link", Self { home_link: true, ..Self::NONE }),
    ];

    /// The features that these words name; a word that names none is for somebody else.
    pub fn named<'a>(words: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let of = |word: &[u8]| Self::WORDS.iter().find(|(known, _)| word.eq_ignore_ascii_case(known.as_bytes()));
        words.into_iter().filter_map(of).fold(Self::NONE, |all, (_, one)| all.or(*one))
    }

    /// The words for what is in the set.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        Self::WORDS.into_iter().filter(move |(_, one)| self.and(*one) == *one).map(|(word, _)| word)
    }

    /// What both have.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.combine(other, |one, other| one && other)
    }

    fn or(self, other: Self) -> Self {
        self.combine(other, |one, other| one || other)
    }

    fn combine(self, other: Self, both: impl Fn(bool, bool) -> bool) -> Self {
        Self {
            mcoa: both(self.mcoa, other.mcoa),
            heartbeat: both(self.heartbeat, other.heartbeat),
            resend: both(self.resend, other.resend),
            home_link: both(self.home_link, other.home_link),
        }
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
        for bits in 0..16 {
            let [mcoa, heartbeat, resend, home_link] = [1, 2, 4, 8].map(|bit| bits & bit != 0);
            let features = Features { mcoa, heartbeat, resend, home_link };
            let text = features.to_string();
            assert_eq!(Features::named(text.as_bytes().split(|octet| *octet == b',')), features, "{text:?}");
        }
        let all = Features { mcoa: true, heartbeat: true, resend: true, home_link: true };
        assert_eq!(all.to_string(), "mcoa,heartbeat,resend,home-link");
        let foreign = [&b"warp"[..], b"", b"HeartBeat", b"mcoa2"];
        assert_eq!(Features::named(foreign), Features { heartbeat: true, ..Features::NONE });
    }

    #[test]
    fn two_have_in_common_what_each_has() {
        let (one, other) = (
            Features { mcoa: true, resend: true, heartbeat: true, home_link: true },
            Features { heartbeat: true, ..Features::NONE },
        );
        assert_eq!((one.and(other), one.and(Features::NONE)), (other, Features::NONE));
    }
}
