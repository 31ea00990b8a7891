//! What the runtime shows of the node in `mn status`.

use std::time::SystemTime;

use super::Runtime;
use crate::clock;
use crate::path_mtu::PathMtu;
use crate::status::{HandoverShown, phase_name};

impl Runtime {
    pub(super) fn report(&mut self) {
        let (records, changes) = self.node.handovers();
        if std::mem::replace(&mut self.shown_changes, changes) != changes {
            let (now, wall) = (clock::now(), SystemTime::now());
            let shown_moves = records.map(|record| HandoverShown::new(record, now, wall)).collect();
            self.status.update(|shown| shown.handovers = shown_moves);
        }
        self.portals.set_trouble(self.node.is_stuck());
        let install = self.node.security_association();
        let now = clock::now();
        self.status.update(|shown| {
            shown.state = phase_name(self.node.phase()).to_owned();
            shown.transport = self.node.transport().name().to_owned();
            shown.renewals = self.node.renewals();
            shown.keepalives = self.node.keepalives();
            shown.keepalive_seconds = self.node.keepalive_interval().map(|every| every.as_secs_f64());
            shown.mtu = self.device.mtu();
            shown.path_mtu = self.node.path_mtu().and_then(PathMtu::confirmed);
            shown.workers = self.device.workers();
            shown.offloads = self.device.offloads().into_iter().map(str::to_owned).collect();
            if let Some(install) = install {
                shown.home = install.sa.home.iter().map(|home| home.0).collect();
                shown.spi = Some(install.sa.spi.get());
                shown.suite = Some(install.sa.suite.name().to_owned());
                shown.profile = Some(install.sa.profile.name().to_owned());
                shown.user_data = Some(install.sa.user_data.name().to_owned());
                shown.sa_seconds_left = Some(install.valid_until.saturating_duration_since(now).as_secs());
                shown.home_agent = self.node.registered_at();
                shown.nat64 = self.node.nat64_in_use().map(|prefix| prefix.to_string());
            }
        });
    }
}
