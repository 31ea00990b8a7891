//! What AAA servers ask for by themselves, over real sockets: who is heard, what is done, and what home agents hear of it. The requests
//! are made here once more, after the RFCs, so that a mistake of the HAC is not confirmed by itself.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{SystemTime, UNIX_EPOCH};

use hac::dynamic_authorization::{Clients, Counts, Executor, MAX_SESSIONS, REAUTHORISATION};
use hac::registry::{Membership, Registry, Wanted};
use hac::store::{InstanceId, Revision, Selection, SharedStore, Told};
use md5::{Digest, Md5};
use protocol::sa::{Secret, Spi};
use tokio::net::UdpSocket;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::world::{authorise, empty, on, recipient, report};
use super::*;

const SECRET: &[u8] = b"shared with this HAC";
const ALICE: &[u8] = b"alice@example.org";

struct World {
    store: SharedStore,
    spis: Vec<Spi>,
    place: Membership,
    at: SocketAddr,
    counts: Arc<Counts>,
    socket: UdpSocket,
    task: AbortHandle,
}

impl Drop for World {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl World {
    /// With an association of each of these subscribers.
    async fn start(subscribers: &[&str]) -> Self {
        let mut store = empty();
        let spis = subscribers.iter().map(|nai| authorise(&mut store, nai)).collect();
        let (store, registry) = (SharedStore::new(store), Arc::new(Registry::default()));
        let place = registry.enter("ha1", InstanceId([1; 16]), Revision(0));
        let secrets = [(IpAddr::V4(Ipv4Addr::LOCALHOST), Secret::new(SECRET.to_vec()))];
        let clients = Clients::new(secrets, "hac.example.org".to_owned(), SystemTime::now());
        let executor = Executor::new(store.clone(), registry);
        let local = "127.0.0.1:0".parse().unwrap();
        let server = hac::dynamic_authorization::Server::bind(local, clients, executor).await.unwrap();
        let (at, counts) = (server.address().unwrap(), server.counts());
        let task = tokio::spawn(server.serve()).abort_handle();
        Self { store, spis, place, at, counts, socket: UdpSocket::bind(local).await.unwrap(), task }
    }

    async fn answer(&self, request: &[u8]) -> Vec<u8> {
        self.socket.send_to(request, self.at).await.unwrap();
        let mut answer = vec![0; 5000];
        let (len, from) = timeout(Duration::from_secs(20), self.socket.recv_from(&mut answer)).await.expect("an answer").unwrap();
        assert_eq!(from, self.at);
        answer.truncate(len);
        let signed = [&answer[..4], &request[4..20], &answer[20..], SECRET].concat();
        assert_eq!(answer[4..20], Md5::digest(signed)[..], "Response Authenticator is right");
        assert_eq!(answer[1], request[1]);
        answer
    }

    /// Live associations.
    async fn live(&self) -> Vec<Spi> {
        let all =
            |store: &mut dyn hac::store::Store| store.associations(&Selection::default(), false, None, 100, SystemTime::now());
        on(&self.store, all).await.unwrap().into_iter().map(|record| record.spi).collect()
    }

    fn counted(&self, name: &str) -> u64 {
        self.counts.snapshot()[name]
    }
}

/// A request with Event-Timestamp and these attributes.
fn request(code: u8, identifier: u8, attributes: &[(u8, &[u8])]) -> Vec<u8> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as u32;
    let stamp = seconds.to_be_bytes();
    let all = [attributes, &[(55, &stamp[..])]].concat();
    let attributes: Vec<u8> =
        all.iter().flat_map(|(kind, value)| [&[*kind, value.len() as u8 + 2][..], value].concat()).collect();
    let [high, low] = (20 + attributes.len() as u16).to_be_bytes();
    let head = [code, identifier, high, low];
    let authenticator = Md5::digest([&head[..], &[0; 16], &attributes, SECRET].concat());
    [&head[..], &authenticator, &attributes].concat()
}

/// Code and Error-Cause of an answer.
fn cause(answer: &[u8]) -> (u8, u32) {
    let mut attributes = &answer[20..];
    while !attributes.starts_with(&[101, 6]) {
        attributes = &attributes[attributes.get(1).copied().expect("an Error-Cause").into()..];
    }
    (answer[0], u32::from_be_bytes(attributes[2..6].try_into().unwrap()))
}

/// RFC 5176 sections 2.1 and 2.3.
#[tokio::test]
async fn a_disconnect_request_ends_every_association_of_the_user_and_comes_into_force_at_the_home_agent() {
    let mut world = World::start(&["alice@example.org", "bob@example.org", "alice@example.org"]).await;
    let bob = world.spis[1];
    let disconnect = request(40, 1, &[(1, ALICE), (33, b"proxy")]);
    let answer = world.answer(&disconnect).await;
    assert_eq!((answer[0], &answer[20..]), (41, &b"\x21\x07proxy"[..]));
    assert_eq!(world.live().await, [bob]);
    let revision = on(&world.store, |store| store.revision()).await.unwrap();
    assert_eq!(world.place.next().await, Some(Wanted::UpTo(revision)));

    assert_eq!(world.answer(&disconnect).await, answer, "the same octets");
    assert_eq!((world.counted("disconnects"), world.counted("duplicates")), (1, 1));
    assert_eq!(cause(&world.answer(&request(40, 2, &[(1, ALICE)])).await), (42, 503));
    assert_eq!(on(&world.store, |store| store.revision()).await.unwrap(), revision);
}

#[tokio::test]
async fn a_session_is_ended_by_the_id_that_accounting_gave_it() {
    let world = World::start(&["alice@example.org", "bob@example.org"]).await;
    let reports = [report(world.spis[0], 1), report(world.spis[1], 1)];
    on(&world.store, move |store| store.note_usage(&recipient(), &reports, SystemTime::now())).await.unwrap();
    let due = on(&world.store, |store| store.accounting_due(None, 10, SystemTime::now())).await.unwrap();
    let bobs = due.into_iter().find(|(record, _)| record.spi == world.spis[1]).unwrap().0.id;
    assert_eq!(world.answer(&request(40, 1, &[(44, bobs.as_bytes())])).await[0], 41);
    assert_eq!(world.live().await, [world.spis[0]]);
    assert_eq!(cause(&world.answer(&request(40, 2, &[(44, bobs.as_bytes())])).await), (42, 503));
}

/// RFC 5176 section 3.2: it MUST NOT be an ACK.
#[tokio::test]
async fn authorize_only_asks_the_node_for_a_new_association_and_ends_the_old_one() {
    let mut world = World::start(&["alice@example.org"]).await;
    let spi = world.spis[0];
    let answer = world.answer(&request(43, 1, &[(1, ALICE), (6, &[0, 0, 0, 17]), (24, b"state")])).await;
    assert_eq!(cause(&answer), (45, 507));
    assert!(
        answer.windows(7).any(|state| state == b"\x18\x07state") && answer.windows(6).any(|only| only == [6, 6, 0, 0, 0, 17])
    );
    assert_eq!(world.place.next().await, Some(Wanted::Renewal(spi)));
    assert_eq!(world.live().await, [spi]);
    let ended = on(&world.store, |store| store.end_due(SystemTime::now() + REAUTHORISATION)).await.unwrap();
    assert_eq!((ended, world.live().await), (vec![spi], vec![]));
    assert_eq!(world.counted("reauthorisations"), 1);
}

#[tokio::test]
async fn a_session_timeout_is_acknowledged_and_kept() {
    let mut world = World::start(&["alice@example.org"]).await;
    let spi = world.spis[0];
    assert_eq!(world.answer(&request(43, 1, &[(1, ALICE), (27, &[0, 0, 0, 9])])).await[0], 44);
    assert_eq!(world.place.next().await, Some(Wanted::Renewal(spi)));
    let at = |seconds| SystemTime::now() + Duration::from_secs(seconds);
    assert_eq!(on(&world.store, move |store| store.end_due(at(5))).await.unwrap(), []);
    assert_eq!(on(&world.store, move |store| store.end_due(at(9))).await.unwrap(), [spi]);
}

#[tokio::test]
async fn class_and_interval_are_replaced_in_place() {
    let world = World::start(&["alice@example.org"]).await;
    let alices = report(world.spis[0], 1);
    on(&world.store, move |store| store.note_usage(&recipient(), &[alices], SystemTime::now())).await.unwrap();
    let change = request(43, 1, &[(1, ALICE), (25, b"silver"), (25, b"2"), (85, &[0, 0, 2, 0x58])]);
    assert_eq!(world.answer(&change).await[0], 44);
    let due = on(&world.store, |store| store.accounting_due(None, 10, SystemTime::now())).await.unwrap();
    assert_eq!(due[0].1, Told::Start);
    let access = &due[0].0.access;
    assert_eq!((&access.class[..], access.interim), (&[b"silver".to_vec(), b"2".to_vec()][..], Some(Duration::from_secs(600))));
    assert_eq!(world.live().await, world.spis);
}

#[tokio::test]
async fn more_sessions_than_can_be_changed_at_once_are_left_alone() {
    let names: Vec<_> = (0..=MAX_SESSIONS).map(|number| format!("mn{number}@example.org")).collect();
    let world = World::start(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let pool = [&[0, 64][..], &[0x20, 1, 0x0d, 0xb8, 1, 0, 0, 0]].concat();
    assert_eq!(cause(&world.answer(&request(40, 1, &[(97, &pool)])).await), (42, 506));
    assert_eq!(world.live().await.len(), names.len());
}

#[tokio::test]
async fn who_is_no_server_of_this_hac_is_not_heard() {
    let world = World::start(&["alice@example.org"]).await;
    let stranger = UdpSocket::bind("127.0.0.2:0").await.unwrap();
    let disconnect = request(40, 1, &[(1, ALICE)]);
    stranger.send_to(&disconnect, world.at).await.unwrap();
    let mut forged = disconnect.clone();
    forged[25] ^= 1;
    world.socket.send_to(&forged, world.at).await.unwrap();
    // What came before has been looked at when this is answered.
    assert_eq!(cause(&world.answer(&request(40, 2, &[(1, b"nobody")])).await), (42, 503));
    let dropped: BTreeMap<_, _> = world.counts.snapshot().into_iter().filter(|(name, _)| name.starts_with("dropped")).collect();
    assert_eq!((dropped["dropped-source"], dropped["dropped-authenticator"]), (1, 1));
    assert_eq!(dropped.values().sum::<u64>(), 2);
    assert_eq!(world.live().await, world.spis);
}
