//! One end as its program has it, without sockets: a guarded exit-point, its control, and the counters of both.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ha::home_agent::{HomeAgent, HomeAgentConfig};
use mn::bootstrap::Run;
use mn::mobile_node::{Action, MobileNode};
use mn::movement::Attachment;
use protocol::addr::CareOfAddress;
use protocol::sa::{Role, SecurityAssociation};
use protocol::tunnel::batch::Received;
use protocol::tunnel::{Command, Counters, DropReason, ExitPoint, Guard, Install, ReceiveBatch, SocketId, Verdict};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::{CARE_OF, HOME_AGENT_INSIDE4, HOME_AGENT_INSIDE6};

/// See the module.
pub(super) struct End {
    exit: ExitPoint,
    control: Control,
    counters: Arc<Counters>,
    rng: StdRng,
    /// MHAuth, which the mobile node has asked for.
    run: Option<Run>,
    /// What control wants sent: first header and payload of each PType 8 packet.
    said: Vec<(u8, Vec<u8>)>,
}

enum Control {
    HomeAgent(Box<HomeAgent>),
    MobileNode(Box<MobileNode>),
}

impl End {
    /// Without any association.
    pub(super) fn new(role: Role, now: Instant) -> Self {
        let (counters, mut rng) = (Arc::new(Counters::default()), StdRng::seed_from_u64(6618));
        let (exit, control) = match role {
            Role::HomeAgent => {
                let guard = Guard::new([IpAddr::V6(HOME_AGENT_INSIDE6), IpAddr::V4(HOME_AGENT_INSIDE4)]);
                let own_addresses = vec![[203, 0, 113, 1].into()];
                let config = HomeAgentConfig { longest_binding: Duration::from_secs(600), own_addresses };
                let home_agent = HomeAgent::new(config, counters.clone());
                (ExitPoint::new(role, counters.clone()).guarded(guard), Control::HomeAgent(Box::new(home_agent)))
            }
            Role::MobileNode => {
                let node = MobileNode::new(counters.clone(), now, &mut rng);
                (ExitPoint::new(role, counters.clone()), Control::MobileNode(Box::new(node)))
            }
        };
        Self { exit, control, counters, rng, run: None, said: Vec::new() }
    }

    /// The feed delivers an association, or MHAuth grants one.
    pub(super) fn is_provisioned(&mut self, sa: SecurityAssociation, lease: u32, now: Instant) {
        let install = Arc::new(Install::new(sa, now + Duration::from_secs(86_400), lease));
        self.obey(now);
        match &mut self.control {
            Control::HomeAgent(home_agent) => home_agent.handle_sa(install, now),
            Control::MobileNode(node) => {
                node.handle_renew(now);
                self.run = std::iter::from_fn(|| node.poll_action()).filter_map(begun).last().or(self.run);
                node.handle_grant(self.run.unwrap(), install, now, &mut self.rng);
                let care_of = CareOfAddress(CARE_OF.ip());
                let attachment = Attachment { interface: 1, name: "wlan0".to_owned(), care_of, metric: 100, deprecated: false };
                node.handle_attachments(vec![attachment], now);
            }
        }
        self.obey(now);
    }

    /// Takes one datagram; gives the inner packet that it delivers, if any.
    pub(super) fn takes(&mut self, datagram: &[u8], from: SocketAddr, traffic_class: u8, now: Instant) -> Option<Vec<u8>> {
        let mut batch = ReceiveBatch::new(1, datagram.len());
        batch.arena().copy_from_slice(datagram);
        batch.push_with(Received { range: 0..datagram.len(), socket: SocketId(0), from, traffic_class });
        let mut verdicts = Vec::new();
        self.exit.handle_datagrams(&mut batch, now, &mut verdicts);
        while let Some(event) = self.exit.poll_event() {
            match &mut self.control {
                Control::HomeAgent(home_agent) => home_agent.handle_event(&event, now, &mut self.rng),
                Control::MobileNode(node) => node.handle_event(&event, now),
            }
        }
        self.obey(now);
        let [verdict] = &verdicts[..] else { panic!("one verdict a datagram") };
        if let Verdict::Deliver(range) = verdict { Some(batch.octets(range.clone()).to_vec()) } else { None }
    }

    /// What control has wanted sent since it was asked last.
    pub(super) fn said(&mut self) -> Vec<(u8, Vec<u8>)> {
        std::mem::take(&mut self.said)
    }

    /// Every reason that was counted.
    pub(super) fn drops(&self) -> BTreeMap<DropReason, u64> {
        self.counters.drops().collect()
    }

    /// Bindings and associations, as text: the same before and after means that nothing was lost or moved.
    pub(super) fn state(&self) -> String {
        match &self.control {
            Control::HomeAgent(home_agent) => {
                let bindings: Vec<_> = home_agent.bindings().collect();
                let held = home_agent.security_associations();
                let held: Vec<_> =
                    held.map(|it| (it.install.sa.spi, it.is_bound, it.is_renewal_wanted, it.is_superseded)).collect();
                format!("{bindings:?} {held:?}")
            }
            Control::MobileNode(node) => {
                let in_use = node.security_association().map(|install| install.sa.spi);
                format!("{:?} {in_use:?} {} {:?}", node.phase(), node.renewals(), node.registered())
            }
        }
    }

    fn obey(&mut self, now: Instant) {
        match &mut self.control {
            Control::HomeAgent(home_agent) => {
                for command in std::iter::from_fn(|| home_agent.poll_command()) {
                    carry_out(&command, &mut self.exit, &mut self.said);
                }
            }
            Control::MobileNode(node) => {
                while let Some(action) = node.poll_action() {
                    match action {
                        Action::Bootstrap(run) => self.run = Some(run),
                        Action::OpenPath { socket, .. } => node.handle_path_opened(socket, true, now),
                        Action::Command(command) => carry_out(&command, &mut self.exit, &mut self.said),
                        Action::AbandonBootstrap(_)
                        | Action::ClosePath(_)
                        | Action::OpenFallback { .. }
                        | Action::CloseFallback(_)
                        | Action::Registered(_)
                        | Action::Mtu(_)
                        | Action::Home(_) => {}
                        Action::Refused(status) => panic!("the home agent refused with {status}"),
                        Action::Finished => panic!("nobody told the node to leave"),
                    }
                }
            }
        }
    }
}

fn begun(action: Action) -> Option<Run> {
    if let Action::Bootstrap(run) = action { Some(run) } else { None }
}

fn carry_out(command: &Command, exit: &mut ExitPoint, said: &mut Vec<(u8, Vec<u8>)>) {
    exit.apply(command);
    if let Command::Signal { next_header, payload, .. } = command {
        said.push((*next_header, payload.clone()));
    }
}
