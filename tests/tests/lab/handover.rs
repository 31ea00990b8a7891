//! Moves over links that take 40 ms to and fro, from and to a network behind a translator: how long each direction is silent.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tests::figures::Figures;
use tests::lab::handover::Move;
use tests::lab::{Deployment, Lab, Setup, inside, plan};
use tests::link::Link;

use crate::setup;

const ONE_WAY: Duration = Duration::from_millis(20);
const ROUND_TRIP: Duration = Duration::from_millis(40);
/// What the uplink may take, and the downlink beside its round trip.
const UPLINK: Duration = Duration::from_millis(20);
const DOWNLINK: Duration = ROUND_TRIP.saturating_add(Duration::from_millis(50));
/// The same where a fifth is lost each way.
const LOSSY_DOWNLINK: Duration = Duration::from_millis(3 * 40 + 300);
/// Long enough that RFC 6275's three Binding Updates a second hold no move back.
const PITCH: Duration = Duration::from_millis(1_300);
const LOSSY_PITCH: Duration = Duration::from_millis(2_000);

/// Moves of each measurement; 100 unless the environment says otherwise.
fn count() -> Result<usize> {
    let moves = std::env::var("HALTSEC_LAB_MOVES").unwrap_or_else(|_| "100".to_owned());
    moves.parse().with_context(|| format!("HALTSEC_LAB_MOVES={moves} is no number"))
}

/// A registered node on wifi behind a translator, 40 ms from everybody.
fn far_away<'lab>(lab: &'lab Lab) -> Result<Deployment<'lab>> {
    lab.translate(plan::WIFI)?;
    setup::registered_with(lab, &Setup { in_memory: true, ..Setup::default() })
}

struct Times {
    uplink: Figures,
    downlink: Figures,
}

/// Every move must come to its end in both directions.
fn times(moves: &[Move]) -> Result<Times> {
    let times = |way: &dyn Fn(&Move) -> Option<Duration>, name: &str| {
        let times: Option<Vec<_>> = moves.iter().map(way).collect();
        Ok::<_, anyhow::Error>(Figures::of(times.with_context(|| format!("a move without {name}: {moves:?}"))?))
    };
    Ok(Times { uplink: times(&|one| one.uplink, "an uplink")?, downlink: times(&|one| one.downlink, "a downlink")? })
}

#[test]
fn after_a_move_the_uplink_is_back_within_20_ms_and_the_downlink_within_a_round_trip_and_50_ms() {
    inside(|lab| {
        let _deployment = far_away(lab)?;
        let _servers = lab.serve_traffic()?;
        let mut emulator = lab.emulate(&Link::calm(ONE_WAY), 1)?;
        let moves = lab.measured_moves(count()?, PITCH)?;
        emulator.check()?;
        let times = times(&moves)?;
        eprintln!("RTT 40 ms: uplink {}; downlink {}", times.uplink, times.downlink);
        ensure!(times.uplink.p99() <= UPLINK, "uplink {}: {moves:?}", times.uplink);
        ensure!(times.downlink.p99() <= DOWNLINK, "downlink {}: {moves:?}", times.downlink);
        let lost: Vec<_> = moves.iter().filter(|one| one.lost_afterwards != [0, 0]).collect();
        ensure!(lost.is_empty(), "packets lost behind the first that got through: {lost:?}");
        Ok(())
    });
}

#[test]
fn where_a_fifth_is_lost_each_way_the_downlink_is_back_within_three_round_trips_and_300_ms() {
    inside(|lab| {
        let _deployment = far_away(lab)?;
        let _servers = lab.serve_traffic()?;
        let mut emulator = lab.emulate(&Link { loss: 0.2, ..Link::calm(ONE_WAY) }, 1)?;
        let moves = lab.measured_moves(count()?, LOSSY_PITCH)?;
        emulator.check()?;
        let times = times(&moves)?;
        eprintln!("RTT 40 ms, a fifth lost each way: uplink {}; downlink {}", times.uplink, times.downlink);
        ensure!(times.downlink.p99() <= LOSSY_DOWNLINK, "downlink {}: {moves:?}", times.downlink);
        Ok(())
    });
}
