//! The lab's emulator does to packets what its link says, with a translator before it and without.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tests::lab::traffic::UDP_PORT;
use tests::lab::traffic::udp::Streams;
use tests::lab::{Lab, inside, plan};
use tests::link::Link;

const ONE_WAY: Duration = Duration::from_millis(20);
const ROUND_TRIP_MS: f64 = 40.0;
/// What a busy machine may add to a round trip, in the median.
const SLACK_MS: f64 = 15.0;

/// The home agent's outer addresses, which are reached over wifi and over lte.
const FAR: [IpAddr; 2] = [IpAddr::V4(plan::HA_OUTER4), IpAddr::V6(plan::HA_OUTER6)];

fn attached(lab: &Lab) -> Result<()> {
    lab.attach(plan::WIFI)?;
    lab.attach(plan::LTE)
}

fn takes_a_round_trip(lab: &Lab) -> Result<()> {
    for to in FAR {
        let ping = lab.reaches(plan::MN, to, 10)?;
        let (shortest, median) = (ping.milliseconds.iter().copied().fold(f64::MAX, f64::min), ping.median().unwrap_or(0.0));
        ensure!(shortest >= ROUND_TRIP_MS && median < ROUND_TRIP_MS + SLACK_MS, "{to}: {:?}", ping.milliseconds);
    }
    Ok(())
}

/// A stream of two seconds between the mobile node and the home agent's outer addresses.
fn stream(lab: &Lab, to: IpAddr) -> Result<Streams> {
    let _server = lab.serve(plan::HA, "serve-udp", UDP_PORT)?;
    let to = SocketAddr::new(to, UDP_PORT).to_string();
    lab.labtool(plan::MN, &["udp-stream", "--to", &to, "--seconds", "2"])
}

#[test]
fn a_delay_of_20_ms_makes_a_round_trip_of_40_in_both_families_and_nothing_is_lost() {
    inside(|lab| {
        attached(lab)?;
        let mut emulator = lab.emulate(&Link::calm(ONE_WAY), 1)?;
        takes_a_round_trip(lab)?;
        let gateway = lab.reaches(plan::MN, "198.51.100.1".parse()?, 3)?;
        ensure!(gateway.median().unwrap_or(ROUND_TRIP_MS) < ROUND_TRIP_MS / 2.0, "the gateway is no neighbour: {gateway:?}");
        for to in FAR {
            let streams = stream(lab, to)?;
            ensure!(streams.up.lost + streams.down.lost == 0, "{to}: {streams:?}");
        }
        emulator.check()
    });
}

#[test]
fn behind_a_translator_each_packet_is_translated_once_and_delayed_once() {
    inside(|lab| {
        attached(lab)?;
        let nat = lab.translate(plan::WIFI)?;
        let mut emulator = lab.emulate(&Link::calm(ONE_WAY), 1)?;
        takes_a_round_trip(lab)?;
        let capture = lab.capture(plan::HA, plan::OUTER, "outside", 64, "udp")?;
        let streams = stream(lab, FAR[0])?;
        ensure!(streams.up.lost + streams.down.lost == 0, "{streams:?}");
        let datagrams = tests::lab::pcap::read(&capture.stop()?)?;
        let inside = datagrams.iter().find(|datagram| datagram.from.ip() == plan::WIFI_CARE_OF);
        ensure!(datagrams.len() > 1_000 && inside.is_none(), "of {} datagrams not translated: {inside:?}", datagrams.len());
        ensure!(nat.unmapped()? == 0, "answers came where no mapping was");
        emulator.check()
    });
}

#[test]
fn a_fifth_is_lost_and_a_tenth_doubled_each_way_as_the_link_says() {
    inside(|lab| {
        attached(lab)?;
        let mut emulator = lab.emulate(&Link { loss: 0.2, duplication: 0.1, ..Link::calm(ONE_WAY) }, 1)?;
        let streams = stream(lab, FAR[1])?;
        for (name, one_way) in [("up", &streams.up), ("down", &streams.down)] {
            let share = |count: u64| count as f64 / one_way.sent.max(1) as f64;
            ensure!(one_way.sent > 500, "{name}: {one_way:?}");
            // Five standard deviations of 500 packets.
            ensure!((0.11..0.29).contains(&share(one_way.lost)), "{name}: a fifth is lost, not {}", share(one_way.lost));
            ensure!((0.02..0.15).contains(&share(one_way.duplicates)), "{name}: {} arrived twice", share(one_way.duplicates));
        }
        emulator.check().context("after losses that were wanted")
    });
}
