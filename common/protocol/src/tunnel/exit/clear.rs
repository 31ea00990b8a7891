//! PType 0 (RFC 6618 section 6.4): nothing is authentic.

use std::net::SocketAddr;
use std::ops::Range;

use super::super::DropReason;
use super::super::batch::Received;
use super::ExitPoint;
use super::gate::inner_packet;
use crate::addr::HomeAgentAddresses;
use crate::sa::{Role, UserData};
use crate::tunnel::Volume;
use crate::wire::envelope;

impl ExitPoint {
    /// The outer source decides, and whether the SA allows it at all. Gives where in the datagram the inner packet stands.
    pub(super) fn take_clear(&mut self, received: &Received, datagram: &mut [u8]) -> Result<Range<usize>, DropReason> {
        let Some((&mut envelope::CLEAR, payload)) = datagram.split_first_chunk_mut() else {
            return Err(DropReason::PlaintextRefused);
        };
        let (inner, packet) = inner_packet(payload)?;
        let tunnel = self.gate.table.find(self.gate.nodes_own(&inner)).ok_or(DropReason::PlaintextRefused)?;
        let install = self.sas.get(tunnel.sending).ok_or(DropReason::PlaintextRefused)?;
        let from_its_peer = match self.role {
            Role::HomeAgent => tunnel.paths.iter().next().is_some_and(|path| path.leads_to(received.socket, received.from)),
            Role::MobileNode => {
                let is_reached_there = || tunnel.paths.iter().any(|path| path.leads_to(received.socket, received.from));
                is_home_agent(&install.sa.home_agent, received.from, is_reached_there)
            }
        };
        if install.sa.user_data == UserData::Protected || !from_its_peer {
            return Err(DropReason::PlaintextRefused);
        }
        self.gate.check_may_cross(&inner, packet)?;
        self.gate.adapt(&inner, tunnel, received.traffic_class, packet)?;
        self.received.add(inner.len);
        install.traffic.count(self.role.receives(), Volume::of_one(inner.len));
        Ok(envelope::LEN..envelope::LEN + inner.len)
    }
}

/// Whether `from` is the home agent's address and port, as the HAC told them; or the address that stands for its IPv4 one behind a NAT64,
/// if this node's own packets go there.
fn is_home_agent(home_agent: &HomeAgentAddresses, from: SocketAddr, is_reached_there: impl FnOnce() -> bool) -> bool {
    let ip = from.ip().to_canonical();
    let has_address = match home_agent.of_family(ip) {
        Some(own) => own == ip,
        None => ip.is_ipv6() && is_reached_there(),
    };
    from.port() == home_agent.port() && has_address
}
