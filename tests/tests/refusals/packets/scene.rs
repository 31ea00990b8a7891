//! A scene: an end, the association that it has, and whoever sends to it, with or without the keys of the other end.

use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use fixture::{HOME4, HOME6, association};
use protocol::profile::WireProfile;
use protocol::sa::cipher::{Transform, layout};
use protocol::sa::{CipherSuite, Role, SecurityAssociation, Spi, UserData};
use protocol::time::Lifetime;
use protocol::wire::envelope::{self, Envelope, PType};
use protocol::wire::mobility::{BindingAcknowledgement, BindingRefreshRequest, Ends, MobilityMessage, Status};
use protocol::wire::signalling::Signalling;
use tests::sim::packet::{CORRESPONDENT4, CORRESPONDENT6, udp};

use super::end::End;
use super::{CARE_OF, Given, HOME_AGENT};

const SPI: u32 = 0x123_4567;

/// See the module.
pub(super) struct Scene {
    pub(super) role: Role,
    pub(super) suite: CipherSuite,
    pub(super) now: Instant,
    /// Where the next datagrams come from.
    pub(super) from: SocketAddr,
    /// The outer header's Traffic Class of the next datagrams.
    pub(super) traffic_class: u8,
    pub(super) end: End,
    given: Given,
    pub(super) sa: SecurityAssociation,
    /// The other end's next sequence number under the association.
    pub(super) next: u32,
    /// The mobile node's next Binding Update.
    pub(super) update: Cell<u16>,
}

impl Scene {
    /// Everything before the bad datagram comes.
    pub(super) fn new(role: Role, suite: CipherSuite, given: Given) -> Self {
        let mut sa = association(Spi::new(SPI).unwrap(), suite);
        match given {
            Given::Clear => sa.user_data = UserData::Clear,
            Given::Unnumbered => sa.profile = WireProfile::Draft04,
            Given::Bound | Given::Unbound | Given::StateLost => {}
        }
        let (now, from) = (Instant::now(), if role == Role::HomeAgent { CARE_OF } else { HOME_AGENT });
        let (end, update) = (End::new(role, now), Cell::new(0));
        let mut scene = Self { role, suite, now, from, traffic_class: 0, end, given, sa, next: 0, update };
        scene.end.is_provisioned(scene.sa.clone(), u32::from(given == Given::StateLost), now);
        if !matches!(given, Given::Unbound | Given::StateLost) {
            scene.registers(Status::ACCEPTED);
        }
        scene
    }

    /// What must work whatever was refused before.
    pub(super) fn assert_works(&mut self, place: &str) {
        self.now += Duration::from_secs(2);
        match self.given {
            Given::Bound => self.assert_delivers(Self::packet, place),
            Given::Clear => self.assert_delivers(Self::clear_packet, place),
            Given::Unbound => {
                self.registers(Status::ACCEPTED);
                self.assert_delivers(Self::packet, place);
            }
            Given::StateLost => self.registers(Status::REINIT_SA_WITH_HAC),
            Given::Unnumbered => self.registers(Status::ACCEPTED),
        }
    }

    /// For an association that carries nothing any more: the next one does.
    pub(super) fn assert_works_with_another_association(&mut self, place: &str) {
        self.sa.spi = Spi::new(SPI + 1).unwrap();
        self.next = 0;
        self.update.set(0);
        self.end.is_provisioned(self.sa.clone(), 0, self.now);
        self.registers(Status::ACCEPTED);
        self.assert_works(place);
    }

    fn assert_delivers(&mut self, packet: fn(&mut Self) -> Vec<u8>, place: &str) {
        let datagram = packet(self);
        let delivered = self.takes(&datagram);
        assert_eq!(delivered, Some(self.inner()), "the right packet after: {place}");
    }

    /// One datagram comes in.
    pub(super) fn takes(&mut self, datagram: &[u8]) -> Option<Vec<u8>> {
        self.end.takes(datagram, self.from, self.traffic_class, self.now)
    }

    /// A Binding Update and its acknowledgement, whichever of the two this end has to take.
    fn registers(&mut self, status: Status) {
        match self.role {
            Role::HomeAgent => self.is_updated(status),
            Role::MobileNode => self.is_acknowledged(status),
        }
    }

    fn is_updated(&mut self, status: Status) {
        let datagram = self.update_but(|_| ());
        self.takes(&datagram);
        let answers: Vec<_> = self.end.said().iter().map(|(next, payload)| self.read(*next, payload)).collect();
        let [MobilityMessage::BindingAcknowledgement(answer)] = &answers[..] else { panic!("not one answer: {answers:?}") };
        assert_eq!(answer.status, status);
    }

    /// Its Binding Update, which it has sent by itself or is asked for now.
    fn is_acknowledged(&mut self, status: Status) {
        let mut said = self.end.said();
        if said.is_empty() {
            let request = self.message(&MobilityMessage::BindingRefreshRequest(BindingRefreshRequest::default()));
            self.takes(&request);
            said = self.end.said();
        }
        let (next_header, payload) = said.pop().expect("the node registers");
        let MobilityMessage::BindingUpdate(update) = self.read(next_header, &payload) else { panic!("no Binding Update") };
        let answer = BindingAcknowledgement::new(status, update.sequence, Lifetime::from_units(150));
        let datagram = self.message(&MobilityMessage::BindingAcknowledgement(answer));
        self.takes(&datagram);
        self.end.said();
    }

    fn read(&self, next_header: u8, payload: &[u8]) -> MobilityMessage {
        let Ends { source, destination } = self.ends();
        let sent = Ends { source: destination, destination: source };
        MobilityMessage::parse(Signalling::parse(next_header, payload).unwrap().mobility_header, sent).unwrap()
    }

    /// The inner packet that may cross.
    pub(super) fn inner(&self) -> Vec<u8> {
        self.inner_between(HOME6.into(), CORRESPONDENT6.into())
    }

    /// The same in IPv4.
    pub(super) fn inner4(&self) -> Vec<u8> {
        self.inner_between(HOME4.into(), CORRESPONDENT4.into())
    }

    /// A packet between the node and another, in the direction in which this end receives.
    pub(super) fn inner_between(&self, node: IpAddr, other: IpAddr) -> Vec<u8> {
        match self.role {
            Role::HomeAgent => udp(node, other, b"12345678"),
            Role::MobileNode => udp(other, node, b"12345678"),
        }
    }

    /// Between the node and `other`.
    pub(super) fn inner_with(&self, other: &str) -> Vec<u8> {
        let other: IpAddr = other.parse().unwrap();
        self.inner_between(if other.is_ipv6() { HOME6.into() } else { HOME4.into() }, other)
    }

    /// Between `node` and the correspondent node.
    pub(super) fn inner_of(&self, node: &str) -> Vec<u8> {
        let node: IpAddr = node.parse().unwrap();
        self.inner_between(node, if node.is_ipv6() { CORRESPONDENT6.into() } else { CORRESPONDENT4.into() })
    }

    /// A right packet, PType 1, under the next number.
    pub(super) fn packet(&mut self) -> Vec<u8> {
        let inner = self.inner();
        self.carrying(&inner)
    }

    /// The node's packet to, or from, `other`.
    pub(super) fn packet_with(&mut self, other: &str) -> Vec<u8> {
        self.carrying(&self.inner_with(other))
    }

    /// A packet of somebody else, `node`.
    pub(super) fn packet_of(&mut self, node: &str) -> Vec<u8> {
        self.carrying(&self.inner_of(node))
    }

    /// PType 1 with this inner packet, under the Next Header of its version.
    pub(super) fn carrying(&mut self, inner: &[u8]) -> Vec<u8> {
        let next_header = if inner.first().is_some_and(|first| first >> 4 == 4) { 4 } else { 41 };
        self.sealed(PType::Protected, next_header, inner)
    }

    /// Sealed as the other end does, under the next number.
    pub(super) fn sealed(&mut self, ptype: PType, next_header: u8, payload: &[u8]) -> Vec<u8> {
        let sequence = self.next_number();
        self.sealed_under(sequence, ptype, next_header, payload)
    }

    /// Sealed under a number of one's own choice.
    pub(super) fn sealed_under(&self, sequence: u32, ptype: PType, next_header: u8, payload: &[u8]) -> Vec<u8> {
        self.written(sequence, ptype, next_header, payload, |_| ())
    }

    /// Sealed with something wrong under a right ICV: `spoil` gets envelope, IV, payload, padding, Pad Length and Next Header.
    pub(super) fn written(&self, sequence: u32, ptype: PType, next_header: u8, payload: &[u8], spoil: fn(&mut [u8])) -> Vec<u8> {
        let suite = self.suite;
        let (spi, mut iv) = (self.sa.spi, vec![0x1f; suite.iv_len()]);
        if suite.is_aead() {
            iv = u64::from(sequence).to_be_bytes().to_vec();
        }
        let mut datagram = vec![0; layout::sealed_len(suite, payload.len())];
        layout::write_with_iv(suite, Envelope::emit(ptype, spi, sequence), &iv, next_header, payload, &mut datagram);
        let plain = datagram.len() - suite.icv_len();
        spoil(&mut datagram[..plain]);
        Transform::new(suite, self.sa.keys(self.role.receives())).unwrap().seal(&mut datagram);
        datagram
    }

    /// A right packet with something wrong under a right ICV.
    pub(super) fn packet_but(&mut self, spoil: fn(&mut [u8])) -> Vec<u8> {
        let (sequence, inner) = (self.next_number(), self.inner());
        self.written(sequence, PType::Protected, 41, &inner, spoil)
    }

    /// A right packet whose ICV is made with the keys of the direction in which this end sends: one of its own comes back.
    pub(super) fn reflected(&mut self, ptype: PType) -> Vec<u8> {
        let mut own = self.sa.clone();
        std::mem::swap(&mut own.mn_to_ha, &mut own.ha_to_mn);
        let theirs = std::mem::replace(&mut self.sa, own);
        let (sequence, inner) = (self.next_number(), self.inner());
        let datagram = self.sealed_under(sequence, ptype, 41, &inner);
        self.sa = theirs;
        datagram
    }

    /// A right packet's envelope, and as many octets behind it, of somebody without keys.
    pub(super) fn forged(&mut self) -> Vec<u8> {
        let mut datagram = self.packet();
        let start = envelope::LEN + self.suite.iv_len();
        datagram[start..].fill(0xa5);
        datagram
    }

    fn next_number(&mut self) -> u32 {
        let number = self.next;
        self.next += u32::from(self.sa.is_numbered());
        number
    }

    /// PType 0.
    pub(super) fn clear(&self, inner: &[u8]) -> Vec<u8> {
        [&envelope::CLEAR, inner].concat()
    }

    /// A right packet in the clear.
    pub(super) fn clear_packet(&mut self) -> Vec<u8> {
        self.clear(&self.inner())
    }
}
