//! The path check: whether a node is known to receive where its Binding Update came from. Decides, and changes nothing.
//!
//! The ICV does not cover the outer source. Where that is the care-of address, which the ICV covers, the node is believed
//! (RFC 6275 section 15.3). Behind a NAT packets could be drawn to an address that never asked for them: until the node has
//! given a token back, only what [`Unproved`] allows goes there, and its last proved path is used as well. A relay's path is
//! proved by TCP; a node that comes back from one to UDP has to show that it hears what comes over UDP, be there a NAT or not.

use protocol::addr::CareOfAddress;
use protocol::tunnel::{Path, Paths, Sighting};
use protocol::wire::mobility::PathToken;
use rand::CryptoRng;

use crate::binding_cache::{Binding, CareOfBinding, PathProof, has_nat};
use crate::unproved::{SeenAt, Unproved};

/// A Binding Update that is good, as the path check sees it.
#[derive(Debug)]
pub struct Arrival<'a> {
    /// Where an answer goes.
    pub path: Path,
    /// Whether that is a relay, whose connection shows that the node receives.
    pub is_relayed: bool,
    /// Where the node says that it is.
    pub care_of: CareOfAddress,
    /// The token that it gives back.
    pub token: Option<PathToken>,
    /// The token that a Binding Refresh Request took to where it comes from, if one did.
    pub asked_with: Option<PathToken>,
    /// What it takes the place of.
    pub before: Option<&'a CareOfBinding>,
    /// Whether a second Binding Update from a place proves it without a token: for a node that has never given one back and
    /// whose user data, not being authentic, cannot prove it either.
    pub update_proves: bool,
}

/// What a sighting means for a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sighted {
    /// Nothing: it is older than the latest Binding Update, or tells nothing new.
    Nothing,
    /// It proves the binding's path.
    Proof,
    /// The node is somewhere else: a NAT maps it anew.
    Elsewhere,
}

impl Arrival<'_> {
    /// Whether the node was at a relay last, or has not proved this very path since.
    fn is_in_doubt(&self) -> bool {
        self.before
            .is_some_and(|before| before.relayed.is_some() || !before.is_proved() && leads_alike(&before.path(), &self.path))
    }
}

/// Judges where a Binding Update came from; `rng` makes the token when a new one is needed.
pub fn judge(arrival: &Arrival<'_>, rng: &mut impl CryptoRng) -> PathProof {
    let is_direct = !has_nat(arrival.care_of, arrival.path.remote);
    if arrival.is_relayed || is_direct && !arrival.is_in_doubt() {
        return PathProof::Proved;
    }
    let fallback = arrival.before.and_then(CareOfBinding::proved_path);
    if fallback.as_ref().is_some_and(|proved| leads_alike(proved, &arrival.path)) {
        return PathProof::Proved;
    }
    let same = arrival.before.filter(|before| leads_alike(&before.path(), &arrival.path)).map(|before| &before.proof);
    let awaited = match same {
        Some(PathProof::Awaited { token, .. }) => Some(*token),
        Some(PathProof::Proved) | None => None,
    };
    if let Some(token) = awaited.or(arrival.asked_with) {
        let given_back = arrival.token == Some(token);
        let proved = given_back || awaited.is_some() && arrival.update_proves;
        return if proved { PathProof::Proved } else { PathProof::Awaited { token, fallback } };
    }
    let mut token = [0; 8];
    rng.fill_bytes(&mut token);
    PathProof::Awaited { token: PathToken(token), fallback }
}

/// Judges a sighting under the SA of `binding`. A node that has shown that it knows the token proves a path with nothing else.
pub fn judge_sighting(sighting: &Sighting, binding: &Binding, knows_token: bool) -> Sighted {
    if sighting.spi != binding.spi {
        return Sighted::Nothing;
    }
    match binding.care_ofs().find(|care_of| care_of.path().leads_to(sighting.socket, sighting.from)) {
        Some(there) if !there.is_proved() && !knows_token && sighting.sequence > there.number => Sighted::Proof,
        None if sighting.sequence > binding.latest.number => Sighted::Elsewhere,
        Some(_) | None => Sighted::Nothing,
    }
}

/// Where a binding's packets go: to each remote, the latest first, while that is not proved to the last proved path too, and to where
/// the node has been seen since. No more than [`Paths::MAX`].
pub fn paths(binding: &Binding, unproved: &Unproved, seen_at: Option<SeenAt>) -> Paths {
    let mut paths: Vec<Path> = Vec::new();
    let seen = seen_at.map(|seen| unproved.path(seen.place));
    for path in binding.care_ofs().flat_map(|care_of| paths_to(care_of, unproved)).chain(seen) {
        if !paths.iter().any(|other| leads_alike(other, &path)) {
            paths.push(path);
        }
    }
    paths.truncate(Paths::MAX);
    Paths::new(paths).unwrap_or_else(|| Paths::one(binding.latest.path()))
}

fn paths_to(care_of: &CareOfBinding, unproved: &Unproved) -> impl Iterator<Item = Path> {
    let (path, fallback) = match &care_of.proof {
        PathProof::Proved => (care_of.path(), None),
        PathProof::Awaited { fallback, .. } => (unproved.path((care_of.socket, care_of.remote)), fallback.clone()),
    };
    std::iter::once(path).chain(fallback)
}

fn leads_alike(one: &Path, other: &Path) -> bool {
    one.leads_to(other.socket, other.remote)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::{Duration, Instant};

    use protocol::addr::HomeAddresses;
    use protocol::prefixes::MobileNetworkPrefixes;
    use protocol::sa::Spi;
    use protocol::tunnel::{Allowance, SocketId};

    use super::*;
    use crate::unproved::UNPROVED;

    const CARE_OF: CareOfAddress = CareOfAddress(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 7)));

    fn path(last: u8) -> Path {
        Path::proved(SocketId(0), ([198, 51, 100, last], 5000).into())
    }

    fn care_of(path: Path, proof: PathProof) -> CareOfBinding {
        let Path { socket, remote, .. } = path;
        CareOfBinding { id: None, care_of: CARE_OF, socket, remote, relayed: None, number: 10, proof, expires: Instant::now() }
    }

    fn binding(path: Path, proof: PathProof) -> Binding {
        Binding {
            home: HomeAddresses::new(None, Some([10, 9, 0, 7].into())).unwrap(),
            spi: Spi::new(0x1000).unwrap(),
            latest: care_of(path, proof),
            others: Vec::new(),
            lifetime: Duration::ZERO,
            moves: 0,
            prefixes: MobileNetworkPrefixes::default(),
        }
    }

    fn arrives(at: Path, token: Option<PathToken>, before: Option<&CareOfBinding>) -> PathProof {
        let arrival =
            Arrival { path: at, is_relayed: false, care_of: CARE_OF, token, asked_with: None, before, update_proves: false };
        judge(&arrival, &mut rand::rng())
    }

    fn awaited(proof: &PathProof) -> (PathToken, Option<Path>) {
        match proof {
            PathProof::Awaited { token, fallback } => (*token, fallback.clone()),
            PathProof::Proved => panic!("it is proved"),
        }
    }

    #[test]
    fn without_a_nat_a_path_is_proved_at_once_also_in_a_mapped_source() {
        for source in ["192.168.1.7", "::ffff:192.168.1.7"] {
            let at = Path::proved(SocketId(0), SocketAddr::new(source.parse().unwrap(), 5000));
            assert_eq!(arrives(at, None, None), PathProof::Proved, "{source}");
        }
        assert!(has_nat(CARE_OF, "[64:ff9b::c0a8:107]:5000".parse().unwrap()), "another family is a NAT too");
    }

    #[test]
    fn the_right_token_proves_the_place_that_it_was_sent_to_and_no_other() {
        let first = arrives(path(1), None, None);
        let (token, fallback) = awaited(&first);
        assert_eq!(fallback, None);
        let before = care_of(path(1), first);
        assert_eq!(arrives(path(1), Some(token), Some(&before)), PathProof::Proved);
        assert_eq!(awaited(&arrives(path(1), None, Some(&before))).0, token, "a repetition keeps it");
        assert_eq!(awaited(&arrives(path(1), Some(PathToken([0; 8])), Some(&before))).0, token);
        assert_ne!(awaited(&arrives(path(2), Some(token), Some(&before))).0, token, "another place gets another");
    }

    #[test]
    fn the_last_proved_path_is_the_fallback_over_several_moves_and_needs_no_proof_again() {
        let before = care_of(path(1), PathProof::Proved);
        let second = care_of(path(2), arrives(path(2), None, Some(&before)));
        let third = binding(path(3), arrives(path(3), None, Some(&second)));
        assert_eq!(awaited(&third.latest.proof).1, Some(path(1)));
        let paths = paths(&third, &Unproved::default(), None);
        assert_eq!(paths.iter().map(|path| path.remote).collect::<Vec<_>>(), [path(3).remote, path(1).remote]);
        assert_eq!(arrives(path(1), None, Some(&third.latest)), PathProof::Proved);
        let allowances: Vec<_> = paths.iter().map(|path| path.allowance.clone()).collect();
        assert_eq!(allowances, [Allowance::octets(UNPROVED), Allowance::Unlimited]);
    }

    #[test]
    fn a_sighting_proves_only_later_from_there_and_for_a_node_that_has_not_shown_that_it_knows_the_token() {
        let unproved = binding(path(1), arrives(path(1), None, None));
        let proved = binding(path(1), PathProof::Proved);
        let from = |last, sequence| Sighting { spi: unproved.spi, sequence, socket: SocketId(0), from: path(last).remote };
        let rows = [
            (from(1, 11), &unproved, false, Sighted::Proof),
            (from(1, 11), &unproved, true, Sighted::Nothing),
            (from(1, 10), &unproved, false, Sighted::Nothing),
            (from(2, 11), &unproved, false, Sighted::Elsewhere),
            (from(2, 10), &unproved, false, Sighted::Nothing),
            (from(1, 11), &proved, false, Sighted::Nothing),
            (from(2, 11), &proved, true, Sighted::Elsewhere),
            (Sighting { spi: Spi::new(0x1001).unwrap(), ..from(2, 11) }, &proved, false, Sighted::Nothing),
        ];
        for (sighting, binding, knows_token, expected) in rows {
            assert_eq!(judge_sighting(&sighting, binding, knows_token), expected, "{sighting:?} {knows_token}");
        }
    }
}
