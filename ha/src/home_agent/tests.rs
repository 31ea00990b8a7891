//! Binding Updates and what else comes in, as a home agent takes it; each row with what the RFCs say of it.

mod detection;
mod heartbeat;
mod ipv4_home;
mod mobile_router;
mod nat;
mod registration;
mod relays;
mod renewal;
mod resend;
mod returning;
mod sa_life;
mod sessions;
mod several;

use std::net::SocketAddr;

use protocol::addr::HomeAddresses;
use protocol::profile::WireProfile;
use protocol::sa::{CipherSuite, SecurityAssociation, UserData};
use protocol::time::Lifetime;
use protocol::tunnel::{DropReason, Encapsulation, Paths, Sighting, SignallingReceived, SocketId};
use protocol::wire::checksum;
use protocol::wire::mobility::{
    BindingAcknowledgement, BindingIdentifiers, BindingUpdate, CareOf, Ends, Heartbeat, Ipv4Home, MobileRouter, MobilityMessage,
};
use protocol::wire::signalling::{self, Signalling};

use super::*;

const SPI: u32 = 0x1234;
const CARE_OF: [u8; 4] = [198, 51, 100, 7];

/// A home agent with one SA, and the node at the other end of it.
struct Story {
    ha: HomeAgent,
    counters: Arc<Counters>,
    now: Instant,
    sa: SecurityAssociation,
    /// The SA's sequence number of the node's next packet.
    number: u32,
}

/// What the home agent has said.
#[derive(Debug, Default)]
struct Said {
    acknowledgements: Vec<BindingAcknowledgement>,
    /// Where Binding Refresh Requests went to.
    requests: Vec<SocketAddr>,
    /// The token in each of them.
    tokens: Vec<Option<protocol::wire::mobility::PathToken>>,
    heartbeats: Vec<(SocketAddr, Heartbeat)>,
    others: Vec<Command>,
}

impl Said {
    /// Status, sequence number and lifetime of each acknowledgement.
    fn answers(&self) -> Vec<(u8, u16, u16)> {
        self.acknowledgements.iter().map(|ba| (ba.status.0, ba.sequence, ba.lifetime.units())).collect()
    }

    /// Where packets go from now on.
    fn paths(&self) -> &Paths {
        match &self.others[..] {
            [Command::Move { paths, .. }] => paths,
            others => panic!("the downlink is not moved once but {others:?}"),
        }
    }

    fn is_nothing(&self) -> bool {
        self.acknowledgements.is_empty() && self.requests.is_empty() && self.heartbeats.is_empty() && self.others.is_empty()
    }
}

impl Story {
    fn new() -> Self {
        Self::with(association(SPI))
    }

    fn with(sa: SecurityAssociation) -> Self {
        let counters = Arc::new(Counters::default());
        let config = HomeAgentConfig { longest_binding: Duration::from_secs(600), own_addresses: vec![[203, 0, 113, 1].into()] };
        let ha = HomeAgent::new(config, counters.clone());
        let mut story = Self { ha, counters, now: Instant::now(), sa: sa.clone(), number: 0 };
        story.install(sa, 0);
        story
    }

    fn install(&mut self, sa: SecurityAssociation, lease: u32) {
        let valid_until = self.now + Duration::from_secs(1000);
        self.ha.handle_sa(Arc::new(Install::new(sa, valid_until, lease)), self.now);
        assert!(matches!(self.ha.poll_command(), Some(Command::Install(_))));
    }

    /// The node uses another SA with the same home addresses, which the home agent gets now.
    fn gets_new_sa(&mut self, spi: u32) {
        self.sa.spi = Spi::new(spi).unwrap();
        self.install(self.sa.clone(), 0);
    }

    /// A Binding Update comes in from the care-of address.
    fn receives(&mut self, update: BindingUpdate) -> Said {
        self.receives_from(update, (CARE_OF, 5000).into())
    }

    fn receives_from(&mut self, update: BindingUpdate, from: SocketAddr) -> Said {
        self.receives_under(self.sa.spi, 0, update, from)
    }

    fn receives_under(&mut self, spi: Spi, lease: u32, update: BindingUpdate, from: SocketAddr) -> Said {
        let home = self.sa.home.in_mobility_header();
        let ends = Ends { source: home, destination: self.sa.home_agent.in_mobility_header() };
        let header = MobilityMessage::BindingUpdate(update).emit(ends);
        let payload = signalling::behind_home_address_option(home, &header);
        self.receives_payload(spi, lease, payload, from)
    }

    /// Like [`Self::receives`], with an option behind the others that nothing of ours writes.
    fn receives_with_option(&mut self, update: BindingUpdate, option: &[u8]) -> Said {
        let home = self.sa.home.in_mobility_header();
        let ends = Ends { source: home, destination: self.sa.home_agent.in_mobility_header() };
        let mut header = MobilityMessage::BindingUpdate(update).emit(ends);
        header.extend(option);
        header.resize(header.len().next_multiple_of(8), 0);
        header[1] = (header.len() / 8 - 1) as u8;
        header[4..6].fill(0);
        let sum = checksum::with_pseudo_header(ends.source, ends.destination, signalling::MOBILITY, &header);
        header[4..6].copy_from_slice(&sum.to_be_bytes());
        let payload = signalling::behind_home_address_option(home, &header);
        self.receives_payload(self.sa.spi, 0, payload, (CARE_OF, 5000).into())
    }

    fn receives_payload(&mut self, spi: Spi, lease: u32, payload: Vec<u8>, from: SocketAddr) -> Said {
        let (sequence, next_header) = (self.next_number(), signalling::DESTINATION_OPTIONS);
        let received = SignallingReceived { spi, sequence, socket: SocketId(0), from, next_header, payload, lease };
        self.hears(Event::Signalling(received))
    }

    /// Another node comes, and speaks from now on; gives the association of the one before.
    fn comes(&mut self, other: SecurityAssociation) -> SecurityAssociation {
        self.install(other.clone(), 0);
        std::mem::replace(&mut self.sa, other)
    }

    /// The node's user data is seen from there.
    fn sees(&mut self, from: SocketAddr) -> Said {
        let sequence = self.next_number();
        self.sees_number(sequence, from)
    }

    fn passes_and_sees(&mut self, seconds: u64, from: SocketAddr) -> Said {
        self.passes(seconds);
        self.sees(from)
    }

    fn sees_number(&mut self, sequence: u32, from: SocketAddr) -> Said {
        self.hears(Event::Sighted(Sighting { spi: self.sa.spi, sequence, socket: SocketId(0), from }))
    }

    fn hears(&mut self, event: Event) -> Said {
        self.ha.handle_event(&event, self.now, &mut rand::rng());
        self.said()
    }

    /// Time passes; what falls due is done at its instant.
    fn passes(&mut self, seconds: u64) -> Said {
        let end = self.now + Duration::from_secs(seconds);
        while let Some((due, _)) = self.ha.poll_timeout().filter(|(due, _)| *due <= end) {
            self.ha.handle_timeout(due);
        }
        self.now = end;
        self.said()
    }

    /// The SAs that the HAC is to be told of.
    fn registered(&mut self) -> Vec<u32> {
        std::iter::from_fn(|| self.ha.poll_registered()).map(Spi::get).collect()
    }

    fn next_number(&mut self) -> u32 {
        self.number += 1;
        // Packets that are not numbered all have 0.
        if self.sa.is_numbered() { self.number } else { 0 }
    }

    fn said(&mut self) -> Said {
        let mut said = Said::default();
        while let Some(command) = self.ha.poll_command() {
            if let Command::Probe { path, next_header, payload, .. } = &command {
                let MobilityMessage::Heartbeat(heartbeat) = self.reads(*next_header, payload) else { panic!("{command:?}") };
                said.heartbeats.push((path.remote, heartbeat));
            } else if let Command::Signal { paths, next_header, payload, .. } = &command {
                match self.reads(*next_header, payload) {
                    MobilityMessage::BindingAcknowledgement(ba) => said.acknowledgements.push(ba),
                    MobilityMessage::BindingRefreshRequest(request) => {
                        said.requests.extend(paths.iter().map(|path| path.remote));
                        said.tokens.push(request.path_check);
                    }
                    other @ (MobilityMessage::BindingUpdate(_)
                    | MobilityMessage::BindingError(_)
                    | MobilityMessage::Heartbeat(_)) => {
                        panic!("the home agent sends {other:?}")
                    }
                }
            } else {
                said.others.push(command);
            }
        }
        said
    }

    /// As the node reads it: an acknowledgement stands behind a routing header, a request stands alone.
    fn reads(&self, next_header: u8, payload: &[u8]) -> MobilityMessage {
        let home = self.sa.home.in_mobility_header();
        let parsed = Signalling::parse(next_header, payload).unwrap();
        let ends = Ends { source: self.sa.home_agent.in_mobility_header(), destination: home };
        let message = MobilityMessage::parse(parsed.mobility_header, ends).unwrap();
        let is_answer = matches!(message, MobilityMessage::BindingAcknowledgement(_));
        assert_eq!((parsed.routing_header, parsed.home_address_option), (is_answer.then_some(home), None));
        message
    }
}

fn association(spi: u32) -> SecurityAssociation {
    fixture::association(Spi::new(spi).unwrap(), CipherSuite::NullSha)
}

/// Another node of the same home agent.
fn another(spi: u32) -> SecurityAssociation {
    let home = HomeAddresses::new("2001:db8:100::9".parse().ok(), Some([10, 9, 0, 9].into())).unwrap();
    SecurityAssociation { home, ..association(spi) }
}

fn update(sequence: u16) -> BindingUpdate {
    BindingUpdate {
        sequence,
        acknowledge: true,
        home_registration: true,
        lifetime: Lifetime::from_units(300),
        care_of: Some(CareOf::Ip4(CARE_OF.into())),
        ipv4_home: Some(Ipv4Home { prefix_len: 32, address: [0, 0, 0, 0].into() }),
        path_check: None,
        received: None,
        identifiers: BindingIdentifiers::None,
        overwrite: false,
        mobile_router: MobileRouter::No,
    }
}

fn goodbye(sequence: u16) -> BindingUpdate {
    BindingUpdate { lifetime: Lifetime::ZERO, ..update(sequence) }
}
