//! How the node's own packets go: under which SA, on which path, in which form. The tunnel is told when that changes.

use protocol::addr::HomeAddresses;
use protocol::sa::{SecurityAssociation, Spi, UserData};
use protocol::tunnel::{Command, Encapsulation, Paths};

/// What the tunnel was told last.
#[derive(Debug, Default)]
pub struct Uplink {
    told: Option<(HomeAddresses, Paths, Encapsulation, Spi)>,
}

impl Uplink {
    /// What to tell the tunnel so that packets go under `sa` on `paths`. `is_answered`: the home agent has acknowledged the
    /// last Binding Update.
    pub fn steer(&mut self, sa: &SecurityAssociation, paths: Paths, is_answered: bool) -> Option<Command> {
        let encapsulation = encapsulation(sa, is_answered);
        let wanted = Some((sa.home, paths.clone(), encapsulation, sa.spi));
        if self.told == wanted {
            return None;
        }
        self.told = wanted;
        Some(Command::Move { home: sa.home, paths, encapsulation, sending: sa.spi })
    }
}

/// A home agent takes PType 0 only from the source of the latest Binding Update, and PType 1 from everywhere: under
/// `mip6-sas` 0 user data is protected from a Binding Update until its acknowledgement, so that nothing is lost in a move.
/// An SA whose packets are not numbered carries no PType 1 at all.
fn encapsulation(sa: &SecurityAssociation, is_answered: bool) -> Encapsulation {
    match sa.user_data {
        UserData::Clear if is_answered || !sa.is_numbered() => Encapsulation::ClearUdp,
        UserData::Clear | UserData::Protected => Encapsulation::ProtectedUdp,
    }
}

#[cfg(test)]
mod tests {
    use protocol::profile::WireProfile;
    use protocol::tunnel::{Path, SocketId};

    use super::*;
    use crate::fixture::association;

    fn path(socket: u8) -> Paths {
        Paths::one(Path::proved(SocketId(socket), ([203, 0, 113, 1], 7872).into()))
    }

    #[test]
    fn the_tunnel_is_told_what_changes_and_nothing_twice() {
        let mut uplink = Uplink::default();
        assert!(uplink.steer(&association(1), path(0), false).is_some());
        assert!(uplink.steer(&association(1), path(0), true).is_none());
        assert!(uplink.steer(&association(1), path(1), true).is_some());
        assert!(uplink.steer(&association(2), path(1), true).is_some());
    }

    #[test]
    fn user_data_goes_in_the_clear_only_where_the_sa_says_so_and_the_home_agent_expects_it() {
        let forms = |user_data, profile| {
            let sa = SecurityAssociation { user_data, profile, ..association(1) };
            [false, true].map(|is_answered| encapsulation(&sa, is_answered))
        };
        use Encapsulation::{ClearUdp, ProtectedUdp};
        assert_eq!(forms(UserData::Protected, WireProfile::Rfc6618), [ProtectedUdp, ProtectedUdp]);
        assert_eq!(forms(UserData::Clear, WireProfile::Rfc6618), [ProtectedUdp, ClearUdp]);
        assert_eq!(forms(UserData::Clear, WireProfile::Draft04), [ClearUdp, ClearUdp], "a NULL suite's packets are not numbered");
    }
}
