//! PType 0: the only datagram whose content is looked at though nothing about it is authentic.

use std::net::SocketAddr;
use std::sync::Arc;

use protocol::sa::{CipherSuite, Role, SecurityAssociation, UserData};
use protocol::tunnel::{Command, Counters, Encapsulation, ExitPoint, Install, Path, Paths, ReceiveBatch, SocketId, Verdict};
use protocol::wire::envelope;
use protocol::wire::ip::InnerPacket;

use super::exit_point::{MOBILE_NODE, association, guard, home, now, spi};

/// The first octet's bit that says that the datagram comes from where the other end is not.
pub const ELSEWHERE: u8 = 0x01;
/// The SA whose `mip6-sas` is 0; the suite has no part in it.
const SUITE: CipherSuite = CipherSuite::NullSha;
const SOCKET: SocketId = SocketId(0);

/// The first octet: [`MOBILE_NODE`], [`ELSEWHERE`]. Then one datagram, given to an exit-point with an SA whose user data goes in
/// the clear.
pub fn ptype_0(data: &[u8]) {
    verdict(data);
}

/// As [`ptype_0`]: what became of the datagram.
pub fn verdict(data: &[u8]) -> Option<Verdict> {
    let (first, datagram) = data.split_first()?;
    let role = if first & MOBILE_NODE == 0 { Role::HomeAgent } else { Role::MobileNode };
    let mut from = peer(role);
    from.set_port(from.port() + u16::from(first & ELSEWHERE));
    let mut batch = ReceiveBatch::new(1, datagram.len());
    batch.arena().copy_from_slice(datagram);
    batch.push(0..datagram.len(), SOCKET, from);
    let mut verdicts = Vec::new();
    let mut exit = exit_point(role);
    exit.handle_datagrams(&mut batch, now(), &mut verdicts);
    let verdict = verdicts.pop()?;
    if let Verdict::Deliver(range) = &verdict {
        assert!(from == peer(role), "a packet in the clear was taken from elsewhere");
        assert!(datagram.starts_with(&envelope::CLEAR) && range.start == envelope::LEN, "what was taken is no PType 0");
        check_delivered(batch.octets(range.clone()), role);
    }
    assert!(verdict != Verdict::Consumed && exit.poll_event().is_none(), "control was told of what is not authentic");
    Some(verdict)
}

fn check_delivered(packet: &[u8], role: Role) {
    let Ok(inner) = InnerPacket::parse(packet) else { panic!("what was delivered is no packet") };
    let own = if role == Role::HomeAgent { inner.source } else { inner.destination };
    assert!(home(SUITE).contains(own), "the packet of a foreign home address was delivered");
    assert!(inner.len == packet.len() && inner.may_cross(), "octets too many, or an address that must not cross");
    assert!(guard().allows(&inner, packet), "a packet to the home agent itself was delivered");
}

/// Where the other end sends from: a node behind its access network, or the home agent as its SA names it.
fn peer(role: Role) -> SocketAddr {
    let home_agent = association(SUITE).home_agent;
    match (role, home_agent.ip6()) {
        (Role::MobileNode, Some(ip)) => (ip, home_agent.port()).into(),
        _ => ([198, 51, 100, 7], 5000).into(),
    }
}

fn exit_point(role: Role) -> ExitPoint {
    let mut exit = ExitPoint::new(role, Arc::new(Counters::default())).guarded(guard());
    let sa = SecurityAssociation { user_data: UserData::Clear, ..association(SUITE) };
    exit.apply(&Command::Install(Arc::new(Install::new(sa, now(), 0))));
    let paths = Paths::one(Path::proved(SOCKET, peer(role)));
    let (home, encapsulation) = (home(SUITE), Encapsulation::ClearUdp);
    exit.apply(&Command::Move { home, paths, encapsulation, sending: spi(SUITE) });
    exit
}
