//! What the programs' shells do, by hand: events in their order, actions and commands carried out, datagrams put on the wire.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use ha::home_agent::HomeAgent;
use mn::granted;
use mn::mobile_node::{Action, MobileNode};
use mn::movement::Attachment;
use protocol::addr::CareOfAddress;
use protocol::tunnel::SocketId;

use super::{ACTIVITY_INTERVAL, Access, Datagram, HA4, HA6, LTE, MHAUTH_ROUND_TRIPS, WIFI, World};

impl World {
    pub(super) fn next_event(&self) -> Option<Instant> {
        let timers = [
            self.network.next_arrival(),
            self.mn.as_ref().and_then(MobileNode::poll_timeout).map(|(due, _)| due),
            self.ha.as_ref().and_then(HomeAgent::poll_timeout).map(|(due, _)| due),
            self.grant_due.as_ref().map(|(due, _)| *due),
            self.mn.is_some().then_some(self.next_activity),
        ];
        timers.into_iter().flatten().min()
    }

    pub(super) fn step(&mut self) {
        for datagram in self.network.arrivals(self.now) {
            self.arrives(datagram);
        }
        self.take_grant();
        let now = self.now;
        if let Some(mn) = &mut self.mn {
            if self.next_activity <= now {
                let ((sent, _), (received, _)) = (self.mn_end.counters.sent(), self.mn_end.counters.received());
                mn.handle_activity(sent, received, now);
                self.next_activity = now + ACTIVITY_INTERVAL;
            }
            mn.handle_timeout(now);
        }
        if let Some(ha) = &mut self.ha {
            ha.handle_timeout(now);
        }
        self.drain();
    }

    fn arrives(&mut self, datagram: Datagram) {
        let now = self.now;
        if datagram.to == HA4 || datagram.to == HA6 {
            let socket = SocketId(u8::from(datagram.to == HA6));
            self.ha_end.receive(socket, &datagram, now);
        } else if let Some((&socket, _)) = self.mn_sockets.iter().find(|(_, local)| **local == datagram.to) {
            self.mn_end.receive(socket, &datagram, now);
        }
        self.drain();
    }

    fn take_grant(&mut self) {
        let (now, wall) = (self.now, self.wall());
        let Some((_, grant)) = self.grant_due.take_if(|(due, _)| *due <= now) else { return };
        let usable = self.attachments();
        if let Some(mn) = &mut self.mn {
            mn.handle_grant(Arc::new(granted::to_install(&grant, now, wall)), now, &mut self.rng);
            mn.handle_attachments(usable, now);
        }
    }

    /// Tells both machines what their halves have to say, and does what they ask for, until nothing more is said.
    pub(super) fn drain(&mut self) {
        self.carry_out_all();
        while let Some(event) = self.mn_end.poll_event() {
            if let Some(mn) = &mut self.mn {
                mn.handle_event(&event, self.now);
            }
            self.carry_out_all();
        }
        while let Some(event) = self.ha_end.poll_event() {
            if let Some(ha) = &mut self.ha {
                ha.handle_event(&event, self.now, &mut self.rng);
            }
            self.carry_out_all();
        }
    }

    fn carry_out_all(&mut self) {
        while let Some(action) = self.mn.as_mut().and_then(MobileNode::poll_action) {
            self.carry_out(action);
        }
        while let Some(command) = self.ha.as_mut().and_then(HomeAgent::poll_command) {
            let datagrams = self.ha_end.apply(&command, &mut self.rng);
            self.send_from_home_agent(datagrams);
        }
    }

    fn carry_out(&mut self, action: Action) {
        let now = self.now;
        match action {
            Action::Bootstrap => self.bootstrap(),
            Action::OpenPath { socket, attachment } => {
                self.next_port += 1;
                self.mn_sockets.insert(socket, SocketAddr::new(attachment.care_of.0, self.next_port));
                if let Some(mn) = &mut self.mn {
                    mn.handle_path_opened(socket, true, now);
                }
            }
            Action::ClosePath(socket) => {
                self.mn_sockets.remove(&socket);
            }
            Action::Command(command) => {
                let datagrams = self.mn_end.apply(&command, &mut self.rng);
                self.send_from_mobile_node(datagrams);
            }
            Action::Registered(_) | Action::Refused(_) => {}
            Action::Finished => self.mn = None,
        }
    }

    fn bootstrap(&mut self) {
        match self.controller.authenticate(self.now, self.wall(), &mut self.rng) {
            Ok(grant) => {
                for install in self.controller.deliver(self.ha_instance, self.now, self.wall()) {
                    if let Some(ha) = &mut self.ha {
                        ha.handle_sa(Arc::new(install), self.now);
                    }
                }
                self.grant_due = Some((self.now + self.network.delay * 2 * MHAUTH_ROUND_TRIPS, Box::new(grant)));
            }
            Err(_) => {
                if let Some(mn) = &mut self.mn {
                    mn.handle_bootstrap_failure(None, self.now, &mut self.rng);
                }
            }
        }
    }

    pub(super) fn send_from_mobile_node(&mut self, datagrams: Vec<(SocketId, SocketAddr, Vec<u8>)>) {
        let attached: Vec<IpAddr> = self.attachments().iter().map(|attachment| attachment.care_of.0).collect();
        for (socket, to, octets) in datagrams {
            // What is sent from an address that is gone goes nowhere.
            if let Some(from) = self.mn_sockets.get(&socket).copied().filter(|from| attached.contains(&from.ip())) {
                self.network.carry(Datagram { from, to, octets }, self.now);
            }
        }
    }

    pub(super) fn send_from_home_agent(&mut self, datagrams: Vec<(SocketId, SocketAddr, Vec<u8>)>) {
        for (socket, to, octets) in datagrams {
            let from = if socket == SocketId(0) { HA4 } else { HA6 };
            self.network.carry(Datagram { from, to, octets }, self.now);
        }
    }

    pub(super) fn attachments(&self) -> Vec<Attachment> {
        let attachment = |access: &Access| {
            let (interface, name, ip) = match access {
                Access::Wifi => (1, "wifi", WIFI),
                Access::Lte => (2, "lte", LTE),
            };
            Attachment { interface, name: name.to_owned(), care_of: CareOfAddress(ip), metric: 100 }
        };
        self.access.iter().map(attachment).collect()
    }
}
