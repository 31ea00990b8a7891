//! A home agent process, its HAC and its files.

use std::path::PathBuf;
use std::time::Duration;

use feed::SessionReport;
use fixture::Authority;
use ha::config::Config;
use ha::gateway::{self, GatewayError};
use serde_json::Value;
use service::control::{Request, ask};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::hac::{self, Hac, HacEvent};

const FEED: &str = "127.0.0.1:7873";
const FILE: &str = r#"
name = "ha1"
listen = ["198.51.100.1:7872"]
certificate = "ha.pem"
key = "ha-key.pem"
ca = "ca.pem"
control-socket = "ha.sock"
[feed]
address = "127.0.0.1:7873"
server-name = "hac.example.org"
[tunnel]
device = "ha0"
mtu = 1400
[routes]
per-binding = true
"#;

pub(crate) struct World {
    folder: tempfile::TempDir,
    ca: Authority,
    pub(crate) hac: Hac,
    events: mpsc::Receiver<HacEvent>,
    event_sender: mpsc::Sender<HacEvent>,
    usage_interval: Option<Duration>,
    stop: oneshot::Sender<()>,
    home_agent: JoinHandle<Result<(), GatewayError>>,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(FILE, None).await
    }

    /// With these lines more in the section `[tunnel]`.
    pub(crate) async fn start_with_tunnel(lines: &str) -> Self {
        Self::start_with(&FILE.replace("[tunnel]", &format!("[tunnel]\n{lines}")), None).await
    }

    /// With the interface `home` as its home link.
    pub(crate) async fn start_on_home_link() -> Self {
        let text = FILE.replace("per-binding = true", "").replace("[feed]", "home-link = \"home\"\n[feed]");
        Self::start_with(&text, None).await
    }

    /// With a HAC that wants to hear of each session once an `interval`.
    pub(crate) async fn start_reporting(interval: Duration) -> Self {
        Self::start_with(FILE, Some(interval)).await
    }

    async fn start_with(text: &str, usage_interval: Option<Duration>) -> Self {
        service::logging::init();
        let folder = tempfile::tempdir().unwrap();
        let ca = Authority::new();
        hac::write_files_for_home_agent(&ca, folder.path());
        let (event_sender, events) = mpsc::channel(64);
        let hac = Hac::start(&ca, FEED.parse().unwrap(), event_sender.clone(), usage_interval).await;
        let file = folder.path().join("ha.toml");
        std::fs::write(&file, text).unwrap();
        let config = service::config::load::<Config>(&file).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let home_agent = tokio::spawn(gateway::run(config, stopped));
        Self { folder, ca, hac, events, event_sender, usage_interval, stop, home_agent }
    }

    pub(crate) async fn restart_hac(&mut self) {
        self.hac = Hac::start(&self.ca, FEED.parse().unwrap(), self.event_sender.clone(), self.usage_interval).await;
    }

    pub(crate) async fn next_event(&mut self) -> HacEvent {
        let next = timeout(Duration::from_secs(15), self.events.recv()).await;
        if self.home_agent.is_finished() {
            panic!("the home agent has ended: {:?}", (&mut self.home_agent).await);
        }
        next.expect("the HAC notices something").unwrap()
    }

    /// Waits for `event`; what comes before it is skipped.
    pub(crate) async fn expect(&mut self, event: HacEvent) {
        while self.next_event().await != event {}
    }

    /// Waits for a report that is `right`; what comes before it is skipped.
    pub(crate) async fn expect_report(&mut self, right: impl Fn(&SessionReport) -> bool) -> SessionReport {
        loop {
            let HacEvent::Usage(reports) = self.next_event().await else { continue };
            if let Some(report) = reports.into_iter().find(&right) {
                return report;
            }
        }
    }

    /// What the HAC has noticed so far is of no interest.
    pub(crate) fn forgets_events(&mut self) {
        while self.events.try_recv().is_ok() {}
    }

    pub(crate) async fn asks(&self, request: &str) -> Value {
        self.orders(Request::new(request)).await
    }

    pub(crate) async fn orders(&self, request: Request) -> Value {
        ask(&self.socket(), &request, "ha serve").await.unwrap()
    }

    /// The only binding.
    pub(crate) async fn binding(&self) -> Value {
        let mut answer = self.asks("bindings").await;
        assert_eq!(answer["count"], 1, "{answer}");
        answer["bindings"][0].take()
    }

    /// Waits until the home agent has noticed that its HAC is gone.
    pub(crate) async fn until_feed_is_gone(&self) {
        self.until(|status| status["feed"]["connected"] == false).await;
    }

    /// Waits until the home agent's status is `right`, and gives it.
    pub(crate) async fn until(&self, right: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..1000 {
            let status = self.asks("status").await;
            if right(&status) {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the status does not become right: {}", self.asks("status").await);
    }

    /// Why the home agent has ended by itself.
    pub(crate) async fn fails(mut self) -> GatewayError {
        let ended = timeout(Duration::from_secs(15), self.home_agent).await.expect("it ends");
        self.hac.stop().await;
        ended.unwrap().unwrap_err()
    }

    /// Stops the home agent in order.
    pub(crate) async fn stop(mut self) {
        let socket = self.socket();
        self.stop.send(()).unwrap();
        timeout(Duration::from_secs(5), self.home_agent).await.unwrap().unwrap().unwrap();
        assert!(!socket.exists(), "the control socket goes with the process");
        self.hac.stop().await;
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("ha.sock")
    }
}
