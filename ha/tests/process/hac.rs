//! The HAC's end of the feed: a real server with real certificates that delivers what the test says.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use feed::{Answer, Change, FromHa, Provisioned, Refusal, SessionReport, Subscription, SubscriptionHandler, TlsFiles, Welcome};
use fixture::{Authority, Certified};
use protocol::addr::{HomeAddresses, HomeAgentAddresses};
use protocol::sa::spi::HaGroup;
use protocol::sa::{CipherSuite, Secret, SecurityAssociation, Spi};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::mobile_node::{HOME4, HOME6};

/// What the HAC notices.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HacEvent {
    Subscribed {
        instance: [u8; 16],
        known_revision: u64,
    },
    Acknowledged(u64),
    /// The SPI with this number.
    LookedUp(u16),
    /// Nodes have registered under those with these numbers.
    Registered(Vec<u16>),
    /// How sessions are.
    Usage(Vec<SessionReport>),
}

/// Numbers of SAs that are found by look-ups; the second half of them under lease 1.
const FOUND: std::ops::Range<u16> = 0x100..0x200;

/// What the HAC does next.
enum Order {
    Delta(u64, Change),
    Renew(u16),
    Dismiss,
}

/// The SA with this number; all of them belong to the same home addresses.
pub(crate) fn association(number: u16) -> Provisioned {
    let spi = HaGroup::new(1).unwrap().blocks().next().unwrap().spi(number).unwrap();
    let sa = SecurityAssociation {
        home: HomeAddresses::new(Some(HOME6.parse().unwrap()), Some(HOME4.parse().unwrap())).unwrap(),
        home_agent: HomeAgentAddresses::new(None, Some([198, 51, 100, 1].into()), 7872).unwrap(),
        ..fixture::association(spi, CipherSuite::Aes128Gcm)
    };
    Provisioned { sa, left: Duration::from_secs(600), lease: 0 }
}

/// Writes `ca.pem`, `ha.pem` and `ha-key.pem`.
pub(crate) fn write_files_for_home_agent(ca: &Authority, folder: &Path) {
    let Certified { certificate, key } = ca.certify("ha1");
    for (name, text) in [("ca.pem", &ca.pem), ("ha.pem", &certificate), ("ha-key.pem", &key)] {
        std::fs::write(folder.join(name), text).unwrap();
    }
}

/// A running HAC that delivers SA number 1 at revision 1, and then what [`Hac::send`] is given; answers look-ups. It wants to hear of
/// sessions where there is a usage interval.
pub(crate) struct Hac {
    orders: mpsc::Sender<Order>,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
}

impl Hac {
    pub(crate) async fn start(
        ca: &Authority,
        address: SocketAddr,
        events: mpsc::Sender<HacEvent>,
        usage_interval: Option<Duration>,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let Certified { certificate, key } = ca.certify("hac.example.org");
        let files = TlsFiles { ca: ca.pem.clone(), certificate, key: Secret::new(key.into_bytes()) };
        let (orders, queue) = mpsc::channel(8);
        let (stop, stopped) = oneshot::channel();
        let handler = Arc::new(Handler { events, queue: Mutex::new(queue), usage_interval });
        let server = tokio::spawn(async move {
            feed::server::serve(listener, &files, handler, async { drop(stopped.await) }).await.unwrap();
        });
        Self { orders, stop: Some(stop), server }
    }

    pub(crate) async fn send(&self, revision: u64, change: Change) {
        self.orders.send(Order::Delta(revision, change)).await.unwrap();
    }

    /// It wants a new SA in the place of the one with this number.
    pub(crate) async fn renew(&self, number: u16) {
        self.orders.send(Order::Renew(number)).await.unwrap();
    }

    /// The operator has removed the home agent.
    pub(crate) async fn dismiss(&self) {
        self.orders.send(Order::Dismiss).await.unwrap();
    }

    pub(crate) async fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        (&mut self.server).await.unwrap();
    }
}

struct Handler {
    events: mpsc::Sender<HacEvent>,
    queue: Mutex<mpsc::Receiver<Order>>,
    usage_interval: Option<Duration>,
}

impl SubscriptionHandler for Handler {
    async fn serve(&self, mut subscription: Subscription) -> Result<(), Refusal> {
        assert_eq!(subscription.home_agent(), "ha1");
        let hello = *subscription.hello();
        let subscribed = HacEvent::Subscribed { instance: hello.instance, known_revision: hello.known_revision };
        self.events.send(subscribed).await.unwrap();
        subscription.welcome(&welcome(self.usage_interval)).await?;
        subscription.snapshot(1, &[association(1)]).await?;
        let mut queue = self.queue.lock().await;
        loop {
            tokio::select! {
                said = subscription.next() => match said? {
                    FromHa::Acknowledge(revision) => self.events.send(HacEvent::Acknowledged(revision)).await.unwrap(),
                    FromHa::LookUp(spi) => {
                        self.events.send(HacEvent::LookedUp(spi.number())).await.unwrap();
                        subscription.answer(look_up(spi)).await?;
                    }
                    FromHa::Registered(spis) => {
                        let numbers = spis.iter().map(|spi| spi.number()).collect();
                        self.events.send(HacEvent::Registered(numbers)).await.unwrap();
                    }
                    FromHa::Usage(reports) => self.events.send(HacEvent::Usage(reports)).await.unwrap(),
                },
                Some(order) = queue.recv() => match order {
                    Order::Delta(revision, change) => subscription.delta(revision, change).await?,
                    Order::Renew(number) => subscription.renew(association(number).sa.spi).await?,
                    Order::Dismiss => return Err(Refusal::Unknown("\"ha1\" was removed".to_owned())),
                },
            }
        }
    }
}

fn look_up(spi: Spi) -> Answer {
    if !FOUND.contains(&spi.number()) {
        return Answer::NotFound(spi);
    }
    let lease = u32::from(spi.number() >= 0x180);
    Answer::Found(Box::new(Provisioned { lease, ..association(spi.number()) }))
}

fn welcome(usage_interval: Option<Duration>) -> Welcome {
    Welcome {
        group: HaGroup::new(1).unwrap(),
        pools: vec!["2001:db8:100::/64".parse().unwrap(), "10.9.0.0/24".parse().unwrap()],
        own_addresses: vec!["2001:db8:100::1".parse().unwrap(), "10.9.0.1".parse().unwrap()],
        spi_blocks: HaGroup::new(1).unwrap().blocks().take(1).collect(),
        usage_interval,
    }
}
