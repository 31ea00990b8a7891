//! Moves over links that take 40 ms to and fro, from and to a network behind a translator: how long each direction is silent.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tests::figures::Figures;
use tests::lab::deployment::SOON;
use tests::lab::handover::Move;
use tests::lab::traffic::during;
use tests::lab::traffic::tcp::Direction;
use tests::lab::{Deployment, Lab, Setup, inside, plan, wait_for};
use tests::link::Link;

use crate::setup;

const ONE_WAY: Duration = Duration::from_millis(20);
const ROUND_TRIP: Duration = Duration::from_millis(40);
/// What the uplink may take, and the downlink beside its round trip.
const UPLINK: Duration = Duration::from_millis(20);
const DOWNLINK: Duration = ROUND_TRIP.saturating_add(Duration::from_millis(20));
/// The same where a fifth is lost each way.
const LOSSY_DOWNLINK: Duration = Duration::from_millis(3 * 40 + 300);
/// What was sent so long ago is at hand still, with some reserve.
const LONGEST_HOLE: Duration = Duration::from_millis(400);
/// In each network, so long that RFC 6275's three Binding Updates a second hold no move back.
const STAY: Duration = Duration::from_millis(1_000);
const LOSSY_STAY: Duration = Duration::from_millis(1_500);
/// Transfers through moves: slow enough that the moves, which wait for RFC 6275's rate, come to their end before.
const OCTETS: u64 = 100_000_000;
const RATE: u64 = 4_000_000;
const MOVES_AMID: u64 = 20;

/// Moves of each measurement; 100 unless the environment says otherwise.
fn count() -> Result<usize> {
    let moves = std::env::var("HALTSEC_LAB_MOVES").unwrap_or_else(|_| "100".to_owned());
    moves.parse().with_context(|| format!("HALTSEC_LAB_MOVES={moves} is no number"))
}

/// A registered node on wifi behind a translator.
fn behind_nat<'lab>(lab: &'lab Lab) -> Result<Deployment<'lab>> {
    lab.translate(plan::WIFI)?;
    registered(lab)
}

fn registered<'lab>(lab: &'lab Lab) -> Result<Deployment<'lab>> {
    setup::registered_with(lab, &Setup { in_memory: true, ..Setup::default() })
}

struct Times {
    moves: Vec<Move>,
    uplink: Figures,
    downlink: Figures,
}

/// Of a registered node, over such links.
fn measured(lab: &Lab, link: &Link, change: impl FnOnce(&Lab) -> Result<Vec<Move>>) -> Result<Times> {
    let _servers = lab.serve_traffic()?;
    let mut emulator = lab.emulate(link, 1)?;
    let moves = change(lab)?;
    emulator.check()?;
    times(moves)
}

/// Every move must come to its end in both directions.
fn times(moves: Vec<Move>) -> Result<Times> {
    let times = |way: &dyn Fn(&Move) -> Option<Duration>, name: &str| {
        let times: Option<Vec<_>> = moves.iter().map(way).collect();
        Ok::<_, anyhow::Error>(Figures::of(times.with_context(|| format!("a move without {name}: {moves:?}"))?))
    };
    let (uplink, downlink) = (times(&|one| one.uplink, "an uplink")?, times(&|one| one.downlink, "a downlink")?);
    Ok(Times { moves, uplink, downlink })
}

#[test]
fn after_a_move_the_uplink_is_back_within_20_ms_and_the_downlink_within_a_round_trip_and_20_ms() {
    inside(|lab| {
        let _deployment = behind_nat(lab)?;
        in_time(&measured(lab, &Link::calm(ONE_WAY), |lab| lab.measured_moves(count()?, STAY))?)
    });
}

/// A tenth of the moves, between two networks of one kind.
pub(crate) fn moves(lab: &Lab) -> Result<()> {
    let _deployment = registered(lab)?;
    in_time(&measured(lab, &Link::calm(ONE_WAY), |lab| lab.measured_moves(count()? / 10, STAY))?)
}

/// As many changes of lease.
pub(crate) fn leases(lab: &Lab, detected: bool) -> Result<()> {
    let _deployment = registered(lab)?;
    in_time(&measured(lab, &Link::calm(ONE_WAY), |lab| lab.measured_leases(plan::WIFI, count()? / 10, STAY, detected))?)
}

/// As the goal says; what is sent in the hole and what was under way is late, and nothing is lost, unless the machine was so busy that the
/// hole became longer than what is kept.
fn in_time(Times { moves, uplink, downlink }: &Times) -> Result<()> {
    let lost = moves.iter().fold([0, 0], |[up, down], one| [up + one.lost[0], down + one.lost[1]]);
    eprintln!("RTT 40 ms: uplink {uplink}; downlink {downlink}; lost up and down {lost:?}");
    ensure!(uplink.nearly_all() <= UPLINK, "uplink {uplink}: {moves:?}");
    ensure!(downlink.nearly_all() <= DOWNLINK, "downlink {downlink}: {moves:?}");
    let short = || moves.iter().filter(|one| one.hole + ROUND_TRIP <= LONGEST_HOLE);
    let lost: Vec<_> = short().filter(|one| one.lost != [0, 0]).collect();
    ensure!(lost.is_empty() && short().count() * 2 > moves.len(), "packets were lost: {lost:?} of {moves:?}");
    Ok(())
}

#[test]
fn where_a_fifth_is_lost_each_way_the_downlink_is_back_within_three_round_trips_and_300_ms() {
    inside(|lab| {
        let _deployment = behind_nat(lab)?;
        let link = Link { loss: 0.2, ..Link::calm(ONE_WAY) };
        let Times { moves, uplink, downlink } = measured(lab, &link, |lab| lab.measured_moves(count()?, LOSSY_STAY))?;
        eprintln!("RTT 40 ms, a fifth lost each way: uplink {uplink}; downlink {downlink}");
        ensure!(downlink.p99() <= LOSSY_DOWNLINK, "downlink {downlink}: {moves:?}");
        Ok(())
    });
}

#[test]
fn transfers_of_100_megabytes_each_way_come_through_20_moves_as_they_were_sent() {
    inside(|lab| {
        let deployment = behind_nat(lab)?;
        let _servers = lab.serve_traffic()?;
        let mut emulator = lab.emulate(&Link::calm(ONE_WAY), 1)?;
        let (transfers, mut moved) = ([(Direction::Up, plan::CN6), (Direction::Down, plan::CN4)], Duration::ZERO);
        let both = || each_at_once(transfers, |(direction, with)| lab.transfer(direction, with, OCTETS, RATE));
        let transfers = during(both, || {
            let start = Instant::now();
            moves_amid(&deployment)?;
            moved = start.elapsed();
            Ok(())
        })?;
        let seconds: Vec<_> = transfers.iter().map(|transfer| transfer.seconds).collect();
        eprintln!("{MOVES_AMID} moves in {moved:.1?}; the transfers took {seconds:.1?} s");
        ensure!(seconds.iter().all(|seconds| *seconds > moved.as_secs_f64()), "a transfer ended before the last move");
        emulator.check()
    });
}

/// Does something with each of several things, at the same time.
fn each_at_once<T: Send, R: Send, const N: usize>(things: [T; N], does: impl Fn(T) -> Result<R> + Sync) -> Result<Vec<R>> {
    std::thread::scope(|scope| {
        let threads = things.map(|thing| scope.spawn(|| does(thing)));
        threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow::anyhow!("a thread failed"))?).collect()
    })
}

/// Moves spread over four fifths of transfers that have just begun; each is over before the next.
fn moves_amid(deployment: &Deployment<'_>) -> Result<()> {
    let (start, _) = deployment.tunnel_octets()?;
    for (number, access) in (1..=MOVES_AMID).zip([plan::LTE, plan::WIFI].into_iter().cycle()) {
        let enough = start + OCTETS / 25 * number;
        wait_for("the next part of the transfer", SOON, || Ok((deployment.tunnel_octets()?.0 > enough).then_some(())))?;
        deployment.move_to(access)?;
    }
    Ok(())
}
