//! The node's half of the path check: it gives the home agent's token back from where it got it, which proves that it
//! receives there.

use std::time::Duration;

use protocol::features::Features;
use protocol::tunnel::{Path, SocketId};
use protocol::wire::mobility::PathToken;

use crate::binding_update_list::{INITIAL_BINDACK_TIMEOUT, MAX_BINDACK_TIMEOUT};

/// An honest home agent is content with the first repetition; more in a row go by the intervals of retransmissions.
const MOST_AT_ONCE: u32 = 3;

/// The token of the path in use.
#[derive(Debug, Default)]
pub struct PathCheck {
    token: Option<(Path, PathToken)>,
    /// Acknowledgements with a token, in a row.
    in_a_row: u32,
}

/// When to repeat the Binding Update with the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Now.
    AtOnce,
    /// After this long.
    After(Duration),
}

impl PathCheck {
    /// A Binding Acknowledgement came in on `socket` while `path` is in use. A token of another path is not for this one.
    pub fn acknowledged(&mut self, socket: SocketId, path: Path, token: Option<PathToken>) -> Option<Repeat> {
        if socket != path.socket {
            return None;
        }
        let Some(token) = token else {
            self.forget();
            return None;
        };
        self.token = Some((path, token));
        self.in_a_row = self.in_a_row.saturating_add(1);
        Some(match self.in_a_row.checked_sub(MOST_AT_ONCE + 1) {
            None => Repeat::AtOnce,
            Some(further) => {
                Repeat::After((INITIAL_BINDACK_TIMEOUT * 2_u32.saturating_pow(further.min(8))).min(MAX_BINDACK_TIMEOUT))
            }
        })
    }

    /// A Binding Refresh Request came in on `socket` while `path` is in use, with the token of a place where the node was seen.
    pub fn requested(&mut self, socket: SocketId, path: Path, token: PathToken) {
        if socket == path.socket {
            self.token = Some((path, token));
        }
    }

    /// What a Binding Update on `path` carries to a home agent with these features. One that reads our other option hears from the
    /// first on that the node knows this check: else a copied packet of user data would prove a path in the node's name.
    pub fn said(&self, path: &Path, features: Features) -> Option<PathToken> {
        self.token(path).or_else(|| features.has(Features::RESEND).then_some(PathToken::NONE))
    }

    /// What is to be given back on `path`.
    pub fn token(&self, path: &Path) -> Option<PathToken> {
        self.token.as_ref().filter(|(came_on, _)| came_on == path).map(|(_, token)| *token)
    }

    /// The node has moved.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: PathToken = PathToken(*b"12345678");

    fn path(socket: u8) -> Path {
        Path::proved(SocketId(socket), ([203, 0, 113, 1], 7872).into())
    }

    #[test]
    fn a_token_is_given_back_on_its_own_path_until_an_acknowledgement_has_none() {
        let mut check = PathCheck::default();
        assert_eq!(check.acknowledged(SocketId(1), path(1), Some(TOKEN)), Some(Repeat::AtOnce));
        assert_eq!((check.token(&path(1)), check.token(&path(2))), (Some(TOKEN), None));
        assert_eq!(check.acknowledged(SocketId(1), path(1), None), None);
        assert_eq!(check.token(&path(1)), None);
    }

    #[test]
    fn a_home_agent_of_ours_hears_that_the_node_knows_the_check_and_a_plain_one_nothing() {
        let mut check = PathCheck::default();
        let said = |check: &PathCheck| [Features::RESEND, Features::NONE].map(|features| check.said(&path(1), features));
        assert_eq!(said(&check), [Some(PathToken::NONE), None]);
        check.requested(SocketId(1), path(1), TOKEN);
        assert_eq!(said(&check), [Some(TOKEN); 2]);
    }

    #[test]
    fn a_token_that_came_on_another_socket_is_not_taken_for_the_path_in_use() {
        let mut check = PathCheck::default();
        assert_eq!(check.acknowledged(SocketId(1), path(2), Some(TOKEN)), None);
        assert_eq!(check.token(&path(2)), None);
    }

    #[test]
    fn the_token_of_a_request_is_given_back_on_the_path_that_it_came_on() {
        let mut check = PathCheck::default();
        check.requested(SocketId(2), path(1), TOKEN);
        assert_eq!(check.token(&path(1)), None);
        check.requested(SocketId(1), path(1), TOKEN);
        assert_eq!(check.token(&path(1)), Some(TOKEN));
        assert_eq!(check.acknowledged(SocketId(1), path(1), None), None);
        assert_eq!(check.token(&path(1)), None, "it has proved what it was for");
    }

    #[test]
    fn a_home_agent_that_is_never_content_is_answered_ever_more_slowly() {
        let mut check = PathCheck::default();
        let repeats: Vec<_> = (0..10).filter_map(|_| check.acknowledged(SocketId(1), path(1), Some(TOKEN))).collect();
        assert_eq!(repeats[..3], [Repeat::AtOnce; 3]);
        assert_eq!(repeats[3..], [1, 2, 4, 8, 16, 32, 32].map(|seconds| Repeat::After(Duration::from_secs(seconds))));
        check.forget();
        assert_eq!(check.acknowledged(SocketId(1), path(1), Some(TOKEN)), Some(Repeat::AtOnce));
    }
}
