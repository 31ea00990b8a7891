//! One end's two halves and their batches: what the worker threads are in the programs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use protocol::sa::Role;
use protocol::tunnel::{
    Command, Counters, EntryPoint, Event, ExitPoint, IcmpSources, PacketBatch, Place, ReceiveBatch, SendBatch, SocketId, Verdict,
};
use rand::rngs::StdRng;

use super::Datagram;

/// A datagram that is to be sent: from which socket, where to, what.
pub(super) type Outgoing = (SocketId, SocketAddr, Vec<u8>);

pub(super) struct End {
    entry: EntryPoint,
    exit: ExitPoint,
    pub(super) counters: Arc<Counters>,
    /// Inner packets that came out of the tunnel.
    pub(super) delivered: Vec<Vec<u8>>,
    /// ICMP errors that answered inner packets.
    pub(super) answered: Vec<Vec<u8>>,
}

/// For a Mobility Header, an ICMP error, or what stands around a packet.
const ROOM: usize = 2048;

impl End {
    pub(super) fn new(role: Role, icmp: IcmpSources) -> Self {
        let counters = Arc::new(Counters::default());
        Self {
            entry: EntryPoint::new(role, counters.clone(), icmp),
            exit: ExitPoint::new(role, counters.clone()),
            counters,
            delivered: Vec::new(),
            answered: Vec::new(),
        }
    }

    pub(super) fn apply(&mut self, command: &Command, rng: &mut StdRng) -> Vec<Outgoing> {
        let mut sent = Vec::new();
        self.exit.apply(command);
        loop {
            let mut send = SendBatch::new(16, ROOM);
            let is_full = self.entry.apply(command, rng, &mut send);
            sent.extend(outgoing(&send));
            if !is_full {
                return sent;
            }
        }
    }

    pub(super) fn send(&mut self, packet: &[u8], now: Instant, rng: &mut StdRng) -> Vec<Outgoing> {
        let (mut packets, mut replies) = (PacketBatch::new(1, packet.len()), PacketBatch::new(1, ROOM));
        assert!(packets.push(packet), "a packet fits in the batch");
        let mut send = SendBatch::new(16, packet.len() + ROOM);
        let rest = self.entry.handle_packets(&packets, Place::default(), now, rng, &mut send, &mut replies);
        assert_eq!(rest, None);
        self.answered.extend(replies.iter().map(<[u8]>::to_vec));
        outgoing(&send)
    }

    pub(super) fn receive(&mut self, socket: SocketId, datagram: &Datagram, now: Instant) {
        let len = datagram.octets.len();
        let mut batch = ReceiveBatch::new(1, len);
        batch.arena().copy_from_slice(&datagram.octets);
        batch.push(0..len, socket, datagram.from);
        let mut verdicts = Vec::new();
        self.exit.handle_datagrams(&mut batch, now, &mut verdicts);
        for verdict in verdicts {
            if let Verdict::Deliver(range) = verdict {
                self.delivered.push(batch.octets(range).to_vec());
            }
        }
    }

    /// The next thing that either half has to say.
    pub(super) fn poll_event(&mut self) -> Option<Event> {
        self.exit.poll_event().or_else(|| self.entry.poll_event())
    }
}

fn outgoing(send: &SendBatch) -> Vec<Outgoing> {
    send.iter().map(|(out, octets)| (out.socket, out.to, octets.to_vec())).collect()
}
