//! The TUN device and the sockets with the workers between them, as one thing that takes commands.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU8;
use std::sync::Arc;

use net::netlink::NetlinkError;
use net::offloads::{self, Offloads};
use net::tun::{Tun, TunSegments};
use net::udp::{SocketOptions, UdpSocket};
use net::worker::{WorkerGone, Workers};
use protocol::addr::HomeAddresses;
use protocol::features::Features;
use protocol::sa::cipher::layout;
use protocol::sa::{CipherSuite, Role, SecurityAssociation};
use protocol::tunnel::{Command, Counters, EntryPoint, Event, ExitPoint, IcmpSources, SocketId};
use tokio::sync::mpsc;

use crate::config::Tunnel;
use crate::movement::Attachment;
use crate::path_mtu::SAFE_INNER;
use crate::routes::Routes;

/// Events that may wait for control.
const EVENT_QUEUE: usize = 64;
/// Octets of a path that every link carries, less the longest outer headers: IPv6 and UDP.
const OUTER_PAYLOAD: usize = 1500 - 40 - 8;
/// No IPv6 link may have less (RFC 8200 section 5).
const LEAST_MTU: u16 = 1280;

/// TUN device and workers.
pub struct TunnelDevice {
    interface: u32,
    segments: TunSegments,
    /// Fixed by the operator.
    fixed: Option<u16>,
    /// What the path in use carries, where that is found out.
    found: Option<u16>,
    /// What the device has.
    mtu: u16,
    socket_options: SocketOptions,
    count: NonZeroU8,
    /// Of the paths that are open.
    sockets: Vec<(SocketId, Vec<Arc<UdpSocket>>)>,
    workers: Workers,
}

impl TunnelDevice {
    /// Makes the device, down and without addresses, and starts the threads.
    ///
    /// # Errors
    /// The device cannot be made; the text says what to do.
    pub fn open(tunnel: &Tunnel, counters: &Arc<Counters>) -> io::Result<(Self, mpsc::Receiver<Event>)> {
        let (offloads, count) = (Offloads::all_or_none(tunnel.offloads), tunnel.workers());
        let tun = Tun::create_queues(&tunnel.device, tunnel.mtu.unwrap_or(LEAST_MTU), offloads, count)?;
        let (events, event_queue) = mpsc::channel(EVENT_QUEUE);
        let halves = || {
            let entry = EntryPoint::new(Role::MobileNode, counters.clone(), IcmpSources::default());
            (entry, ExitPoint::new(Role::MobileNode, counters.clone()))
        };
        let workers = Workers::start(&tun, halves, counters, &events)?;
        let receive_buffer = tunnel.receive_buffer;
        let socket_options = SocketOptions { mark: Some(tunnel.fwmark), device: None, offloads, receive_buffer };
        let device = Self {
            interface: tun.index,
            segments: tun.segments,
            fixed: tunnel.mtu,
            found: None,
            mtu: tunnel.mtu.unwrap_or(LEAST_MTU),
            socket_options,
            count,
            sockets: Vec::new(),
            workers,
        };
        Ok((device, event_queue))
    }

    /// The device's interface index.
    pub fn interface(&self) -> u32 {
        self.interface
    }

    /// Gives the device the addresses of `sa` in place of `before`, an MTU that its suite can carry, and sets it up. Where the path is
    /// going to be probed, the MTU is what every tunnel carries until something is known.
    ///
    /// # Errors
    /// The kernel refused.
    pub async fn configure(
        &mut self,
        routes: &mut Routes,
        sa: &SecurityAssociation,
        before: Option<&HomeAddresses>,
    ) -> Result<(), NetlinkError> {
        let unfixed = if sa.features.has(Features::HEARTBEAT) { self.found.unwrap_or(SAFE_INNER) } else { largest_mtu(sa.suite) };
        let mtu = self.fixed.unwrap_or(unfixed);
        self.mtu = mtu.max(LEAST_MTU);
        // That a thread has ended is found by whoever sends it the next command.
        let _ = self.apply(&Command::Mtu(mtu));
        routes.configure(self.interface(), self.mtu, &sa.home, before).await
    }

    /// The path carries inner packets of `mtu` octets in one piece. An IPv6 device has no less than 1,280: what is longer than the path
    /// takes goes in fragments outside, but TCP connections are told what fits.
    ///
    /// # Errors
    /// The kernel refused.
    pub async fn follow_path(&mut self, routes: &mut Routes, mtu: u16) -> Result<(), NetlinkError> {
        self.found = Some(mtu);
        // That a thread has ended is found by whoever sends it the next command.
        let _ = self.apply(&Command::Mtu(mtu));
        self.mtu = mtu.max(LEAST_MTU);
        routes.set_mtu(self.interface(), self.mtu).await
    }

    /// The longest inner packet that the device takes.
    pub fn mtu(&self) -> u16 {
        self.mtu
    }

    /// Tells all workers.
    ///
    /// # Errors
    /// A thread has ended.
    pub fn apply(&self, command: &Command) -> Result<(), WorkerGone> {
        self.workers.apply(command)
    }

    /// Sockets bound to the attachment's address and interface, known to all workers. `false` when they cannot be opened.
    ///
    /// # Errors
    /// A thread has ended.
    pub fn open_path(&mut self, socket: SocketId, attachment: &Attachment) -> Result<bool, WorkerGone> {
        let local = SocketAddr::new(attachment.care_of.0, 0);
        let options = SocketOptions { device: Some(attachment.name.clone()), ..self.socket_options.clone() };
        match UdpSocket::bind_shares(local, &options, self.count) {
            Ok(opened) => Ok(self.add_path(socket, opened)?.is_some()),
            Err(error) => {
                tracing::warn!(%error, interface = attachment.name, "cannot use the new attachment");
                Ok(false)
            }
        }
    }

    /// Sockets on loopback, in the family of `relay`, for a path that goes by it. Gives their address; `None` when they cannot be opened.
    ///
    /// # Errors
    /// A thread has ended.
    pub fn open_relayed_path(&mut self, socket: SocketId, relay: SocketAddr) -> Result<Option<SocketAddr>, WorkerGone> {
        let local = SocketAddr::new(relay.ip(), 0);
        match UdpSocket::bind_shares(local, &self.socket_options, self.count) {
            Ok(opened) => self.add_path(socket, opened),
            Err(error) => {
                tracing::warn!(%error, "cannot open the tunnel's socket for the connection over TLS");
                Ok(None)
            }
        }
    }

    fn add_path(&mut self, socket: SocketId, opened: Vec<UdpSocket>) -> Result<Option<SocketAddr>, WorkerGone> {
        let opened: Vec<_> = opened.into_iter().map(Arc::new).collect();
        self.workers.add_sockets(socket, &opened)?;
        self.forget(socket);
        let local = opened.first().map(|first| first.local_addr());
        self.sockets.push((socket, opened));
        Ok(local)
    }

    /// Closes what was opened for a path.
    ///
    /// # Errors
    /// A thread has ended.
    pub fn close_path(&mut self, socket: SocketId) -> Result<(), WorkerGone> {
        self.forget(socket);
        self.workers.remove_socket(socket)
    }

    /// How many threads carry packets.
    pub fn workers(&self) -> usize {
        self.workers.count()
    }

    /// What of the kernel's offloads is in use.
    pub fn offloads(&self) -> Vec<&'static str> {
        offloads::in_use(self.segments, self.sockets.iter().flat_map(|(_, sockets)| sockets))
    }

    fn forget(&mut self, socket: SocketId) {
        self.sockets.retain(|(open, _)| *open != socket);
    }
}

/// The largest inner packet whose datagram fits a path of 1,500 octets in either family.
fn largest_mtu(suite: CipherSuite) -> u16 {
    let payload = layout::longest_payload(suite, OUTER_PAYLOAD);
    u16::try_from(payload).unwrap_or(LEAST_MTU).max(LEAST_MTU)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mtu_is_what_fits_behind_ipv6_udp_envelope_iv_and_icv() {
        let rows = [
            (CipherSuite::NullSha, 1430),
            (CipherSuite::NullSha256, 1430),
            (CipherSuite::TripleDesEdeCbcSha, 1422),
            (CipherSuite::Aes128CbcSha, 1406),
            (CipherSuite::Aes128CbcSha256, 1406),
            (CipherSuite::Aes128Gcm, 1418),
            (CipherSuite::ChaCha20Poly1305, 1418),
        ];
        for (suite, mtu) in rows {
            assert_eq!(largest_mtu(suite), mtu, "{suite}");
        }
    }
}
