//! The HAC is killed again and again while a thousand mobile nodes authenticate. Those whose run it broke try again until they
//! have a grant; what they were told then is held against the database and against what the home agent was told.

mod ledger;

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::{Mutex, RwLock, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::process::Process;
use super::sources::connect_from;
use super::subscribers::{self, Person};
use super::*;
use ledger::Ledger;

const NODES: usize = 1000;
const AT_A_TIME: u8 = 16;
/// It is killed when so many Done have been sent, and as many again: up to the last hundred of the nodes. Whose run was broken waits
/// behind all others, so that none comes to his fifth association, for which the first would end.
const DONES_BETWEEN_KILLS: usize = 90;
const KILLS: usize = 10;
/// Everything together.
const LIMIT: Duration = Duration::from_secs(150);

/// What the mobile nodes share.
struct Crowd {
    world: World,
    people: Vec<Person>,
    waiting: Mutex<VecDeque<usize>>,
    /// Where the HAC is: read for the length of a run, written while there is none.
    hac: RwLock<SocketAddr>,
    is_killed: AtomicBool,
    broken: AtomicUsize,
    after_done: AtomicUsize,
    dones: watch::Sender<usize>,
    ledger: std::sync::Mutex<Ledger>,
}

/// How far a run got before its connection broke off.
enum Broken {
    Connecting,
    UnderWay { done_was_sent: bool },
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hac_killed_in_the_middle_of_a_thousand_authentications_gives_nothing_twice_and_tells_nobody_what_it_has_not() {
    tokio::time::timeout(LIMIT, story()).await.unwrap();
}

async fn story() {
    let (mut hac, crowd) = gather().await;
    let mut feeding = feed(&crowd, &hac).await;
    let mut nodes = JoinSet::new();
    for lane in 0..AT_A_TIME {
        nodes.spawn(authenticate_all(Arc::clone(&crowd), [127, 0, 7, lane + 1].into()));
    }
    for kill in 1..=KILLS {
        crowd.dones_are(kill * DONES_BETWEEN_KILLS, &mut nodes).await;
        crowd.is_killed.store(true, Ordering::SeqCst);
        assert_no_error(&hac.kill());
        let mut at = crowd.hac.write().await;
        feeding.await.unwrap();
        crowd.take_stock(kill);
        hac = Process::start(&crowd.world);
        feeding = feed(&crowd, &hac).await;
        crowd.is_killed.store(false, Ordering::SeqCst);
        *at = hac.mobile_nodes;
    }
    nodes.join_all().await;
    assert_no_error(&hac.kill());
    feeding.await.unwrap();
    crowd.finish();
}

/// A HAC that serves, with its subscribers before the door.
async fn gather() -> (Process, Arc<Crowd>) {
    let world = World::new();
    let person = |number| Person { nai: format!("mn{number}@example.org"), key: rand::random() };
    let people: Vec<_> = (0..NODES).map(person).collect();
    subscribers::add(&world, &people, true);
    let hac = Process::start(&world);
    let crowd = Crowd {
        waiting: Mutex::new((0..NODES).collect()),
        hac: RwLock::new(hac.mobile_nodes),
        is_killed: AtomicBool::new(false),
        broken: AtomicUsize::new(0),
        after_done: AtomicUsize::new(0),
        dones: watch::Sender::new(0),
        ledger: std::sync::Mutex::default(),
        world,
        people,
    };
    (hac, Arc::new(crowd))
}

/// One process of `ha1`, the same over all, subscribes; then it takes and acknowledges what it is told until the HAC has gone.
async fn feed(crowd: &Arc<Crowd>, hac: &Process) -> JoinHandle<()> {
    let (mut client, snapshot) = crowd.world.home_agent(hac.home_agents, 1).await;
    crowd.ledger.lock().unwrap().take_snapshot(snapshot);
    until(&crowd.world, |status| status["connected"][0]["name"] == "ha1").await;
    let crowd = Arc::clone(crowd);
    tokio::spawn(async move {
        while let Ok(message) = client.next().await {
            let FromHac::Delta { revision, change } = message else { continue };
            crowd.ledger.lock().unwrap().take_delivery(installed(change));
            client.acknowledge(revision).await;
        }
    })
}

async fn authenticate_all(crowd: Arc<Crowd>, source: Ipv4Addr) {
    loop {
        let Some(number) = crowd.waiting.lock().await.pop_front() else { return };
        let at = crowd.hac.read().await;
        match crowd.authenticate(number, source, *at).await {
            Ok(grant) => crowd.ledger.lock().unwrap().tell(&crowd.people[number].nai, grant),
            Err(broken) => {
                assert!(crowd.is_killed.load(Ordering::SeqCst), "a run broke off while the HAC ran");
                crowd.count(&broken);
                crowd.waiting.lock().await.push_back(number);
            }
        }
    }
}

impl Crowd {
    /// Waits for so many Done. No lane of nodes ends meanwhile unless it fails.
    async fn dones_are(&self, enough: usize, nodes: &mut JoinSet<()>) {
        let mut dones = self.dones.subscribe();
        tokio::select! {
            reached = dones.wait_for(|dones| *dones >= enough) => drop(reached.unwrap()),
            ended = nodes.join_next() => panic!("{ended:?}"),
        }
    }

    /// One run. A grant is a grant when the final response is there, however the connection ends.
    async fn authenticate(&self, number: usize, source: Ipv4Addr, at: SocketAddr) -> Result<Grant, Broken> {
        let before = |_| Broken::UnderWay { done_was_sent: false };
        let after = |_| Broken::UnderWay { done_was_sent: true };
        let tcp = connect_from(source, at).await.map_err(|_| Broken::Connecting)?;
        let tls = self.world.believing_in("alice").client(NAME, at.ip()).unwrap();
        let connecting = TlsConnector::from(tls.config.clone()).connect(tls.server_name.clone(), tcp);
        let mut stream = connecting.await.map_err(before)?;
        tls.confirm(stream.get_ref().1).unwrap();
        let binding = net::tls::peer_channel_binding(stream.get_ref().1).unwrap();
        let (waiting, request) = initiator::start(self.offer(number), binding, &mut rand::rng());
        stream.write_all(&request).await.map_err(before)?;
        let (waiting, request) = waiting.handle(&whole_message(&mut stream).await.map_err(before)?).unwrap();
        stream.write_all(&request).await.map_err(before)?;
        self.dones.send_modify(|dones| *dones += 1);
        Ok(waiting.handle(&whole_message(&mut stream).await.map_err(after)?).unwrap())
    }

    /// Every other node has no AEAD, so that integrity keys are given out as well.
    fn offer(&self, number: usize) -> Offer {
        let Person { nai, key } = &self.people[number];
        let suite = if number.is_multiple_of(2) { CipherSuite::Aes128Gcm } else { CipherSuite::Aes128CbcSha };
        let psk = Psk::from_octets(Secret::new(key.to_vec())).unwrap();
        let (mn_id, profile) = (nai.parse().unwrap(), WireProfile::Rfc6618);
        Offer { mn_id, psk, profile, suites: vec![suite], user_data: UserData::Protected }
    }

    /// Those that found nobody to connect to came after the kill.
    fn count(&self, broken: &Broken) {
        if let Broken::UnderWay { done_was_sent } = broken {
            self.broken.fetch_add(1, Ordering::SeqCst);
            self.after_done.fetch_add(usize::from(*done_was_sent), Ordering::SeqCst);
        }
    }

    /// What the killed HAC left on disk, against everything that anybody was ever told.
    fn take_stock(&self, kill: usize) {
        let (broken, after_done) = (self.broken.swap(0, Ordering::SeqCst), self.after_done.swap(0, Ordering::SeqCst));
        assert!(broken > 0, "kill {kill} hit nobody: it proves nothing");
        let recorded = ledger::read(&self.world, &format!("kill{kill}"));
        let mut ledger = self.ledger.lock().unwrap();
        ledger.audit(recorded);
        eprintln!("kill {kill}: {broken} runs broken, {after_done} of them behind their Done; {ledger}");
    }

    /// At the end everybody has a grant, and the home agent has all of them.
    fn finish(&self) {
        let mut ledger = self.ledger.lock().unwrap();
        ledger.audit(ledger::read(&self.world, "end"));
        assert_eq!(ledger.subscribers_told(), NODES);
        ledger.assert_all_told_was_delivered();
        assert!(ledger.untold() > 0, "no kill fell between a commit and its final response: it proves nothing");
        eprintln!("end: {ledger}");
    }
}

fn assert_no_error(log: &[String]) {
    let wrong: Vec<_> = log.iter().filter(|line| line.contains("ERROR") || line.contains("panicked")).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}
