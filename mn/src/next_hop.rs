//! Hears from the kernel whether the next hop towards the home agent answers (RFC 4861 section 7.3, RFC 6275 section 11.5.1): a router
//! that has gone takes its link's carrier with it only where the link is a cable to it.
//!
//! What is heard is a hint: the home agent is asked, and only what it does not answer moves the node.

use std::net::IpAddr;
use std::time::Duration;

use net::netlink::{Answers, Event, Monitor, Neighbour, NetlinkError};
use tokio::sync::{mpsc, watch};

/// After the kernel's socket has failed, before it is opened again.
const PAUSE: Duration = Duration::from_secs(1);

/// Where packets to the home agent go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextHop {
    /// The interface that they leave by.
    pub interface: u32,
    /// A router, or the home agent itself where it is on the link.
    pub address: IpAddr,
    /// Whether it is on the way to the home agent's IPv6 address.
    pub to_ipv6: bool,
}

/// What the kernel says of a next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The interface of the attachments that use it.
    pub interface: u32,
    /// Whether their addresses are IPv6 ones.
    pub to_ipv6: bool,
    /// Whether it answers.
    pub answers: Answers,
}

/// Hints that may wait: an event says the same of no more next hops than there are networks.
const QUEUE: usize = 8;

/// Starts to watch: gives where the next hops are to be told, and where what is said of them comes.
pub fn watch() -> (watch::Sender<Vec<NextHop>>, mpsc::Receiver<Hint>) {
    let (next_hops, known) = watch::channel(Vec::new());
    let (said, hints) = mpsc::channel(QUEUE);
    tokio::spawn(run(known, said));
    (next_hops, hints)
}

/// Sends to `hints` what the kernel says of those of `next_hops`, and of no other neighbour. A hint that finds the queue full is lost.
/// Ends when the receiver is gone.
async fn run(mut next_hops: watch::Receiver<Vec<NextHop>>, hints: mpsc::Sender<Hint>) {
    while !hints.is_closed() {
        if let Err(error) = watch_kernel(&mut next_hops, &hints).await {
            tracing::warn!(%error, "the kernel's neighbour events cannot be read; trying again");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn watch_kernel(next_hops: &mut watch::Receiver<Vec<NextHop>>, hints: &mpsc::Sender<Hint>) -> Result<(), NetlinkError> {
    let mut monitor = Monitor::open_for_neighbours()?;
    loop {
        let event = tokio::select! {
            event = monitor.next() => event,
            () = hints.closed() => return Ok(()),
        };
        let Ok(event) = event else { return Ok(()) };
        for hint in of(&event, &next_hops.borrow_and_update()) {
            tracing::debug!(?hint, "of the next hop");
            let _full = hints.try_send(hint);
        }
    }
}

/// What an event says of next hops. Where events were lost, each of them may have been in doubt.
fn of(event: &Event, next_hops: &[NextHop]) -> Vec<Hint> {
    let hint = |answers| move |hop: &NextHop| Hint { interface: hop.interface, to_ipv6: hop.to_ipv6, answers };
    match event {
        Event::Neighbour(Neighbour { interface, address, answers }) => {
            let is_it = |hop: &&NextHop| hop.interface == *interface && hop.address == *address;
            next_hops.iter().filter(is_it).map(hint(*answers)).collect()
        }
        Event::Resync => next_hops.iter().map(hint(Answers::Asked)).collect(),
        Event::Link(_)
        | Event::LinkGone(_)
        | Event::Address(_)
        | Event::AddressGone(_)
        | Event::Route(_)
        | Event::RouteGone(_)
        | Event::Rules => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(interface: u32, address: &str, to_ipv6: bool) -> NextHop {
        NextHop { interface, address: address.parse().unwrap(), to_ipv6 }
    }

    #[test]
    fn only_what_is_said_of_a_next_hop_on_its_own_link_is_a_hint() {
        let hops = [hop(3, "198.51.100.1", false), hop(3, "fe80::1", true), hop(4, "fe80::1", true)];
        let of_neighbour = |interface, address: &str| {
            let event = Event::Neighbour(Neighbour { interface, address: address.parse().unwrap(), answers: Answers::No });
            of(&event, &hops)
        };
        let hint = |interface, to_ipv6| Hint { interface, to_ipv6, answers: Answers::No };
        assert_eq!(of_neighbour(3, "198.51.100.1"), [hint(3, false)]);
        assert_eq!(of_neighbour(4, "fe80::1"), [hint(4, true)]);
        assert_eq!(of_neighbour(3, "198.51.100.2"), []);
        assert_eq!(of_neighbour(5, "fe80::1"), []);
    }

    #[test]
    fn where_events_were_lost_every_next_hop_is_in_doubt_and_none_is_taken_for_gone() {
        let hints = of(&Event::Resync, &[hop(3, "198.51.100.1", false), hop(4, "fe80::1", true)]);
        assert_eq!(
            hints.iter().map(|hint| (hint.interface, hint.answers)).collect::<Vec<_>>(),
            [(3, Answers::Asked), (4, Answers::Asked)]
        );
    }
}
