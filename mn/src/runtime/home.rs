//! What the runtime does on the home link.

use std::net::IpAddr;
use std::time::Duration;

use net::link_socket::LinkSocket;
use net::netlink::NetlinkError;
use protocol::wire::neighbour::{self, LinkEnd};

use super::{Runtime, RuntimeError};
use crate::clock;
use crate::home_link::HomeLink;
use crate::mobile_node::{Detect, HomeStep};

/// MAX_NEIGHBOR_ADVERTISEMENT and RetransTimer of RFC 4861 section 10: a multicast may be lost.
const ANNOUNCEMENTS: usize = 3;
const REPEAT: Duration = Duration::from_secs(1);

impl Runtime {
    /// Carries out what the node wants on the home link. A link that goes meanwhile is refused to the node, and no error.
    ///
    /// # Errors
    /// The guard cannot be changed, or what was set not be taken back.
    pub(super) async fn take_home_step(&mut self, step: HomeStep) -> Result<(), RuntimeError> {
        match step {
            HomeStep::Leave => self.leave_home().await,
            HomeStep::Stay => Ok(self.guard.lock().await.renew_home_link().await?),
            HomeStep::Arrive(link) => {
                let arrived = self.arrive(&link, Detect::No).await;
                self.is_there(&link, arrived)
            }
            HomeStep::Enter(link, detect) => {
                let entered = match self.arrive(&link, detect).await {
                    Ok(true) => self.enter_home(&link).await.map(|()| true),
                    other => other,
                };
                self.is_there(&link, entered)
            }
            HomeStep::Follow(link) => {
                let followed = self.routes.lock().await.lead_home(self.device.interface(), &link).await;
                self.is_there(&link, followed.map(|()| true).map_err(RuntimeError::from))
            }
        }
    }

    fn is_there(&mut self, link: &HomeLink, outcome: Result<bool, RuntimeError>) -> Result<(), RuntimeError> {
        let interface = &link.attachment.name;
        match outcome {
            Ok(true) => return Ok(()),
            Ok(false) => tracing::warn!(interface, "another node on the home link has the home address"),
            Err(RuntimeError::Netlink(error)) => tracing::warn!(interface, %error, "the home link cannot be used"),
            Err(other) => return Err(other),
        }
        self.node.handle_home_refused(clock::now());
        Ok(())
    }

    /// RFC 6275 section 11.5.5: once the home agent knows, the node "MUST be prepared to reply to Neighbor Solicitations".
    async fn arrive(&mut self, link: &HomeLink, detect: Detect) -> Result<bool, RuntimeError> {
        let is_free = self.routes.lock().await.take_home(link, detect == Detect::First).await?;
        if is_free {
            self.guard.lock().await.set_home_link(Some((link.attachment.name.clone(), link.prefixes.clone()))).await?;
        }
        Ok(is_free)
    }

    async fn enter_home(&mut self, link: &HomeLink) -> Result<(), RuntimeError> {
        self.announce(link).await?;
        self.routes.lock().await.lead_home(self.device.interface(), link).await?;
        // The network's own name servers are the home network's.
        self.dns.registered(&[]);
        self.status.registered_first(clock::now());
        self.status.update(|shown| {
            shown.interface = Some(link.attachment.name.clone());
            (shown.care_of, shown.nat, shown.ipv4_bound, shown.last_error) = (None, false, false, None);
        });
        Ok(())
    }

    /// What closes comes before what opens.
    async fn leave_home(&mut self) -> Result<(), RuntimeError> {
        self.announcing.take().iter().for_each(tokio::task::AbortHandle::abort);
        self.guard.lock().await.set_home_link(None).await?;
        Ok(self.routes.lock().await.leave_home().await?)
    }

    /// Tells everybody on the link that the home addresses are here now, in place of the home agent.
    async fn announce(&mut self, link: &HomeLink) -> Result<(), NetlinkError> {
        let (interface, home) = (link.attachment.interface, link.home);
        let Some(hardware) = self.netlink.hardware_address(interface).await? else { return Ok(()) };
        let socket = match LinkSocket::open(interface, hardware) {
            Ok(socket) => socket,
            Err(error) => {
                tracing::warn!(%error, "hosts on the home link find this node late: announcing it needs CAP_NET_RAW");
                return Ok(());
            }
        };
        let end = LinkEnd { hardware, ip6: home.ip6() };
        let addresses: Vec<IpAddr> = home.iter().map(|home| home.0).collect();
        announce(&socket, end, &addresses);
        let task = tokio::spawn(async move {
            for _ in 1..ANNOUNCEMENTS {
                tokio::time::sleep(REPEAT).await;
                announce(&socket, end, &addresses);
            }
        });
        self.announcing = Some(task.abort_handle());
        Ok(())
    }
}

fn announce(socket: &LinkSocket, end: LinkEnd, addresses: &[IpAddr]) {
    for packet in addresses.iter().filter_map(|address| neighbour::announcement(*address, end)) {
        if let Err(error) = socket.send(&packet) {
            tracing::debug!(%error, "an announcement on the home link is not sent");
        }
    }
}
