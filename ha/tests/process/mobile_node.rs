//! A mobile node without its own control: the two tunnel halves over a UDP socket.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use feed::Provisioned;
use protocol::addr::HomeAddresses;
use protocol::sa::{Role, SecurityAssociation};
use protocol::time::Lifetime;
use protocol::tunnel::entry::IcmpSources;
use protocol::tunnel::exit::Verdict;
use protocol::tunnel::{
    Command, Counters, Encapsulation, EntryPoint, Event, ExitPoint, Install, PacketBatch, Path, Paths, Place, ReceiveBatch,
    SendBatch, SignallingReceived, SocketId,
};
use protocol::wire::checksum;
use protocol::wire::ip::InnerPacket;
use protocol::wire::mobility::{
    BindingAcknowledgement, BindingIdentifiers, BindingUpdate, CareOf, Ends, Ipv4Home, MobileRouter, MobilityMessage, PathToken,
};
use protocol::wire::signalling::{self, Signalling};

pub(crate) const HOME6: &str = "2001:db8:100::5";
pub(crate) const HOME4: &str = "10.9.0.5";
const HOME_AGENT_INSIDE: &str = "2001:db8:100::1";
const HOME_AGENT: &str = "198.51.100.1:7872";
const CARE_OF: &str = "192.0.2.7";
/// A private address: what comes from [`CARE_OF`] has been translated.
const BEHIND_NAT: &str = "192.168.1.7";

/// What it asks for with a Binding Update.
const LIFETIME: Lifetime = Lifetime::from_units(100);

pub(crate) struct MobileNode {
    sa: SecurityAssociation,
    socket: UdpSocket,
    entry: EntryPoint,
    exit: ExitPoint,
    pings: u16,
}

impl MobileNode {
    pub(crate) fn new(provisioned: &Provisioned) -> Self {
        let sa = provisioned.sa.clone();
        let counters = Arc::new(Counters::default());
        let entry = EntryPoint::new(Role::MobileNode, counters.clone(), IcmpSources::default());
        let exit = ExitPoint::new(Role::MobileNode, counters);
        let mut node = Self { sa: sa.clone(), socket: open(), entry, exit, pings: 0 };
        let install = Install::new(sa.clone(), Instant::now() + Duration::from_secs(600), 0);
        node.obeys(&Command::Install(Arc::new(install)));
        let paths = Paths::one(path());
        node.obeys(&Command::Move { home: sa.home, paths, encapsulation: Encapsulation::ProtectedUdp, sending: sa.spi });
        node
    }

    /// Sends a Binding Update and gives the status of the Binding Acknowledgement.
    pub(crate) fn binds(&mut self, sequence: u16) -> u8 {
        self.updates(sequence, CARE_OF, None).status.0
    }

    /// Binds as a node behind a NAT does: its care-of address is not where its packets seem to come from.
    pub(crate) fn binds_behind_nat(&mut self, sequence: u16, token: Option<PathToken>) -> BindingAcknowledgement {
        self.updates(sequence, BEHIND_NAT, token)
    }

    /// Uses another port from now on, as if a NAT mapped it anew; gives the socket that it had.
    pub(crate) fn is_mapped_anew(&mut self) -> UdpSocket {
        std::mem::replace(&mut self.socket, open())
    }

    /// Sends from another address from now on.
    pub(crate) fn is_at(&mut self, address: IpAddr) {
        self.socket = open_at(address);
    }

    /// The next Mobility Header that comes in; inner packets may come before it, since the home agent answers each from a
    /// thread of its own.
    pub(crate) fn receives_message(&mut self) -> MobilityMessage {
        let received = std::iter::from_fn(|| self.receives()).find_map(|(_, received)| received);
        let received = received.expect("a Mobility Header comes in");
        let parsed = Signalling::parse(received.next_header, &received.payload).unwrap();
        let (home, home_agent) = (self.sa.home.in_mobility_header(), self.sa.home_agent.in_mobility_header());
        MobilityMessage::parse(parsed.mobility_header, Ends { source: home_agent, destination: home }).unwrap()
    }

    /// The next Binding Acknowledgement: it is what comes in.
    pub(crate) fn is_acknowledged(&mut self) -> BindingAcknowledgement {
        let message = self.receives_message();
        let MobilityMessage::BindingAcknowledgement(acknowledgement) = message else { panic!("{message:?} came in") };
        acknowledgement
    }

    /// Octets of the datagram that brings an inner packet; `None` when nothing comes.
    pub(crate) fn receives_packet(&mut self) -> Option<usize> {
        let mut peeked = [0; 65_536];
        let len = self.socket.peek(&mut peeked).ok()?;
        let (packet, _) = self.receives()?;
        packet.map(|_| len)
    }

    /// De-registers and gives the status of the Binding Acknowledgement.
    pub(crate) fn says_goodbye(&mut self, sequence: u16) -> u8 {
        self.sends_update(sequence, CARE_OF, None, Lifetime::ZERO);
        self.is_acknowledged().status.0
    }

    /// Where its datagrams come from.
    pub(crate) fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    fn updates(&mut self, sequence: u16, care_of: &str, token: Option<PathToken>) -> BindingAcknowledgement {
        self.sends_update(sequence, care_of, token, LIFETIME);
        let message = self.is_acknowledged();
        assert_eq!(message.sequence, sequence);
        message
    }

    /// Sends a Binding Update and waits for nothing.
    pub(crate) fn sends_binding_update(&mut self, sequence: u16) {
        self.sends_update(sequence, CARE_OF, None, LIFETIME);
    }

    fn sends_update(&mut self, sequence: u16, care_of: &str, token: Option<PathToken>, lifetime: Lifetime) {
        let update = BindingUpdate {
            sequence,
            acknowledge: true,
            home_registration: true,
            lifetime,
            care_of: Some(CareOf::Ip4(care_of.parse().unwrap())),
            ipv4_home: Some(Ipv4Home { prefix_len: 32, address: [0, 0, 0, 0].into() }),
            path_check: token,
            received: None,
            identifiers: BindingIdentifiers::None,
            overwrite: false,
            mobile_router: MobileRouter::No,
        };
        let (home, home_agent) = (self.sa.home.in_mobility_header(), self.sa.home_agent.in_mobility_header());
        let header = MobilityMessage::BindingUpdate(update).emit(Ends { source: home, destination: home_agent });
        let payload = signalling::behind_home_address_option(home, &header);
        let (spi, next_header) = (self.sa.spi, signalling::DESTINATION_OPTIONS);
        self.obeys(&Command::Signal { spi, paths: Paths::one(path()), next_header, payload });
    }

    /// Sends an echo request to the home agent's own inner address; tells whether the reply came.
    pub(crate) fn pings_home_agent(&mut self) -> bool {
        self.pings(HOME_AGENT_INSIDE)
    }

    /// Sends `packet` as it is under its own SA, whatever its inner source: the node lies.
    pub(crate) fn forges(&mut self, packet: &[u8]) {
        let source = InnerPacket::parse(packet).unwrap().source;
        let IpAddr::V6(source) = source else { panic!("forged packets are IPv6 here") };
        let (paths, sending) = (Paths::one(path()), self.sa.spi);
        let claim = |home| Command::Move { home, paths: paths.clone(), encapsulation: Encapsulation::ProtectedUdp, sending };
        self.entry.apply(&claim(HomeAddresses::new(Some(source), None).unwrap()), &mut rand::rng(), &mut SendBatch::new(1, 0));
        self.sends(packet);
        self.entry.apply(&claim(self.sa.home), &mut rand::rng(), &mut SendBatch::new(1, 0));
    }

    /// Sends a UDP datagram of its own to `destination`.
    pub(crate) fn sends_datagram(&mut self, destination: SocketAddrV6) {
        self.sends(&datagram(HOME6.parse().unwrap(), destination));
    }

    fn sends(&mut self, packet: &[u8]) {
        let mut packets = PacketBatch::new(1, 65_536);
        assert!(packets.push(packet));
        let (mut send, mut replies) = (SendBatch::new(4, 65_536), PacketBatch::new(1, 65_536));
        let rest =
            self.entry.handle_packets(&packets, Place::default(), Instant::now(), &mut rand::rng(), &mut send, &mut replies);
        assert_eq!(rest, None);
        assert_eq!(send.len(), 1, "the node sends its own packet");
        self.transmits(&send);
    }

    /// Sends an echo request; tells whether the reply came.
    pub(crate) fn pings(&mut self, destination: &str) -> bool {
        let (home, destination): (Ipv6Addr, Ipv6Addr) = (HOME6.parse().unwrap(), destination.parse().unwrap());
        self.requests_echo(destination);
        let expected = echo(destination, home, 129, self.pings);
        // The hop limit and the flow label are the kernel's; the rest is known.
        let packet = self.receives().and_then(|(packet, _)| packet);
        packet.is_some_and(|packet| {
            assert_eq!(packet[8..], expected[8..]);
            true
        })
    }

    /// Answers the echo request that comes in while `somebody` pings; tells what they say.
    pub(crate) fn is_pinged(&mut self, somebody: impl FnOnce() -> bool + Send) -> bool {
        std::thread::scope(|scope| {
            let answered = scope.spawn(somebody);
            if let Some((Some(packet), _)) = self.receives() {
                self.answers_echo(&packet);
            }
            answered.join().unwrap()
        })
    }

    /// RFC 4443 section 4.2: the same data to where the request came from.
    fn answers_echo(&mut self, request: &[u8]) {
        let [source, destination] = [8, 24].map(|at| Ipv6Addr::from(*request[at..].first_chunk::<16>().unwrap()));
        let mut message = request[40..].to_vec();
        message[0] = 129;
        message[2..4].fill(0);
        let sum = checksum::with_pseudo_header(destination, source, 58, &message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        self.sends(&packet(destination, source, 58, &message));
    }

    /// Whether the home agent's reply to the latest echo request comes, past those to earlier ones.
    pub(crate) fn hears_latest_reply(&mut self) -> bool {
        let expected = echo(HOME_AGENT_INSIDE.parse().unwrap(), HOME6.parse().unwrap(), 129, self.pings);
        while let Some((packet, _)) = self.receives() {
            if packet.is_some_and(|packet| packet[8..] == expected[8..]) {
                return true;
            }
        }
        false
    }

    /// Sends an echo request to the home agent and waits for nothing.
    pub(crate) fn sends_echo_request(&mut self) {
        self.requests_echo(HOME_AGENT_INSIDE.parse().unwrap());
    }

    fn requests_echo(&mut self, destination: Ipv6Addr) {
        self.pings += 1;
        self.sends(&echo(HOME6.parse().unwrap(), destination, 128, self.pings));
    }

    fn obeys(&mut self, command: &Command) {
        let mut send = SendBatch::new(4, 65_536);
        self.entry.apply(command, &mut rand::rng(), &mut send);
        self.exit.apply(command);
        self.transmits(&send);
    }

    fn transmits(&self, send: &SendBatch) {
        for (outgoing, octets) in send.iter() {
            self.socket.send_to(octets, outgoing.to).unwrap();
        }
    }

    /// The next datagram's inner packet or signalling; `None` when nothing comes.
    fn receives(&mut self) -> Option<(Option<Vec<u8>>, Option<SignallingReceived>)> {
        let mut datagram = vec![0; 65_536];
        let (len, from) = self.socket.recv_from(&mut datagram).ok()?;
        let mut batch = ReceiveBatch::new(1, datagram.len());
        batch.arena()[..len].copy_from_slice(&datagram[..len]);
        batch.push(0..len, SocketId(0), from);
        let mut verdicts = Vec::new();
        self.exit.handle_datagrams(&mut batch, Instant::now(), &mut verdicts);
        match verdicts.remove(0) {
            Verdict::Deliver(range) => Some((Some(batch.octets(range).to_vec()), None)),
            Verdict::Consumed => Some((None, self.signalling())),
            Verdict::Drop(reason) => panic!("the node drops what it got: {reason}"),
            Verdict::PassOn(_) => unreachable!("an exit-point for all SAs"),
        }
    }

    /// A home agent's later lease begins with numbers that look worn out.
    fn signalling(&mut self) -> Option<SignallingReceived> {
        std::iter::from_fn(|| self.exit.poll_event()).find_map(|event| match event {
            Event::Signalling(received) => Some(received),
            Event::WearingOut(_) | Event::Heard(_) => None,
            Event::Sighted(_) | Event::LookUp(_) => panic!("the node's exit-point says {event:?}"),
        })
    }
}

fn open() -> UdpSocket {
    open_at(CARE_OF.parse().unwrap())
}

fn open_at(address: IpAddr) -> UdpSocket {
    let socket = UdpSocket::bind((address, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    socket
}

fn path() -> Path {
    Path::proved(SocketId(0), HOME_AGENT.parse::<SocketAddr>().unwrap())
}

/// ICMPv6 echo request (128) or reply (129) in an IPv6 packet (RFC 4443 section 4).
pub(crate) fn echo(source: Ipv6Addr, destination: Ipv6Addr, kind: u8, number: u16) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0, 0x78, 0x72];
    message.extend(number.to_be_bytes());
    message.extend(b"through the tunnel");
    let sum = checksum::with_pseudo_header(source, destination, 58, &message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    packet(source, destination, 58, &message)
}

/// UDP in an IPv6 packet.
fn datagram(source: Ipv6Addr, destination: SocketAddrV6) -> Vec<u8> {
    let payload = b"through the tunnel";
    let [ports, len] =
        [[4711, destination.port()], [8 + payload.len() as u16, 0]].map(|pair| pair.map(u16::to_be_bytes).concat());
    let mut message = [ports, len, payload.to_vec()].concat();
    let sum = checksum::with_pseudo_header(source, *destination.ip(), 17, &message);
    message[6..8].copy_from_slice(&sum.to_be_bytes());
    packet(source, *destination.ip(), 17, &message)
}

fn packet(source: Ipv6Addr, destination: Ipv6Addr, protocol: u8, message: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((message.len() as u16).to_be_bytes());
    packet.extend([protocol, 64]);
    packet.extend(source.octets());
    packet.extend(destination.octets());
    packet.extend(message);
    packet
}
