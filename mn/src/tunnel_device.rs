//! The TUN device with its two worker threads, as one thing that takes commands.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use net::netlink::NetlinkError;
use net::offloads::Offloads;
use net::tun::Tun;
use net::worker::{self, WorkerCommand, WorkerGone, WorkerHandle};
use protocol::addr::HomeAddresses;
use protocol::sa::cipher::layout;
use protocol::sa::{CipherSuite, Role, SecurityAssociation};
use protocol::tunnel::{Command, Counters, EntryPoint, Event, ExitPoint, IcmpSources};
use tokio::sync::mpsc;

use crate::config::Tunnel;
use crate::routes::Routes;

/// Events that may wait for control.
const EVENT_QUEUE: usize = 64;
/// Octets of a path that every link carries, less the longest outer headers: IPv6 and UDP.
const OUTER_PAYLOAD: usize = 1500 - 40 - 8;
/// No IPv6 link may have less (RFC 8200 section 5).
const LEAST_MTU: u16 = 1280;

/// TUN device, entry thread and exit thread.
pub struct TunnelDevice {
    tun: Arc<Tun>,
    mtu: Option<u16>,
    entry: WorkerHandle,
    exit: WorkerHandle,
    threads: [JoinHandle<()>; 2],
}

impl TunnelDevice {
    /// Makes the device, down and without addresses, and starts the threads.
    ///
    /// # Errors
    /// The device cannot be made; the text says what to do.
    pub fn open(tunnel: &Tunnel, counters: Arc<Counters>) -> io::Result<(Self, mpsc::Receiver<Event>)> {
        let offloads = Offloads::all_or_none(tunnel.offloads);
        let tun = Arc::new(Tun::create(&tunnel.device, tunnel.mtu.unwrap_or(LEAST_MTU), offloads)?);
        let (events, event_queue) = mpsc::channel(EVENT_QUEUE);
        let entry = EntryPoint::new(Role::MobileNode, counters.clone(), IcmpSources::default());
        let exit = ExitPoint::new(Role::MobileNode, counters.clone());
        let (entry, entry_thread) = worker::spawn_entry(tun.clone(), entry, counters.clone(), events.clone())?;
        let (exit, exit_thread) = worker::spawn_exit(tun.clone(), exit, counters, events)?;
        Ok((Self { tun, mtu: tunnel.mtu, entry, exit, threads: [entry_thread, exit_thread] }, event_queue))
    }

    /// The device's interface index.
    pub fn interface(&self) -> u32 {
        self.tun.index()
    }

    /// Gives the device the addresses of `sa` in place of `before`, an MTU that its suite can carry, and sets it up.
    ///
    /// # Errors
    /// The kernel refused.
    pub async fn configure(
        &self,
        routes: &mut Routes,
        sa: &SecurityAssociation,
        before: Option<&HomeAddresses>,
    ) -> Result<(), NetlinkError> {
        let mtu = self.mtu.unwrap_or_else(|| largest_mtu(sa.suite));
        // That a thread has ended is found by whoever sends it the next command.
        let _ = self.send(|| WorkerCommand::Tunnel(Command::Mtu(mtu)));
        routes.configure(self.interface(), mtu, &sa.home, before).await
    }

    /// Tells both threads the same: first the exit, so that it knows an SA or socket before the entry uses it.
    ///
    /// # Errors
    /// A thread has ended.
    pub fn send(&self, command: impl Fn() -> WorkerCommand) -> Result<(), WorkerGone> {
        self.exit.send(command())?;
        self.entry.send(command())
    }

    /// Ends the threads; the device goes with its last user.
    pub fn close(self) {
        // A thread that has ended already needs no stop.
        let _ended = self.send(|| WorkerCommand::Stop);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a worker thread had panicked");
            }
        }
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
