//! The task that tells accounting servers: nothing is told twice without need, nothing is lost by silence.

use hac::aaa::{AccountingClient, ServerConfig};
use hac::accounting::Accountant;
use hac::store::{SessionEnd, SessionReport, SharedStore};
use protocol::sa::Spi;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::server::ACCOUNTING_RESPONSE;
use super::world::{authorise, empty, on, recipient, report};
use super::*;

struct World {
    store: SharedStore,
    spi: Spi,
    reported: Arc<Notify>,
    task: AbortHandle,
}

impl Drop for World {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl World {
    fn start(server: &Server, timings: Timings) -> Self {
        let mut store = empty();
        let spi = authorise(&mut store, "alice@example.org");
        let (store, reported) = (SharedStore::new(store), Arc::<Notify>::default());
        // What comes is of the task alone.
        let servers = vec![ServerConfig { status_server: false, ..server.config() }];
        let config = ClientConfig { servers, nas_identifier: "hac.example.org".to_owned(), timings };
        let client = AccountingClient::new(config).unwrap();
        let accountant = Accountant { store: store.clone(), client, interim: None, reported: Arc::clone(&reported) };
        let task = tokio::spawn(Arc::new(accountant).run()).abort_handle();
        Self { store, spi, reported, task }
    }

    async fn report(&self, report: SessionReport) {
        on(&self.store, move |store| store.note_usage(&recipient(), &[report], std::time::SystemTime::now())).await.unwrap();
        self.reported.notify_one();
    }

    async fn waiting(&self) -> u64 {
        on(&self.store, |store| store.counts(std::time::SystemTime::now())).await.unwrap().waiting_sessions
    }
}

/// The next record, past those that are sent again, and its acknowledgement.
async fn record(server: &Server, last: Option<&Request>) -> Request {
    loop {
        let request = server.accounting_request().await;
        if last.is_none_or(|last| last.octets[20..] != request.octets[20..]) {
            server.send(&server.unsigned(&request, ACCOUNTING_RESPONSE, &[]), &request).await;
            return request;
        }
    }
}

#[tokio::test]
async fn a_session_is_told_of_at_its_beginning_and_with_what_it_carried_at_its_end() {
    let server = Server::start().await;
    let world = World::start(&server, TIMINGS);
    world.report(report(world.spi, 5)).await;
    let start = record(&server, None).await;
    assert_eq!((start.value(40), start.value(1)), (vec![0, 0, 0, 1], b"alice@example.org".to_vec()));
    assert_eq!((start.value(25), start.value(31), start.value(30)), (b"gold".to_vec(), b"192.0.2.7".to_vec(), b"ha1".to_vec()));

    world.report(SessionReport { ended: Some(SessionEnd::Deregistered), ..report(world.spi, 70) }).await;
    let stop = record(&server, Some(&start)).await;
    assert_eq!((stop.value(40), stop.value(49)), (vec![0, 0, 0, 2], vec![0, 0, 0, 1]));
    let numbers = [42, 43, 46, 47, 48].map(|kind| stop.value(kind)[3]);
    assert_eq!(numbers, [70, 140, 70, 1, 2]);
    assert_eq!((stop.value(44), stop.value(25)), (start.value(44), start.value(25)));
    while world.waiting().await > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn what_no_server_takes_is_told_when_one_answers() {
    let server = Server::start().await;
    let world = World::start(&server, IMPATIENT);
    world.report(report(world.spi, 5)).await;
    let unanswered = server.accounting_request().await;
    // Its limit passes, and the pause behind it: what comes from another port is a new request.
    let again = loop {
        let request = server.accounting_request().await;
        if request.from != unanswered.from {
            break request;
        }
    };
    assert_eq!(again.octets[20..], unanswered.octets[20..], "the same is told");
    assert_eq!(world.waiting().await, 1);
    server.send(&server.unsigned(&again, ACCOUNTING_RESPONSE, &[]), &again).await;
    while world.waiting().await > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
