//! A load of 100 Mbit/s each way, in which every packet counts.

use std::time::Duration;

use anyhow::{Result, ensure};
use tests::lab::traffic::udp::{Load, Streams};
use tests::lab::{inside, plan};

use crate::setup;

/// 100 Mbit/s of UDP payload, each way.
const LOAD: Load = Load { rate: 10_000, octets: 1_250 };
/// Without a renewal: what is lost then, the lab has lost.
const QUIET: Duration = Duration::from_secs(4);

#[test]
fn a_load_of_100_megabits_a_second_each_way_loses_no_packet() {
    inside(|lab| {
        let _deployment = setup::registered(lab, "AES_128_GCM")?;
        let _servers = lab.serve_traffic()?;
        carried_all(&lab.load(plan::CN6, QUIET, LOAD)?, QUIET)
    });
}

/// Every packet of a load arrived once, and it was the load that was asked for.
fn carried_all(streams: &Streams, length: Duration) -> Result<()> {
    let wanted = (f64::from(LOAD.rate) * length.as_secs_f64()) as u64;
    for stream in [&streams.up, &streams.down] {
        ensure!(stream.sent >= wanted / 100 * 95, "less than the load, {wanted} packets: {streams:?}");
        ensure!((stream.received, stream.lost, stream.duplicates) == (stream.sent, 0, 0), "not each packet once: {streams:?}");
    }
    Ok(())
}
