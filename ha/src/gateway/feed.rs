//! The gateway's side of the feed: what it brings is taken and reported when it is in force; what nodes have registered under and how
//! their sessions are is told.

use std::time::Instant;

use feed::{SessionReport, Welcome};
use net::worker::Workers;
use protocol::sa::Role;
use protocol::tunnel::{Command, EntryPoint, ExitPoint, SocketId};
use tokio::sync::{mpsc, oneshot};

use super::{Gateway, GatewayError, icmp_sources};
use crate::deliveries;
use crate::feed_client::FeedEvent;
use crate::routes::warn_without_forwarding;

impl Gateway {
    pub(super) async fn handle_feed(&mut self, event: FeedEvent) -> Result<(), GatewayError> {
        match event {
            FeedEvent::Welcome(welcome, applied) => {
                self.handle_welcome(welcome).await?;
                // A subscription that has ended meanwhile does not wait any more.
                let _ = applied.send(());
                Ok(())
            }
            FeedEvent::Message(message, applied) => {
                // The feed client sends reports from here on, and not before.
                self.is_subscribed |= message.acknowledged_as().is_some();
                deliveries::take(*message, &mut self.store, &mut self.home_agent, Instant::now());
                self.pass_commands_on().await?;
                self.report_when_in_force(applied)
            }
            FeedEvent::Lost(applied) => {
                self.is_subscribed = false;
                let _ = applied.send(());
                Ok(())
            }
            FeedEvent::Dismissed(applied) => {
                self.is_subscribed = false;
                deliveries::dismiss(&mut self.store, &mut self.home_agent, Instant::now());
                self.pass_commands_on().await?;
                let _ = applied.send(());
                Ok(())
            }
        }
    }

    /// The first Welcome says what the device and the halves need; a later one may add pools.
    async fn handle_welcome(&mut self, mut welcome: Welcome) -> Result<(), GatewayError> {
        self.store.begin_subscription();
        self.home_agent.sessions_mut().begin_subscription(welcome.usage_interval.take(), Instant::now());
        self.unreported.begin(self.home_agent.bindings().map(|binding| binding.spi));
        self.home_agent.handle_spi_blocks(std::mem::take(&mut welcome.spi_blocks));
        if self.welcome.as_ref() == Some(&welcome) {
            return Ok(());
        }
        self.note_home_link(&welcome)?;
        self.home_agent.set_tunnelled(welcome.pools.iter().filter(|pool| !self.home_link.covers(pool)).copied().collect());
        self.routes.set_up(&welcome, |pool| self.home_link.covers(pool)).await?;
        warn_without_forwarding(&welcome.pools);
        if self.workers.is_none() {
            self.workers = Some(self.start_workers(&welcome)?);
        }
        self.welcome = Some(welcome);
        self.guard_own_addresses()
    }

    fn start_workers(&self, welcome: &Welcome) -> Result<Workers, GatewayError> {
        let (sources, guard) = (icmp_sources(welcome), self.guard(&welcome.own_addresses));
        let halves = || {
            let entry = EntryPoint::new(Role::HomeAgent, self.counters.clone(), sources);
            (entry, ExitPoint::new(Role::HomeAgent, self.counters.clone()).guarded(guard.clone()))
        };
        let workers = Workers::start(&self.tun, halves, &self.counters, &self.events).map_err(GatewayError::Workers)?;
        for (id, sockets) in (0..).map(SocketId).zip(&self.sockets) {
            workers.add_sockets(id, sockets)?;
        }
        workers.apply(&Command::Mtu(self.config.tunnel.mtu))?;
        Ok(workers)
    }

    /// All workers first, then the acknowledgement: the MN is told its SPI only when packets under it would be opened.
    fn report_when_in_force(&self, applied: oneshot::Sender<()>) -> Result<(), GatewayError> {
        let Some(workers) = &self.workers else { return Ok(()) };
        let barrier = workers.barrier()?;
        tokio::task::spawn_blocking(move || match barrier.wait() {
            // A subscription that has ended meanwhile does not wait any more.
            Ok(()) => drop(applied.send(())),
            Err(error) => tracing::error!(%error, "a worker thread does not answer: nothing is acknowledged to the HAC"),
        });
        Ok(())
    }

    /// When the HAC is to be told of a session; without a subscription what is to be told waits.
    pub(super) fn report_due(&self) -> Option<Instant> {
        self.home_agent.sessions().next_due().filter(|_| self.is_subscribed)
    }

    /// What is due, if its time has not passed by: a session may have ended meanwhile.
    pub(super) fn tell_of_sessions(&mut self, place: mpsc::Permit<'_, Vec<SessionReport>>) {
        let reports = self.home_agent.sessions_mut().take(Instant::now());
        if !reports.is_empty() {
            place.send(reports);
        }
    }

    /// Without a subscription nothing is kept: the next one begins with all that is bound.
    pub(super) fn note_registrations(&mut self) {
        let is_connected = self.feed_state.borrow().connected;
        while let Some(spi) = self.home_agent.poll_registered() {
            if is_connected {
                self.unreported.add(spi);
            }
        }
    }
}
