//! That the firewall's rules have changed (NFNLGRP_NFTABLES): not what, which `nft list` says better.

use std::io;

use rtnetlink::sys::protocols::NETLINK_NETFILTER;
use rtnetlink::sys::{AsyncSocket, AsyncSocketExt, SocketAddr, TokioSocket};

use super::NetlinkError;

/// NFNLGRP_NFTABLES of `linux/netfilter/nfnetlink.h`: tables, chains, rules and sets that came or went.
const NFTABLES_GROUP: u32 = 7;
/// What a message says is not read.
const DATAGRAM: usize = 4 << 10;

/// A socket that hears of changes of the ruleset, by whomever, its owner included.
pub struct RulesetMonitor {
    socket: TokioSocket,
    datagram: Vec<u8>,
}

impl RulesetMonitor {
    /// Starts to listen. Whoever then lists the rules misses nothing.
    ///
    /// # Errors
    /// [`NetlinkError::Open`]: the kernel is without nfnetlink, or CAP_NET_ADMIN is missing.
    pub fn open() -> Result<Self, NetlinkError> {
        let mut socket = TokioSocket::new(NETLINK_NETFILTER).map_err(NetlinkError::Open)?;
        let address = SocketAddr::new(0, 1 << (NFTABLES_GROUP - 1));
        socket.socket_mut().bind(&address).map_err(NetlinkError::Open)?;
        Ok(Self { socket, datagram: Vec::with_capacity(DATAGRAM) })
    }

    /// Waits for a change. Messages that the kernel had to drop were changes too.
    ///
    /// # Errors
    /// The socket has failed; a new monitor may help.
    pub async fn changed(&mut self) -> io::Result<()> {
        loop {
            self.datagram.clear();
            match self.socket.recv_from(&mut self.datagram).await {
                Ok(_) => return Ok(()),
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
