use std::time::UNIX_EPOCH;

use protocol::addr::HomeAgentAddresses;
use protocol::prefixes::MobileNetworkPrefixes;
use protocol::sa::spi::HaGroup;
use service::config::Severity::{self, Error, Warning};

use super::*;
use crate::store::SubscriberPolicy;

/// A configuration with these pools and what comes behind it.
fn config(home: &str, policy: &str) -> Located<Config> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hac.toml");
    let text = format!(
        "name = \"hac.example.org\"\nlisten = [\"[::]:7872\"]\ncertificate = \"hac.pem\"\nkey = \"hac-key.pem\"\nca = \"ca.pem\"\n\
         database = \"hac.db\"\nkey-encryption-key = \"kek\"\n[feed]\nlisten = \"[::]:7873\"\n[home]\n{home}\n[policy]\n{policy}\n"
    );
    std::fs::write(&path, text).unwrap();
    crate::config::load(&path).unwrap()
}

fn usual() -> Located<Config> {
    config("pool4 = \"10.9.0.0/24\"\npool6 = \"2001:db8:100::/64\"", "")
}

fn subscriber(number: u32, home: &[&str]) -> Subscriber {
    Subscriber {
        nai: format!("mn{number}@example.org"),
        enabled: true,
        created: UNIX_EPOCH,
        home: home.iter().map(|ip| ip.parse().unwrap()).collect(),
        live_sas: 0,
        policy: SubscriberPolicy::default(),
        prefixes: MobileNetworkPrefixes::default(),
    }
}

fn of_draft(number: u32) -> Subscriber {
    let policy = SubscriberPolicy { profile: Some(WireProfile::Draft04), ..SubscriberPolicy::default() };
    Subscriber { policy, ..subscriber(number, &[]) }
}

fn home_agent(name: &str, address: &str, port: u16) -> HomeAgent {
    let (ip4, ip6) = match address.parse().unwrap() {
        IpAddr::V4(ip) => (Some(ip), None),
        IpAddr::V6(ip) => (None, Some(ip)),
    };
    HomeAgent {
        name: name.to_owned(),
        group: HaGroup::new(0).unwrap(),
        addresses: HomeAgentAddresses::new(ip6, ip4, port).unwrap(),
        fallback_port: None,
    }
}

/// Severity, key and words of what is found, in any order.
fn assert_found(config: &Located<Config>, recorded: &Recorded, expected: &[(Severity, &str, &str)]) {
    let found = recorded.check(config);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (severity, key, words) in expected {
        let is_it = |finding: &&Finding| {
            finding.severity == *severity && finding.key.as_deref() == Some(key) && finding.text.contains(words)
        };
        assert!(found.iter().any(|finding| is_it(&finding)), "{severity:?} {key} {words:?} is not in {found:#?}");
    }
}

#[test]
fn everybody_can_be_served_where_nothing_is_wrong() {
    let recorded = Recorded {
        subscribers: vec![subscriber(1, &["10.9.0.2", "2001:db8:100::17"]), of_draft(2), subscriber(3, &[])],
        home_agents: vec![home_agent("ha1", "198.51.100.1", 7872), home_agent("ha2", "2001:db8:f::1", 9000)],
    };
    assert_found(&usual(), &recorded, &[]);
}

#[test]
fn a_subscriber_of_the_draft_needs_a_home_agent_on_the_drafts_port() {
    let ha = |port| vec![home_agent("ha1", "198.51.100.1", port)];
    let draft = config("pool4 = \"10.9.0.0/24\"", "profile = \"draft-04\"");
    let disabled = Subscriber { enabled: false, ..of_draft(2) };
    let rows = [
        (usual(), vec![of_draft(2)], ha(9000), vec![(Error, "database", "so mn2@example.org cannot be served: record one")]),
        (usual(), vec![of_draft(2)], vec![], vec![(Error, "database", "mn2@example.org cannot")]),
        (usual(), vec![subscriber(1, &[]), disabled], ha(9000), vec![]),
        (usual(), vec![], vec![], vec![(Warning, "database", "no home agent is recorded, so nobody can be served")]),
        (draft.clone(), vec![subscriber(1, &[])], ha(9000), vec![(Error, "policy.profile", "mn1@example.org cannot")]),
        (draft.clone(), vec![], ha(9000), vec![(Error, "policy.profile", "subscribers of the profile draft-04 cannot")]),
        (draft.clone(), vec![], vec![], vec![(Warning, "database", "no home agent is recorded")]),
        (draft, vec![subscriber(1, &[])], ha(7872), vec![]),
    ];
    for (config, subscribers, home_agents, expected) in rows {
        assert_found(&config, &Recorded { subscribers, home_agents }, &expected);
    }
    let many = Recorded { subscribers: (1..=9).map(of_draft).collect(), home_agents: ha(1) };
    assert_found(&usual(), &many, &[(Error, "database", "mn5@example.org and 4 more cannot")]);
}

#[test]
fn a_home_agent_is_reached_outside_the_pools_by_an_address_of_its_own_and_under_a_name_of_its_own() {
    let home_agents = vec![
        home_agent("ha1", "198.51.100.1", 7872),
        home_agent("ha2", "198.51.100.1", 7872),
        home_agent("ha3", "10.9.0.1", 7872),
        home_agent("*.example.org", "198.51.100.4", 7872),
        home_agent("hac.example.org", "198.51.100.5", 7872),
    ];
    let expected = [
        (Warning, "database", "ha1 and ha2 are both at 198.51.100.1:7872"),
        (Error, "database", "ha3 is at 10.9.0.1:7872, which lies in 10.9.0.0/24"),
        (Error, "database", "\"*.example.org\" cannot have a certificate"),
        (Warning, "name", "has the HAC's own name"),
    ];
    assert_found(&usual(), &Recorded { subscribers: vec![], home_agents }, &expected);
}

#[test]
fn a_pool_has_room_for_everybody_or_it_is_said_before_it_has_not() {
    let small = config("pool4 = \"10.9.0.0/28\"", "");
    let ha = || vec![home_agent("ha1", "198.51.100.1", 7872)];
    let people = |count| (0..count).map(|number| subscriber(number, &[])).collect::<Vec<_>>();
    for (count, expected) in [
        (11, vec![]),
        (12, vec![(Warning, "home.pool4", "12 subscribers need an address, and it has room for 13")]),
        (13, vec![(Warning, "home.pool4", "13 subscribers")]),
        (14, vec![(Error, "home.pool4", "it has room for 13 subscribers, and 14 need an address: write a shorter prefix")]),
    ] {
        assert_found(&small, &Recorded { subscribers: people(count), home_agents: ha() }, &expected);
    }
    // A disabled one keeps the address that he has, and needs none otherwise.
    let mut subscribers = people(13);
    subscribers.push(Subscriber { enabled: false, ..subscriber(99, &[]) });
    assert_found(&small, &Recorded { subscribers: subscribers.clone(), home_agents: ha() }, &[(Warning, "home.pool4", "13 sub")]);
    subscribers.push(Subscriber { enabled: false, ..subscriber(98, &["10.9.0.2"]) });
    assert_found(&small, &Recorded { subscribers, home_agents: ha() }, &[(Error, "home.pool4", "14 need")]);
    assert_eq!((room("2001:db8::/64".parse().unwrap()), room("::/0".parse().unwrap())), ((1 << 64) - 2, u128::MAX - 2));
}

#[test]
fn who_had_an_address_of_another_pool_will_get_another_one() {
    let subscribers = vec![subscriber(1, &["10.8.0.2", "2001:db8:100::2"]), subscriber(2, &["10.9.0.2"])];
    let recorded = Recorded { subscribers, home_agents: vec![home_agent("ha1", "198.51.100.1", 7872)] };
    assert_found(&usual(), &recorded, &[(Warning, "home.pool4", "mn1@example.org had another address")]);
}

#[test]
fn addresses_that_cannot_be_home_addresses_and_own_ones_inside_a_pool_are_refused() {
    let home_agents = || vec![home_agent("ha1", "198.51.100.1", 7872)];
    for pool in ["pool4 = \"127.0.0.0/8\"", "pool4 = \"224.0.0.0/24\"", "pool4 = \"169.254.0.0/16\"", "pool6 = \"fe80::/64\""] {
        let (key, _) = pool.split_once(' ').unwrap();
        let recorded = Recorded { subscribers: vec![], home_agents: home_agents() };
        assert_found(&config(pool, ""), &recorded, &[(Error, &format!("home.{key}"), "no host has such an address")]);
    }
    let mut inside = config("pool4 = \"10.9.0.0/24\"\ndns = [\"10.9.0.1\", \"2001:db8:100::1\"]", "").into_inner();
    inside.listen = vec!["[::]:7872".parse().unwrap(), "10.9.0.9:7872".parse().unwrap()];
    inside.feed.listen = "10.9.0.9:7873".parse().unwrap();
    let recorded = Recorded { subscribers: vec![], home_agents: home_agents() };
    let expected = [
        (Error, "listen.1", "it lies in 10.9.0.0/24"),
        (Error, "feed.listen", "it lies in 10.9.0.0/24"),
        (Warning, "home.dns.1", "mobile nodes have no home address of its family"),
    ];
    assert_found(&Located::new(inside, "hac.toml"), &recorded, &expected);
}

#[test]
fn a_pool_that_overlaps_a_network_behind_a_node_is_refused() {
    let with = |prefixes: &str| Recorded {
        subscribers: vec![Subscriber { prefixes: prefixes.parse().unwrap(), ..subscriber(1, &[]) }],
        home_agents: vec![home_agent("ha1", "198.51.100.1", 7872)],
    };
    for prefixes in ["2001:db8:100::/48", "2001:db8:100:0:1::/80", "2001:db8:7::/64,2001:db8:100::/64"] {
        let found = [(Error, "home.pool6", "overlaps networks behind the nodes of mn1@example.org")];
        assert_found(&usual(), &with(prefixes), &found);
    }
    assert_found(&usual(), &with("2001:db8:101::/64"), &[]);
}
