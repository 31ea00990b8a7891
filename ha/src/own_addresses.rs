//! What the kernel delivers to this host, for the tunnel's guard: every address of every interface, read from the kernel's local
//! table at start and anew at its events. The gateway gives it to the exit-point; nothing is decided here.

use std::io;
use std::time::Duration;

use ipnet::IpNet;
use net::netlink::{Event, LOCAL_TABLE, Monitor, Netlink, NetlinkError};
use tokio::sync::watch;

/// Hosts have tens of addresses, gateways with many links some thousands; each costs the guard 34 octets.
const MOST: usize = 65_536;

/// After the kernel's socket has failed, before it is opened again.
const PAUSE: Duration = Duration::from_secs(1);

/// What the kernel delivers here now.
///
/// # Errors
/// No answer.
pub async fn read(netlink: &Netlink) -> Result<Vec<IpNet>, NetlinkError> {
    let mut own = netlink.own_destinations().await?;
    if own.len() > MOST {
        let count = own.len();
        tracing::warn!(count, "this host has more than {MOST} addresses: close the others to mobile nodes by its firewall");
        own.truncate(MOST);
    }
    Ok(own)
}

/// Keeps `own` as it is now, until nobody looks any more.
pub async fn follow(netlink: Netlink, own: watch::Sender<Vec<IpNet>>) {
    while !own.is_closed() {
        if let Err(error) = follow_kernel(&netlink, &own).await {
            tracing::warn!(%error, "this host's addresses cannot be followed; trying again");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn follow_kernel(netlink: &Netlink, own: &watch::Sender<Vec<IpNet>>) -> Result<(), NetlinkError> {
    let mut monitor = Monitor::open()?;
    loop {
        let now = read(netlink).await?;
        own.send_if_modified(|known| std::mem::replace(known, now.clone()) != now);
        tokio::select! {
            changed = until_it_may_differ(&mut monitor) => if changed.is_err() { return Ok(()) },
            () = own.closed() => return Ok(()),
        }
    }
}

/// Routes of other tables, such as those of bindings, come and go by the thousand and change nothing here.
async fn until_it_may_differ(monitor: &mut Monitor) -> io::Result<()> {
    loop {
        let event = monitor.next().await?;
        if !matches!(&event, Event::Route(route) | Event::RouteGone(route) if route.table != LOCAL_TABLE) {
            return Ok(());
        }
    }
}
