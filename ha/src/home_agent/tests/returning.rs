//! Nodes that say that they are home (RFC 6275 sections 10.3.2 and 11.5.5).

use protocol::wire::mobility::PathToken;

use super::*;

const LINK6: &str = "2001:db8:100::/64";
const LINK4: &str = "10.9.0.0/24";

/// What a node sends from at home, and somebody outside who may say that he is there.
fn at_home() -> SocketAddr {
    "[2001:db8:100::abcd]:40000".parse().unwrap()
}

fn outside() -> SocketAddr {
    "[2001:db8:1::2]:40000".parse().unwrap()
}

impl Story {
    /// Bound on a visited link, by a home agent with a home link.
    fn away_from_home_link() -> Self {
        let mut story = Self::new();
        let link: Vec<_> = [LINK6, LINK4].map(|prefix| prefix.parse().unwrap()).to_vec();
        assert_eq!(story.receives(update(5)).answers(), [(0, 5, 150)]);
        story.ha.set_home_link(link.clone());
        story.ha.set_on_link(link);
        story
    }

    fn comes_home(&mut self, sequence: u16, token: Option<PathToken>, from: SocketAddr) -> Said {
        self.receives_from(BindingUpdate { path_check: token, ..home_coming(sequence, &self.sa) }, from)
    }
}

fn home_coming(sequence: u16, sa: &SecurityAssociation) -> BindingUpdate {
    BindingUpdate { care_of: sa.home.ip6().map(CareOf::Ip6), ..goodbye(sequence) }
}

fn token(said: &Said) -> Option<PathToken> {
    said.acknowledgements.iter().find_map(|ba| ba.path_check)
}

#[test]
fn a_node_is_home_when_it_gives_back_what_went_to_its_address_on_the_link() {
    let mut story = Story::away_from_home_link();
    let said = story.comes_home(6, None, at_home());
    assert_eq!(said.answers(), [(128, 6, 0)]);
    let given = token(&said);
    assert!(given.is_some() && said.paths().iter().any(|path| path.remote == at_home()), "{said:?}");
    let said = story.comes_home(7, given, at_home());
    assert_eq!((said.answers(), token(&said)), (vec![(0, 7, 0)], None));
    assert!(matches!(said.others[..], [Command::Remove(home)] if home == story.sa.home), "{said:?}");
    assert_eq!(story.ha.bindings().count(), 0);
}

#[test]
fn who_forges_a_source_on_the_link_and_never_sees_the_token_ends_nothing() {
    let mut story = Story::away_from_home_link();
    for (sequence, guess) in [(6, None), (7, Some(PathToken([0; 8]))), (8, None)] {
        assert_eq!(story.comes_home(sequence, guess, at_home()).answers(), [(128, sequence, 0)]);
    }
    let given = token(&story.comes_home(9, None, at_home()));
    let elsewhere = "[2001:db8:100::abce]:40000".parse().unwrap();
    assert_eq!(story.comes_home(10, given, elsewhere).answers(), [(128, 10, 0)], "it is of another place");
    assert_eq!(story.ha.bindings().count(), 1);
    assert_eq!(story.receives(update(11)).answers(), [(0, 11, 150)], "and the node is served where it is");
}

#[test]
fn from_off_the_link_nobody_is_home_whatever_he_says() {
    let mut story = Story::away_from_home_link();
    for (sequence, from) in [(6, outside()), (7, (CARE_OF, 5000).into()), (8, "[::ffff:10.9.0.7]:40000".parse().unwrap())] {
        let said = story.comes_home(sequence, None, from);
        assert_eq!((said.answers(), token(&said)), (vec![(129, sequence, 0)], None), "{from}");
    }
    let own: SocketAddr = (story.sa.home.ip6().unwrap(), 40_000).into();
    assert_eq!(story.comes_home(9, None, own).answers(), [(129, 9, 0)], "its home address leads into the tunnel");
    assert_eq!(story.ha.bindings().count(), 1);
}

#[test]
fn a_node_without_a_binding_hears_133_on_the_link_alone() {
    let mut story = Story::away_from_home_link();
    story.receives(goodbye(6));
    assert_eq!(story.comes_home(7, None, at_home()).answers(), [(133, 7, 0)]);
    assert_eq!(story.comes_home(8, None, outside()).answers(), [(129, 8, 0)]);
}

#[test]
fn a_node_with_an_address_that_is_not_on_the_link_stays_in_its_tunnel() {
    let mut story = Story::away_from_home_link();
    story.ha.set_home_link(vec![LINK6.parse().unwrap()]);
    assert!(story.sa.home.ip4().is_some());
    assert_eq!(story.comes_home(6, None, at_home()).answers(), [(129, 6, 0)]);
    assert_eq!(story.ha.bindings().count(), 1);
}

#[test]
fn a_binding_update_that_was_sent_away_and_comes_late_binds_nobody_who_is_home() {
    let mut story = Story::away_from_home_link();
    let given = token(&story.comes_home(7, None, at_home()));
    story.comes_home(9, given, at_home());
    assert_eq!(story.receives(update(8)).answers(), [(135, 9, 0)]);
    assert_eq!(story.ha.bindings().count(), 0);
}

#[test]
fn without_a_home_link_it_is_a_farewell_like_any_other() {
    let mut story = Story::new();
    story.receives(update(5));
    assert_eq!(story.comes_home(6, None, outside()).answers(), [(0, 6, 0)]);
    assert_eq!(story.ha.bindings().count(), 0);
}
