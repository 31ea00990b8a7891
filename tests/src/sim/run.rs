//! Time passes: events in their order, what the machines want carried out, datagrams put on the wire.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use mn::home_link::OnLink;
use mn::movement::Attachment;
use protocol::addr::CareOfAddress;

use super::end::Outgoing;
use super::feed::Message;
use super::gateway::{Gateway, HA4, HA6};
use super::{Access, Datagram, GUEST, LTE, WIFI, World, home_prefixes};

impl World {
    /// Lets time pass, event by event.
    pub fn runs_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(next) = self.next_event().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.step();
        }
        self.now = end;
    }

    fn next_event(&self) -> Option<Instant> {
        let timers = [
            self.network.next_arrival(),
            self.feed.next_arrival(),
            self.exchange.as_ref().map(|exchange| exchange.next_event()),
            self.node.as_ref().map(|node| node.next_event()),
            self.gateway.as_ref().and_then(|gateway| gateway.home_agent.poll_timeout()).map(|(due, _)| due),
            self.gateway.as_ref().and_then(Gateway::report_due),
        ];
        timers.into_iter().flatten().min()
    }

    fn step(&mut self) {
        for datagram in self.network.arrivals(self.now) {
            self.arrives(&datagram);
        }
        while let Some(message) = self.feed.arrival(self.now) {
            self.take_from_feed(message);
        }
        self.step_exchange();
        if let Some(node) = &mut self.node {
            node.handle_timeout(self.now);
        }
        if let Some(gateway) = &mut self.gateway {
            gateway.handle_timeout(self.now);
        }
        self.drain();
    }

    fn arrives(&mut self, datagram: &Datagram) {
        if datagram.to == HA4 || datagram.to == HA6 {
            if let Some(gateway) = &mut self.gateway {
                gateway.receive(datagram, self.now);
            }
        } else if let Some(node) = self.node.as_mut().filter(|_| has(&self.access, datagram) || has(&self.fading, datagram)) {
            node.receive(datagram, self.now);
        }
        self.drain();
    }

    fn take_from_feed(&mut self, message: Message) {
        let (now, wall) = (self.now, self.wall());
        match message {
            Message::Subscribe(instance) => match self.controller.handle_subscribe(instance, wall) {
                Some(all) => {
                    self.feed.send(Message::Welcome(instance, self.controller.usage_interval()), now);
                    all.into_iter().for_each(|message| self.feed.send(Message::FromHac(instance, message), now));
                }
                None => self.feed.subscribe_later(instance, now),
            },
            Message::Welcome(instance, usage_interval) => {
                if let Some(gateway) = self.gateway.as_mut().filter(|gateway| gateway.instance == instance) {
                    gateway.handle_welcome(usage_interval, now);
                }
            }
            Message::FromHac(instance, message) => {
                let Some(gateway) = &mut self.gateway else { return };
                if let Some(revision) = gateway.handle_feed(message, now) {
                    self.feed.send(Message::Acknowledge(instance, revision), now);
                }
                self.drain();
            }
            Message::Acknowledge(instance, revision) => {
                self.controller.handle_acknowledgement(instance, revision);
                self.feed_changes();
                self.settle();
            }
            Message::LookUp(instance, spi) => {
                let Some(answer) = self.controller.handle_look_up(instance, spi, wall) else { return };
                self.look_ups.push((self.elapsed(), spi));
                self.feed.send(Message::FromHac(instance, answer), now);
            }
            Message::Registered(instance, spis) => self.controller.handle_registered(instance, &spis, wall),
            Message::Usage(instance, reports) => {
                self.session_reports.extend(reports.into_iter().filter(|_| self.controller.feeds(instance)));
            }
        }
    }

    /// Tells a connected home agent what is new.
    pub(super) fn feed_changes(&mut self) {
        let Some((instance, changes)) = self.controller.changes(self.wall()) else { return };
        for change in changes {
            self.feed.send(Message::FromHac(instance, change), self.now);
        }
    }

    /// Lets both machines act until neither wants anything more.
    pub(super) fn drain(&mut self) {
        if let Some(node) = &mut self.node {
            let acted = node.drain(&mut self.newest_port, self.now, &mut self.rng);
            let has_finished = node.has_finished;
            self.send_from_mobile_node(acted.sent);
            self.exchange.take_if(|exchange| Some(exchange.run) == acted.abandons);
            if let Some(run) = acted.begins {
                self.begin_exchange(run);
            }
            if has_finished {
                self.mobile_node_dies();
            }
        }
        if let Some(gateway) = &mut self.gateway {
            let sent = gateway.drain(self.now, &mut self.rng);
            let (instance, look_ups) = (gateway.instance, std::mem::take(&mut gateway.look_ups));
            look_ups.into_iter().for_each(|spi| self.feed.send(Message::LookUp(instance, spi), self.now));
            while let Some(reports) = gateway.take_reports(self.now) {
                self.feed.send(Message::Usage(instance, reports), self.now);
            }
            while !gateway.unreported.is_empty() {
                self.feed.send(Message::Registered(instance, gateway.unreported.take()), self.now);
            }
            self.send_from_home_agent(sent);
        }
    }

    pub(super) fn send_from_mobile_node(&mut self, datagrams: Vec<Outgoing>) {
        let attached: Vec<IpAddr> = self.access.iter().map(|access| address(*access)).collect();
        let Some(node) = &self.node else { return };
        for (socket, to, octets) in datagrams {
            // What is sent from an address that is gone goes nowhere.
            if let Some(from) = node.sockets.get(&socket).copied().filter(|from| attached.contains(&from.ip())) {
                self.network.carry(Datagram { from, to, octets }, self.now, &mut self.rng);
            }
        }
    }

    pub(super) fn send_from_home_agent(&mut self, datagrams: Vec<Outgoing>) {
        for (socket, to, octets) in datagrams {
            let from = Gateway::address(socket);
            self.network.carry(Datagram { from, to, octets }, self.now, &mut self.rng);
        }
    }

    pub(super) fn attachments(&self) -> Vec<Attachment> {
        let attachment = |access: &Access| {
            let (interface, name) = match access {
                Access::Wifi => (1, "wifi"),
                Access::Lte => (2, "lte"),
                Access::Home => (3, "home"),
            };
            Attachment {
                interface,
                name: name.to_owned(),
                care_of: CareOfAddress(address(*access)),
                metric: if self.preferred == Some(*access) { 1 } else { 100 },
                deprecated: false,
            }
        };
        self.access.iter().map(attachment).collect()
    }

    /// What the mobile node's kernel says of its links: nothing of those that have no prefixes of its home addresses.
    pub(super) fn on_links(&self) -> Vec<OnLink> {
        let on_link = OnLink { interface: 3, prefixes: home_prefixes(), gateways: Vec::new() };
        if self.access.contains(&Access::Home) { vec![on_link] } else { Vec::new() }
    }
}

pub(super) fn address(access: Access) -> IpAddr {
    match access {
        Access::Wifi => WIFI,
        Access::Lte => LTE,
        Access::Home => GUEST,
    }
}

/// Whether a datagram is for an address in one of these networks.
fn has(access: &[Access], datagram: &Datagram) -> bool {
    access.iter().any(|access| address(*access) == datagram.to.ip())
}
