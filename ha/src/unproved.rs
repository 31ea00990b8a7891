//! What may go to places where a node has not proved to be: one budget for all such places of one node.
//!
//! A place is an outer source that the ICV does not cover. Each gets what is left of [`UNPROVED`] octets of user data, the outer
//! headers counted; answers apart, one for each message. What went to a place that proves itself afterwards is given
//! back, for the node got it; but only where nothing went to any other place meanwhile, for nobody knows who got how much. The rest comes
//! back only after [`PAUSE`] without a new place. So whoever sends copies on from however many addresses
//! draws no more than [`UNPROVED`] octets to all of them together, and once more for each such pause.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use protocol::tunnel::{Allowance, Path, Sighting, SocketId};
use protocol::wire::mobility::PathToken;
use rand::CryptoRng;

/// How many octets go to places that are not proved: enough for the round trip that a proof takes, too few for a flood. With the
/// answers to the messages that came from there it is no more than 64 KiB.
pub const UNPROVED: u64 = (64 << 10) - (4 << 10);
/// After so long without a new place the budget is whole again.
pub const PAUSE: Duration = Duration::from_secs(600);

/// The budget of one node; it goes from security association to security association.
#[derive(Debug)]
pub struct Unproved {
    allowance: Allowance,
    /// What was left when the newest place came.
    left_before: u64,
    came: Option<Instant>,
    newest: Option<Place>,
    /// Whether the newest is the only one since it came.
    is_alone: bool,
}

/// A local socket, and an address that sends to it.
pub type Place = (SocketId, SocketAddr);

impl Default for Unproved {
    fn default() -> Self {
        Self { allowance: Allowance::octets(UNPROVED), left_before: UNPROVED, came: None, newest: None, is_alone: true }
    }
}

impl Unproved {
    /// Packets are to go to this place, which is not proved: a new one gets what is left. `is_alone` says whether no others go to another
    /// place that is not proved either.
    pub fn begin(&mut self, place: Place, is_alone: bool, now: Instant) {
        if self.newest == Some(place) {
            return;
        }
        if self.came.is_none_or(|came| now.saturating_duration_since(came) >= PAUSE) {
            self.allowance = Allowance::octets(UNPROVED);
        }
        self.left_before = self.allowance.left().unwrap_or(0);
        (self.came, self.newest, self.is_alone) = (Some(now), Some(place), is_alone);
    }

    /// This place is proved: what went there, if it was the newest, went to the node. Another place cannot have come beside it since.
    pub fn proved(&mut self, place: Place) {
        if self.newest.take_if(|newest| *newest == place).is_some() && self.is_alone {
            self.allowance = Allowance::octets(self.left_before);
        }
    }

    /// What is left to new packets when old ones are sent again to the newest place: half of what there was when it came, however often
    /// it asks.
    pub fn spared(&self) -> u64 {
        self.left_before / 2
    }

    /// The way to such a place. All count down the same octets.
    pub fn path(&self, (socket, remote): Place) -> Path {
        Path { allowance: self.allowance.clone(), ..Path::proved(socket, remote) }
    }
}

/// Where a node's user data was seen to come from though it is not bound there: perhaps a NAT maps it anew. It is asked for a
/// Binding Update there, and meanwhile its packets go there too, as far as the budget lets them; the binding stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenAt {
    /// Where.
    pub place: Place,
    /// What the Binding Update from there is to give back.
    pub token: PathToken,
}

impl SeenAt {
    /// Of a sighting; the place that was seen before keeps its token.
    pub fn of(sighting: &Sighting, before: Option<Self>, rng: &mut impl CryptoRng) -> Self {
        let place = (sighting.socket, sighting.from);
        before.filter(|before| before.place == place).unwrap_or_else(|| {
            let mut token = [0; 8];
            rng.fill_bytes(&mut token);
            Self { place, token: PathToken(token) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(last: u8) -> Place {
        (SocketId(0), ([198, 51, 100, last], 1).into())
    }

    fn left(unproved: &Unproved) -> u64 {
        unproved.path(place(1)).allowance.left().unwrap()
    }

    /// The halves send there.
    fn spend(unproved: &mut Unproved, octets: u64) {
        unproved.allowance = Allowance::octets(left(unproved) - octets);
    }

    #[test]
    fn places_share_one_budget_until_none_was_new_for_ten_minutes() {
        let (start, mut unproved) = (Instant::now(), Unproved::default());
        let at = |seconds| start + Duration::from_secs(seconds);
        for (last, seconds) in [(1, 0), (2, 1), (3, 599), (4, 1_100)] {
            unproved.begin(place(last), true, at(seconds));
            spend(&mut unproved, 10_000);
        }
        assert_eq!(left(&unproved), UNPROVED - 40_000);
        unproved.begin(place(4), true, at(5_000));
        assert_eq!(left(&unproved), UNPROVED - 40_000, "the same place gets no more by coming again");
        unproved.begin(place(5), true, at(1_699));
        assert_eq!(left(&unproved), UNPROVED - 40_000);
        unproved.begin(place(6), true, at(2_299));
        assert_eq!(left(&unproved), UNPROVED);
    }

    #[test]
    fn what_went_to_a_place_that_is_proved_is_given_back_and_no_more() {
        let (now, mut unproved) = (Instant::now(), Unproved::default());
        unproved.begin(place(1), true, now);
        spend(&mut unproved, 10_000);
        unproved.begin(place(2), true, now);
        spend(&mut unproved, 20_000);
        assert_eq!(unproved.spared(), (UNPROVED - 10_000) / 2);
        unproved.proved(place(1));
        assert_eq!(left(&unproved), UNPROVED - 30_000, "only the newest place is known by what it got");
        unproved.proved(place(2));
        assert_eq!(left(&unproved), UNPROVED - 10_000, "the first place is still nobody's");
    }

    #[test]
    fn nothing_is_given_back_where_another_place_has_drawn_on_it_as_well() {
        let (now, mut unproved) = (Instant::now(), Unproved::default());
        unproved.begin(place(1), true, now);
        unproved.begin(place(2), false, now);
        spend(&mut unproved, 20_000);
        unproved.proved(place(2));
        assert_eq!(left(&unproved), UNPROVED - 20_000, "who knows what of it went to the first");
    }

    #[test]
    fn a_place_that_is_seen_again_keeps_its_token_and_another_has_another() {
        let spi = protocol::sa::Spi::new(0x1000).unwrap();
        let sighting = |last| Sighting { spi, sequence: 1, socket: SocketId(0), from: place(last).1 };
        let first = SeenAt::of(&sighting(1), None, &mut rand::rng());
        assert_eq!(SeenAt::of(&sighting(1), Some(first), &mut rand::rng()), first);
        assert_ne!(SeenAt::of(&sighting(2), Some(first), &mut rand::rng()).token, first.token);
    }
}
