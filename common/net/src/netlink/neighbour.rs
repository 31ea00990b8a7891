//! What the kernel says of its neighbours on a link (RFC 4861 section 7.3, RFC 826): whether the one that packets go to answers.
//!
//! A filter in the kernel lets through only what begins or ends a doubt, so that a host with many neighbours is not woken by each.

use std::io;
use std::net::IpAddr;

use libc::{BPF_ABS, BPF_H, BPF_JEQ, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET};
use rtnetlink::packet_route::neighbour::{NeighbourMessage, NeighbourState};
use rtnetlink::sys::Socket;
use socket2::{SockFilter, SockRef};

use super::proxy::destination;

/// A neighbour about which something is known anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// The index of the interface on whose link it is.
    pub interface: u32,
    /// Its address.
    pub address: IpAddr,
    /// What is known.
    pub answers: Answers,
}

/// Whether a neighbour answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// It has answered (NUD_REACHABLE).
    Yes,
    /// It is asked, since nothing has been heard of it for a while (NUD_PROBE).
    Asked,
    /// It was asked several times and has not (NUD_FAILED).
    No,
}

/// Of `struct nlmsghdr`, behind its length.
const MESSAGE_TYPE: u32 = 4;
/// Of `struct ndmsg`, behind a header of 16 octets.
const STATE: u32 = 16 + 8;

/// Has `socket` hear only of neighbours whose state is one of [`Answers`].
pub(super) fn listen_for_answers(socket: &Socket) -> io::Result<()> {
    SockRef::from(socket).attach_filter(&program())
}

fn program() -> [SockFilter; 6] {
    // A load swaps the octets where the host's order is not the network's; the fields are in the host's.
    let in_host_order = |value: u16| u32::from(u16::from_be_bytes(value.to_ne_bytes()));
    let states = libc::NUD_REACHABLE | libc::NUD_PROBE | libc::NUD_FAILED;
    let instruction = |code: u32, jt, jf, k| SockFilter::new(code as u16, jt, jf, k);
    [
        instruction(BPF_LD | BPF_H | BPF_ABS, 0, 0, MESSAGE_TYPE),
        instruction(BPF_JMP | BPF_JEQ | BPF_K, 0, 3, in_host_order(libc::RTM_NEWNEIGH)),
        instruction(BPF_LD | BPF_H | BPF_ABS, 0, 0, STATE),
        instruction(BPF_JMP | BPF_JSET | BPF_K, 0, 1, in_host_order(states)),
        instruction(BPF_RET | BPF_K, 0, 0, u32::MAX),
        instruction(BPF_RET | BPF_K, 0, 0, 0),
    ]
}

impl Neighbour {
    /// `None` for another state, and for an entry without an address.
    pub(super) fn parse(message: &NeighbourMessage) -> Option<Self> {
        let answers = [
            (NeighbourState::Reachable, Answers::Yes),
            (NeighbourState::Probe, Answers::Asked),
            (NeighbourState::Failed, Answers::No),
        ];
        let (_, answers) = answers.into_iter().find(|(state, _)| *state == message.header.state)?;
        let address = message.attributes.iter().find_map(destination)?;
        Some(Self { interface: message.header.ifindex, address, answers })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fixture::{in_new_network_namespace_async, shell};
    use tokio::time::timeout;

    use super::*;
    use crate::netlink::{Event, Monitor, Netlink};

    async fn next(monitor: &mut Monitor) -> Option<Event> {
        Some(timeout(Duration::from_millis(300), monitor.next()).await.ok()?.unwrap())
    }

    #[test]
    fn a_monitor_of_neighbours_tells_of_those_that_answer_or_do_not_and_of_nothing_else() {
        in_new_network_namespace_async(|| async {
            shell("ip link add wifi type veth peer name far && ip link set wifi up && ip link set far up");
            let netlink = Netlink::connect().unwrap();
            let wifi = netlink.link_index("wifi").await.unwrap();
            let mut monitor = Monitor::open_for_neighbours().unwrap();
            let mac = "lladdr 02:00:00:00:00:01";
            shell(&format!("ip neighbour add 198.51.100.1 {mac} dev wifi nud stale"));
            shell(&format!("ip neighbour add 198.51.100.9 {mac} dev wifi nud permanent && ip link set wifi mtu 1400"));
            shell("ip address add 198.51.100.7/24 dev wifi");
            let states = [("reachable", Answers::Yes), ("probe", Answers::Asked), ("failed", Answers::No)];
            for address in ["198.51.100.1", "fe80::1"] {
                for (state, answers) in states {
                    shell(&format!("ip neighbour replace {address} {mac} dev wifi nud {state}"));
                    let neighbour = Neighbour { interface: wifi, address: address.parse().unwrap(), answers };
                    assert_eq!(next(&mut monitor).await, Some(Event::Neighbour(neighbour)), "{state}");
                }
                shell(&format!("ip neighbour flush to {address} dev wifi nud failed"));
            }
            assert_eq!(next(&mut monitor).await, None);
        });
    }

    #[test]
    fn the_kernel_says_when_a_neighbour_that_is_not_there_has_been_asked_often_enough() {
        in_new_network_namespace_async(|| async {
            shell("ip link add wifi type veth peer name far && ip link set wifi up && ip link set far up");
            shell("echo 50 > /proc/sys/net/ipv4/neigh/wifi/retrans_time_ms");
            shell("ip address add 198.51.100.7/24 dev wifi");
            let mut monitor = Monitor::open_for_neighbours().unwrap();
            let socket = std::net::UdpSocket::bind("198.51.100.7:0").unwrap();
            let _queued = socket.send_to(b"who is there", "198.51.100.1:9");
            let Some(Event::Neighbour(said)) = next(&mut monitor).await else { panic!("nothing") };
            assert_eq!((said.address, said.answers), ([198, 51, 100, 1].into(), Answers::No));
        });
    }
}
