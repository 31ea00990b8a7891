//! Both ends of tunnels, joined by nothing but their batches, which are made once.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::sa::{Role, SecurityAssociation};
use protocol::tunnel::batch::Received;
use protocol::tunnel::{
    Command, Counters, Encapsulation, EntryPoint, ExitPoint, IcmpSources, Install, PacketBatch, Path, Paths, Place, ReceiveBatch,
    SendBatch, SocketId, Verdict,
};
use rand::SeedableRng;
use rand::rngs::StdRng;

/// Where a mobile node is seen from, and where the home agent is.
pub(crate) const CARE_OF: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)), 5000);
pub(crate) const HOME_AGENT: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xf, 0, 0, 0, 0, 1)), 7872);

/// Packets of one batch: more than are sealed or opened together, in several runs.
pub(crate) const BATCH: usize = 100;
const ROOM: usize = BATCH * 2_048;

/// Both halves of one end.
pub(crate) struct End {
    pub(crate) entry: EntryPoint,
    pub(crate) exit: ExitPoint,
    pub(crate) counters: Arc<Counters>,
}

impl End {
    pub(crate) fn new(role: Role) -> Self {
        let counters = Arc::new(Counters::default());
        let entry = EntryPoint::new(role, counters.clone(), IcmpSources::default());
        Self { entry, exit: ExitPoint::new(role, counters.clone()), counters }
    }

    /// Tells both halves.
    pub(crate) fn apply(&mut self, command: &Command, wire: &mut Wire) {
        self.exit.apply(command);
        self.entry.apply(command, &mut wire.rng, &mut wire.send);
    }

    /// Delivers `sa` to both halves, and lets go of it.
    pub(crate) fn installs(&mut self, sa: SecurityAssociation, now: Instant, wire: &mut Wire) {
        let valid_until = now + Duration::from_secs(86_400);
        let install = Install::new(sa, valid_until, 0);
        self.apply(&Command::Install(Arc::new(install)), wire);
    }

    /// Binds the home addresses of `sa` to `remote`.
    pub(crate) fn binds(&mut self, sa: &SecurityAssociation, encapsulation: Encapsulation, remote: SocketAddr, wire: &mut Wire) {
        let paths = Paths::one(Path::proved(SocketId(0), remote));
        self.apply(&Command::Move { home: sa.home, paths, encapsulation, sending: sa.spi }, wire);
    }
}

/// What carries datagrams from an entry-point to an exit-point.
pub(crate) struct Wire {
    pub(crate) rng: StdRng,
    pub(crate) send: SendBatch,
    receive: ReceiveBatch,
    replies: PacketBatch,
    verdicts: Vec<Verdict>,
}

impl Wire {
    pub(crate) fn new() -> Self {
        Self {
            rng: StdRng::seed_from_u64(6618),
            send: SendBatch::new(BATCH, ROOM),
            receive: ReceiveBatch::new(BATCH, ROOM),
            replies: PacketBatch::new(BATCH, ROOM),
            verdicts: Vec::with_capacity(BATCH),
        }
    }

    /// Carries `packets` through both; gives how many came out.
    pub(crate) fn carry(
        &mut self,
        packets: &PacketBatch,
        from: &mut End,
        to: &mut End,
        source: SocketAddr,
        now: Instant,
    ) -> usize {
        self.send.clear();
        let rest = from.entry.handle_packets(packets, Place::default(), now, &mut self.rng, &mut self.send, &mut self.replies);
        assert_eq!(rest, None);
        self.receive.clear();
        let mut start = 0;
        for (run, octets) in self.send.iter() {
            let range = start..start + octets.len();
            start = range.end;
            self.receive.arena()[range.clone()].copy_from_slice(octets);
            let traffic_class = run.traffic_class;
            self.receive.push_with(Received { range, socket: SocketId(0), from: source, traffic_class });
        }
        to.exit.handle_datagrams(&mut self.receive, now, &mut self.verdicts);
        self.verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Deliver(_))).count()
    }
}
