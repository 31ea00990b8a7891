//! Home addresses that a AAA server chooses for a user, and what becomes of a choice that cannot be followed.

use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use tests::lab::aaa::certificates::BOB;
use tests::lab::aaa::{ANONYMOUS, AaaServer, Options, PASSWORD};
use tests::lab::deployment::{NAI, SOON};
use tests::lab::{Deployment, Lab, inside, wait_for};

use super::refusal::Refusal;
use super::{Node, associations, carries, deployment, leaves};

const USERS: &[(&str, &str)] = &[(NAI, PASSWORD), (BOB, PASSWORD)];
/// Longer than /64, inside the lab's pool.
const BOBS_PREFIX: &str = "2001:db8:100:0:b0b::/80";

fn freeradius(lab: &Lab, alice: &[&str], bob: &[&str]) -> Result<AaaServer> {
    lab.freeradius(&Options { users: USERS, items: &[(NAI, alice), (BOB, bob)], ..Options::default() })
}

fn alice() -> Node<'static> {
    Node::by("ttls-pap")
}

fn bob() -> Node<'static> {
    Node { outer: ANONYMOUS, ..Node::by("ttls-pap").named(BOB) }
}

/// What the node's device has.
fn has(deployment: &Deployment<'_>, ip6: &str, ip4: &str) -> Result<()> {
    let (has, expected) = (deployment.home_addresses()?, [ip6.parse::<IpAddr>()?, ip4.parse()?]);
    ensure!(has == expected, "{has:?} and not {expected:?}");
    Ok(())
}

#[test]
fn the_home_addresses_are_those_that_freeradius_has_for_the_user_and_change_without_harm_when_it_has_others() {
    inside(|lab| {
        let items = ["Framed-IP-Address = 10.9.0.77", "Framed-IPv6-Address = 2001:db8:100::77"];
        let server = freeradius(lab, &items, &[])?;
        let mut deployment = deployment(lab, &[&server], |_| Ok(()))?;
        alice().configure(lab)?;
        deployment.mn_up(&[])?;
        has(&deployment, "2001:db8:100::77", "10.9.0.77")?;
        deployment.ping_everywhere()?;
        ensure!(associations(&deployment)?.iter().all(|one| one["aaa"] == true), "{:?}", associations(&deployment)?);

        // The IPv4 home address stays: two associations name it, and the end of the older one's binding takes nothing away.
        drop(server);
        let _server = freeradius(lab, &["Framed-IP-Address = 10.9.0.77", "Framed-IPv6-Address = 2001:db8:100::99"], &[])?;
        ensure!(deployment.command("mn", &["renew"])?.status.success(), "no renewal by hand");
        wait_for("the node to have its other address", SOON, || Ok(has(&deployment, "2001:db8:100::99", "10.9.0.77").ok()))?;
        deployment.wait_until_registered(SOON)?;
        deployment.ping_everywhere()?;
        let bindings = deployment.bindings()?;
        ensure!(bindings["count"] == 1, "{bindings}");
        leaves(&mut deployment)
    });
}

#[test]
fn in_a_prefix_that_freeradius_has_for_the_user_he_has_an_address_that_stays() {
    inside(|lab| {
        let item = format!("Framed-IPv6-Prefix = {BOBS_PREFIX}");
        let server = freeradius(lab, &[], &[&item])?;
        let mut deployment = deployment(lab, &[&server], |_| Ok(()))?;
        let mut given = Vec::new();
        for _ in 0..2 {
            bob().configure(lab)?;
            deployment.mn_up(&[])?;
            let home = deployment.home_addresses()?;
            deployment.ping_everywhere()?;
            leaves(&mut deployment)?;
            given.push(home);
        }
        let is_in_prefix =
            |home: &IpAddr| matches!(home, IpAddr::V6(home) if home.segments()[..5] == [0x2001, 0xdb8, 0x100, 0, 0xb0b]);
        ensure!(is_in_prefix(&given[0][0]), "{given:?}");
        ensure!(given[0] == given[1], "{given:?}");
        Ok(())
    });
}

#[test]
fn a_choice_that_cannot_be_followed_is_refused_with_a_warning_and_nothing_is_lost() {
    inside(|lab| {
        let own = ["Framed-IP-Address = 10.9.0.77"];
        let server = freeradius(lab, &own, &[])?;
        let mut deployment = deployment(lab, &[&server], |_| Ok(()))?;
        carries(lab, &mut deployment, &alice())?;
        carries(lab, &mut deployment, &bob())?;
        drop(server);
        for (what, ending, item, warning) in [
            (
                "out of the pool",
                "500",
                "Framed-IP-Address = 10.8.0.77",
                "lies outside the pool 10.9.0.0/24: Framed-IP-Address 10.8.0.77",
            ),
            (
                "Alice's",
                "503",
                "Framed-IP-Address = 10.9.0.77",
                "another subscriber may still be served: Framed-IP-Address 10.9.0.77",
            ),
        ] {
            let _server = freeradius(lab, &own, &[item])?;
            lab.expect_warning("hac", warning);
            Refusal::new(what, bob(), ending, &[ending]).check(lab, &mut deployment)?;
        }
        let _server = freeradius(lab, &own, &["Framed-IP-Address = 10.9.0.78"])?;
        carries(lab, &mut deployment, &bob()).context("afterwards")
    });
}
