//! The task that keeps the home link: proxy entries and host routes in the kernel, probes and announcements on the link.

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use net::link_socket::LinkSocket;
use net::netlink::{MAIN_TABLE, Netlink, NetlinkError, Route};
use protocol::tunnel::rate_limit::RateLimit;
use protocol::wire::neighbour::{self, LinkEnd, LinkPacket};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep_until;

use super::detector::{Detector, Step};
use super::{Look, Verdict, settings};
use crate::home_agent::Detection;

/// MAX_NEIGHBOR_ADVERTISEMENT and RetransTimer of RFC 4861 section 10: a multicast may be lost.
const ANNOUNCEMENTS: u8 = 3;
const REPEAT: Duration = Duration::from_secs(1);
/// The kernel defends IPv6 addresses by itself; of the IPv4 ones, that are claimed by others, so many are defended in a second.
const DEFENCES: u32 = 16;

/// What the gateway wants.
pub(super) enum Order {
    /// These are bound: answer for them and pass on what comes for them.
    Intercept(Vec<IpAddr>),
    /// These are not bound any more.
    Release(Vec<IpAddr>, oneshot::Sender<()>),
    /// Look whether somebody has these.
    Detect(Detection),
}

pub(super) struct Keeper {
    netlink: Netlink,
    socket: LinkSocket,
    link: u32,
    end: LinkEnd,
    tun: u32,
    protocol: u8,
    intercepted: BTreeSet<IpAddr>,
    /// Announcements to be repeated, the earliest first: all wait for as long.
    repeats: VecDeque<(Instant, IpAddr, u8)>,
    detector: Detector,
    /// Verdicts that the gateway has not taken yet: no more than there are nodes.
    verdicts: VecDeque<Verdict>,
    defence: RateLimit,
    /// The link is gone: nothing is heard there.
    is_deaf: bool,
}

impl Keeper {
    pub(super) fn new(netlink: Netlink, socket: LinkSocket, look: &Look, tun: u32, protocol: u8) -> Self {
        let (transmits, wait) = settings::detection(&look.name);
        Self {
            netlink,
            socket,
            link: look.index,
            end: look.end,
            tun,
            protocol,
            intercepted: BTreeSet::new(),
            repeats: VecDeque::new(),
            detector: Detector::new(transmits, Duration::from_millis(wait.into())),
            verdicts: VecDeque::new(),
            defence: RateLimit::new(DEFENCES, Duration::from_secs(1) / DEFENCES),
            is_deaf: false,
        }
    }

    /// Until the gateway is gone; then everything is released.
    pub(super) async fn run(mut self, mut orders: mpsc::Receiver<Order>, verdicts: mpsc::Sender<Verdict>) {
        loop {
            let due = self.next_due();
            tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => self.obey(order).await,
                    None => break,
                },
                claimed = self.socket.claimed(), if !self.is_deaf => match claimed {
                    Ok(address) => self.handle_claim(address),
                    Err(error) => {
                        self.is_deaf = true;
                        tracing::error!(%error, "the home link is gone: start the home agent again when it is there");
                    }
                },
                Ok(place) = verdicts.reserve(), if !self.verdicts.is_empty() => {
                    if let Some(verdict) = self.verdicts.pop_front() {
                        place.send(verdict);
                    }
                }
                () = until(due) => {}
            }
            self.do_what_is_due(Instant::now());
        }
        for address in self.intercepted.clone() {
            self.release(address).await;
        }
    }

    fn next_due(&self) -> Option<Instant> {
        let repeat = self.repeats.front().map(|(due, ..)| *due);
        repeat.into_iter().chain(self.detector.next_due()).min()
    }

    async fn obey(&mut self, order: Order) {
        match order {
            Order::Intercept(addresses) => {
                for address in addresses {
                    self.intercept(address).await;
                }
            }
            Order::Release(addresses, done) => {
                for address in addresses {
                    self.release(address).await;
                }
                // The gateway may have gone.
                let _ = done.send(());
            }
            Order::Detect(detection) => self.detector.begin(detection, Instant::now()),
        }
    }

    /// First the way into the tunnel, then the answers, and then everybody is told.
    async fn intercept(&mut self, address: IpAddr) {
        let made = async {
            self.netlink.replace_route(&self.route(address)).await?;
            self.netlink.add_proxy(self.link, address, self.protocol).await
        };
        if let Err(error) = made.await {
            tracing::warn!(%error, "what is sent to a mobile node on the home link does not reach it");
        }
        self.intercepted.insert(address);
        self.announce(address, ANNOUNCEMENTS - 1);
    }

    async fn release(&mut self, address: IpAddr) {
        self.intercepted.remove(&address);
        let released = async {
            self.netlink.delete_proxy(self.link, address).await?;
            self.netlink.delete_route(&self.route(address)).await?;
            Ok::<_, NetlinkError>(())
        };
        if let Err(error) = released.await {
            tracing::warn!(%error, "the home link still has a mobile node's address here");
        }
    }

    fn route(&self, address: IpAddr) -> Route {
        Route::unicast(IpNet::from(address), self.tun, MAIN_TABLE, self.protocol)
    }

    fn handle_claim(&mut self, address: IpAddr) {
        self.verdicts.extend(self.detector.claimed(address));
        if address.is_ipv4() && self.intercepted.contains(&address) && self.defence.allow(Instant::now()) {
            self.announce(address, 0);
        }
    }

    fn do_what_is_due(&mut self, now: Instant) {
        while let Some((_, address, left)) = self.repeats.pop_front_if(|(due, ..)| *due <= now) {
            if self.intercepted.contains(&address) {
                self.announce(address, left);
            }
        }
        while let Some(step) = self.detector.next_step(now) {
            match step {
                Step::Probe(addresses) => {
                    addresses.into_iter().for_each(|address| self.send(&neighbour::probe(address, self.end.hardware)));
                }
                Step::Verdict(verdict) => self.verdicts.push_back(verdict),
            }
        }
    }

    /// Now, and `left` times more.
    fn announce(&mut self, address: IpAddr, left: u8) {
        if let Some(packet) = neighbour::announcement(address, self.end) {
            self.send(&packet);
        }
        if let Some(left) = left.checked_sub(1) {
            self.repeats.push_back((Instant::now() + REPEAT, address, left));
        }
    }

    /// A link that is down has nobody on it.
    fn send(&self, packet: &LinkPacket) {
        if let Err(error) = self.socket.send(packet) {
            tracing::debug!(%error, "a packet for the home link is not sent");
        }
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
