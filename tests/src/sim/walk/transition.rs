//! One step of a walk: what happens to the world, decoded from two octets.

use std::time::Duration;

use crate::link::Link;
use crate::sim::Access;

/// Octets of one transition: the first chooses, the second is the choice's argument.
pub(super) const OCTETS: usize = 2;

/// Something that happens.
#[derive(Clone, Copy, Debug)]
pub(super) enum Transition {
    /// Nothing else, for so long.
    Passes(Duration),
    /// An application sends so many packets, each its own, of so many octets of payload.
    Sends(Way, u8, usize),
    /// The mobile node has exactly these networks.
    Attaches(&'static [Access]),
    /// The Wi-Fi is behind a translator, or is not.
    Nat(bool),
    /// The translator, if any, forgets its mappings.
    NatForgets,
    /// Both links are like this.
    Links(Link),
    NodeRenews,
    NodeBoots,
    NodeDies,
    NodeLeaves,
    HomeAgentAsks,
    /// It is killed before if it runs.
    HomeAgentStarts,
    HomeAgentDies,
    /// It is killed before if it runs.
    HacStarts,
    HacDies,
    /// The AAA server answers, or is silent; nobody notices where it is not asked.
    AaaAnswers(bool),
    /// The operator enables or disables the subscriber.
    Subscriber(bool),
    Attacks(Attack),
    /// Everything runs, on this network, which loses nothing and takes so long: within a bound packets cross in both directions.
    SetRight(&'static [Access], Duration),
}

/// Whose application sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    Up,
    Down,
}

/// What somebody on the path does with what both ends have sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Attack {
    /// All of it again, as it was.
    Replays,
    /// So many of the last datagrams again, each from another address of his own.
    ReplaysElsewhere(u8),
    /// So many of the last datagrams back to who sent them.
    Reflects(u8),
    /// The last datagrams, each with this bit flipped.
    Flips(u8),
    /// The last Binding Update, from an address of his own: first, when it has only just been sent.
    CopiesBindingUpdate,
    /// The last datagram, from an address of his own.
    CopiesLast,
}

impl Transition {
    pub(super) fn decode([kind, argument]: [u8; OCTETS]) -> Self {
        let is_odd = argument % 2 == 1;
        match kind % 64 {
            0..=10 => Self::Passes(duration(argument)),
            11 => Self::AaaAnswers(is_odd),
            12..=21 => {
                let way = if is_odd { Way::Up } else { Way::Down };
                Self::Sends(way, (argument >> 1) % 64 + 1, if argument < 128 { 8 } else { 1_200 })
            }
            22..=27 => Self::Attaches(networks(argument)),
            28 | 29 => Self::Nat(is_odd),
            30 | 31 => Self::NatForgets,
            32..=35 => Self::Links(link(argument)),
            36 | 37 => Self::NodeRenews,
            38 => Self::NodeBoots,
            39 => Self::NodeDies,
            40 => Self::NodeLeaves,
            41 | 42 => Self::HomeAgentAsks,
            43..=45 => Self::HomeAgentStarts,
            46 => Self::HomeAgentDies,
            47 | 48 => Self::HacStarts,
            49 => Self::HacDies,
            50 | 51 => Self::Subscriber(is_odd),
            52 | 53 => Self::Attacks(Attack::Replays),
            54 => Self::Attacks(Attack::ReplaysElsewhere(argument)),
            55 => Self::Attacks(Attack::Reflects(argument)),
            56 => Self::Attacks(Attack::Flips(argument)),
            57 | 58 => Self::Attacks(Attack::CopiesBindingUpdate),
            59 => Self::Attacks(Attack::CopiesLast),
            _ => Self::SetRight(right_networks(argument), delay(argument >> 2)),
        }
    }
}

/// From 1 ms to about two and a half hours, each twice as long as the one eleven before.
fn duration(argument: u8) -> Duration {
    let (doublings, rest) = (argument / 11, argument % 11);
    Duration::from_millis(1 << doublings) * (11 + u32::from(rest)) / 11
}

fn networks(argument: u8) -> &'static [Access] {
    match argument % 8 {
        0 => &[],
        _ => right_networks(argument),
    }
}

fn right_networks(argument: u8) -> &'static [Access] {
    match argument % 4 {
        0 | 1 => &[Access::Wifi],
        2 => &[Access::Lte],
        _ => &[Access::Wifi, Access::Lte],
    }
}

fn delay(argument: u8) -> Duration {
    Duration::from_millis([20, 5, 100, 300][usize::from(argument % 4)])
}

fn link(argument: u8) -> Link {
    let jitter = Duration::from_millis([0, 5, 30, 200][usize::from(argument >> 2 & 3)]);
    let loss = [0.0, 0.1, 0.5, 1.0][usize::from(argument >> 4 & 3)];
    let duplication = [0.0, 0.3][usize::from(argument >> 6 & 1)];
    Link { delay: delay(argument), jitter, loss, duplication }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_from_a_millisecond_to_hours() {
        let durations: Vec<_> = (0..=255).map(duration).collect();
        assert!(durations.is_sorted());
        assert_eq!((durations[0], durations[11]), (Duration::from_millis(1), Duration::from_millis(2)));
        assert!((7_200..14_400).contains(&durations[255].as_secs()));
    }
}
