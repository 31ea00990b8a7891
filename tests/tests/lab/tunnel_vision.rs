//! A DHCP server that turns against its clients (CVE-2024-3661): a new lease, with routes that are more specific than any tunnel's, under a
//! node that is up. The server is a real one, and so are the clients: dhcpcd, systemd-networkd, NetworkManager.

use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};
use tests::lab::debian::networks;
use tests::lab::deployment::SOON;
use tests::lab::dhcp::{DhcpServer, Offer};
use tests::lab::traffic::during;
use tests::lab::traffic::tcp::Direction;
use tests::lab::{Deployment, Lab, Setup, inside, plan, wait_for};

use crate::leaks::{a_while, behind, press};

const fn host(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, last)
}

const HONEST: Offer = Offer { range: [host(50), host(60)], routes: &[] };
/// Everything in two halves, the correspondent node's network, and the very host.
const ROGUE: Offer =
    Offer { range: [host(100), host(110)], routes: &["0.0.0.0/1", "128.0.0.0/1", "192.0.2.0/24", "192.0.2.2/32"] };
/// Of a transfer that lasts while the lease changes.
const OCTETS: u64 = 8_000_000;
const RATE: u64 = 1_000_000;
/// What clients and server say to each other.
const DHCP: &str = "udp dst port 67";

/// A node goes up on an honest lease; then the server turns, and the client asks again. In the end the node goes down, and the routes are
/// shown to lead where they were to.
fn is_led_nowhere(
    lab: &Lab,
    server: &mut DhcpServer,
    up: impl FnOnce(&mut Deployment<'_>) -> Result<()>,
    asks_again: impl FnOnce() -> Result<()>,
) -> Result<()> {
    lab.wait_for_lease(&HONEST)?;
    let mut deployment = Deployment::with(lab, &Setup { in_memory: true, ..Setup::default() })?;
    up(&mut deployment)?;
    deployment.ping_everywhere()?;
    // systemd-networkd does, with each lease.
    lab.allow_warning("mn", "somebody else took away what the tunnel needs");
    let _servers = lab.serve_traffic()?;
    let _press = press(lab, &behind(), &[])?;
    let clear = lab.watch_for_clear_but("up", DHCP)?;
    server.turn(&ROGUE)?;
    during(
        || lab.transfer(Direction::Down, plan::CN4, OCTETS, RATE),
        || {
            asks_again()?;
            let leased = lab.wait_for_lease(&ROGUE)?;
            wait_for("the binding to name the new address", SOON, || {
                Ok(deployment.bindings()?.to_string().contains(&format!("\"{leased}\"")).then_some(()))
            })
        },
    )?;
    deployment.ping_everywhere()?;
    a_while();
    clear.stop()?.is_nothing()?;

    let clear = lab.watch_for_clear_but("down", DHCP)?;
    ensure!(deployment.command("mn", &["down"])?.status.success(), "mn down failed");
    deployment.mn()?.wait(SOON)?;
    a_while();
    let leaked = clear.stop()?;
    eprintln!("up: nothing in the clear; down, by the same routes, {} packets within half a second", leaked.packets);
    ensure!(leaked.packets > 10, "the routes lead nowhere by themselves: {leaked:?}");
    Ok(())
}

#[test]
fn what_a_rogue_dhcp_server_gives_to_dhcpcd_leads_nothing_past_the_tunnel() {
    inside(|lab| {
        let mut server = lab.dhcp_server(&HONEST)?;
        let _client = lab.dhcp_client()?;
        let asks_again = || lab.run(plan::MN, &["dhcpcd", "--rebind", plan::WIFI]).map(drop);
        is_led_nowhere(lab, &mut server, |deployment| deployment.mn_up(&[]), asks_again)
    });
}

#[test]
fn what_a_rogue_dhcp_server_gives_to_networkd_leads_nothing_past_the_tunnel() {
    inside(|lab| {
        let mut server = lab.dhcp_server(&HONEST)?;
        let debian = lab.boot(&["systemd-networkd.service"], networks::of_networkd_by_dhcp)?;
        // When it renews it does not hear of a lease that is gone.
        let asks_again = || debian.run(&["networkctl", "reconfigure", plan::WIFI]).map(drop);
        is_led_nowhere(lab, &mut server, |deployment| deployment.mn_up_by(debian.mn_service()), asks_again)
    });
}

#[test]
fn what_a_rogue_dhcp_server_gives_to_networkmanager_leads_nothing_past_the_tunnel() {
    inside(|lab| {
        let mut server = lab.dhcp_server(&HONEST)?;
        let debian = lab.boot(&["NetworkManager.service"], networks::of_network_manager_by_dhcp)?;
        let asks_again = || debian.run(&["nmcli", "connection", "up", plan::WIFI]).map(drop).context("nmcli");
        is_led_nowhere(lab, &mut server, |deployment| deployment.mn_up_by(debian.mn_service()), asks_again)
    });
}
